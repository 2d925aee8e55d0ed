"""To and from Qiskit.

Wire i is Qiskit's qubit i. Qiskit writes qubit 0 as the rightmost bit, we write wire 0 as the
leftmost: our bit string ``0111`` is its ``1110``, and the amplitudes of n qubits agree after the
axes of ``psi.reshape((2,) * n)`` are reversed.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument, MissingExtra
from bezoar.quantum.adapters.angles import Floats, amplitudes, value, vectors
from bezoar.quantum.circuit import Angle, Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.gates import GATES, STATE_PREPARATION, UNITARY, gate_named

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

OURS = {name.lower() if name != "I" else "id": name for name in GATES} | {
    "u3": "U",
    "u1": "P",
    "cnot": "CX",
    "cu1": "CP",
}
THEIRS = {name: "id" if name == "I" else name.lower() for name in GATES}
_WITHOUT_EFFECT = {"barrier", "global_phase", "delay"}
_DEEPEST = 12


def to_qiskit(circuit: Circuit, features: npt.ArrayLike | None = None) -> QuantumCircuit:
    """The circuit in Qiskit, with ParameterVectors ``x`` (features) and ``theta`` (parameters).

    Args:
        circuit: what to translate. See the module for how bit strings compare.
        features: ``(feature,)``: put these numbers in place of ``x``. Amplitude encodings need
            them, as Qiskit prepares states from numbers alone.

    Raises:
        InvalidArgument: an amplitude encoding without features, or too few of them.
        MissingExtra: Qiskit is not installed.

    Example:
        >>> from bezoar.quantum.encodings import AngleEncoding
        >>> sorted(p.name for p in to_qiskit(AngleEncoding().circuit(2, 1)).parameters)
        ['x[0]', 'x[1]']
    """
    qk = qiskit_package()
    vector = qk.circuit.ParameterVector
    theta = vector("theta", circuit.n_parameters)
    x: Any = vector("x", circuit.n_features)
    if features is not None:
        x, _ = vectors(circuit, features, np.zeros(circuit.n_parameters))
    out = qk.QuantumCircuit(circuit.n_qubits)
    for operation in circuit.operations:
        if operation.gate == STATE_PREPARATION:
            if features is None:
                raise InvalidArgument(
                    "features", wanted="the sample, for an amplitude encoding", got=None
                )
            out.append(_preparation(operation, x), operation.wires[::-1])
        else:
            angles = [value(a, x.__getitem__, theta.__getitem__) for a in operation.angles]
            append(out, operation, angles)
    return out


def from_qiskit(circuit: QuantumCircuit, features: Sequence[Any] | None = None) -> Circuit:
    """The circuit of a Qiskit circuit; gates that we do not have are taken apart.

    Angles may be numbers, a multiple of one parameter, or a product of features less one offset,
    as in ZZ feature maps. A number that is added to such an angle becomes a constant gate before
    it, P for RZ and a matrix for others, so that noise of the gate itself acts once. Global phases,
    barriers and measurements at the end are left out.

    Args:
        circuit: what to read.
        features: the Qiskit parameters that are features 0, 1, ...; by default those of the
            ParameterVector ``x``. All others are trainable: numbered as in their vector if they
            come from one, else as ``circuit.parameters`` lists them.

    Raises:
        InvalidArgument: resets, measurements within the circuit, control flow, or angles of
            another form.
        MissingExtra: Qiskit is not installed.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> print(from_qiskit(bell).draw())
        0: -H-*-
        1: ---X-
    """
    if not isinstance(circuit, qiskit_package().QuantumCircuit):
        raise InvalidArgument(
            "circuit", wanted="a qiskit.QuantumCircuit", got=type(circuit).__name__
        )
    numbers = _parameter_numbers(circuit, features)
    measured: set[int] = set()
    operations: list[Operation] = []
    for instruction in circuit.data:
        wires = tuple(circuit.find_bit(q).index for q in instruction.qubits)
        if instruction.operation.name == "measure":
            measured.update(wires)
            continue
        if measured & set(wires) and instruction.operation.name not in _WITHOUT_EFFECT:
            raise InvalidArgument(
                "circuit", wanted="measurements at the end alone", got="one within the circuit"
            )
        operations += _read(instruction.operation, wires, numbers, _DEEPEST)
    return Circuit(circuit.num_qubits, tuple(operations))


def append(
    out: QuantumCircuit, operation: Operation, angles: Sequence[Any], label: str | None = None
) -> None:
    """Adds a gate or matrix with these angles, numbers or symbols, and a label of its own."""
    if operation.gate == UNITARY:
        out.append(unitary_gate(np.array(operation.matrix), label), operation.wires[::-1])
        return
    getattr(out, THEIRS[operation.gate])(*angles, *operation.wires)
    if label is not None:
        instruction = out.data[-1]
        gate = instruction.operation.to_mutable()
        gate.label = label
        out.data[-1] = instruction.replace(operation=gate)


def _preparation(operation: Operation, x: Floats) -> Any:
    from qiskit.circuit.library import StatePreparation

    return StatePreparation(list(amplitudes(operation, x)))


def unitary_gate(matrix: npt.NDArray[Any], label: str | None) -> Any:
    """Qiskit's gate of a matrix, whose first qubit is the fastest index."""
    from qiskit.circuit.library import UnitaryGate

    return UnitaryGate(matrix, label=label)


def _parameter_numbers(
    circuit: QuantumCircuit, features: Sequence[Any] | None
) -> dict[Any, Feature | Parameter]:
    found: list[Any] = list(circuit.parameters)
    if features is None:
        ours = {p: p.index for p in found if _vector_name(p) == "x"}
    else:
        ours = {p: i for i, p in enumerate(features)}
    rest = [p for p in found if p not in ours]
    one_vector = len({_vector_name(p) for p in rest}) == 1 and _vector_name(rest[0]) is not None
    numbers: dict[Any, Feature | Parameter] = {p: Feature((i,)) for p, i in ours.items()}
    for position, parameter in enumerate(rest):
        index = parameter.index if one_vector else position
        numbers[parameter] = Parameter(index)
    return numbers


def _vector_name(parameter: Any) -> str | None:
    vector = getattr(parameter, "vector", None)
    return None if vector is None else vector.name


def _read(
    op: Any, wires: tuple[int, ...], numbers: dict[Any, Feature | Parameter], depth: int
) -> Iterator[Operation]:
    if op.name in _WITHOUT_EFFECT:
        return
    if op.name in OURS:
        split = [_angle(a, numbers) for a in op.params]
        if any(constant for constant, _ in split):
            yield _offset(OURS[op.name], wires, [constant for constant, _ in split])
        yield Operation(OURS[op.name], wires, tuple(angle for _, angle in split))
    elif op.name == "unitary":
        yield unitary(op.to_matrix(), wires[::-1])
    elif getattr(op, "definition", None) is not None and depth and not getattr(op, "blocks", ()):
        inner = op.definition
        for instruction in inner.data:
            own = tuple(wires[inner.find_bit(q).index] for q in instruction.qubits)
            yield from _read(instruction.operation, own, numbers, depth - 1)
    elif hasattr(op, "to_matrix") and not any(_symbols(p) for p in op.params):
        yield unitary(op.to_matrix(), wires[::-1])
    else:
        raise InvalidArgument(
            "circuit",
            wanted="gates",
            got=op.name,
            mend="remove resets, classical control and measurements within the circuit",
        )


def _symbols(angle: Any) -> list[Any]:
    return sorted(getattr(angle, "parameters", ()), key=lambda p: p.name)


def _offset(gate: str, wires: tuple[int, ...], constants: Sequence[float]) -> Operation:
    """The part of a turn that is a number: a gate of another name, so that noise counts it once."""
    if len(constants) > 1:
        raise InvalidArgument(
            "circuit",
            wanted="a sum of a number and a parameter in gates of one angle alone",
            got=f"one in {gate}",
            mend="transpile it to gates of one angle",
        )
    if gate == "RZ":
        return Operation("P", wires, (constants[0],))
    return unitary(gate_named(gate).matrix(constants[0]), wires)


def _angle(expression: Any, numbers: dict[Any, Feature | Parameter]) -> tuple[float, Angle]:
    """A number and the angle to add to it: the form is guessed from its values, then verified."""
    symbols = _symbols(expression)
    if not symbols:
        return 0.0, float(expression)
    known = [numbers.get(s) for s in symbols]
    at = functools.partial(_evaluated, expression, symbols)
    zeros = [0.0] * len(symbols)
    guess: Feature | Parameter | None = None
    constant = 0.0
    if len(known) == 1 and isinstance(known[0], Parameter):
        constant = at(zeros)
        guess = Parameter(known[0].index, scale=_tidy(at([1.0]) - constant))
    elif all(isinstance(k, Feature) for k in known):
        guess = _product(at, tuple(k.indices[0] for k in known if isinstance(k, Feature)))
        constant = at(zeros) - _valued(guess, zeros)
        # What rounding leaves of nothing.
        constant = constant if abs(constant) > 1e-12 * max(1.0, abs(at(zeros))) else 0.0
    if guess is None or not _agrees(constant, guess, at, len(symbols)):
        raise InvalidArgument(
            "circuit",
            wanted="angles that are a number, a multiple of one parameter, a product of features "
            "less one offset, or the sum of a number and one of these",
            got=expression,
            mend="bind the parameters, or name the features with the argument features",
        )
    return constant, guess


def _evaluated(expression: Any, symbols: list[Any], values: Sequence[float]) -> float:
    return float(expression.bind(dict(zip(symbols, values, strict=True))))


def _product(at: Any, indices: tuple[int, ...]) -> Feature:
    """``scale * prod(x - offset)`` from its differences over the corners of the unit cube."""
    corners = list(itertools.product((0.0, 1.0), repeat=len(indices)))
    signs = [(-1) ** (len(indices) - int(sum(corner))) for corner in corners]
    scale = sum(sign * at(corner) for sign, corner in zip(signs, corners, strict=True))
    if not scale:
        return Feature(indices, scale=0.0)
    # With the first variable at 0, the differences over the others leave -scale * offset.
    edge = [(s, c) for s, c in zip(signs, corners, strict=True) if c[0] == 0]
    offset = sum(sign * at(corner) for sign, corner in edge) / scale
    if not offset:
        return Feature(indices, scale=scale)
    return Feature(indices, scale=_tidy(scale), offset=_tidy(offset))


def _valued(guess: Feature | Parameter, numbers: Sequence[float]) -> float:
    offset = guess.offset if isinstance(guess, Feature) else 0.0
    return guess.scale * math.prod(number - offset for number in numbers)


def _agrees(constant: float, guess: Feature | Parameter, at: Any, n_symbols: int) -> bool:
    points = [[0.3 + 0.7 * k + 0.11 * i for i in range(n_symbols)] for k in range(4)]
    points.append([0.0] * n_symbols)
    for point in points:
        found = constant + _valued(guess, point)
        if abs(found - at(point)) > 1e-9 * max(1.0, abs(found)):
            return False
    return True


def _tidy(number: float) -> float:
    """The simple number, a twelfth of pi or a short decimal, that rounding has spoilt."""
    for simple in (round(12 * number / math.pi) / 12 * math.pi, float(f"{number:.12g}")):
        if math.isclose(simple, number, rel_tol=2e-14):
            return simple
    return number


def qiskit_package() -> Any:
    """The package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import qiskit
        import qiskit.circuit
    except ImportError as error:
        raise MissingExtra("qiskit", "qiskit", "the Qiskit adapter") from error
    return qiskit
