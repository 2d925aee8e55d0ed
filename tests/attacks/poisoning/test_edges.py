"""What holds for every attack of the room: ratios, budgets, bad data, independence of order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from poisoning_cases import ATTACKS, CLASSES, NEEDS_REFERENCE, make, samples, shuffled

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.truth import Poisoned

LABELS = st.lists(st.integers(0, 2), min_size=3, max_size=30).filter(lambda x: len(set(x)) > 1)


def poison(attack_class: Any, ratio: float, data: Dataset, seed: int = 0) -> Poisoned:
    return make(attack_class, ratio).poison(data, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("attack_class", ATTACKS)
@settings(max_examples=25)
@given(labels=LABELS, ratio=st.floats(0, 0.8), seed=st.integers(0, 2**32))
def test_only_the_listed_samples_change(
    attack_class: Any, labels: list[int], ratio: float, seed: int
) -> None:
    data = samples(labels)
    if round(ratio * len(data)) == len(data):
        ratio = 0.5
    poisoned = poison(attack_class, ratio, data, seed)
    truth = poisoned.truth
    where = data.positions(truth.poisoned_ids)
    assert len(where) == round(ratio * len(data))
    assert np.array_equal(truth.original_labels, data.labels[where])
    assert poisoned.data.ids.tolist() == data.ids.tolist()
    assert poisoned.data.class_names == CLASSES
    assert set(poisoned.data.labels.tolist()) <= set(labels)
    untouched = np.setdiff1d(np.arange(len(data)), where)
    assert np.array_equal(poisoned.data.labels[untouched], data.labels[untouched])
    assert np.array_equal(poisoned.data.features[untouched], data.features[untouched])


@pytest.mark.parametrize("attack_class", ATTACKS)
def test_the_order_of_the_rows_does_not_matter(attack_class: Any) -> None:
    data = samples([0, 1, 2] * 8)
    straight = poison(attack_class, 0.4, data, seed=3)
    mixed = poison(attack_class, 0.4, shuffled(data), seed=3)
    assert mixed.truth.poisoned_ids.tolist() == straight.truth.poisoned_ids.tolist()
    again = mixed.data.take(data.ids)
    assert np.array_equal(again.labels, straight.data.labels)
    assert np.array_equal(again.features, straight.data.features)


@pytest.mark.parametrize("attack_class", ATTACKS)
def test_a_ratio_that_rounds_to_no_sample_is_the_identity(attack_class: Any) -> None:
    for ratio, labels in ((0, [0, 1, 2]), (0.1, [0, 1, 2]), (0, [1, 1]), (0.5, []), (0.4, [1])):
        data = samples(labels)
        poisoned = poison(attack_class, ratio, data)
        assert np.array_equal(poisoned.data.labels, data.labels)
        assert np.array_equal(poisoned.data.features, data.features)
        assert len(poisoned.truth.poisoned_ids) == len(poisoned.truth.original_labels) == 0
        assert poisoned.truth.settings["ratio"] == ratio


@pytest.mark.parametrize("attack_class", ATTACKS)
@pytest.mark.parametrize("ratio", [-0.1, 1, 1.0, 30, float("nan"), float("inf"), "0.3", None])
def test_refuses_a_ratio_outside_its_range(attack_class: Any, ratio: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"ratio: wanted a share .* in \[0, 1\), got"):
        make(attack_class, ratio)


@pytest.mark.parametrize("attack_class", NEEDS_REFERENCE)
def test_says_why_a_clean_sample_must_be_left(attack_class: Any) -> None:
    with pytest.raises(InvalidArgument, match="stay clean are needed to measure distances to"):
        make(attack_class, 1.0)
    # 0.9 of 4 is less than 4, but rounds to it.
    with pytest.raises(InvalidData, match=r"stay clean .* all 4 samples .* lower the ratio"):
        poison(attack_class, 0.9, samples([0, 1, 2, 1]))


@pytest.mark.parametrize("attack_class", ATTACKS)
def test_refuses_one_class(attack_class: Any) -> None:
    with pytest.raises(InvalidData, match="two classes or more"):
        poison(attack_class, 0.5, samples([2, 2, 2, 2]))


@pytest.mark.parametrize("attack_class", NEEDS_REFERENCE)
def test_refuses_data_with_fewer_features_than_the_encoding(attack_class: Any) -> None:
    data = samples([0, 1] * 4)
    with pytest.raises(InvalidArgument, match="features: wanted shape"):
        poison(attack_class, 0.5, data.with_features(data.features[:, :2]))


@pytest.mark.parametrize("attack_class", NEEDS_REFERENCE)
def test_takes_features_far_outside_the_range_of_the_encoding(attack_class: Any) -> None:
    data = samples([0, 1] * 4)
    far = poison(attack_class, 0.5, data.with_features(1e9 * data.features))
    assert len(far.truth.poisoned_ids) == 4


@pytest.mark.parametrize("attack_class", NEEDS_REFERENCE)
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"metric": "frobenus"}, "metric: .*did you mean 'frobenius'"),
        ({"max_references": 0}, "max_references: wanted 1 or more"),
        ({"max_references": float("nan")}, "max_references: wanted 1 or more"),
        ({"encoder": None}, "encoder: wanted a StateEncoder"),
    ],
)
def test_refuses_bad_settings(attack_class: Any, setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        attack_class(**{"ratio": 0.3, "encoder": make(attack_class, 0.3).encoder, **setting})
