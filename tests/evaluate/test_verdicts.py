"""Verdicts follow the rules that are printed beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.reproduction import Verdict
from bezoar.evaluate.study import Pick, Statement
from bezoar.evaluate.verdicts import Spread, judge, prediction_interval, row_verdict

SURE = {0: 0.30, 1: 0.31, 2: 0.29}
UNSURE = {0: 0.5, 1: -0.5, 2: 0.1}
NOTHING: dict[int, float] = {}


def statement(kind: str, *, bound: float = 0.0, margin: float = 0.0) -> Statement:
    return Statement(
        text="it is so",
        source="section 1",
        quantity="a share",
        pick=Pick(run="run"),
        kind=kind,  # type: ignore[arg-type]
        bound=bound,
        margin=margin,
    )


def verdict(
    kind: str,
    values: dict[int, float],
    parts: tuple[dict[int, float], dict[int, float]] | None = None,
    *,
    bound: float = 0.0,
    margin: float = 0.0,
) -> Verdict:
    return judge(statement(kind, bound=bound, margin=margin), values, parts, "fraction").verdict


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (SURE, "reproduced"),
        ({s: -v for s, v in SURE.items()}, "contradicts"),
        (UNSURE, "differs"),
        ({0: 0.3}, "differs"),
        (NOTHING, "differs"),
    ],
)
def test_positive_goes_by_the_side_of_the_interval(
    values: dict[int, float], wanted: Verdict
) -> None:
    assert verdict("positive", values) == wanted


@pytest.mark.parametrize(
    ("bound", "wanted"), [(0.4, "reproduced"), (0.2, "contradicts"), (0.3, "differs")]
)
def test_below_goes_by_the_side_of_the_bound(bound: float, wanted: Verdict) -> None:
    assert verdict("below", SURE, bound=bound) == wanted


@pytest.mark.parametrize(("bound", "wanted"), [(0.35, "reproduced"), (0.37, "differs")])
def test_within_goes_by_the_mean(bound: float, wanted: Verdict) -> None:
    assert verdict("within", SURE, bound=bound, margin=0.06) == wanted


def test_apart_needs_intervals_that_do_not_touch() -> None:
    high = {0: 0.90, 1: 0.91, 2: 0.89}
    gap = {s: high[s] - SURE[s] for s in SURE}
    assert verdict("apart", gap, (high, SURE)) == "reproduced"
    assert verdict("apart", {s: -v for s, v in gap.items()}, (SURE, high)) == "contradicts"
    # Paired differences are surely above 0 here, and yet the two intervals touch.
    near = {s: v + 0.005 for s, v in SURE.items()}
    assert verdict("apart", dict.fromkeys(SURE, 0.005), (near, SURE)) == "differs"


def test_a_question_is_never_judged() -> None:
    assert verdict("question", SURE) == "measured"
    assert verdict("question", NOTHING) == "measured"


def test_the_rule_names_its_numbers() -> None:
    claim = judge(statement("within", bound=0.917, margin=0.06), SURE, None, "fraction")
    assert (
        claim.rule == "reproduced if the mean is no further than 6 points from 91.7 %, else differs"
    )


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=8),
    st.floats(0, 1),
)
def test_a_row_is_reproduced_where_a_further_run_may_land(
    values: list[float], paper: float
) -> None:
    spread = prediction_interval(values)
    assert spread.low is not None
    assert spread.high is not None
    mean = float(np.mean(values))
    inside = spread.low <= paper <= spread.high or abs(paper - mean) <= 0.01
    assert row_verdict(paper, mean, spread) == ("reproduced" if inside else "differs")


def test_a_row_without_a_number_on_either_side_is_measured() -> None:
    nothing = Spread(None, None)
    assert row_verdict(None, 0.5, nothing) == "measured"
    assert row_verdict(0.5, None, nothing) == "measured"
    assert row_verdict(0.5, 0.7, nothing) == "differs"


def test_one_more_run_lands_in_the_prediction_interval_95_times_of_100() -> None:
    rng = np.random.default_rng(0)
    runs = rng.normal(size=(4000, 6))
    spreads = [prediction_interval(list(row[:5])) for row in runs]
    hits = np.mean([s.low <= row[5] <= s.high for s, row in zip(spreads, runs, strict=True)])  # type: ignore[operator]
    # Three standard errors of a share of 0.95 in 4000.
    assert abs(hits - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 4000)
