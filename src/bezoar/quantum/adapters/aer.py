"""Noise to and from Qiskit Aer.

Aer's channels write the first of two qubits as the faster index, ours as the slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument, MissingExtra
from bezoar.quantum.adapters.angles import Floats, amplitudes, value, vectors
from bezoar.quantum.adapters.qiskit import OURS, THEIRS, append, qiskit_package, unitary_gate
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.gates import GATES, STATE_PREPARATION, UNITARY, gate_named
from bezoar.quantum.noise import (
    GateNoise,
    KrausChannel,
    NoiseModel,
    PlacedChannel,
    ReadoutError,
    is_identity,
)

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Aer's density-matrix method has no instruction for these, so they go in as labelled matrices.
_MATRICES_FOR_AER = ("CRX", "CRY", "CRZ")
# Aer leaves a gate alone whose label its noise model does not name.
_NOISELESS = "noiseless"
# Rounding of an eigenvalue that is zero.
_NOTHING = 1e-15
# No circuit of ours has these, so their noise never acts.
_NEVER_MET = {"reset", "delay", "initialize", "set_statevector", "set_density_matrix"}


def to_aer_circuit(
    circuit: Circuit,
    features: npt.ArrayLike = (),
    parameters: npt.ArrayLike = (),
    noise: NoiseModel | None = None,
) -> QuantumCircuit:
    """The circuit with numbers in it, as Aer's density-matrix method runs it without transpiling.

    It carries what an Aer noise model cannot say: gates that are free of noise where their like
    are not, and the over-rotation. Run it with ``AerSimulator(method="density_matrix", noise_model=
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
    qk = qiskit_package()
    x, theta = vectors(circuit, features, parameters)
    out = qk.QuantumCircuit(circuit.n_qubits)
    for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
        quiet = noise is None or not _active(
            noise.placed(operation.gate, operation.wires, encoding=encoding)
        )
        turn = 1.0 if noise is None else noise.turn(encoding=encoding)
        angles = [
            turn * float(value(a, x.__getitem__, theta.__getitem__)) for a in operation.angles
        ]
        if operation.gate in (STATE_PREPARATION, UNITARY):
            _with_carriers(out, operation, x, quiet=quiet)
            continue
        label = _NOISELESS if quiet else None
        if operation.gate in _MATRICES_FOR_AER:
            # On its wires in order, which is how Aer looks up the noise of a place.
            matrix = _other_order(gate_named(operation.gate).matrix(*angles)[None])[0]
            gate = unitary_gate(matrix, label or THEIRS[operation.gate])
            out.append(gate, operation.wires)
        else:
            append(out, operation, angles, label)
    return out


def to_aer_noise_model(noise: NoiseModel | None) -> Any:
    """The ``qiskit_aer.noise.NoiseModel`` for circuits from `to_aer_circuit`.

    Raises:
        MissingExtra: qiskit-aer is not installed.
    """
    aer = _aer()
    out = aer.NoiseModel()
    if noise is None:
        return out
    for name in (*GATES, UNITARY, STATE_PREPARATION):
        # The noise of matrices and states rides on identities of one wire.
        wires = tuple(range(GATES[name].n_wires if name in GATES else 1))
        anywhere = NoiseModel(after_gate=noise.after_gate, by_gate=noise.by_gate)
        placed = anywhere.placed(name, wires, encoding=False)
        if _active(placed):
            error = aer.QuantumError(_combined(placed, wires))
            out.add_all_qubit_quantum_error(error, [THEIRS.get(name, name.lower())])
    for place in noise.by_place:
        if _active(place.channels):
            error = aer.QuantumError(_combined(place.channels, place.wires))
            out.add_quantum_error(error, [THEIRS[place.gate]], list(place.wires), warnings=False)
    if isinstance(noise.readout, ReadoutError):
        out.add_all_qubit_readout_error(_readout(aer, noise.readout))
    for wire, error in enumerate(noise.readout if isinstance(noise.readout, tuple) else ()):
        if error is not None:
            out.add_readout_error(_readout(aer, error), [wire])
    return out


def from_aer_noise_model(model: Any, *, qubits: Sequence[int] | None = None) -> NoiseModel:
    """The noise of a ``qiskit_aer.noise.NoiseModel``, for circuits in the same gates.

    Errors of certain qubits become `NoiseModel.by_place`, errors of all qubits `by_gate`, readout
    errors `readout`; as in Aer, the first replace the second. Every channel arrives as a
    `KrausChannel`. Noise of resets, delays and initialisation is left out, as no circuit of ours
    has them.

    Args:
        model: what to read.
        qubits: the device's qubit of each wire; by default wire i is qubit i.

    Raises:
        InvalidArgument: `model` is none; the same qubit twice; noise of a gate that we do not have
            or of a measurement other than readout; a readout error of several qubits.
        MissingExtra: qiskit-aer is not installed.

    Example:
        >>> from qiskit_aer.noise import NoiseModel as AerNoiseModel, pauli_error
        >>> theirs = AerNoiseModel()
        >>> theirs.add_quantum_error(pauli_error([("X", 0.1), ("I", 0.9)]), ["sx"], [5])
        >>> (place,) = from_aer_noise_model(theirs, qubits=[7, 5]).by_place
        >>> place.gate, place.wires
        ('SX', (1,))
    """
    if not isinstance(model, _aer().NoiseModel):
        raise InvalidArgument(
            "model", wanted="a qiskit_aer.noise.NoiseModel", got=type(model).__name__
        )
    if qubits is not None and len(set(qubits)) != len(qubits):
        raise InvalidArgument("qubits", wanted="different qubits", got=list(qubits))
    # Aer has no public way to its tables; their names have been the same since its first release.
    local, everywhere = model._local_quantum_errors, model._default_quantum_errors  # noqa: SLF001
    by_place = []
    for name, at in local.items():
        for found, error in at.items():
            wires = _wires(found, qubits)
            if wires is not None and (gate := _gate(name, len(wires))):
                by_place.append(
                    GateNoise(gate=gate, wires=wires, channels=((_channel(error), wires),))
                )
    by_gate = {
        gate: (_channel(error),)
        for name, error in everywhere.items()
        if (gate := _gate(name, error.num_qubits))
    }
    return NoiseModel(
        by_gate=by_gate, by_place=tuple(by_place), readout=_readout_from(model, qubits)
    )


def _readout_from(
    model: Any, qubits: Sequence[int] | None
) -> ReadoutError | tuple[ReadoutError | None, ...] | None:
    local = model._local_readout_errors  # noqa: SLF001 - as above
    default = model._default_readout_error  # noqa: SLF001
    several = [at for at in local if len(at) > 1]
    if several or (default is not None and default.number_of_qubits > 1):
        raise InvalidArgument(
            "model", wanted="readout errors of one qubit each", got=f"one of {several or 'several'}"
        )
    otherwise = None if default is None else _readout_error(default)
    if not local:
        return otherwise
    if qubits is None:
        qubits = range(1 + max(qubit for (qubit,) in local))
    return tuple(
        _readout_error(local[(qubit,)]) if (qubit,) in local else otherwise for qubit in qubits
    )


def _readout_error(error: Any) -> ReadoutError:
    table = np.asarray(error.probabilities)
    return ReadoutError(p10=float(table[0, 1]), p01=float(table[1, 0]))


def _wires(found: Iterable[int], qubits: Sequence[int] | None) -> tuple[int, ...] | None:
    """Which wires the qubits `found` are; None when one of them is none."""
    at = tuple(found)
    if qubits is None:
        return at
    return tuple(list(qubits).index(q) for q in at) if set(at) <= set(qubits) else None


def _gate(name: str, n_qubits: int) -> str | None:
    """Our name of the gate; None for what no circuit of ours has.

    Raises:
        InvalidArgument: it is none of ours, and a circuit might have it.
    """
    if name in _NEVER_MET:
        return None
    if name not in OURS or GATES[OURS[name]].n_wires != n_qubits:
        raise InvalidArgument(
            "model",
            wanted="noise of standard gates on one or two qubits",
            got=f"noise of {name!r} on {n_qubits} qubits",
            mend="leave it out of the model, or transpile to other gates",
        )
    return OURS[name]


def _channel(error: Any) -> KrausChannel:
    from qiskit.quantum_info import SuperOp

    operators = np.array(_kraus(SuperOp(error)))
    return KrausChannel.of(operators if operators.shape[1] == 2 else _other_order(operators))


def _other_order(matrices: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Matrices ``(n, 4, 4)`` on two wires with the wires' order reversed."""
    split = matrices.reshape(-1, 2, 2, 2, 2)
    return split.transpose(0, 2, 1, 4, 3).reshape(-1, 4, 4)


def _with_carriers(out: QuantumCircuit, operation: Operation, x: Floats, *, quiet: bool) -> None:
    """A state preparation or matrix, then identities that carry its noise, one per wire."""
    if operation.gate == STATE_PREPARATION:
        matrix = _reflection(amplitudes(operation, x))
        out.append(unitary_gate(matrix, _NOISELESS), operation.wires[::-1])
    else:
        append(out, operation, (), _NOISELESS)
    if not quiet:
        for wire in operation.wires:
            out.append(unitary_gate(np.eye(2), operation.gate.lower()), (wire,))


def _reflection(psi: Floats) -> Floats:
    """The Householder matrix that takes ``|0...0>`` to real amplitudes."""
    normal = psi.copy()
    normal[0] -= 1
    length = float(normal @ normal)
    identity = np.eye(len(psi))
    return identity if length == 0 else identity - 2 / length * np.outer(normal, normal)


def _active(placed: Iterable[PlacedChannel]) -> bool:
    return any(not is_identity(channel) for channel, _ in placed)


def _combined(placed: Sequence[PlacedChannel], wires: tuple[int, ...]) -> Any:
    """One channel on `wires` that is all of these in order, in its fewest Kraus operators."""
    from qiskit.quantum_info import Kraus, SuperOp

    total = SuperOp(np.eye(4 ** len(wires)))
    for channel, on in placed:
        kraus: Any = list(channel.kraus())
        total = total.compose(SuperOp(Kraus(kraus)), qargs=[wires.index(w) for w in on[::-1]])
    return Kraus(_kraus(total))


def _kraus(channel: Any) -> Any:
    """The fewest Kraus operators; Qiskit's own way leaves out what is smaller than 1e-8."""
    from qiskit.quantum_info import Choi

    values, vectors = np.linalg.eigh(Choi(channel).data)
    side = round(len(values) ** 0.5)
    return [
        np.sqrt(value) * vector.reshape(side, side, order="F")
        for value, vector in zip(values, vectors.T, strict=True)
        if value > _NOTHING
    ]


def _readout(aer: Any, error: ReadoutError) -> Any:
    return aer.ReadoutError([[1 - error.p10, error.p10], [error.p01, 1 - error.p01]])


def _aer() -> Any:
    try:
        import qiskit_aer.noise
    except ImportError as error:
        raise MissingExtra("qiskit-aer", "qiskit", "the Aer adapter") from error
    return qiskit_aer.noise
