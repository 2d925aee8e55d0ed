"""Error against shots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.encodings.iqp import IQPEncoding
from bezoar.quantum.estimation_error import estimation_error
from bezoar.quantum.noise import ad_dep
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.tomography import parse_tomography

X = np.pi * np.random.default_rng(0).random((60, 4))
ANGLE = StateEncoder(circuit=AngleEncoding().circuit(n_features=4, n_qubits=2), noise=ad_dep(0.05))


@pytest.mark.parametrize("protocol", ["pauli", "shadows", "bloch", "overlap"])
def test_errors_fall_as_one_over_the_root_of_the_shots(protocol: str) -> None:
    few, many = estimation_error(ANGLE, X, protocol, [900, 90000])
    assert (few.tomography, few.shots, few.n) == (f"{protocol}:900", 900, 60)
    # 60 samples: an error of an error of about a tenth.
    assert few.overlap / many.overlap == pytest.approx(10, rel=0.2)
    if protocol == "overlap":
        assert few.state is None
        assert many.state is None
    else:
        assert few.state is not None
        assert many.state is not None
        assert few.state / many.state == pytest.approx(10, rel=0.1)


def test_the_error_of_pauli_tomography_is_that_of_its_outcomes() -> None:
    shots, n = 900, 2
    (found,) = estimation_error(ANGLE, X, "pauli", [shots])
    weight = np.kron([1, 3, 3, 3], [1, 3, 3, 3])
    squares = ANGLE.encode(X).pauli_vectors() ** 2
    expected = np.sqrt(np.mean(((1 - squares) * weight / shots).sum(axis=1)) / 2**n)
    # The mean of norms is a little below the root of the mean of squares.
    assert found.state == pytest.approx(expected, rel=0.05)


def test_products_have_the_same_error_in_either_form() -> None:
    (found,) = estimation_error(ANGLE, X, "bloch", [300])
    measured = replace(ANGLE, tomography=parse_tomography("bloch:300")).encode(X)
    gaps = measured.pauli_vectors() - ANGLE.encode(X).pauli_vectors()
    expected = np.linalg.norm(gaps, axis=1).mean() / 2
    assert found.state == pytest.approx(expected, rel=1e-9)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="shots: wanted one number"):
        estimation_error(ANGLE, X, "pauli", [])
    with pytest.raises(InvalidArgument, match="tomography: wanted exact or"):
        estimation_error(ANGLE, X, "guess", [10])
    with pytest.raises(InvalidArgument, match="tomography: wanted exact or"):
        estimation_error(ANGLE, X, "exact", [10])
    with pytest.raises(InvalidData, match="two samples or more"):
        estimation_error(ANGLE, X[:1], "pauli", [10])
    iqp = StateEncoder(circuit=IQPEncoding().circuit(n_features=2, n_qubits=2))
    with pytest.raises(InvalidArgument, match="may entangle"):
        estimation_error(iqp, X, "bloch", [10])
