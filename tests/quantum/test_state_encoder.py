"""What an attacker or a detector may know of a model."""

from __future__ import annotations

import json
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
