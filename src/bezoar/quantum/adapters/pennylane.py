"""To and from PennyLane, whose wire order is ours: wire 0 is the leftmost bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from bezoar.contracts.errors import InvalidArgument, MissingExtra
from bezoar.quantum.adapters.angles import value
from bezoar.quantum.circuit import Angle, Circuit, Operation, Parameter, unitary
from bezoar.quantum.gates import STATE_PREPARATION, UNITARY
from bezoar.quantum.noise import AmplitudeDamping, Channel, Depolarizing, NoiseModel, ReadoutError

if TYPE_CHECKING:
    from pennylane.operation import Operator

# Ours to PennyLane's; the inverse fixed gates are made with qml.adjoint.
_NAMES = {
    "I": "Identity",
    "X": "PauliX",
    "Y": "PauliY",
    "Z": "PauliZ",
    "H": "Hadamard",
    "S": "S",
    "T": "T",
    "SX": "SX",
    "RX": "RX",
    "RY": "RY",
    "RZ": "RZ",
    "P": "PhaseShift",
    "U": "U3",
    "CX": "CNOT",
    "CZ": "CZ",
    "SWAP": "SWAP",
    "ECR": "ECR",
    "CRX": "CRX",
    "CRY": "CRY",
    "CRZ": "CRZ",
    "CP": "ControlledPhaseShift",
    "RXX": "IsingXX",
    "RYY": "IsingYY",
    "RZZ": "IsingZZ",
}
_INVERSES = {"SDG": "S", "TDG": "T", "SXDG": "SX"}
_OURS = {theirs: ours for ours, theirs in _NAMES.items()} | {
    f"Adjoint({theirs})": ours for ours, theirs in _INVERSES.items()
}
_WITHOUT_EFFECT = {"Barrier", "GlobalPhase", "Snapshot"}
# Deeper nesting than any template of PennyLane's has.
_DEEPEST = 12


def to_pennylane(
    circuit: Circuit, noise: NoiseModel | None = None
) -> Callable[[Any, Any], list[Operator]]:
    """A function ``apply(features, parameters)`` that queues the circuit inside a QNode.

    Features are ``(feature,)`` or ``(sample, feature)`` (PennyLane then broadcasts), parameters
    ``(parameter,)``; arrays of PennyLane's interfaces keep their gradients. It returns the
    operations that it made.

    With `noise`, channels follow each gate as in `NoiseModel`, so the device must be
    ``default.mixed``. A readout error is queued last on every wire, as a classical channel on the
    bits: right for measurements in the computational basis, and for those alone.

    Raises:
        MissingExtra: PennyLane is not installed.

    Example:
        >>> from bezoar.quantum.circuit import Feature
        >>> circuit = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> [operation.name for operation in to_pennylane(circuit)([0.5], [])]
        ['RX']
    """
    qml = _pennylane()

    def apply(features: Any, parameters: Any) -> list[Operator]:
        x = _array("features", features, circuit.n_features)
        theta = _array("parameters", parameters, circuit.n_parameters)
        made: list[Operator] = []
        for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
            turn = 1.0 if noise is None else noise.turn(encoding=encoding)
            made.append(_gate(qml, operation, x, theta, turn))
            if noise is not None:
                placed = noise.placed(operation.gate, operation.wires, encoding=encoding)
                made += [_channel(qml, channel, wires) for channel, wires in placed]
        for wire in range(circuit.n_qubits):
            error = None if noise is None else noise.readout_on(wire)
            if error is not None:
                made.append(qml.QubitChannel(_readout_kraus(error), wires=wire))
        return made

    return apply


def from_pennylane(tape: Any, *, trainable: bool = False) -> Circuit:
    """The circuit of a tape, a quantum script or a list of PennyLane operations.

    Operations that we have no gate for are decomposed; without a decomposition they become
    matrices. Global phases are dropped. Wires that are not the numbers 0, 1, ... are numbered in
    order of appearance.

    Args:
        tape: what to read; its measurements are left out.
        trainable: make the tape's k-th trainable angle parameter k (``tape.get_parameters()``
            are its values) in place of a constant.

    Raises:
        InvalidArgument: a channel, a measurement within the circuit, a batch of angles, or
            another operation that is not unitary.
        MissingExtra: PennyLane is not installed.

    Example:
        >>> import pennylane as qml
        >>> print(from_pennylane([qml.Hadamard("a"), qml.CNOT(["a", "b"])]).draw())
        0: -H-*-
        1: ---X-
    """
    qml = _pennylane()
    # Taking templates apart must not queue them where a QNode is being built.
    with qml.QueuingManager.stop_recording():
        return _circuit(qml, _script(qml, tape), trainable=trainable)


def _script(qml: Any, tape: Any) -> Any:
    if hasattr(tape, "operations"):
        return tape
    if not isinstance(tape, Iterable):
        raise InvalidArgument(
            "tape",
            wanted="a tape or a list of operations",
            got=type(tape).__name__,
            mend="of a QNode, give qml.workflow.construct_tape(qnode)(...)",
        )
    return qml.tape.QuantumScript(list(tape))


def _circuit(qml: Any, script: Any, *, trainable: bool) -> Circuit:
    wires = _numbered(script.wires)
    chosen = script.trainable_params if trainable else []
    # Where each angle of the tape stands, so that an angle knows which parameter it is.
    first = 0
    operations: list[Operation] = []
    for op in script.operations:
        n_angles = len(op.data)
        indices = {k: chosen.index(first + k) for k in range(n_angles) if first + k in chosen}
        operations += _read(qml, op, wires, indices, _DEEPEST)
        first += n_angles
    return Circuit(max(wires.values(), default=0) + 1, tuple(operations))


def _gate(qml: Any, operation: Operation, x: Any, theta: Any, turn: float) -> Operator:
    wires = list(operation.wires)
    if operation.gate == STATE_PREPARATION:
        chosen = x[..., list(operation.features)]
        return qml.AmplitudeEmbedding(chosen, wires=wires, pad_with=0.0, normalize=True)
    if operation.gate == UNITARY:
        return qml.QubitUnitary(np.array(operation.matrix), wires=wires)
    if operation.gate in _INVERSES:
        return qml.adjoint(getattr(qml, _INVERSES[operation.gate])(wires=wires))
    angles = [value(a, lambda i: x[..., i], lambda i: theta[..., i]) for a in operation.angles]
    if turn != 1:
        angles = [turn * angle for angle in angles]
    return getattr(qml, _NAMES[operation.gate])(*angles, wires=wires)


def _channel(qml: Any, channel: Channel, wires: tuple[int, ...]) -> Operator:
    if isinstance(channel, AmplitudeDamping):
        return qml.AmplitudeDamping(channel.gamma, wires=wires)
    if isinstance(channel, Depolarizing):
        return qml.DepolarizingChannel(0.75 * (1 - channel.shrink), wires=wires)
    return qml.QubitChannel(list(channel.kraus()), wires=wires)


def _readout_kraus(readout: ReadoutError) -> list[np.ndarray]:
    moves = {
        (0, 0): 1 - readout.p10,
        (1, 0): readout.p10,
        (0, 1): readout.p01,
        (1, 1): 1 - readout.p01,
    }
    kraus = [np.zeros((2, 2), dtype=complex) for _ in moves]
    for matrix, ((row, column), probability) in zip(kraus, moves.items(), strict=True):
        matrix[row, column] = np.sqrt(probability)
    return kraus


def _read(
    qml: Any, op: Any, wires: dict[Any, int], indices: dict[int, int], depth: int
) -> Iterator[Operation]:
    if op.name in _WITHOUT_EFFECT:
        return
    own = tuple(wires[w] for w in op.wires)
    if op.name in ("Identity", "I"):
        yield from (Operation("I", (w,)) for w in own)
    elif op.name in _OURS:
        yield Operation(_OURS[op.name], own, tuple(_angles(op, indices)))
    elif op.name == "Rot":
        phi, theta, omega = _angles(op, indices)
        yield Operation("U", own, (theta, omega, phi))
    elif not indices and depth and _comes_apart(qml, op):
        for part in op.decomposition():
            yield from _read(qml, part, wires, {}, depth - 1)
    elif not indices and getattr(op, "has_matrix", False):
        yield unitary(_single(op, qml.matrix(op)), own)
    else:
        raise InvalidArgument(
            "tape",
            wanted="unitary gates" if not indices else "standard gates where angles are trainable",
            got=op.name,
            mend="give noise as a NoiseModel and measurements to the model"
            if not indices
            else "decompose the tape first, or leave trainable off",
        )


def _comes_apart(qml: Any, op: Any) -> bool:
    return getattr(op, "has_decomposition", False) and not isinstance(op, qml.QubitUnitary)


def _angles(op: Any, indices: dict[int, int]) -> Iterator[Angle]:
    for k, parameter in enumerate(op.parameters):
        if np.ndim(parameter):
            raise InvalidArgument(
                "tape", wanted="single angles", got=f"a batch in {op.name}", mend="split the batch"
            )
        yield Parameter(indices[k]) if k in indices else float(parameter)


def _single(op: Any, matrix: Any) -> np.ndarray:
    array = np.asarray(matrix)
    if array.ndim != 2:
        raise InvalidArgument(
            "tape", wanted="single matrices", got=f"a batch in {op.name}", mend="split the batch"
        )
    return array


def _numbered(wires: Iterable[Any]) -> dict[Any, int]:
    labels = list(wires)
    if all(isinstance(w, Integral) and int(w) >= 0 for w in labels):
        return {w: int(w) for w in labels}
    return {w: i for i, w in enumerate(labels)}


def _array(name: str, values: Any, least: int) -> Any:
    array = np.asarray(values, dtype=float) if isinstance(values, list | tuple) else values
    shape = np.shape(array)
    if least and (not shape or shape[-1] < least):
        raise InvalidArgument(name, wanted=f"shape (..., {least}) or longer", got=shape)
    return array


def _pennylane() -> Any:
    try:
        import pennylane as qml
    except ImportError as error:
        raise MissingExtra("pennylane", "pennylane", "the PennyLane adapter") from error
    return qml
