import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data import AngleScaler

NUMBERS = st.floats(-1e150, 1e150)
MATRICES = hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=NUMBERS)


@given(train=MATRICES, shift=NUMBERS, low=st.floats(-10, 10), width=st.floats(1e-3, 10))
def test_angles_stay_in_range_and_train_reaches_both_ends(train, shift, low, width):
    scaler = AngleScaler(low, low + width).fit(train)
    angles = scaler.transform(train)
    assert angles.shape == train.shape
    assert ((angles >= scaler.low) & (angles <= scaler.high)).all()
    varied = train.min(axis=0) < train.max(axis=0)
    # The ends are reached up to one rounding of low + (high - low).
    assert np.allclose(angles.min(axis=0)[varied], scaler.low, atol=1e-12)
    assert np.allclose(angles.max(axis=0)[varied], scaler.high, atol=1e-12)
    unseen = scaler.transform(np.clip(train + shift, -1e150, 1e150))
    assert ((unseen >= scaler.low) & (unseen <= scaler.high)).all()


@given(train=MATRICES)
def test_order_is_kept(train):
    angles = AngleScaler().fit(train).transform(train)
    order = np.argsort(train[:, 0], kind="stable")
    assert (np.diff(angles[order, 0]) >= 0).all()


def test_formula_clipping_and_constant_features():
    scaler = AngleScaler().fit(np.array([[0.0, 5.0], [4.0, 5.0]]))
    angles = scaler.transform(np.array([[1.0, 5.0], [-9.0, 4.0], [9.0, 6.0]]))
    expected = [[math.pi / 4, math.pi / 2], [0, math.pi / 2], [math.pi, math.pi / 2]]
    assert np.allclose(angles, expected, atol=1e-15)


def test_images_are_flattened():
    images = np.arange(8.0).reshape(2, 1, 2, 2)
    assert AngleScaler().fit(images).transform(images).shape == (2, 4)


def test_a_fit_is_frozen():
    train = np.array([[0.0], [1.0]])
    scaler = AngleScaler().fit(train)
    train[:] = 99
    assert scaler.transform(np.array([[1.0]]))[0, 0] == pytest.approx(math.pi, abs=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        scaler.minimum[0] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        scaler.low = 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_no_sample_may_be_transformed_but_not_fitted():
    scaler = AngleScaler().fit(np.eye(2))
    assert scaler.transform(np.zeros((0, 2))).shape == (0, 2)
    with pytest.raises(InvalidData, match="at least one sample"):
        AngleScaler().fit(np.zeros((0, 2)))


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (2, 1), (0, math.inf), (math.nan, 1), (-math.inf, 0)]
)
def test_bad_ranges_are_refused(low, high):
    with pytest.raises(InvalidArgument, match="low < high"):
        AngleScaler(low, high)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.array([[1.0, np.nan]]), "1 missing value in feature 1"),
        (np.array([[np.inf, 1.0]]), "1 infinite value in feature 0"),
        (np.zeros((2, 3)), "2 per sample, as in the fit, got 3"),
        (np.zeros(2), "shape"),
        (np.array([["a", "b"]]), "numbers"),
        (np.array([[1e300, 0.0]]), "magnitudes up to 1e\\+150"),
    ],
)
def test_bad_features_are_refused(features, words):
    with pytest.raises(InvalidData, match=words):
        AngleScaler().fit(np.eye(2)).transform(features)
