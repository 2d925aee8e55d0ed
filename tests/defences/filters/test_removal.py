"""Removal takes the highest scores, by id."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.suspicion import Suspicion
from bezoar.defences.filters import remove_most_suspicious


def samples(n: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    return Dataset(
        features=rng.random((n, 2)),
        labels=rng.integers(0, 3, n),
        ids=rng.permutation(10 * n)[:n],
        class_names=("ant", "bee", "cow"),
    )


def scored(ids: object, scores: object) -> Suspicion:
    return Suspicion(detector="test", ids=np.asarray(ids), scores=np.asarray(scores, dtype=float))


@given(st.integers(2, 60), st.floats(0, 0.9), st.integers(0, 99))
def test_keeps_the_lowest_scores_in_order(n: int, share: float, seed: int) -> None:
    data = samples(n, seed)
    scores = np.random.default_rng(seed).random(n)
    order = np.random.default_rng(seed + 1).permutation(n)
    suspicion = scored(data.ids[order], scores[order])
    if round(share * n) == n:
        return
    left = remove_most_suspicious(data, suspicion, share)
    kept = np.isin(data.ids, left.ids)
    assert len(left) == n - round(share * n)
    assert scores[kept].max() <= scores[~kept].min(initial=math.inf)
    assert left.ids.tolist() == data.ids[kept].tolist()


def test_takes_the_share_of_each_class() -> None:
    data = samples(60)
    left = remove_most_suspicious(data, scored(data.ids, data.labels * 10.0), 0.5, per_class=True)
    assert left.counts().tolist() == [count - round(count / 2) for count in data.counts()]


def test_share_zero_changes_nothing() -> None:
    data = samples(9)
    left = remove_most_suspicious(data, scored(data.ids, np.ones(9)), 0)
    np.testing.assert_array_equal(left.features, data.features)


def test_ties_go_by_id_not_by_place() -> None:
    data = samples(20)
    back = data.take(data.ids[::-1])
    one = remove_most_suspicious(data, scored(data.ids, np.ones(20)), 0.3)
    two = remove_most_suspicious(back, scored(data.ids, np.ones(20)), 0.3)
    assert set(one.ids) == set(two.ids) == set(np.sort(data.ids)[:14])


def test_scores_of_other_samples_do_no_harm() -> None:
    data = samples(5)
    more = scored([*data.ids, 999], [*range(5), 77])
    assert len(remove_most_suspicious(data, more, 0.2)) == 4


@pytest.mark.parametrize("share", [-0.1, 1, math.nan, "0.5", True])
def test_refuses_the_share(share: float) -> None:
    data = samples(5)
    with pytest.raises(InvalidArgument, match="share"):
        remove_most_suspicious(data, scored(data.ids, np.ones(5)), share)


def test_refuses_scores_that_do_not_fit() -> None:
    data = samples(5)
    with pytest.raises(InvalidData, match="without one"):
        remove_most_suspicious(data, scored(data.ids[:4], np.ones(4)), 0.2)
    with pytest.raises(InvalidData, match="without one"):
        remove_most_suspicious(data, scored([], []), 0.2)
    with pytest.raises(InvalidData, match="finite"):
        remove_most_suspicious(data, scored(data.ids, [np.nan] * 5), 0.2)
    with pytest.raises(InvalidData, match="one score for each id"):
        remove_most_suspicious(data, scored(data.ids, np.ones(4)), 0.2)
    with pytest.raises(InvalidData, match="stays"):
        remove_most_suspicious(data.take(data.ids[:1]), scored(data.ids, np.ones(5)), 0.9)


def test_an_empty_set_stays_empty() -> None:
    data = samples(5).take([])
    assert len(remove_most_suspicious(data, scored([], []), 0.2)) == 0
