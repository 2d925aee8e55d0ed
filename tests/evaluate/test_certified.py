"""The certified-accuracy curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.errors import InvalidData
from bezoar.defences.training.votes import vote
from bezoar.evaluate.metrics.certified import certified_accuracy

VOTES = vote([[0, 1, 1], [0, 1, 2], [0, 1, 0], [0, 0, 1]], n_classes=3)


@given(
    hnp.arrays(np.int64, (7, 10), elements=st.integers(0, 2)),
    hnp.arrays(np.int64, 10, elements=st.integers(0, 2)),
)
def test_it_starts_at_the_accuracy_and_never_rises(predictions: Any, true: Any) -> None:
    votes = vote(predictions, 3)
    curve = certified_accuracy(votes, true, range(6))
    assert curve[0] == (votes.labels == true).mean()
    assert (np.diff(curve) <= 0).all()
    # Of seven voters half and one more decide.
    assert (curve[4:] == 0).all()
    for radius, value in enumerate(curve):
        assert value == ((votes.labels == true) & (votes.radius >= radius)).mean()


def test_a_wrong_label_is_certified_for_nothing() -> None:
    assert VOTES.radius.tolist() == [2, 0, 0]
    assert certified_accuracy(VOTES, [1, 1, 1], [0, 1]).tolist() == [2 / 3, 0]
    assert certified_accuracy(VOTES, [0, 0, 0], [2, 1, 0]).tolist() == [1 / 3] * 3
    assert certified_accuracy(VOTES, [0, 0, 0], []).tolist() == []


@pytest.mark.parametrize("true", [[0, 1], [[0, 1, 1]], 0])
def test_codes_that_do_not_fit_are_refused(true: Any) -> None:
    with pytest.raises(InvalidData, match=r"^true"):
        certified_accuracy(VOTES, true, [0])


@pytest.mark.parametrize("radii", [[-1], 0, [[0]], [float("nan")]])
def test_radii_that_make_no_sense_are_refused(radii: Any) -> None:
    with pytest.raises(InvalidData, match=r"^radii"):
        certified_accuracy(VOTES, [0, 1, 1], radii)


def test_no_samples_are_no_curve() -> None:
    with pytest.raises(InvalidData, match=r"^true"):
        certified_accuracy(vote(np.empty((3, 0), dtype=np.int64), 2), [], [0])
