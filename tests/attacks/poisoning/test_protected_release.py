"""Protected release: the key restores exactly, and refuses what it was not made for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from poisoning_cases import angle, samples, shuffled

from bezoar.attacks.poisoning.protected_release import ProtectedRelease, ReleaseKey
from bezoar.attacks.poisoning.quid import QUID
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.truth import Poisoned

LABELS = st.lists(st.integers(0, 2), min_size=2, max_size=30).filter(lambda x: len(set(x)) > 1)


def release(data: Dataset, ratio: float = 0.5, seed: int = 0) -> tuple[Poisoned, ReleaseKey]:
    protect = ProtectedRelease(ratio=ratio, encoder=angle())
    return protect.release(data, rng=np.random.default_rng(seed))


@settings(max_examples=40)
@given(LABELS, st.floats(0, 0.7), st.integers(0, 2**32))
def test_the_key_restores_exactly_in_any_order_through_json(
    labels: list[int], ratio: float, seed: int
) -> None:
    data = samples(labels)
    poisoned, key = release(data, ratio if len(labels) > 3 else 0.0, seed)
    again = ReleaseKey.from_json(key.to_json())
    assert again == key
    restored = again.restore(shuffled(poisoned.data)).take(data.ids)
    assert np.array_equal(restored.labels, data.labels)
    assert np.array_equal(restored.features, data.features)
    assert restored.class_names == data.class_names


def test_the_poison_is_quids() -> None:
    data = samples([0, 1, 2] * 10)
    poisoned, _ = release(data)
    quid = QUID(ratio=0.5, encoder=angle()).poison(data, rng=np.random.default_rng(0))
    assert np.array_equal(poisoned.data.labels, quid.data.labels)
    assert poisoned.truth.attack == "protected-release"
    assert "source_classes" not in poisoned.truth.settings


def test_restores_a_release_whose_classes_were_renumbered() -> None:
    data = samples([0, 1, 2] * 10)
    poisoned, key = release(data)
    turned = Dataset(
        features=poisoned.data.features,
        labels=2 - poisoned.data.labels,
        ids=poisoned.data.ids,
        class_names=data.class_names[::-1],
    )
    assert np.array_equal(key.restore(turned).labels, 2 - data.labels)


def test_refuses_what_is_not_its_release() -> None:
    data = samples([0, 1, 2] * 10)
    poisoned, key = release(data)
    with pytest.raises(InvalidData, match="labels that they were released with"):
        key.restore(key.restore(poisoned.data))
    with pytest.raises(InvalidData, match="ids of this data set"):
        key.restore(poisoned.data.take(np.setdiff1d(data.ids, key.ids[:1])))
    renamed = Dataset(
        features=poisoned.data.features,
        labels=poisoned.data.labels,
        ids=poisoned.data.ids,
        class_names=("ant", "wasp", "cow"),
    )
    with pytest.raises(InvalidData, match="the class 'bee' that the key names"):
        key.restore(renamed)


def test_refuses_classes_of_one_name() -> None:
    data = samples([0, 1] * 4)
    twins = Dataset(
        features=data.features, labels=data.labels, ids=data.ids, class_names=("ant", "ant")
    )
    with pytest.raises(InvalidData, match="class_names: wanted no name twice"):
        release(twins)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"format_version": 2},
        {"ids": [1.5]},
        {"ids": [True]},
        {"ids": None},
        {"ids": [1, 2]},
        {"original": [3]},
        {"released": "x"},  # one letter is no list of one name
    ],
)
def test_refuses_a_damaged_key(change: dict[str, Any]) -> None:
    good = json.loads(ReleaseKey(ids=(1,), original=("ant",), released=("bee",)).to_json())
    with pytest.raises(FileProblem, match=r"my\.key: is not a release key"):
        ReleaseKey.from_json(json.dumps({**good, **change}), path="my.key")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000, '{"format": 1}'])
def test_refuses_text_that_is_no_key(text: str) -> None:
    with pytest.raises(FileProblem, match="is not a release key"):
        ReleaseKey.from_json(text)


def test_refuses_an_id_twice_and_lengths_that_differ() -> None:
    with pytest.raises(InvalidArgument, match="no id twice"):
        ReleaseKey(ids=(1, 1), original=("a", "b"), released=("b", "a"))
    with pytest.raises(InvalidArgument, match="as many of each"):
        ReleaseKey(ids=(1,), original=(), released=())
