"""A figure of a paper, redrawn as SVG: ours solid with intervals, the paper's dashed and hollow."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from bezoar.contracts.reproduction import Figure, Series
from bezoar.report import page
from bezoar.report.charts import N_COLOURS, marker_path, tag
from bezoar.report.reproduction_axes import Axes, Value, axes_of, values
from bezoar.report.reproduction_wording import (
    figure_table,
    places,
)
from bezoar.report.wording import printable, shortened

#: Up to so many points, each has its mark and whisker; longer lines have bands and a few marks.
_FEW = 14


def figure_svg(figure: Figure) -> str:
    """The figure as a stand-alone SVG file with its own background, for light and dark screens.

    Series of one name share a hue and a marker; the paper's are dashed and hollow, ours solid
    with their 95 % intervals. Fractions are shown in per cent. No script, no request.
    """
    figure = printable(figure)
    axes = axes_of(figure)
    titles = textwrap.wrap(figure.title, max(20, int((axes.width - 24) / 7.6)))
    heads = [
        tag("text", line, class_="title", x=12, y=24 + 19 * i) for i, line in enumerate(titles)
    ]
    top = 26 + 19 * len(titles)
    keys, used = _drawn_legend(figure, axes.width, top)
    width, height = axes.width + 20, axes.height + top + used
    style = page.source("palette.css") + page.source("chart.css") + page.source("figure.css")
    return (
        tag(
            "svg",
            tag("title", figure.title or figure.name),
            tag("desc", describe(figure)),
            Markup(f"<style>{style}</style>"),  # noqa: S704 - our own files
            tag("rect", class_="ground", width=width, height=height),
            *heads,
            keys,
            tag("g", *_plot(figure, axes), transform=f"translate(10 {top + used})"),
            xmlns="http://www.w3.org/2000/svg",
            class_="chart",
            width=width,
            height=height,
            viewBox=f"0 0 {width} {height}",
            role="img",
        )
        + "\n"
    )


def figure_chart(figure: Figure, *, alone: bool = False) -> Markup:
    """The plot alone for a page, whose style sheet it uses; `legend` tells its series apart.

    Args:
        figure: what to draw.
        alone: whether there is no paper to tell ours from; then no name says "ours".
    """
    axes = axes_of(figure)
    return tag(
        "svg",
        *_plot(figure, axes, alone=alone),
        class_="chart wide" if len(axes.names or ()) > 4 else "chart",
        viewBox=f"0 0 {axes.width} {axes.height}",
        role="img",
        aria_label=describe(figure, alone=alone),
    )


def describe(figure: Figure, *, alone: bool = False) -> str:
    """What the figure shows, for readers who do not see it; `alone` as in `figure_chart`."""
    shape = "Lines" if figure.kind == "lines" else "Bars"
    names = "; ".join(figure_table(figure, alone=alone)[0][1:]) or "none"
    return f"{figure.title}. {shape} of {figure.y_title} over {figure.x_title}: {names}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A line of the legend: its words, and a small drawing 34 wide and 12 high."""

    text: str
    drawing: Markup


def legend(figure: Figure, *, alone: bool = False) -> list[Key]:
    """A key for each name, and what solid and dashed mean where both occur.

    `alone` as in `figure_chart`.
    """
    names = _names(figure)
    bars = figure.kind == "bars"
    ours = {series.name for series in figure.series if series.of == "ours"}
    theirs = any(series.of == "paper" for series in figure.series)
    intervals = any(v.low is not None for series in figure.series for v in values(series))
    keys = [
        Key(
            text=name or "(no name)",
            drawing=_key(bars, _hue(names, name), _shape(names, name), name not in ours),
        )
        for name in names
    ]
    if (theirs or intervals) and not alone:
        words = "ours, with its 95 % interval" if intervals else "ours"
        keys.append(Key(text=words, drawing=_key(bars, N_COLOURS, 0, hollow=False)))
    if theirs:
        keys.append(Key(text="the paper", drawing=_key(bars, N_COLOURS, 0, hollow=True)))
    return keys


def _key(bars: bool, hue: int, shape: int, hollow: bool) -> Markup:
    style = " hollow" if hollow else ""
    if bars:
        return tag("rect", class_=f"bar c{hue}{style}", x=11, y=1, width=22, height=10)
    line = " dashed" if hollow else ""
    return tag(
        "g",
        tag("path", class_=f"curve c{hue}{line}", d="M1 6H33"),
        tag("path", class_=f"mark c{hue}{style}", d=marker_path(shape, 17, 6, 4)),
    )


def _drawn_legend(figure: Figure, width: int, top: int) -> tuple[Markup, int]:
    """The legend drawn below `top`, wrapped to the width, and the height it takes."""
    x, y, parts = 12.0, float(top), []
    for key in legend(figure):
        text = shortened(key.text, 60)
        # A generous guess of the width of a letter: there are no font metrics here.
        space = 44 + 6.7 * len(text) + 14
        if x > 12 and x + space > width:
            x, y = 12.0, y + 20
        drawn = tag("g", key.drawing, transform=f"translate({x:.0f} {y - 6:.0f})")
        parts += [drawn, tag("text", text, x=f"{x + 41:.0f}", y=f"{y:.0f}", dy=4)]
        x += space
    return tag("g", *parts), int(y) - top + 16


def _plot(figure: Figure, axes: Axes, *, alone: bool = False) -> list[Markup]:
    names = _names(figure)
    parts = [axes.drawn()]
    if figure.kind == "bars":
        parts += _bars(figure, names, axes)
    else:
        # The paper's first, so that ours lie on top of them.
        for series in sorted(figure.series, key=lambda series: series.of == "ours"):
            parts += _line(series, names, axes)
    if not any(value.y is not None for series in figure.series for value in values(series)):
        middle, level = (axes.left + axes.right) / 2, (axes.top + axes.floor) / 2
        parts.append(tag("text", "no values", class_="note middle", x=middle, y=level))
    return [*parts, _slices(figure, axes, alone)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A value on the canvas."""

    x: float
    y: float
    low: float | None
    high: float | None


def _placed(value: Value, axes: Axes) -> _Place | None:
    if value.y is None:
        return None
    return _Place(
        x=axes.x(value.x),
        y=axes.y(value.y),
        low=None if value.low is None else axes.y(value.low),
        high=None if value.high is None else axes.y(value.high),
    )


def _runs(series: Series, axes: Axes) -> list[list[_Place]]:
    """The values on the canvas from left to right, in runs between missing ones."""
    runs: list[list[_Place]] = [[]]
    for value in sorted(values(series), key=lambda value: axes.x(value.x)):
        place = _placed(value, axes)
        if place is None:
            runs.append([])
        else:
            runs[-1].append(place)
    return [run for run in runs if run]


def _line(series: Series, names: Sequence[str], axes: Axes) -> list[Markup]:
    hue, shape = _hue(names, series.name), _shape(names, series.name)
    dashed, hollow = (" dashed", " hollow") if series.of == "paper" else ("", "")
    runs = _runs(series, axes)
    path = "".join("M" + "L".join(f"{p.x:.1f} {p.y:.1f}" for p in run) for run in runs)
    parts = [_band(runs, f"band c{hue}")]
    if path:
        parts.append(tag("path", class_=f"curve c{hue}{dashed}", d=path))
    n_points = sum(len(run) for run in runs)
    every = 1 if n_points <= _FEW else -(-n_points // 8)
    for run in runs:
        for i, place in enumerate(run):
            if every == 1:
                parts.append(_whisker(place, f"whisker c{hue}{hollow}"))
            if i % every == 0 or len(run) == 1:
                mark = marker_path(shape, place.x, place.y, 3.6 if hollow else 4.2)
                parts.append(tag("path", class_=f"mark c{hue}{hollow}", d=mark))
    return parts


def _band(runs: Sequence[Sequence[_Place]], style: str) -> Markup:
    areas = []
    for run in runs:
        ends = [(p.x, p.low, p.high) for p in run if p.low is not None and p.high is not None]
        if len(ends) >= 2:
            upper = [f"{x:.1f} {high:.1f}" for x, _, high in ends]
            lower = [f"{x:.1f} {low:.1f}" for x, low, _ in reversed(ends)]
            areas.append(f"M{'L'.join(upper + lower)}Z")
    return tag("path", class_=style, d="".join(areas)) if areas else Markup()


def _whisker(place: _Place, style: str) -> Markup:
    if place.low is None or place.high is None:
        return Markup()
    return tag("path", class_=style, d=f"M{place.x:.1f} {place.low:.1f}V{place.high:.1f}")


def _bars(figure: Figure, names: Sequence[str], axes: Axes) -> list[Markup]:
    # The paper's bar stands left of ours of the same name.
    order = sorted(figure.series, key=lambda s: (names.index(s.name), s.of == "ours"))
    room = 0.82 * axes.share / max(1, len(order))
    width = min(room * 0.92, 34.0)
    base = axes.y(0.0)
    parts = []
    for i, series in enumerate(order):
        style = f"bar c{_hue(names, series.name)}" + " hollow" * (series.of == "paper")
        for value in values(series):
            place = _placed(value, axes)
            if place is None:
                continue
            middle = place.x + (i - (len(order) - 1) / 2) * min(room, 37.0)
            parts += [
                tag(
                    "rect",
                    class_=style,
                    x=f"{middle - width / 2:.1f}",
                    y=f"{min(place.y, base):.1f}",
                    width=f"{width:.1f}",
                    height=f"{abs(place.y - base):.1f}",
                ),
                _whisker(replace(place, x=middle), "whisker over"),
            ]
    return parts


def _slices(figure: Figure, axes: Axes, alone: bool) -> Markup:
    """Invisible columns, one for each place, that tell all values there when hovered."""
    heads, rows = figure_table(figure, alone=alone)
    found = places(figure)
    xs = [axes.x(place) for place in found]
    inner = [(a + b) / 2 for a, b in itertools.pairwise(xs)]
    edges = [float(axes.left), *inner, float(axes.right)]
    columns = []
    for i, row in enumerate(rows):
        lines = [f"{head}: {text}" for head, text in zip(heads, row, strict=True) if text]
        column = tag(
            "rect",
            tag("title", "\n".join(lines)),
            class_="hover",
            x=f"{edges[i]:.1f}",
            y=axes.top,
            width=f"{max(0.0, edges[i + 1] - edges[i]):.1f}",
            height=axes.floor - axes.top,
        )
        rule = tag("path", class_="rule", d=f"M{xs[i]:.1f} {axes.top}V{axes.floor}")
        columns.append(tag("g", column, rule, class_="slice"))
    return tag("g", *columns)


def _names(figure: Figure) -> list[str]:
    return list(dict.fromkeys(series.name for series in figure.series))


def _hue(names: Sequence[str], name: str) -> int:
    return names.index(name) % N_COLOURS


def _shape(names: Sequence[str], name: str) -> int:
    """Another marker when the hues come round again, so that the pair stays its own."""
    i = names.index(name)
    return (i + i // N_COLOURS) % N_COLOURS
