"""What the certificate rests on: partitions, base sets and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.defences.training.aggregation import (
    BaseSet,
    PartitionAggregation,
    ensemble_named,
)
from bezoar.defences.training.spreading import UNLABELLED, spread_labels
from bezoar.defences.training.votes import Votes, vote
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding, encoding_circuit
from bezoar.models.training import TrainingSettings, predict_scores, train_many
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.state_encoder import StateEncoder

ENCODER = StateEncoder(circuit=encoding_circuit(build_encoding(), 2))
CLASSES = ("a", "b", "c")


def dataset(features: Any, labels: Any = None, ids: Any = None) -> Dataset:
    n_samples = len(features)
    return Dataset(
        features=features,
        labels=np.arange(n_samples) % 3 if labels is None else labels,
        ids=np.arange(n_samples) if ids is None else ids,
        class_names=CLASSES,
    )


def clouds(n_samples: int, seed: int = 0) -> Dataset:
    """Three noisy groups in [0, pi]."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 3
    centres = np.array([[0.5, 0.5], [1.6, 2.6], [2.6, 0.8]])
    features = np.clip(centres[labels] + rng.normal(0, 0.3, (n_samples, 2)), 0, np.pi)
    return dataset(features, labels)


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    """Samples in [0, pi], of which some have the same features."""
    n_samples = draw(st.integers(1, 20))
    values = st.sampled_from([0.0, -0.0, 1.0, 2.0]) | st.floats(0, 3.0, width=32)
    features = draw(hnp.arrays(np.float64, (n_samples, 2), elements=values))
    labels = draw(hnp.arrays(np.int64, n_samples, elements=st.integers(0, 2)))
    ids = draw(st.permutations(range(100, 100 + n_samples)))
    return dataset(features, labels, ids)


ensembles = st.builds(
    PartitionAggregation,
    n_partitions=st.integers(1, 8),
    semi_supervised=st.booleans(),
    n_neighbors=st.integers(1, 5),
)
both = pytest.mark.parametrize("semi_supervised", [False, True])


def by_id(data: Dataset, sets: Sequence[BaseSet]) -> list[list[tuple[int, int]]]:
    return [
        list(zip(data.ids[base.positions].tolist(), base.labels.tolist(), strict=True))
        for base in sets
    ]


def contents(data: Dataset, sets: Sequence[BaseSet]) -> list[list[tuple[Any, ...]]]:
    return [[(*data.features[p], label) for p, label in zip(*base, strict=True)] for base in sets]


@given(ensembles, data_sets(), st.randoms(use_true_random=False))
def test_partitions_depend_on_features_alone(
    ensemble: PartitionAggregation, data: Dataset, random: Any
) -> None:
    partitions = ensemble.partitions(data)
    assert partitions.shape == (len(data),)
    assert ((partitions >= 0) & (partitions < ensemble.n_partitions)).all()
    other = data.with_labels(np.array([random.randrange(3) for _ in range(len(data))]))
    np.testing.assert_array_equal(ensemble.partitions(other), partitions)
    order = np.array(random.sample(range(len(data)), len(data)))
    shuffled = dataset(data.features[order], data.labels[order], ids=np.arange(len(data)))
    np.testing.assert_array_equal(ensemble.partitions(shuffled), partitions[order])
    for row, partition in zip(data.features, partitions, strict=True):
        assert set(partitions[(data.features == row).all(axis=1)]) == {partition}


@given(ensembles, data_sets(), st.randoms(use_true_random=False))
def test_base_sets_do_not_depend_on_the_order_of_rows(
    ensemble: PartitionAggregation, data: Dataset, random: Any
) -> None:
    order = np.array(random.sample(range(len(data)), len(data)))
    shuffled = data.take(data.ids[order])
    sets, again = ensemble.base_sets(data, ENCODER), ensemble.base_sets(shuffled, ENCODER)
    assert contents(data, sets) == contents(shuffled, again)
    if ensemble.semi_supervised:
        assert by_id(data, sets) == by_id(shuffled, again)


@given(ensembles, data_sets(), st.data())
def test_one_flipped_label_reaches_one_base_learner(
    ensemble: PartitionAggregation, data: Dataset, draw: st.DataObject
) -> None:
    sample = draw.draw(st.integers(0, len(data) - 1))
    labels = data.labels.copy()
    labels[sample] = draw.draw(st.integers(0, 2))
    flipped = data.with_labels(labels)
    sets, after = ensemble.base_sets(data, ENCODER), ensemble.base_sets(flipped, ENCODER)
    own = ensemble.partitions(data)[sample]
    for number, (one, other) in enumerate(
        zip(contents(data, sets), contents(flipped, after), strict=True)
    ):
        assert number == own or one == other


@given(st.integers(1, 8), data_sets(), st.data())
def test_dpa_a_sample_inserted_or_deleted_reaches_one_base_learner_and_a_changed_one_two(
    n_partitions: int, data: Dataset, draw: st.DataObject
) -> None:
    ensemble = PartitionAggregation(n_partitions=n_partitions)
    before = contents(data, ensemble.base_sets(data))
    sample = draw.draw(st.integers(0, len(data) - 1))
    fewer = data.take(np.delete(data.ids, sample))
    deleted = contents(fewer, ensemble.base_sets(fewer))
    assert sum(one != other for one, other in zip(before, deleted, strict=True)) == 1
    features = data.features.copy()
    features[sample] = draw.draw(hnp.arrays(np.float64, 2, elements=st.floats(0, 3, width=32)))
    moved = data.with_features(features)
    changed = contents(moved, ensemble.base_sets(moved))
    assert sum(one != other for one, other in zip(before, changed, strict=True)) <= 2


def test_dpa_base_sets_are_the_partitions_sorted() -> None:
    data = clouds(30)
    ensemble = PartitionAggregation(n_partitions=4)
    partitions = ensemble.partitions(data)
    assert len(set(partitions)) == 4
    for number, base in enumerate(ensemble.base_sets(data)):
        assert sorted(base.positions) == np.flatnonzero(partitions == number).tolist()
        np.testing.assert_array_equal(base.labels, data.labels[base.positions])
        rows = data.features[base.positions].tolist()
        assert rows == sorted(rows)


def test_dpa_equal_features_are_sorted_by_label() -> None:
    data = dataset([[1.0, 1.0]] * 4, [2, 0, 1, 0])
    (base,) = PartitionAggregation(n_partitions=1).base_sets(data)
    assert base.labels.tolist() == [0, 0, 1, 2]


def test_dpa_survives_the_last_digits_of_another_machine() -> None:
    data = clouds(200)
    near = data.with_features(data.features * (1 + 1e-15))
    ensemble = PartitionAggregation(n_partitions=25)
    np.testing.assert_array_equal(ensemble.partitions(near), ensemble.partitions(data))


def test_ss_dpa_partitions_are_ranks_and_of_equal_size() -> None:
    data = clouds(31)
    ensemble = PartitionAggregation(n_partitions=4, semi_supervised=True)
    order = sorted(range(31), key=lambda i: tuple(data.features[i]))
    partitions = ensemble.partitions(data)
    assert partitions[order].tolist() == [rank % 4 for rank in range(31)]
    assert np.bincount(partitions).tolist() == [8, 8, 8, 7]


def test_ss_dpa_base_sets_are_all_samples_under_pseudo_labels_of_their_partition() -> None:
    data = clouds(40)
    ensemble = PartitionAggregation(n_partitions=5, semi_supervised=True, n_neighbors=6, alpha=0.7)
    partitions = ensemble.partitions(data)
    sets = ensemble.base_sets(data, ENCODER)
    for number, base in enumerate(sets):
        np.testing.assert_array_equal(base.positions, sets[0].positions)
        assert sorted(base.positions) == list(range(40))
        order = base.positions
        seen = np.where(partitions[order] == number, data.labels[order], UNLABELLED)
        states = ENCODER.encode(data.features[order])
        wanted = spread_labels(states, seen[None], 3, n_neighbors=6, alpha=0.7)[0]
        np.testing.assert_array_equal(base.labels, wanted)
    # Eight labels of three clear groups are enough for most samples.
    assert all((base.labels == data.labels[base.positions]).mean() > 0.8 for base in sets)


def test_ss_dpa_with_one_label_in_a_partition_or_one_class() -> None:
    ensemble = PartitionAggregation(n_partitions=6, semi_supervised=True)
    for number, base in enumerate(ensemble.base_sets(clouds(6), ENCODER)):
        own = ensemble.partitions(clouds(6)) == number
        assert set(base.labels) == set(clouds(6).labels[own])


@both
def test_an_empty_partition_has_an_empty_base_set_and_no_training(semi_supervised: bool) -> None:
    data = clouds(5)
    ensemble = PartitionAggregation(n_partitions=12, semi_supervised=semi_supervised)
    sets = ensemble.base_sets(data, ENCODER)
    filled = np.unique(ensemble.partitions(data))
    assert [number for number, base in enumerate(sets) if len(base.positions)] == filled.tolist()
    assert len(sets) == 12
    jobs = ensemble.jobs(sets, n_classes=3, seed=0)
    assert len(jobs) == len(filled)
    full = ensemble.jobs(ensemble.base_sets(clouds(200), ENCODER), n_classes=3, seed=0)
    assert [job.seed for job in jobs] == [full[number].seed for number in filled]


@both
@pytest.mark.parametrize("shape", [(0, 2), (0, 0)])
def test_no_samples_are_no_base_sets(semi_supervised: bool, shape: tuple[int, int]) -> None:
    ensemble = PartitionAggregation(n_partitions=3, semi_supervised=semi_supervised)
    empty = dataset(np.empty(shape))
    assert ensemble.partitions(empty).tolist() == []
    assert [len(base.positions) for base in ensemble.base_sets(empty, ENCODER)] == [0] * 3


def test_dpa_takes_images() -> None:
    images = np.random.default_rng(0).random((9, 1, 4, 4))
    flat = PartitionAggregation(n_partitions=3).partitions(dataset(images.reshape(9, 16)))
    assert (
        PartitionAggregation(n_partitions=3).partitions(dataset(images)).tolist() == flat.tolist()
    )


def test_jobs_make_as_many_updates_as_a_plain_model() -> None:
    data = clouds(60)
    for text, repeats in (("dpa:5", 5), ("ss-dpa:5", 1)):
        ensemble = ensemble_named(text)
        assert ensemble is not None
        sets = ensemble.base_sets(data, ENCODER)
        jobs = ensemble.jobs(sets, n_classes=3, seed=7, offset=100)
        assert jobs[0].seed == 7
        assert len({job.seed for job in jobs}) == 5
        for job, base in zip(jobs, sets, strict=True):
            assert job.train.tolist() == (base.positions + 100).tolist() * repeats
            assert job.labels.tolist() == base.labels.tolist() * repeats
            assert job.n_classes == 3
    other = PartitionAggregation(n_partitions=5).jobs(sets, n_classes=3, seed=8)
    assert not {job.seed for job in jobs} & {job.seed for job in other}


@both
def test_flips_within_the_radius_change_no_prediction(semi_supervised: bool) -> None:
    data, test = clouds(45), clouds(30, seed=1)
    ensemble = PartitionAggregation(n_partitions=9, semi_supervised=semi_supervised)
    clean = trained_votes(ensemble, data, test)
    assert clean.radius.max() >= 2
    rng = np.random.default_rng(0)
    for n_flips in (1, 2, 3, 4):
        labels = data.labels.copy()
        chosen = rng.permutation(len(data))[:n_flips]
        labels[chosen] = (labels[chosen] + rng.integers(1, 3, n_flips)) % 3
        poisoned = trained_votes(ensemble, data.with_labels(labels), test)
        certain = clean.radius >= n_flips
        np.testing.assert_array_equal(poisoned.labels[certain], clean.labels[certain])


def trained_votes(ensemble: PartitionAggregation, data: Dataset, test: Dataset) -> Votes:
    circuit = build_circuit(build_encoding(), build_ansatz(), 2)
    program = compile_circuit(circuit, None, dtype="float64")
    jobs = ensemble.jobs(ensemble.base_sets(data, ENCODER), n_classes=3, seed=0)
    settings = TrainingSettings(epochs=6, learning_rate=0.1)
    models = train_many(program, data.features, jobs, settings)
    scores = predict_scores(program, program.encode(test.features), models)
    return vote(scores.argmax(axis=2), 3)


@pytest.mark.parametrize("text", ["dpa:1", "dpa:25", "ss-dpa:3", "ss-dpa:10000"])
def test_short_names_are_read_and_told(text: str) -> None:
    ensemble = ensemble_named(text)
    assert ensemble is not None
    assert ensemble.name == text
    assert ensemble.semi_supervised == text.startswith("ss-")


@pytest.mark.parametrize(
    "text",
    [
        *("", "dpa", "dpa:", "dpa:0", "dpa:-1", "dpa:03", "dpa:2.5", "DPA:3", "sdpa:3"),
        *("ss-dpa:3 ", "dpa:٣", "dpa:100000", "None", None, 3),
    ],
)
def test_other_names_are_refused(text: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^ensemble: wanted none, dpa:K or ss-dpa:K"):
        ensemble_named(text)


@pytest.mark.parametrize(
    "settings",
    [
        *({"n_partitions": k} for k in (0, -3, 2.0, "3", None, True, 10_001)),
        {"semi_supervised": "no"},
        {"n_neighbors": 0},
        {"alpha": 1.0},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=rf"^{next(iter(settings))}"):
        PartitionAggregation(**{"n_partitions": 3, **settings})


@pytest.mark.parametrize("encoder", [None, "angle"])
def test_ss_dpa_asks_for_the_encoder(encoder: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^encoder"):
        PartitionAggregation(n_partitions=3, semi_supervised=True).base_sets(clouds(9), encoder)
