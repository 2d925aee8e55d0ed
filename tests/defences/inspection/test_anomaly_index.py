"""The index by hand, and its invariances; the schedule of the mask's weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bezoar.contracts.errors import InvalidData
from bezoar.defences.inspection import anomaly_index
from bezoar.defences.inspection.mask_weight import MaskWeight


def test_by_hand() -> None:
    # Median 6, deviations 4 2 0 2 14: MAD 2.
    wanted = np.array([4, 2, 0, 2, 14]) / (1.4826 * 2)
    assert anomaly_index(np.array([2.0, 4, 6, 8, 20])) == pytest.approx(wanted)


def test_equal_norms_stand_out_in_nothing() -> None:
    assert anomaly_index(np.array([3.0, 3, 3, 3])).tolist() == [0, 0, 0, 0]
    assert anomaly_index(np.array([3.0, 3, 3, 1])).tolist() == [0, 0, 0, np.inf]


@given(
    arrays(float, st.integers(3, 12), elements=st.integers(0, 1000).map(float), unique=True),
    st.sampled_from([0.5, 2.0, 64.0]),
)
def test_neither_unit_nor_order_matters(norms: np.ndarray, scale: float) -> None:
    index = anomaly_index(norms)
    # Scales are powers of two: nothing is rounded.
    np.testing.assert_array_equal(anomaly_index(norms * scale), index)
    np.testing.assert_array_equal(anomaly_index(norms[::-1]), index[::-1])


@pytest.mark.parametrize("bad", [[1.0, 2.0], [1.0, np.nan, 2.0], [[1.0, 2.0, 3.0]]])
def test_norms_that_have_no_index(bad: list) -> None:
    with pytest.raises(InvalidData, match="three finite"):
        anomaly_index(np.array(bad))


def rounds(weight: MaskWeight, success: list[float], norm: float = 5.0) -> list[float]:
    moved = []
    for share in success:
        weight.update(np.array([share]), np.array([norm]))
        moved.append(float(weight.weights[0]))
    return moved


def test_the_weight_moves_after_as_many_rounds_as_its_patience() -> None:
    weight = MaskWeight(1, first=1.0, factor=4.0, patience=2, success=0.9)
    assert rounds(weight, [1, 1, 1, 0, 1, 1, 0, 0]) == [1, 4, 4, 4, 4, 16, 16, 2]


def test_a_class_is_finished_once_nothing_better_comes() -> None:
    weight = MaskWeight(2, first=1.0, factor=2.0, patience=1, success=0.9)
    better = weight.update(np.array([1.0, 0.0]), np.array([5.0, 1.0]))
    assert better.tolist() == [True, False]
    for _ in range(4):
        weight.update(np.array([0.0, 0.0]), np.array([4.0, 1.0]))
    assert not weight.finished.any()
    weight.update(np.array([1.0, 0.0]), np.array([5.0, 1.0]))
    assert weight.finished.tolist() == [True, False]
    assert weight.best_norms.tolist() == [5.0, np.inf]
    assert not weight.update(np.array([1.0, 1.0]), np.array([1.0, 1.0]))[0]
