"""How a reproduced number is held against a published one. Fixed before any run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from bezoar.contracts.reproduction import DIFFERENCE, Claim, Verdict
from bezoar.evaluate.statistics import Interval, student_interval
from bezoar.evaluate.study import Statement

RESOLUTION = 0.01

ROW_RULES = (
    (
        "A paper's number is one run. It is held against the 95 % prediction interval of one more "
        "run of ours (Student's, from the spread over seeds), which is wider than the interval of "
        "the mean."
    ),
    (
        f"reproduced: the paper's number lies in that interval, or within {100 * RESOLUTION:g} "
        "point of our mean (300 test samples resolve a third of a point)."
    ),
    (
        "differs: it lies outside. measured: the paper gives no number. A single number "
        "contradicts nothing; claims do."
    ),
)

_RULES = {
    "positive": "reproduced if the 95 % interval lies above 0, contradicts if it lies below 0, "
    "differs (undecided) if it holds 0",
    "below": "reproduced if the 95 % interval lies below {bound}, contradicts if it lies above, "
    "differs (undecided) if it holds it",
    "above": "reproduced if the 95 % interval lies above {bound}, contradicts if it lies below, "
    "differs (undecided) if it holds it",
    "within": "reproduced if the mean is no further than {margin} from {bound}, else differs",
    "apart": "reproduced if the two 95 % intervals do not touch and the order is the claimed one, "
    "contradicts if they do not touch and it is the other, differs (undecided) if they touch",
    "question": "a question of ours: measured, not judged",
}


class Spread(NamedTuple):
    """The 95 % prediction interval of one more repetition; None with fewer than two."""

    low: float | None
    high: float | None


def prediction_interval(values: list[float]) -> Spread:
    """Student's: ``mean -+ t s sqrt(1 + 1/n)``.

    Args:
        values: one for each seed.

    Example:
        >>> low, high = prediction_interval([0.0, 1.0, 0.0, 1.0])
        >>> round(low, 3), round(high, 3)
        (-1.554, 2.554)
    """
    n = len(values)
    if n < 2:
        return Spread(None, None)
    array = np.asarray(values)
    half = float(stats.t.ppf(0.975, n - 1) * array.std(ddof=1) * math.sqrt(1 + 1 / n))
    return Spread(float(array.mean()) - half, float(array.mean()) + half)


def row_verdict(paper: float | None, mean: float | None, spread: Spread) -> Verdict:
    """See `ROW_RULES`."""
    if paper is None or mean is None:
        return "measured"
    if abs(paper - mean) <= RESOLUTION:
        return "reproduced"
    if spread.low is not None and spread.high is not None and spread.low <= paper <= spread.high:
        return "reproduced"
    return "differs"


def judge(
    statement: Statement,
    values: Mapping[int, float],
    parts: tuple[Mapping[int, float], Mapping[int, float]] | None,
    unit: str,
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Claim:
    """What the measurements say to a statement.

    Args:
        statement: what is claimed.
        values: the quantity by seed.
        parts: the two quantities whose difference it is; None for a single one.
        unit: of the quantity.
        bounds: what the quantity cannot leave.
    """
    interval = student_interval(list(values.values()), bounds=bounds) if values else None
    return Claim(
        text=statement.text,
        source=statement.source,
        quantity=statement.quantity,
        value=None if interval is None else interval.mean,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        n=len(values),
        unit=unit,
        verdict=_verdict(statement, interval, parts),
        rule=_RULES[statement.kind].format(
            bound=_shown(statement.bound, unit),
            margin=_shown(statement.margin, DIFFERENCE if unit == "fraction" else unit),
        ),
    )


def _verdict(
    statement: Statement,
    interval: Interval | None,
    parts: tuple[Mapping[int, float], Mapping[int, float]] | None,
) -> Verdict:
    if statement.kind == "question":
        return "measured"
    if interval is None:
        return "differs"
    if statement.kind == "within":
        near = abs(interval.mean - statement.bound) <= statement.margin
        return "reproduced" if near else "differs"
    if interval.low is None or interval.high is None:
        return "differs"
    if statement.kind == "positive":
        return _side(interval.low > 0, interval.high < 0)
    if statement.kind == "below":
        return _side(interval.high < statement.bound, interval.low > statement.bound)
    if statement.kind == "above":
        return _side(interval.low > statement.bound, interval.high < statement.bound)
    assert parts is not None  # noqa: S101 - what apart compares
    upper, lower = (student_interval(list(part.values())) for part in parts)
    return _side(_clear(upper, lower), _clear(lower, upper))


def _clear(upper: Interval, lower: Interval) -> bool:
    return upper.low is not None and lower.high is not None and upper.low > lower.high


def _side(claimed: bool, other: bool) -> Verdict:
    return "reproduced" if claimed else "contradicts" if other else "differs"


def _shown(number: float, unit: str) -> str:
    if unit == DIFFERENCE:
        return f"{100 * number:g} points"
    return f"{100 * number:g} %" if unit == "fraction" else f"{number:g} {unit}".strip()
