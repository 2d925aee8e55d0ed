from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reproduction_factory import make_curves, make_hostile, make_measured, make_table
from reproduction_strategies import ITEMS
from rich.console import Console

from bezoar.contracts.reproduction import ItemRecord
from bezoar.report.reproduction_terminal import item_terminal


def shown(items: list[ItemRecord], width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(item_terminal(items))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_claims_with_verdicts_and_counts_fit(width: int) -> None:
    text = shown([make_table(), make_curves(), make_measured()], width)
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) < 60
    assert sum(line.startswith("table-9") and "contradicts" in line for line in lines) >= 1
    assert "quick try-out" in text
    assert "-41.0 points" in text


def test_markup_of_a_record_shows_as_text() -> None:
    assert "\x1b" not in shown([make_hostile()])


@given(items=st.lists(ITEMS, max_size=2))
def test_any_record_is_printed(items: list[ItemRecord]) -> None:
    assert "\x1b" not in shown(items)


def test_of_many_claims_only_the_contradicted_are_listed() -> None:
    item = make_table()
    many = shown([item] * 15, width=200)
    assert all(claim.text in shown([item], width=200) for claim in item.claims)
    for claim in item.claims:
        listed = 15 if claim.verdict == "contradicts" else 0
        assert many.count(claim.text) == listed
