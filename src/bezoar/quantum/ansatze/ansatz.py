"""What every ansatz offers: a circuit of trainable gates for a number of qubits and layers."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Protocol, runtime_checkable

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Operation, Parameter
from bezoar.quantum.gates import gate_named

Gates = list[tuple[str, tuple[int, ...]]]


@runtime_checkable
class Ansatz(Protocol):
    """A family of trainable circuits."""

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    def circuit(self, n_qubits: int, n_layers: int) -> Circuit:
        """The trainable circuit; its angles are parameters 0, 1, ... in time order.

        Raises:
            InvalidArgument: fewer than one qubit or layer.
        """
        ...


def check_size(n_qubits: int, n_layers: int) -> None:
    """Refuses what no ansatz can be made of.

    Raises:
        InvalidArgument: either number is not a whole number of 1 or more.
    """
    for name, value in (("n_qubits", n_qubits), ("n_layers", n_layers)):
        if not isinstance(value, Integral) or value < 1:
            raise InvalidArgument(name, wanted="a whole number, 1 or more", got=value)


def numbered(n_qubits: int, gates: Iterable[tuple[str, tuple[int, ...]]]) -> Circuit:
    """The circuit of these gates in time order, each of their angles a parameter of its own."""
    operations: list[Operation] = []
    used = 0
    for gate, wires in gates:
        n_angles = gate_named(gate).n_angles
        angles = tuple(Parameter(used + i) for i in range(n_angles))
        operations.append(Operation(gate, wires, angles))
        used += n_angles
    return Circuit(n_qubits, tuple(operations))
