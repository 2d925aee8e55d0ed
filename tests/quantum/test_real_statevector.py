"""The engines of the quantum layer against the reference engine and torch's own differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.bit_strings import estimated_z
from bezoar.quantum.engines.noisy_layers import NoisyLayers
from bezoar.quantum.engines.product_encoder import ProductEncoder
from bezoar.quantum.engines.real_statevector import MOST_QUBITS, RealStateVector
from bezoar.quantum.noise import GateNoise, NoiseModel, ReadoutError, TwoQubitDepolarizing, ad_dep

# Sums of at most 2**6 products of numbers below 1, in float64.
EXACT = 1e-12
NOISY = 1e-11

Pairs = tuple[tuple[int, int], ...]


@st.composite
def problems(draw: st.DrawFn, most: int) -> tuple[int, Pairs, int]:
    """Qubits, any CX pairs, layers."""
    n = draw(st.integers(1, most))
    wires = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1])
    pairs = draw(st.lists(wires, max_size=5)) if n > 1 else []
    return n, tuple(pairs), draw(st.integers(1, 3))


def circuit_of(n: int, pairs: Pairs, layers: int) -> Circuit:
    start = [Operation("RY", (w,), (Feature((w,)),)) for w in range(n)]
    layer = Circuit(
        n,
        (
            *(Operation("CX", pair) for pair in pairs),
            *(Operation("RY", (w,), (Parameter(w),)) for w in range(n)),
        ),
    )
    return Circuit(n, tuple(start)).then(layer.repeated(layers))


def numbers(n: int, layers: int, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(n + 10 * layers)
    x = torch.as_tensor(rng.normal(0, 2, (batch, n)))
    return x.requires_grad_(), torch.as_tensor(rng.normal(0, 2, (layers, n))).requires_grad_()


def expected(circuit: Circuit, x: torch.Tensor, w: torch.Tensor, noise: NoiseModel | None = None):
    theta = w.detach().numpy().ravel()
    return np.array(
        [reference.expectations(circuit, row, theta, noise) for row in x.detach().numpy()]
    )


@given(problems(6))
@settings(max_examples=40)
def test_expectations_as_reference(problem: tuple[int, Pairs, int]):
    n, pairs, layers = problem
    x, w = numbers(n, layers)
    engine = RealStateVector(n, pairs)
    out = engine.expectations(engine.product(x.t()), w)
    wanted = expected(circuit_of(*problem), x, w)
    np.testing.assert_allclose(out.detach().numpy(), wanted, rtol=0, atol=EXACT)


@given(problems(5))
@settings(max_examples=10)
def test_gradients_as_differences(problem: tuple[int, Pairs, int]):
    n, pairs, layers = problem
    engine = RealStateVector(n, pairs)

    def run(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return engine.expectations(engine.product(x.t()), w)

    assert torch.autograd.gradcheck(run, numbers(n, layers, batch=2))


def test_states_of_one_side_only():
    """The gradient that is not asked for is not computed, and the other is the same."""
    x, w = numbers(4, 2)
    engine = RealStateVector(4, ((0, 1), (1, 2)))
    both = torch.autograd.grad(engine.expectations(engine.product(x.t()), w).sum(), (x, w))
    fixed = engine.expectations(engine.product(x.detach().t()), w)
    (weights,) = torch.autograd.grad(fixed.sum(), w)
    free = engine.expectations(engine.product(x.t()), w.detach())
    (inputs,) = torch.autograd.grad(free.sum(), x)
    torch.testing.assert_close((inputs, weights), both, rtol=0, atol=1e-15)


def test_states_keep_their_norm_at_the_most_qubits():
    engine = RealStateVector(MOST_QUBITS, tuple((w, w + 1) for w in range(MOST_QUBITS - 1)))
    states = engine.product(torch.full((MOST_QUBITS, 2), 0.7))
    norms = states.square().sum(0)
    np.testing.assert_allclose(norms.numpy(), 1, rtol=0, atol=1e-5)  # 2**16 float32 squares
    out = engine.expectations(states, torch.zeros(1, MOST_QUBITS))
    # The CX of a chain in order make Z of a wire the product of all up to it.
    wanted = math.cos(0.7) ** np.arange(1, MOST_QUBITS + 1)
    np.testing.assert_allclose(out.numpy(), [wanted] * 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [0, MOST_QUBITS + 1])
def test_number_of_qubits(n: int):
    with pytest.raises(InvalidArgument, match=f"n_qubits: wanted 1 to {MOST_QUBITS}, got {n}"):
        RealStateVector(n, ())


NOISES = {
    "damping": ad_dep(0.1),
    "damping after encoding": NoiseModel(after_gate=ad_dep(0.1).after_gate, on_encoding=False),
    "over-rotation": NoiseModel(over_rotation=0.2),
    "readout of each": NoiseModel(
        readout=(ReadoutError(0.1, 0.02), None, ReadoutError(0.0, 0.2), ReadoutError(0.3, 0.3))
    ),
    "two-qubit channels at places": NoiseModel(
        by_place=(
            GateNoise(gate="CX", wires=(1, 0), channels=((TwoQubitDepolarizing(0.2), (1, 0)),)),
            GateNoise(gate="RY", wires=(0,), channels=((ad_dep(0.3).after_gate[0], (0,)),)),
        )
    ),
}


@pytest.mark.parametrize("name", NOISES)
@given(problem=problems(4))
@settings(max_examples=8)
def test_noisy_as_reference(name: str, problem: tuple[int, Pairs, int]):
    n, _, layers = problem
    x, w = numbers(n, layers, batch=2)
    noise, circuit = NOISES[name], circuit_of(*problem)
    qubits = ProductEncoder(circuit.encoding(), noise)(x)
    out = NoisyLayers(circuit.trainable(), noise).expectations(qubits, w.reshape(-1))
    wanted = expected(circuit, x, w, noise)
    np.testing.assert_allclose(out.detach().numpy(), wanted, rtol=0, atol=NOISY)


@pytest.mark.parametrize("name", NOISES)
def test_noisy_gradients_as_differences(name: str):
    noise, pairs = NOISES[name], ((0, 1), (2, 1), (1, 0))
    circuit = circuit_of(3, pairs, 2)
    encoder, layers = (
        ProductEncoder(circuit.encoding(), noise),
        NoisyLayers(circuit.trainable(), noise),
    )

    def run(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return layers.expectations(encoder(x), w.reshape(-1))

    assert torch.autograd.gradcheck(run, numbers(3, 2, batch=2))


def test_too_many_noisy_qubits():
    with pytest.raises(InvalidArgument, match=r"1 to 10 with noise.*got 11; use fewer qubits"):
        NoisyLayers(Circuit(11, ()), ad_dep(0.1))


def test_product_encoder_gives_amplitudes():
    turns = (
        Operation("RX", (0,), (Feature((0,)),)),
        Operation("RZ", (0,), (Feature((1,), scale=0.5),)),
    )
    x = torch.tensor([[0.3, -1.1]], dtype=torch.float64)
    (amplitudes,) = ProductEncoder(Circuit(1, turns), None)(x)
    rho = torch.einsum("wi,wj->ij", amplitudes, amplitudes.conj()).numpy()
    wanted = reference.density_matrix(Circuit(1, turns), x[0].numpy())
    np.testing.assert_allclose(rho, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "operation",
    [Operation("CX", (0, 1)), Operation("RY", (0,), (Parameter(0),))],
)
def test_product_encoder_refuses(operation: Operation):
    with pytest.raises(InvalidArgument, match="encoding: wanted rotations of single qubits"):
        ProductEncoder(Circuit(2, (operation,)), None)


class TestEstimatedZ:
    def test_correlations_are_those_of_whole_strings(self):
        """Always 00 or 11, so both wires read the same in every shot."""
        bell = torch.tensor([[0.5], [0.0], [0.0], [0.5]])
        both = estimated_z(bell, 7, np.random.default_rng(1))
        assert both[0, 0] == both[0, 1]

    def test_variance_is_binomial(self):
        p = torch.tensor([0.8, 0.2]).repeat(4000, 1).t()
        out = estimated_z(p, 50, np.random.default_rng(2)).numpy()
        # Z has mean 0.6 and variance 0.64 / 50; four standard errors of each over 4000 draws.
        assert out.mean() == pytest.approx(0.6, abs=4 * math.sqrt(0.64 / 50 / 4000))
        assert out.var() == pytest.approx(0.64 / 50, rel=4 * math.sqrt(2 / 4000))

    def test_unusable_probabilities_do_not_stop_the_others(self):
        p = torch.tensor([[math.nan, 1.0], [0.0, 0.0]])
        out = estimated_z(p, 3, np.random.default_rng(0))
        assert out[1].item() == 1
