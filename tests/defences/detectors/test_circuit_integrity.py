"""The comparison of circuits: what each of its three looks sees, and what it does not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.defences.detectors.circuit_integrity import CircuitIntegrity, IntegrityReport
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.synthesis import ApproximateSynthesis

SMALL = CircuitIntegrity(n_probes=16, n_unitaries=4)


def network(
    encoding: str = "angle", ansatz: str = "sim-6", n_features: int = 4, seed: int = 0
) -> TrainedCircuit:
    rng = np.random.default_rng(seed)
    circuit = build_circuit(build_encoding(encoding), build_ansatz(ansatz), n_features)
    return TrainedCircuit(
        circuit=circuit,
        theta=rng.uniform(0, 2 * np.pi, circuit.n_parameters),
        weight=rng.normal(0, 3, (circuit.n_qubits, 3)),
        bias=np.zeros(3),
    )


def with_gate(model: TrainedCircuit, at: int, *gates: Operation) -> TrainedCircuit:
    operations = list(model.circuit.operations)
    operations[at:at] = gates
    return replace(model, circuit=Circuit(model.circuit.n_qubits, tuple(operations)))


def inspect(a: TrainedCircuit, b: TrainedCircuit, **more: Any) -> IntegrityReport:
    return SMALL.inspect(a, b, rng=np.random.default_rng(0), **more)


@pytest.mark.parametrize("encoding", ["angle", "iqp", "amplitude"])
def test_a_circuit_is_itself(encoding: str) -> None:
    model = network(encoding)
    found = inspect(model, model)
    assert found.same_gates
    assert found.distance == pytest.approx(0, abs=1e-9)
    assert (found.disagreement, found.variation, found.largest_drift) == (0, 0, 0)


@settings(max_examples=15, deadline=None)
@given(at=st.integers(0, 6), angle=st.floats(0.1, 3.0))
def test_an_inserted_gate_is_found_where_it_is(at: int, angle: float) -> None:
    model = network()
    found = inspect(model, with_gate(model, at, Operation("RX", (0,), (angle,))))
    ((position, text),) = found.inserted
    assert position == at
    assert text.startswith("RX(")
    assert not found.removed
    assert found.dormant == 0
    # The inserted rotation alone: the rest cancels, whatever it is.
    assert found.distance == pytest.approx(abs(math.sin(angle / 2)), abs=1e-6)


def test_a_dormant_gate_shows_in_the_gates_alone() -> None:
    model = network()
    gates = (Operation("U", (0,), (0.0, 0.0, 0.0)), Operation("I", (1,)))
    found = inspect(model, with_gate(model, 2, *gates))
    assert found.dormant == len(found.inserted) == 2
    assert found.distance == pytest.approx(0, abs=1e-9)
    assert found.variation == pytest.approx(0, abs=1e-12)


def test_gates_that_cancel_are_found_and_do_nothing() -> None:
    model = network()
    found = inspect(model, with_gate(model, 0, Operation("X", (0,)), Operation("X", (0,))))
    assert [text for _, text in found.inserted] == ["X on 0", "X on 0"]
    assert found.dormant == 0
    assert found.distance == pytest.approx(0, abs=1e-9)


def test_a_removed_gate_is_told() -> None:
    model = network()
    short = Circuit(model.circuit.n_qubits, model.circuit.operations[1:])
    found = inspect(model, replace(model, circuit=short))
    assert found.removed == ((0, "RX(data) on 0"),)


def test_renumbered_parameters_are_the_same_gates() -> None:
    model = network()
    synthesis = ApproximateSynthesis(threshold=0.5)
    short = model.synthesised(synthesis)
    found = inspect(model, short)
    dropped = synthesis.apply(model.circuit, model.theta).dropped
    assert not found.inserted
    assert tuple(position for position, _ in found.removed) == dropped


def test_drift_names_the_class_that_answers_move_to() -> None:
    model = network()
    found = inspect(model, replace(model, bias=np.array([0.0, 50.0, 0.0])))
    assert found.same_gates
    assert int(np.argmax(found.drift)) == 1
    assert found.largest_drift == pytest.approx(found.disagreement)


def test_more_than_ten_qubits_are_compared_by_gates_and_answers() -> None:
    model = network(ansatz="sim-1", n_features=24)
    assert math.isnan(inspect(model, model).distance)


def test_given_probes_are_used() -> None:
    model = network()
    found = inspect(model, model, probes=np.zeros((3, 4)))
    assert found.n_probes == 3


@pytest.mark.parametrize(
    "probes", [np.zeros(4), np.zeros((0, 4)), np.zeros((2, 3)), [[np.nan] * 4]]
)
def test_probes_that_do_not_fit_are_refused(probes: Any) -> None:
    with pytest.raises(InvalidData, match="probes"):
        inspect(network(), network(), probes=probes)


def test_circuits_of_different_size_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="delivered"):
        inspect(network(), network(n_features=6))


@pytest.mark.parametrize(
    "wrong", [{"n_probes": 0}, {"n_unitaries": -1}, {"low": 1.0, "high": 1.0}, {"high": math.inf}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        CircuitIntegrity(**wrong)
