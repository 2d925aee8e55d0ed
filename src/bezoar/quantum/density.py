"""Density matrices and purity of encoded states."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.states import EncodedStates, Floats

MEMORY_LIMIT = 2 * 2**30
"""Bytes that one result may take; more is refused before it is allocated."""

_CHUNK_BYTES = 2**21
_TOLERANCE = 1e-3


def check_states(states: EncodedStates, argument: str) -> None:
    """Refuses arrays of the wrong shape and numbers that no state has.

    Raises:
        InvalidArgument: naming `argument`.
    """
    if states.bloch is not None:
        array, shape = states.bloch, (len(states.bloch), states.n_qubits, 3)
    else:
        array = states.pauli_vectors()
        shape = (len(array), 4**states.n_qubits)
    if array.shape != shape or not np.issubdtype(array.dtype, np.floating):
        raise InvalidArgument(
            argument,
            wanted=f"real numbers of shape {shape} for {states.n_qubits} qubits",
            got=f"{array.dtype} of shape {array.shape}",
        )
    if states.estimate is not None:
        _check_estimate(array, states, argument)
        return
    bound = 1 + _TOLERANCE
    if array.size and not (array.min() >= -bound and array.max() <= bound):
        raise InvalidArgument(
            argument,
            wanted="Pauli expectations in [-1, 1]",
            got=f"values from {array.min()} to {array.max()}",
            mend="encode finite features with a circuit of unitary gates and channels",
        )
    if states.pauli is not None and np.any(np.abs(states.pauli[:, 0] - 1) > _TOLERANCE):
        raise InvalidArgument(
            argument, wanted="states of trace 1 (first Pauli entry 1)", got="another trace"
        )
    lengths = _lengths(states)
    if np.any(lengths > 1 + _TOLERANCE):
        raise InvalidArgument(
            argument,
            wanted="states: Bloch vectors and purities of at most 1",
            got=f"{lengths.max():.6g}",
        )
    if states.pure and np.any(lengths < 1 - _TOLERANCE):
        raise InvalidArgument(
            argument,
            wanted="purity 1, since the states are marked pure",
            got=f"{lengths.min():.6g}",
            mend="set pure=False",
        )


def _check_estimate(array: Floats, states: EncodedStates, argument: str) -> None:
    """Estimates may be longer than any state, but are numbers, and their trace is 1."""
    if not np.isfinite(array).all():
        raise InvalidArgument(argument, wanted="finite estimates", got="NaN or infinity")
    if states.pauli is not None and np.any(np.abs(array[:, 0] - 1) > _TOLERANCE):
        raise InvalidArgument(
            argument, wanted="estimates of trace 1 (first Pauli entry 1)", got="another trace"
        )


def _lengths(states: EncodedStates) -> npt.NDArray[np.float64]:
    """Squared lengths of Bloch vectors, or purities: 1 for pure states, never more."""
    if states.bloch is None:
        return purity(states)
    return np.einsum("swp,swp->sw", states.bloch, states.bloch, dtype=np.float64)


def check_memory(n_bytes: int, what: str, mend: str) -> None:
    """Refuses what would take more than `MEMORY_LIMIT`, before it is allocated.

    Raises:
        InvalidArgument: it would.
    """
    if n_bytes > MEMORY_LIMIT:
        raise InvalidArgument(
            what,
            wanted=f"at most {MEMORY_LIMIT / 2**30:.0f} GiB",
            got=f"{n_bytes / 2**30:.1f} GiB",
            mend=mend,
        )


def purity(states: EncodedStates) -> npt.NDArray[np.float64]:
    """``Tr(rho^2)`` of every state, ``(sample,)``: 1 for a pure one, ``2**-n_qubits`` at least.

    Of estimates it is too large by the shot noise, and may exceed 1.

    From Bloch vectors ``prod_w (1 + |a_w|^2) / 2``, from a Pauli vector ``|r|^2 / 2**n_qubits``.

    Example:
        >>> import numpy as np
        >>> purity(EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]], [[0, 0, 0.0]]])))
        array([1. , 0.5])
    """
    if states.bloch is not None:
        return np.prod((1 + _lengths(states)) / 2, axis=1)
    vectors = states.pauli_vectors()
    return np.einsum("sp,sp->s", vectors, vectors, dtype=np.float64) / 2**states.n_qubits


def check_have_matrices(states: EncodedStates) -> None:
    """Refuses estimates of overlaps, which no matrix has.

    Raises:
        InvalidArgument: as said.
    """
    if states.estimate == "overlap":
        raise InvalidArgument(
            "states",
            wanted="states or estimates of them",
            got="estimates of overlaps, which have no density matrix",
            mend="use frobenius, hilbert-schmidt or class_overlaps, or measure with pauli, "
            "shadows or bloch",
        )


def nearest_states(states: EncodedStates) -> EncodedStates:
    """The density matrices nearest to estimated states, in Frobenius norm.

    ``argmin ||rho - mu||_F over rho >= 0, Tr rho = 1`` keeps the eigenvectors of the estimate mu
    and moves its eigenvalues to the nearest point of the simplex. Products stay products: each
    qubit is projected, and for one qubit that shortens Bloch vectors to length 1. The result is no
    longer an unbiased estimate.

    Args:
        states: returned as they are when exact; at most 10 qubits where they are no products.

    Raises:
        InvalidArgument: estimates of overlaps, or the matrices would take more than 2 GiB.

    Source: Smolin, Gambetta and Smith, Phys. Rev. Lett. 108, 070502 (2012), arXiv 1106.5458. There
    it is also the most likely state, for Gaussian noise that is the same on all Pauli strings;
    the noise of our estimates is not.

    Example:
        >>> import numpy as np
        >>> nearest_states(EncodedStates(n_qubits=1, bloch=np.array([[[0, 1.2, 0.9]]]),
        ...                              estimate="state")).bloch.round(6).tolist()
        [[[0.0, 0.8, 0.6]]]
    """
    if states.estimate is None:
        return states
    check_have_matrices(states)
    check_states(states, "states")
    if states.bloch is not None:
        lengths = np.sqrt(_lengths(states))
        shorter = states.bloch / np.maximum(lengths, 1)[:, :, None]
        return EncodedStates(n_qubits=states.n_qubits, bloch=shorter)
    pauli = np.empty_like(states.pauli_vectors(), dtype=np.float64)
    step = max(1, _CHUNK_BYTES // (16 * 4**states.n_qubits))
    for start in range(0, len(states), step):
        part = slice(start, start + step)
        values, vectors = np.linalg.eigh(density_matrices(states.take(part)))
        rooted = vectors * np.sqrt(_on_simplex(values))[:, None, :]
        pauli[part] = _to_pauli(rooted @ rooted.conj().swapaxes(1, 2), states.n_qubits)
    return EncodedStates(n_qubits=states.n_qubits, pauli=pauli)


def _on_simplex(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The nearest rows of numbers of 0 or more that sum to 1, for rows in ascending order."""
    falling = values[:, ::-1]
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, values.shape[1] + 1)
    kept = (falling > excess).sum(axis=1)
    shift = np.take_along_axis(excess, kept[:, None] - 1, axis=1)
    return np.maximum(values - shift, 0)


def density_matrices(states: EncodedStates) -> npt.NDArray[np.complex128]:
    """The density matrices ``(sample, 2**n_qubits, 2**n_qubits)``, wire 0 the slowest bit.

    ``rho = 2**-n sum_P Tr(P rho) P``, one wire after another: each step turns the four numbers of
    a wire into a 2 x 2 block, so a matrix costs ``n 4**n`` and not ``16**n`` operations.

    Args:
        states: at most 10 qubits; estimates give matrices that need not be positive.

    Raises:
        InvalidArgument: the result would take more than 2 GiB, or these are estimates of overlaps.

    Example:
        >>> import numpy as np
        >>> density_matrices(EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]]]))).real
        array([[[1., 0.],
                [0., 0.]]])
    """
    check_have_matrices(states)
    n_qubits, count = states.n_qubits, len(states)
    check_memory(16 * count * 4**n_qubits, "density matrices", "take fewer states at a time")
    size = 2**n_qubits
    matrices = np.empty((count, size, size), dtype=np.complex128)
    step = max(1, _CHUNK_BYTES // (16 * size * size))
    for start in range(0, count, step):
        part = slice(start, start + step)
        matrices[part] = _from_pauli(states.take(part).pauli_vectors(), n_qubits)
    return matrices


def _from_pauli(vectors: Floats, n_qubits: int) -> npt.NDArray[np.complex128]:
    count = len(vectors)
    blocks = vectors.astype(np.complex128)
    for wire in range(n_qubits):
        size, rest = 2**wire, 4 ** (n_qubits - wire - 1)
        old = blocks.reshape(count, size, size, 4, rest)
        new = np.empty((count, size, 2, size, 2, rest), dtype=np.complex128)
        new[:, :, 0, :, 0] = old[..., 0, :] + old[..., 3, :]
        new[:, :, 0, :, 1] = old[..., 1, :] - 1j * old[..., 2, :]
        new[:, :, 1, :, 0] = old[..., 1, :] + 1j * old[..., 2, :]
        new[:, :, 1, :, 1] = old[..., 0, :] - old[..., 3, :]
        blocks = new
    return blocks.reshape(count, 2**n_qubits, 2**n_qubits) / 2**n_qubits


def _to_pauli(matrices: npt.NDArray[np.complex128], n_qubits: int) -> npt.NDArray[np.float64]:
    """``Tr(P rho)`` for all strings, ``(sample, 4**n_qubits)``: the way back of `_from_pauli`."""
    count = len(matrices)
    blocks = matrices.reshape(count, 1, 2**n_qubits, 2**n_qubits)
    for wire in range(n_qubits):
        half = 2 ** (n_qubits - wire - 1)
        old = blocks.reshape(count, -1, 2, half, 2, half)
        new = np.empty((count, old.shape[1], 4, half, half), dtype=np.complex128)
        new[:, :, 0] = old[:, :, 0, :, 0] + old[:, :, 1, :, 1]
        new[:, :, 1] = old[:, :, 0, :, 1] + old[:, :, 1, :, 0]
        new[:, :, 2] = 1j * (old[:, :, 0, :, 1] - old[:, :, 1, :, 0])
        new[:, :, 3] = old[:, :, 0, :, 0] - old[:, :, 1, :, 1]
        blocks = new.reshape(count, -1, half, half)
    return blocks.reshape(count, -1).real
