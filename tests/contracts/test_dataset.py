"""Data sets: what they hold, refuse and never change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidData

GOOD: dict[str, Any] = {
    "features": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
    "labels": [0, 1, 1],
    "ids": [30, 10, 20],
    "class_names": ("cat", "dog"),
}


def dataset(**changes: Any) -> Dataset:
    return Dataset(**{**GOOD, **changes})


def test_counts_and_sizes() -> None:
    data = dataset(class_names=("cat", "dog", "owl"))
    assert (len(data), data.n_classes, data.n_features) == (3, 3, 2)
    assert data.counts().tolist() == [1, 2, 0]
    images = dataset(features=np.zeros((3, 2, 4, 5)))
    assert images.n_features == 40


def test_arrays_are_copies_that_cannot_be_written() -> None:
    features = np.array(GOOD["features"])
    data = dataset(features=features)
    features[0, 0] = 9
    assert data.features[0, 0] == 0
    for array in (data.features, data.labels, data.ids):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        (np.ones((3, 1, 2, 2), np.float32), np.float32),
        (np.ones((3, 1, 2, 2), ">f4"), np.float32),
        (np.ones((3, 1, 2, 2)), np.float64),
        (np.ones((3, 1, 2, 2), np.float16), np.float64),
        (np.ones((3, 1, 2, 2), np.uint8), np.float64),
        (np.ones((3, 2), np.float32), np.float64),
        ([[0.0], [1.0], [2.0]], np.float64),
    ],
)
def test_images_of_float32_alone_stay_so(features: Any, wanted: type) -> None:
    data = dataset(features=features)
    assert data.features.dtype == wanted
    assert data.features.dtype.isnative
    assert data.take([20, 10]).features.dtype == wanted
    assert data.with_labels(np.array([1, 1, 0])).features.dtype == wanted


def test_float32_images_are_copied_frozen_and_checked() -> None:
    images = np.ones((3, 1, 2, 2), np.float32)
    data = dataset(features=images)
    images[0] = 9
    assert data.features.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        data.features[0] = 1
    images[1, 0, 0, 0] = np.nan
    with pytest.raises(InvalidData, match=r"NaN or infinity in 1 of 3 .* id 10"):
        dataset(features=images)


def test_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        dataset().labels = np.zeros(3)  # type: ignore[misc]


def test_with_labels_and_with_features_make_new_ones() -> None:
    data = dataset()
    relabelled = data.with_labels(np.array([1, 1, 0]))
    moved = data.with_features(np.ones((3, 2)))
    assert data.labels.tolist() == [0, 1, 1]
    assert relabelled.labels.tolist() == [1, 1, 0]
    assert (moved.features == 1).all()
    assert moved.ids.tolist() == relabelled.ids.tolist() == [30, 10, 20]


@given(st.permutations(range(12)), st.integers(0, 12))
def test_take_finds_samples_by_id_in_the_order_asked(ids: list[int], n: int) -> None:
    labels = [i % 2 for i in ids]
    data = dataset(features=[[float(i)] for i in ids], labels=labels, ids=ids)
    wanted = list(range(n))[::-1]
    part = data.take(wanted)
    assert part.ids.tolist() == wanted
    assert part.features.ravel().tolist() == wanted
    assert part.labels.tolist() == [i % 2 for i in wanted]


@pytest.mark.parametrize("ids", [[11], [-5], [10, 31], [9999]])
def test_take_refuses_an_id_that_is_not_there(ids: list[int]) -> None:
    with pytest.raises(InvalidData, match="an id that is not in it"):
        dataset().take(ids)


def test_may_be_empty_but_has_no_ids_then() -> None:
    empty = dataset(features=np.zeros((0, 2)), labels=[], ids=[])
    assert len(empty) == 0
    assert empty.take([]).counts().tolist() == [0, 0]
    with pytest.raises(InvalidData, match="an id that is not in it"):
        empty.take([0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": [1.0, 2.0, 3.0]}, r"features: wanted shape \(sample, feature\)"),
        ({"features": np.zeros((3, 2, 2))}, r"features: wanted shape .* got \(3, 2, 2\)"),
        ({"features": [[0.0], ["a"], [1.0]]}, "features: wanted numbers"),
        ({"features": [[1j], [0], [0]]}, "features: wanted numbers"),
        ({"features": [[0.0], [1.0, 2.0], [3.0]]}, "features: wanted numbers"),
        ({"features": [[0.0], [np.nan], [1.0]]}, "NaN or infinity in 1 of 3 .* id 10"),
        ({"features": [[0.0], [1.0], [-np.inf]]}, "NaN or infinity in 1 of 3 .* id 20"),
        ({"labels": [0, 1]}, r"labels and ids: wanted shape \(3,\)"),
        ({"labels": [0, 1, 2]}, "labels: wanted codes from 0 to 1, .* got 0 to 2"),
        ({"labels": [0, -1, 1]}, "labels: wanted codes from 0 to 1"),
        ({"labels": ["cat", "dog", "dog"]}, "labels: wanted numbers"),
        ({"ids": [1, 2, 1]}, "ids: wanted no id twice"),
        ({"ids": [[1], [2], [3]]}, "labels and ids: wanted shape"),
        ({"class_names": ()}, "labels: wanted codes"),
    ],
)
def test_refuses_what_cannot_be_learnt_from(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidData, match=message) as caught:
        dataset(**change)
    assert "\n" not in str(caught.value)
