from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bezoar.evaluate.statistics import bootstrap_interval, student_interval

VALUES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=30)


@given(VALUES)
def test_student_is_that_of_scipy(values: list[float]) -> None:
    found = student_interval(values)
    spread = stats.sem(values)
    # scipy refuses a spread of 0; the interval is then the mean alone.
    half = spread * stats.t.ppf(0.975, len(values) - 1)
    mean = float(np.mean(values))
    assert found.n == len(values)
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.low == pytest.approx(mean - half, abs=1e-12)
    assert found.high == pytest.approx(mean + half, abs=1e-12)
    if spread > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=spread)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@given(VALUES)
def test_ends_stay_in_the_bounds_and_hold_the_mean(values: list[float]) -> None:
    found = student_interval(values, bounds=(0, 1))
    assert found.low is not None
    assert found.high is not None
    # The mean of equal numbers may differ from them in the last bit.
    assert 0 <= found.low <= found.mean + 1e-15
    assert found.mean - 1e-15 <= found.high <= 1


@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
def test_one_repetition_has_no_interval(value: float) -> None:
    assert student_interval([value], bounds=(0, 1)) == (value, None, None, 1)
    rng = np.random.default_rng(0)
    assert bootstrap_interval([value], rng=rng) == (value, None, None, 1)


def test_student_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    trials = 2000
    covered = 0
    for _ in range(trials):
        found = student_interval(rng.normal(0.5, 0.1, 5).tolist())
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
    # Four standard deviations of a binomial share of 0.95 in 2000 trials are 0.02.
    assert covered / trials == pytest.approx(0.95, abs=0.02)


def test_bootstrap_agrees_with_scipy_and_with_its_seed() -> None:
    values = np.random.default_rng(1).exponential(1.0, 40)
    found = bootstrap_interval(values.tolist(), rng=np.random.default_rng(2))
    again = bootstrap_interval(values.tolist(), rng=np.random.default_rng(2))
    assert found == again
    oracle = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=10_000,
        confidence_level=0.95,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    # Quantiles of 10,000 draws of a mean whose standard error is 0.16 wander by about 0.01.
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.02)
    assert found.mean == pytest.approx(values.mean(), abs=1e-12)


@given(VALUES)
def test_bootstrap_stays_within_the_values(values: list[float]) -> None:
    found = bootstrap_interval(values, rng=np.random.default_rng(0), resamples=200)
    assert found.low is not None
    assert found.high is not None
    assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12
