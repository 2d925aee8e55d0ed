"""Both engines against PennyLane and Qiskit Aer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from oracles import aer_density_matrix, pennylane_expectations
from strategies import Case, cases, circuits, noise_models

from bezoar.quantum.engines import reference
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import NoiseModel

# Sums of at most 4**6 products of numbers below 1, in float64; noise adds a few more layers.
NOISELESS = 1e-12
NOISY = 1e-10
AER = 1e-9


def _pennylane(case: Case, noise: NoiseModel | None) -> np.ndarray:
    return pennylane_expectations(
        case.circuit, case.features[0], case.theta[0], noise, case.observables
    )


def _fast(case: Case, noise: NoiseModel | None) -> np.ndarray:
    program = compile_circuit(case.circuit, noise, case.observables, dtype="float64")
    return program.run(case.features, case.theta[0])[0]


@given(cases(circuits(), n_samples=1, n_trainings=1))
@settings(max_examples=150)
def test_noiseless_as_pennylane(case: Case):
    expected = _pennylane(case, None)
    np.testing.assert_allclose(case.reference()[0, 0], expected, rtol=0, atol=NOISELESS)
    np.testing.assert_allclose(_fast(case, None), expected, rtol=0, atol=NOISELESS)


@given(cases(circuits(), n_samples=1, n_trainings=1), noise_models())
@settings(max_examples=150)
def test_noisy_as_pennylane(case: Case, noise: NoiseModel):
    expected = _pennylane(case, noise)
    np.testing.assert_allclose(case.reference(noise)[0, 0], expected, rtol=0, atol=NOISY)
    np.testing.assert_allclose(_fast(case, noise), expected, rtol=0, atol=NOISY)


@given(cases(circuits(most_qubits=4, reuploads=True), n_samples=1, n_trainings=1), noise_models())
@settings(max_examples=60)
def test_reuploading_as_pennylane(case: Case, noise: NoiseModel):
    expected = _pennylane(case, noise)
    np.testing.assert_allclose(case.reference(noise)[0, 0], expected, rtol=0, atol=NOISY)
    np.testing.assert_allclose(_fast(case, noise), expected, rtol=0, atol=NOISY)


@given(
    cases(circuits(most_wires=2, with_state=False), n_samples=1, n_trainings=1),
    noise_models(with_readout=False),
)
@settings(max_examples=80)
def test_state_as_aer(case: Case, noise: NoiseModel):
    rho = reference.density_matrix(case.circuit, case.features[0], case.theta[0], noise)
    expected = aer_density_matrix(case.circuit, case.features[0], case.theta[0], noise)
    np.testing.assert_allclose(rho, expected, rtol=0, atol=AER)


@pytest.mark.parametrize("reuploads", [False, True])
def test_oracles_see_the_noise(reuploads: bool):
    """The oracles themselves do not drop noise, so that agreement means something."""
    from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
    from bezoar.quantum.noise import ad_dep

    gates = [Operation("RX", (0,), (Feature((0,)),)), Operation("RY", (0,), (Parameter(0),))]
    circuit = Circuit(2, (*gates[:: -1 if reuploads else 1], Operation("CX", (0, 1))))
    x, theta = np.array([0.7]), np.array([0.4])
    noisy = pennylane_expectations(circuit, x, theta, ad_dep(0.1), ["ZZ"])
    assert abs(noisy - pennylane_expectations(circuit, x, theta, None, ["ZZ"])) > 0.05
    rho = aer_density_matrix(circuit, x, theta, ad_dep(0.1))
    assert np.trace(rho @ rho).real < 0.9
