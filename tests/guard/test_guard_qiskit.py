"""Qiskit: what Aer answers to values that are no angles, and that guards refuse them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import (
    DiagonalGate,
    PauliEvolutionGate,
    RXGate,
    UnitaryGate,
    real_amplitudes,
)
from qiskit.primitives import BackendSamplerV2, StatevectorEstimator, StatevectorSampler
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

from bezoar.contracts.errors import InvalidArgument
from bezoar.guard import GuardError, Limits, check, check_circuit, guarding

NAN = float("nan")
ANGLE = Parameter("angle")
VECTOR = ParameterVector("v", 2)


def one_gate(angle: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1, name="encoder")
    circuit.rx(angle, 0)
    circuit.measure(0, 0)
    return circuit


def three_parameters() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1, name="encoder")
    circuit.rx(ANGLE, 0)
    for each in VECTOR:
        circuit.ry(each, 0)
    circuit.measure(0, 0)
    return circuit


def test_nan_becomes_an_answer_of_aer_and_the_guard_refuses_it() -> None:
    assert AerSimulator().run(one_gate(NAN), shots=100).result().get_counts() == {"1": 100}
    binds = [{ANGLE: [NAN]}]
    bound = AerSimulator().run(one_gate(ANGLE), parameter_binds=binds, shots=100)
    assert bound.result().get_counts() == {"1": 100}
    pubs: Any = [(one_gate(ANGLE), [NAN])]
    sampled: Any = SamplerV2().run(pubs, shots=100).result()[0]
    assert sampled.data.c.get_counts() == {"1": 100}
    with pytest.raises(GuardError, match=r"got nan at rx on qubits \[0\], instruction 0"):
        check_circuit(one_gate(NAN))
    with guarding():
        with pytest.raises(GuardError, match=r"circuit encoder: .*got nan at rx"):
            AerSimulator().run(one_gate(NAN))
        with pytest.raises(GuardError, match=r"circuit encoder: .*got nan at angle\[0\]"):
            AerSimulator().run(one_gate(ANGLE), parameter_binds=binds)
        with pytest.raises(GuardError, match=r"parameter values of encoder: .*got nan at angle"):
            SamplerV2().run(pubs)


def test_zeros_become_an_answer_of_aer_and_the_guard_refuses_them() -> None:
    circuit = QuantumCircuit(2)
    with np.errstate(all="ignore"):
        circuit.initialize([0.0] * 4, [0, 1], normalize=True)
    counted = circuit.measure_all(inplace=False)
    assert AerSimulator().run(counted, shots=100).result().get_counts() == {"11": 100}
    with pytest.raises(GuardError, match="initialize on qubits"):
        check_circuit(circuit)
    with np.errstate(all="ignore"):
        huge = QuantumCircuit(1)
        huge.prepare_state([1e200, 1.0], [0], normalize=True)
    with pytest.raises(GuardError, match=r"norm of at least 0\.99"):
        check_circuit(huge)


def test_a_transpiler_changes_angles_that_are_too_large() -> None:
    def change(angle: float) -> float:
        circuit = one_gate(angle)
        circuit.remove_final_measurements()
        other = transpile(circuit, basis_gates=["rz", "sx", "x"])
        ours, theirs = (Statevector(c).probabilities()[0] for c in (circuit, other))
        return abs(ours - theirs)

    assert change(1e8) < 1e-8
    assert change(1e16) > 0.1
    with pytest.raises(GuardError, match="range"):
        check_circuit(one_gate(1e16), Limits.angle(max_abs=1e8))


def test_circuits_of_all_kinds_pass() -> None:
    circuit = QuantumCircuit(4, 1)
    circuit.append(DiagonalGate([1, 1j]), [0])
    circuit.append(UnitaryGate(np.eye(2) * 1j), [0])
    circuit.append(PauliEvolutionGate(SparsePauliOp("Z"), time=99.0), [0])
    circuit.delay(1000, 0)
    circuit.initialize("01", [0, 1])
    circuit.initialize(3, [0, 1])
    circuit.prepare_state([0.6, 0.8j], [0])
    circuit.append(RXGate(0.3).control(2, annotated=False), [0, 1, 2])
    circuit.append(real_amplitudes(2).to_gate().control(annotated=True), [0, 1, 2])
    circuit.pauli("XY", [0, 1])
    circuit.barrier()
    circuit.rx(2 * ANGLE, 0)
    with circuit.for_loop(range(100)):
        circuit.rx(0.2, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(0.2, 0)
    assert check_circuit(circuit) is circuit
    assert check_circuit(QuantumCircuit()) is not None


def test_nan_is_found_wherever_it_hides() -> None:
    inner = QuantumCircuit(1)
    inner.rx(NAN, 0)
    composite, controlled, annotated, looped, phase = (QuantumCircuit(3) for _ in range(5))
    composite.append(inner.to_gate(), [0])
    controlled.append(inner.to_gate().control(2, annotated=False), [0, 1, 2])
    annotated.append(inner.to_gate().control(2, annotated=True), [0, 1, 2])
    with looped.for_loop(range(2)):
        looped.rx(NAN, 0)
    phase.global_phase = NAN
    matrix = QuantumCircuit(1)
    matrix.append(UnitaryGate(np.full((2, 2), NAN), check_input=False), [0])
    deep = inner
    for _ in range(50):
        outer = QuantumCircuit(1)
        outer.append(deep.to_gate(), [0])
        deep = outer
    for circuit in (composite, controlled, annotated, looped, phase, matrix, deep):
        with pytest.raises(GuardError, match="wanted finite numbers") as refused:
            check_circuit(circuit)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "values",
    [
        {ANGLE: 99.0},
        {"angle": 99.0},
        {ANGLE: 0.1, VECTOR: [0.1, 99.0]},
        {VECTOR: np.array([0.1, 99.0])},
        {ANGLE: np.array(99.0)},
        [0.1, 0.2, 99.0],
        np.array([0.1, 0.2, 99.0]),
    ],
)
def test_bindings_are_checked_however_they_are_given(values: Any) -> None:
    circuit = three_parameters()
    with guarding(), pytest.raises(GuardError, match=r"assign_parameters of encoder: .*got 99 at"):
        circuit.assign_parameters(values)


def test_bindings_that_keep_to_the_limits_are_made() -> None:
    circuit = three_parameters()
    with guarding():
        assert circuit.assign_parameters(iter([0.1, 0.2, 0.3])).num_parameters == 0
        assert circuit.assign_parameters({ANGLE: 2 * Parameter("half")}).num_parameters == 3
        circuit.assign_parameters({ANGLE: 0.1, VECTOR: [0.2, 0.3]}, inplace=True)
    assert circuit.num_parameters == 0


@pytest.mark.parametrize(
    "sampler",
    [SamplerV2, StatevectorSampler, lambda: BackendSamplerV2(backend=AerSimulator())],
)
def test_samplers_check_values_and_circuits(sampler: Any) -> None:
    circuit = three_parameters()
    rows = [[0.1, 0.2, 0.3], [0.1, 0.2, 99.0]]
    with guarding():
        done = sampler().run([(circuit, rows[:1])], shots=5).result()
        assert done[0].data.c.num_shots == 5
        with pytest.raises(GuardError, match=r"sample 1, v\[1\] \(1 of 2 samples: 1\)"):
            sampler().run([(circuit, rows)])
        with pytest.raises(GuardError, match="circuit encoder"):
            sampler().run([one_gate(99.0)])


@pytest.mark.parametrize("estimator", [EstimatorV2, StatevectorEstimator])
def test_estimators_check_values(estimator: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(ANGLE, 0)
    with guarding():
        (done,) = estimator().run([(circuit, SparsePauliOp("Z"), [0.5])]).result()
        assert done.data.evs == pytest.approx(np.cos(0.5))
        with pytest.raises(GuardError, match="finite"):
            estimator().run([(circuit, SparsePauliOp("Z"), [NAN])])


def test_simulators_check_lists_and_keywords() -> None:
    with guarding():
        good = BasicSimulator().run(run_input=one_gate(0.0), shots=5).result()
        assert good.get_counts() == {"0": 5}
        with pytest.raises(GuardError):
            BasicSimulator().run(run_input=one_gate(NAN))
        with pytest.raises(GuardError):
            AerSimulator().run([one_gate(0.1), one_gate(NAN)])
        binds = [{ANGLE: [0.0, 0.0]}]
        done = AerSimulator().run(one_gate(ANGLE), parameter_binds=binds, shots=5).result()
        assert done.get_counts() == [{"0": 5}, {"0": 5}]


def test_features_are_checked_before_they_are_bound() -> None:
    with pytest.raises(GuardError, match="norm"):
        check(np.zeros(4), Limits.amplitude(2))
    with pytest.raises(InvalidArgument, match=r"circuit: wanted a qiskit\.QuantumCircuit"):
        check_circuit(lambda x: x)
