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
from bezoar.quantum.noise import Channel, NoiseModel, is_identity

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_OURS = {name.lower() if name != "I" else "id": name for name in GATES} | {
    "u3": "U",
    "u1": "P",
    "cnot": "CX",
    "cu1": "CP",
}
_THEIRS = {name: "id" if name == "I" else name.lower() for name in GATES}
# Aer's density-matrix method has no instruction for these, so they go in as labelled matrices.
_MATRICES_FOR_AER = ("CRX", "CRY", "CRZ")
# Aer leaves a gate alone whose label its noise model does not name.
_NOISELESS = "noiseless"
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
    qk = _qiskit()
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
            _append(out, operation, angles)
    return out


def to_aer_circuit(
    circuit: Circuit,
    features: npt.ArrayLike = (),
    parameters: npt.ArrayLike = (),
    noise: NoiseModel | None = None,
) -> QuantumCircuit:
    """The circuit with numbers in it, as Aer's density-matrix method runs it without transpiling.

    It carries what an Aer noise model cannot say: encoding gates that are free of noise, and the
    over-rotation. Run it with ``AerSimulator(method="density_matrix", noise_model=
    to_aer_noise_model(noise))``, and do not transpile: that would change the number of noisy gates.

    Args:
        circuit: what to translate.
        features, parameters: ``(feature,)`` and ``(parameter,)``, radians or amplitudes.
        noise: the noise model that it will run with.

    Raises:
        InvalidArgument: too few features or parameters.
        InvalidData: NaN among them, or amplitudes that are all zero.
        MissingExtra: Qiskit is not installed.
    """
    qk = _qiskit()
    x, theta = vectors(circuit, features, parameters)
    out = qk.QuantumCircuit(circuit.n_qubits)
    for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
        quiet = noise is None or (encoding and not noise.on_encoding)
        turn = 1.0 if noise is None else noise.turn(encoding=encoding)
        angles = [
            turn * float(value(a, x.__getitem__, theta.__getitem__)) for a in operation.angles
        ]
        if operation.gate in (STATE_PREPARATION, UNITARY):
            _append_with_carriers(out, operation, x, quiet=quiet)
            continue
        label = _NOISELESS if quiet else None
        if operation.gate in _MATRICES_FOR_AER:
            matrix = gate_named(operation.gate).matrix(*angles)
            gate = _unitary_gate(matrix, label or _THEIRS[operation.gate])
            out.append(gate, operation.wires[::-1])
        else:
            _append(out, operation, angles, label)
    return out


def to_aer_noise_model(noise: NoiseModel | None) -> Any:
    """The ``qiskit_aer.noise.NoiseModel`` for circuits from `to_aer_circuit`.

    Raises:
        MissingExtra: qiskit-aer is not installed.
    """
    try:
        from qiskit_aer.noise import NoiseModel as AerNoiseModel
        from qiskit_aer.noise import QuantumError
        from qiskit_aer.noise import ReadoutError as AerReadoutError
    except ImportError as error:
        raise MissingExtra("qiskit-aer", "qiskit", "the Aer adapter") from error
    out = AerNoiseModel()
    if noise is None:
        return out
    for name in (*GATES, UNITARY, STATE_PREPARATION):
        channels = [c for c in noise.channels(name, encoding=False) if not is_identity(c)]
        if not channels:
            continue
        error = QuantumError(_combined(channels))
        if name in GATES and GATES[name].n_wires == 2:
            error = error.tensor(error)
        out.add_all_qubit_quantum_error(error, [_THEIRS.get(name, name.lower())])
    if noise.readout is not None:
        p10, p01 = noise.readout.p10, noise.readout.p01
        out.add_all_qubit_readout_error(AerReadoutError([[1 - p10, p10], [p01, 1 - p01]]))
    return out


def from_qiskit(circuit: QuantumCircuit, features: Sequence[Any] | None = None) -> Circuit:
    """The circuit of a Qiskit circuit; gates that we do not have are taken apart.

    Angles may be numbers, a multiple of one parameter, or a product of features less one offset,
    as in ZZ feature maps. Global phases, barriers and measurements at the end are left out.

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
    if not isinstance(circuit, _qiskit().QuantumCircuit):
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


def _append(
    out: QuantumCircuit, operation: Operation, angles: Sequence[Any], label: str | None = None
) -> None:
    if operation.gate == UNITARY:
        out.append(_unitary_gate(np.array(operation.matrix), label), operation.wires[::-1])
        return
    getattr(out, _THEIRS[operation.gate])(*angles, *operation.wires)
    if label is not None:
        instruction = out.data[-1]
        gate = instruction.operation.to_mutable()
        gate.label = label
        out.data[-1] = instruction.replace(operation=gate)


def _append_with_carriers(
    out: QuantumCircuit, operation: Operation, x: Floats, *, quiet: bool
) -> None:
    """A state preparation or matrix, then identities that carry its noise, one per wire."""
    if operation.gate == STATE_PREPARATION:
        matrix = _reflection(amplitudes(operation, x))
        out.append(_unitary_gate(matrix, _NOISELESS), operation.wires[::-1])
    else:
        _append(out, operation, (), _NOISELESS)
    if not quiet:
        for wire in operation.wires:
            out.append(_unitary_gate(np.eye(2), operation.gate.lower()), (wire,))


def _reflection(psi: Floats) -> Floats:
    """The Householder matrix that takes ``|0...0>`` to real amplitudes."""
    normal = psi.copy()
    normal[0] -= 1
    length = float(normal @ normal)
    identity = np.eye(len(psi))
    return identity if length == 0 else identity - 2 / length * np.outer(normal, normal)


def _preparation(operation: Operation, x: Floats) -> Any:
    from qiskit.circuit.library import StatePreparation

    return StatePreparation(list(amplitudes(operation, x)))


def _unitary_gate(matrix: npt.NDArray[Any], label: str | None) -> Any:
    from qiskit.circuit.library import UnitaryGate

    return UnitaryGate(matrix, label=label)


def _combined(channels: Sequence[Channel]) -> Any:
    """One channel that is all of these in order, with at most four Kraus operators."""
    from qiskit.quantum_info import Kraus, SuperOp

    total = SuperOp(np.eye(4))
    for channel in channels:
        kraus: Any = list(channel.kraus())
        total = total.compose(SuperOp(Kraus(kraus)))
    return Kraus(total)


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
    if op.name in _OURS:
        angles = tuple(_angle(a, numbers) for a in op.params)
        yield Operation(_OURS[op.name], wires, angles)
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


def _angle(expression: Any, numbers: dict[Any, Feature | Parameter]) -> Angle:
    """The angle of an expression: its form is guessed from its values and then verified."""
    symbols = _symbols(expression)
    if not symbols:
        return float(expression)
    known = [numbers.get(s) for s in symbols]
    at = functools.partial(_evaluated, expression, symbols)
    guess: Feature | Parameter | None = None
    if len(known) == 1 and isinstance(known[0], Parameter):
        guess = Parameter(known[0].index, scale=at([1.0]))
    elif all(isinstance(k, Feature) for k in known):
        guess = _product(at, tuple(k.indices[0] for k in known if isinstance(k, Feature)))
    if guess is None or not _agrees(guess, at, len(symbols)):
        raise InvalidArgument(
            "circuit",
            wanted="angles that are a number, a multiple of one parameter, or a product of "
            "features less one offset",
            got=expression,
            mend="bind the parameters, or name the features with the argument features",
        )
    return guess


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


def _agrees(guess: Feature | Parameter, at: Any, n_symbols: int) -> bool:
    points = [[0.3 + 0.7 * k + 0.11 * i for i in range(n_symbols)] for k in range(4)]
    points.append([0.0] * n_symbols)
    for point in points:
        offset = guess.offset if isinstance(guess, Feature) else 0.0
        found = guess.scale * math.prod(number - offset for number in point)
        if abs(found - at(point)) > 1e-9 * max(1.0, abs(found)):
            return False
    return True


def _tidy(number: float) -> float:
    """The simple number, a twelfth of pi or a short decimal, that rounding has spoilt."""
    for simple in (round(12 * number / math.pi) / 12 * math.pi, float(f"{number:.12g}")):
        if math.isclose(simple, number, rel_tol=2e-14):
            return simple
    return number


def _qiskit() -> Any:
    try:
        import qiskit
        import qiskit.circuit
    except ImportError as error:
        raise MissingExtra("qiskit", "qiskit", "the Qiskit adapter") from error
    return qiskit
