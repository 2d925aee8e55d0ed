"""The golden page is rewritten by ``python tests/report/test_markdown.py``; read the difference."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from record_factory import make_failed, make_hostile, make_partial, make_record

from bezoar.contracts.records import RunRecord
from bezoar.report import markdown
from bezoar.report.wording import printable

GOLDEN = Path(__file__).parent / "golden" / "audit.md"
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def golden_record() -> RunRecord:
    return make_record(ratios=(0.3, 0.7))


def test_the_page_is_the_golden_one() -> None:
    assert markdown.render(golden_record()) == GOLDEN.read_text(encoding="utf-8")


def printed(text: str) -> str:
    (clean,) = printable(dataclasses.replace(make_failed(), notes=(text,))).notes
    return clean


# CommonMark trims cells, turns entities into characters and joins runs of spaces in no way.
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(printed).map(str.strip)


@given(text=PLAIN)
@example(text="a|b")
@example(text="**b** _i_ ~~s~~ `c` <br> &amp; [l](u) ![i](u) <https://x> \\| $x$")
@example(text="\\")
@example(text="`a|b`")
@example(text="@team www.x.org http://x :smile: # 1")
def test_escaped_text_shows_as_it_is_inside_a_table(text: str) -> None:
    page = f"| a | b |\n| --- | --- |\n| x{markdown.escape(text)}x | tail |\n"
    tokens = PARSER.parse(page)
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    shown = cells[0].children or []
    assert {token.type for token in shown} <= {"text", "text_special"}
    assert "".join(token.content for token in shown).replace("\u200b", "") == (
        f"x{text}x".replace("\u200b", "")
    )


def test_nothing_hostile_becomes_markup() -> None:
    page = markdown.render(make_hostile())
    html = PARSER.render(page)
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in re.findall(r'href="([^"]*)"', html)
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len({line.count(" | ") for line in rows}) <= 4


def test_a_command_with_fences_stays_in_its_block() -> None:
    record = dataclasses.replace(make_failed(), command="a ``` b ```` c")
    assert "`````sh\na ``` b ```` c\n`````" in markdown.render(record)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (make_partial(), "> **Partial run.**"),
        (make_failed(), "> **Failed run.**"),
        (make_record(seeds=1), "one seed"),
    ],
)
def test_what_the_reader_must_know_is_said(record: RunRecord, words: str) -> None:
    assert words in markdown.render(record)


def test_empty_parts_leave_no_headings() -> None:
    page = markdown.render(make_failed())
    for heading in ("## Accuracy", "## Which label", "## What the encoder", "## Findings"):
        assert heading not in page


if __name__ == "__main__":
    GOLDEN.write_text(markdown.render(golden_record()), encoding="utf-8")
