"""Approximate synthesis: fewer two-qubit gates and coarser angles, at a stated distance.

Compilers for noisy devices trade exactness for fewer error-prone gates. This is the plainest such
step, and one whose error is known: it drops weak two-qubit rotations and rounds angles.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Operation, Parameter
from bezoar.quantum.engines.reference import gate_matrix
from bezoar.quantum.gates import STATE_PREPARATION

Floats = npt.NDArray[np.float64]

# The angle after which a gate is the identity again, up to a global phase.
PERIODS = {
    **dict.fromkeys(("CRX", "CRY", "CRZ"), 4 * math.pi),
    **dict.fromkeys(("RXX", "RYY", "RZZ", "CP"), 2 * math.pi),
}
_MOST_QUBITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesised:
    """A circuit after approximate synthesis.

    Attributes:
        circuit: without the dropped gates, parameters renumbered.
        theta: its parameters, radians, ``(parameter,)``.
        dropped: positions, in the exact circuit, of the operations that were dropped.
        bound: what the operator norm of the difference of the trained parts is at most, up to a
            global phase: the sum over all changed gates.
    """

    circuit: Circuit
    theta: Floats
    dropped: tuple[int, ...]
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproximateSynthesis:
    """Drops weak trained two-qubit rotations, then rounds what is left.

    A rotation of two qubits (CRX, CRY, CRZ, CP, RXX, RYY, RZZ) whose angle is within `threshold`
    of a multiple of its period is replaced by the identity. Its error is at most
    ``2 sin(threshold / 4)`` in operator norm, up to a global phase. Then, with `bits`, every
    trained angle is rounded to a multiple of ``2 pi / 2**bits``, as in a controller of that
    resolution. Encoding, fixed gates and the linear layer stay.

    Approximate synthesis of whole blocks (BQSKit, QEst) searches for a new circuit within a
    budget; here the gates are those of the old one, so that each error is known. Source of the
    idea that the difference can be weaponised: QDoor (Chu et al., arXiv 2307.09529).

    Attributes:
        threshold: radians, in [0, pi).
        bits: of an angle, 1 to 30; None rounds nothing.

    Raises:
        InvalidArgument: a number out of range.

    Example:
        >>> pair = Circuit(2, (Operation("CRX", (0, 1), (Parameter(0),)),
        ...                    Operation("CRX", (1, 0), (Parameter(1),))))
        >>> found = ApproximateSynthesis(threshold=0.3).apply(pair, [0.2, 0.8])
        >>> found.dropped, found.theta.tolist(), round(found.bound, 3)
        ((0,), [0.8], 0.1)
    """

    threshold: float = 0.3
    bits: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < math.pi:
            raise InvalidArgument("threshold", wanted="radians in [0, pi)", got=self.threshold)
        if self.bits is not None and not 1 <= self.bits <= 30:
            raise InvalidArgument("bits", wanted="1 to 30, or None", got=self.bits)

    @property
    def grid(self) -> float | None:
        """The spacing of rounded angles, radians; None without rounding."""
        return None if self.bits is None else 2 * math.pi / 2**self.bits

    def apply(self, circuit: Circuit, theta: npt.ArrayLike) -> Synthesised:
        """The approximated circuit.

        Args:
            circuit: encoding and trained part.
            theta: ``(parameter,)``, radians.

        Raises:
            InvalidArgument: another number of parameters, angles that are not finite, or a gate
                that both data and training turn.
        """
        values = checked_angles(circuit, theta)
        if any(op.uses_features and op.uses_parameters for op in circuit.operations):
            raise InvalidArgument(
                "circuit",
                wanted="gates that either the data or training turns",
                got="a gate that both turn",
            )
        rounded = self._rounded(values)
        kept: list[Operation] = []
        dropped: list[int] = []
        bound = 0.0
        for position, operation in enumerate(circuit.operations):
            if self._drops(operation, values):
                dropped.append(position)
                bound += _norm(operation, values, None)
                continue
            kept.append(operation)
            if operation.uses_parameters and self.bits is not None:
                bound += _norm(operation, values, rounded)
        short, used = _renumbered(replace(circuit, operations=tuple(kept)))
        return Synthesised(
            circuit=short, theta=rounded[used], dropped=tuple(dropped), bound=float(bound)
        )

    def _drops(self, operation: Operation, theta: Floats) -> bool:
        angle = operation.angles[0] if operation.angles else None
        if operation.gate not in PERIODS or not isinstance(angle, Parameter):
            return False
        period = PERIODS[operation.gate]
        return bool(abs(math.remainder(angle.scale * theta[angle.index], period)) <= self.threshold)

    def _rounded(self, theta: Floats) -> Floats:
        return theta if self.grid is None else np.round(theta / self.grid) * self.grid


def checked_angles(circuit: Circuit, theta: npt.ArrayLike) -> Floats:
    """`theta` as an array, if it fits the circuit.

    Raises:
        InvalidArgument: it does not, or is not finite.
    """
    values = np.asarray(theta, dtype=np.float64)
    if values.shape != (circuit.n_parameters,) or not np.isfinite(values).all():
        raise InvalidArgument(
            "theta",
            wanted=f"{circuit.n_parameters} finite numbers, one for each parameter",
            got=f"shape {values.shape}{'' if np.isfinite(values).all() else ', not all finite'}",
        )
    return values


def used_once(circuit: Circuit) -> dict[int, Operation]:
    """The operation of each parameter, for circuits where no parameter turns two gates.

    Raises:
        InvalidArgument: a parameter that turns several gates, none, or is scaled.
    """
    counts: Counter[int] = Counter()
    owner: dict[int, Operation] = {}
    for operation in circuit.operations:
        for angle in operation.angles:
            if isinstance(angle, Parameter):
                counts[angle.index] += 1
                owner[angle.index] = operation
                if angle.scale != 1:
                    counts[angle.index] += 1
    if any(counts[i] != 1 for i in range(circuit.n_parameters)):
        raise InvalidArgument(
            "circuit",
            wanted="one gate for each parameter, its angle not scaled",
            got="a parameter that several gates share, or a scaled one",
            mend="use an ansatz as it is, before any device",
        )
    return owner


def unitary_of(
    circuit: Circuit, theta: npt.ArrayLike = (), features: npt.ArrayLike = ()
) -> npt.NDArray[np.complex128]:
    """The matrix ``(2**n, 2**n)`` of the circuit, wire 0 leftmost, without noise.

    Args:
        circuit: without STATE.
        theta: ``(parameter,)``, radians.
        features: ``(feature,)``, radians.

    Raises:
        InvalidArgument: a circuit that has no unitary, or one of more than 10 qubits.
    """
    n = circuit.n_qubits
    if n > _MOST_QUBITS:
        raise InvalidArgument("circuit", wanted=f"at most {_MOST_QUBITS} qubits", got=n)
    if any(operation.gate == STATE_PREPARATION for operation in circuit.operations):
        raise InvalidArgument(
            "circuit", wanted="gates alone", got="STATE", mend="compare what follows the encoding"
        )
    values = checked_angles(circuit, theta)
    x = np.asarray(features, dtype=np.float64)
    if x.shape != (circuit.n_features,):
        raise InvalidArgument("features", wanted=f"shape ({circuit.n_features},)", got=x.shape)
    tensor = np.eye(2**n, dtype=complex).reshape((2,) * n + (-1,))
    for operation in circuit.operations:
        k = len(operation.wires)
        gate = gate_matrix(operation, x, values, 1.0).reshape((2,) * (2 * k))
        tensor = np.tensordot(gate, tensor, axes=(range(k, 2 * k), operation.wires))
        tensor = np.moveaxis(tensor, range(k), operation.wires)
    return tensor.reshape(2**n, 2**n)


def unitary_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """``sqrt(1 - |Tr(A* B)|**2 / d**2)``, the Hilbert-Schmidt distance of synthesis tools.

    0 for equal unitaries up to a global phase, 1 for orthogonal ones; its square is
    ``(d + 1) / d`` times the average infidelity over pure states.

    Args:
        a, b: unitaries ``(d, d)``.

    Example:
        >>> flip = [[0, 1], [1, 0]]
        >>> unitary_distance(np.eye(2), 1j * np.eye(2)), unitary_distance(np.eye(2), flip)
        (0.0, 1.0)
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape:
        raise InvalidArgument("b", wanted=f"shape {first.shape}", got=second.shape)
    inner = np.vdot(second, first)
    phase = inner / abs(inner) if inner else 1.0
    # 1 - |Tr| / d from a difference of matrices keeps its digits where the two are close.
    lack = float(np.linalg.norm(first - phase * second) ** 2) / (2 * len(first))
    return float(math.sqrt(min(1.0, lack * (2 - lack))))


def _norm(operation: Operation, theta: Floats, rounded: Floats | None) -> float:
    """Operator norm of what changes, up to a global phase."""
    exact = gate_matrix(operation, np.empty(0), theta, 1.0)
    new = np.eye(len(exact)) if rounded is None else gate_matrix(operation, np.empty(0), rounded, 1)
    phases = np.sort(np.angle(np.linalg.eigvals(new.conj().T @ exact)))
    # The shortest arc that holds all eigenvalues: everything but the widest gap between them.
    gaps = np.append(np.diff(phases), phases[0] + 2 * math.pi - phases[-1])
    arc = 2 * math.pi - gaps.max()
    return float(2 * math.sin(min(arc, 2 * math.pi) / 4))


def _renumbered(circuit: Circuit) -> tuple[Circuit, npt.NDArray[np.intp]]:
    """The circuit with parameters 0, 1, ... in the old order, and which old ones they are."""
    used = sorted(
        {a.index for op in circuit.operations for a in op.angles if isinstance(a, Parameter)}
    )
    new = {old: position for position, old in enumerate(used)}
    operations = tuple(
        replace(
            op,
            angles=tuple(
                replace(a, index=new[a.index]) if isinstance(a, Parameter) else a for a in op.angles
            ),
        )
        for op in circuit.operations
    )
    return replace(circuit, operations=operations), np.array(used, dtype=np.intp)
