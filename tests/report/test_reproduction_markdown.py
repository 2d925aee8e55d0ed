"""The golden page is rewritten by ``python tests/report/test_reproduction_markdown.py``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reproduction_factory import (
    HOSTILE,
    ITEM,
    make_curves,
    make_hostile,
    make_measured,
    make_table,
)
from reproduction_strategies import ITEMS

from bezoar.contracts.reproduction import ItemRecord
from bezoar.report.reproduction_markdown import item_markdown, study_index

GOLDEN = Path(__file__).parent / "golden" / "reproduction.md"
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def golden_record() -> ItemRecord:
    table = make_table()
    rows = tuple(row for row in table.rows if row.row.startswith(("MNIST", "Fashion")))
    return dataclasses.replace(
        make_measured("partial"), item="table-9", rows=rows, claims=table.claims, plan=table.plan
    )


def test_the_page_is_the_golden_one() -> None:
    assert item_markdown(golden_record()) == GOLDEN.read_text(encoding="utf-8")


def test_the_table_has_the_layout_of_the_paper_and_words_for_verdicts() -> None:
    html = PARSER.render(item_markdown(make_table()))
    first = html[html.index("<table>") : html.index("</table>")]
    assert first.count("<tr>") == 7
    assert first.count("<th>") == 10
    assert "92.6 → 88.6 ± 3.3<br>≠ differs" in first
    assert "0.66 → not measured</td>" in first


def test_claims_come_with_interval_verdict_and_rule() -> None:
    page = item_markdown(make_table())
    assert "✗ contradicts | PQC-6 is poisoned as deeply as PQC-1 above 0.5. (section 5.2)" in page
    assert "20.0 points (15.0 to 25.0 points, 10 seeds)" in page
    assert "Reproduced if the whole interval lies below 0" in page


def test_figures_and_pictures_are_linked_beside_the_page() -> None:
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", item_markdown(make_curves()))
    assert links == ["figure-9-accuracy.svg", "figure-9-loss.svg", "reconstructions.png"]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (make_measured(), "> **This is a quick try-out, whose numbers are not to be quoted.**"),
        (make_curves(), "> **The run did not finish"),
    ],
)
def test_what_limits_the_numbers_is_said_before_them(item: ItemRecord, words: str) -> None:
    page = item_markdown(item)
    assert words in page
    assert page.index(words) < page.index("## ")


def test_the_index_lists_every_claim_and_links_every_item() -> None:
    items = [make_table(), make_curves(), make_measured()]
    page = study_index(items)
    html = PARSER.render(page)
    assert html.count("<tr>") == 1 + sum(len(item.claims) for item in items)
    assert {"table-9/README.md", "figure-9/README.md", "table-8/README.md"} == set(
        re.findall(r'href="([^"]*)"', html)
    )
    assert "table-9/index.md" in study_index(items, page="index.md")
    assert page.index("## Items") < page.index("## Claims")
    assert "All 48 claims" in study_index(items * 8)


def test_an_empty_study_has_an_index_and_a_bare_item_a_page() -> None:
    assert "Nothing was measured." in study_index([])
    assert "Nothing was measured." in item_markdown(ITEM)


def test_nothing_hostile_becomes_markup() -> None:
    for page in (item_markdown(make_hostile()), study_index([make_hostile()])):
        html = PARSER.render(page)
        assert "<script" not in html
        assert "<b>" not in html
        assert "javascript:" not in "".join(re.findall(r'(?:href|src)="([^"]*)"', html))
        assert "\x00" not in page
        assert "\u202e" not in page
    assert HOSTILE not in item_markdown(make_hostile())


@given(text=st.text(max_size=20))
@example("- x")
@example("1. x")
@example("1) x")
@example("+ x")
@example("# x")
@example("=====")
@example("---")
@example("    code")
def test_a_paragraph_stays_a_paragraph(text: str) -> None:
    page = item_markdown(dataclasses.replace(ITEM, analysis=(text,), setting=(), rules=()))
    body = page[page.index("## Why") + len("## Why") : page.index("## How the verdicts")]
    kinds = {token.type for token in PARSER.parse(body)}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close"}


@given(items=st.lists(ITEMS, max_size=2))
def test_any_record_makes_pages_whose_tables_hold_together(items: list[ItemRecord]) -> None:
    for page in (study_index(items), *(item_markdown(item) for item in items)):
        for token in PARSER.parse(page):
            assert token.type != "html_block" or re.fullmatch(
                r"</?details>(<summary>[\w ]+</summary>)?\n?", token.content
            )
        page.encode()


if __name__ == "__main__":
    GOLDEN.write_text(item_markdown(golden_record()), encoding="utf-8")
