"""Random labels: another one each time, evenly, or any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from poisoning_cases import samples

from bezoar.attacks.poisoning.random_flip import RandomFlip, UniformRelabel
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument


def test_every_poisoned_label_is_another_one_and_all_others_are_as_likely() -> None:
    data = samples([0] * 2000 + [1] * 2000 + [2] * 2000)
    poisoned = RandomFlip(ratio=0.5).poison(data, rng=np.random.default_rng(0))
    where = data.positions(poisoned.truth.poisoned_ids)
    old, new = data.labels[where], poisoned.data.labels[where]
    assert (old != new).all()
    # 3000 flips, 500 expected in each of the six cells: 4 standard deviations of 22.
    cells = np.bincount(3 * old + new, minlength=9)
    assert np.abs(cells[[1, 2, 3, 5, 6, 7]] - 500).max() < 88


def test_uniform_relabelling_keeps_a_third_of_three_classes() -> None:
    data = samples([0] * 2000 + [1] * 2000 + [2] * 2000)
    poisoned = UniformRelabel(ratio=0.5).poison(data, rng=np.random.default_rng(0))
    where = data.positions(poisoned.truth.poisoned_ids)
    assert len(where) == 3000
    kept = int((data.labels[where] == poisoned.data.labels[where]).sum())
    # 1000 expected: 4 standard deviations of sqrt(3000 * 2 / 9) = 26.
    assert abs(kept - 1000) < 104


def test_a_class_without_samples_is_given_to_none() -> None:
    data = samples([0, 2] * 50)
    for attack in (RandomFlip(ratio=0.5), UniformRelabel(ratio=0.5)):
        poisoned = attack.poison(data, rng=np.random.default_rng(0))
        assert set(poisoned.data.labels.tolist()) == {0, 2}


def test_touches_source_classes_alone() -> None:
    data = samples([0, 1, 2] * 20)
    attack = RandomFlip(ratio=0.2, source_classes=("bee",))
    poisoned = attack.poison(data, rng=np.random.default_rng(0))
    assert (poisoned.truth.original_labels == 1).all()
    assert len(poisoned.truth.poisoned_ids) == 12
    assert poisoned.truth.settings == {"ratio": 0.2, "source_classes": ["bee"]}


def test_may_poison_all_samples_where_that_is_what_the_ratio_rounds_to() -> None:
    data = samples([0, 1, 0, 1])
    poisoned = RandomFlip(ratio=0.9).poison(data, rng=np.random.default_rng(0))
    assert poisoned.data.labels.tolist() == [1, 0, 1, 0]


def test_takes_images() -> None:
    data = Dataset(
        features=np.zeros((4, 1, 2, 2)),
        labels=np.arange(4) % 2,
        ids=np.arange(4),
        class_names=("a", "b"),
    )
    poisoned = RandomFlip(ratio=0.5).poison(data, rng=np.random.default_rng(0))
    assert (poisoned.data.labels != data.labels).sum() == 2


@pytest.mark.parametrize("names", ["bee", ["bee"], (1,)])
def test_refuses_source_classes_that_are_no_tuple_of_names(names: Any) -> None:
    with pytest.raises(InvalidArgument, match="source_classes: wanted a tuple of class names"):
        RandomFlip(ratio=0.5, source_classes=names)
