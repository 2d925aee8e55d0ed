"""What an attacker or a detector may know of a model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.ansatze.sim import SIM_1
from bezoar.quantum.circuit import Circuit, Operation
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.encodings.iqp import IQPEncoding
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.noise import ad_dep, parse_noise
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.tomography import PauliTomography, parse_tomography

ANGLE = AngleEncoding().circuit(n_features=4, n_qubits=2)


def test_encodes_with_its_own_noise() -> None:
    x = np.pi * np.random.default_rng(0).random((5, 4))
    for noise in (None, ad_dep(0.05)):
        got = StateEncoder(circuit=ANGLE, noise=noise).encode(x)
        assert np.array_equal(got.pauli_vectors(), encode(ANGLE, x, noise).pauli_vectors())
        assert got.pure == (noise is None)


def test_takes_the_read_only_features_of_data_sets_and_leaves_them_alone() -> None:
    x = np.pi * np.random.default_rng(0).random((5, 4))
    before = x.copy()
    x.setflags(write=False)
    for circuit in (ANGLE, IQPEncoding().circuit(n_features=4, n_qubits=4)):
        StateEncoder(circuit=circuit).encode(x)
    assert np.array_equal(x, before)


def test_is_a_value() -> None:
    one, same = (StateEncoder(circuit=ANGLE, noise=ad_dep(0.05)) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != StateEncoder(circuit=ANGLE)
    with pytest.raises(AttributeError):
        one.noise = None  # type: ignore[misc]


@pytest.mark.parametrize("noise", ["none", "ad-dep:0.05", "readout:0.1"])
def test_describes_itself_as_json(noise: str) -> None:
    told = StateEncoder(circuit=ANGLE, noise=parse_noise(noise)).describe()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["circuit"] == ANGLE.draw()


@pytest.mark.parametrize(
    "circuit",
    [ANGLE.then(SIM_1.circuit(2, 1)), Circuit(1, (Operation("H", (0,)),))],
)
def test_refuses_what_is_no_encoding(circuit: Circuit) -> None:
    with pytest.raises(InvalidArgument, match="circuit: wanted an encoding"):
        StateEncoder(circuit=circuit)


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        (np.zeros((3, 3)), InvalidArgument),
        (np.zeros(4), InvalidArgument),
        (np.full((1, 4), np.nan), InvalidData),
        ([["a", "b", "c", "d"]], InvalidData),
        ([[1.0, 2.0, 3.0, 4.0], [1.0]], InvalidData),
    ],
)
def test_refuses_features_that_cannot_be_encoded(features: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="features: wanted"):
        StateEncoder(circuit=ANGLE).encode(features)


# Measured states -----------------------------------------------------------------------------

MEASURED = StateEncoder(circuit=ANGLE, noise=ad_dep(0.05), tomography=PauliTomography(90))
X = np.pi * np.random.default_rng(1).random((6, 4))


def test_exact_states_are_those_of_the_engine_to_the_last_bit() -> None:
    for noise in (None, ad_dep(0.05)):
        got = StateEncoder(circuit=ANGLE, noise=noise, seed=5).encode(X)
        expected = encode(ANGLE, X, noise)
        assert got.bloch is not None
        assert expected.bloch is not None
        assert got.bloch.tobytes() == expected.bloch.tobytes()
        assert (got.pauli, got.pure, got.estimate) == (None, expected.pure, None)
    assert set(StateEncoder(circuit=ANGLE).describe()) == {"circuit", "noise"}


@pytest.mark.parametrize("name", ["pauli:90", "shadows:40", "bloch:30", "overlap:20"])
def test_outcomes_depend_on_the_seed_and_the_own_features_alone(name: str) -> None:
    encoder = replace(MEASURED, tomography=parse_tomography(name))
    whole = encoder.encode(X).pauli_vectors()
    order = [3, 0, 3]
    part = encoder.encode(X[order]).pauli_vectors()
    assert np.array_equal(part, whole[order])
    wider = np.concatenate([X, np.random.default_rng(0).random((6, 2))], axis=1)
    assert np.array_equal(encoder.encode(wider).pauli_vectors(), whole)
    assert not np.array_equal(replace(encoder, seed=1).encode(X).pauli_vectors(), whole)


def test_outcomes_do_not_hang_on_the_last_bits_or_the_sign_of_zero() -> None:
    x = np.array([[0.0, 1.0, 2.0, 3.0]])
    other = np.array([[-0.0, 1.0 + 1e-15, 2.0, 3.0]])
    a, b = (MEASURED.encode(features).pauli_vectors() for features in (x, other))
    assert np.array_equal(a, b)


def test_huge_features_are_measured_without_warnings() -> None:
    assert np.isfinite(MEASURED.encode(np.full((2, 4), 1e300)).pauli_vectors()).all()


def test_what_is_measured_is_the_noisy_state() -> None:
    strong = StateEncoder(circuit=ANGLE, noise=ad_dep(0.2))
    many = replace(strong, tomography=PauliTomography(9 * 10**8)).encode(X)
    # The standard error of a string is 1e-4 at most.
    expected = strong.encode(X).pauli_vectors()
    np.testing.assert_allclose(many.pauli_vectors(), expected, atol=6e-4)
    perfect = StateEncoder(circuit=ANGLE).encode(X).pauli_vectors()
    assert np.abs(perfect - expected).max() > 0.1


@pytest.mark.parametrize("name", ["pauli:90", "shadows:40", "bloch:30", "overlap:20:4"])
def test_tells_how_it_measures(name: str) -> None:
    encoder = replace(MEASURED, tomography=parse_tomography(name), seed=3)
    told = encoder.describe()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    tomography = told["tomography"]
    assert isinstance(tomography, dict)
    assert (tomography["name"], tomography["seed"]) == (name, 3)
    assert "nearest density matrix" in tomography["projection"]
    assert hash(encoder) != hash(MEASURED)
    assert encoder != MEASURED


def test_entangling_encodings_are_measured_but_not_qubit_by_qubit() -> None:
    iqp = IQPEncoding().circuit(n_features=3, n_qubits=3)
    found = StateEncoder(circuit=iqp, tomography=PauliTomography(27 * 10**8)).encode(X)
    gaps = found.pauli_vectors() - encode(iqp, X).pauli_vectors()
    assert np.abs(gaps).max() < 6e-4  # the standard error of a string is 1e-4 at most
    with pytest.raises(InvalidArgument, match="may entangle"):
        StateEncoder(circuit=iqp, tomography=parse_tomography("bloch:30")).encode(X)


def test_100_qubits_are_measured_in_product_form() -> None:
    wide = AngleEncoding().circuit(n_features=200, n_qubits=100)
    x = np.pi * np.random.default_rng(0).random((50, 200))
    exact = StateEncoder(circuit=wide, noise=ad_dep(0.05))
    found = replace(exact, tomography=parse_tomography("bloch:3000")).encode(x).bloch
    known = exact.encode(x).bloch
    assert found is not None
    assert known is not None
    assert found.shape == (50, 100, 3)
    # 1000 shots on each axis; the mean over 15,000 coordinates is right to a percent.
    expected = np.sqrt(np.mean(1 - known**2) / 1000)
    assert np.sqrt(np.mean((found - known) ** 2)) == pytest.approx(expected, rel=0.05)


def test_refuses_names_for_protocols_and_other_seeds() -> None:
    with pytest.raises(InvalidArgument, match="parse_tomography reads names"):
        StateEncoder(circuit=ANGLE, tomography="pauli:90")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="seed: wanted"):
        StateEncoder(circuit=ANGLE, seed=-1)
