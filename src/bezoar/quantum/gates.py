"""The standard gates: name, size, matrix, and the frequencies with which it turns.

A gate ``exp(-i theta G)`` moves density matrices by a trigonometric polynomial in ``theta``; its
frequencies are the differences of the eigenvalues of ``G``. Both the transfer matrices of the
fast engine and the parameter-shift rule follow from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import UnknownName

# numpy types the results of kron and einsum too loosely for a narrower name to hold.
ComplexArray = npt.NDArray[Any]

UNITARY = "UNITARY"
STATE_PREPARATION = "STATE"

_I = np.eye(2, dtype=complex)
_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
_Z = np.diag([1, -1]).astype(complex)
PAULIS: dict[str, ComplexArray] = {"I": _I, "X": _X, "Y": _Y, "Z": _Z}


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """A gate by name.

    Attributes:
        name: upper case.
        n_wires, n_angles: how many of each it takes.
        matrix: function of `n_angles` angles in radians to the unitary ``(2**k, 2**k)``.
        frequencies: of a one-angle gate, positive, in units of its angle; empty otherwise.
        parts: how a gate of several angles is made of one-angle gates, in time order, as
            (gate name, which angle).
    """

    name: str
    n_wires: int
    n_angles: int
    matrix: Callable[..., ComplexArray]
    frequencies: tuple[float, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()


def gate_named(name: str) -> Gate:
    """The gate called `name`.

    Raises:
        UnknownName: there is none.
    """
    if name not in GATES:
        raise UnknownName("gate", name, GATES)
    return GATES[name]


def rotation(generator: ComplexArray) -> Callable[[float], ComplexArray]:
    """``exp(-i theta P / 2)`` for a generator with ``P @ P == 1``."""
    identity = np.eye(len(generator), dtype=complex)
    return lambda theta: np.cos(theta / 2) * identity - 1j * np.sin(theta / 2) * generator


def controlled(matrix: ComplexArray) -> ComplexArray:
    """The matrix that applies `matrix` when the first wire is 1."""
    n = len(matrix)
    out = np.eye(2 * n, dtype=complex)
    out[n:, n:] = matrix
    return out


def _phase(theta: float) -> ComplexArray:
    return np.diag([1, np.exp(1j * theta)])


def _u(theta: float, phi: float, lam: float) -> ComplexArray:
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    return np.array(
        [[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]]
    )


def _fixed(name: str, n_wires: int, matrix: npt.ArrayLike) -> Gate:
    array = np.asarray(matrix, dtype=complex)
    array.setflags(write=False)
    return Gate(name, n_wires, 0, lambda: array)


def _turning(
    name: str, n_wires: int, matrix: Callable[[float], ComplexArray], *frequencies: float
) -> Gate:
    return Gate(name, n_wires, 1, matrix, frequencies)


def _controlled_rotation(pauli: ComplexArray) -> Callable[[float], ComplexArray]:
    turn = rotation(pauli)
    return lambda theta: controlled(turn(theta))


_S = np.diag([1, 1j])
_T = np.diag([1, np.exp(0.25j * np.pi)])
_H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_SWAP = np.eye(4)[[0, 2, 1, 3]]
# Echoed cross resonance, (X I - Y X) / sqrt(2) with the first wire leftmost.
_ECR = (np.kron(_X, _I) - np.kron(_Y, _X)) / np.sqrt(2)

GATES: dict[str, Gate] = {
    gate.name: gate
    for gate in (
        _fixed("I", 1, _I),
        _fixed("X", 1, _X),
        _fixed("Y", 1, _Y),
        _fixed("Z", 1, _Z),
        _fixed("H", 1, _H),
        _fixed("S", 1, _S),
        _fixed("SDG", 1, _S.conj()),
        _fixed("T", 1, _T),
        _fixed("TDG", 1, _T.conj()),
        _fixed("SX", 1, _SX),
        _fixed("SXDG", 1, _SX.conj().T),
        _turning("RX", 1, rotation(_X), 1.0),
        _turning("RY", 1, rotation(_Y), 1.0),
        _turning("RZ", 1, rotation(_Z), 1.0),
        _turning("P", 1, _phase, 1.0),
        Gate("U", 1, 3, _u, parts=(("RZ", 2), ("RY", 0), ("RZ", 1))),
        _fixed("CX", 2, controlled(_X)),
        _fixed("CZ", 2, controlled(_Z)),
        _fixed("SWAP", 2, _SWAP),
        _fixed("ECR", 2, _ECR),
        _turning("CRX", 2, _controlled_rotation(_X), 0.5, 1.0),
        _turning("CRY", 2, _controlled_rotation(_Y), 0.5, 1.0),
        _turning("CRZ", 2, _controlled_rotation(_Z), 0.5, 1.0),
        _turning("CP", 2, lambda theta: controlled(_phase(theta)), 1.0),
        _turning("RXX", 2, rotation(np.kron(_X, _X)), 1.0),
        _turning("RYY", 2, rotation(np.kron(_Y, _Y)), 1.0),
        _turning("RZZ", 2, rotation(np.kron(_Z, _Z)), 1.0),
    )
}
