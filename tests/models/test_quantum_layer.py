"""The quantum layer: against PennyLane and the reference engine, and as a layer of torch."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.models.quantum_layer import QuantumLayer, entangler_pairs
from bezoar.quantum.adapters.openqasm import to_openqasm
from bezoar.quantum.engines import reference
from bezoar.quantum.noise import NoiseModel, ReadoutError, ad_dep

# A few dozen products of 2**10 amplitudes in float32; gradients of a mean over the batch.
SINGLE = 1e-6
DOUBLE = 1e-12


def inputs(layer: QuantumLayer, batch: int = 4, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    rng = np.random.default_rng(5)
    x = rng.uniform(-np.pi / 2, np.pi / 2, (batch, layer.n_features))
    return torch.as_tensor(x, dtype=dtype).requires_grad_()


def gradients(out: torch.Tensor, *sources: torch.Tensor) -> tuple[torch.Tensor, ...]:
    rng = np.random.default_rng(6)
    grad = torch.as_tensor(rng.normal(size=tuple(out.shape)) / len(out), dtype=out.dtype)
    return torch.autograd.grad(out, sources, grad)


def by_reference(layer: QuantumLayer, x: torch.Tensor) -> np.ndarray:
    theta = layer.weights.detach().double().numpy().ravel()
    rows = x.detach().double().numpy()
    return np.array([reference.expectations(layer.circuit(), r, theta, layer.noise) for r in rows])


def pennylane_node(n: int, entangler: str, encoding: str):
    """Written out by hand: rings and bricks as the documentation of the layer has them."""
    bricks = [(w, w + 1) for w in (*range(0, n - 1, 2), *range(1, n - 1, 2))]
    ring = [(w, (w + 1) % n) for w in range(n)] if n > 1 else []
    pairs = {"ring": ring, "chain": bricks}[entangler]

    @qml.qnode(qml.device("default.qubit", wires=n), interface="torch", diff_method="backprop")
    def node(x: Any, weights: Any):
        for wire in range(n):
            if encoding == "h-ry":
                qml.Hadamard(wires=wire)
            if encoding == "angle":
                qml.RX(x[:, 2 * wire], wires=wire)
                qml.RZ(x[:, 2 * wire + 1], wires=wire)
            else:
                qml.RY(x[:, wire], wires=wire)
        for layer in weights:
            for pair in pairs:
                qml.CNOT(wires=pair)
            for wire in range(n):
                qml.RY(layer[wire], wires=wire)
        return [qml.expval(qml.PauliZ(wire)) for wire in range(n)]

    return lambda x, weights: torch.stack(node(x, weights), dim=1)


CASES = list(itertools.product((1, 2, 3, 6), ("ring", "chain"), ("h-ry", "ry", "angle")))


@pytest.mark.parametrize(("n", "entangler", "encoding"), CASES)
def test_as_pennylane(n: int, entangler: Any, encoding: str):
    layer = QuantumLayer(n, n_layers=2, entangler=entangler, encoding=encoding).double()
    x = inputs(layer)
    out = layer(x)
    theirs = pennylane_node(n, entangler, encoding)(x, layer.weights)
    torch.testing.assert_close(out, theirs, rtol=0, atol=DOUBLE)
    ours = gradients(out, x, layer.weights)
    torch.testing.assert_close(ours, gradients(theirs, x, layer.weights), rtol=0, atol=DOUBLE)


def test_ring_is_that_of_strongly_entangling_layers():
    n, layer = 3, QuantumLayer(3, n_layers=1).double()

    @qml.qnode(qml.device("default.qubit", wires=n))
    def node(x: np.ndarray):
        for wire in range(n):
            qml.Hadamard(wires=wire)
            qml.RY(x[wire], wires=wire)
        # No rotations, then its ring; the trained RY follow in ours.
        qml.StronglyEntanglingLayers(np.zeros((1, n, 3)), range(n), ranges=[1])
        for wire, angle in enumerate(layer.weights.detach().numpy()[0]):
            qml.RY(angle, wires=wire)
        return [qml.expval(qml.PauliZ(wire)) for wire in range(n)]

    x = inputs(layer, 1).detach()
    theirs = np.array(node(x[0].numpy()))
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), theirs, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("entangler", ["ring", "chain"])
def test_single_precision_at_the_papers_size(entangler: Any):
    layer = QuantumLayer(10, entangler=entangler)
    double = copy.deepcopy(layer).double()
    x = inputs(layer, 16, torch.float32)
    out, exact = layer(x), double(x.double())
    torch.testing.assert_close(out.double(), exact, rtol=0, atol=SINGLE)
    ours = gradients(out, x, layer.weights)
    wide = x.detach().double().requires_grad_()
    theirs = gradients(double(wide), wide, double.weights)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=SINGLE)
    np.testing.assert_allclose(
        pennylane_node(10, entangler, "h-ry")(x[:2], layer.weights).detach().numpy(),
        exact[:2].detach().numpy(),
        rtol=0,
        atol=SINGLE,
    )


@pytest.mark.parametrize("noise", ["none", "ad-dep:0.05", "readout:0.1"])
@pytest.mark.parametrize("encoding", ["h-ry", "ry", "angle"])
def test_as_reference_with_noise(encoding: str, noise: str):
    layer = QuantumLayer(3, n_layers=2, encoding=encoding, noise=noise).double()
    x = inputs(layer)
    out = layer(x).detach().numpy()
    np.testing.assert_allclose(out, by_reference(layer, x), rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("noise", [None, "ad-dep:0.05"])
@pytest.mark.parametrize("encoding", ["h-ry", "angle"])
def test_gradcheck(encoding: str, noise: str | None):
    layer = QuantumLayer(3, n_layers=2, encoding=encoding, noise=noise).double()

    def run(x: torch.Tensor, weights: torch.Tensor):
        return torch.func.functional_call(layer, {"weights": weights}, (x,))

    assert torch.autograd.gradcheck(run, (inputs(layer, 2), layer.weights))


def test_noise_that_vanishes():
    """As p falls, outputs approach the noiseless ones in proportion; at 0 they are those."""
    quiet = QuantumLayer(4).double()
    x = inputs(quiet)
    gaps = []
    for p in (1e-3, 1e-6):
        noisy = QuantumLayer(4, noise=ad_dep(p)).double()
        gaps.append((noisy(x) - quiet(x)).abs().max().item())
    assert gaps[0] < 0.2
    assert gaps[1] == pytest.approx(gaps[0] / 1000, rel=0.1)  # first order in p
    assert torch.equal(QuantumLayer(4, noise=ad_dep(0.0)).double()(x), quiet(x))


class TestShots:
    def test_errors_fall_as_one_over_the_root(self):
        exact = QuantumLayer(3)
        x = inputs(exact, 400, torch.float32).detach()
        z = exact(x)
        for shots in (100, 10_000):
            errors = (QuantumLayer(3, shots=shots)(x) - z) * math.sqrt(shots)
            # Variance 1 - Z^2 per output; 400 samples of 3 give it to about 6 %.
            wanted = (1 - z.square()).mean().item()
            assert errors.square().mean().item() == pytest.approx(wanted, rel=0.25)

    @pytest.mark.parametrize("n", [3, 7])
    def test_with_noise(self, n: int):
        """Whole bit strings below 7 qubits, the normal distribution from there on."""
        noise = "ad-dep:0.02"
        exact = QuantumLayer(n, n_layers=1, noise=noise)
        x = inputs(exact, 200, torch.float32).detach()
        z = exact(x)
        errors = (QuantumLayer(n, n_layers=1, noise=noise, shots=2500)(x) - z) * 50
        wanted = (1 - z.square()).mean().item()
        assert errors.square().mean().item() == pytest.approx(wanted, rel=0.25)

    @pytest.mark.parametrize("noise", [None, "ad-dep:0.02"])
    def test_gradient_is_the_exact_one(self, noise: str | None):
        exact = QuantumLayer(3, noise=noise).double()
        few = QuantumLayer(3, noise=noise, shots=5).double()
        x = inputs(exact)
        ours = gradients(few(x), x, few.weights)
        wanted = gradients(exact(x), x, exact.weights)
        torch.testing.assert_close(ours, wanted, rtol=0, atol=DOUBLE)

    def test_draws_are_those_of_the_seed(self):
        x = inputs(QuantumLayer(2)).detach()
        first, second = QuantumLayer(2, shots=9, seed=3), QuantumLayer(2, shots=9, seed=3)
        a, b = first(x), first(x)
        assert not torch.equal(a, b)
        assert torch.equal(second(x), a)
        other = copy.deepcopy(second)
        assert torch.equal(other(x), b)
        assert torch.equal(second(x), b)

    def test_evaluation_draws_too(self):
        layer = QuantumLayer(2, shots=1).eval()
        assert set(layer(inputs(layer)).flatten().tolist()) <= {-1.0, 1.0}

    @pytest.mark.parametrize("noise", [None, "dep:0.1"])
    def test_nan(self, noise: str | None):
        layer = QuantumLayer(2, shots=10, noise=noise)
        x = torch.tensor([[math.nan, 0.0], [0.0, 0.0]])
        out = layer(x)
        assert out[0].isnan().any()
        assert out[1].isfinite().all()


class TestAsLayer:
    @pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3), (2, 0, 3), (2, 4, 3)])
    @pytest.mark.parametrize("noise", [None, "ad:0.1"])
    def test_leading_axes(self, shape: tuple[int, ...], noise: str | None):
        layer = QuantumLayer(3, noise=noise)
        x = torch.linspace(-1, 1, math.prod(shape)).reshape(shape).requires_grad_()
        out = layer(x)
        assert out.shape == shape
        out.sum().backward()
        assert x.grad is not None
        assert x.grad.shape == shape
        assert layer.weights.grad is not None
        flat = layer(x.reshape(-1, 3))
        torch.testing.assert_close(out, flat.reshape(shape), rtol=0, atol=SINGLE)

    def test_first_weights(self):
        layer = QuantumLayer(16, n_layers=50, seed=1)
        assert layer.weights.std().item() == pytest.approx(1.5, rel=0.1)  # 800 draws
        assert torch.equal(layer.weights, QuantumLayer(16, n_layers=50, seed=1).weights)
        assert not torch.equal(layer.weights, QuantumLayer(16, n_layers=50, seed=2).weights)
        assert not QuantumLayer(2, init_std=0).weights.any()
        state = torch.get_rng_state()
        layer.reset_parameters()
        assert torch.equal(state, torch.get_rng_state())

    def test_state_round_trip(self):
        layer, other = QuantumLayer(3, seed=1), QuantumLayer(3, seed=2)
        assert list(layer.state_dict()) == ["weights"]
        other.load_state_dict(layer.state_dict())
        x = inputs(layer, dtype=torch.float32)
        assert torch.equal(layer(x), other(x))

    def test_copies_are_apart(self):
        layer = QuantumLayer(3)
        x = inputs(layer, dtype=torch.float32)
        before = layer(x)
        other = copy.deepcopy(layer)
        with torch.no_grad():
            other.weights.add_(1)
        assert torch.equal(layer(x), before)
        assert not torch.equal(other(x), before)

    def test_training_and_evaluation_are_the_same(self):
        layer = QuantumLayer(3)
        x = inputs(layer, dtype=torch.float32)
        with torch.no_grad():
            assert torch.equal(layer.train()(x), layer.eval()(x))

    def test_frozen_weights(self):
        layer = QuantumLayer(3).requires_grad_(requires_grad=False)
        x = inputs(layer, dtype=torch.float32)
        layer(x).sum().backward()
        assert layer.weights.grad is None
        assert x.grad is not None

    def test_it_learns(self):
        """A sign of the mean of the inputs, by the layer and one linear layer."""
        rng = np.random.default_rng(0)
        x = torch.as_tensor(rng.uniform(-1, 1, (200, 3)), dtype=torch.float32)
        y = (x.sum(1) > 0).float()
        layer = QuantumLayer(3, n_layers=2)
        weight, bias = torch.zeros(3, requires_grad=True), torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.Adam([*layer.parameters(), weight, bias], lr=0.1)
        for _ in range(50):
            optimizer.zero_grad()
            logits = layer(x) @ weight + bias
            torch.nn.functional.binary_cross_entropy_with_logits(logits, y).backward()
            optimizer.step()
        right = (layer(x) @ weight + bias > 0) == (y > 0)
        assert torch.count_nonzero(right) > 180

    @pytest.mark.parametrize("noise", [None, "ad-dep:0.05"])
    def test_autocast_changes_nothing(self, noise: str | None):
        layer = QuantumLayer(4, noise=noise)
        x = inputs(layer, dtype=torch.float32)
        out = layer(x)
        wanted = gradients(out, x, layer.weights)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            within = layer(x)
            halved = layer(x.to(torch.bfloat16))
        assert within.dtype == halved.dtype == torch.float32
        assert torch.equal(within, out)
        ours = gradients(within, x, layer.weights)
        torch.testing.assert_close(ours, wanted, rtol=0, atol=SINGLE)

    def test_backward_within_autocast(self):
        layer = QuantumLayer(4)
        x = inputs(layer, dtype=torch.float32)
        wanted = gradients(layer(x), x, layer.weights)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ours = gradients(layer(x), x, layer.weights)
        torch.testing.assert_close(ours, wanted, rtol=0, atol=0)

    @pytest.mark.parametrize(
        ("of_inputs", "of_weights", "of_outputs"),
        [
            (torch.bfloat16, torch.bfloat16, torch.bfloat16),
            (torch.float16, torch.float32, torch.float32),
            (torch.float32, torch.float64, torch.float64),
            (torch.float64, torch.float32, torch.float64),
        ],
    )
    def test_precisions(
        self, of_inputs: torch.dtype, of_weights: torch.dtype, of_outputs: torch.dtype
    ):
        layer = QuantumLayer(2).to(of_weights)
        out = layer(torch.ones(2, 2, dtype=of_inputs, requires_grad=True))
        assert out.dtype == of_outputs
        out.sum().backward()
        assert layer.weights.grad is not None
        assert layer.weights.grad.dtype == of_weights

    @pytest.mark.parametrize("noise", [None, "ad:0.1"])
    def test_second_derivatives_are_refused(self, noise: str | None):
        layer = QuantumLayer(2, noise=noise).double()
        x = inputs(layer)
        (slope,) = torch.autograd.grad(layer(x).sum(), layer.weights, create_graph=True)
        with pytest.raises(InvalidArgument, match="wanted first derivatives of a quantum layer"):
            slope.sum().backward()

    def test_nan_stays_in_its_sample(self):
        layer = QuantumLayer(3)
        x = torch.tensor([[math.nan, 0.0, 0.0], [math.inf, 0.0, 0.0], [0.1, 0.2, 0.3]])
        out = layer(x)
        assert out[:2].isnan().any(1).all()
        torch.testing.assert_close(out[2], layer(x[2]), rtol=0, atol=SINGLE)

    def test_it_says_what_it_is(self):
        text = repr(QuantumLayer(3, noise="ad-dep:0.05", entangler="chain", shots=7))
        assert text == (
            "QuantumLayer(3, n_layers=6, entangler='chain', encoding='h-ry', "
            "noise='ad-dep:0.05', shots=7)"
        )

    def test_circuit_is_drawn_and_exported(self):
        layer = QuantumLayer(2, n_layers=1)
        assert layer.circuit().draw().splitlines() == [
            "0: -H-RY(x0)-*-X-RY(t0)-",
            "1: -H-RY(x1)-X-*-RY(t1)-",
        ]
        text = to_openqasm(layer.circuit(), [0.1, 0.2], layer.weights.detach().numpy().ravel())
        assert text.startswith("OPENQASM 3.0;")


class TestEntangler:
    def test_pairs(self):
        assert entangler_pairs("ring", 2) == ((0, 1), (1, 0))
        assert entangler_pairs("chain", 2) == ((0, 1),)
        assert entangler_pairs("chain", 5) == ((0, 1), (2, 3), (1, 2), (3, 4))
        assert entangler_pairs("ring", 1) == entangler_pairs("chain", 1) == ()


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"n_qubits": 0}, "n_qubits: wanted a whole number, 1 or more, got 0"),
            ({"n_qubits": 2.0}, "n_qubits: wanted a whole number"),
            ({"n_qubits": 17}, "n_qubits: wanted 1 to 16, got 17; reduce the features"),
            ({"n_qubits": 11, "noise": "ad:0.1"}, r"n_qubits: wanted 1 to 10 with noise.*got 11"),
            ({"n_layers": 0}, "n_layers: wanted a whole number, 1 or more, got 0"),
            ({"shots": 0}, "shots: wanted a whole number, 1 or more, got 0"),
            ({"init_std": -1.0}, "init_std: wanted a finite number, 0 or more, got -1.0"),
            ({"init_std": math.nan}, "init_std: wanted a finite number"),
            ({"seed": -1}, "seed: wanted a whole number, 0 or more, got -1"),
            ({"noise": "fog:0.1"}, "noise: wanted none or NAME:NUMBER"),
            ({"noise": 0.1}, "noise: wanted a NoiseModel, a name such as ad-dep:0.05, or None"),
            ({"encoding": "amplitude"}, "encoding: wanted rotations of single qubits"),
            ({"encoding": "iqp"}, "encoding: wanted rotations of single qubits"),
            ({"encoding": 3}, "encoding: wanted a name, got int"),
            (
                {"noise": NoiseModel(readout=(ReadoutError(0.1, 0.1),))},
                "noise: wanted a readout error for wire 1",
            ),
        ],
    )
    def test_settings(self, settings: dict[str, Any], message: str):
        with pytest.raises(InvalidArgument, match=message):
            QuantumLayer(**{"n_qubits": 3, **settings})

    @pytest.mark.parametrize("setting", ["entangler", "encoding"])
    def test_unknown_names(self, setting: str):
        with pytest.raises(UnknownName, match=f"{setting}: wanted one of .*got 'rign'"):
            QuantumLayer(3, **{setting: "rign"})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (torch.zeros(2, 4), r"x: wanted shape \(..., 3\), got \(2, 4\)"),
            (torch.zeros(()), r"x: wanted shape \(..., 3\), got \(\)"),
            (torch.zeros(2, 3, dtype=torch.int64), "x: wanted a tensor of floating-point numbers"),
            (torch.zeros(2, 3, dtype=torch.complex64), "x: wanted a tensor of floating-point"),
            (np.zeros((2, 3)), "x: wanted a tensor of floating-point numbers, got ndarray"),
        ],
    )
    def test_inputs(self, x: Any, message: str):
        with pytest.raises(InvalidArgument, match=message):
            QuantumLayer(3)(x)
