"""Bi-level poisoning: random features in the observed range, labels by QUID or at random."""

from __future__ import annotations

import numpy as np
import pytest
from poisoning_cases import angle, make, samples

from bezoar.attacks.poisoning.bilevel import BiLevel, BiLevelRandom, random_features
from bezoar.attacks.poisoning.quid import farthest_classes
from bezoar.contracts.dataset import Dataset


@pytest.mark.parametrize("attack_class", [BiLevel, BiLevelRandom])
def test_new_features_lie_in_the_range_of_each_feature(
    attack_class: type[BiLevel | BiLevelRandom],
) -> None:
    data = samples([0, 1, 2] * 30)
    data = data.with_features(data.features * [1, 0, 100] - [0, -7.1, 50])
    poisoned = make(attack_class, 0.5).poison(data, rng=np.random.default_rng(0))
    new = poisoned.data.take(poisoned.truth.poisoned_ids).features
    assert (new >= data.features.min(axis=0)).all()
    assert (new <= data.features.max(axis=0)).all()
    assert (new[:, 1] == 7.1).all()
    old = data.take(poisoned.truth.poisoned_ids).features
    assert (new[:, [0, 2]] != old[:, [0, 2]]).all()


def test_random_features_are_uniform() -> None:
    observed = np.array([[-1.0, 5.0], [3.0, 5.0], [0.0, 5.0]])
    drawn = random_features(observed, 4000, rng=np.random.default_rng(0))
    counts, _ = np.histogram(drawn[:, 0], bins=4, range=(-1, 3))
    # 1000 expected in each: 4 standard deviations of sqrt(4000 * 3 / 16) = 27.
    assert np.abs(counts - 1000).max() < 110


def test_random_features_stay_finite_over_the_widest_range() -> None:
    observed = np.array([[-1.7e308], [1.7e308]])
    assert np.isfinite(random_features(observed, 100, rng=np.random.default_rng(0))).all()


def test_labels_are_farthest_from_the_new_features_and_not_from_the_old() -> None:
    data = samples([0, 1, 2] * 20)
    poisoned = BiLevel(ratio=0.5, encoder=angle()).poison(data, rng=np.random.default_rng(0))
    chosen = data.positions(poisoned.truth.poisoned_ids)

    def farthest(features: np.ndarray) -> np.ndarray:
        return farthest_classes(
            data,
            chosen,
            features,
            encoder=angle(),
            metric="frobenius",
            max_references=None,
            rng=np.random.default_rng(0),
        )

    labels = poisoned.data.labels[chosen]
    assert np.array_equal(labels, farthest(poisoned.data.features[chosen]))
    assert not np.array_equal(labels, farthest(data.features[chosen]))


def test_random_labels_are_always_other_ones() -> None:
    data = samples([0, 1, 2] * 30)
    poisoned = BiLevelRandom(ratio=0.5).poison(data, rng=np.random.default_rng(0))
    where = data.positions(poisoned.truth.poisoned_ids)
    assert (poisoned.data.labels[where] != data.labels[where]).all()


def test_takes_images() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(
        features=rng.random((8, 1, 3, 3)),
        labels=np.arange(8) % 2,
        ids=np.arange(8),
        class_names=("a", "b"),
    )
    poisoned = BiLevelRandom(ratio=0.5).poison(data, rng=np.random.default_rng(0))
    changed = (poisoned.data.features != data.features).any(axis=(1, 2, 3))
    assert changed.sum() == 4
