"""Gates that make an encoding blind: each data gate finds an eigenstate and only adds a phase."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.engines.reference import gate_matrix
from bezoar.quantum.gates import ComplexArray

State = ComplexArray

_ZERO = np.array([1, 0], dtype=complex)
_PLUS = np.array([1, 1], dtype=complex) / math.sqrt(2)
_PLUS_I = np.array([1, 1j], dtype=complex) / math.sqrt(2)
# The state of each wire that the gate leaves as it is, whatever its angle; None for any.
_EIGENSTATES: dict[str, tuple[State | None, ...]] = {
    "RX": (_PLUS,),
    "RY": (_PLUS_I,),
    "RZ": (_ZERO,),
    "P": (_ZERO,),
    "CRX": (_ZERO, None),
    "CRY": (_ZERO, None),
    "CRZ": (_ZERO, None),
    "CP": (_ZERO, None),
    "RXX": (_PLUS, _PLUS),
    "RYY": (_PLUS_I, _PLUS_I),
    "RZZ": (_ZERO, _ZERO),
}
_SAME = 1e-9
_UNENTANGLED = 1e-12


@dataclass(slots=True, eq=False)
class Blinding:
    """An encoding with inserted gates after which the chosen wires do not depend on the data.

    Attributes:
        operations: in time order, the victim's and the inserted ones.
        inserted: positions of the inserted ones.
        states: the pure state of each chosen wire at the end, ``(2,)``.
    """

    operations: list[Operation] = field(default_factory=list)
    inserted: list[int] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)

    def insert(self, operation: Operation) -> None:
        """Adds a gate of the attacker."""
        self.inserted.append(len(self.operations))
        self.operations.append(operation)

    def bring(self, wire: int, state: State | None) -> None:
        """Inserts the rotation of `wire` to `state`, unless it is there already."""
        if state is None or abs(abs(np.vdot(state, self.states[wire])) - 1) < _SAME:
            return
        self.insert(Operation("U", (wire,), rotation_between(self.states[wire], state)))
        self.states[wire] = state


def blind(encoding: Circuit, theta: npt.ArrayLike, wires: tuple[int, ...]) -> Blinding:
    """Inserts a rotation before each data gate on `wires` that does not find its eigenstate yet.

    Args:
        encoding: the victim's circuit up to its last use of the data.
        theta: parameters of the victim, for circuits that train before the data is in.
        wires: which wires to blind; all, unless no gate of the encoding joins two.

    Raises:
        InvalidArgument: amplitudes (STATE), which no gate before or after can make constant; a gate
            without a known eigenstate; a gate that joins a blinded wire to another.
    """
    values = np.asarray(theta, dtype=np.float64)
    found = Blinding(states=dict.fromkeys(wires, _ZERO))
    for operation in encoding.operations:
        touched = [wire for wire in operation.wires if wire in found.states]
        if not touched:
            found.operations.append(operation)
            continue
        if operation.uses_features:
            _meet_data(found, operation, touched)
        else:
            _meet_constant(found, operation, values, touched)
    return found


def rotation_between(start: State, end: State) -> tuple[float, float, float]:
    """Angles of the gate U that takes `start` to `end`, up to a global phase.

    Example:
        >>> [round(a, 4) + 0.0 for a in rotation_between(_ZERO, _PLUS)]
        [1.5708, 0.0, 0.0]
    """
    matrix = np.outer(end, start.conj()) + np.outer(_orthogonal(end), _orthogonal(start).conj())
    theta = 2 * math.atan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    # U's first row is real in its first entry; where that vanishes, the other diagonal decides.
    if abs(matrix[0, 0]) > _SAME:
        base = cmath.phase(matrix[0, 0])
        phi = cmath.phase(matrix[1, 0]) - base if abs(matrix[1, 0]) > _SAME else 0.0
        both = cmath.phase(matrix[1, 1]) - base
        return theta, phi, both - phi
    return theta, cmath.phase(matrix[1, 0]) - cmath.phase(-matrix[0, 1]), 0.0


def _orthogonal(state: State) -> State:
    return np.array([-state[1].conjugate(), state[0].conjugate()])


def _meet_data(found: Blinding, operation: Operation, touched: list[int]) -> None:
    wanted = _EIGENSTATES.get(operation.gate)
    if wanted is None or operation.uses_parameters:
        raise InvalidArgument(
            "circuit",
            wanted=f"data in gates among {', '.join(_EIGENSTATES)}",
            got=operation.gate,
            mend="this attack cannot blind such an encoding",
        )
    _check_whole(operation, touched)
    for wire, state in zip(operation.wires, wanted, strict=True):
        found.bring(wire, state)
    found.operations.append(operation)


def _meet_constant(
    found: Blinding, operation: Operation, theta: npt.NDArray[np.float64], touched: list[int]
) -> None:
    _check_whole(operation, touched)
    matrix = gate_matrix(operation, np.empty(0), theta, 1.0)
    for target in (None, _ZERO, _PLUS, _PLUS_I):
        before = [found.states[w] if target is None else target for w in operation.wires]
        after = _parted(matrix, before)
        if after is None:
            continue
        for wire in operation.wires:
            found.bring(wire, target)
        found.operations.append(operation)
        found.states.update(zip(operation.wires, after, strict=True))
        return
    raise InvalidArgument(
        "circuit",
        wanted="fixed gates in the encoding that leave some product state a product",
        got=operation.gate,
    )


def _parted(matrix: ComplexArray, states: list[State]) -> list[State] | None:
    """The state of each wire after the gate; None where the gate entangles them."""
    if len(states) == 1:
        return [matrix @ states[0]]
    if len(states) > 2:
        return None
    joint = (matrix @ np.kron(states[0], states[1])).reshape(2, 2)
    left, size, right = np.linalg.svd(joint)
    return [left[:, 0], right[0]] if size[1] < math.sqrt(_UNENTANGLED) else None


def _check_whole(operation: Operation, touched: list[int]) -> None:
    if len(touched) < len(operation.wires):
        raise InvalidArgument(
            "wires",
            wanted="all wires, where the encoding joins some of them",
            got=f"{operation.gate} from a blinded wire to another",
            mend="leave wires out",
        )
