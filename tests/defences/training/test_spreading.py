"""Label spreading in the encoded space against its formula and scikit-learn's iteration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.semi_supervised import LabelSpreading

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.defences.training.spreading import UNLABELLED, spread_labels
from bezoar.models.circuits import build_encoding, encoding_circuit
from bezoar.quantum.noise import parse_noise
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.states import EncodedStates


def encoded(n_samples: int, noise: str = "none", seed: int = 0) -> EncodedStates:
    features = np.random.default_rng(seed).uniform(0, np.pi, (n_samples, 4))
    circuit = encoding_circuit(build_encoding(), 4)
    return StateEncoder(circuit=circuit, noise=parse_noise(noise)).encode(features)


def on_circle(angles: list[float]) -> EncodedStates:
    z = np.stack([np.zeros(len(angles)), np.sin(angles), np.cos(angles)], axis=1)
    return EncodedStates(n_qubits=1, bloch=z[:, None], pure=True)


def labelling(n_samples: int, n_labelled: int, n_classes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = np.full(n_samples, UNLABELLED)
    labels[rng.permutation(n_samples)[:n_labelled]] = rng.integers(0, n_classes, n_labelled)
    return labels


def weights(states: EncodedStates, n_neighbors: int) -> np.ndarray:
    """``W``, sample by sample, from Pauli vectors."""
    vectors = states.pauli_vectors()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    n_samples = len(vectors)
    similarity = vectors @ vectors.T
    graph = np.zeros((n_samples, n_samples))
    for i in range(n_samples):
        others = sorted((j for j in range(n_samples) if j != i), key=lambda j: -similarity[i, j])
        for j in others[:n_neighbors]:
            graph[i, j] = graph[j, i] = similarity[i, j]
    return graph


@pytest.mark.parametrize("noise", ["none", "ad-dep:0.1"])
@pytest.mark.parametrize("n_neighbors", [3, 10, 100])
def test_it_is_the_formula(noise: str, n_neighbors: int) -> None:
    states = encoded(30, noise)
    given_labels = np.stack([labelling(30, 6, 3, seed) for seed in range(8)])
    graph = weights(states, n_neighbors)
    degree = graph.sum(axis=1)
    system = np.linalg.inv(np.eye(30) - 0.9 * graph / np.sqrt(np.outer(degree, degree)))
    wanted = [
        (system @ (row[:, None] == np.arange(3)).astype(float)).argmax(1) for row in given_labels
    ]
    found = spread_labels(states, given_labels, 3, n_neighbors=n_neighbors)
    np.testing.assert_array_equal(found, wanted)


def test_it_is_what_scikit_learns_iteration_converges_to() -> None:
    states = encoded(40)
    labels = labelling(40, 9, 3, seed=0)

    def kernel(_: Any, __: Any) -> np.ndarray:
        return weights(states, 5)

    # Its stubs forget that a kernel may be callable.
    settings: dict[str, Any] = {"kernel": kernel, "max_iter": 1000, "tol": 1e-10}
    theirs = LabelSpreading(alpha=0.8, **settings)
    theirs.fit(np.zeros((40, 1)), labels)
    ours = spread_labels(states, labels[None], 3, n_neighbors=5, alpha=0.8)
    np.testing.assert_array_equal(ours[0], theirs.transduction_)


@given(
    hnp.arrays(np.int64, (4, 12), elements=st.integers(-1, 2)).filter(
        lambda rows: bool((rows >= 0).any(axis=1).all())
    ),
    st.integers(0, 3),
    st.integers(0, 11),
    st.integers(0, 2),
)
def test_a_labelling_does_not_see_the_others(
    rows: np.ndarray, which: int, sample: int, label: int
) -> None:
    states = encoded(12)
    before = spread_labels(states, rows, 3, n_neighbors=3)
    assert ((before >= 0) & (before < 3)).all()
    changed = rows.copy()
    changed[which, sample] = label
    after = spread_labels(states, changed, 3, n_neighbors=3)
    others = np.arange(4) != which
    np.testing.assert_array_equal(after[others], before[others])


def test_a_wrong_label_is_overruled_by_those_around_it() -> None:
    states = on_circle([0.0, 0.1, 0.2, 0.3, 2.8, 2.9, 3.0, 3.1])
    found = spread_labels(states, [[0, 0, 1, 0, 1, -1, 1, -1]], 2, n_neighbors=3)
    assert found.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_samples_that_no_label_reaches_get_the_usual_one() -> None:
    states = on_circle([0.0, 0.1, 0.2, 3.0, 3.05, 3.1])
    found = spread_labels(states, [[2, 2, 1, -1, -1, -1], [-1] * 5 + [0]], 3, n_neighbors=2)
    assert found[0, 3:].tolist() == [2, 2, 2]
    assert found[1].tolist() == [0] * 6


def test_one_class_one_sample_and_orthogonal_states() -> None:
    assert spread_labels(encoded(5), [[-1, 1, -1, -1, -1]], 3).tolist() == [[1] * 5]
    assert spread_labels(encoded(1), [[2]], 3).tolist() == [[2]]
    poles = EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]], [[0, 0, -1.0]]]), pure=True)
    assert spread_labels(poles, [[0, 1]], 2).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    "labellings",
    [[0, 1, -1], [[0, 1]], [[0, 1, 3]], [[0, 1, -2]], [[0.0, 1.0, -1.0]], [[0, 1, 1], [-1] * 3]],
)
def test_labellings_that_do_not_fit_are_refused(labellings: object) -> None:
    with pytest.raises(InvalidData, match=r"^labellings"):
        spread_labels(encoded(3), labellings, 3)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "settings",
    [
        {"n_neighbors": 0},
        {"n_neighbors": 2.5},
        *({"alpha": alpha} for alpha in (0.0, 1.0, -0.5, float("nan"), "half", True)),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=rf"^{next(iter(settings))}"):
        spread_labels(encoded(3), [[0, 1, -1]], 2, **settings)
