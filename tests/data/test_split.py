import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data import split
from bezoar.data.split import stratified_positions


def dataset(counts, names=None) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    n_samples = len(labels)
    return Dataset(
        features=np.arange(float(n_samples))[:, None],
        labels=np.random.default_rng(7).permutation(labels),
        ids=np.arange(n_samples) * 3 + 1,
        class_names=tuple(names or (f"class {i}" for i in range(len(counts)))),
    )


COUNTS = st.lists(st.integers(2, 40), min_size=2, max_size=6)


@given(
    counts=COUNTS,
    test=st.floats(0.01, 0.98),
    share=st.floats(0, 0.99),
    seed=st.integers(0, 99),
)
def test_parts_are_disjoint_whole_and_hold_every_class(counts, test, share, seed):
    data = dataset(counts)
    validation = share * (0.99 - test)
    parts = split(data, test=test, validation=validation, rng=np.random.default_rng(seed))
    ids = np.concatenate([part.ids for part in (parts.train, parts.validation, parts.test)])
    assert sorted(ids) == data.ids.tolist()
    assert parts.train.counts().min() >= 1
    assert parts.test.counts().min() >= 1
    for part in (parts.train, parts.validation, parts.test):
        original = data.take(part.ids)
        assert np.array_equal(original.labels, part.labels)
        assert np.array_equal(original.features, part.features)
        assert part.class_names == data.class_names
    # Largest remainder: within one of the share where the bounds of 1 leave room.
    bounded = np.clip(np.array(counts) * test, 1, np.array(counts) - 1)
    if np.isclose(bounded, np.array(counts) * test).all():
        assert (np.abs(parts.test.counts() - bounded) <= 1).all()
        assert len(parts.test) == round(test * len(data))


def test_default_shares_are_the_papers_700_and_300():
    parts = split(dataset([250] * 4), rng=np.random.default_rng(0))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (700, 0, 300)
    assert parts.test.counts().tolist() == [75] * 4


def test_same_rng_same_split_and_another_rng_another():
    data = dataset([30, 30])
    one, two, three = (split(data, rng=np.random.default_rng(seed)).test.ids for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_rare_classes_get_one_sample_in_train_and_test():
    parts = split(dataset([2, 200]), test=0.05, validation=0.3, rng=np.random.default_rng(0))
    assert parts.test.counts().tolist() == [1, 9]
    assert parts.train.counts()[0] == 1
    assert len(parts.validation) == 61


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([5], "at least two classes, got only 'class 0'"),
        ([0, 5], "at least two classes, got only 'class 1'"),
        ([0, 0], "at least two classes, got only none"),
        ([5, 1, 5], "1 of class 'class 1', which vanishes in the split"),
        ([5, 0, 5], "0 of class 'class 1', which vanishes in the split"),
        ([5, 1, 0], "2 classes are so"),
        ([1, 1, 0, 0], "2 samples for 4 classes"),
    ],
)
def test_classes_that_cannot_be_split_are_named(counts, words):
    with pytest.raises(InvalidData, match=words):
        split(dataset(counts), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("test", "validation"),
    [(0, 0), (1, 0), (-0.1, 0), (float("nan"), 0), (0.5, -0.1), (0.5, 0.5), (0.3, 1), (0.3, 2)],
)
def test_bad_shares_are_refused(test, validation):
    with pytest.raises(InvalidArgument, match="share"):
        split(dataset([9, 9]), test=test, validation=validation, rng=np.random.default_rng(0))


@given(counts=COUNTS, seed=st.integers(0, 99), data=st.data())
def test_stratified_positions_are_exact_proportional_and_hold_every_class(counts, seed, data):
    labels = dataset(counts).labels * 5
    n_samples = data.draw(st.integers(len(counts), len(labels)))
    positions = stratified_positions(labels, n_samples, rng=np.random.default_rng(seed))
    assert len(positions) == n_samples
    assert (np.diff(positions) > 0).all()
    drawn = np.unique(labels[positions], return_counts=True)[1]
    assert len(drawn) == len(counts)
    wanted = np.maximum(np.array(counts) * n_samples / len(labels), 1)
    if np.isclose(wanted.sum(), n_samples):
        assert (np.abs(drawn - wanted) <= 1).all()
