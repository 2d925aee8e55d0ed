"""Encoded states against density matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import Case, cases, circuits, noise_models

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import encoder, reference
from bezoar.quantum.engines.encoder import encode, pauli_from_amplitudes
from bezoar.quantum.gates import GATES
from bezoar.quantum.noise import NoiseModel, ReadoutError, ad_dep, pauli_basis

NOISELESS = 1e-12
NOISY = 1e-10

TURN = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
LINKED = Circuit(
    2, (*(Operation("RX", (w,), (Feature((w,)),)) for w in (0, 1)), Operation("CX", (0, 1)))
)


def pauli_vector(rho: np.ndarray) -> np.ndarray:
    """``Tr(P rho)`` for all Pauli strings, ``(4**n,)``."""
    return np.einsum("iab,ba->i", pauli_basis(len(rho)), rho).real


@given(cases(circuits(most_qubits=5)), noise_models())
@settings(max_examples=80)
def test_as_density_matrices(case: Case, noise: NoiseModel):
    circuit = case.circuit.encoding()
    for model in (None, noise):
        states = encode(circuit, case.features, model)
        expected = [
            pauli_vector(reference.density_matrix(circuit, x, (), model)) for x in case.features
        ]
        vectors = states.pauli_vectors()
        assert vectors.shape == (len(case.features), 4**circuit.n_qubits)
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=NOISY)
        if states.pure:
            purity = (vectors**2).sum(axis=1) / 2**circuit.n_qubits
            np.testing.assert_allclose(purity, 1, rtol=0, atol=NOISY)


@given(cases(circuits(most_wires=1, with_state=False, most_qubits=4)), noise_models())
@settings(max_examples=40)
def test_products_are_kept_as_bloch_vectors(case: Case, noise: NoiseModel):
    circuit = case.circuit.encoding()
    states = encode(circuit, case.features, noise)
    assert states.is_product
    assert states.bloch is not None
    assert states.bloch.shape == (len(case.features), circuit.n_qubits, 3)
    assert np.linalg.norm(states.bloch, axis=2).max() <= 1 + NOISY


def test_noiseless_states_are_pure_and_noisy_ones_not():
    assert encode(TURN, [[0.3]]).pure
    assert encode(TURN, [[0.3]], ad_dep(0.0)).pure
    assert not encode(TURN, [[0.3]], ad_dep(0.1)).pure


@pytest.mark.parametrize("circuit", [TURN, LINKED], ids=["product", "entangled"])
def test_quiet_encoding_is_pure_to_its_last_gate(circuit: Circuit):
    """Also gates after the last feature are the encoding's here, unlike in a whole model."""
    noise = ad_dep(0.1, on_encoding=False)
    x = np.full((2, circuit.n_features), 0.4)
    states = encode(circuit, x, noise)
    assert states.pure
    clean = encode(circuit, x).pauli_vectors()
    np.testing.assert_array_equal(states.pauli_vectors(), clean)


def test_readout_is_no_part_of_a_state():
    noise = NoiseModel(readout=ReadoutError(0.2, 0.1))
    vectors = encode(LINKED, [[0.3, 0.4]], noise).pauli_vectors()
    np.testing.assert_allclose(
        vectors, encode(LINKED, [[0.3, 0.4]]).pauli_vectors(), rtol=0, atol=NOISELESS
    )


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
@pytest.mark.parametrize("noise", [None, ad_dep(0.1)])
def test_amplitudes(n_qubits: int, noise: NoiseModel | None):
    n_loaded = 2**n_qubits - (n_qubits > 1)
    loaded = Operation("STATE", tuple(range(n_qubits)), features=tuple(range(n_loaded)))
    circuit = Circuit(n_qubits, (loaded,))
    x = np.random.default_rng(0).normal(size=(5, n_loaded))
    states = encode(circuit, x, noise)
    expected = [pauli_vector(reference.density_matrix(circuit, row, (), noise)) for row in x]
    np.testing.assert_allclose(states.pauli_vectors(), expected, rtol=0, atol=NOISELESS)


def test_amplitudes_of_any_size_are_normalised():
    circuit = Circuit(2, (Operation("STATE", (0, 1), features=(0, 1, 2)),))
    direction = np.array([1.0, -2.0, 0.5])
    scales = np.array([1.0, 1e-200, 1e200, 3e-320, -7.0])
    vectors = encode(circuit, scales[:, None] * direction).pauli_vectors()
    for row in (1, 2, 4):
        np.testing.assert_allclose(vectors[row], vectors[0], rtol=0, atol=NOISELESS)
    np.testing.assert_allclose(vectors[:, 0], 1, rtol=0, atol=NOISELESS)


def test_complex_amplitudes():
    """Also states that a circuit, not the data, makes."""
    gate = np.kron(GATES["U"].matrix(0.3, 1.0, -0.4), GATES["SX"].matrix())
    psi = gate[:, :1].T
    rho = np.outer(psi[0], psi[0].conj())
    ours = pauli_from_amplitudes(psi, 2, np.eye(4))
    np.testing.assert_allclose(ours[0], pauli_vector(rho), rtol=0, atol=NOISELESS)


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(0).uniform(0, 3, (23, 2))
    whole = encode(LINKED, x, ad_dep(0.1)).pauli_vectors()
    seen = []
    monkeypatch.setattr(encoder, "_CHUNK_BYTES", 8 * 4 * 16 * 5)

    def tell(task: str, done: int, total: int) -> None:
        seen.append((task, done, total))

    parts = encode(LINKED, x, ad_dep(0.1), progress=tell)
    np.testing.assert_array_equal(parts.pauli_vectors(), whole)
    assert seen == [("encode", done, 23) for done in (5, 10, 15, 20, 23)]


@pytest.mark.parametrize("circuit", [TURN, LINKED], ids=["product", "entangled"])
def test_samples_do_not_mix(circuit: Circuit):
    x = np.random.default_rng(1).uniform(0, 3, (4, 2))
    together = encode(circuit, x, ad_dep(0.1))
    for i in range(4):
        alone = encode(circuit, x[i : i + 1], ad_dep(0.1)).pauli_vectors()
        np.testing.assert_allclose(alone[0], together.pauli_vectors()[i], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(
        together.take(np.array([2, 0])).pauli_vectors(), together.pauli_vectors()[[2, 0]]
    )


@pytest.mark.parametrize("circuit", [TURN, LINKED], ids=["product", "entangled"])
def test_no_samples(circuit: Circuit):
    states = encode(circuit, np.zeros((0, 2)))
    assert len(states) == 0
    assert states.pauli_vectors().shape == (0, 4**circuit.n_qubits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("circuit", [TURN, LINKED], ids=["product", "entangled"])
def test_precision(circuit: Circuit, dtype: type):
    states = encode(circuit, [[0.3, 0.4]], dtype=dtype)
    assert states.pauli_vectors().dtype == dtype
    exact = encode(circuit, [[0.3, 0.4]]).pauli_vectors()
    # The arithmetic is float64, so that only the last rounding shows.
    np.testing.assert_allclose(states.pauli_vectors(), exact, rtol=0, atol=6e-8)


def test_more_features_than_needed_are_ignored():
    np.testing.assert_array_equal(
        encode(TURN, [[0.3, 9.0]]).pauli_vectors(), encode(TURN, [[0.3]]).pauli_vectors()
    )


class TestRefusals:
    @pytest.mark.parametrize("features", [[0.3], 0.3, [[[0.3]]]])
    def test_shape(self, features: object):
        with pytest.raises(InvalidArgument, match=r"features: wanted shape \(sample, 1 or more\)"):
            encode(TURN, features)  # type: ignore[arg-type]

    def test_too_few_features(self):
        with pytest.raises(InvalidArgument, match=r"\(sample, 2 or more\), got \(3, 1\)"):
            encode(LINKED, np.zeros((3, 1)))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, value: float):
        with pytest.raises(
            InvalidData, match="features: wanted finite numbers, got NaN or infinity"
        ):
            encode(TURN, [[value]])

    @pytest.mark.parametrize("value", ["a", None, {}])
    def test_not_numbers(self, value: object):
        with pytest.raises(InvalidData, match="features: wanted"):
            encode(TURN, [[value]])  # type: ignore[list-item]

    def test_parameters(self):
        circuit = Circuit(1, (Operation("RX", (0,), (Parameter(0),)),))
        with pytest.raises(InvalidArgument, match="circuit: wanted an encoding without parameters"):
            encode(circuit, [[0.3]])
        linked = LINKED.then(Circuit(2, (Operation("RX", (0,), (Parameter(0),)),)))
        with pytest.raises(InvalidArgument, match="circuit: wanted an encoding without parameters"):
            encode(linked, [[0.3, 0.2]])

    def test_too_many_entangled_qubits(self):
        circuit = Circuit(11, (*LINKED.operations,))
        with pytest.raises(InvalidArgument, match=r"at most 10.*got 11; use an angle encoding"):
            encode(circuit, [[0.3, 0.2]])
        assert len(encode(Circuit(300, TURN.operations), [[0.3]])) == 1

    def test_amplitudes_of_zero(self):
        circuit = Circuit(2, (Operation("STATE", (0, 1), features=(0, 1)),))
        with pytest.raises(InvalidData, match=r"non-zero vector.*sample 1 is all zeros"):
            encode(circuit, [[0.3, 0.2], [0.0, 0.0]])

    @pytest.mark.parametrize(
        ("operations", "message"),
        [
            (
                [*TURN.operations, Operation("STATE", (0, 1), features=(0,))],
                "first operation alone",
            ),
            ([Operation("STATE", (0, 1), features=(0,))] * 2, r"places \[0, 1\]"),
            ([Operation("STATE", (0,), features=(0,))], "STATE: wanted all wires in order"),
            ([Operation("STATE", (1, 0), features=(0,))], "STATE: wanted all wires in order"),
        ],
    )
    def test_amplitudes_elsewhere(self, operations: list[Operation], message: str):
        with pytest.raises(InvalidArgument, match=message):
            encode(Circuit(2, operations), [[0.3]])  # type: ignore[arg-type]
