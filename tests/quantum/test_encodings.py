"""Encodings: what they hold, what they refuse, and the states that they make."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.circuit.library import z_feature_map, zz_feature_map
from qiskit.quantum_info import Statevector

from bezoar.contracts import plugins
from bezoar.contracts.errors import BezoarWarning, InvalidArgument, InvalidData, UnknownName
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.encodings import (
    AmplitudeEncoding,
    AngleEncoding,
    BasisEncoding,
    Encoding,
    IQPEncoding,
)
from bezoar.quantum.encodings.angle import ZXZXEncoding
from bezoar.quantum.engines import reference

ALL = (AngleEncoding(), AmplitudeEncoding(), IQPEncoding(), BasisEncoding())
# Axis sequences that lose nothing, with and without a first H.
AXES = [("X", False), ("Y", False), ("XZ", False), ("YZ", False), ("XY", False), ("ZX", True)]

each = pytest.mark.parametrize("encoding", ALL, ids=lambda e: e.name)


def bloch(circuit: Circuit, x: list[float]) -> np.ndarray:
    """Bloch vector of the first qubit."""
    rho = reference.density_matrix(circuit, x)
    rest = rho.shape[0] // 2
    one = np.einsum("aibi->ab", rho.reshape(2, rest, 2, rest))
    return np.array([2 * one[1, 0].real, 2 * one[1, 0].imag, (one[0, 0] - one[1, 1]).real])


@each
def test_is_an_encoding_and_registered_under_its_name(encoding: Encoding):
    assert isinstance(encoding, Encoding)
    assert plugins.load("encodings", encoding.name)() == encoding
    assert hash(encoding) == hash(plugins.load("encodings", encoding.name)())


@each
@given(n_features=st.integers(1, 9))
def test_qubits_for_is_the_fewest_that_hold(encoding: Encoding, n_features: int):
    n_qubits = encoding.qubits_for(n_features)
    holds = encoding.capacity(n_qubits)
    assert holds is not None
    assert holds >= n_features
    assert n_qubits == 1 or (encoding.capacity(n_qubits - 1) or 0) < n_features
    circuit = encoding.circuit(n_features, n_qubits)
    assert (circuit.n_features, circuit.n_parameters, circuit.n_qubits) == (n_features, 0, n_qubits)
    # All of it counts as encoding, so that what follows is what is trained.
    assert circuit.encoding() == circuit


@each
def test_too_many_features_are_refused_with_the_mend(encoding: Encoding):
    holds = encoding.capacity(2)
    assert holds is not None
    with pytest.raises(InvalidArgument) as caught:
        encoding.circuit(holds + 1, 2)
    text = str(caught.value)
    assert f"got {holds + 1}" in text
    assert f"at most {holds}" in text
    assert f"use {encoding.qubits_for(holds + 1)} qubits" in text


@each
@pytest.mark.parametrize(("n_features", "n_qubits"), [(0, 2), (1, 0), (-1, 1), (1.5, 2)])
def test_nothing_to_encode_is_refused(encoding: Encoding, n_features: int, n_qubits: int):
    with pytest.raises(InvalidArgument, match="whole number, 1 or more"):
        encoding.circuit(n_features, n_qubits)


@each
@pytest.mark.parametrize(
    "features",
    [
        [[1.0, math.nan]],
        [[1.0, math.inf]],
        [1.0, 2.0],
        [[["a"]]],
        [[1j]],
        "text",
        [["a", "b"]],
        None,
    ],
)
def test_check_refuses_what_is_no_finite_matrix(encoding: Encoding, features: object):
    with pytest.raises(InvalidData, match="features"):
        encoding.check(features)  # type: ignore[arg-type]


@each
def test_check_takes_bits_and_no_samples(encoding: Encoding):
    encoding.check([[1.0, 0.0], [0.0, 1.0]])
    encoding.check(np.zeros((0, 3)))


def test_angle_features_stand_as_promised():
    circuit = AngleEncoding().circuit(n_features=4, n_qubits=2)
    assert circuit.draw() == "0: -RX(x0)-RZ(x1)-\n1: -RX(x2)-RZ(x3)-"
    alone = AngleEncoding(axes=("Z", "X"), hadamard_first=True).circuit(n_features=3, n_qubits=3)
    assert alone.draw() == "0: -H-RZ(x0)-RX(x1)-\n1: -H-RZ(x2)--------\n2: -----------------"


@given(
    x=st.tuples(*[st.floats(0.01, math.pi - 0.01)] * 2),
    y=st.tuples(*[st.floats(0.01, math.pi - 0.01)] * 2),
)
def test_default_angles_are_coordinates_of_the_sphere(x, y):
    # RX(a) then RZ(b) points to (sin a sin b, -sin a cos b, cos a).
    circuit = AngleEncoding().circuit(2, 1)
    a, b = x
    closed = [math.sin(a) * math.sin(b), -math.sin(a) * math.cos(b), math.cos(a)]
    np.testing.assert_allclose(bloch(circuit, list(x)), closed, rtol=0, atol=1e-12)
    # Different features make different states: within (0, pi) the map is one to one.
    if max(abs(p - q) for p, q in zip(x, y, strict=True)) > 0.01:
        assert np.abs(bloch(circuit, list(x)) - bloch(circuit, list(y))).max() > 1e-6


@pytest.mark.parametrize(("axes", "hadamard"), AXES)
def test_every_feature_of_an_accepted_sequence_counts(axes: str, hadamard: bool):
    circuit = AngleEncoding(axes=axes, hadamard_first=hadamard).circuit(len(axes), 1)
    at = [1.0] * len(axes)
    for k in range(len(axes)):
        moved = [*at[:k], 1.5, *at[k + 1 :]]
        assert np.abs(bloch(circuit, at) - bloch(circuit, moved)).max() > 0.1


@pytest.mark.parametrize(
    ("axes", "hadamard", "reason"),
    [
        ("Z", False, "RZ leaves |0> as it is"),
        ("ZX", False, "RZ leaves |0> as it is"),
        ("XZ", True, "RX leaves |+> as it is"),
        ("XX", False, "sum of their features"),
        ("XZZ", False, "sum of their features"),
    ],
)
def test_sequences_that_lose_features_are_refused(axes: str, hadamard: bool, reason: str):
    with pytest.raises(InvalidArgument) as caught:
        AngleEncoding(axes=axes, hadamard_first=hadamard)
    assert reason in str(caught.value)


@pytest.mark.parametrize("axes", ["", (), "A", "xz", ("X", 1), ("X", "")])
def test_other_axes_are_refused(axes):
    with pytest.raises(InvalidArgument, match="axes"):
        AngleEncoding(axes=axes)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, math.nan), (-math.inf, 0)])
def test_ranges_that_are_none_are_refused(low: float, high: float):
    for kind in (AngleEncoding, IQPEncoding):
        with pytest.raises(InvalidArgument, match="low and high"):
            kind(low=low, high=high)


def test_ranges_beyond_the_period_warn():
    with pytest.warns(BezoarWarning, match="2 pi - x have the same populations"):
        encoding = AngleEncoding(high=2 * math.pi)
    circuit = encoding.circuit(1, 1)
    # The reason given in the warning, in numbers.
    z = [bloch(circuit, [x])[2] for x in (1.0, 2 * math.pi - 1.0)]
    assert abs(z[0] - z[1]) < 1e-12
    with pytest.warns(BezoarWarning, match="period of the phases"):
        IQPEncoding(high=2 * math.pi)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AngleEncoding(low=-math.pi / 2, high=math.pi / 2)
        IQPEncoding(low=-math.pi / 2, high=math.pi / 2)


def test_three_features_on_a_qubit_warn():
    with pytest.warns(BezoarWarning, match="two real coordinates"):
        encoding = AngleEncoding(axes="XYZ")
    assert encoding.capacity(2) == 6


def test_check_warns_of_features_that_were_not_scaled():
    with pytest.warns(BezoarWarning, match="feature 1 spans 7"):
        AngleEncoding().check([[0.0, 0.0], [1.0, 7.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AngleEncoding().check([[0.0, 0.0], [1.0, math.pi]])


@given(st.integers(1, 8), st.integers(0, 1000))
def test_amplitudes_are_the_normalised_sample(n_features: int, seed: int):
    x = np.random.default_rng(seed).normal(size=n_features)
    encoding = AmplitudeEncoding()
    encoding.check(x[None])
    n_qubits = encoding.qubits_for(n_features)
    rho = reference.density_matrix(encoding.circuit(n_features, n_qubits), x)
    psi = np.zeros(2**n_qubits)
    psi[:n_features] = x / np.linalg.norm(x)
    np.testing.assert_allclose(rho, np.outer(psi, psi), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sample", [[0.0, 0.0], [1e-200, 0.0], [1e200, 1e200]])
def test_amplitudes_need_a_direction(sample: list[float]):
    with pytest.raises(InvalidData, match="sample 1"):
        AmplitudeEncoding().check([[1.0, 0.0], sample])


@pytest.mark.parametrize("entanglement", ["full", "linear", "reverse_linear", "circular"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_iqp_is_qiskits_feature_map(entanglement, n: int):
    x = np.random.default_rng(n).uniform(0, math.pi, n)
    # Qiskit has the map of one qubit, which has no pairs, under another name.
    built = zz_feature_map(n, entanglement=entanglement) if n > 1 else z_feature_map(1)
    expected = Statevector(built.assign_parameters(x)).reverse_qargs().data
    ours = reference.density_matrix(IQPEncoding(entanglement=entanglement).circuit(n, n), x)
    # Up to the global phase, which a density matrix does not have.
    np.testing.assert_allclose(ours, np.outer(expected, expected.conj()), rtol=0, atol=1e-12)


def test_iqp_leaves_other_qubits_alone():
    small = IQPEncoding(n_repeats=1).circuit(2, 2)
    assert IQPEncoding(n_repeats=1).circuit(2, 3).operations == small.operations


def test_iqp_settings_are_checked():
    with pytest.raises(InvalidArgument, match="n_repeats"):
        IQPEncoding(n_repeats=0)
    with pytest.raises(UnknownName, match="did you mean 'circular'"):
        IQPEncoding(entanglement="circulr")  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=5))
def test_bits_are_basis_states(bits: list[int]):
    encoding = BasisEncoding()
    encoding.check([bits])
    rho = reference.density_matrix(encoding.circuit(len(bits), len(bits)), bits)
    assert rho[int("".join(map(str, bits)), 2)].real.max() == pytest.approx(1, abs=1e-12)


def test_other_numbers_are_no_bits():
    with pytest.raises(InvalidData, match=r"got 0\.5 in sample 1, feature 0"):
        BasisEncoding().check([[0, 1], [0.5, 1]])


def test_the_order_of_quids_figure_4_loses_its_first_feature() -> None:
    encoding = ZXZXEncoding()
    circuit = encoding.circuit(n_features=4, n_qubits=1)
    first, second = ([x, 0.5, 0.7, 0.9] for x in (0.1, 2.9))
    states = [
        reference.density_matrix(circuit, np.array(f), np.zeros(0), None) for f in (first, second)
    ]
    np.testing.assert_allclose(states[0], states[1], atol=1e-15)
    with pytest.raises(InvalidArgument, match="would be lost"):
        AngleEncoding(axes="ZXZX")
