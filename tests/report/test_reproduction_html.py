from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from reproduction_factory import (
    HOSTILE,
    ITEM,
    make_curves,
    make_hostile,
    make_measured,
    make_table,
    png,
)
from reproduction_strategies import ITEMS

from bezoar.contracts.reproduction import ItemRecord
from bezoar.report.reproduction_html import study_html

STUDY = [make_table(), make_curves(), make_measured()]
VOID = {"meta", "link", "img"}


class Outline(HTMLParser):
    """Elements with their attributes; every one must be closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_is_well_formed_and_its_links_lead_somewhere() -> None:
    outline = Outline(study_html(STUDY))
    ids = [a["id"] for _, a in outline.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "").removeprefix("#") for a in outline.named("a")} <= set(ids)
    assert all(a.get("scope") for a in outline.named("th"))
    assert len(outline.named("h1")) == 1
    assert [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)][:2] == [1, 2]


def test_the_overview_comes_before_claims_and_items_and_verdicts_are_words() -> None:
    page = study_html(STUDY)
    assert page.index('id="overview"') < page.index('id="claims"') < page.index('id="item-0"')
    claims = page[page.index('id="claims"') : page.index('id="item-0"')]
    assert "<details>" not in claims
    words = re.findall(r'<span class="verdict-word v-[a-z-]+">([^<]*)</span>', claims)
    assert words == [
        "✓ reproduced",
        "≠ differs",
        "✗ contradicts",
        "· measured",
        "✓ reproduced",
        "not measured",
    ]


def test_many_claims_are_folded_in_the_overview() -> None:
    page = study_html([*STUDY] * 8)
    assert "<summary>All 48 claims</summary>" in page


def test_numbers_stand_beside_the_papers() -> None:
    page = study_html(STUDY)
    assert '<span class="paper">0.66 →</span> <span class="ours">not measured</span>' in page
    assert '<span class="ours">27.6 ± 1.1</span>' in page


def test_pictures_are_in_the_page_when_their_bytes_are_given() -> None:
    picture = png()
    page = study_html(STUDY, pictures={"figure-9/reconstructions.png": picture})
    (image,) = Outline(page).named("img")
    assert image["alt"] == "Images before and after coding"
    assert image["src"] == f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    for pictures in (None, {"figure-9/reconstructions.png": b"<svg onload='x()'/>"}):
        page = study_html(STUDY, pictures=pictures)
        assert not Outline(page).named("img")
        assert "reconstructions.png" in page


def test_a_quick_or_partial_run_is_said_on_top() -> None:
    page = study_html(STUDY)
    top = page[page.index('id="verdict"') : page.index('id="claims"')]
    assert "quick try-out" in top
    assert "did not finish" in top


def test_nothing_comes_from_elsewhere_and_no_style_is_inline() -> None:
    page = study_html(STUDY)
    outline = Outline(page)
    assert not [a for _, a in outline.elements if "style" in a or "onclick" in a]
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "default-src 'none'" in page


def test_nothing_hostile_becomes_markup() -> None:
    item = make_hostile()
    page = study_html([item], pictures={f"{HOSTILE}/{HOSTILE}": png()})
    outline = Outline(page)
    assert len(outline.named("script")) == 1
    assert not outline.named("b")
    assert len(outline.named("img")) == 1


def test_an_empty_study_and_a_bare_item_have_a_page() -> None:
    assert "Nothing was measured." in study_html([])
    assert "Nothing was measured." in study_html([ITEM])
    assert "No item makes a claim" in study_html([dataclasses.replace(make_table(), claims=())])


@settings(max_examples=40)
@given(items=st.lists(ITEMS, max_size=2))
def test_any_record_makes_a_whole_page(items: list[ItemRecord]) -> None:
    page = study_html(items)
    Outline(page)
    page.encode()
