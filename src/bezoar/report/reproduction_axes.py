"""The axes of a redrawn figure: what fits on them, where a value stands, and the ticks."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bezoar.contracts.reproduction import DIFFERENCE, Figure, Series
from bezoar.report.charts import tag
from bezoar.report.reproduction_wording import (
    places,
)
from bezoar.report.wording import number, quantity, shortened

#: Greater values cannot be drawn beside others without losing all digits; they count as missing.
_HUGE = 1e100
_WIDTH = 560
_PLOT = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a series; `y` is None where there is none, and then so are the ends."""

    x: float | str
    y: float | None
    low: float | None
    high: float | None


def values(series: Series) -> list[Value]:
    """The values of a series, as many as it has places and values for."""
    found = []
    for i, (x, raw) in enumerate(zip(series.x, series.y, strict=False)):
        y = _drawable(raw)
        low, high = (
            _drawable(ends[i]) if i < len(ends) and y is not None else None
            for ends in (series.low, series.high)
        )
        whole = low is not None and high is not None
        found.append(Value(x=x, y=y, low=low if whole else None, high=high if whole else None))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """A canvas and how values map to it.

    Attributes:
        width, height: of the canvas.
        left, right, top, floor: the edges of the plot.
        y_ticks: the ticks of y, rising; the first and last are the ends of the axis.
        y_texts: what they are called.
        names: the places on x, where they are names; else None.
        x_low, x_high: the ends of x, where it has numbers.
        logarithmic: whether x is.
        x_ticks: the numbers on x that are named.
        x_title, y_title: the titles.
        wrapped: the lines of each name; one line each where they are turned.
        turned: whether names on x are turned.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    floor: int
    y_ticks: tuple[float, ...]
    y_texts: tuple[str, ...]
    names: tuple[str, ...] | None
    x_low: float
    x_high: float
    logarithmic: bool
    x_ticks: tuple[float, ...]
    x_title: str
    y_title: str
    wrapped: tuple[tuple[str, ...], ...]
    turned: bool

    def x(self, value: float | str) -> float:
        """Where a place stands; names stand in the middle of their share of the axis."""
        if self.names is not None:
            return self.left + self.share * (self.names.index(place_name(value)) + 0.5)
        at = _moved(float(value), self.logarithmic)
        low, high = (_moved(end, self.logarithmic) for end in (self.x_low, self.x_high))
        return self.left + 8 + (self.right - self.left - 16) * (at - low) / (high - low)

    @property
    def share(self) -> float:
        """The width that each name has."""
        return (self.right - self.left) / max(1, len(self.names or ()))

    def y(self, value: float) -> float:
        """Where a value stands; beyond the ends of the axis, at its end."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        part = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.floor - (self.floor - self.top) * part

    def drawn(self) -> Markup:
        """Grid, ticks and titles."""
        base = self.y(0.0)
        parts = [tag("text", self.y_title, class_="axis", x=2, y=self.top - 14)]
        for tick, text in zip(self.y_ticks, self.y_texts, strict=True):
            level = self.y(tick)
            line = "grid floor" if abs(level - base) < 0.01 else "grid"
            parts.append(tag("path", class_=line, d=f"M{self.left} {level:.1f}H{self.right}"))
            parts.append(
                tag("text", text, class_="tick end", x=self.left - 7, y=f"{level:.1f}", dy=4)
            )
        parts += self._named() if self.names is not None else self._numbered()
        title = self.x_title + (" (logarithmic)" if self.logarithmic else "")
        middle = (self.left + self.right) / 2
        parts.append(tag("text", title, class_="axis middle", x=middle, y=self.height - 8))
        return tag("g", *parts)

    def _named(self) -> list[Markup]:
        parts = []
        for name, lines in zip(self.names or (), self.wrapped, strict=True):
            x = self.x(name)
            for i, line in enumerate(lines):
                where = {"class_": "tick middle", "x": f"{x:.1f}", "y": self.floor + 19 + 14 * i}
                if self.turned:
                    turn = f"translate({x + 4:.1f} {self.floor + 14}) rotate(-35)"
                    where = {"class_": "tick end", "transform": turn}
                parts.append(tag("text", tag("title", name), line, **where))
        return parts

    def _numbered(self) -> list[Markup]:
        parts = []
        for tick, text in zip(self.x_ticks, _texts(self.x_ticks), strict=True):
            x = f"{self.x(tick):.1f}"
            parts.append(tag("path", class_="grid floor", d=f"M{x} {self.floor}v4"))
            parts.append(tag("text", text, class_="tick middle", x=x, y=self.floor + 19))
        return parts


#: Longer names of places are shortened.
_LONGEST = 20
#: The room for a letter, generously: there are no font metrics here.
_LETTER = 7.2


def axes_of(figure: Figure) -> Axes:
    """Axes on which all values of `figure` have room.

    Bars stand on zero. Lines do so too when their least value is below half of their greatest.
    Intervals far wider than the spread of the values are cut off at the edge. x is logarithmic
    where it has positive numbers that are far from evenly spaced.
    """
    y_ticks = _levels(figure)
    y_texts = _y_texts(y_ticks, figure)
    left = 16 + 9 * max(len(text) for text in y_texts)
    found = places(figure)
    numbers = [x for x in (_drawable(x) for x in found) if x is not None]
    names, wrapped, turned, width, below = None, (), False, _WIDTH, 50
    if figure.kind == "bars" or len(numbers) < len(found):
        names = tuple(dict.fromkeys(place_name(x) for x in found))
        bars = len(figure.series) if figure.kind == "bars" else 1
        share = max(12 + 9 * bars, _word_width(names) if len(names) < 10 else 0)
        width = max(width, left + 16 + len(names) * share)
        wrapped = _wrapped(names, (width - left - 16) / max(1, len(names)))
        turned = not wrapped
        wrapped = wrapped or tuple((shortened(name, _LONGEST),) for name in names)
        longest = max((len(line) for lines in wrapped for line in lines), default=0)
        # A letter is about 6.4 wide; a turned name reaches left and down of its place.
        left = max(left, int(5.4 * longest)) if turned else left
        below += int(3.8 * longest) if turned else 14 * (max(map(len, wrapped), default=1) - 1)
    low, high = (min(numbers), max(numbers)) if numbers and names is None else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        low, high = low - 0.5 - abs(low) / 2, high + 0.5 + abs(high) / 2
    top = 30
    logarithmic = names is None and _geometric(sorted(numbers))
    return Axes(
        width=width,
        height=top + _PLOT + below,
        left=left,
        right=width - 16,
        top=top,
        floor=top + _PLOT,
        y_ticks=y_ticks,
        y_texts=y_texts,
        names=names,
        x_low=low,
        x_high=high,
        logarithmic=logarithmic,
        x_ticks=_x_ticks(sorted(numbers), low, high, logarithmic) if names is None else (),
        x_title=figure.x_title,
        y_title=figure.y_title,
        wrapped=wrapped,
        turned=turned,
    )


def _word_width(names: Sequence[str]) -> int:
    """The room that the longest word needs, unless it is too long to make room for it."""
    longest = max((len(word) for name in names for word in name.split()), default=0)
    return int(longest * _LETTER) + 2 if longest <= 14 else 0


def _wrapped(names: Sequence[str], room: float) -> tuple[tuple[str, ...], ...]:
    """The names in up to three lines that fit side by side, or () where they do not."""
    letters = max(1, int(room / _LETTER))
    wrap = textwrap.TextWrapper(letters, break_long_words=False, break_on_hyphens=False)
    lines = [tuple(wrap.wrap(name)) for name in names]
    fits = all(len(one) <= 3 and all(len(line) <= letters for line in one) for one in lines)
    return tuple(lines) if fits else ()


def place_name(place: float | str) -> str:
    """A place on x in words."""
    return place if isinstance(place, str) else quantity(place)


def _levels(figure: Figure) -> tuple[float, ...]:
    """Ticks of y around all values and, as far as is sensible, their intervals."""
    points = [value for series in figure.series for value in values(series)]
    ys = [value.y for value in points if value.y is not None]
    if not ys:
        return (0.0, 0.5, 1.0)
    least, greatest = min(ys), max(ys)
    span = max(greatest - least, 0.1 * abs(greatest))
    lows = [value.low for value in points if value.low is not None]
    highs = [value.high for value in points if value.high is not None]
    low = max(min([least, *lows]), least - span)
    high = min(max([greatest, *highs]), greatest + span)
    if figure.kind == "bars" or 0 <= least < greatest / 2:
        low, high = min(low, 0.0) if least < 0 else 0.0, max(high, 0.0)
    if figure.unit == "fraction" and least >= 0 and greatest <= 1:
        low, high = max(low, 0.0), min(high, 1.0)
        if high - low > 0.4:
            low, high = 0.0, 1.0
    if high - low <= max(1e-9 * abs(high), 1e-90):
        low, high = low - 0.5 - abs(low) / 2, high + 0.5 + abs(high) / 2
    return _nice(low, high, 5)


def _nice(low: float, high: float, about: int) -> tuple[float, ...]:
    """Round numbers around [low, high], some `about` of them."""
    step = _step((high - low) / (about - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(i * step for i in range(first, max(last, first + 1) + 1))


def _step(least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9))


def _x_ticks(
    numbers: Sequence[float], low: float, high: float, logarithmic: bool
) -> tuple[float, ...]:
    """The places themselves where they are few, else round numbers between the ends."""
    if logarithmic or len(numbers) <= 6:
        start, end = _moved(low, logarithmic), _moved(high, logarithmic)
        chosen: list[float] = []
        for x in numbers:
            before = _moved(chosen[-1], logarithmic) if chosen else -math.inf
            if _moved(x, logarithmic) - before >= 0.1 * (end - start):
                chosen.append(x)
        return tuple(chosen)
    step = _step((high - low) / 6)
    if all(x == int(x) for x in numbers):
        step = max(1.0, step if step != 2.5 else 5.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(i * step for i in range(first, last + 1))


def _geometric(numbers: Sequence[float]) -> bool:
    """Whether numbers, rising, spread so unevenly that only a logarithm tells them apart."""
    if len(numbers) < 3 or numbers[0] <= 0 or numbers[-1] < 30 * numbers[0]:
        return False
    gaps = [b - a for a, b in itertools.pairwise(numbers)]
    return max(gaps) > 8 * min(gaps)


def _moved(value: float, logarithmic: bool) -> float:
    return math.log10(value) if logarithmic else value


def _y_texts(ticks: Sequence[float], figure: Figure) -> tuple[str, ...]:
    if figure.unit not in ("fraction", DIFFERENCE):
        return _texts(ticks)
    # The title of the axis may name the unit already.
    suffix = "" if "%" in figure.y_title or figure.unit == DIFFERENCE else " %"
    return tuple(f"{text}{suffix}" for text in _texts([100 * tick for tick in ticks]))


def _texts(ticks: Sequence[float]) -> tuple[str, ...]:
    """Numbers with as many decimals as tell them apart."""
    if len(ticks) < 2:
        return tuple(quantity(tick) for tick in ticks)
    greatest, gap = max(abs(t) for t in ticks), min(b - a for a, b in itertools.pairwise(ticks))
    if greatest >= 1e6 or gap < 1e-5:
        return tuple(f"{tick:.3g}" for tick in ticks)
    enough = (d for d in range(7) if all(abs(round(t, d) - t) <= 1e-6 * gap for t in ticks))
    digits = next(enough, 7)
    return tuple(f"{round(tick, digits) + 0.0:.{digits}f}" for tick in ticks)


def _drawable(value: object) -> float | None:
    known = number(value)
    return None if known is None or abs(known) > _HUGE else known
