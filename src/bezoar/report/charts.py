"""Small pictures without a library: line charts and interval strips as SVG, heat maps as tables.

A heat map is a table whose cells are shaded, so the picture and its data are one thing: numbers
can be selected, headers stay in view while it scrolls, and screen readers walk through it.
Colours are classes (``c0``, ``h7``); the page's style sheet gives them a light and a dark form.
Everything works without a script; ``data-tip`` and ``<title>`` carry what hovering shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from bezoar.contracts.records import Table
from bezoar.report.wording import number, percent, quantity, shortened

#: How many colours and marker shapes the style sheet has for series; then they repeat. The one
#: after the last is neutral.
N_COLOURS = 6
#: How many shades a heat map has, ``h0`` to ``h10``.
N_SHADES = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A measured point of a curve, with fractions in [0, 1].

    Attributes:
        x, y: where it is.
        low, high: the ends of its interval, or None.
        label: what hovering and a screen reader say.
        shared: whether other curves have this point too (the unpoisoned start): drawn neutral.
    """

    x: float
    y: float
    low: float | None
    high: float | None
    label: str
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A curve.

    Attributes:
        name: written at its end; "" for none.
        colour: which of the page's series colours and marker shapes, counted from 0.
        points: by rising x; None where a point is missing, and the line breaks there.
        dashed: drawn dashed, hollow and without a band, to stand back behind a solid one.
    """

    name: str
    colour: int
    points: tuple[Point | None, ...]
    dashed: bool = False

    def runs(self) -> list[list[Point]]:
        """The points between the breaks."""
        runs: list[list[Point]] = [[]]
        for point in self.points:
            if point is None:
                runs.append([])
            else:
                runs[-1].append(point)
        return [run for run in runs if run]

    def known(self) -> list[Point]:
        """The points that are not missing."""
        return [point for point in self.points if point is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The canvas of a line chart in its own units, which CSS scales to the space there is."""

    width: int
    height: int
    left: int = 48
    right: int = 100
    top: int = 12
    bottom: int = 50


WIDE = Size(width=460, height=300)
NARROW = Size(width=360, height=240, right=16)


def line_chart(
    series: Sequence[Series],
    *,
    size: Size,
    name: str,
    x_title: str,
    ticks: Sequence[float],
    chance: float | None = None,
    between: tuple[int, int] | None = None,
) -> Markup:
    """Curves of a fraction against a fraction, from 0 to 100 % and from 0 to the last tick.

    Args:
        series: the curves; solid ones are drawn with their intervals as bands.
        size: the canvas.
        name: what the chart shows, for screen readers.
        x_title: the title of the horizontal axis.
        ticks: every x of the figure, rising; charts that are compared share them.
        chance: where guessing stands, a dotted line.
        between: two of `series` whose gap is shaded.
    """
    frame = _Frame(size, max(ticks[-1], 1e-9))
    parts = [frame.grid(ticks, x_title, chance)]
    if between is not None:
        parts.append(frame.gap(series[between[0]], series[between[1]]))
    parts += [frame.band(one) for one in series if not one.dashed]
    parts += [frame.curve(one) for one in series]
    parts.append(frame.slices(ticks, series))
    # Points come last: they take the focus, and their rings must lie on top.
    parts += [frame.marks(one) for one in series]
    parts.append(frame.end_labels([one for one in series if one.name and one.known()]))
    return tag(
        "svg",
        *parts,
        class_="chart",
        viewBox=f"0 0 {size.width} {size.height}",
        role="group",
        aria_label=name,
    )


def interval_strip(
    value: float, low: float | None, high: float | None, *, colour: int, label: str
) -> Markup:
    """A dot with its interval on a line from 0 to 100 %."""
    middle = 6 + 188 * _clip(value)
    parts = [
        tag("title", label),
        tag("path", class_="strip-axis", d="M6 9H194M6 5V13M194 5V13"),
    ]
    if low is not None and high is not None:
        start, end = 6 + 188 * _clip(low), 6 + 188 * _clip(high)
        parts.append(tag("path", class_=f"whisker c{colour}", d=f"M{start:.1f} 9H{end:.1f}"))
    parts.append(tag("circle", class_=f"mark c{colour}", cx=f"{middle:.1f}", cy=9, r=4.5))
    return tag("svg", *parts, class_="strip", viewBox="0 0 200 18", role="img", aria_label=label)


def heat_map(
    table: Table, *, caption: str, diagonal: bool = False, farthest: bool = False
) -> Markup:
    """A shaded table with a number in each cell.

    Fractions are printed in per cent and shaded from 0 to 1; other values to three characters and
    shaded from the least to the greatest.

    Args:
        table: what to show; missing values stay blank.
        caption: what it shows, for screen readers.
        diagonal: outline the cells whose row and column bear the same name.
        farthest: outline the greatest value of each row.
    """
    fraction = table.unit == "fraction"
    least, span = _range(table)
    head = [
        tag("th", tag("span", shortened(column, 18)), scope="col", title=column)
        for column in table.columns
    ]
    body = []
    for row, raw in zip(table.rows, table.values, strict=False):
        values = [number(v) for v in raw[: len(table.columns)]]
        top = max((v for v in values if v is not None), default=None) if farthest else None
        cells = []
        for column, value in zip(table.columns, values, strict=False):
            mark = " own" * (diagonal and row == column) + " top" * (
                top is not None and value == top
            )
            cells.append(_cell(value, (value or 0.0) - least, span, fraction, mark))
        label = tag("span", shortened(row, 24))
        body.append(tag("tr", tag("th", label, scope="row", title=row), *cells))
    size = "s" if len(table.columns) <= 5 else "m" if len(table.columns) <= 12 else "l"
    if size == "s":
        long = sum(len(column) for column in table.columns) > 34
    else:
        long = max(len(column) for column in table.columns) > 3
    turned = " turned" if long else ""
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("th", class_="corner"), *head)),
        tag("tbody", *body),
        class_=f"heat heat-{size}{turned}",
        data_rows=table.row_title,
        data_columns=table.column_title,
    )


def shade_range(table: Table) -> tuple[str, str]:
    """What the lightest and the darkest shade of `heat_map` stand for."""
    least, span = _range(table)
    say = percent if table.unit == "fraction" else quantity
    return say(least), say(least + span)


def marker_path(shape: int, x: float, y: float, r: float) -> str:
    """The path of a marker around a point; the shape tells series apart without colour."""
    corners: dict[int, tuple[tuple[float, float], ...]] = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        3: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        4: ((0, 1.2), (1.1, -0.8), (-1.1, -0.8)),
        5: ((-1.2, -0.6), (1.2, -0.6), (1.2, 0.6), (-1.2, 0.6)),
    }
    if shape not in corners:
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
    return "M" + "L".join(f"{x + r * i:.1f} {y + r * j:.1f}" for i, j in corners[shape]) + "Z"


def tag(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """An element of HTML or SVG; text and attributes are escaped, `Markup` children are not."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{pairs}>{inner}</{name}>")  # noqa: S704 - every part is escaped above


class _Frame:
    """The coordinates of one line chart, and what is drawn in them."""

    def __init__(self, size: Size, x_max: float) -> None:
        self.size = size
        self.x_max = x_max
        self.right = size.width - size.right
        self.floor = size.height - size.bottom

    def x(self, value: float) -> float:
        return self.size.left + (self.right - self.size.left) * value / self.x_max

    def y(self, value: float) -> float:
        return self.floor - (self.floor - self.size.top) * _clip(value)

    def at(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f} {self.y(y):.1f}"

    def grid(self, xs: Sequence[float], x_title: str, chance: float | None) -> Markup:
        parts = []
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
            level = f"{self.y(tick):.1f}"
            line = "grid" if tick else "grid floor"
            parts.append(tag("path", class_=line, d=f"M{self.size.left} {level}H{self.right}"))
            parts.append(
                tag("text", percent(tick), class_="tick end", x=self.size.left - 7, y=level, dy=4)
            )
        low = self.floor + 19
        parts += [
            tag("text", percent(tick), class_="tick middle", x=f"{self.x(tick):.1f}", y=low)
            for tick in self.spread(xs)
        ]
        middle = (self.size.left + self.right) / 2
        parts.append(tag("text", x_title, class_="axis middle", x=middle, y=self.floor + 41))
        if chance is not None:
            level = f"{self.y(chance):.1f}"
            parts.append(tag("path", class_="chance", d=f"M{self.size.left} {level}H{self.right}"))
            parts.append(tag("text", "chance", class_="note", x=self.size.left + 5, y=level, dy=-4))
        return tag("g", *parts, aria_hidden="true")

    def spread(self, xs: Sequence[float]) -> list[float]:
        """The ticks that fit side by side, the first and the last before others."""
        chosen = [xs[0]]
        for x in xs[1:-1]:
            if self.x(x) - self.x(chosen[-1]) >= 42 and self.x(xs[-1]) - self.x(x) >= 42:
                chosen.append(x)
        return chosen if len(xs) == 1 else [*chosen, xs[-1]]

    def gap(self, first: Series, second: Series) -> Markup:
        there = {point.x: point for point in second.known()}
        areas = []
        for run in second.runs():
            xs = {p.x for p in run}
            pairs = [(p, there[p.x]) for p in first.known() if p.x in xs]
            areas.append(
                [self.at(p.x, p.y) for p, _ in pairs]
                + [self.at(q.x, q.y) for _, q in reversed(pairs)]
            )
        return self.areas(areas, f"gap c{first.colour % N_COLOURS}")

    def band(self, one: Series) -> Markup:
        areas = []
        for run in one.runs():
            ends = [(p.x, p.low, p.high) for p in run if p.low is not None and p.high is not None]
            areas.append(
                [self.at(x, high) for x, _, high in ends]
                + [self.at(x, low) for x, low, _ in reversed(ends)]
            )
        return self.areas(areas, f"band c{one.colour % N_COLOURS}")

    def areas(self, areas: Sequence[Sequence[str]], style: str) -> Markup:
        path = "".join(f"M{'L'.join(area)}Z" for area in areas if len(area) >= 4)
        return tag("path", class_=style, d=path) if path else Markup()

    def curve(self, one: Series) -> Markup:
        runs = one.runs()
        path = "".join("M" + "L".join(self.at(p.x, p.y) for p in run) for run in runs)
        style = " dashed" if one.dashed else ""
        return tag("path", class_=f"curve c{one.colour % N_COLOURS}{style}", d=path or "M0 0")

    def slices(self, xs: Sequence[float], series: Sequence[Series]) -> Markup:
        """Invisible columns, one for each x, that tell all curves' values when hovered."""
        edges = [
            float(self.size.left),
            *((self.x(a) + self.x(b)) / 2 for a, b in itertools.pairwise(xs)),
            float(self.right + 12),
        ]
        columns = []
        for x, start, end in zip(xs, edges, edges[1:], strict=False):
            lines = [p.label for one in series for p in one.known() if p.x == x]
            rule = tag("path", class_="rule", d=f"M{self.x(x):.1f} {self.size.top}V{self.floor}")
            column = tag(
                "rect",
                tag("title", "\n".join(dict.fromkeys(lines))),
                class_="hover",
                x=f"{start:.1f}",
                y=self.size.top,
                width=f"{end - start:.1f}",
                height=self.floor - self.size.top,
            )
            columns.append(tag("g", column, rule, class_="slice"))
        return tag("g", *columns, aria_hidden="true")

    def marks(self, one: Series) -> Markup:
        style = " hollow" if one.dashed else ""
        parts = []
        for p in one.known():
            colour = N_COLOURS if p.shared else one.colour % N_COLOURS
            drawn = []
            if p.low is not None and p.high is not None:
                drawn.append(
                    tag(
                        "path",
                        class_=f"whisker c{colour}{style}",
                        d=f"M{self.x(p.x):.1f} {self.y(p.low):.1f}V{self.y(p.high):.1f}",
                    )
                )
            path = marker_path(colour, self.x(p.x), self.y(p.y), 3.6 if one.dashed else 4.4)
            drawn.append(tag("path", class_=f"mark c{colour}{style}", d=path))
            parts.append(
                tag("g", *drawn, class_="point", tabindex=0, role="img", aria_label=p.label)
            )
        return tag("g", *parts, class_="marks")

    def end_labels(self, series: Sequence[Series]) -> Markup:
        """Each curve's name beside its last point, moved apart where they would overlap."""
        step = 15.0
        order = sorted(series, key=lambda one: self.y(one.known()[-1].y))
        levels = _apart([self.y(one.known()[-1].y) for one in order], step, self.floor + 4)
        labels = []
        for one, level in zip(order, levels, strict=True):
            last, colour = one.known()[-1], f"c{one.colour % N_COLOURS}"
            if last.x < self.x_max:
                # The curve ends early: a thin line leads to its name.
                path = f"M{self.at(last.x, last.y)}L{self.right + 9} {level:.1f}"
                labels.append(tag("path", class_=f"leader {colour}", d=path))
            labels.append(
                tag(
                    "text",
                    tag("title", one.name),
                    shortened(one.name, 12),
                    class_=f"name {colour}",
                    x=self.right + 12,
                    y=f"{level:.1f}",
                    dy=4,
                )
            )
        return tag("g", *labels, aria_hidden="true")


def _apart(levels: Sequence[float], step: float, floor: float) -> list[float]:
    """The levels, rising, moved until neighbours are `step` apart and the last is above `floor`."""
    placed: list[float] = []
    for level in levels:
        placed.append(max(level, placed[-1] + step) if placed else level)
    limit = floor
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - step
    return placed


def _cell(value: float | None, above: float, span: float, fraction: bool, mark: str) -> Markup:
    if value is None:
        return tag("td", class_=f"blank{mark}")
    shade = round((N_SHADES - 1) * _clip(above / span))
    exact = percent(value, 1) if fraction else quantity(value)
    text = f"{100 * value:.0f}" if fraction else _three_characters(value)
    if text == "0":
        mark += " zero"
    return tag("td", text, class_=f"h{shade}{mark}", data_value=exact)


def _three_characters(value: float) -> str:
    if abs(value) < 0.995:
        return f"{value:.2f}".replace("0.", ".", 1)
    return f"{value:.1f}" if abs(value) < 9.95 else quantity(value)


def _range(table: Table) -> tuple[float, float]:
    if table.unit == "fraction":
        return 0.0, 1.0
    values = [v for row in table.values for raw in row if (v := number(raw)) is not None]
    least, greatest = (min(values), max(values)) if values else (0.0, 1.0)
    return least, (greatest - least) or 1.0


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
