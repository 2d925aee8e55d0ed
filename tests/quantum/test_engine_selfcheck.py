"""`noise_is_active` runs and looks, where `NoiseModel.is_active` reads the settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import Case, cases, circuits, noise_models

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import plan, selfcheck
from bezoar.quantum.engines.selfcheck import noise_is_active
from bezoar.quantum.noise import (
    AmplitudeDamping,
    BitFlip,
    CoherentRotation,
    Depolarizing,
    NoiseModel,
    PhaseDamping,
    PhaseFlip,
    ReadoutError,
    ThermalRelaxation,
    ad_dep,
)

CIRCUIT = Circuit(
    2,
    (
        *(Operation("RX", (w,), (Feature((w,)),)) for w in (0, 1)),
        *(Operation("RY", (w,), (Parameter(w),)) for w in (0, 1)),
        Operation("CX", (0, 1)),
        *(Operation("RX", (w,), (Parameter(2 + w),)) for w in (0, 1)),
    ),
)


@pytest.mark.parametrize(
    "noise",
    [
        ad_dep(0.01),
        ad_dep(1e-6),
        NoiseModel((PhaseDamping(0.1),)),
        NoiseModel((PhaseFlip(0.1),)),
        NoiseModel((BitFlip(0.1),)),
        NoiseModel((AmplitudeDamping(0.1),)),
        NoiseModel((Depolarizing(0.1, "qiskit"),)),
        NoiseModel((ThermalRelaxation(1.0, 1.5, 0.1),)),
        NoiseModel((CoherentRotation(0.01, "Z"),)),
        NoiseModel(over_rotation=0.01),
        NoiseModel(readout=ReadoutError(0.0, 0.01)),
        NoiseModel(by_gate={"CX": (BitFlip(0.1),)}),
        ad_dep(0.01, on_encoding=False),
    ],
)
def test_noise_that_acts(noise: NoiseModel):
    assert noise_is_active(CIRCUIT, noise)


@pytest.mark.parametrize(
    "noise",
    [
        None,
        NoiseModel(),
        ad_dep(0.0),
        NoiseModel(by_gate={"CZ": (BitFlip(0.1),)}),
        NoiseModel(after_gate=(BitFlip(0.1),), by_gate=dict.fromkeys(("RX", "RY", "CX"), ())),
        NoiseModel(after_gate=(CoherentRotation(2 * np.pi),)),
    ],
)
def test_noise_that_does_not(noise: NoiseModel | None):
    assert not noise_is_active(CIRCUIT, noise)


def test_noise_on_trained_gates_alone_of_an_encoding():
    encoding = CIRCUIT.encoding()
    assert noise_is_active(encoding, ad_dep(0.1))
    assert not noise_is_active(encoding, ad_dep(0.1, on_encoding=False))


def test_dephasing_that_the_observables_cannot_see():
    circuit = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
    noise = NoiseModel((PhaseFlip(0.2),))
    assert not noise_is_active(circuit, noise)
    assert noise_is_active(circuit, noise, observables=["Y"])


def test_at_given_angles():
    circuit = Circuit(1, (Operation("RY", (0,), (Feature((0,)),)),) * 2)
    noise = NoiseModel(by_gate={"RY": (PhaseFlip(0.2),)})
    assert not noise_is_active(circuit, noise, [[0.0]])
    assert noise_is_active(circuit, noise, [[0.0], [0.3]])
    trained = Circuit(1, (Operation("RY", (0,), (Parameter(0),)),) * 2)
    assert not noise_is_active(trained, noise, parameters=[0.0])
    assert noise_is_active(trained, noise, parameters=[0.3])
    assert noise_is_active(trained, noise)


@given(cases(circuits(most_qubits=4), n_trainings=1), noise_models())
@settings(max_examples=40)
def test_agrees_with_the_reference(case: Case, noise: NoiseModel):
    active = noise_is_active(
        case.circuit, noise, case.features, case.theta[0], observables=case.observables
    )
    moved = np.abs(case.reference(noise) - case.reference(None)).max()
    assert active == (moved > 1e-9)
    assert noise.is_active() or not active


@pytest.mark.parametrize(
    "circuit",
    [
        Circuit(2, CIRCUIT.operations[::-1]),
        Circuit(2, (Operation("STATE", (0, 1), features=(0, 1, 2)), Operation("H", (0,)))),
        Circuit(1, (Operation("RX", (0,), (0.3,)),)),
    ],
    ids=["reupload", "amplitudes", "constant"],
)
def test_every_kind_of_circuit(circuit: Circuit):
    assert noise_is_active(circuit, ad_dep(0.01))
    assert not noise_is_active(circuit, None)


def test_sees_an_engine_that_drops_noise(monkeypatch: pytest.MonkeyPatch):
    def drops(circuit, noise, observables, *, dtype):
        return plan.compile_circuit(circuit, None, observables, dtype=dtype)

    monkeypatch.setattr(selfcheck, "compile_circuit", drops)
    assert ad_dep(0.5).is_active()
    assert not noise_is_active(CIRCUIT, ad_dep(0.5))


def test_default_angles_are_fixed_and_apart():
    angles = selfcheck._unrelated(40, start=1)
    np.testing.assert_array_equal(angles, selfcheck._unrelated(40, start=1))
    assert angles.min() > 0.29
    assert angles.max() < 2.81
    assert np.diff(np.sort(angles)).min() > 0.01


def test_refusals():
    with pytest.raises(InvalidArgument, match="features: wanted one sample or more, got none"):
        noise_is_active(CIRCUIT, ad_dep(0.1), np.zeros((0, 2)))
    with pytest.raises(InvalidArgument, match="features: wanted shape"):
        noise_is_active(CIRCUIT, ad_dep(0.1), [0.1, 0.2])
    with pytest.raises(InvalidArgument, match="features: wanted shape"):
        noise_is_active(CIRCUIT, ad_dep(0.1), 0.1)
    with pytest.raises(InvalidArgument, match="theta: wanted shape"):
        noise_is_active(CIRCUIT, ad_dep(0.1), parameters=[0.1])
    with pytest.raises(InvalidData, match="finite"):
        noise_is_active(CIRCUIT, ad_dep(0.1), [[np.nan, 0.1]])
