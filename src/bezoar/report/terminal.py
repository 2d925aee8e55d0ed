"""The record as a compact table for the terminal; needs no colour to be understood."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report import backdoor_terminal
from bezoar.report.accounts import account_of
from bezoar.report.results import Cell, Condition, Results
from bezoar.report.story import Story
from bezoar.report.wording import attack_label, number, percent, seeds, shortened

#: Conditions side by side in one table; two fit in 80 columns.
_ABREAST = 2
_WIDTHS = (11, 8, 6)


def summary(record: RunRecord) -> RenderableType:
    """The verdict, the numbers of this kind of record, and the findings, for a rich console."""
    story = account_of(record)
    parts = [Text(_tight(story.headline), style="bold")]
    if story.warning:
        parts.append(Text(_tight(f"{record.outcome.upper()}: {story.warning}")))
    tables = _audit(story) if isinstance(story, Story) else backdoor_terminal.body(story)
    findings = [
        Text.assemble((f.severity.upper(), "bold"), _tight(f" {f.message}")) for f in story.findings
    ]
    if findings:
        findings.append(Text("What to do about each is in the report.", style="dim"))
    gap = [Text()] if tables and findings else []
    return Group(*parts, *tables, *gap, *findings)


def _audit(story: Story) -> list[RenderableType]:
    """Attacks and ratios against conditions.

    Each condition shows the accuracy with half the width of its 95 % interval, the
    relabel-invariant accuracy and the drop, in per cent and percentage points.
    """
    conditions = [c for c in story.results.conditions if _rows(story.results, [c])]
    tables: list[RenderableType] = [
        Group("", _table(story.results, conditions[start : start + _ABREAST]))
        for start in range(0, len(conditions), _ABREAST)
    ]
    return [*tables, Text(_legend(story), style="dim")] if tables else []


def _table(results: Results, conditions: Sequence[Condition]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column(Text("\nattack"), no_wrap=True)
    table.add_column(Text("\nratio"), justify="right", no_wrap=True)
    heads = _columns("accuracy", "renamed", "drop")
    for condition in conditions:
        label = shortened(condition.label or "accuracy", len(heads))
        table.add_column(Text(f"{label:>{len(heads)}}\n{heads}"), no_wrap=True)
    for attack, ratio in _rows(results, conditions):
        cells = [results.cells.get((condition, attack, ratio)) for condition in conditions]
        name = "unpoisoned" if attack == "none" else attack_label(attack)
        table.add_row(
            Text(shortened(name, 14)),
            _tight(percent(ratio)),
            *(Text(_numbers(cell)) for cell in cells),
        )
    return table


def _rows(results: Results, conditions: Sequence[Condition]) -> list[tuple[str, float]]:
    order = ("none", *results.attacks)
    found = {
        (attack, ratio) for condition, attack, ratio in results.cells if condition in conditions
    }
    return sorted(found, key=lambda row: (order.index(row[0]), row[1]))


def _numbers(cell: Cell | None) -> str:
    if cell is None or cell.accuracy is None:
        return _columns("missing", "", "")
    return _columns(
        f"{_hundred(cell.accuracy)}{_half_width(cell.accuracy)}",
        _hundred(cell.relabelled),
        _hundred(cell.drop),
    )


def _columns(*texts: str) -> str:
    return "".join(f"{text:>{width}}" for text, width in zip(texts, _WIDTHS, strict=True))


def _tight(text: str) -> str:
    """No space before %, where a line could break."""
    return text.replace(" %", "%")


def _hundred(measurement: Measurement | None) -> str:
    value = None if measurement is None else number(measurement.value)
    return "" if value is None else f"{100 * value + 0.0:.1f}"


def _half_width(measurement: Measurement) -> str:
    low, high = number(measurement.low), number(measurement.high)
    return "" if low is None or high is None else f" ±{50 * (high - low):.1f}"


def _legend(story: Story) -> str:
    ns = {c.accuracy.n for c in story.results.cells.values() if c.accuracy is not None}
    how = "" if len(ns) != 1 else f" {seeds(ns.pop()).capitalize()}."
    return (
        "In per cent; ± is half the 95% interval. Renamed: accuracy after the best one-to-one "
        f"renaming of the outputs. Drop: points lost.{how}"
    )
