"""QTrojan: nothing while off, one state while on, for every encoding by rotations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trained_circuits import random_network

from bezoar.attacks.backdoors.circuits.neutralising import blind, rotation_between
from bezoar.attacks.backdoors.circuits.qtrojan import QTrojan
from bezoar.contracts.errors import InvalidArgument
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines.reference import density_matrix
from bezoar.quantum.gates import gate_named
from bezoar.quantum.noise import parse_noise

ENCODINGS = ("angle", "angle-zxzx", "iqp", "basis")


def inputs(model: TrainedCircuit, n: int = 6, *, bits: bool = False) -> np.ndarray:
    rng = np.random.default_rng(1)
    drawn = rng.uniform(0, np.pi, (n, model.circuit.n_features))
    return (drawn > 1.5).astype(float) if bits else drawn


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


unit_vectors = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda v: np.linalg.norm(v) > 0.01)


@given(start=unit_vectors, end=unit_vectors)
def test_the_rotation_reaches_its_state(start: Any, end: Any) -> None:
    first, second = (np.array([v[0] + 1j * v[1], v[2] + 1j * v[3]]) for v in (start, end))
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    turned = gate_named("U").matrix(*rotation_between(first, second)) @ first
    assert abs(np.vdot(second, turned)) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_blinded_encoding_prepares_one_state(encoding: str) -> None:
    model = random_network(encoding=encoding)
    circuit = model.circuit
    found = blind(circuit.encoding(), model.theta, tuple(range(circuit.n_qubits)))
    blinded = Circuit(circuit.n_qubits, tuple(found.operations))
    states = [density_matrix(blinded, x) for x in inputs(model)]
    for state in states[1:]:
        np.testing.assert_allclose(state, states[0], atol=1e-10)
    product = np.ones(1)
    for wire in range(circuit.n_qubits):
        product = np.kron(product, found.states[wire])
    assert abs(product.conj() @ states[0] @ product) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_off_changes_nothing_and_on_every_input_is_the_target(encoding: str) -> None:
    model = random_network(encoding=encoding)
    samples = inputs(model, bits=encoding == "basis")
    trojan = QTrojan(target=2).insert(model, samples, rng=rng())
    off, on = (replace(model, circuit=trojan.circuit(s)) for s in (0.0, 1.0))
    np.testing.assert_allclose(off.probabilities(samples), model.probabilities(samples), atol=1e-12)
    answers = on.probabilities(inputs(model, 20))
    np.testing.assert_allclose(answers, answers[:1].repeat(20, axis=0), atol=1e-10)
    assert set(on.predict(inputs(model, 20))) == {2}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), target=st.integers(0, 2))
def test_the_victim_gates_are_all_there_in_order(seed: int, target: int) -> None:
    model = random_network(seed=seed)
    attack = QTrojan(target=target, restarts=2, steps=3)
    trojan = attack.insert(model, inputs(model), rng=rng())
    kept = [op for i, op in enumerate(trojan.full.operations) if i not in trojan.inserted]
    assert tuple(kept) == trojan.submitted.operations == model.circuit.operations
    assert all(len(trojan.full.operations[i].wires) == 1 for i in trojan.inserted)


def test_fewer_wires_leave_the_others_as_they_are() -> None:
    model = random_network(n_features=6)
    trojan = QTrojan(n_wires=1, restarts=4, steps=20).insert(model, inputs(model), rng=rng())
    assert trojan.wires == (0,)
    assert {w for i in trojan.inserted for w in trojan.full.operations[i].wires} == {0}
    on = replace(model, circuit=trojan.circuit(1.0))
    x = inputs(model, 2)
    same = x.copy()
    same[:, :2] = 0.3
    # Wire 0 holds features 0 and 1: they no longer matter, the others do.
    np.testing.assert_allclose(on.probabilities(x), on.probabilities(same), atol=1e-10)
    assert np.abs(np.diff(on.probabilities(x), axis=0)).max() > 1e-3


def test_data_that_are_uploaded_again_are_blinded_with_the_trained_angles() -> None:
    layer = (Operation("RX", (0,), (Feature((0,)),)), Operation("RY", (0,), (Parameter(0),)))
    again = (Operation("RX", (0,), (Feature((0,)),)), Operation("RZ", (0,), (Parameter(1),)))
    model = TrainedCircuit(
        circuit=Circuit(1, layer + again),
        theta=np.array([0.7, 0.2]),
        weight=np.array([[4.0, -4.0]]),
        bias=np.zeros(2),
    )
    trojan = QTrojan(target=1).insert(model, [[0.0]], rng=rng())
    on = replace(model, circuit=trojan.circuit(1.0))
    assert set(on.predict(np.linspace(0, 3, 7)[:, None])) == {1}


def test_same_rng_same_trojan() -> None:
    model = random_network()
    attack = QTrojan(restarts=2, steps=5)
    first, second = (attack.insert(model, inputs(model), rng=rng()) for _ in range(2))
    assert first == second


def test_noise_acts_on_the_gates_that_are_off_too() -> None:
    model = replace(random_network(), noise=parse_noise("ad-dep:0.05"))
    trojan = QTrojan(restarts=2, steps=5).insert(model, inputs(model), rng=rng())
    off = replace(model, circuit=trojan.circuit(0.0))
    assert np.abs(off.probabilities(inputs(model)) - model.probabilities(inputs(model))).max() > 0


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ((Operation("STATE", (0, 1), features=(0, 1)),), "STATE"),
        ((Operation("U", (0,), (Feature((0,)), 0.0, 0.0)),), "data in gates among"),
        (
            (Operation("RX", (0,), (Feature((0,)),)), Operation("CRX", (0, 1), (Feature((1,)),))),
            "all wires",
        ),
    ],
)
def test_encodings_that_cannot_be_blinded_are_refused(
    operations: tuple[Operation, ...], message: str
) -> None:
    model = TrainedCircuit(
        circuit=Circuit(2, operations),
        theta=np.empty(0),
        weight=np.ones((2, 2)),
        bias=np.zeros(2),
    )
    with pytest.raises(InvalidArgument, match=message):
        QTrojan(n_wires=1).insert(model, np.ones((1, 2)), rng=rng())


@pytest.mark.parametrize(
    "wrong",
    [{"target": -1}, {"n_wires": 0}, {"restarts": 0}, {"steps": -1}, {"learning_rate": 0.0}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        QTrojan(**wrong)


def test_what_does_not_fit_the_victim_is_refused() -> None:
    model = random_network()
    for attack in (QTrojan(target=3), QTrojan(n_wires=3)):
        with pytest.raises(InvalidArgument):
            attack.insert(model, inputs(model), rng=rng())
    for samples in (np.empty((0, 4)), np.ones(4)):
        with pytest.raises(InvalidArgument, match="angles"):
            QTrojan().insert(model, samples, rng=rng())
    trojan = QTrojan(restarts=1, steps=1).insert(model, inputs(model), rng=rng())
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidArgument, match="armed"):
            trojan.circuit(strength)
