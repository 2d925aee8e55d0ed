"""Limits, values, and what breaks them."""

from __future__ import annotations

import logging
import math
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.guard import GuardError, GuardLog, GuardWarning, Limits, check, find_violations

NAN, INF = math.nan, math.inf

ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    elements=st.one_of(
        st.floats(width=32),
        st.sampled_from([0.0, NAN, INF, -INF, 12.5, -12.5, 13.0]),
    ),
)


def rules(values: Any, limits: Limits) -> list[str]:
    return [violation.rule for violation in find_violations(values, limits)]


@given(ARRAYS)
def test_finite_and_range_are_found_where_they_are(values: np.ndarray[Any, Any]) -> None:
    limits = Limits(max_abs=12.5, low=-3.0)
    rows = values.reshape(math.prod(values.shape[:-1]), values.shape[-1] if values.ndim else 1)
    beyond = np.isfinite(rows) & ((rows < -3.0) | (rows > 12.5))
    expected = {"finite": ~np.isfinite(rows), "range": beyond}
    found = {violation.rule: violation for violation in find_violations(values, limits)}
    assert found.keys() == {rule for rule, mask in expected.items() if mask.any()}
    for rule, violation in found.items():
        bad = np.flatnonzero(expected[rule].any(axis=1))
        assert violation.n_refused == len(bad)
        assert violation.n_samples == len(rows)
        assert violation.samples == tuple(bad[:5])


@given(
    hnp.arrays(
        np.float64, (4, 3), elements=st.floats(allow_nan=False, allow_infinity=False).map(float)
    )
)
def test_norms_neither_overflow_nor_vanish(values: np.ndarray[Any, Any]) -> None:
    limits = Limits(min_norm=1e-250, max_norm=1e250)
    norms = [math.hypot(*row) for row in values.tolist()]
    expected = {i for i, norm in enumerate(norms) if not 1e-250 <= norm <= 1e250}
    found = {i for violation in find_violations(values, limits) for i in violation.samples}
    assert found == expected


@given(ARRAYS)
def test_values_come_back_untouched(values: np.ndarray[Any, Any]) -> None:
    before = values.copy()
    assert check(values, Limits(finite=False)) is values
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        (0.5, Limits.angle(1), []),
        ([0.1] * 4, Limits.angle(4), []),
        ([0.1] * 20, Limits.angle(4), ["length"]),
        (np.full(2, 4 * np.pi, np.float32), Limits.angle(2), []),
        ([12.6], Limits.angle(), ["range"]),
        ([1e16], Limits.angle(max_abs=1e8), ["range"]),
        ([NAN, 99.0], Limits.angle(), ["finite", "range"]),
        (np.array([0.5], np.float16), Limits.angle(max_abs=1e8), []),
        ([0, 0, 0, 0], Limits.amplitude(2), ["norm"]),
        ([1e-200, 0, 0, 0], Limits.amplitude(2), ["norm"]),
        ([1e200, 0, 0, 0], Limits.amplitude(2), ["norm"]),
        ([NAN, 1, 0, 0], Limits.amplitude(2), ["finite"]),
        ([1j, 1, 0, 0], Limits.amplitude(2), []),
        ([complex(NAN, 1), 1, 0, 0], Limits.amplitude(2), ["finite"]),
        ([1, 2, 3], Limits.amplitude(2), ["length"]),
        ([1, 2, 3], Limits.amplitude(2, n_features=3), []),
        ([1j], Limits.angle(), ["dtype"]),
        ([1j], Limits(kinds="c", low=0.0), ["dtype"]),
        ([2j], Limits(kinds="c", max_abs=1.0), ["range"]),
        ([True, False], Limits.angle(), ["dtype"]),
        ([True, False], Limits.basis(2), []),
        (np.array([0, 1], np.uint8), Limits.basis(2), []),
        ([0.5, 2.0, -1.0], Limits.basis(3), ["range", "whole"]),
        ([[1.0], [1.0, 2.0]], Limits(), ["length"]),
        ("1.0", Limits(), ["dtype"]),
        (None, Limits(), ["dtype"]),
        ([None, 1.0], Limits(), ["dtype"]),
        ({"x": 1.0}, Limits(), ["dtype"]),
        (10**400, Limits(), ["dtype"]),
        ([10**400, 1.0], Limits(), ["dtype"]),
        (np.array(["2020-01-01"], "M8[D]"), Limits(), ["dtype"]),
        ([], Limits.angle(), []),
        ([], Limits.amplitude(), ["norm"]),
        (np.empty((0, 4)), Limits.amplitude(2), []),
        (np.empty((3, 0)), Limits.angle(4), ["length"]),
        (np.ones((11, 2)), Limits.angle(2, max_samples=10), ["samples"]),
        (np.ones((5, 2, 2)), Limits.angle(2, max_samples=10), []),
        ([NAN, INF], Limits(finite=False), []),
        ([NAN, 5.0], Limits(finite=False, high=1.0), ["range"]),
        (np.array([-(2**63)]), Limits(max_abs=1.0), ["range"]),
    ],
)
def test_what_breaks_which_limit(values: Any, limits: Limits, expected: list[str]) -> None:
    assert rules(values, limits) == expected


def test_lists_in_themselves_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert rules(endless, Limits()) == ["dtype"]


def test_objects_that_cannot_be_read_are_refused() -> None:
    class Broken:
        def __array__(self, *args: object, **kwargs: object) -> Any:
            raise ValueError

    assert rules(Broken(), Limits()) == ["dtype"]


def test_sparse_states_are_read() -> None:
    from scipy.sparse import csr_matrix

    assert rules(csr_matrix([[0.0, 1.0]]), Limits.amplitude(1)) == []
    assert rules(csr_matrix([[0.0, NAN]]), Limits.amplitude(1)) == ["finite"]


def test_the_message_tells_argument_place_wish_and_mend() -> None:
    x = np.zeros((1000, 3))
    x[[3, 17, 20, 21, 22, 23], 1] = NAN
    x[5, 2] = 99.0
    with pytest.raises(GuardError) as refused:
        check(x, Limits.angle(3), "features")
    assert str(refused.value) == (
        "features: wanted finite numbers and values from -12.5664 to 12.5664, got nan at sample 3, "
        "feature 1 (6 of 1000 samples: 3, 17, 20, 21, 22, ...) and 99 at sample 5, feature 2 "
        "(1 of 1000 samples: 5); leave these samples out, or mend what made them; scale the "
        "features to the range, with bounds learnt from training data"
    )
    assert isinstance(refused.value, InvalidData)
    assert isinstance(refused.value, ValueError)


def test_text_of_strings_stays_out_of_messages() -> None:
    with pytest.raises(GuardError) as refused:
        check(["private\nline"], Limits())
    assert "private" not in str(refused.value)


def test_errors_can_be_sent_between_processes() -> None:
    with pytest.raises(GuardError) as refused:
        check([NAN], Limits())
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - ours
    assert str(again) == str(refused.value)
    assert again.violations == refused.value.violations


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limits(low=1.0, high=0.0),
        lambda: Limits(low=NAN),
        lambda: Limits(max_abs=-1.0),
        lambda: Limits(max_abs=NAN),
        lambda: Limits(min_norm=2.0, max_norm=1.0),
        lambda: Limits(length=0),
        lambda: Limits(kinds="x"),
        lambda: Limits(kinds=""),
        lambda: Limits(max_samples=0),
        lambda: Limits.angle(4, max_abs=1e9),
        lambda: Limits.amplitude(2, n_features=5),
        lambda: GuardLog(keep=0),
        lambda: check([1.0], 4),  # pyright: ignore[reportArgumentType]
    ],
)
def test_limits_that_nothing_can_keep_to(make: Any) -> None:
    with pytest.raises(InvalidArgument):
        make()


def test_log_and_warn_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bad = [[NAN], [0.0], [NAN]]
    with caplog.at_level(logging.WARNING, "bezoar.guard"):
        assert check(bad, Limits(), action="log") is bad
    (record,) = caplog.records
    assert record.name == "bezoar.guard"
    assert "2 of 3 samples: 0, 2" in record.getMessage()
    with pytest.warns(GuardWarning, match="got nan at sample 0"):
        assert check(bad, Limits(), action="warn") is bad
    with pytest.raises(UnknownName, match="did you mean 'raise'"):
        check(bad, Limits(), action="raises")  # pyright: ignore[reportArgumentType]


def test_guard_logs_collect_nest_and_stay_small(caplog: pytest.LogCaptureFixture) -> None:
    with GuardLog(keep=2) as outer:
        for _ in range(3):
            check([NAN], Limits(), "outer", action="log")
        with GuardLog() as inner, pytest.raises(GuardError):
            check([INF], Limits(), "inner")
    check([NAN], Limits(), "after", action="log")
    assert [refusal.subject for refusal in outer] == ["outer", "inner"]
    assert (outer.n_refused, len(outer)) == (4, 2)
    assert [refusal.subject for refusal in inner] == ["inner"]


def test_importing_takes_numpy_alone() -> None:
    code = (
        "import sys, bezoar.guard; "
        "print({'torch', 'pennylane', 'qiskit', 'jax', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
