from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import chromium
import pytest
from scan_records import (
    make_empty,
    make_finding,
    make_hostile,
    make_long,
    make_notebook,
    make_rule,
    make_scan,
)

from bezoar.contracts.code_findings import Skipped
from bezoar.report import scan_html

VOID = {"meta", "link", "img", "input", "rect"}


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


@pytest.mark.parametrize("record", [make_scan(), make_empty(), make_hostile()])
def test_the_page_is_whole_and_its_links_lead_somewhere(record: object) -> None:
    outline = Outline(scan_html.render(record))  # pyright: ignore[reportArgumentType]
    ids = [a["id"] for _, a in outline.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"] or "" for a in outline.named("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert all(link.startswith(("#", "https://")) for link in links)
    assert len(outline.named("h1")) == 1
    assert all(a.get("scope") for a in outline.named("th"))


def test_the_page_tells_findings_flow_reasons_and_gaps() -> None:
    page = scan_html.render(make_scan())
    for text in (
        "6 findings: 1 critical, 2 high, 2 medium, 1 low",
        "<mark>QuantumCircuit.from_qasm_str(source)</mark>",
        "the request body comes in",
        "notebooks/Überblick 量子.ipynb:cell 3:2:20",
        "line 57 of the file",
        "round trip within the test",
        "known since 2024, ticket 12",
        "Larger than 50 MB",
        "vendor/old.py",
        "found by ruff",
        "A parameter file is <strong>code</strong> when",
        "The table of vulnerable versions is from 2025-06-01.",
    ):
        assert text in page


def test_nothing_comes_from_elsewhere_and_no_style_is_inline() -> None:
    page = scan_html.render(make_scan())
    outline = Outline(page)
    assert not [a for _, a in outline.elements if "style" in a or any(k[:2] == "on" for k in a)]
    assert not re.search(r"""\ssrc=["'](?!data:)""", page)
    assert "default-src 'none'" in page


def test_nothing_hostile_becomes_markup_or_a_style_rule() -> None:
    page = scan_html.render(make_hostile())
    outline = Outline(page)
    assert len(outline.named("script")) == len(outline.named("style")) == 1
    assert not outline.named("b")
    assert not outline.named("failure")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "alert" not in style
    assert "javascript:" not in "".join(a["href"] or "" for a in outline.named("a"))


def test_code_in_messages_is_code_and_the_rest_is_text() -> None:
    finding = make_finding(message="`pickle.load` of **bold** [x](https://example.org)")
    page = scan_html.render(make_scan(findings=(finding,)))
    assert "<code>pickle.load</code> of **bold** [x](https://example.org)" in page


def test_code_keeps_its_text_to_the_letter() -> None:
    place = dataclasses.replace(make_finding().place, column=1, end_column=5)
    finding = make_finding(place=place, code=('rate = "5 % &amp; <b>"',), code_line=5)
    page = scan_html.render(make_scan(findings=(finding,)))
    assert "5 % &amp;amp; &lt;b&gt;" in page


def test_many_findings_are_cut_and_the_page_says_so() -> None:
    many = tuple(
        make_finding(place=dataclasses.replace(make_finding().place, path=f"part{i}.py"))
        for i in range(1200)
    )
    skipped = tuple(Skipped(path=f"{i}.bin", reason="binary") for i in range(60))
    page = scan_html.render(make_scan(findings=(*many, make_notebook()), skipped=skipped))
    assert "The page shows 1000 of 1201; the other formats hold all." in page
    assert "QSA301" in page
    assert page.count('class="card finding') == 1000
    assert "1176 more" in page
    assert "60 files" in page
    Outline(page)


def test_rules_of_one_id_from_two_tools_stay_apart() -> None:
    ours, theirs = make_finding(), make_finding(tool="other")
    page = scan_html.render(make_scan(findings=(ours, theirs), rules=(make_rule("QSA201", "T"),)))
    assert page.count('<div class="group"') == 2


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Page]:
    executable = chromium.find()
    if executable is None:
        pytest.skip("no Chromium on PATH (chromium, chromium-browser or google-chrome)")
    with chromium.page(executable) as page:
        yield page


SHOWN = """[...document.querySelectorAll('.finding')]
    .filter(e => e.getClientRects().length).map(e => e.querySelector('.badge').innerText)"""


@pytest.mark.browser
@pytest.mark.parametrize(
    "record", [make_scan(), make_empty(), make_hostile()], ids=["usual", "empty", "hostile"]
)
@pytest.mark.parametrize("width", [320, 400, 1280])
def test_the_page_renders_quietly_and_fits(
    browser: chromium.Page, tmp_path: Path, record: object, width: int
) -> None:
    path = tmp_path / "scan.html"
    path.write_text(scan_html.render(record), encoding="utf-8")  # pyright: ignore[reportArgumentType]
    browser.open(path, width=width, dark=width == 400)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []
    assert browser.requests() == []


@pytest.mark.browser
def test_severities_and_rules_can_be_chosen(browser: chromium.Page, tmp_path: Path) -> None:
    path = tmp_path / "scan.html"
    record = make_scan(findings=(*make_scan().findings, make_long()))
    path.write_text(scan_html.render(record), encoding="utf-8")
    browser.open(path)
    assert len(browser.evaluate(SHOWN)) == 7
    browser.evaluate("document.getElementById('show-medium').click()")
    assert sorted(browser.evaluate(SHOWN)) == ["Critical", "High", "High", "Low"]
    groups = """[...document.querySelectorAll('.group')].filter(e => e.getClientRects().length)
        .map(e => e.id)"""
    assert len(browser.evaluate(groups)) == 4
    browser.evaluate("document.getElementById('rule').value = 'rule-1'")
    assert browser.evaluate(groups) == ["rule-1"]
