"""Intervals: no number without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean with its 95 % interval, whose ends are None for a single repetition."""

    mean: float
    low: float | None
    high: float | None
    n: int


def student_interval(
    values: Sequence[float], *, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """The mean of independent repetitions with Student's two-sided 95 % interval.

    Args:
        values: one per seed, at least one.
        bounds: what the quantity cannot leave; the interval is cut there.

    Example:
        >>> found = student_interval([0.8, 0.9, 1.0], bounds=(0, 1))
        >>> round(found.mean, 4), round(found.low, 4), found.high, found.n
        (0.9, 0.6516, 1.0, 3)
    """
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, None, None, len(array))
    half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Interval(mean, float(low), float(high), len(array))


def bootstrap_interval(
    values: Sequence[float], *, rng: np.random.Generator, resamples: int = 10_000
) -> Interval:
    """The mean with the percentile bootstrap 95 % interval, for clearly skewed repetitions.

    With fewer than about 10 repetitions it is too narrow; `student_interval` is the default.

    Args:
        values: one per seed, at least one.
        rng: draws the resamples.
        resamples: how many.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return Interval(float(array.mean()), None, None, len(array))
    means = rng.choice(array, (resamples, len(array))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(array.mean()), float(low), float(high), len(array))
