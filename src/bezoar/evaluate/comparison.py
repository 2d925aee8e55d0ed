"""The rows, claims and figures of an item: ours beside the paper's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from bezoar.contracts.reproduction import DIFFERENCE, Claim, Figure, Row, Series
from bezoar.evaluate.quantities import Quantities
from bezoar.evaluate.statistics import student_interval
from bezoar.evaluate.study import Line, Pick, Plot, Published, Statement
from bezoar.evaluate.verdicts import judge, prediction_interval, row_verdict

_PLACEHOLDER = re.compile(r"\{([^{}|]+)\|([^{}|]+)(\|paper)?\}")


def row(cell: Published, ours: Quantities) -> Row:
    """A cell of the paper's table with our number and its verdict."""
    values = ours.values(cell.pick)
    numbers = list(values.values())
    interval = student_interval(numbers, bounds=ours.bounds(cell.pick)) if numbers else None
    spread = prediction_interval(numbers)
    mean = None if interval is None else interval.mean
    return Row(
        row=cell.row,
        column=cell.column,
        metric=cell.pick.metric,
        paper=cell.paper,
        value=mean,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        spread_low=spread.low,
        spread_high=spread.high,
        n=len(numbers),
        seeds=tuple(values),
        unit=ours.unit(cell.pick),
        verdict=row_verdict(cell.paper, mean, spread),
    )


def claim(statement: Statement, ours: Quantities) -> Claim:
    """A statement with what the measurements say to it."""
    pick = statement.pick
    parts = None
    if pick.less is not None:
        parts = ours.values(dataclasses.replace(pick, less=None)), ours.values(pick.less)
    return judge(statement, ours.values(pick), parts, ours.unit(pick), bounds=ours.bounds(pick))


def figure(plot: Plot, ours: Quantities) -> Figure:
    """A plot with its numbers."""
    return Figure(
        name=plot.name,
        title=plot.title,
        kind=plot.kind,
        x_title=plot.x_title,
        y_title=plot.y_title,
        unit=plot.unit,
        series=tuple(_series(line, ours) for line in plot.lines),
    )


def filled(text: str, rows: Sequence[Row]) -> str:
    """The text with numbers in place of ``{row|column}`` and ``{row|column|paper}``."""
    cells = {(row.row, row.column): row for row in rows}

    def number(match: re.Match[str]) -> str:
        cell = cells[match[1], match[2]]
        value = cell.paper if match[3] else cell.value
        if value is None:
            return "no number"
        if cell.unit == DIFFERENCE:
            return f"{100 * value:.1f} points"
        return f"{100 * value:.1f} %" if cell.unit == "fraction" else f"{value:.3g}"

    return _PLACEHOLDER.sub(number, text)


def _series(line: Line, ours: Quantities) -> Series:
    points = [_point(what, ours) for _, what in line.points]
    is_ours = any(isinstance(what, Pick) for _, what in line.points)
    return Series(
        name=line.name,
        of="ours" if is_ours else "paper",
        x=tuple(x for x, _ in line.points),
        y=tuple(p[0] for p in points),
        low=tuple(p[1] for p in points),
        high=tuple(p[2] for p in points),
    )


def _point(
    what: Pick | float | None, ours: Quantities
) -> tuple[float | None, float | None, float | None]:
    """A value with its interval, as far as there are any."""
    if not isinstance(what, Pick):
        return what, None, None
    numbers = list(ours.values(what).values())
    if not numbers:
        return None, None, None
    found = student_interval(numbers, bounds=ours.bounds(what))
    return found.mean, found.low, found.high
