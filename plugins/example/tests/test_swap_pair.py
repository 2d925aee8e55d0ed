"""The attack keeps Bezoar's contract, and swaps what it says."""

from __future__ import annotations

import numpy as np
import pytest
from bezoar.contracts import plugins
from bezoar.contracts.checks import check_attack
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from hypothesis import given
from hypothesis import strategies as st

from bezoar_example_attack.swap_pair import SwapPair


def samples(labels: list[int]) -> Dataset:
    return Dataset(
        features=np.arange(2.0 * len(labels)).reshape(-1, 2),
        labels=np.array(labels, dtype=int),
        # Neither sorted nor positions, so that a mix-up of the two shows.
        ids=100 + np.arange(len(labels))[::-1],
        class_names=("ant", "bee", "cow"),
    )


def test_is_found_by_its_name() -> None:
    assert plugins.load("attacks", "swap-pair") is SwapPair


def test_keeps_the_contract_of_attacks() -> None:
    check_attack(SwapPair, samples([0, 1, 2] * 10), ratio=0.3, first=0, second=2)


@given(
    st.lists(st.integers(0, 2), max_size=30),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**32),
)
def test_swaps_only_the_two_classes(labels: list[int], ratio: float, seed: int) -> None:
    data = samples(labels)
    poisoned = SwapPair(ratio=ratio, first=0, second=2).poison(
        data, rng=np.random.default_rng(seed)
    )
    changed = poisoned.data.labels != data.labels
    assert changed.sum() == min(round(ratio * len(labels)), sum(code != 1 for code in labels))
    assert (poisoned.data.labels[changed] == 2 - data.labels[changed]).all()
    assert set(data.labels[changed].tolist()) <= {0, 2}
    assert sorted(data.ids[changed].tolist()) == poisoned.truth.poisoned_ids.tolist()


def test_takes_all_when_the_two_classes_hold_fewer_than_the_ratio() -> None:
    poisoned = SwapPair(ratio=0.9).poison(samples([0, 1, 2, 2, 2, 2]), rng=np.random.default_rng(0))
    assert poisoned.data.labels.tolist() == [1, 0, 2, 2, 2, 2]


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_refuses_a_ratio_outside_its_range(ratio: float) -> None:
    with pytest.raises(InvalidArgument, match="ratio"):
        SwapPair(ratio=ratio)


def test_refuses_one_class_twice() -> None:
    with pytest.raises(InvalidArgument, match="second"):
        SwapPair(first=1, second=1)


def test_refuses_a_class_that_the_data_lacks() -> None:
    with pytest.raises(InvalidArgument, match="second: wanted a class code from 0 to 2, got 7"):
        SwapPair(second=7).poison(samples([0, 1, 2]), rng=np.random.default_rng(0))
