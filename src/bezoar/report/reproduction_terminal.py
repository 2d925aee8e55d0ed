"""The verdicts of a reproduction for the terminal; needs no colour to be understood."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bezoar.contracts.reproduction import Claim, ItemRecord
from bezoar.report.reproduction import answer, tallied, warning
from bezoar.report.reproduction_wording import (
    MANY_CLAIMS,
    claim_value,
    verdict_of,
)
from bezoar.report.wording import printable


def item_terminal(items: Sequence[ItemRecord]) -> RenderableType:
    """The answer, the claims with their verdicts, and the verdicts counted for each item.

    Of more than `MANY_CLAIMS` claims, only those that the measurements contradict are listed.
    """
    shown = [printable(item) for item in items]
    parts: list[RenderableType] = [Text(_tight(answer(shown)), style="bold")]
    parts += [
        Text.assemble((f"{item.item}: ", "bold"), _tight(warning(item)))
        for item in shown
        if warning(item)
    ]
    many = sum(len(item.claims) for item in shown) > MANY_CLAIMS
    listed = [
        (item.item, claim)
        for item in shown
        for claim in item.claims
        if not many or verdict_of(claim) == "contradicts"
    ]
    if listed:
        parts += ["", _claims(listed)]
    if shown:
        parts += ["", _counts(shown)]
    return Group(*parts)


def _claims(listed: Sequence[tuple[str, Claim]]) -> Table:
    table = _table("item", "verdict", "claim", "measured")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for item, claim in listed:
        cells = (item, verdict_of(claim), claim.text, claim_value(claim))
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
