"""Random states, and the textbook definitions of their distances on explicit matrices."""

from __future__ import annotations

import itertools
import math
from functools import reduce

import numpy as np
import numpy.typing as npt

from bezoar.quantum.gates import PAULIS, ComplexArray
from bezoar.quantum.states import EncodedStates


def bloch_states(
    rng: np.random.Generator, n: int, n_qubits: int, *, pure: bool = False
) -> EncodedStates:
    """Product states with Bloch vectors of random direction, and of random length if mixed."""
    vectors = rng.normal(size=(n, n_qubits, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    if not pure:
        vectors *= rng.uniform(0.2, 0.98, size=(n, n_qubits, 1))
    return EncodedStates(n_qubits=n_qubits, bloch=vectors, pure=pure)


def dense_states(
    rng: np.random.Generator, n: int, n_qubits: int, *, rank: int | None = None
) -> EncodedStates:
    """States of the Ginibre ensemble: of full rank, or pure with ``rank=1``."""
    size = 2**n_qubits
    shape = (n, size, size if rank is None else rank)
    draws = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    products = draws @ draws.conj().swapaxes(1, 2)
    matrices = products / np.trace(products, axis1=1, axis2=2)[:, None, None]
    return from_matrices(matrices, pure=rank == 1)


def from_matrices(matrices: ComplexArray, *, pure: bool = False) -> EncodedStates:
    n_qubits = matrices.shape[1].bit_length() - 1
    strings = pauli_strings(n_qubits)
    pauli = np.einsum("pij,sji->sp", strings, matrices).real
    return EncodedStates(n_qubits=n_qubits, pauli=np.ascontiguousarray(pauli), pure=pure)


def pauli_strings(n_qubits: int) -> ComplexArray:
    """``(4**n, 2**n, 2**n)``, ordered I, X, Y, Z per wire, wire 0 slowest."""
    words = itertools.product("IXYZ", repeat=n_qubits)
    return np.array([reduce(np.kron, [PAULIS[letter] for letter in word]) for word in words])


def matrices_of(states: EncodedStates) -> ComplexArray:
    """Density matrices by the sum over all Pauli strings."""
    strings = pauli_strings(states.n_qubits)
    return np.einsum("sp,pij->sij", states.pauli_vectors(), strings) / 2**states.n_qubits


def as_dense(states: EncodedStates) -> EncodedStates:
    return EncodedStates(n_qubits=states.n_qubits, pauli=states.pauli_vectors(), pure=states.pure)


def root(matrix: ComplexArray) -> ComplexArray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.conj().T


def distance(rho: ComplexArray, sigma: ComplexArray, metric: str) -> float:
    """The definitions as the books have them."""
    if metric == "hilbert-schmidt":
        return 1 - abs(np.trace(sigma.conj().T @ rho)) / len(rho)
    if metric == "frobenius":
        return float(np.linalg.norm(rho - sigma))
    if metric == "trace":
        return float(np.linalg.svd(rho - sigma, compute_uv=False).sum())
    fidelity = np.linalg.svd(root(rho) @ root(sigma), compute_uv=False).sum() ** 2
    if metric == "fidelity":
        return 1 - fidelity
    return math.sqrt(max(0.0, 2 - 2 * math.sqrt(min(1.0, fidelity))))


def all_distances(a: EncodedStates, b: EncodedStates, metric: str) -> npt.NDArray[np.float64]:
    first, second = matrices_of(a), matrices_of(b)
    return np.array([[distance(rho, sigma, metric) for sigma in second] for rho in first])
