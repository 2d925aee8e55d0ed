"""Channels: what a gate does besides what it should, each by its Kraus operators.

A channel is a completely positive, trace-preserving map. Every engine makes what it needs from the
Kraus operators, so that no engine has a noise convention of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.gates import PAULIS, ComplexArray

_I, _X, _Y, _Z = (PAULIS[name] for name in "IXYZ")
# Kraus operators that come from elsewhere may be rounded this much.
_TRACE_TOLERANCE = 1e-8


class Channel(Protocol):
    """A channel on one qubit, or on two."""

    def kraus(self) -> tuple[ComplexArray, ...]:
        """Operators ``K_i`` of shape ``(2**k, 2**k)`` on k qubits with ``sum_i K_i* K_i = 1``.

        Of two qubits, the first is the slower index.
        """
        ...


@dataclass(frozen=True, slots=True)
class AmplitudeDamping:
    """Decay from 1 to 0 with probability `gamma` (T1)."""

    gamma: float

    def __post_init__(self) -> None:
        check_fraction("gamma", self.gamma)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``diag(1, sqrt(1-gamma))`` and ``sqrt(gamma) |0><1|``."""
        return (
            np.diag([1, math.sqrt(1 - self.gamma)]).astype(complex),
            np.array([[0, math.sqrt(self.gamma)], [0, 0]], dtype=complex),
        )


@dataclass(frozen=True, slots=True)
class PhaseDamping:
    """Loss of phase with probability `gamma`; coherences shrink by ``sqrt(1 - gamma)``."""

    gamma: float

    def __post_init__(self) -> None:
        check_fraction("gamma", self.gamma)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``diag(1, sqrt(1-gamma))`` and ``sqrt(gamma) |1><1|``."""
        return (
            np.diag([1, math.sqrt(1 - self.gamma)]).astype(complex),
            np.diag([0, math.sqrt(self.gamma)]).astype(complex),
        )


@dataclass(frozen=True, slots=True)
class Depolarizing:
    """Shrinks the Bloch vector by a factor; `p` means different things to different people.

    With ``convention="pennylane"`` a Pauli error X, Y or Z happens with probability ``p / 3`` each
    and the Bloch vector shrinks by ``1 - 4 p / 3``. With ``"qiskit"`` the state is replaced by the
    maximally mixed one with probability ``p``, and it shrinks by ``1 - p``.
    """

    p: float
    convention: Literal["pennylane", "qiskit"] = "pennylane"

    def __post_init__(self) -> None:
        check_fraction("p", self.p)
        if self.convention not in ("pennylane", "qiskit"):
            raise InvalidArgument("convention", wanted="pennylane or qiskit", got=self.convention)

    @property
    def shrink(self) -> float:
        """The factor on the Bloch vector."""
        return 1 - (4 / 3 if self.convention == "pennylane" else 1) * self.p

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-q) 1`` and ``sqrt(q/3) P`` for each Pauli, with ``q = 3 (1 - shrink) / 4``."""
        q = 0.75 * (1 - self.shrink)
        side = math.sqrt(q / 3)
        return (math.sqrt(1 - q) * _I, side * _X, side * _Y, side * _Z)


@dataclass(frozen=True, slots=True)
class BitFlip:
    """X with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        check_fraction("p", self.p)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-p) 1`` and ``sqrt(p) X``."""
        return (math.sqrt(1 - self.p) * _I, math.sqrt(self.p) * _X)


@dataclass(frozen=True, slots=True)
class PhaseFlip:
    """Z with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        check_fraction("p", self.p)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(1-p) 1`` and ``sqrt(p) Z``."""
        return (math.sqrt(1 - self.p) * _I, math.sqrt(self.p) * _Z)


@dataclass(frozen=True, slots=True)
class ThermalRelaxation:
    """What `duration` does to an idle qubit with relaxation `t1` and dephasing `t2`.

    Populations move to the excited-state population `excited` by ``1 - exp(-duration / t1)``;
    coherences shrink by ``exp(-duration / t2)``. The three times share one unit.

    Raises:
        InvalidArgument: ``t2 > 2 t1``, which no physical process does, or a time out of range.
    """

    t1: float
    t2: float
    duration: float
    excited: float = 0.0

    def __post_init__(self) -> None:
        check_fraction("excited", self.excited)
        if not (self.t1 > 0 and self.t2 > 0 and 0 <= self.duration < math.inf):
            raise InvalidArgument(
                "t1, t2, duration",
                wanted="positive times and a finite duration of 0 or more",
                got=(self.t1, self.t2, self.duration),
            )
        if self.t2 > 2 * self.t1 * (1 + 1e-12):
            raise InvalidArgument("t2", wanted=f"at most 2 t1 = {2 * self.t1:g}", got=self.t2)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """From the eigenvectors of the Choi matrix."""
        reset = -math.expm1(-self.duration / self.t1)
        coherence = math.exp(-self.duration / self.t2)
        down, up = reset * (1 - self.excited), reset * self.excited
        choi = np.diag([1 - up, up, down, 1 - down])
        choi[0, 3] = choi[3, 0] = coherence
        values, vectors = np.linalg.eigh(choi)
        return tuple(
            math.sqrt(value) * vectors[:, i].reshape(2, 2).T.astype(complex)
            for i, value in enumerate(values)
            if value > 1e-15
        )


@dataclass(frozen=True, slots=True)
class CoherentRotation:
    """A calibration error: the rotation ``exp(-i angle P / 2)`` about `axis` after the gate.

    Over-rotation of a rotation gate is this channel with the gate's own axis.
    """

    angle: float
    axis: Literal["X", "Y", "Z"] = "X"

    def __post_init__(self) -> None:
        if self.axis not in ("X", "Y", "Z") or not math.isfinite(self.angle):
            raise InvalidArgument(
                "axis and angle",
                wanted="X, Y or Z and a finite angle",
                got=(self.axis, self.angle),
            )

    def kraus(self) -> tuple[ComplexArray, ...]:
        """One unitary."""
        half = self.angle / 2
        return (math.cos(half) * _I - 1j * math.sin(half) * PAULIS[self.axis],)


@dataclass(frozen=True, slots=True)
class TwoQubitDepolarizing:
    """Replaces the state of two qubits by the mixed one with probability `p` (Qiskit's p).

    All 15 Pauli strings but the identity shrink by ``1 - p``; it is a channel up to
    ``p = 16 / 15``. Unlike `Depolarizing` on both qubits it strikes them together.
    """

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 16 / 15:
            raise InvalidArgument("p", wanted="a number in [0, 16/15]", got=self.p)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """``sqrt(p / 16) P Q`` for each pair of Paulis but ``sqrt(1 - 15 p / 16)`` for I I."""
        weights = [max(0.0, 1 - 15 / 16 * self.p), *[self.p / 16] * 15]
        strings = pauli_basis(4)
        return tuple(math.sqrt(w) * s for w, s in zip(weights, strings, strict=True))


@dataclass(frozen=True, slots=True)
class KrausChannel:
    """Any channel on one or two qubits, by the numbers of its Kraus operators.

    Make one from matrices with `KrausChannel.of`. Two nested tuples hold the real and imaginary
    parts ``(operator, row, column)``, so that the numbers are hashable and JSON can say them.

    Raises:
        InvalidArgument: the operators are not square of side 2 or 4, or ``sum_i K_i* K_i`` is not
            the identity to 1e-8.

    Example:
        >>> KrausChannel.of([np.diag([1, 0]), np.diag([0, 1])]).kraus()[1].real
        array([[0., 0.],
               [0., 1.]])
    """

    real: tuple[tuple[tuple[float, ...], ...], ...]
    imag: tuple[tuple[tuple[float, ...], ...], ...]

    def __post_init__(self) -> None:
        try:
            operators = np.asarray(self.real, dtype=float) + 1j * np.asarray(self.imag, dtype=float)
        except (TypeError, ValueError) as error:
            raise InvalidArgument("operators", wanted="matrices", got=str(error)) from error
        if operators.ndim != 3 or operators.shape[1:] not in ((2, 2), (4, 4)):
            raise InvalidArgument(
                "operators",
                wanted="shape (operator, 2, 2) or (operator, 4, 4)",
                got=operators.shape,
            )
        total = np.einsum("kba,kbc->ac", operators.conj(), operators)
        off = float(np.abs(total - np.eye(len(total))).max())
        if not off < _TRACE_TOLERANCE:  # also refuses NaN
            raise InvalidArgument(
                "operators", wanted="sum_i K_i* K_i = 1 (trace preserved)", got=f"off by {off:.2g}"
            )

    @classmethod
    def of(cls, operators: Iterable[npt.ArrayLike]) -> KrausChannel:
        """The channel of Kraus operators ``(2**k, 2**k)`` each.

        Raises:
            InvalidArgument: as the class.
        """
        arrays: list[ComplexArray] = [np.atleast_2d(operator) for operator in operators]
        real, imag = (
            tuple(tuple(tuple(map(float, row)) for row in part(array)) for array in arrays)
            for part in (np.real, np.imag)
        )
        return cls(real, imag)

    def kraus(self) -> tuple[ComplexArray, ...]:
        """The operators."""
        return tuple(np.array(self.real) + 1j * np.array(self.imag))


def is_identity(channel: Channel) -> bool:
    """Whether the channel does nothing, up to a phase."""
    matrix = transfer_matrix(channel.kraus())
    return bool(np.abs(matrix - np.eye(len(matrix))).max() < 1e-15)


def n_wires(channel: Channel) -> int:
    """On how many qubits the channel acts."""
    return (channel.kraus()[0].shape[0] - 1).bit_length()


def transfer_matrix(kraus: tuple[ComplexArray, ...]) -> np.ndarray:
    """The real Pauli transfer matrix ``R[i, j] = Tr(P_i sum_k K P_j K*) / d``, ``(d^2, d^2)``.

    ``P`` runs over Pauli strings in the order I, X, Y, Z per wire, first wire slowest.
    """
    basis = pauli_basis(kraus[0].shape[0])
    moved = sum(np.einsum("ab,jbc,dc->jad", k, basis, k.conj()) for k in kraus)
    return np.einsum("iab,jba->ij", basis, moved).real / kraus[0].shape[0]


def pauli_basis(dimension: int) -> ComplexArray:
    """All Pauli strings on ``log2(dimension)`` wires, ``(dimension**2, dimension, dimension)``."""
    basis = np.ones((1, 1, 1), dtype=complex)
    one = np.stack([_I, _X, _Y, _Z])
    while basis.shape[1] < dimension:
        size = 2 * basis.shape[1]
        basis = np.einsum("iab,jcd->ijacbd", basis, one).reshape(-1, size, size)
    return basis


def describe_channel(channel: Channel) -> dict[str, object]:
    """The channel's name and settings as JSON values."""
    settings = {f.name: getattr(channel, f.name) for f in fields(channel)}  # pyright: ignore[reportArgumentType]
    return {"channel": type(channel).__name__, **settings}


def check_fraction(name: str, value: float) -> None:
    """Refuses what is no probability.

    Raises:
        InvalidArgument: naming `name`.
    """
    if not 0 <= value <= 1:
        raise InvalidArgument(name, wanted="a probability in [0, 1]", got=value)
