"""Ansatze against the paper's table, PennyLane and Qiskit."""

from __future__ import annotations

import math

import numpy as np
import pennylane as qml
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pennylane.tape import QuantumScript
from qiskit.circuit.library import efficient_su2, real_amplitudes
from qiskit.quantum_info import Statevector

from bezoar.contracts import plugins
from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.quantum.ansatze import (
    Ansatz,
    EfficientSU2,
    RealAmplitudes,
    SimCircuit,
    StronglyEntangling,
)
from bezoar.quantum.ansatze.ansatz import numbered
from bezoar.quantum.ansatze.expressibility import (
    divergence_from_haar,
    entangling_capability,
    expressibility,
    meyer_wallach,
    normalised_halves,
    sample_fidelities,
    states,
)
from bezoar.quantum.circuit import Circuit, Operation, Parameter, unitary
from bezoar.quantum.encodings import AngleEncoding
from bezoar.quantum.engines import reference

# Sim et al. 2019, four qubits: KL divergence and entangling capability with 1 and 3 layers.
PUBLISHED = {
    1: ((0.2999, 0.2079), (0.0000, 0.0000)),
    2: ((0.2860, 0.0084), (0.8104, 0.8657)),
    3: ((0.2396, 0.0403), (0.3412, 0.5852)),
    4: ((0.1343, 0.0107), (0.4721, 0.6607)),
    5: ((0.0602, 0.0030), (0.4090, 0.7953)),
    6: ((0.0061, 0.0039), (0.7781, 0.8721)),
    7: ((0.0977, 0.0162), (0.3241, 0.6194)),
    8: ((0.0858, 0.0122), (0.3926, 0.6567)),
    9: ((0.6773, 0.0322), (1.0000, 1.0000)),
    10: ((0.2286, 0.1297), (0.5362, 0.7865)),
    11: ((0.1312, 0.0038), (0.7335, 0.8288)),
    12: ((0.1984, 0.0089), (0.6486, 0.7838)),
    13: ((0.0516, 0.0049), (0.6077, 0.8224)),
    14: ((0.0144, 0.0035), (0.6604, 0.8557)),
    15: ((0.1892, 0.1152), (0.8184, 0.8734)),
    16: ((0.2602, 0.0375), (0.3439, 0.5859)),
    17: ((0.1359, 0.0180), (0.4533, 0.6557)),
    18: ((0.2340, 0.0221), (0.4385, 0.7130)),
    19: ((0.0809, 0.0040), (0.5916, 0.7906)),
}
# Circuit and layers published as if each ring ran in the opposite order; see design/ansatze.md.
REVERSED_RINGS = {(15, 1), (19, 1)}
N_SAMPLES = 5000  # as in the paper
# Both numbers are estimates from 5000 samples, so their difference spreads sqrt(2) as much as
# ours. 76 of them are compared: beyond 4 standard deviations by chance once in 200 tables.
DEVIATIONS = 4 * math.sqrt(2)

N_PARAMETERS = {
    1: lambda n, L: 2 * n * L,
    2: lambda n, L: 2 * n * L,
    3: lambda n, L: (3 * n - 1) * L,
    4: lambda n, L: (3 * n - 1) * L,
    5: lambda n, L: (n * n + 3 * n) * L,
    6: lambda n, L: (n * n + 3 * n) * L,
    7: lambda n, L: (5 * n - 1) * L,
    8: lambda n, L: (5 * n - 1) * L,
    9: lambda n, L: n * L,
    10: lambda n, L: n * L + n,
    11: lambda n, L: (4 * n - 4) * L,
    12: lambda n, L: (4 * n - 4) * L,
    13: lambda n, L: (3 * n + n // math.gcd(n, 3)) * L,
    14: lambda n, L: (3 * n + n // math.gcd(n, 3)) * L,
    15: lambda n, L: 2 * n * L,
    16: lambda n, L: (3 * n - 1) * L,
    17: lambda n, L: (3 * n - 1) * L,
    18: lambda n, L: 3 * n * L,
    19: lambda n, L: 3 * n * L,
}

LAYERED = (StronglyEntangling(), RealAmplitudes(), EfficientSU2())
every_number = pytest.mark.parametrize("number", PUBLISHED)


def with_reversed_rings(circuit: Circuit) -> Circuit:
    """The same circuit, each run of two-qubit gates in the opposite order."""
    out: list[Operation] = []
    ring: list[Operation] = []
    for operation in circuit.operations:
        if len(operation.wires) == 2:
            ring.insert(0, operation)
            continue
        out += [*ring, operation]
        ring = []
    return Circuit(circuit.n_qubits, (*out, *ring))


@pytest.mark.parametrize("n_layers", [1, 3])
@every_number
def test_sim_as_published(number: int, n_layers: int):
    circuit = SimCircuit(number=number).circuit(4, n_layers)
    if (number, n_layers) in REVERSED_RINGS:
        circuit = with_reversed_rings(circuit)
    rng = np.random.default_rng([number, n_layers])
    psi = states(circuit, rng.uniform(0, 2 * np.pi, (2 * N_SAMPLES, circuit.n_parameters)))
    first, second = psi[:N_SAMPLES], psi[N_SAMPLES:]
    (kl, entanglement) = (pair[n_layers == 3] for pair in PUBLISHED[number])

    fidelities = np.abs(np.einsum("si,si->s", first.conj(), second)) ** 2
    found = divergence_from_haar(fidelities, n_qubits=4)
    again = [
        divergence_from_haar(rng.choice(fidelities, N_SAMPLES), n_qubits=4) for _ in range(100)
    ]
    assert abs(found - kl) < DEVIATIONS * np.std(again)

    measured = normalised_halves(first)
    spread = measured.std() / math.sqrt(N_SAMPLES)
    assert abs(measured.mean() - entanglement) < DEVIATIONS * spread + 5e-5  # four digits given


@pytest.mark.parametrize(("number", "n_layers"), sorted(REVERSED_RINGS))
def test_rings_as_drawn_do_not_give_the_published_entanglement(number: int, n_layers: int):
    circuit = SimCircuit(number=number).circuit(4, n_layers)
    rng = np.random.default_rng(number)
    found = entangling_capability(circuit, n_samples=N_SAMPLES, rng=rng, measure=normalised_halves)
    # More than six times the spread of 0.003 of either number: this is why we reverse above.
    assert abs(found - PUBLISHED[number][1][0]) > 0.02


@pytest.mark.parametrize(
    ("number", "closed"), [(1, 0), (3, 11 / 64), (9, 1), (16, 11 / 64), (18, 7 / 32)]
)
def test_meyer_wallach_of_one_layer_in_closed_form(number: int, closed: float):
    # A CRZ neighbour multiplies a squared coherence by 3/4 on average, and sin^2 averages 1/2.
    circuit = SimCircuit(number=number).circuit(4, 1)
    found = entangling_capability(circuit, n_samples=20000, rng=np.random.default_rng(number))
    assert found == pytest.approx(closed, abs=0.006)  # 5 spreads of 0.16 / sqrt(20000)


@every_number
@given(n_qubits=st.integers(1, 7), n_layers=st.integers(1, 3))
def test_sim_parameter_counts(number: int, n_qubits: int, n_layers: int):
    circuit = SimCircuit(number=number).circuit(n_qubits, n_layers)
    used = {a.index for op in circuit.operations for a in op.angles if isinstance(a, Parameter)}
    assert used == set(range(circuit.n_parameters))
    assert circuit.n_features == 0
    if n_qubits == 3 and number in (13, 14):
        # The paper's rule would let a gate control itself; we close the ring the other way.
        assert circuit.n_parameters == 4 * n_qubits * n_layers
    elif n_qubits > 1:
        assert circuit.n_parameters == N_PARAMETERS[number](n_qubits, n_layers)


def test_rings_of_the_figure():
    circuit = SimCircuit(number=14).circuit(4, 1)
    assert [op.wires for op in circuit.operations if op.gate == "CRX"] == [
        *[(3, 0), (2, 3), (1, 2), (0, 1)],
        *[(3, 2), (0, 3), (1, 0), (2, 1)],
    ]
    wider = SimCircuit(number=15).circuit(6, 1)
    assert [op.wires for op in wider.operations if op.gate == "CX"][6:] == [(5, 2), (2, 5)]


@every_number
def test_sim_on_one_qubit_has_no_entanglers(number: int):
    circuit = SimCircuit(number=number).circuit(1, 2)
    assert circuit.is_product
    assert circuit.n_parameters >= 2


def test_ring_of_two_qubits_does_not_cancel():
    circuit = SimCircuit(number=10).circuit(2, 1)
    assert [op.gate for op in circuit.operations].count("CZ") == 1


@pytest.mark.parametrize("name", plugins.names("ansatze"))
def test_registered_ansatze_work(name: str):
    part = plugins.load("ansatze", name)
    ansatz = part() if isinstance(part, type) else part
    assert isinstance(ansatz, Ansatz)
    assert ansatz.name == name
    for n_qubits, n_layers in ((0, 1), (1, 0), (-1, 1), (2.0, 1)):
        with pytest.raises(InvalidArgument, match="whole number, 1 or more"):
            ansatz.circuit(n_qubits, n_layers)  # type: ignore[arg-type]


@pytest.mark.parametrize("ansatz", LAYERED, ids=lambda a: a.name)
def test_layered_on_one_qubit(ansatz: Ansatz):
    assert ansatz.circuit(1, 2).is_product


@pytest.mark.parametrize(("n_qubits", "n_layers"), [(1, 2), (2, 3), (3, 4), (4, 4)])
def test_strongly_entangling_as_pennylane(n_qubits: int, n_layers: int):
    circuit = StronglyEntangling().circuit(n_qubits, n_layers)
    weights = np.random.default_rng(0).uniform(-3, 3, (n_layers, n_qubits, 3))
    assert circuit.n_parameters == weights.size
    tape = QuantumScript(
        qml.StronglyEntanglingLayers(weights, wires=range(n_qubits)).decomposition(),
        [qml.density_matrix(range(n_qubits))],
    )
    expected = qml.execute([tape], qml.device("default.qubit"), diff_method=None)[0]
    ours = reference.density_matrix(circuit, (), weights.ravel())
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("entanglement", ["reverse_linear", "full", "linear", "circular"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(RealAmplitudes, real_amplitudes), (EfficientSU2, efficient_su2)]
)
@pytest.mark.parametrize(("n_qubits", "n_layers"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_two_local_as_qiskit(ours, theirs, entanglement, n_qubits: int, n_layers: int):
    circuit = ours(entanglement=entanglement).circuit(n_qubits, n_layers)
    built = theirs(n_qubits, reps=n_layers, entanglement=entanglement)
    assert circuit.n_parameters == built.num_parameters
    theta = np.random.default_rng(1).uniform(-3, 3, circuit.n_parameters)
    psi = Statevector(built.assign_parameters(theta)).reverse_qargs().data
    rho = reference.density_matrix(circuit, (), theta)
    np.testing.assert_allclose(rho, np.outer(psi, psi.conj()), rtol=0, atol=1e-12)


def test_unknown_settings_are_refused():
    with pytest.raises(InvalidArgument, match="a circuit from 1 to 19"):
        SimCircuit(number=20)
    with pytest.raises(UnknownName, match="reverse_linear"):
        RealAmplitudes(entanglement="pairwise")  # type: ignore[arg-type]


def test_states_agree_with_the_reference_engine():
    gates = [
        *[("H", (0,)), ("U", (1,)), ("P", (0,)), ("CRY", (2, 0)), ("CP", (1, 2)), ("ECR", (0, 2))],
        *[("RXX", (1, 0)), ("CRX", (0, 1)), ("SWAP", (2, 1)), ("RZ", (2,)), ("CRZ", (1, 0))],
    ]
    trained = numbered(3, gates)
    fixed = (
        unitary([[0, 1], [1, 0]], (1,)),
        Operation("RX", (0,), (0.4,)),
        Operation("U", (2,), (0.1, Parameter(0, scale=-2.0), 0.3)),
    )
    circuit = trained.then(Circuit(3, fixed))
    theta = np.random.default_rng(2).uniform(-7, 7, (3, circuit.n_parameters))
    for psi, row in zip(states(circuit, theta), theta, strict=True):
        expected = reference.density_matrix(circuit, (), row)
        np.testing.assert_allclose(np.outer(psi, psi.conj()), expected, rtol=0, atol=1e-12)


def test_haar_states_have_no_divergence():
    rng = np.random.default_rng(3)
    # Fidelities of Haar states: 1 - F to the power N - 1 is uniform.
    fidelities = 1 - rng.uniform(size=200_000) ** (1 / 15)
    # Biased by about (30 occupied bins - 1) / (2 * 200000).
    assert divergence_from_haar(fidelities, n_qubits=4) < 3e-4


def test_an_idle_circuit_is_as_inexpressive_as_can_be():
    idle = Circuit(2, (Operation("RZ", (0,), (Parameter(0),)),))
    rng = np.random.default_rng(4)
    # All mass in the last of 75 bins, which Haar gives (1/75)^3.
    assert expressibility(idle, n_samples=10, rng=rng) == pytest.approx(3 * math.log(75))
    assert entangling_capability(idle, n_samples=10, rng=rng) == pytest.approx(0, abs=1e-12)


def test_many_qubits_do_not_underflow():
    # 1023 times log 75: the last bin's mass is far below the smallest float.
    found = divergence_from_haar([1.0], n_qubits=10)
    assert found == pytest.approx(1023 * math.log(75))


@given(st.integers(0, 2**31), st.integers(1, 5))
def test_measures_lie_in_the_unit_interval(seed: int, n_qubits: int):
    rng = np.random.default_rng(seed)
    psi = rng.normal(size=(4, 2**n_qubits)) + 1j * rng.normal(size=(4, 2**n_qubits))
    psi /= np.linalg.norm(psi, axis=1, keepdims=True)
    q, published = meyer_wallach(psi), normalised_halves(psi)
    assert q.min() >= 0
    assert published.max() <= 1
    assert np.all(published > q - 1e-12)


def test_measures_of_known_states():
    w = np.zeros((1, 8), dtype=complex)
    w[0, [1, 2, 4]] = 1 / math.sqrt(3)
    ghz = np.zeros((1, 8), dtype=complex)
    ghz[0, [0, 7]] = 1 / math.sqrt(2)
    assert meyer_wallach(w)[0] == pytest.approx(8 / 9)
    assert meyer_wallach(ghz)[0] == pytest.approx(1)
    assert normalised_halves(np.eye(8, dtype=complex)[:1])[0] == 0


def test_results_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch):
    circuit = SimCircuit(number=19).circuit(2, 1)
    whole = sample_fidelities(circuit, n_samples=50, rng=np.random.default_rng(5))
    mean = entangling_capability(circuit, n_samples=50, rng=np.random.default_rng(5))
    monkeypatch.setattr("bezoar.quantum.ansatze.expressibility._CHUNK", 64)
    parts = sample_fidelities(circuit, n_samples=50, rng=np.random.default_rng(5))
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-15)
    again = entangling_capability(circuit, n_samples=50, rng=np.random.default_rng(5))
    assert again == pytest.approx(mean, abs=1e-12)


def test_bad_requests_are_refused():
    rng = np.random.default_rng(6)
    circuit = SimCircuit(number=1).circuit(2, 1)
    for bad in (0, -1, 1.5):
        with pytest.raises(InvalidArgument, match="n_samples"):
            expressibility(circuit, n_samples=bad, rng=rng)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="trainable part"):
        entangling_capability(AngleEncoding().circuit(2, 1), n_samples=1, rng=rng)
    with pytest.raises(InvalidArgument, match="n_bins"):
        expressibility(circuit, n_samples=1, n_bins=0, rng=rng)
    for fidelities in ([], [math.nan], [1.5]):
        with pytest.raises(InvalidArgument, match="fidelities"):
            divergence_from_haar(fidelities, n_qubits=1)
