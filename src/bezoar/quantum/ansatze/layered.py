"""Ansatze that alternate rotations of every qubit with a layer of CX."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.quantum.ansatze.ansatz import Gates, check_size, numbered
from bezoar.quantum.circuit import Circuit, Operation, Parameter
from bezoar.quantum.entanglement import Entanglement, check_pattern, pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class StronglyEntangling:
    """A general rotation of every qubit, then a ring of CX that reaches further in each layer.

    Layer l (from 0) joins wire i to wire ``(i + r) mod n`` with ``r = l mod (n - 1) + 1``.
    ``3 n`` parameters per layer. One qubit has no ring.

    Source: Schuld et al., arXiv 1804.00633, in the form of PennyLane's
    ``StronglyEntanglingLayers``: its weights ``(layer, wire, 3)``, flattened, are our parameters.
    Its Rot(phi, theta, omega) is our U(theta, omega, phi), which differs by a global phase.

    Example:
        >>> print(STRONGLY_ENTANGLING.circuit(2, 1).draw())
        0: -U(t1,t2,t0)-*-X-
        1: -U(t4,t5,t3)-X-*-
    """

    @property
    def name(self) -> str:
        """``strongly-entangling``."""
        return "strongly-entangling"

    def circuit(self, n_qubits: int, n_layers: int) -> Circuit:
        """`n_layers` rotations and rings.

        Raises:
            InvalidArgument: fewer than one qubit or layer.
        """
        check_size(n_qubits, n_layers)
        operations: list[Operation] = []
        for layer in range(n_layers):
            for wire in range(n_qubits):
                first = 3 * (layer * n_qubits + wire)
                phi, theta, omega = (Parameter(first + k) for k in range(3))
                operations.append(Operation("U", (wire,), (theta, omega, phi)))
            if n_qubits > 1:
                reach = layer % (n_qubits - 1) + 1
                operations += [
                    Operation("CX", (i, (i + reach) % n_qubits)) for i in range(n_qubits)
                ]
        return Circuit(n_qubits, tuple(operations))


@dataclass(frozen=True, slots=True, kw_only=True)
class RealAmplitudes:
    """RY on every qubit, then per layer CX on the pairs of `entanglement` and RY again.

    Amplitudes stay real. ``n (L + 1)`` parameters; `n_layers` is Qiskit's ``reps``.

    Attributes:
        entanglement: which pairs, see `bezoar.quantum.entanglement.pairs`.

    Raises:
        UnknownName: another pattern.

    Source: Qiskit's ``real_amplitudes``, wire i being its qubit i.

    Example:
        >>> print(REAL_AMPLITUDES.circuit(3, 1).draw())
        0: -RY(t0)---*-RY(t3)-
        1: -RY(t1)-*-X-RY(t4)-
        2: -RY(t2)-X---RY(t5)-
    """

    entanglement: Entanglement = "reverse_linear"

    def __post_init__(self) -> None:
        check_pattern(self.entanglement)

    @property
    def name(self) -> str:
        """``real-amplitudes``."""
        return "real-amplitudes"

    def circuit(self, n_qubits: int, n_layers: int) -> Circuit:
        """The start and `n_layers` layers.

        Raises:
            InvalidArgument: fewer than one qubit or layer.
        """
        return _two_local(("RY",), self.entanglement, n_qubits, n_layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientSU2:
    """RY and RZ on every qubit, then per layer CX on the pairs of `entanglement` and both again.

    ``2 n (L + 1)`` parameters; `n_layers` is Qiskit's ``reps``.

    Attributes:
        entanglement: which pairs, see `bezoar.quantum.entanglement.pairs`.

    Raises:
        UnknownName: another pattern.

    Source: Qiskit's ``efficient_su2``, wire i being its qubit i.

    Example:
        >>> print(EFFICIENT_SU2.circuit(2, 1).draw())
        0: -RY(t0)-RZ(t2)-*-RY(t4)-RZ(t6)-
        1: -RY(t1)-RZ(t3)-X-RY(t5)-RZ(t7)-
    """

    entanglement: Entanglement = "reverse_linear"

    def __post_init__(self) -> None:
        check_pattern(self.entanglement)

    @property
    def name(self) -> str:
        """``efficient-su2``."""
        return "efficient-su2"

    def circuit(self, n_qubits: int, n_layers: int) -> Circuit:
        """The start and `n_layers` layers.

        Raises:
            InvalidArgument: fewer than one qubit or layer.
        """
        return _two_local(("RY", "RZ"), self.entanglement, n_qubits, n_layers)


def _two_local(
    rotations: tuple[str, ...], entanglement: str, n_qubits: int, n_layers: int
) -> Circuit:
    check_size(n_qubits, n_layers)
    turns: Gates = [(gate, (i,)) for gate in rotations for i in range(n_qubits)]
    joins: Gates = [("CX", pair) for pair in pairs(entanglement, n_qubits)]
    return numbered(n_qubits, turns + (joins + turns) * n_layers)


STRONGLY_ENTANGLING = StronglyEntangling()
REAL_AMPLITUDES = RealAmplitudes()
EFFICIENT_SU2 = EfficientSU2()
