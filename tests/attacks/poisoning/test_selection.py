"""Which samples are poisoned: how many, which, and independent of what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from poisoning_cases import samples, shuffled

from bezoar.attacks.poisoning.selection import choose_poisoned
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidData, UnknownName

LABELS = st.lists(st.integers(0, 2), min_size=2, max_size=40).filter(lambda x: len(set(x)) > 1)
RATIOS = st.floats(0, 1, exclude_max=True)
SEEDS = st.integers(0, 2**32)


def chosen_ids(data: Dataset, ratio: float, seed: int, **settings: tuple[str, ...]) -> list[int]:
    rng = np.random.default_rng(seed)
    return data.ids[choose_poisoned(data, ratio, rng=rng, **settings)].tolist()


@given(LABELS, RATIOS, SEEDS)
def test_takes_the_rounded_share_once_each_by_ascending_id(
    labels: list[int], ratio: float, seed: int
) -> None:
    ids = chosen_ids(samples(labels), ratio, seed)
    assert len(ids) == round(ratio * len(labels))
    assert ids == sorted(set(ids))


@given(LABELS, RATIOS, SEEDS)
def test_does_not_depend_on_the_order_of_the_rows(
    labels: list[int], ratio: float, seed: int
) -> None:
    data = samples(labels)
    assert chosen_ids(data, ratio, seed) == chosen_ids(shuffled(data), ratio, seed)


@given(LABELS, RATIOS, RATIOS, SEEDS)
def test_a_higher_ratio_poisons_the_same_samples_and_more(
    labels: list[int], one: float, other: float, seed: int
) -> None:
    data = samples(labels)
    few, many = (chosen_ids(data, ratio, seed) for ratio in sorted((one, other)))
    assert set(few) <= set(many)


def test_every_sample_is_as_likely_as_every_other() -> None:
    data = samples([0, 1] * 5)
    counts = np.zeros(len(data))
    n_draws = 2000
    for seed in range(n_draws):
        counts[choose_poisoned(data, 0.3, rng=np.random.default_rng(seed))] += 1
    # Each count is binomial with standard deviation sqrt(2000 * 0.3 * 0.7) = 20.5: 4 of them.
    assert np.abs(counts - 0.3 * n_draws).max() < 82


def test_takes_only_source_classes_and_all_when_they_hold_fewer() -> None:
    data = samples([0] * 10 + [1] * 6 + [2] * 4)
    few = choose_poisoned(data, 0.25, rng=np.random.default_rng(0), source_classes=("bee",))
    assert data.labels[few].tolist() == [1] * 5
    two = choose_poisoned(data, 0.9, rng=np.random.default_rng(0), source_classes=("bee", "cow"))
    assert sorted(data.labels[two].tolist()) == [1] * 6 + [2] * 4


def test_leaves_the_stream_alone_when_nothing_is_poisoned() -> None:
    rng = np.random.default_rng(0)
    assert len(choose_poisoned(samples([0, 1, 2]), 0.1, rng=rng)) == 0
    assert rng.random() == np.random.default_rng(0).random()


def test_names_an_unknown_source_class_even_at_ratio_0() -> None:
    with pytest.raises(UnknownName, match=r"source_classes: .*did you mean 'bee'"):
        choose_poisoned(samples([0, 1]), 0, rng=np.random.default_rng(0), source_classes=("beee",))


def test_refuses_a_source_class_without_samples() -> None:
    with pytest.raises(InvalidData, match="samples of cow, got none"):
        choose_poisoned(samples([0, 1]), 0.5, rng=np.random.default_rng(0), source_classes=("cow",))


def test_refuses_one_class() -> None:
    with pytest.raises(InvalidData, match="two classes or more"):
        choose_poisoned(samples([1, 1, 1]), 0.5, rng=np.random.default_rng(0))
