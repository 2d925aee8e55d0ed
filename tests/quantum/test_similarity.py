from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_states import all_distances, bloch_states, dense_states

from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.quantum.distances import METRICS, gram
from bezoar.quantum.similarity import PAPER_METRICS, state_similarity
from bezoar.quantum.states import EncodedStates

seeds = st.integers(0, 2**32 - 1)


def around(axis: int, rng: np.random.Generator, n: int, n_qubits: int = 2) -> np.ndarray:
    """Bloch vectors near one axis."""
    vectors = rng.normal(scale=0.2, size=(n, n_qubits, 3))
    vectors[:, :, axis] += 1
    return vectors / np.linalg.norm(vectors, axis=2, keepdims=True)


@given(seeds, st.integers(1, 3), st.sampled_from(METRICS), st.booleans())
def test_everything_equals_loops(seed: int, n_qubits: int, metric: str, product: bool):
    rng = np.random.default_rng(seed)
    make = bloch_states if product else dense_states
    states = make(rng, 9, n_qubits)
    labels = np.array([0, 0, 0, 1, 1, 1, 3, 3, 3])
    found = state_similarity(states, labels, "abcd", metrics=[metric], dtype=np.float64)
    distances = all_distances(states, states, metric)
    np.fill_diagonal(distances, np.nan)
    matrix = np.full((4, 4), np.nan)
    means = np.full((9, 4), np.inf)
    for j in (0, 1, 3):
        means[:, j] = np.nanmean(distances[:, labels == j], axis=1)
        for i in (0, 1, 3):
            matrix[i, j] = np.nanmean(distances[np.ix_(labels == i, labels == j)])
    np.testing.assert_allclose(found.class_distance[metric], matrix, atol=1e-7)
    assert found.nearest_class_accuracy[metric] == np.mean(means.argmin(axis=1) == labels)
    entries = gram(states, states)[~np.eye(9, dtype=bool)]
    assert found.kernel_mean == pytest.approx(entries.mean(), abs=1e-12)
    assert found.kernel_variance == pytest.approx(entries.var(), abs=1e-12)
    assert found.n == 9
    assert found.seconds[metric] > 0


def test_well_kept_classes_are_all_found():
    rng = np.random.default_rng(0)
    bloch = np.concatenate([around(axis, rng, 20) for axis in range(3)])
    states = EncodedStates(n_qubits=2, bloch=bloch, pure=True)
    found = state_similarity(states, np.repeat([0, 1, 2], 20), ["x", "y", "z"])
    assert found.nearest_class_accuracy == dict.fromkeys(PAPER_METRICS, 1.0)
    assert not found.is_concentrated
    for matrix in found.class_distance.values():
        assert (matrix.argmin(axis=1) == [0, 1, 2]).all()
        assert not matrix.flags.writeable


def test_a_sample_is_not_compared_with_itself():
    # Each sample's own state is the nearest to it; the rest of its class is the farthest.
    up, down = [[0, 0, 1.0]], [[0, 0, -1.0]]
    states = EncodedStates(n_qubits=1, bloch=np.array([up, down, up, down]), pure=True)
    found = state_similarity(states, [0, 0, 1, 1], ["a", "b"])
    assert found.nearest_class_accuracy["frobenius"] == 0.0


def test_a_sample_alone_in_its_class_is_missed():
    states = bloch_states(np.random.default_rng(0), 3, 1)
    found = state_similarity(states, [0, 0, 1], ["a", "b"], metrics=["frobenius"])
    assert found.nearest_class_accuracy["frobenius"] <= 2 / 3
    assert np.isnan(found.class_distance["frobenius"][1, 1])
    assert np.isfinite(found.class_distance["frobenius"][0, 1])


def test_one_class_is_always_found():
    states = bloch_states(np.random.default_rng(0), 4, 2)
    found = state_similarity(states, [0] * 4, ["only"])
    assert set(found.nearest_class_accuracy.values()) == {1.0}


def test_cap_applies_to_decompositions_only():
    states = dense_states(np.random.default_rng(0), 12, 2)
    labels = np.arange(12) % 2
    found = state_similarity(
        states, labels, ["a", "b"], max_references=3, rng=np.random.default_rng(1)
    )
    assert found.references == {"hilbert-schmidt": None, "frobenius": None, "trace": 3}


def test_default_metrics_leave_out_what_the_states_have_no_form_for():
    states = bloch_states(np.random.default_rng(0), 6, 7)
    assert set(state_similarity(states, [0, 1] * 3, "ab").seconds) == {
        "hilbert-schmidt",
        "frobenius",
    }
    many = bloch_states(np.random.default_rng(0), 6, 64)
    assert set(state_similarity(many, [0, 1] * 3, "ab").seconds) == {"frobenius"}


def test_random_states_of_many_qubits_are_concentrated():
    found = state_similarity(
        bloch_states(np.random.default_rng(0), 30, 40, pure=True), [0, 1] * 15, "ab"
    )
    assert found.kernel_mean < 1e-6
    assert found.is_concentrated


def test_shots_decide_what_can_be_resolved():
    # Angles within 0.2 of each other: entries are 1 within 0.01, shot noise at 1000 is 0.002.
    angles = np.linspace(0, 0.2, 10)
    bloch = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1)[:, None]
    states = EncodedStates(n_qubits=1, bloch=bloch, pure=True)
    few = state_similarity(states, [0, 1] * 5, "ab", shots=100)
    many = state_similarity(states, [0, 1] * 5, "ab", shots=100_000)
    assert few.is_concentrated
    assert not many.is_concentrated
    assert few.shot_noise == pytest.approx(many.shot_noise * np.sqrt(1000))


def test_equal_states_are_concentrated():
    bloch = np.tile(bloch_states(np.random.default_rng(0), 1, 4, pure=True).bloch, (5, 1, 1))  # type: ignore[arg-type]
    found = state_similarity(
        EncodedStates(n_qubits=4, bloch=bloch, pure=True), [0, 0, 0, 1, 1], "ab"
    )
    assert found.is_concentrated
    assert found.kernel_mean == pytest.approx(1, abs=1e-6)


def test_progress_names_each_metric():
    seen: set[str] = set()

    def tell(task: str, done: int, total: int) -> None:
        seen.add(task)

    state_similarity(
        bloch_states(np.random.default_rng(0), 6, 2),
        [0, 1] * 3,
        "ab",
        progress=tell,
    )
    assert seen == {*PAPER_METRICS, "kernel"}


def test_misuse_is_refused():
    states = bloch_states(np.random.default_rng(0), 4, 2)
    labels = [0, 1, 0, 1]
    with pytest.raises(InvalidData, match="three samples"):
        state_similarity(states.take(slice(2)), [0, 1], "ab")
    with pytest.raises(InvalidArgument, match="shots"):
        state_similarity(states, labels, "ab", shots=0)
    with pytest.raises(InvalidArgument, match="max_references"):
        state_similarity(states, labels, "ab", max_references=1)
    with pytest.raises(UnknownName, match="trace"):
        state_similarity(states, labels, "ab", metrics=["tracy"])
    with pytest.raises(InvalidArgument, match="labels"):
        state_similarity(states, [0, 1, 2, 0], "ab")
