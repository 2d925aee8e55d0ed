"""The verdicts of a reproduction for the terminal; needs no colour to be understood."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bezoar.contracts.reproduction import ItemRecord
from bezoar.report.reproduction import answer, tallied, warning
from bezoar.report.reproduction_wording import (
    claim_value,
    verdict_of,
)
from bezoar.report.wording import printable


def item_terminal(items: Sequence[ItemRecord]) -> RenderableType:
    """The answer, every claim with its verdict, and the verdicts counted for each item."""
    shown = [printable(item) for item in items]
    parts: list[RenderableType] = [Text(_tight(answer(shown)), style="bold")]
    parts += [
        Text.assemble((f"{item.item}: ", "bold"), _tight(warning(item)))
        for item in shown
        if warning(item)
    ]
    if any(item.claims for item in shown):
        parts += ["", _claims(shown)]
    if shown:
        parts += ["", _counts(shown)]
    return Group(*parts)


def _claims(items: Sequence[ItemRecord]) -> Table:
    table = _table("item", "verdict", "claim", "measured")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for item in items:
        for claim in item.claims:
            cells = (item.item, verdict_of(claim), claim.text, claim_value(claim))
            table.add_row(*(Text(_tight(cell)) for cell in cells))
    return table


def _counts(items: Sequence[ItemRecord]) -> Table:
    table = _table("item", "claims", "numbers")
    for item in items:
        claims = tallied(verdict_of(claim) for claim in item.claims)
        numbers = tallied(verdict_of(row) for row in item.rows)
        table.add_row(Text(item.item), Text(claims), Text(numbers))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(Text(head))
    return table


def _tight(text: str) -> str:
    """No space before %, where a line could break."""
    return text.replace(" %", "%")
