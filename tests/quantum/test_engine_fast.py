"""The fast engine against the slow one, and against itself run in other ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import Case, cases, circuits, noise_models

from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.engines.plan import Method, Precision, Program, compile_circuit
from bezoar.quantum.noise import NoiseModel, ad_dep

# Rounding of at most a few hundred operations on numbers up to 1, in float64.
NOISELESS = 1e-12
NOISY = 1e-10
# Two orders of the same sums.
SAME = 1e-13


def ring(n: int, *, scale: float = 1.0) -> Circuit:
    """One entangling layer after RX, RZ encoding of a feature each per qubit."""
    encoding = [Operation("RX", (w,), (Feature((w,)),)) for w in range(n)]
    turns = [Operation("RY", (w,), (Parameter(w, scale),)) for w in range(n)]
    links = [Operation("CRX", (w, (w + 1) % n), (Parameter(n + w, scale),)) for w in range(n)]
    return Circuit(n, (*encoding, *turns, *links))


def expectations(
    case: Case,
    noise: NoiseModel | None = None,
    *,
    index: np.ndarray | None = None,
    method: Method = "auto",
    dtype: Precision = "float64",
) -> np.ndarray:
    """``(training, sample, observable)`` from the fast engine."""
    program = compile_circuit(case.circuit, noise, case.observables, dtype=dtype, method=method)
    theta = torch.as_tensor(case.theta).to(program.dtype)
    where = None if index is None else torch.as_tensor(index)
    out, tape = program.forward(theta, program.encode(case.features), where)
    assert tape is None
    assert out.dtype == program.dtype
    return out.numpy()


@given(cases(circuits()))
@settings(max_examples=150)
def test_noiseless_as_reference(case: Case):
    expected = case.reference()
    np.testing.assert_allclose(expectations(case, method="pauli"), expected, rtol=0, atol=NOISELESS)
    np.testing.assert_allclose(
        expectations(case, method="statevector"), expected, rtol=0, atol=NOISELESS
    )


@given(cases(circuits(most_qubits=5)), noise_models())
@settings(max_examples=150)
def test_noisy_as_reference(case: Case, noise: NoiseModel):
    np.testing.assert_allclose(expectations(case, noise), case.reference(noise), rtol=0, atol=NOISY)


@given(cases(circuits(most_qubits=4, most_operations=6, reuploads=True)), noise_models())
@settings(max_examples=60)
def test_reuploading_as_reference(case: Case, noise: NoiseModel):
    program = compile_circuit(case.circuit, noise, dtype="float64")
    assert program.method == "reupload"
    np.testing.assert_allclose(expectations(case, noise), case.reference(noise), rtol=0, atol=NOISY)


@given(cases(circuits(most_wires=1, most_operations=20), n_samples=3), noise_models())
@settings(max_examples=60)
def test_products_as_reference(case: Case, noise: NoiseModel):
    """No gate touches two qubits: the path that works at any number of them."""
    assert case.circuit.is_product or case.circuit.operations[0].gate == "STATE"
    np.testing.assert_allclose(expectations(case, noise), case.reference(noise), rtol=0, atol=NOISY)


@given(cases(circuits(most_qubits=5), n_samples=4, n_trainings=3), noise_models(), st.data())
@settings(max_examples=60)
def test_index_picks_samples(case: Case, noise: NoiseModel, data: st.DataObject):
    everything = expectations(case, noise)
    n_batch = data.draw(st.integers(1, 5))
    picks = st.lists(st.integers(0, 3), min_size=3 * n_batch, max_size=3 * n_batch)
    index = np.array(data.draw(picks)).reshape(3, n_batch)
    expected = everything[np.arange(3)[:, None], index]
    np.testing.assert_allclose(expectations(case, noise, index=index), expected, rtol=0, atol=SAME)


@given(cases(circuits(most_qubits=5, reuploads=True), n_samples=4, n_trainings=3), st.data())
@settings(max_examples=30)
def test_index_picks_samples_when_reuploading(case: Case, data: st.DataObject):
    index = np.array(data.draw(st.lists(st.integers(0, 3), min_size=6, max_size=6))).reshape(3, 2)
    expected = expectations(case)[np.arange(3)[:, None], index]
    np.testing.assert_allclose(expectations(case, index=index), expected, rtol=0, atol=SAME)


@given(cases(circuits(), n_samples=3, n_trainings=3), st.sampled_from(["pauli", "statevector"]))
@settings(max_examples=40)
def test_each_training_is_as_alone(case: Case, method: Method):
    together = expectations(case, method=method)
    for t, theta in enumerate(case.theta):
        alone = Case(
            circuit=case.circuit,
            features=case.features,
            theta=theta[None],
            observables=case.observables,
        )
        np.testing.assert_allclose(
            expectations(alone, method=method)[0], together[t], rtol=0, atol=SAME
        )


@pytest.mark.parametrize("method", ["pauli", "statevector"])
def test_very_many_trainings(method: Method):
    circuit = ring(4)
    rng = np.random.default_rng(0)
    case = Case(
        circuit=circuit,
        features=rng.uniform(-3, 3, (2, 4)),
        theta=rng.uniform(-3, 3, (1500, 8)),
        observables=("ZIII", "XYZI"),
    )
    out = expectations(case, method=method)
    assert out.shape == (1500, 2, 2)
    for t in (0, 777, 1499):
        expected = reference.expectations(
            circuit, case.features[1], case.theta[t], None, case.observables
        )
        np.testing.assert_allclose(out[t, 1], expected, rtol=0, atol=NOISELESS)


@given(cases(circuits(most_operations=6)), noise_models())
@settings(max_examples=40)
def test_expectations_are_in_range(case: Case, noise: NoiseModel):
    out = expectations(case, noise)
    assert out.shape == (2, 2, len(case.observables))
    assert np.abs(out).max() <= 1 + NOISY


@pytest.mark.parametrize("n_qubits", range(1, 9))
@pytest.mark.parametrize("p", [0.0, 0.05])
def test_float32_agrees_to_a_millionth(n_qubits: int, p: float):
    rng = np.random.default_rng(n_qubits)
    circuit = ring(n_qubits) if n_qubits > 1 else Circuit(1, ring(2).operations[:3:2])
    layers = circuit.then(circuit.trainable().shifted(circuit.n_parameters))
    # Both precisions get the very same angles: this is about the engine's arithmetic.
    theta = rng.uniform(-np.pi, np.pi, (4, layers.n_parameters)).astype(np.float32)
    case = Case(
        circuit=layers,
        features=rng.uniform(0, np.pi, (5, n_qubits)),
        theta=theta,
        observables=reference.pauli_z_each(n_qubits),
    )
    noise = ad_dep(p)
    for method in ("pauli", "statevector") if p == 0 else ("pauli",):
        single = expectations(case, noise, method=method, dtype="float32")
        double = expectations(case, noise, method=method, dtype="float64")
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("circuit", "noise"),
    [
        pytest.param(Circuit(2, ring(2).operations[:4]), None, id="product"),
        pytest.param(ring(2), None, id="entangled"),
        pytest.param(ring(2), ad_dep(0.1), id="noisy"),
        pytest.param(Circuit(2, ring(2).operations[::-1]), None, id="reupload"),
        pytest.param(ring(6), None, id="statevector"),
        pytest.param(
            Circuit(2, (Operation("CX", (0, 1)), *ring(2).operations)), None, id="dense encoding"
        ),
    ],
)
class TestSmallSizes:
    """Nothing and one, of samples, of a batch and of trainings."""

    @pytest.fixture
    def program(self, circuit: Circuit, noise: NoiseModel | None) -> Program:
        return compile_circuit(circuit, noise, dtype="float64")

    def test_no_samples(self, program: Program):
        empty = np.zeros((0, program.circuit.n_features))
        out = program.run(empty, np.zeros(program.n_parameters))
        assert out.shape == (0, program.circuit.n_qubits)

    @pytest.mark.parametrize(("n_trainings", "n_batch"), [(2, 0), (2, 1), (0, 2), (1, 1), (0, 0)])
    def test_batch(self, program: Program, n_trainings: int, n_batch: int):
        inputs = program.encode(np.full((3, program.circuit.n_features), 0.3))
        theta = torch.full((n_trainings, program.n_parameters), 0.4, dtype=torch.float64)
        theta.requires_grad_()
        index = torch.full((n_trainings, n_batch), 2, dtype=torch.int64)
        out = program.expectations(theta, inputs, index)
        assert out.shape == (n_trainings, n_batch, program.circuit.n_qubits)
        out.sum().backward()
        assert theta.grad is not None
        assert theta.grad.shape == theta.shape
        if n_batch == 0:
            assert not theta.grad.any()


def test_a_circuit_of_nothing():
    program = compile_circuit(Circuit(2, ()), None, ["ZI", "XI", "II"], dtype="float64")
    assert program.run(np.zeros((1, 0))).tolist() == [[1.0, 0.0, 1.0]]


def test_observables_in_any_order_and_twice():
    circuit = Circuit(2, ring(2).operations[:4])
    strings = ["IZ", "ZI", "IZ", "XI", "ZZ", "II", "YI"]
    x, theta = np.array([0.3, 1.2]), np.array([0.5, -0.7])
    for noise in (None, ad_dep(0.1)):
        program = compile_circuit(circuit, noise, strings, dtype="float64")
        expected = reference.expectations(circuit, x, theta, noise, strings)
        np.testing.assert_allclose(program.run(x[None], theta)[0], expected, rtol=0, atol=NOISELESS)


def test_as_many_observables_as_wires_but_on_one():
    circuit = Circuit(2, ring(2).operations[:4])
    x, theta = np.array([0.3, 1.2]), np.array([0.5, -0.7])
    for strings in (["YI", "ZI"], ["IZ", "ZI"], ["IZ", "IZ"]):
        program = compile_circuit(circuit, None, strings, dtype="float64")
        expected = reference.expectations(circuit, x, theta, None, strings)
        np.testing.assert_allclose(program.run(x[None], theta)[0], expected, rtol=0, atol=NOISELESS)


@given(cases(circuits(most_qubits=4)), noise_models())
@settings(max_examples=30)
def test_states_encoded_elsewhere(case: Case, noise: NoiseModel):
    program = compile_circuit(
        case.circuit, noise, case.observables, dtype="float64", method="pauli"
    )
    inputs = program.inputs_from(encode(case.circuit.encoding(), case.features, noise))
    assert len(inputs) == len(case.features)
    theta = torch.as_tensor(case.theta)
    ours, _ = program.forward(theta, inputs)
    theirs, _ = program.forward(theta, program.encode(case.features))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=SAME)


@given(cases(circuits(most_qubits=3), n_samples=1, n_trainings=1), noise_models())
@settings(max_examples=20)
def test_run_is_repeatable(case: Case, noise: NoiseModel):
    program = compile_circuit(case.circuit, noise, case.observables)
    first = program.run(case.features, case.theta[0])
    np.testing.assert_array_equal(first, program.run(case.features, case.theta[0]))


@pytest.mark.parametrize(
    ("circuit", "noise", "method"),
    [
        (ring(5), None, "pauli"),
        (ring(6), None, "statevector"),
        (ring(6), NoiseModel(), "statevector"),
        (ring(6), ad_dep(0.0), "statevector"),
        (ring(6), ad_dep(0.1), "pauli"),
        (Circuit(6, ring(6).operations[::-1]), None, "reupload"),
        (Circuit(9, ring(9).operations[:18]), None, "pauli"),
    ],
)
def test_method_that_auto_takes(circuit: Circuit, noise: NoiseModel | None, method: str):
    assert compile_circuit(circuit, noise).method == method


def test_small_cones_need_no_state_vector():
    """30 qubits in pairs: what each observable sees is small, with and without noise."""
    turns = [Operation("RY", (w,), (Feature((0,)),)) for w in range(30)]
    links = [Operation("CX", (w, w + 1)) for w in range(0, 30, 2)]
    circuit = Circuit(30, (*turns, *links))
    out = compile_circuit(circuit, dtype="float64").run([[0.4]])[0]
    np.testing.assert_allclose(out, [np.cos(0.4), np.cos(0.4) ** 2] * 15, rtol=0, atol=NOISELESS)


def test_device_is_an_argument():
    program = compile_circuit(ring(2), device="cpu")
    assert program.device == torch.device("cpu")
    assert program.encode(np.zeros((1, 2))).states.qubits.device == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
def test_cuda_agrees(noise: NoiseModel | None):
    rng = np.random.default_rng(0)
    for n in (4, 6):
        circuit = ring(n)
        x, theta = rng.uniform(0, np.pi, (3, n)), rng.uniform(0, np.pi, 2 * n)
        results = [
            compile_circuit(circuit, noise, dtype="float64", device=device).run(x, theta)
            for device in ("cpu", "cuda")
        ]
        np.testing.assert_allclose(results[1], results[0], rtol=0, atol=NOISELESS)


@given(cases(circuits(least_qubits=2, most_qubits=5), n_samples=1, n_trainings=1))
@settings(max_examples=30)
def test_noise_that_is_empty_changes_nothing(case: Case):
    assume(case.circuit.operations)
    np.testing.assert_array_equal(expectations(case, NoiseModel()), expectations(case, None))
