"""Noise by place in PennyLane and Aer, and noise models of Aer's as ours."""

from __future__ import annotations

import sys

import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pennylane.queuing import AnnotatedQueue
from pennylane.tape import QuantumScript
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel as AerNoiseModel
from qiskit_aer.noise import ReadoutError as AerReadoutError
from qiskit_aer.noise import (
    amplitude_damping_error,
    depolarizing_error,
    pauli_error,
    reset_error,
    thermal_relaxation_error,
)
from strategies import cases, circuits, placed_noise_models

from bezoar.contracts.errors import InvalidArgument, MissingExtra
from bezoar.quantum.adapters.aer import from_aer_noise_model, to_aer_circuit, to_aer_noise_model
from bezoar.quantum.adapters.pennylane import to_pennylane
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.engines import reference
from bezoar.quantum.noise import NoiseModel, ReadoutError

# Aer leaves out an error that differs from none by less than 1e-8, on each of a few gates.
AER = 1e-7
SMALL = circuits(most_qubits=3, most_operations=6)


def in_our_order(rho: np.ndarray, n: int) -> np.ndarray:
    axes = [*range(n - 1, -1, -1), *range(2 * n - 1, n - 1, -1)]
    return rho.reshape((2,) * (2 * n)).transpose(axes).reshape(2**n, 2**n)


def aer_state(written: QuantumCircuit, model: AerNoiseModel) -> np.ndarray:
    written.save_density_matrix()  # type: ignore[attr-defined]  # added by qiskit_aer
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    rho = np.asarray(simulator.run(written).result().data()["density_matrix"])
    return in_our_order(rho, written.num_qubits)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_aer_makes_our_state_with_noise_by_place(data: st.DataObject):
    case = data.draw(cases(SMALL, n_samples=1, n_trainings=1))
    noise = data.draw(placed_noise_models(case))
    x, theta = case.features[0], case.theta[0]
    written = to_aer_circuit(case.circuit, x, theta, noise)
    found = aer_state(written, to_aer_noise_model(noise))
    expected = reference.density_matrix(case.circuit, x, theta, noise)
    np.testing.assert_allclose(found, expected, rtol=0, atol=AER)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_pennylane_makes_our_expectations_with_noise_by_place(data: st.DataObject):
    case = data.draw(cases(SMALL, n_samples=1, n_trainings=1))
    noise = data.draw(placed_noise_models(case))
    with AnnotatedQueue() as queue:
        to_pennylane(case.circuit, noise)(case.features[0], case.theta[0])
    measured = [qml.expval(qml.PauliZ(w)) for w in range(case.circuit.n_qubits)]
    tape = QuantumScript(QuantumScript.from_queue(queue).operations, measured)
    device = qml.device("default.mixed", wires=case.circuit.n_qubits)
    found = np.ravel(qml.execute([tape], device, diff_method=None)[0])
    expected = reference.expectations(case.circuit, case.features[0], case.theta[0], noise)
    # PennyLane keeps amplitude damping away from its ends, as tests/quantum/oracles.py says.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def hand_made() -> AerNoiseModel:
    """Errors of all kinds that Aer has, unlike at every place."""
    model = AerNoiseModel()
    relaxed = thermal_relaxation_error(50, 60, 3).expand(thermal_relaxation_error(20, 35, 3))
    model.add_quantum_error(depolarizing_error(0.04, 2).compose(relaxed), ["cx"], [4, 2])
    model.add_quantum_error(pauli_error([("IX", 0.1), ("II", 0.9)]), ["cx"], [2, 4])
    model.add_quantum_error(amplitude_damping_error(0.2), ["sx", "x"], [7])
    model.add_quantum_error(reset_error(0.1), ["h"], [2])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 1), ["rx", "h"])
    model.add_all_qubit_quantum_error(pauli_error([("ZX", 0.2), ("II", 0.8)]), ["cz"])
    model.add_readout_error(AerReadoutError([[0.9, 0.1], [0.25, 0.75]]), [2])
    model.add_readout_error(AerReadoutError([[0.97, 0.03], [0.01, 0.99]]), [7])
    return model


# Wire i of what follows is the device's qubit QUBITS[i].
QUBITS = (7, 2, 4)


def some_gates() -> Circuit:
    return Circuit(
        3,
        (
            Operation("H", (1,)),
            Operation("H", (2,)),
            Operation("RX", (0,), (0.7,)),
            Operation("CX", (2, 1)),
            Operation("SX", (0,)),
            Operation("CZ", (0, 2)),
            Operation("CX", (1, 2)),
            Operation("RY", (1,), (1.1,)),
            Operation("CZ", (1, 0)),
            Operation("X", (0,)),
        ),
    )


class TestFromAer:
    def test_a_model_of_theirs_makes_their_state(self):
        written = QuantumCircuit(8)
        for operation in some_gates().operations:
            wires = [QUBITS[w] for w in operation.wires]
            getattr(written, operation.gate.lower())(*operation.angles, *wires)
        written.save_density_matrix(qubits=list(QUBITS))  # type: ignore[attr-defined]
        simulator = AerSimulator(method="density_matrix", noise_model=hand_made())
        theirs = np.asarray(simulator.run(written).result().data()["density_matrix"])
        ours = reference.density_matrix(
            some_gates(), noise=from_aer_noise_model(hand_made(), qubits=QUBITS)
        )
        np.testing.assert_allclose(ours, in_our_order(theirs, 3), rtol=0, atol=1e-12)

    def test_places_names_and_readout(self):
        noise = from_aer_noise_model(hand_made(), qubits=QUBITS)
        assert {(place.gate, place.wires) for place in noise.by_place} == {
            ("CX", (2, 1)),
            ("CX", (1, 2)),
            ("SX", (0,)),
            ("X", (0,)),
            ("H", (1,)),
        }
        assert set(noise.by_gate) == {"RX", "H", "CZ"}
        expected = ((0.03, 0.01), (0.1, 0.25), None)
        assert isinstance(noise.readout, tuple)
        for error, numbers in zip(noise.readout, expected, strict=True):
            told = None if error is None else (error.p10, error.p01)
            assert told == pytest.approx(numbers)

    def test_by_default_wires_are_qubits(self):
        noise = from_aer_noise_model(hand_made())
        assert ("CX", (4, 2)) in {(place.gate, place.wires) for place in noise.by_place}
        assert isinstance(noise.readout, tuple)
        assert len(noise.readout) == 8

    def test_readout_of_all_qubits(self):
        model = AerNoiseModel()
        model.add_all_qubit_readout_error(AerReadoutError([[0.9, 0.1], [0.2, 0.8]]))
        noise = from_aer_noise_model(model)
        assert isinstance(noise.readout, ReadoutError)
        assert (noise.readout.p10, noise.readout.p01) == pytest.approx((0.1, 0.2))
        model.add_readout_error(AerReadoutError([[0.7, 0.3], [0.4, 0.6]]), [1], warnings=False)
        one = from_aer_noise_model(model, qubits=[0, 1]).readout
        assert isinstance(one, tuple)
        assert [e and e.p10 for e in one] == pytest.approx([0.1, 0.3])

    @given(st.data())
    @settings(max_examples=15, deadline=None)
    def test_there_and_back(self, data: st.DataObject):
        # Aer's model has no angles, so no over-rotation, and no encoding.
        case = data.draw(
            cases(circuits(most_qubits=3, most_operations=6, with_state=False, most_wires=2))
        )
        drawn = data.draw(placed_noise_models(case))
        noise = NoiseModel(
            by_gate={"CX": drawn.by_gate["CX"]}, by_place=drawn.by_place, readout=drawn.readout
        )
        back = from_aer_noise_model(to_aer_noise_model(noise), qubits=range(case.circuit.n_qubits))
        # Aer has no perfect place of a noisy gate; to_aer_circuit says it in the circuit.
        quiet = {(p.gate, p.wires) for p in noise.by_place} - {
            (p.gate, p.wires) for p in back.by_place
        }
        if not any(gate == "CX" for gate, _ in quiet):
            np.testing.assert_allclose(
                case.reference(back), case.reference(noise), rtol=0, atol=AER
            )

    def test_what_no_circuit_has_is_left_out(self):
        model = AerNoiseModel()
        model.add_all_qubit_quantum_error(reset_error(0.1), ["reset", "delay"])
        assert from_aer_noise_model(model) == NoiseModel()

    @pytest.mark.parametrize(
        ("add", "message"),
        [
            (
                lambda m: m.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["mine"]),
                "noise of 'mine' on 1 qubits",
            ),
            (
                lambda m: m.add_all_qubit_quantum_error(depolarizing_error(0.1, 3), ["ccx"]),
                "noise of 'ccx' on 3 qubits",
            ),
            (
                lambda m: m.add_quantum_error(depolarizing_error(0.1, 1), ["measure"], [0]),
                "noise of 'measure'",
            ),
            (
                lambda m: m.add_readout_error(AerReadoutError(np.eye(4)[[1, 0, 2, 3]]), [0, 1]),
                "readout errors of one qubit each",
            ),
        ],
    )
    def test_what_cannot_be_said(self, add, message):
        model = AerNoiseModel()
        add(model)
        with pytest.raises(InvalidArgument, match=message):
            from_aer_noise_model(model)

    def test_other_refusals(self):
        with pytest.raises(InvalidArgument, match=r"a qiskit_aer.noise.NoiseModel, got dict"):
            from_aer_noise_model({})
        with pytest.raises(InvalidArgument, match="different qubits"):
            from_aer_noise_model(AerNoiseModel(), qubits=[1, 1])

    def test_without_aer(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "qiskit_aer.noise", None)
        with pytest.raises(MissingExtra, match=r"bezoar\[qiskit\]"):
            from_aer_noise_model(None)
