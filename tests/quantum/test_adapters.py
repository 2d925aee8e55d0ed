"""PennyLane, Qiskit, Aer and OpenQASM: the same states as the reference engine, and back again."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import qiskit.qasm3
from hypothesis import given, settings
from pennylane.queuing import AnnotatedQueue
from pennylane.tape import QuantumScript
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import efficient_su2, zz_feature_map
from qiskit.quantum_info import Operator, Statevector
from qiskit_aer import AerSimulator
from strategies import Case, cases, circuits, haar, noise_models

from bezoar.contracts.errors import InvalidArgument, InvalidData, MissingExtra
from bezoar.quantum.adapters.aer import to_aer_circuit, to_aer_noise_model
from bezoar.quantum.adapters.openqasm import to_openqasm
from bezoar.quantum.adapters.pennylane import from_pennylane, to_pennylane
from bezoar.quantum.adapters.qiskit import (
    from_qiskit,
    to_qiskit,
)
from bezoar.quantum.ansatze import EfficientSU2, SimCircuit, StronglyEntangling
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter, unitary
from bezoar.quantum.encodings import (
    AmplitudeEncoding,
    AngleEncoding,
    BasisEncoding,
    IQPEncoding,
)
from bezoar.quantum.engines import reference
from bezoar.quantum.gates import GATES, STATE_PREPARATION
from bezoar.quantum.noise import (
    AmplitudeDamping,
    CoherentRotation,
    Depolarizing,
    NoiseModel,
    ReadoutError,
    ad_dep,
)

EXACT = 1e-12
NOISY = 1e-10
# Aer normalises states and Kraus operators in other places than we do.
AER = 1e-9

SMALL = cases(circuits(most_qubits=3, most_operations=8), n_samples=1, n_trainings=1)

MODELS = (
    AngleEncoding().circuit(4, 2).then(SimCircuit(number=8).circuit(2, 2)),
    IQPEncoding().circuit(3, 3).then(EfficientSU2().circuit(3, 1)),
    BasisEncoding().circuit(2, 2).then(StronglyEntangling().circuit(2, 2)),
    SimCircuit(number=19).circuit(3, 1),
)
each_model = pytest.mark.parametrize("circuit", MODELS, ids=("angle", "iqp", "basis", "sim-19"))


def numbers(circuit: Circuit, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-3, 3, circuit.n_features),
        rng.uniform(-3, 3, circuit.n_parameters),
    )


def pennylane_state(circuit: Circuit, x, theta, noise: NoiseModel | None = None) -> np.ndarray:
    with AnnotatedQueue() as queue:
        to_pennylane(circuit, noise)(x, theta)
    tape = QuantumScript.from_queue(queue)
    tape = QuantumScript(tape.operations, [qml.density_matrix(range(circuit.n_qubits))])
    device = qml.device("default.mixed", wires=circuit.n_qubits)
    return np.asarray(qml.execute([tape], device, diff_method=None)[0])


def aer_state(circuit: Circuit, x, theta, noise: NoiseModel | None) -> np.ndarray:
    written = to_aer_circuit(circuit, x, theta, noise)
    written.save_density_matrix()  # type: ignore[attr-defined]  # added by qiskit_aer
    simulator = AerSimulator(method="density_matrix", noise_model=to_aer_noise_model(noise))
    rho = np.asarray(simulator.run(written).result().data()["density_matrix"])
    return our_order(rho, circuit.n_qubits)


def our_order(rho: np.ndarray, n: int) -> np.ndarray:
    axes = [*range(n - 1, -1, -1), *range(2 * n - 1, n - 1, -1)]
    return rho.reshape((2,) * (2 * n)).transpose(axes).reshape(2**n, 2**n)


def with_bits_read(rho: np.ndarray, readout: ReadoutError) -> np.ndarray:
    """The distribution of read bit strings, from that of the true ones."""
    n = rho.shape[0].bit_length() - 1
    p = np.real(np.diag(rho)).reshape((2,) * n)
    flips = np.array([[1 - readout.p10, readout.p01], [readout.p10, 1 - readout.p01]])
    for wire in range(n):
        p = np.moveaxis(np.tensordot(flips, p, axes=(1, wire)), 0, wire)
    return p.ravel()


# PennyLane


@given(SMALL, noise_models(with_readout=False))
@settings(max_examples=40)
def test_pennylane_makes_our_noisy_state(case: Case, noise: NoiseModel):
    found = pennylane_state(case.circuit, case.features[0], case.theta[0], noise)
    expected = reference.density_matrix(case.circuit, case.features[0], case.theta[0], noise)
    np.testing.assert_allclose(found, expected, rtol=0, atol=NOISY)


def test_pennylane_reads_wrong_bits():
    readout = ReadoutError(0.1, 0.25)
    noise = NoiseModel(readout=readout)
    circuit = MODELS[0]
    x, theta = numbers(circuit)
    found = np.real(np.diag(pennylane_state(circuit, x, theta, noise)))
    true = reference.density_matrix(circuit, x, theta)
    np.testing.assert_allclose(found, with_bits_read(true, readout), rtol=0, atol=EXACT)


def test_pennylane_broadcasts_and_differentiates_in_a_qnode():
    circuit = MODELS[0]
    x, theta = numbers(circuit)
    run = to_pennylane(circuit)

    @qml.qnode(qml.device("default.qubit", wires=2))
    def node(features, parameters):
        run(features, parameters)
        return qml.expval(qml.PauliZ(0))

    batch = np.stack([x, x + 0.3])
    expected = [reference.expectations(circuit, row, theta)[0] for row in batch]
    np.testing.assert_allclose(node(batch, theta), expected, rtol=0, atol=EXACT)
    np.testing.assert_allclose(node(list(x), list(theta)), expected[0], rtol=0, atol=EXACT)
    slope: Any = qml.grad(node, argnums=1)(x, qml.numpy.array(theta, requires_grad=True))
    step = 1e-6 * np.eye(len(theta))[0]
    around = [reference.expectations(circuit, x, theta + s)[0] for s in (step, -step)]
    assert slope[0] == pytest.approx((around[0] - around[1]) / 2e-6, abs=1e-8)


def test_pennylane_pads_amplitudes():
    circuit = AmplitudeEncoding().circuit(3, 2)
    rho = pennylane_state(circuit, np.array([1.0, -2.0, 3.0]), np.zeros(0))
    psi = np.array([1, -2, 3, 0])
    np.testing.assert_allclose(rho, np.outer(psi, psi) / (psi @ psi), rtol=0, atol=EXACT)


@each_model
def test_pennylane_and_back(circuit: Circuit):
    x, theta = numbers(circuit)
    tape = QuantumScript(to_pennylane(circuit)(x, theta))
    again = from_pennylane(tape)
    assert [(op.gate, op.wires) for op in again.operations] == [
        (op.gate, op.wires) for op in circuit.operations
    ]
    np.testing.assert_allclose(
        reference.density_matrix(again),
        reference.density_matrix(circuit, x, theta),
        rtol=0,
        atol=EXACT,
    )


def test_every_gate_goes_to_pennylane_and_back():
    rng = np.random.default_rng(0)
    operations = [
        Operation(g.name, (1, 0)[: g.n_wires], tuple(rng.uniform(-3, 3, g.n_angles).tolist()))
        for g in GATES.values()
    ]
    circuit = Circuit(2, tuple(operations))
    again = from_pennylane(to_pennylane(circuit)([], []))
    assert again == circuit


def test_trainable_angles_of_a_tape_become_parameters():
    tape = QuantumScript(
        [
            qml.RX(0.1, "b"),
            qml.Rot(0.2, 0.3, 0.4, "a"),
            qml.CNOT(["a", "b"]),
            qml.CRY(0.5, ["a", "b"]),
        ],
        trainable_params=[0, 2, 4],
    )
    circuit = from_pennylane(tape, trainable=True)
    assert circuit.operations[0].angles == (Parameter(0),)
    assert circuit.operations[1].angles == (Parameter(1), 0.4, 0.2)
    assert circuit.operations[3] == Operation("CRY", (1, 0), (Parameter(2),))
    values = np.array(tape.get_parameters())
    np.testing.assert_allclose(
        reference.density_matrix(circuit, (), values),
        reference.density_matrix(from_pennylane(tape)),
        rtol=0,
        atol=EXACT,
    )


def test_templates_are_taken_apart():
    weights = np.random.default_rng(1).uniform(-3, 3, (2, 3, 3))
    state = np.array([1, 2, 3, 4, 5, 6, 7, 8.0]) / math.sqrt(204)
    template = [
        qml.StatePrep(state, wires=range(3)),
        qml.AngleEmbedding([0.1, 0.2, 0.3], wires=range(3), rotation="Y"),
        qml.StronglyEntanglingLayers(weights, wires=range(3)),
        qml.Toffoli([2, 0, 1]),
        qml.QubitUnitary(haar(2, np.random.default_rng(2)), wires=[2, 0]),
        qml.ctrl(qml.S(0), 1),
        qml.Barrier(),
        qml.MultiRZ(0.3, wires=[0, 1, 2]),
    ]
    circuit = from_pennylane(template)
    tape = QuantumScript(template, [qml.density_matrix(range(3))])
    expected = qml.execute([tape], qml.device("default.qubit"), diff_method=None)[0]
    np.testing.assert_allclose(reference.density_matrix(circuit), expected, rtol=0, atol=EXACT)


def test_reading_a_tape_queues_nothing():
    with AnnotatedQueue() as queue:
        template = qml.QFT(wires=[0, 1])
        from_pennylane([template])
    assert list(queue.queue) == [template]


def test_tapes_that_are_no_circuits_are_refused():
    with pytest.raises(InvalidArgument, match="construct_tape"):
        from_pennylane(qml.QNode(lambda: None, qml.device("default.qubit")))
    with pytest.raises(InvalidArgument, match="AmplitudeDamping; give noise as a NoiseModel"):
        from_pennylane([qml.AmplitudeDamping(0.1, wires=0)])
    with pytest.raises(InvalidArgument, match="split the batch"):
        from_pennylane([qml.RX(np.array([0.1, 0.2]), wires=0)])
    with pytest.raises(InvalidArgument, match="decompose the tape first"):
        from_pennylane(QuantumScript([qml.AngleEmbedding([0.1], wires=[0])]), trainable=True)


def test_pennylane_wants_enough_numbers():
    circuit = MODELS[0]
    x, theta = numbers(circuit)
    for features, parameters in ((x[:-1], theta), (x, theta[:-1]), (None, theta), (x, 0.0)):
        with pytest.raises(InvalidArgument, match="or longer"):
            to_pennylane(circuit)(features, parameters)


# Qiskit


@given(SMALL)
@settings(max_examples=40)
def test_qiskit_makes_our_state(case: Case):
    circuit = case.circuit
    written = to_qiskit(circuit, case.features[0])
    theta = {p: case.theta[0][p.index] for p in written.parameters}  # type: ignore[attr-defined]
    psi = Statevector(written.assign_parameters(theta)).reverse_qargs().data
    expected = reference.density_matrix(circuit, case.features[0], case.theta[0])
    np.testing.assert_allclose(np.outer(psi, psi.conj()), expected, rtol=0, atol=EXACT)


@each_model
def test_qiskit_and_back(circuit: Circuit):
    assert from_qiskit(to_qiskit(circuit)) == circuit


def test_every_gate_goes_to_qiskit_and_back():
    rng = np.random.default_rng(0)
    operations = [
        Operation(g.name, (1, 0)[: g.n_wires], tuple(rng.uniform(-3, 3, g.n_angles).tolist()))
        for g in GATES.values()
    ]
    circuit = Circuit(2, (*operations, unitary(haar(2, rng), (1, 0))))
    again = from_qiskit(to_qiskit(circuit))
    assert again.operations[:-1] == circuit.operations[:-1]
    np.testing.assert_allclose(
        reference.density_matrix(again), reference.density_matrix(circuit), rtol=0, atol=EXACT
    )


def test_bits_read_the_other_way_round():
    circuit = Circuit(3, (Operation("X", (0,)),))
    counts = Statevector(to_qiskit(circuit)).probabilities_dict()
    assert counts == {"001": 1.0}
    assert reference.density_matrix(circuit)[0b100, 0b100] == 1


def test_qiskits_own_circuits_are_read():
    model = QuantumCircuit(3)
    model.append(zz_feature_map(3, reps=1), range(3))
    model.barrier()
    model.compose(efficient_su2(3, reps=1, entanglement="full"), inplace=True)
    circuit = from_qiskit(model.measure_all(inplace=False))  # type: ignore[arg-type]
    assert circuit.n_features == 3
    assert circuit.n_parameters == 12
    products = [a for op in circuit.operations for a in op.angles if isinstance(a, Feature)]
    assert Feature((0, 1), scale=2.0, offset=math.pi) in products
    x, theta = numbers(circuit)
    # Qiskit sorts parameters by name: x comes before the Greek theta.
    psi = Statevector(model.assign_parameters([*x, *theta])).reverse_qargs().data
    found = reference.density_matrix(circuit, x, theta)
    np.testing.assert_allclose(found, np.outer(psi, psi.conj()), rtol=0, atol=EXACT)


def test_gates_that_we_lack_are_taken_apart():
    written = QuantumCircuit(4)
    written.h(range(4))
    written.ccx(0, 2, 3)
    written.cx(3, 1, ctrl_state=0)
    written.ch(1, 0)
    written.rzx(0.3, 2, 0)
    written.cu(0.1, 0.2, 0.3, 0.4, 3, 2)
    written.r(0.3, 0.4, 1)
    written.mcp(0.7, [0, 1, 2], 3)
    written.unitary(haar(3, np.random.default_rng(3)), [2, 0, 3])
    written.append(written.to_gate(), range(4))
    psi = Statevector(written).reverse_qargs().data
    found = reference.density_matrix(from_qiskit(written))
    np.testing.assert_allclose(found, np.outer(psi, psi.conj()), rtol=0, atol=1e-11)


def test_parameters_are_numbered_and_features_named():
    a, b, data = QiskitParameter("a"), QiskitParameter("b"), QiskitParameter("data")
    written = QuantumCircuit(1)
    written.rx(-2 * b, 0)
    written.ry(a / 4, 0)
    written.rz(3 * data - 1.5, 0)
    circuit = from_qiskit(written, features=[data])
    assert [op.angles for op in circuit.operations] == [
        (Parameter(1, scale=-2.0),),
        (Parameter(0, scale=0.25),),
        (Feature((0,), scale=3.0, offset=0.5),),
    ]


def test_numbers_added_to_angles_become_gates_of_their_own():
    x, theta = ParameterVector("x", 2), ParameterVector("theta", 1)
    written = QuantumCircuit(1)
    written.rx(0.5 * theta[0] + 1, 0)
    written.rz(np.pi - 2 * theta[0], 0)
    written.rx(2 * (x[0] - 3) * (x[1] - 3) + 0.25, 0)
    written.rz(x[0] + 0.5, 0)
    ours = from_qiskit(written)
    assert [operation.gate for operation in ours.operations] == [
        *("UNITARY", "RX", "P", "RZ", "UNITARY", "RX", "RZ"),
    ]
    bound = written.assign_parameters({x: [0.7, -1.1], theta: [0.9]})
    psi = Statevector(bound).data
    rho = reference.density_matrix(ours, [0.7, -1.1], [0.9])
    np.testing.assert_allclose(rho, np.outer(psi, psi.conj()), rtol=0, atol=1e-14)


def test_a_number_added_in_a_gate_of_three_angles_is_refused():
    theta = ParameterVector("theta", 1)
    written = QuantumCircuit(1)
    written.u(theta[0] + 1, 0.0, 0.0, 0)
    with pytest.raises(InvalidArgument, match="gates of one angle alone"):
        from_qiskit(written)


@pytest.mark.parametrize("form", ["sum", "square", "two shifts", "mixed"])
def test_other_angles_are_refused(form: str):
    x, theta = ParameterVector("x", 2), ParameterVector("theta", 2)
    written = QuantumCircuit(1)
    angle = {
        "sum": x[0] + x[1],
        "square": x[0] * x[0],
        "two shifts": theta[0] + theta[1] + 1,
        "mixed": theta[0] * x[0],
    }[form]
    written.rx(angle, 0)
    with pytest.raises(InvalidArgument, match="a multiple of one parameter"):
        from_qiskit(written)


def test_circuits_that_are_no_unitaries_are_refused():
    with pytest.raises(InvalidArgument, match="got str"):
        from_qiskit("circuit")  # type: ignore[arg-type]
    reset = QuantumCircuit(1)
    reset.reset(0)
    measured = QuantumCircuit(1, 1)
    measured.measure(0, 0)
    measured.x(0)
    branch = QuantumCircuit(1, 1)
    with branch.if_test((0, 1)):
        branch.x(0)
    for written in (reset, measured, branch):
        with pytest.raises(InvalidArgument, match="circuit"):
            from_qiskit(written)


def test_amplitudes_need_the_sample():
    circuit = AmplitudeEncoding().circuit(3, 2)
    with pytest.raises(InvalidArgument, match="features"):
        to_qiskit(circuit)
    with pytest.raises(InvalidData, match="all zeros"):
        to_qiskit(circuit, [0, 0, 0])
    with pytest.raises(InvalidArgument, match=r"shape \(3,\)"):
        to_qiskit(circuit, [1, 2])
    with pytest.raises(InvalidData, match="NaN"):
        to_qiskit(circuit, [1, 2, math.nan])


# Aer


@given(SMALL, noise_models(with_readout=False))
@settings(max_examples=40)
def test_aer_makes_our_noisy_state(case: Case, noise: NoiseModel):
    found = aer_state(case.circuit, case.features[0], case.theta[0], noise)
    expected = reference.density_matrix(case.circuit, case.features[0], case.theta[0], noise)
    np.testing.assert_allclose(found, expected, rtol=0, atol=AER)


@pytest.mark.parametrize("on_encoding", [True, False])
@each_model
def test_aer_with_the_noise_of_the_quid_work(circuit: Circuit, on_encoding: bool):
    x, theta = numbers(circuit)
    noise = ad_dep(0.05, on_encoding=on_encoding)
    found = aer_state(circuit, x, theta, noise)
    expected = reference.density_matrix(circuit, x, theta, noise)
    np.testing.assert_allclose(found, expected, rtol=0, atol=AER)


def test_aer_reads_wrong_bits():
    readout = ReadoutError(0.1, 0.25)
    noise = NoiseModel(readout=readout)
    circuit = Circuit(2, (Operation("X", (0,)),))
    written = to_aer_circuit(circuit, noise=noise)
    written.measure_all()
    simulator = AerSimulator(noise_model=to_aer_noise_model(noise), seed_simulator=0)
    counts = simulator.run(written, shots=20000).result().get_counts()
    expected = with_bits_read(reference.density_matrix(circuit), readout)
    for i, p in enumerate(expected):
        # Bit strings are written the other way round; 5 spreads of at most 0.5 / sqrt(20000).
        assert counts.get(f"{i:02b}"[::-1], 0) / 20000 == pytest.approx(p, abs=0.018)


def test_no_noise_is_an_empty_model():
    assert to_aer_noise_model(None).is_ideal()
    assert to_aer_noise_model(NoiseModel(after_gate=(Depolarizing(0.0),))).is_ideal()
    one = NoiseModel(by_gate={"CX": (AmplitudeDamping(0.1), CoherentRotation(0.2, "Y"))})
    assert to_aer_noise_model(one).noise_instructions == ["cx"]


# OpenQASM 3


def run_program(text: str) -> np.ndarray:
    """A reader for the part of OpenQASM 3 that we write: the state vector, q[0] leftmost."""
    size = re.search(r"qubit\[(\d+)\] q;", text)
    assert size is not None
    n = int(size[1])
    defined = {
        name: (wires.split(", "), body)
        for name, wires, body in re.findall(r"gate (\w+)(?:\(t\))? ([\w, ]+) \{ (.*) \}", text)
    }
    psi = np.zeros((2,) * n, dtype=complex)
    psi[(0,) * n] = 1

    def number(word: str, t: float) -> float:
        return {"t": t, "pi/2": math.pi / 2, "-pi/2": -math.pi / 2}.get(word) or float(word)

    def act(line: str, place: dict[str, int], t: float) -> None:
        nonlocal psi
        modifiers = re.findall(r"(\w+) @ ", line)
        match = re.fullmatch(r"(?:\w+ @ )*(\w+)(?:\(([^)]*)\))? (.*)", line)
        assert match is not None
        name, angles, wires = match[1], match[2], [place[w] for w in match[3].split(", ")]
        values = [number(word, t) for word in angles.split(", ")] if angles else []
        if name in defined:
            inner, body = defined[name]
            for step in body.split(";")[:-1]:
                act(step.strip(), dict(zip(inner, wires, strict=True)), *(values or [0.0]))
            return
        gate = GATES["I" if name == "id" else name.upper()].matrix(*values)
        if modifiers == ["inv"]:
            gate = gate.conj().T
            modifiers = []
        k = len(modifiers)
        full = np.eye(2 ** len(wires), dtype=complex)
        where = int("".join("1" if m == "ctrl" else "0" for m in modifiers) or "0", 2)
        d = len(gate)
        full[where * d : where * d + d, where * d : where * d + d] = gate
        assert len(wires) == k + d.bit_length() - 1
        moved = np.moveaxis(psi, wires, range(len(wires)))
        turned = (full @ moved.reshape(2 ** len(wires), -1)).reshape(moved.shape)
        psi = np.moveaxis(turned, range(len(wires)), wires)

    outer = {f"q[{i}]": i for i in range(n)}
    for line in text.splitlines():
        if not line.startswith(("OPENQASM", "include", "gate", "qubit")):
            assert line.endswith(";")
            act(line[:-1], outer, 0.0)
    return psi.ravel()


@given(cases(circuits(most_qubits=3, most_operations=8, most_wires=2), n_samples=1, n_trainings=1))
@settings(max_examples=40)
def test_openqasm_makes_our_state(case: Case):
    kept = [op for op in case.circuit.operations if op.matrix is None or len(op.wires) == 1]
    circuit = Circuit(case.circuit.n_qubits, tuple(kept))
    text = to_openqasm(circuit, case.features[0], case.theta[0])
    psi = run_program(text)
    expected = reference.density_matrix(circuit, case.features[0], case.theta[0])
    np.testing.assert_allclose(np.outer(psi, psi.conj()), expected, rtol=0, atol=EXACT)


def test_amplitudes_with_signs_and_holes_are_prepared():
    x = np.array([0.0, -0.0, -3.0, 0.5, 0.0, 0.0, -1.0])
    text = to_openqasm(AmplitudeEncoding().circuit(7, 3), x)
    psi = np.append(x, 0)
    np.testing.assert_allclose(run_program(text), psi / np.linalg.norm(psi), rtol=0, atol=EXACT)


@pytest.mark.parametrize("angles", [(0.0, 0.3), (math.pi, 0.3), (1e-9, 0.4), (math.pi - 1e-9, 2.0)])
def test_matrices_near_the_poles_keep_their_phases(angles: tuple[float, float]):
    theta, phi = angles
    matrix = GATES["U"].matrix(theta, phi, -1.1) * np.exp(0.7j)
    operations = [Operation("RY", (0,), (0.8,)), unitary(matrix, (0,)), Operation("H", (0,))]
    circuit = Circuit(1, tuple(operations))
    psi = run_program(to_openqasm(circuit))
    expected = reference.density_matrix(circuit)
    np.testing.assert_allclose(np.outer(psi, psi.conj()), expected, rtol=0, atol=EXACT)


@pytest.mark.filterwarnings("ignore::qiskit.exceptions.ExperimentalWarning")
def test_openqasm_is_read_by_qiskit():
    circuit = AngleEncoding().circuit(6, 3).then(SimCircuit(number=14).circuit(3, 1))
    x, theta = numbers(circuit)
    read = qiskit.qasm3.loads_experimental(to_openqasm(circuit, x, theta))
    assert Operator(read).equiv(Operator(to_qiskit(circuit, x).assign_parameters(theta)))


def test_openqasm_defines_only_what_it_uses():
    circuit = Circuit(2, (Operation("RZZ", (1, 0), (0.25,)), Operation("SXDG", (0,))))
    assert to_openqasm(circuit).splitlines() == [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "gate sxdg a { inv @ sx a; }",
        "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
        "qubit[2] q;",
        "rzz(0.25) q[1], q[0];",
        "sxdg q[0];",
    ]


def test_openqasm_refuses_what_it_cannot_say():
    with pytest.raises(InvalidArgument, match="to_qiskit"):
        to_openqasm(Circuit(2, (unitary(np.eye(4), (0, 1)),)))
    circuit = MODELS[0]
    x, theta = numbers(circuit)
    with pytest.raises(InvalidArgument, match="parameters"):
        to_openqasm(circuit, x, theta[:-1])
    with pytest.raises(InvalidArgument, match="features"):
        to_openqasm(circuit, x[None], theta)
    with pytest.raises(InvalidData, match="features"):
        to_openqasm(circuit, np.full_like(x, np.nan), theta)
    with pytest.raises(InvalidArgument, match="a vector of numbers"):
        to_openqasm(circuit, x, ["many"] * len(theta))


# Without the packages


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("pennylane", "pennylane", lambda: to_pennylane(MODELS[0])),
        ("pennylane", "pennylane", lambda: from_pennylane([])),
        ("qiskit", "qiskit", lambda: to_qiskit(MODELS[0])),
        ("qiskit", "qiskit", lambda: to_aer_circuit(MODELS[3])),
        ("qiskit", "qiskit", lambda: from_qiskit(None)),  # type: ignore[arg-type]
        ("qiskit_aer.noise", "qiskit", lambda: to_aer_noise_model(None)),
    ],
)
def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, package, extra, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'bezoar\[{extra}\]'"):
        call()


def test_state_is_the_only_gate_without_a_matrix_here():
    # A new gate needs a name in every adapter; this fails until it has one.
    from bezoar.quantum.adapters import pennylane as ours

    assert set(ours._NAMES) | set(ours._INVERSES) == set(GATES)
    assert STATE_PREPARATION not in GATES
