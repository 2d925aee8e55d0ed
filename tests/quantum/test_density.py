from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_states import bloch_states, dense_states, matrices_of

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.density import check_states, density_matrices, purity
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
