"""PennyLane and Qiskit Aer as judges, with circuits written out by hand, not by our adapters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pennylane as qml
from pennylane.tape import QuantumScript
from qiskit import QuantumCircuit
from qiskit.circuit import library
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel as AerNoiseModel
from qiskit_aer.noise import QuantumError

from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    Channel,
    CoherentRotation,
    Depolarizing,
    NoiseModel,
    PhaseDamping,
    PhaseFlip,
    ReadoutError,
    ThermalRelaxation,
)

PENNYLANE_GATES = {
    "I": qml.Identity,
    "X": qml.PauliX,
    "Y": qml.PauliY,
    "Z": qml.PauliZ,
    "H": qml.Hadamard,
    "S": qml.S,
    "SDG": lambda wires: qml.adjoint(qml.S(wires)),
    "T": qml.T,
    "TDG": lambda wires: qml.adjoint(qml.T(wires)),
    "SX": qml.SX,
    "SXDG": lambda wires: qml.adjoint(qml.SX(wires)),
    "RX": qml.RX,
    "RY": qml.RY,
    "RZ": qml.RZ,
    "P": qml.PhaseShift,
    "U": qml.U3,
    "CX": qml.CNOT,
    "CZ": qml.CZ,
    "SWAP": qml.SWAP,
    "ECR": qml.ECR,
    "CRX": qml.CRX,
    "CRY": qml.CRY,
    "CRZ": qml.CRZ,
    "CP": qml.ControlledPhaseShift,
    "RXX": qml.IsingXX,
    "RYY": qml.IsingYY,
    "RZZ": qml.IsingZZ,
}

QISKIT_GATES = {
    "I": library.IGate,
    "X": library.XGate,
    "Y": library.YGate,
    "Z": library.ZGate,
    "H": library.HGate,
    "S": library.SGate,
    "SDG": library.SdgGate,
    "T": library.TGate,
    "TDG": library.TdgGate,
    "SX": library.SXGate,
    "SXDG": library.SXdgGate,
    "RX": library.RXGate,
    "RY": library.RYGate,
    "RZ": library.RZGate,
    "P": library.PhaseGate,
    "U": library.UGate,
    "CX": library.CXGate,
    "CZ": library.CZGate,
    "SWAP": library.SwapGate,
    "ECR": library.ECRGate,
    "CRX": library.CRXGate,
    "CRY": library.CRYGate,
    "CRZ": library.CRZGate,
    "CP": library.CPhaseGate,
    "RXX": library.RXXGate,
    "RYY": library.RYYGate,
    "RZZ": library.RZZGate,
}


def kraus(channel: Channel) -> Kraus:
    """A channel of ours as Qiskit's."""
    return Kraus(list(channel.kraus()))  # pyright: ignore[reportArgumentType]


def pennylane_expectations(
    circuit: Circuit,
    features: np.ndarray,
    theta: np.ndarray,
    noise: NoiseModel | None,
    observables: Sequence[str],
) -> np.ndarray:
    """Expectations ``(observable,)`` from ``default.mixed``, numpy interface."""
    device = qml.device("default.mixed", wires=circuit.n_qubits)
    body = _pennylane_operations(circuit, features, theta, noise)
    tapes = [
        QuantumScript([*body, *_measured(s, noise)], [qml.expval(_z_on(s))]) for s in observables
    ]
    return np.array(qml.execute(tapes, device, diff_method=None), dtype=float)


def pennylane_channel(channel: Channel, wire: int) -> qml.operation.Operation:
    """PennyLane's own operation for a channel of ours.

    PennyLane adds 1e-14 under the roots of its damping channels, which leaves 1e-7 of a coherence
    that full damping removes; its other channels that do the same leave 1e-14.
    """
    match channel:
        case AmplitudeDamping(1.0):
            return qml.ResetError(1.0, 0.0, wires=wire)
        case PhaseDamping(1.0):
            return qml.PhaseFlip(0.5, wires=wire)
        case AmplitudeDamping(gamma):
            return qml.AmplitudeDamping(gamma, wires=wire)
        case PhaseDamping(gamma):
            return qml.PhaseDamping(gamma, wires=wire)
        case Depolarizing(p, "pennylane"):
            return qml.DepolarizingChannel(p, wires=wire)
        case Depolarizing(p, "qiskit"):
            return qml.DepolarizingChannel(0.75 * p, wires=wire)
        case BitFlip(p):
            return qml.BitFlip(p, wires=wire)
        case PhaseFlip(p):
            return qml.PhaseFlip(p, wires=wire)
        case ThermalRelaxation(t1, t2, duration, excited):
            return qml.ThermalRelaxationError(excited, t1, t2, duration, wires=wire)
        case CoherentRotation(angle, axis):
            return {"X": qml.RX, "Y": qml.RY, "Z": qml.RZ}[axis](angle, wires=wire)
        case _:
            raise AssertionError(f"no translation of {channel}")


def aer_density_matrix(
    circuit: Circuit, features: np.ndarray, theta: np.ndarray, noise: NoiseModel
) -> np.ndarray:
    """The final state ``(2**n, 2**n)``, wire 0 leftmost, from Aer with Kraus noise by label."""
    n = circuit.n_qubits
    model = AerNoiseModel()
    written = QuantumCircuit(n)
    for operation, encoding in zip(circuit.operations, _is_encoding(circuit), strict=True):
        label = f"{operation.gate}-{len(operation.wires)}-{encoding}"
        angles = _angles(operation, features, theta, _turn(noise, encoding))
        # Qiskit's first qubit is the rightmost of a matrix.
        if operation.gate == "UNITARY":
            gate = library.UnitaryGate(np.array(operation.matrix), label=label)
            written.append(gate, operation.wires[::-1])
        else:
            # As a matrix of Qiskit's, since Aer's density matrices do not know every gate by name;
            # copied, since Aer 0.18 transposes matrices that are read-only.
            matrix = np.array(QISKIT_GATES[operation.gate](*angles).to_matrix())
            written.append(library.UnitaryGate(matrix, label=label), operation.wires)
        channels = _channels(noise, operation.gate, encoding)
        if channels and label not in model.noise_instructions:
            error = _aer_error(channels, len(operation.wires))
            model.add_all_qubit_quantum_error(error, label, warnings=False)
    written.save_density_matrix()  # type: ignore[attr-defined]  # added by qiskit_aer
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    rho = np.asarray(simulator.run(written).result().data()["density_matrix"])
    order = range(n - 1, -1, -1)
    shaped = rho.reshape((2,) * (2 * n)).transpose([*order, *(n + axis for axis in order)])
    return shaped.reshape(2**n, 2**n)


def _aer_error(channels: Sequence[Channel], n_wires: int) -> QuantumError:
    one = reduce(lambda total, c: total.compose(c), [SuperOp(kraus(c)) for c in channels])
    return QuantumError(Kraus(reduce(lambda total, e: total.tensor(e), [one] * n_wires)))


def _pennylane_operations(
    circuit: Circuit, features: np.ndarray, theta: np.ndarray, noise: NoiseModel | None
) -> list[qml.operation.Operator]:
    written: list[qml.operation.Operator] = []
    for operation, encoding in zip(circuit.operations, _is_encoding(circuit), strict=True):
        wires = list(operation.wires)
        if operation.gate == "UNITARY":
            written.append(qml.QubitUnitary(np.array(operation.matrix), wires=wires))
        elif operation.gate == "STATE":
            loaded = np.zeros(2**circuit.n_qubits)
            loaded[: len(operation.features)] = features[list(operation.features)]
            written.append(qml.StatePrep(loaded / np.sqrt(loaded @ loaded), wires=wires))
        else:
            angles = _angles(operation, features, theta, _turn(noise, encoding))
            written.append(PENNYLANE_GATES[operation.gate](*angles, wires=wires))
        for channel in _channels(noise, operation.gate, encoding):
            written += [pennylane_channel(channel, wire) for wire in wires]
    return written


def _measured(string: str, noise: NoiseModel | None) -> list[qml.operation.Operator]:
    """Turns every measured letter into Z, then flips classical bits as the readout error does."""
    written: list[qml.operation.Operator] = []
    for wire, letter in enumerate(string):
        if letter == "X":
            written.append(qml.Hadamard(wire))
        if letter == "Y":
            written += [qml.adjoint(qml.S(wire)), qml.Hadamard(wire)]
        readout = None if noise is None else noise.readout_on(wire)
        if letter != "I" and readout is not None:
            written.append(qml.QubitChannel(_confusion(readout), wires=wire))
    return written


def _confusion(readout: ReadoutError) -> list[np.ndarray]:
    flips = np.array([[1 - readout.p10, readout.p01], [readout.p10, 1 - readout.p01]])
    operators = []
    for read, true in np.ndindex(2, 2):
        operator = np.zeros((2, 2), dtype=complex)
        operator[read, true] = np.sqrt(flips[read, true])
        operators.append(operator)
    return operators


def _z_on(string: str) -> qml.operation.Operator:
    wires = {w: "Z" for w, letter in enumerate(string) if letter != "I"}
    return qml.pauli.PauliWord(wires).operation(wire_order=range(len(string)))


def _is_encoding(circuit: Circuit) -> list[bool]:
    """By the rule of the documentation: not trained, and not after the last use of the data.

    Where nothing is trained, all is encoding.
    """
    trained = [any(isinstance(a, Parameter) for a in op.angles) for op in circuit.operations]
    uses_data = [
        op.gate == "STATE" or any(isinstance(a, Feature) for a in op.angles)
        for op in circuit.operations
    ]
    return [
        not trained[i] and (any(uses_data[i:]) or not any(trained))
        for i in range(len(circuit.operations))
    ]


def _channels(noise: NoiseModel | None, gate: str, encoding: bool) -> tuple[Channel, ...]:
    if noise is None or (encoding and not noise.on_encoding):
        return ()
    return noise.by_gate.get(gate, noise.after_gate)


def _turn(noise: NoiseModel | None, encoding: bool) -> float:
    if noise is None or (encoding and not noise.on_encoding):
        return 1.0
    return 1 + noise.over_rotation


def _angles(
    operation: Operation, features: np.ndarray, theta: np.ndarray, turn: float
) -> list[float]:
    values = []
    for angle in operation.angles:
        if isinstance(angle, Feature):
            value = angle.scale
            for i in angle.indices:
                value *= features[i] - angle.offset
        elif isinstance(angle, Parameter):
            value = angle.scale * theta[angle.index]
        else:
            value = angle
        values.append(float(turn * value))
    return values
