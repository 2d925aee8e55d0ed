"""The 19 circuit templates of Sim, Johnson and Aspuru-Guzik, for any number of qubits.

Source: Sim et al., "Expressibility and entangling capability of parameterized quantum circuits
for hybrid quantum-classical algorithms", Advanced Quantum Technologies 2, 1900070 (2019),
arXiv 1905.10876, figure 2. The figure shows four qubits; we draw its top line as wire 0. How we
continue the pictures to other sizes, and how the circuits compare with the published numbers, is
written in ``design/ansatze.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.ansatze.ansatz import check_size, numbered
from bezoar.quantum.circuit import Circuit

Wires = Iterator[tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCircuit:
    """Circuit `number` of Sim et al. 2019.

    One qubit has no partner: entangling gates drop out. Two qubits have one edge, so the ring of
    CZ gates of circuit 10 is a single gate there, not two that cancel.

    Attributes:
        number: 1 to 19.

    Raises:
        InvalidArgument: another number.

    Example:
        >>> print(SIM_11.circuit(3, 1).draw())
        0: -RY(t0)-RZ(t3)-X-----------------
        1: -RY(t1)-RZ(t4)-*-RY(t6)-RZ(t7)-X-
        2: -RY(t2)-RZ(t5)-----------------*-
    """

    number: int

    def __post_init__(self) -> None:
        if self.number not in _LAYERS:
            raise InvalidArgument("number", wanted="a circuit from 1 to 19", got=self.number)

    @property
    def name(self) -> str:
        """``sim-`` and the number."""
        return f"sim-{self.number}"

    @property
    def description(self) -> str:
        """One line for lists."""
        return f"Circuit {self.number} of Sim et al. 2019."

    def circuit(self, n_qubits: int, n_layers: int) -> Circuit:
        """`n_layers` repetitions of the template on `n_qubits` qubits.

        Raises:
            InvalidArgument: fewer than one qubit or layer.
        """
        check_size(n_qubits, n_layers)
        start = _built(n_qubits, _STARTS.get(self.number, ()))
        layers = _built(n_qubits, _LAYERS[self.number]).repeated(n_layers)
        return start.then(layers.shifted(start.n_parameters))


def _built(n_qubits: int, recipe: Recipe) -> Circuit:
    return numbered(
        n_qubits, ((gate, wires) for place, gate in recipe for wires in place(n_qubits))
    )


def _each(n: int) -> Wires:
    return ((i,) for i in range(n))


def _inner(n: int) -> Wires:
    return ((i,) for i in range(1, n - 1))


def _ladder(n: int) -> Wires:
    """Each qubit controls its upper neighbour, from the bottom up."""
    return ((i, i - 1) for i in range(n - 1, 0, -1))


def _even(n: int) -> Wires:
    return ((i + 1, i) for i in range(0, n - 1, 2))


def _odd(n: int) -> Wires:
    return ((i + 1, i) for i in range(1, n - 1, 2))


def _all_ordered(n: int) -> Wires:
    return ((c, t) for c in range(n - 1, -1, -1) for t in range(n - 1, -1, -1) if c != t)


def _ring(n: int) -> Wires:
    return _strides(n, 1)


def _edges(n: int) -> Wires:
    """The ring without directions, for CZ: two qubits have one edge."""
    return iter([(1, 0)]) if n == 2 else _ring(n)


def _third_ring(n: int) -> Wires:
    """The second ring of circuits 13 to 15: a control reaches three wires on, modulo n.

    On three qubits that would be the control itself; there we go one wire back, which is what
    three wires on means on the four qubits of the figure.
    """
    return _strides(n, 3 if n != 3 else 2)


def _strides(n: int, stride: int) -> Wires:
    """From control n-1 on, each gate's control reaches `stride` on and is the next one's target."""
    if stride % n == 0:
        return
    control = n - 1
    while True:
        yield control, (control + stride) % n
        control = (control - stride) % n
        if control == n - 1:
            return


Recipe = tuple[tuple[Callable[[int], Wires], str], ...]

_X_Z: Recipe = ((_each, "RX"), (_each, "RZ"))
_Y_Z: Recipe = ((_each, "RY"), (_each, "RZ"))
_INNER_Y_Z: Recipe = ((_inner, "RY"), (_inner, "RZ"))
_Y: Recipe = ((_each, "RY"),)

_STARTS: dict[int, Recipe] = {10: _Y}
_LAYERS: dict[int, Recipe] = {
    1: _X_Z,
    2: (*_X_Z, (_ladder, "CX")),
    3: (*_X_Z, (_ladder, "CRZ")),
    4: (*_X_Z, (_ladder, "CRX")),
    5: (*_X_Z, (_all_ordered, "CRZ"), *_X_Z),
    6: (*_X_Z, (_all_ordered, "CRX"), *_X_Z),
    7: (*_X_Z, (_even, "CRZ"), *_X_Z, (_odd, "CRZ")),
    8: (*_X_Z, (_even, "CRX"), *_X_Z, (_odd, "CRX")),
    9: ((_each, "H"), (_ladder, "CZ"), (_each, "RX")),
    10: ((_edges, "CZ"), *_Y),
    11: (*_Y_Z, (_even, "CX"), *_INNER_Y_Z, (_odd, "CX")),
    12: (*_Y_Z, (_even, "CZ"), *_INNER_Y_Z, (_odd, "CZ")),
    13: (*_Y, (_ring, "CRZ"), *_Y, (_third_ring, "CRZ")),
    14: (*_Y, (_ring, "CRX"), *_Y, (_third_ring, "CRX")),
    15: (*_Y, (_ring, "CX"), *_Y, (_third_ring, "CX")),
    16: (*_X_Z, (_even, "CRZ"), (_odd, "CRZ")),
    17: (*_X_Z, (_even, "CRX"), (_odd, "CRX")),
    18: (*_X_Z, (_ring, "CRZ")),
    19: (*_X_Z, (_ring, "CRX")),
}

SIM_1 = SimCircuit(number=1)
SIM_2 = SimCircuit(number=2)
SIM_3 = SimCircuit(number=3)
SIM_4 = SimCircuit(number=4)
SIM_5 = SimCircuit(number=5)
SIM_6 = SimCircuit(number=6)
SIM_7 = SimCircuit(number=7)
SIM_8 = SimCircuit(number=8)
SIM_9 = SimCircuit(number=9)
SIM_10 = SimCircuit(number=10)
SIM_11 = SimCircuit(number=11)
SIM_12 = SimCircuit(number=12)
SIM_13 = SimCircuit(number=13)
SIM_14 = SimCircuit(number=14)
SIM_15 = SimCircuit(number=15)
SIM_16 = SimCircuit(number=16)
SIM_17 = SimCircuit(number=17)
SIM_18 = SimCircuit(number=18)
SIM_19 = SimCircuit(number=19)
