"""Small pictures of a backdoor run: success above what happens anyway, indices, entropies."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from bezoar.contracts.records import Table
from bezoar.report.charts import N_COLOURS, tag
from bezoar.report.wording import number, percent, quantity

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")
#: Marks of one strip are this far from its ends.
_EDGE, _SPAN = 6, 188
#: The edges of the plot of a histogram.
_LEFT, _RIGHT, _TOP, _FLOOR = 48, 344, 30, 190


def success_strip(
    value: float,
    low: float | None,
    high: float | None,
    floor: float | None,
    *,
    colour: int,
    label: str,
) -> Markup:
    """A success rate with its interval from 0 to 100 %, and a zone up to `floor`.

    A dot inside the zone does nothing that would not happen without the backdoor.
    """
    parts = [tag("title", label)]
    if floor is not None:
        width = max(1.5, _SPAN * _clip(floor))
        parts.append(
            tag("rect", class_="floor-zone", x=_EDGE, y=2, width=f"{width:.1f}", height=14)
        )
    parts.append(tag("path", class_="strip-axis", d="M6 9H194M6 5V13M194 5V13"))
    if low is not None and high is not None:
        path = f"M{_along(low):.1f} 9H{_along(high):.1f}"
        parts.append(tag("path", class_=f"whisker c{colour}", d=path))
    dot = {"class_": f"mark c{colour}", "cx": f"{_along(value):.1f}", "cy": 9, "r": 4.5}
    parts.append(tag("circle", **dot))
    return tag("svg", *parts, class_="strip", viewBox="0 0 200 18", role="img", aria_label=label)


def index_strip(
    value: float,
    low: float | None,
    high: float | None,
    *,
    largest: float,
    threshold: float,
    colour: int,
    label: str,
) -> Markup:
    """An anomaly index with its interval from 0 to `largest`, and a line at the threshold."""
    scale = max(largest, 1.25 * threshold)

    def at(index: float) -> str:
        return f"{_along(index / scale):.1f}"

    parts = [
        tag("title", label),
        tag("path", class_="strip-axis", d="M6 9H194M6 5V13M194 5V13"),
        tag("path", class_="threshold", d=f"M{at(threshold)} 1V17"),
    ]
    if low is not None and high is not None:
        parts.append(tag("path", class_=f"whisker c{colour}", d=f"M{at(low)} 9H{at(high)}"))
    parts.append(tag("circle", class_=f"mark c{colour}", cx=at(value), cy=9, r=4.5))
    return tag("svg", *parts, class_="strip", viewBox="0 0 200 18", role="img", aria_label=label)


def histogram(table: Table, *, name: str, x_title: str) -> Markup:
    """Shares of inputs over bins as filled steps, one for each row of the table.

    Args:
        table: rows are kinds of inputs; columns are bins, named by their left edge, or by both;
            values are shares.
        name: what the chart shows, for screen readers.
        x_title: the title of the horizontal axis.

    Returns:
        The chart; "" where the columns name no rising numbers.
    """
    edges = _edges(table.columns)
    rows = [
        (row, [number(v) or 0.0 for v in values][: len(edges) - 1])
        for row, values in zip(table.rows, table.values, strict=False)
    ]
    if not edges or not any(values for _, values in rows):
        return Markup()
    tallest = max(max(values, default=0.0) for _, values in rows) or 1.0

    def x(edge: float) -> str:
        share = (edge - edges[0]) / (edges[-1] - edges[0])
        return f"{_LEFT + (_RIGHT - _LEFT) * share:.1f}"

    def y(value: float) -> str:
        return f"{_FLOOR - (_FLOOR - _TOP) * _clip(value / tallest):.1f}"

    parts = [_scales(edges, tallest, x_title)]
    for i, (_, values) in enumerate(rows):
        steps = [f"{x(edges[0])} {_FLOOR}"]
        for (left, right), value in zip(itertools.pairwise(edges), values, strict=False):
            steps += [f"{x(left)} {y(value)}", f"{x(right)} {y(value)}"]
        steps.append(f"{x(edges[len(values)])} {_FLOOR}")
        path = "M" + "L".join(steps)
        parts.append(tag("path", class_=f"steps c{i % N_COLOURS}", d=f"{path}Z"))
        parts.append(tag("path", class_=f"curve thin c{i % N_COLOURS}", d=path))
    for i, (left, right) in enumerate(itertools.pairwise(edges)):
        lines = [f"{x_title}: {quantity(left)} to {quantity(right)}"]
        lines += [f"{row}: {percent(values[i], 1)}" for row, values in rows if i < len(values)]
        column = tag(
            "rect",
            tag("title", "\n".join(lines)),
            class_="hover",
            x=x(left),
            y=_TOP,
            width=f"{float(x(right)) - float(x(left)):.1f}",
            height=_FLOOR - _TOP,
        )
        parts.append(tag("g", column, class_="slice"))
    view = f"0 0 {_RIGHT + 16} {_FLOOR + 46}"
    return tag("svg", *parts, class_="chart", viewBox=view, role="img", aria_label=name)


def _scales(edges: Sequence[float], tallest: float, x_title: str) -> Markup:
    """The grid of a histogram, its ticks and titles."""
    parts = [tag("text", "share of inputs", class_="axis", x=2, y=_TOP - 12)]
    for share in (0.0, 0.5, 1.0):
        level = _FLOOR - (_FLOOR - _TOP) * share
        line = "grid" if share else "grid floor"
        text = percent(tallest * share, 0 if tallest > 0.05 else 1)
        parts.append(tag("path", class_=line, d=f"M{_LEFT} {level:.1f}H{_RIGHT}"))
        parts.append(tag("text", text, class_="tick end", x=_LEFT - 7, y=f"{level:.1f}", dy=4))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        place = f"{_LEFT + (_RIGHT - _LEFT) * share:.1f}"
        text = quantity(edges[0] + (edges[-1] - edges[0]) * share)
        parts.append(tag("text", text, class_="tick middle", x=place, y=_FLOOR + 18))
    middle = (_LEFT + _RIGHT) / 2
    parts.append(tag("text", x_title, class_="axis middle", x=middle, y=_FLOOR + 39))
    return tag("g", *parts, aria_hidden="true")


def _edges(columns: Sequence[str]) -> list[float]:
    """The edges of bins from their names; [] where they are not rising numbers."""
    found = [[float(text) for text in _NUMBER.findall(column)] for column in columns]
    if len(found) < 2 or any(len(numbers) not in (1, 2) for numbers in found):
        return []
    edges = [numbers[0] for numbers in found]
    last = found[-1][1] if len(found[-1]) == 2 else 2 * edges[-1] - edges[-2]
    edges.append(last)
    rising = all(a < b for a, b in itertools.pairwise(edges))
    return edges if rising and all(math.isfinite(edge) for edge in edges) else []


def _along(share: float) -> float:
    return _EDGE + _SPAN * _clip(share)


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
