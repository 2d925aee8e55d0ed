"""Devices: their tables, the channels that follow, transpiled circuits; Aer is the judge."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import QISKIT_GATES
from qiskit import QuantumCircuit
from qiskit.circuit import Measure
from qiskit.providers import BackendV2, Options, QubitProperties
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import PTM, Kraus, SuperOp
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel as AerNoiseModel
from qiskit_aer.noise import QuantumError

from bezoar.contracts.errors import FileProblem, InvalidArgument, MissingExtra, UnknownName
from bezoar.quantum.ansatze import SimCircuit
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.density import density_matrices
from bezoar.quantum.devices.backends import device_from_backend
from bezoar.quantum.devices.calibration import DeviceGate, DeviceQubit, channels_of
from bezoar.quantum.devices.device import Device, DeviceCircuit
from bezoar.quantum.devices.tables import (
    device_named,
    device_names,
    is_device,
    read_device,
    write_device,
)
from bezoar.quantum.encodings import AmplitudeEncoding, AngleEncoding, IQPEncoding
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.engines.selfcheck import noise_is_active
from bezoar.quantum.noise import GateNoise, ReadoutError, transfer_matrix
from bezoar.quantum.state_encoder import StateEncoder

# Rounding of some hundred gates; the issue asks for 1e-9.
AER = 1e-12
FAST = 1e-10
ROUNDING = 1e-12
NAMES = ("ibm-kyiv", "ibm-brisbane")

each_device = pytest.mark.parametrize("name", NAMES)
each_circuit = pytest.mark.parametrize("number", [1, 6, 8])


def model_circuit(number: int, n_qubits: int = 4) -> Circuit:
    """That of the QUID work: two features per qubit in RX and RZ, one layer."""
    encoding = AngleEncoding().circuit(2 * n_qubits, n_qubits)
    return encoding.then(SimCircuit(number=number).circuit(n_qubits, 1))


def numbers(circuit: Circuit, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, np.pi, circuit.n_features), rng.uniform(0, 6, circuit.n_parameters)


class TableBackend(BackendV2):
    """A backend of Qiskit's made of some qubits of a table, for Aer to make its noise from."""

    def __init__(self, device: Device, qubits: Sequence[int]) -> None:
        super().__init__(name="table")
        place = {q: i for i, q in enumerate(qubits)}
        times = [QubitProperties(device.qubits[q].t1, device.qubits[q].t2) for q in qubits]
        self._target = Target(num_qubits=len(qubits), qubit_properties=times)
        for name in device.basis_gates:
            at = {
                tuple(place[q] for q in gate.qubits): InstructionProperties(
                    gate.duration, gate.error
                )
                for gate in device.gates
                if gate.gate == name and set(gate.qubits) <= set(qubits)
            }
            kind = QISKIT_GATES[name]
            if at:
                self._target.add_instruction(kind(0.0) if name == "RZ" else kind(), at)
        # Aer looks for measurements, whose errors are added below.
        measured = {(i,): InstructionProperties(1e-6, 0.0) for i in range(len(qubits))}
        self._target.add_instruction(Measure(), measured)

    @property
    def target(self) -> Target:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Options:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Options()

    def run(self, run_input, **options):
        raise NotImplementedError


def aer_noise(device: Device, qubits: Sequence[int]) -> AerNoiseModel:
    """Aer's noise of some qubits of a table, readout apart.

    Each error as one channel: Aer keeps it as a mixture of circuits, and its simulator drops those
    of a probability below 1e-10. That moves an expectation by up to 1e-9.
    """
    mixed = AerNoiseModel.from_backend(TableBackend(device, qubits), readout_error=False)
    model = AerNoiseModel()
    for name, at in mixed._local_quantum_errors.items():
        for wires, error in at.items():
            model.add_quantum_error(QuantumError(Kraus(SuperOp(error))), [name], list(wires))
    return model


def aer_density_matrix(
    circuit: Circuit, device: Device, qubits: Sequence[int], x: np.ndarray, theta: np.ndarray
) -> np.ndarray:
    """The state, wire 0 leftmost, by Aer with its own noise of those qubits."""
    n = circuit.n_qubits
    written = QuantumCircuit(n)
    for operation in circuit.operations:
        angles = [_value(angle, x, theta) for angle in operation.angles]
        written.append(QISKIT_GATES[operation.gate](*angles), operation.wires)
    written.save_density_matrix()  # type: ignore[attr-defined]  # added by qiskit_aer
    simulator = AerSimulator(method="density_matrix", noise_model=aer_noise(device, qubits))
    rho = np.asarray(simulator.run(written).result().data()["density_matrix"])
    axes = [*range(n - 1, -1, -1), *range(2 * n - 1, n - 1, -1)]
    return rho.reshape((2,) * (2 * n)).transpose(axes).reshape(2**n, 2**n)


def _value(angle: Feature | Parameter | float, x: np.ndarray, theta: np.ndarray) -> float:
    if isinstance(angle, Feature):
        return angle.scale * math.prod(x[i] - angle.offset for i in angle.indices)
    return angle.scale * theta[angle.index] if isinstance(angle, Parameter) else angle


def read_z(rho: np.ndarray, readout: Sequence[ReadoutError | None]) -> np.ndarray:
    """Z of each wire from the distribution of read bits."""
    n = len(readout)
    p = np.real(np.diag(rho)).reshape((2,) * n)
    for wire, error in enumerate(readout):
        assert error is not None
        flips = np.array([[1 - error.p10, error.p01], [error.p10, 1 - error.p01]])
        p = np.moveaxis(np.tensordot(flips, p, axes=(1, wire)), 0, wire)
    ends = [p.sum(tuple(w for w in range(n) if w != wire)) for wire in range(n)]
    return np.array([zero - one for zero, one in ends])


def transfer_of(gate: GateNoise) -> np.ndarray:
    """All channels of a place in one, ``(4**k, 4**k)``."""
    total = np.eye(4 ** len(gate.wires))
    for channel, on in gate.channels:
        matrix = transfer_matrix(channel.kraus())
        if len(on) < len(gate.wires):
            one = np.eye(4)
            matrix = np.kron(matrix, one) if on[0] == gate.wires[0] else np.kron(one, matrix)
        total = matrix @ total
    return total


class TestAgainstAer:
    @each_device
    @each_circuit
    @pytest.mark.parametrize("barrier", [True, False])
    def test_expectations_and_encoded_states(self, name: str, number: int, barrier: bool):
        device, circuit = device_named(name), model_circuit(number)
        found = device.transpile(circuit, barrier=barrier)
        x, theta = numbers(circuit)
        theirs = aer_density_matrix(found.circuit, device, found.qubits, x, theta)
        readout = [device.qubits[q].readout for q in found.qubits]
        program = compile_circuit(found.circuit, found.noise, dtype="float64")
        ours = program.run(x[None], theta)[0]
        np.testing.assert_allclose(ours, read_z(theirs, readout), rtol=0, atol=AER)
        slow = reference.expectations(found.circuit, x, theta, found.noise)
        np.testing.assert_allclose(ours, slow, rtol=0, atol=FAST)

        encoding = found.encoding()
        prepared = aer_density_matrix(encoding, device, found.qubits, x, theta)
        states = StateEncoder(circuit=encoding, noise=found.noise).encode(x[None])
        assert states.bloch is not None
        np.testing.assert_allclose(density_matrices(states)[0], prepared, rtol=0, atol=AER)

    @each_device
    def test_the_channels_of_every_gate(self, name: str):
        device = device_named(name)
        # The first row of the chip, qubits whose t2 is above 2 t1, and uncalibrated gates.
        broken = [g.qubits for g in device.gates if not g.is_calibrated]
        odd = [i for i, q in enumerate(device.qubits) if q.t1 and q.t2 and q.t2 > 2 * q.t1]
        qubits = sorted({*range(14), *odd, *(q for pair in broken for q in pair)})
        theirs = AerNoiseModel.from_backend(TableBackend(device, qubits), readout_error=False)
        ours = {(g.gate, g.wires): transfer_of(g) for g in device.noise_model(qubits).by_place}
        assert len(ours) > 3 * 14 + 13
        for theirs_name, at in theirs._local_quantum_errors.items():
            for wires, error in at.items():
                matrix = np.real(PTM(error).data)
                if len(wires) == 2:
                    # Qiskit's first qubit is the faster index.
                    matrix = matrix.reshape(4, 4, 4, 4).transpose(1, 0, 3, 2).reshape(16, 16)
                gate = "I" if theirs_name == "id" else theirs_name.upper()
                np.testing.assert_allclose(ours.pop((gate, wires)), matrix, rtol=0, atol=ROUNDING)
        assert not ours
        assert broken


class TestRule:
    @given(
        st.floats(1e-6, 1e-3),
        st.floats(0.01, 2),
        st.floats(0, 1e-6),
        st.floats(0, 1),
        st.integers(1, 2),
    )
    @settings(max_examples=60)
    def test_the_error_is_the_average_infidelity(self, t1, ratio, duration, error, n):
        qubits = [DeviceQubit(t1=t1, t2=t1 * ratio)] * n
        where = tuple(range(n))
        gate = DeviceGate(
            gate="X" if n == 1 else "CX", qubits=where, error=error, duration=duration
        )
        relaxed = dataclasses.replace(gate, error=0.0)

        def infidelity(of: DeviceGate) -> float:
            placed = channels_of(of, qubits)
            matrix = transfer_of(GateNoise(gate=of.gate, wires=where, channels=placed))
            d = 2**n
            return 1 - (d * np.trace(matrix) / d**2 + 1) / (d + 1)

        least = infidelity(relaxed)
        # Depolarising can take no more than all Pauli strings but the identity at equal parts.
        most = 1 - 1 / (2**n + 1)
        if error <= least:
            assert infidelity(gate) == pytest.approx(least, abs=ROUNDING)
        elif error < 0.5:
            assert infidelity(gate) == pytest.approx(error, abs=1e-10)
        else:
            assert error - 0.51 < infidelity(gate) <= most + ROUNDING

    def test_perfect_and_unknown(self):
        qubit = DeviceQubit(t1=1e-4, t2=1e-4)
        assert (
            channels_of(DeviceGate(gate="RZ", qubits=(0,), error=0.0, duration=0.0), [qubit]) == ()
        )
        assert channels_of(DeviceGate(gate="X", qubits=(0,)), [qubit]) == ()
        (one,) = channels_of(DeviceGate(gate="X", qubits=(0,), error=0.1), [DeviceQubit()])
        assert transfer_matrix(one[0].kraus())[1, 1] == pytest.approx(1 - 0.2)

    def test_one_time_is_enough(self):
        only_t1, only_t2 = DeviceQubit(t1=1e-4), DeviceQubit(t2=1e-4)
        for qubit, z, xy in ((only_t1, 1 - 0.5, 0.5**0.5), (only_t2, 1.0, 0.5)):
            channel = qubit.relaxation(1e-4 * math.log(2))
            assert channel is not None
            matrix = transfer_matrix(channel.kraus())
            assert (matrix[3, 3], matrix[1, 1]) == pytest.approx((z, xy))

    def test_unphysical_t2_counts_as_twice_t1(self):
        channel = DeviceQubit(t1=1e-4, t2=9e-4).relaxation(1e-6)
        assert channel is not None
        assert channel.t2 == pytest.approx(2e-4)

    @pytest.mark.parametrize(
        "settings",
        [
            {"gate": "NONE", "qubits": (0,)},
            {"gate": "CX", "qubits": (0,)},
            {"gate": "CX", "qubits": (0, 0)},
            {"gate": "X", "qubits": (0,), "error": 1.5},
            {"gate": "X", "qubits": (0,), "error": math.nan},
            {"gate": "X", "qubits": (0,), "duration": -1.0},
            {"gate": "X", "qubits": (0,), "duration": math.inf},
        ],
    )
    def test_gates_that_are_none(self, settings):
        with pytest.raises(InvalidArgument):
            DeviceGate(**settings)

    @pytest.mark.parametrize("time", [0.0, -1.0, math.nan])
    def test_times_that_are_none(self, time: float):
        with pytest.raises(InvalidArgument, match="a positive time"):
            DeviceQubit(t1=time)


def grid(n: int, *, error: float = 0.01, missing: Sequence[tuple[int, int]] = ()) -> Device:
    """A line of `n` qubits with CX one way, and an uncalibrated gate at the places `missing`."""
    turns = [
        DeviceGate(gate=gate, qubits=(q,), error=0.0 if gate == "RZ" else 1e-3, duration=5e-8)
        for q in range(n)
        for gate in ("RZ", "SX", "X")
    ]
    links = [
        DeviceGate(
            gate="CX",
            qubits=(q, q + 1),
            error=1.0 if (q, q + 1) in missing else error,
            duration=4e-7,
        )
        for q in range(n - 1)
    ]
    return Device(
        name="line",
        calibrated="",
        source="made by hand",
        qubits=(DeviceQubit(t1=1e-4, t2=1e-4, readout=ReadoutError(0.01, 0.02)),) * n,
        gates=(*turns, *links),
    )


def all_to_all(n: int) -> Circuit:
    encoding = [Operation("RY", (w,), (Feature((w,)),)) for w in range(n)]
    links = [
        Operation("CRX", (a, b), (Parameter(a * n + b),))
        for a in range(n)
        for b in range(n)
        if a != b
    ]
    return Circuit(n, (*encoding, *links))


def same_expectations(found: DeviceCircuit, circuit: Circuit) -> None:
    x, theta = numbers(circuit, seed=3)
    ours = reference.expectations(found.circuit, x, theta)
    np.testing.assert_allclose(
        ours, reference.expectations(circuit, x, theta), rtol=0, atol=ROUNDING
    )


class TestTranspile:
    @each_circuit
    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_without_noise_it_is_the_same_circuit(self, number: int, level: int):
        circuit = model_circuit(number)
        for barrier in (True, False):
            found = device_named("ibm-kyiv").transpile(
                circuit, barrier=barrier, optimization_level=level, seed=level
            )
            same_expectations(found, circuit)
            assert found.circuit.n_parameters == circuit.n_parameters
            assert found.circuit.n_features == circuit.n_features

    @pytest.mark.parametrize("seed", range(4))
    def test_routing_keeps_wires_and_adds_none(self, seed: int):
        circuit = all_to_all(4)
        found = grid(9).transpile(circuit, seed=seed)
        assert found.circuit.n_qubits == 4
        assert max(found.qubits) - min(found.qubits) == 3
        same_expectations(found, circuit)

    @pytest.mark.parametrize("n", [2, 3])
    def test_routing_through_other_qubits_is_done_again(self, n: int):
        # At level 0 wires start on the first qubits, which only the hub joins; the best is 3.
        line = grid(6)
        links = [
            DeviceGate(gate="CX", qubits=(q, 5), error=0.01 + 0.001 * abs(q - 3), duration=4e-7)
            for q in range(5)
        ]
        turns = [gate for gate in line.gates if len(gate.qubits) == 1]
        star = dataclasses.replace(line, gates=(*turns, *links))
        circuit = all_to_all(n)
        found = star.transpile(circuit, optimization_level=0)
        assert found.circuit.n_qubits == n
        assert 5 in found.qubits
        same_expectations(found, circuit)

    def test_qubits_that_routing_leaves_apart_are_replaced_by_joined_ones(self):
        # Three arms of two qubits on a hub; at level 0 the wires start at the tips 0, 1, 2.
        line = grid(7)
        pairs = [(0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)]
        links = [DeviceGate(gate="CX", qubits=p, error=0.01, duration=4e-7) for p in pairs]
        turns = [gate for gate in line.gates if len(gate.qubits) == 1]
        spider = dataclasses.replace(line, gates=(*turns, *links))
        joined = [Operation("CX", (0, 1)), Operation("RY", (2,), (Feature((0,)),))]
        circuit = Circuit(3, (Operation("RY", (0,), (Feature((0,)),)), *joined))
        found = spider.transpile(circuit, optimization_level=0)
        assert found.circuit.n_qubits == 3
        inside = [p for p in spider.coupling if set(p) <= set(found.qubits)]
        assert len(inside) == 2
        same_expectations(found, circuit)

    def test_a_chip_in_pieces(self):
        device = grid(5, missing=[(1, 2), (2, 3)])
        pair = Circuit(2, (Operation("RY", (0,), (Feature((0,)),)), Operation("CX", (0, 1))))
        found = device.transpile(pair)
        assert set(found.qubits) in ({0, 1}, {3, 4})
        same_expectations(found, pair)

    def test_entangling_encodings(self):
        encoding = IQPEncoding().circuit(3, 3)
        circuit = encoding.then(SimCircuit(number=8).circuit(3, 1))
        found = grid(5).transpile(circuit)
        same_expectations(found, circuit)
        x, theta = numbers(circuit)
        program = compile_circuit(found.circuit, found.noise, dtype="float64")
        slow = reference.expectations(found.circuit, x, theta, found.noise)
        np.testing.assert_allclose(program.run(x[None], theta)[0], slow, rtol=0, atol=FAST)

    def test_layout_as_given(self):
        found = grid(6).transpile(model_circuit(8), layout=[4, 3, 2, 1])
        assert sorted(found.qubits) == [1, 2, 3, 4]
        assert found.layout_given
        one = grid(6).transpile(model_circuit(1), layout=[5, 0, 2, 4])
        assert one.qubits == (5, 0, 2, 4)

    def test_uncalibrated_gates_are_not_used(self):
        device = grid(7, missing=[(2, 3)])
        assert (2, 3) not in device.coupling
        found = device.transpile(all_to_all(4))
        assert min(found.qubits) == 3

    def test_same_seed_same_circuit(self):
        device = device_named("ibm-brisbane")
        one, two = (device.transpile(model_circuit(6), seed=7) for _ in range(2))
        assert one == two

    def test_the_encoding_reaches_to_the_barrier(self):
        # RX last: its last SX and RZ follow the last use of the data.
        turns = [
            Operation(gate, (w,), (Feature((i,)),))
            for w in range(2)
            for i, gate in enumerate(("RZ", "RX"))
        ]
        circuit = Circuit(
            2, (*turns, Operation("CX", (0, 1)), Operation("RY", (0,), (Parameter(0),)))
        )
        found = grid(3).transpile(circuit)
        plain = grid(3).transpile(Circuit(2, tuple(turns)), layout=None)
        assert found.n_encoding > found.circuit.encoding_length
        assert [op.gate for op in found.encoding().operations] == [
            op.gate for op in plain.circuit.operations
        ]
        x = np.array([0.4, 1.9])
        expected = reference.density_matrix(Circuit(2, tuple(turns)), x)
        ours = reference.density_matrix(found.encoding(), x)
        # The layout of the whole circuit may have swapped the wires of the part.
        z = [np.sort(np.linalg.eigvalsh(rho)) for rho in (ours, expected)]
        np.testing.assert_allclose(z[0], z[1], rtol=0, atol=ROUNDING)

    def test_without_a_barrier_states_can_still_be_encoded_once(self):
        found = device_named("ibm-kyiv").transpile(model_circuit(8), barrier=False)
        assert not found.circuit.reuploads
        assert found.encoding() == found.circuit.encoding()
        assert found.encoding().n_parameters == 0

    def test_reuploading_circuits(self):
        layer = model_circuit(8, 2)
        circuit = layer.then(layer.shifted(layer.n_parameters))
        found = grid(4).transpile(circuit)
        assert found.circuit.reuploads
        same_expectations(found, circuit)

    def test_circuits_without_data_or_training(self):
        for circuit in (
            SimCircuit(number=8).circuit(3, 1),
            AngleEncoding().circuit(3, 3),
            Circuit(2, (Operation("H", (0,)), Operation("CX", (0, 1)))),
            Circuit(2, ()),
        ):
            found = grid(4).transpile(circuit)
            same_expectations(found, circuit)

    def test_its_noise_acts(self):
        found = device_named("ibm-kyiv").transpile(model_circuit(1))
        assert noise_is_active(found.circuit, found.noise)
        quiet = dataclasses.replace(found.noise, readout=None)
        assert noise_is_active(found.circuit, quiet)

    def test_record(self):
        found = device_named("ibm-kyiv").transpile(model_circuit(8), barrier=False, seed=5)
        told = json.loads(json.dumps(found.describe()))
        assert told["device"] == "ibm-kyiv"
        assert told["calibrated"].startswith("2025-02-26")
        assert told["qubits"] == list(found.qubits)
        assert (told["barrier"], told["seed"]) == (False, 5)
        assert told["layout"] == "chosen by the transpiler"
        assert set(told["gates"]) <= {"ECR", "RZ", "SX", "X", "P"}
        assert told["transpiler"].startswith("qiskit ")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"layout": [0, 1, 2]}, "4 different qubits from 0 to 5"),
            ({"layout": [0, 1, 2, 2]}, "different qubits"),
            ({"layout": [0, 1, 2, 6]}, "different qubits"),
            ({"layout": [0, 1, 2, 5]}, "connect"),
            ({"optimization_level": 4}, "0 to 3"),
            ({"seed": -1}, "0 or more"),
        ],
    )
    def test_settings_that_do_not_fit(self, arguments, message):
        with pytest.raises(InvalidArgument, match=message):
            grid(6).transpile(model_circuit(8), **arguments)

    def test_circuits_that_do_not_fit(self):
        with pytest.raises(InvalidArgument, match="an encoding by angles"):
            grid(6).transpile(AmplitudeEncoding().circuit(4, 2))
        with pytest.raises(InvalidArgument, match="at most the device's 3 qubits"):
            grid(3).transpile(model_circuit(1))
        with pytest.raises(InvalidArgument, match="calibrated gates connect"):
            grid(6, missing=[(2, 3)]).transpile(all_to_all(4))

    def test_without_qiskit(self, monkeypatch: pytest.MonkeyPatch):
        device = device_named("ibm-kyiv")
        monkeypatch.setitem(sys.modules, "qiskit", None)
        assert device.noise_model([0, 1]).is_active()
        with pytest.raises(MissingExtra, match=r"bezoar\[qiskit\]"):
            device.transpile(model_circuit(1))


class TestNoiseModel:
    def test_wires_are_the_qubits_asked_for(self):
        noise = grid(4).noise_model([2, 1])
        places = {(place.gate, place.wires) for place in noise.by_place}
        assert ("CX", (1, 0)) in places
        assert ("CX", (0, 1)) not in places
        assert ("SX", (1,)) in places
        assert noise.readout == (ReadoutError(0.01, 0.02),) * 2

    def test_qubits_that_are_none(self):
        for qubits in ([0, 0], [4], [-1]):
            with pytest.raises(InvalidArgument, match="different numbers from 0 to 3"):
                grid(4).noise_model(qubits)

    def test_devices_that_are_none(self):
        table = grid(2)
        with pytest.raises(InvalidArgument, match="one or more"):
            dataclasses.replace(table, qubits=(), gates=())
        with pytest.raises(InvalidArgument, match="each place once"):
            dataclasses.replace(table, gates=(*table.gates, table.gates[0]))
        with pytest.raises(InvalidArgument, match="qubits from 0 to 0"):
            dataclasses.replace(table, qubits=table.qubits[:1])


class TestTables:
    @each_device
    def test_what_is_shipped(self, name: str):
        device = device_named(name)
        assert (len(device.qubits), device.name) == (127, name)
        assert sum(gate.gate == "ECR" for gate in device.gates) == 144
        assert 0 < 144 - len(device.coupling) < 10
        assert "qiskit-ibm-runtime" in device.source
        assert all(qubit.readout and qubit.t1 and qubit.t2 for qubit in device.qubits)
        # A device of today: median errors of a two-qubit gate and of a reading of about one in 100.
        errors = [gate.error for gate in device.gates if gate.gate == "ECR"]
        assert 0.005 < np.median(np.array(errors, dtype=float)) < 0.02
        read = [q.readout.p10 + q.readout.p01 for q in device.qubits if q.readout]
        assert 0.01 < np.median(read) < 0.1

    def test_names(self):
        assert device_names() == ("ibm-brisbane", "ibm-kyiv")
        assert all(is_device(name) for name in (*device_names(), "device:some.json"))
        assert not any(is_device(name) for name in ("none", "ad-dep:0.05", "ibm", "IBM-KYIV", ""))
        with pytest.raises(UnknownName, match="did you mean 'ibm-kyiv'"):
            device_named("ibm-kiev")

    def test_there_and_back(self, tmp_path: Path):
        device = dataclasses.replace(
            grid(3), name="mine [0, 1] { x }", qubits=(DeviceQubit(), *grid(3).qubits[1:])
        )
        path = write_device(tmp_path / "mine.json", device)
        again = read_device(path)
        assert again.noise_model() == device.noise_model()
        assert again == device
        assert device_named(f"device:{path}") == again

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            "null",
            "\xff",
            "[" * 100_000,
            '{"format": "bezoar device", "format_version": 2}',
            '{"format": "bezoar model", "format_version": 1}',
        ],
    )
    def test_files_that_are_none(self, tmp_path: Path, text: str):
        path = tmp_path / "bad.json"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(FileProblem, match=r"bad\.json: is no table of a device"):
            read_device(path)

    @pytest.mark.parametrize(
        ("where", "value"),
        [
            (("qubits", 0, "t1"), -1.0),
            (("qubits", 0, "t1"), "long"),
            (("qubits", 0, "p10"), 1.5),
            (("qubits", 0), 7),
            (("gates", "CX", 0, "error"), 2.0),
            (("gates", "CX", 0, "qubits"), [0, 9]),
            (("gates", "CX", 0, "qubits"), [0]),
            (("gates", "CX"), None),
            (("gates",), {"BOGUS": [{"qubits": [0], "error": 0, "duration": 0}]}),
            (("qubits",), []),
        ],
    )
    def test_tables_with_wrong_numbers(self, tmp_path: Path, where, value):
        path = write_device(tmp_path / "table.json", grid(3))
        table = json.loads(path.read_text())
        inner = table
        for key in where[:-1]:
            inner = inner[key]
        inner[where[-1]] = value
        path.write_text(json.dumps(table))
        with pytest.raises(FileProblem, match="is no table of a device"):
            read_device(path)

    def test_files_that_are_not_there(self, tmp_path: Path):
        with pytest.raises(FileProblem, match="does not exist"):
            device_named(f"device:{tmp_path / 'none.json'}")
        with pytest.raises(FileProblem, match="cannot be read"):
            read_device(tmp_path)


class TestBackends:
    def test_a_backend_of_the_user(self):
        backend = GenericBackendV2(4, coupling_map=[[0, 1], [1, 2], [2, 3]], seed=3)
        device = device_from_backend(backend, name="mine")
        assert device.name == "mine"
        assert device.coupling == ((0, 1), (1, 2), (2, 3))
        assert device.basis_gates == ("CX", "I", "RZ", "SX", "X")
        theirs = backend.target["sx"][(2,)]
        (ours,) = [g for g in device.gates if (g.gate, g.qubits) == ("SX", (2,))]
        assert (ours.error, ours.duration) == (theirs.error, theirs.duration)
        read = device.qubits[1].readout
        assert read is not None
        assert read.p10 == read.p01 == backend.target["measure"][(1,)].error
        found = device.transpile(model_circuit(8))
        same_expectations(found, model_circuit(8))

    def test_as_aer_makes_it(self):
        backend = GenericBackendV2(3, coupling_map=[[0, 1], [1, 2]], seed=5)
        device = device_from_backend(backend)
        circuit = device.transpile(model_circuit(8, 3))
        x, theta = numbers(circuit.circuit)
        theirs = aer_density_matrix(circuit.circuit, device, circuit.qubits, x, theta)
        ours = reference.density_matrix(circuit.circuit, x, theta, circuit.noise)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=AER)

    def test_a_backend_of_no_package_and_without_measurements(self):
        table = grid(3)
        backend = TableBackend(table, range(3))
        again = device_from_backend(backend, name="line")
        assert again.gates == table.gates
        assert again.source == "TableBackend"
        assert [q.readout for q in again.qubits] == [ReadoutError(0.0, 0.0)] * 3
        backend._target = Target(num_qubits=1)
        backend._target.add_instruction(QISKIT_GATES["X"](), {(0,): None})
        (qubit,) = device_from_backend(backend).qubits
        assert qubit == DeviceQubit()

    def test_properties_tell_the_two_readout_errors_apart(self):
        backend = GenericBackendV2(2, coupling_map=[[0, 1]], seed=1)

        class Properties:
            class _Entry:
                def __init__(self, name: str, value: float) -> None:
                    self.name, self.value = name, value

            last_update_date = dt.datetime(2025, 1, 2, 3, 4, tzinfo=dt.UTC)
            qubits = ([_Entry("prob_meas1_prep0", 0.03), _Entry("prob_meas0_prep1", 0.07)],) * 2

        backend.properties = Properties  # type: ignore[attr-defined]
        device = device_from_backend(backend)
        assert device.qubits[0].readout == ReadoutError(p10=0.03, p01=0.07)
        assert device.calibrated == "2025-01-02T03:04:00+00:00"

    def test_what_is_no_device(self):
        with pytest.raises(InvalidArgument, match="BackendV2"):
            device_from_backend("ibm_kyiv")
        with pytest.raises(InvalidArgument, match="from_aer_noise_model"):
            device_from_backend(GenericBackendV2(1, basis_gates=[], seed=0, noise_info=False))
        with pytest.raises(InvalidArgument, match="gates at places"):
            device_from_backend(AerSimulator())


def test_encode_once_is_what_the_whole_circuit_does():
    """States of the encoding, then the rest: the same as the circuit at once."""
    device, circuit = device_named("ibm-brisbane"), model_circuit(8)
    found = device.transpile(circuit)
    x, theta = numbers(circuit)
    program = compile_circuit(found.circuit, found.noise, dtype="float64")
    states = encode(found.circuit.encoding(), x[None], found.noise)
    once = program.inputs_from(states)
    out, _ = program.forward(torch.as_tensor(theta)[None], once)
    slow = reference.expectations(found.circuit, x, theta, found.noise)
    np.testing.assert_allclose(out[0, 0].numpy(), slow, rtol=0, atol=FAST)
