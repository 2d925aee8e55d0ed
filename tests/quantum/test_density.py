from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_states import bloch_states, dense_states, from_matrices, matrices_of

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.density import check_states, density_matrices, nearest_states, purity
from bezoar.quantum.states import EncodedStates

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 4), st.booleans())
def test_density_matrices_are_the_sum_over_pauli_strings(seed: int, n_qubits: int, product: bool):
    make = bloch_states if product else dense_states
    states = make(np.random.default_rng(seed), 3, n_qubits)
    # Sums of 4**4 terms of size 1/16 at most: rounding stays below 1e-14.
    np.testing.assert_allclose(density_matrices(states), matrices_of(states), atol=1e-14)


@given(seeds, st.integers(1, 4))
def test_purity_is_the_trace_of_the_square(seed: int, n_qubits: int):
    rng = np.random.default_rng(seed)
    for states in (bloch_states(rng, 3, n_qubits), dense_states(rng, 3, n_qubits)):
        rho = matrices_of(states)
        expected = np.trace(rho @ rho, axis1=1, axis2=2).real
        np.testing.assert_allclose(purity(states), expected, atol=1e-14)


def test_many_states_are_converted_in_chunks():
    states = dense_states(np.random.default_rng(1), 700, 4)
    np.testing.assert_allclose(density_matrices(states), matrices_of(states), atol=1e-14)


def test_single_precision_states_give_the_same_matrices():
    states = dense_states(np.random.default_rng(1), 2, 3)
    assert states.pauli is not None
    single = EncodedStates(n_qubits=3, pauli=states.pauli.astype(np.float32))
    # 64 entries of relative precision 6e-8, divided by 8.
    np.testing.assert_allclose(density_matrices(single), matrices_of(states), atol=1e-6)


def test_no_states_give_no_matrices():
    nothing = EncodedStates(n_qubits=2, bloch=np.zeros((0, 2, 3)))
    assert density_matrices(nothing).shape == (0, 4, 4)
    assert purity(nothing).shape == (0,)


def test_density_matrices_that_cannot_fit_are_refused_before_they_are_made():
    states = EncodedStates(n_qubits=10, bloch=np.zeros((1000, 10, 3)))
    with pytest.raises(InvalidArgument, match=r"15\.6 GiB"):
        density_matrices(states)


@pytest.mark.parametrize(
    ("states", "complaint"),
    [
        (EncodedStates(n_qubits=2, bloch=np.zeros((4, 3, 3))), "shape"),
        (EncodedStates(n_qubits=2, bloch=np.zeros((4, 6))), "shape"),
        (EncodedStates(n_qubits=2, pauli=np.ones((4, 4))), "shape"),
        (EncodedStates(n_qubits=1, bloch=np.full((2, 1, 3), np.nan)), "nan"),
        (EncodedStates(n_qubits=1, bloch=np.full((2, 1, 3), np.inf)), "inf"),
        (EncodedStates(n_qubits=1, bloch=np.full((2, 1, 3), 0.9)), "at most 1"),
        (EncodedStates(n_qubits=1, pauli=np.zeros((2, 4))), "trace 1"),
        (EncodedStates(n_qubits=1, pauli=np.ones((2, 4))), "at most 1"),
        (EncodedStates(n_qubits=1, bloch=np.zeros((2, 1, 3)), pure=True), "pure"),
    ],
)
def test_what_is_no_state_is_refused(states: EncodedStates, complaint: str):
    with pytest.raises(InvalidArgument, match=complaint):
        check_states(states, "a")


def test_integers_are_no_expectations():
    integers = np.zeros((2, 1, 3), dtype=int)
    with pytest.raises(InvalidArgument, match="real numbers"):
        check_states(EncodedStates(n_qubits=1, bloch=integers), "a")  # type: ignore[arg-type]


def estimates(rng: np.random.Generator, n: int, n_qubits: int, spread: float) -> EncodedStates:
    """States with noise of this size on all strings but the identity."""
    pauli = dense_states(rng, n, n_qubits, rank=1).pauli_vectors().copy()
    pauli[:, 1:] += spread * rng.normal(size=pauli[:, 1:].shape)
    return EncodedStates(n_qubits=n_qubits, pauli=pauli, estimate="state")


def cut_smallest(eigenvalues: np.ndarray) -> np.ndarray:
    """The algorithm of Smolin, Gambetta and Smith, Fig. 1: step by step, from the smallest."""
    values = np.sort(eigenvalues)[::-1].copy()
    missing, count = 0.0, len(values)
    while values[count - 1] + missing / count < 0:
        missing += values[count - 1]
        values[count - 1] = 0
        count -= 1
    values[:count] += missing / count
    return values[::-1]


@given(seeds, st.integers(1, 3), st.sampled_from([0.01, 0.3, 3.0]))
def test_nearest_states_are_those_of_the_stepwise_algorithm(
    seed: int, n_qubits: int, spread: float
):
    rough = estimates(np.random.default_rng(seed), 3, n_qubits, spread)
    found = nearest_states(rough)
    check_states(found, "found")
    assert found.estimate is None
    before, after = density_matrices(rough), density_matrices(found)
    expected = [cut_smallest(np.linalg.eigvalsh(matrix)) for matrix in before]
    np.testing.assert_allclose(np.linalg.eigvalsh(after), expected, atol=1e-12)
    # The eigenvectors stay, so both commute.
    np.testing.assert_allclose(before @ after, after @ before, atol=1e-12)


def test_no_other_state_is_nearer():
    rng = np.random.default_rng(3)
    rough = estimates(rng, 1, 2, 0.5)
    found = nearest_states(rough).pauli_vectors()[0]
    others = dense_states(rng, 2000, 2).pauli_vectors()
    steps = found + np.linspace(0.001, 1, 20)[:, None, None] * (others - found)
    least = np.linalg.norm(found - rough.pauli_vectors()[0])
    assert (np.linalg.norm(steps - rough.pauli_vectors()[0], axis=2) > least).all()


def test_what_is_a_state_stays():
    exact = dense_states(np.random.default_rng(0), 700, 4)
    assert nearest_states(exact) is exact
    same = nearest_states(EncodedStates(n_qubits=4, pauli=exact.pauli, estimate="state"))
    np.testing.assert_allclose(same.pauli_vectors(), exact.pauli_vectors(), atol=1e-12)


def test_nearest_products_are_the_nearest_states_of_each_qubit():
    bloch = 2 * np.random.default_rng(0).normal(size=(50, 1, 3))
    product = nearest_states(EncodedStates(n_qubits=1, bloch=bloch, estimate="state"))
    pauli = np.concatenate([np.ones((50, 1)), bloch[:, 0]], axis=1)
    dense = nearest_states(EncodedStates(n_qubits=1, pauli=pauli, estimate="state"))
    assert product.is_product
    np.testing.assert_allclose(product.pauli_vectors(), dense.pauli_vectors(), atol=1e-12)


def test_matrices_of_nearest_states_lead_back_to_their_strings():
    rough = estimates(np.random.default_rng(0), 2, 3, 0.3)
    found = nearest_states(rough)
    again = from_matrices(density_matrices(found))
    np.testing.assert_allclose(found.pauli_vectors(), again.pauli_vectors(), atol=1e-12)
