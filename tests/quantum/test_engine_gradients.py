"""Gradients: exact against finite differences, shift rules, SPSA in the mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import SCALES, Case, cases, circuits, noise_models

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.gradients import (
    SPSA,
    Exact,
    Gradient,
    ParameterShift,
    Runner,
    gradient_named,
    shift_rules,
    signal_to_noise,
)
from bezoar.quantum.engines.plan import Method, compile_circuit
from bezoar.quantum.engines.sampling import ShotSampler
from bezoar.quantum.gates import GATES
from bezoar.quantum.noise import NoiseModel, ReadoutError, ad_dep

# Central differences with step h of a function of size 1: rounding 1e-16 / h, curvature h**2.
STEP = 1e-5
DIFFERENCES = 2e-8
EXACT = 1e-12

ONE_ANGLE = [gate.name for gate in GATES.values() if gate.n_angles == 1]


def runner(circuit: Circuit, noise: NoiseModel | None, features: np.ndarray) -> Runner:
    program = compile_circuit(circuit, noise, dtype="float64")
    return Runner(program, program.encode(features))


def shot_runner(circuit: Circuit, noise: NoiseModel | None, x: np.ndarray, shots: int) -> Runner:
    exact = runner(circuit, noise, x)
    sampler = ShotSampler(circuit, noise, shots, dtype="float64")
    return Runner(exact.program, exact.inputs, sampler, sampler.program.encode(x))


def everything(theta: torch.Tensor, n_samples: int) -> torch.Tensor:
    """The index by which every training looks at every sample."""
    return torch.arange(n_samples).expand(len(theta), -1)


def estimate(
    method: Gradient,
    run: Runner,
    theta: torch.Tensor,
    weights: torch.Tensor,
    rngs: Sequence[np.random.Generator] = (),
) -> np.ndarray:
    """Gradient ``(T, P)`` of the weighted sum of expectations."""
    _, pull = method.evaluate(run, theta, everything(theta, weights.shape[1]), rngs)
    return pull(weights).numpy()


def numbers(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Parameters, and weights ``(T, B, wire)`` of the expectations."""
    shape = (len(case.theta), len(case.features), case.circuit.n_qubits)
    weights = np.random.default_rng(0).normal(size=shape)
    return torch.as_tensor(case.theta), torch.as_tensor(weights)


def layered(n: int = 3) -> Circuit:
    """RX encoding, a layer of RY and a ring of CRX, each parameter once."""
    return Circuit(
        n,
        (
            *(Operation("RX", (w,), (Feature((w,)),)) for w in range(n)),
            *(Operation("RY", (w,), (Parameter(w),)) for w in range(n)),
            *(Operation("CRX", (w, (w + 1) % n), (Parameter(n + w),)) for w in range(n)),
        ),
    )


class TestExact:
    @given(
        cases(circuits(most_qubits=4, most_operations=8)),
        st.one_of(st.none(), noise_models()),
    )
    @settings(max_examples=60)
    def test_as_differences_of_the_reference(self, case: Case, noise: NoiseModel | None):
        program = compile_circuit(case.circuit, noise, case.observables, dtype="float64")
        theta = torch.as_tensor(case.theta).requires_grad_()
        out = program.expectations(theta, program.encode(case.features))
        weights = np.random.default_rng(0).normal(size=tuple(out.shape))
        (out * torch.as_tensor(weights)).sum().backward()
        assert theta.grad is not None
        for p in range(case.circuit.n_parameters):
            slope = 0
            for sign in (1, -1):
                moved = case.theta.copy()
                moved[:, p] += sign * STEP
                shifted = Case(
                    circuit=case.circuit,
                    features=case.features,
                    theta=moved,
                    observables=case.observables,
                )
                slope += sign * shifted.reference(noise) / (2 * STEP)
            expected = (slope * weights).sum((1, 2))
            np.testing.assert_allclose(theta.grad[:, p], expected, rtol=0, atol=DIFFERENCES)

    @given(
        cases(circuits(most_qubits=4), n_samples=3),
        st.one_of(st.none(), noise_models()),
        st.sampled_from(["pauli", "statevector"]),
        st.booleans(),
    )
    @settings(max_examples=60)
    def test_gradcheck(
        self, case: Case, noise: NoiseModel | None, method: Method, with_index: bool
    ):
        assume(case.circuit.n_parameters)  # gradcheck wants something to move
        noise = noise if method == "pauli" else None
        program = compile_circuit(
            case.circuit, noise, case.observables, dtype="float64", method=method
        )
        inputs = program.encode(case.features)
        theta = torch.as_tensor(case.theta).requires_grad_()
        index = torch.tensor([[0, 2, 0, 1], [1, 1, 2, 0]]) if with_index else None
        assert torch.autograd.gradcheck(
            lambda t: program.expectations(t, inputs, index), (theta,), atol=1e-7
        )

    @given(
        cases(circuits(most_qubits=3, most_operations=5, reuploads=True)),
        st.one_of(st.none(), noise_models()),
        st.booleans(),
    )
    @settings(max_examples=30)
    def test_gradcheck_when_reuploading(
        self, case: Case, noise: NoiseModel | None, with_index: bool
    ):
        program = compile_circuit(case.circuit, noise, case.observables, dtype="float64")
        inputs = program.encode(case.features)
        theta = torch.as_tensor(case.theta).requires_grad_()
        index = torch.tensor([[0, 1, 0], [1, 1, 1]]) if with_index else None
        assert torch.autograd.gradcheck(
            lambda t: program.expectations(t, inputs, index), (theta,), atol=1e-7
        )

    @given(cases(circuits(most_qubits=5), n_trainings=3))
    @settings(max_examples=40)
    def test_both_methods_agree(self, case: Case):
        theta = torch.as_tensor(case.theta)
        results = []
        methods: tuple[Method, ...] = ("pauli", "statevector")
        for method in methods:
            program = compile_circuit(
                case.circuit, None, case.observables, dtype="float64", method=method
            )
            out, tape = program.forward(theta, program.encode(case.features), keep=True)
            weights = np.random.default_rng(0).normal(size=tuple(out.shape))
            results.append(program.backward(tape, torch.as_tensor(weights)))
        np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-11)

    @pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
    def test_trainings_do_not_mix(self, noise: NoiseModel | None):
        rng = np.random.default_rng(1)
        run = runner(layered(), noise, rng.uniform(0, 3, (4, 3)))
        theta = torch.as_tensor(rng.uniform(0, 6, (5, 6)))
        weights = torch.as_tensor(rng.normal(size=(5, 4, 3)))
        together = estimate(Exact(), run, theta, weights)
        for t in range(5):
            alone = estimate(Exact(), run, theta[t : t + 1], weights[t : t + 1])
            np.testing.assert_allclose(alone[0], together[t], rtol=0, atol=EXACT)

    def test_float32_gradient(self):
        rng = np.random.default_rng(2)
        x, theta = rng.uniform(0, 3, (4, 3)), rng.uniform(0, 6, (2, 6)).astype(np.float32)
        grads = []
        for dtype in ("float32", "float64"):
            program = compile_circuit(layered(), ad_dep(0.05), dtype=dtype)
            t = torch.as_tensor(theta).to(program.dtype).requires_grad_()
            program.expectations(t, program.encode(x)).sum().backward()
            assert t.grad is not None
            grads.append(t.grad)
        # A sum of 12 expectations, each to 1e-6.
        np.testing.assert_allclose(grads[0], grads[1], rtol=0, atol=12e-6)

    def test_a_slot_outside_the_cone_beside_a_large_one(self):
        """The gradient of what no observable sees is zero, whatever sizes its neighbours have."""
        circuit = Circuit(
            5,
            (
                Operation("UNITARY", (0, 1, 2), matrix=tuple(map(tuple, np.eye(8)))),
                Operation("RX", (1,), (Parameter(0),)),
                Operation("CX", (1, 2)),
                Operation("RX", (3,), (Parameter(1),)),
                Operation("CX", (3, 4)),
            ),
        )
        for method in ("pauli", "statevector"):
            program = compile_circuit(circuit, None, ["IZIII"], dtype="float64", method=method)
            theta = torch.full((1, 2), 0.3, dtype=torch.float64, requires_grad=True)
            program.expectations(theta, program.encode(np.zeros((1, 0)))).sum().backward()
            assert theta.grad is not None
            expected = [[-np.sin(0.3), 0.0]]
            np.testing.assert_allclose(theta.grad, expected, rtol=0, atol=EXACT)


class TestParameterShift:
    @pytest.mark.parametrize("noise", [None, ad_dep(0.1), NoiseModel(over_rotation=0.13)])
    @pytest.mark.parametrize("name", ONE_ANGLE)
    def test_every_gate(self, name: str, noise: NoiseModel | None):
        n = GATES[name].n_wires
        frame = [Operation("U", (w,), (0.4 + w, 0.9, -0.3)) for w in range(n)]
        gate = Operation(name, tuple(range(n)), (Parameter(0, -0.7),))
        circuit = Circuit(n, (*frame, gate, *frame))
        run = runner(circuit, noise, np.zeros((1, 0)))
        theta = torch.tensor([[0.8], [-2.9]], dtype=torch.float64)
        weights = torch.ones((2, 1, n), dtype=torch.float64)
        expected = estimate(Exact(), run, theta, weights)
        assert np.abs(expected).max() > 1e-3
        shifted = estimate(ParameterShift(), run, theta, weights)
        np.testing.assert_allclose(shifted, expected, rtol=0, atol=EXACT)

    @given(st.sampled_from(SCALES), st.integers(0, 2**32 - 1))
    @settings(max_examples=20)
    def test_general_unitary_of_three_angles(self, scale: float, seed: int):
        rng = np.random.default_rng(seed)
        angles = tuple(Parameter(i, scale) for i in range(3))
        circuit = Circuit(1, (Operation("RX", (0,), (0.7,)), Operation("U", (0,), angles)))
        run = runner(circuit, ad_dep(0.02), np.zeros((1, 0)))
        theta = torch.as_tensor(rng.uniform(-3, 3, (2, 3)))
        weights = torch.ones((2, 1, 1), dtype=torch.float64)
        np.testing.assert_allclose(
            estimate(ParameterShift(), run, theta, weights),
            estimate(Exact(), run, theta, weights),
            rtol=0,
            atol=EXACT,
        )

    def test_reuploading(self):
        first, last = (
            Operation("RY", (0,), (Parameter(0),)),
            Operation("RX", (0,), (Feature((0,)),)),
        )
        run = runner(Circuit(1, (first, last)), ad_dep(0.1), np.array([[0.3], [1.1]]))
        theta = torch.tensor([[0.4]], dtype=torch.float64)
        weights = torch.tensor([[[1.0], [-0.4]]], dtype=torch.float64)
        np.testing.assert_allclose(
            estimate(ParameterShift(), run, theta, weights),
            estimate(Exact(), run, theta, weights),
            rtol=0,
            atol=EXACT,
        )

    def test_controlled_rotations_take_four_terms(self):
        one = Circuit(2, (Operation("RXX", (0, 1), (Parameter(0),)),))
        expected = [(0.5, np.pi / 2), (-0.5, 3 * np.pi / 2)]
        np.testing.assert_allclose(shift_rules(one)[0], expected, rtol=0, atol=EXACT)
        (rule,) = shift_rules(Circuit(2, (Operation("CRX", (0, 1), (Parameter(0),)),)))
        assert len(rule) == 4
        # What arXiv 2107.12390 gives for frequencies 1/2 and 1, in the form of Anselmetti et al.
        # (arXiv 2104.05695): shifts +-pi/2 and +-3 pi/2, weights (sqrt(2) +- 1) / (4 sqrt(2)).
        wanted = {
            np.pi / 2: (np.sqrt(2) + 1) / (4 * np.sqrt(2)),
            3 * np.pi / 2: -(np.sqrt(2) - 1) / (4 * np.sqrt(2)),
        }
        for weight, shift in rule:
            near = (shift + 2 * np.pi) % (4 * np.pi) - 2 * np.pi
            expected = np.sign(near) * wanted[min(wanted, key=lambda s: abs(s - abs(near)))]
            assert weight == pytest.approx(expected, abs=1e-14)

    @pytest.mark.parametrize("name", ONE_ANGLE)
    def test_rules_differentiate_every_frequency_of_the_gate(self, name: str):
        (rule,) = shift_rules(
            Circuit(2, (Operation(name, tuple(range(GATES[name].n_wires)), (Parameter(0, 1.7),)),))
        )
        for frequency in GATES[name].frequencies:
            rate = 1.7 * frequency
            slope = sum(weight * np.sin(rate * (0.3 + shift)) for weight, shift in rule)
            assert slope == pytest.approx(rate * np.cos(rate * 0.3), abs=1e-13)
        assert sum(weight for weight, _ in rule) == pytest.approx(0, abs=1e-14)

    def test_unused_and_still_parameters_have_gradient_zero(self):
        gates = (
            Operation("RX", (0,), (Parameter(2),)),
            Operation("RY", (0,), (Parameter(0, 0.0),)),
        )
        run = runner(Circuit(1, gates), None, np.zeros((1, 0)))
        theta = torch.full((1, 3), 0.5, dtype=torch.float64)
        grad = estimate(ParameterShift(), run, theta, torch.ones((1, 1, 1), dtype=torch.float64))
        np.testing.assert_allclose(grad, [[0, 0, -np.sin(0.5)]], rtol=0, atol=EXACT)

    def test_no_parameters(self):
        run = runner(Circuit(1, (Operation("H", (0,)),)), None, np.zeros((1, 0)))
        theta = torch.zeros((2, 0), dtype=torch.float64)
        for method in (ParameterShift(), Exact(), SPSA()):
            rngs = [np.random.default_rng(t) for t in range(2)]
            weights = torch.ones((2, 1, 1), dtype=torch.float64)
            assert estimate(method, run, theta, weights, rngs).shape == (2, 0)

    def test_a_shared_parameter_is_refused(self):
        gate = Operation("RX", (0,), (Parameter(0),))
        with pytest.raises(InvalidArgument, match=r"parameter 0 in two.*gradient exact or spsa"):
            shift_rules(Circuit(1, (gate, gate)))


class EverySign:
    """In place of a random generator: all sign vectors, one per direction."""

    def integers(self, low: int, high: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        assert (low, high) == (0, 2)
        signs = np.array(list(itertools.product((0, 1), repeat=shape[-1])), dtype=dtype)
        assert len(signs) == shape[0]
        return np.broadcast_to(signs.reshape(len(signs), *[1] * (len(shape) - 2), -1), shape)


class TestSPSA:
    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
    def test_mean_over_all_directions_is_the_gradient(self, noise: NoiseModel | None, shared: bool):
        rng = np.random.default_rng(3)
        run = runner(layered(2), noise, rng.uniform(0, 3, (3, 2)))
        theta = torch.as_tensor(rng.uniform(0, 6, (2, 4)))
        weights = torch.as_tensor(rng.normal(size=(2, 3, 2)))
        method = SPSA(step=1e-4, directions=2**4, shared=shared)
        signs: list = [EverySign(), EverySign()]
        # The bias is of order step**2.
        np.testing.assert_allclose(
            estimate(method, run, theta, weights, signs),
            estimate(Exact(), run, theta, weights),
            rtol=0,
            atol=1e-6,
        )

    @pytest.mark.parametrize("shared", [True, False])
    def test_unbiased_with_shots(self, shared: bool):
        rng = np.random.default_rng(4)
        x = rng.uniform(0, 3, (2, 2))
        run = shot_runner(layered(2), ad_dep(0.05), x, shots=100)
        theta = torch.as_tensor(rng.uniform(0, 6, (1, 4)))
        weights = torch.as_tensor(rng.normal(size=(1, 2, 2)))
        method = SPSA(step=0.05, directions=4, shared=shared)
        drawn = np.array([estimate(method, run, theta, weights, [rng])[0] for _ in range(300)])
        error = drawn.std(axis=0) / np.sqrt(len(drawn))
        exact = estimate(Exact(), run, theta, weights)[0]
        assert (np.abs(drawn.mean(axis=0) - exact) < 5 * error + 1e-3).all()

    @pytest.mark.parametrize("method", [SPSA(directions=3), SPSA(shared=False), ParameterShift()])
    def test_streams_do_not_depend_on_the_company(self, method: Gradient):
        rng = np.random.default_rng(5)
        run = shot_runner(layered(2), ad_dep(0.05), rng.uniform(0, 3, (3, 2)), shots=50)
        theta = torch.as_tensor(rng.uniform(0, 6, (4, 4)))
        weights = torch.as_tensor(rng.normal(size=(4, 3, 2)))
        rngs = [np.random.default_rng([9, t]) for t in range(4)]
        together = estimate(method, run, theta, weights, rngs)
        for t in range(4):
            alone = estimate(
                method, run, theta[t : t + 1], weights[t : t + 1], [np.random.default_rng([9, t])]
            )
            np.testing.assert_allclose(alone[0], together[t], rtol=0, atol=1e-9)

    def test_directions_differ_between_trainings_and_samples(self):
        run = runner(layered(2), None, np.zeros((1, 2)))
        theta = torch.zeros((3, 4), dtype=torch.float64)
        rngs = [np.random.default_rng(t) for t in range(3)]
        drawn = SPSA(directions=8)._signs(theta, rngs, (5,))
        assert drawn.shape == (8, 3, 5, 4)
        assert set(drawn.unique().tolist()) == {-1.0, 1.0}
        assert not torch.equal(drawn[:, 0], drawn[:, 1])
        assert run.program.n_parameters == 4

    def test_pennylane_default(self):
        assert SPSA.pennylane_default() == SPSA(step=1e-5, directions=1, shared=True)
        assert gradient_named("spsa-pennylane") == SPSA.pennylane_default()

    @pytest.mark.parametrize(
        "wrong", [{"step": 0}, {"step": -1}, {"step": float("nan")}, {"directions": 0}]
    )
    def test_bad_settings(self, wrong: dict):
        with pytest.raises(InvalidArgument, match="positive step and 1 or more directions"):
            SPSA(**wrong)


class TestSignalToNoise:
    def test_ordering(self):
        """PennyLane's default step with shots is noise; larger steps and exact values are not."""
        rng = np.random.default_rng(6)
        x = rng.uniform(0, 3, (4, 3))
        theta = torch.as_tensor(rng.uniform(0, 6, (1, 6)))
        weights = torch.as_tensor(rng.normal(size=(1, 4, 3)))
        shots = shot_runner(layered(), ad_dep(0.05), x, shots=1000)
        exact = runner(layered(), ad_dep(0.05), x)

        def ratio(method: Gradient, run: Runner) -> float:
            return signal_to_noise(
                method, run, theta, everything(theta, 4), weights, rng=np.random.default_rng(0)
            )

        tiny = ratio(SPSA.pennylane_default(), shots)
        small, large = ratio(SPSA(step=0.01), shots), ratio(SPSA(step=0.2), shots)
        assert tiny < 0.01 < small < large
        assert large < ratio(SPSA(step=0.2, directions=32), shots)
        assert large < ratio(ParameterShift(), shots)
        assert ratio(ParameterShift(), exact) > 1e9
        assert ratio(Exact(), exact) == float("inf")


def test_methods_by_name():
    assert gradient_named("exact") == Exact()
    assert gradient_named("parameter-shift") == ParameterShift()
    assert [gradient_named(n).takes_shots for n in ("exact", "parameter-shift", "spsa")] == [
        False,
        True,
        True,
    ]
    with pytest.raises(InvalidArgument, match="exact, parameter-shift, spsa, spsa-pennylane"):
        gradient_named("adjoint")


def test_readout_error_scales_the_gradient():
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 3, (2, 3))
    theta = torch.as_tensor(rng.uniform(0, 6, (1, 6)))
    weights = torch.as_tensor(rng.normal(size=(1, 2, 3)))
    clean = estimate(Exact(), runner(layered(), None, x), theta, weights)
    readout = NoiseModel(readout=ReadoutError(0.1, 0.05))
    read = estimate(Exact(), runner(layered(), readout, x), theta, weights)
    np.testing.assert_allclose(read, 0.85 * clean, rtol=0, atol=EXACT)
    assert reference.expectations(layered(), x[0], theta[0].numpy()).shape == (3,)
