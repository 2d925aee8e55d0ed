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


def density_matrices(states: EncodedStates) -> npt.NDArray[np.complex128]:
    """The density matrices ``(sample, 2**n_qubits, 2**n_qubits)``, wire 0 the slowest bit.

    ``rho = 2**-n sum_P Tr(P rho) P``, one wire after another: each step turns the four numbers of
    a wire into a 2 x 2 block, so a matrix costs ``n 4**n`` and not ``16**n`` operations.

    Args:
        states: at most 10 qubits.

    Raises:
        InvalidArgument: the result would take more than 2 GiB.

    Example:
        >>> import numpy as np
        >>> density_matrices(EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]]]))).real
        array([[[1., 0.],
                [0., 0.]]])
    """
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
