"""Which pairs of qubits an entangling layer joins."""

from __future__ import annotations

from typing import Literal, get_args

from bezoar.contracts.errors import UnknownName

Entanglement = Literal["full", "linear", "reverse_linear", "circular"]
PATTERNS: tuple[str, ...] = get_args(Entanglement)


def pairs(entanglement: str, n_qubits: int) -> tuple[tuple[int, int], ...]:
    """The pairs (control, target) in time order; none for one qubit.

    ``full`` joins every pair ``i < j``, ``linear`` neighbours from wire 0 on, ``reverse_linear``
    the same from the last wire on, ``circular`` the last wire with wire 0 and then neighbours.
    Names and order are Qiskit's.

    Raises:
        UnknownName: another pattern.

    Example:
        >>> pairs("circular", 3)
        ((2, 0), (0, 1), (1, 2))
    """
    check_pattern(entanglement)
    neighbours = tuple((i, i + 1) for i in range(n_qubits - 1))
    if entanglement == "full":
        return tuple((i, j) for i in range(n_qubits) for j in range(i + 1, n_qubits))
    if entanglement == "reverse_linear":
        return neighbours[::-1]
    if entanglement == "circular" and n_qubits > 2:
        return ((n_qubits - 1, 0), *neighbours)
    return neighbours


def check_pattern(entanglement: str) -> None:
    """Refuses a pattern that is not known.

    Raises:
        UnknownName: it is not.
    """
    if entanglement not in PATTERNS:
        raise UnknownName("entanglement", entanglement, PATTERNS)
