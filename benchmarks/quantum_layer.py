"""Time of one forward and backward pass of the quantum layer, against PennyLane and TensorCircuit.

H and RY(x) on every qubit, then layers of a ring of CNOTs and RY, Z of every qubit; gradients to
inputs and weights from a given gradient of the outputs. All peers run in this process on one core;
times are CPU time; peers alternate, each for about as long a turn, and medians are printed. Outputs
and gradients are compared before anything is timed.

    python benchmarks/quantum_layer.py [--qubits 10] [--layers 6] [--batches 64,32] [--rounds 15]
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import torch

from bezoar.models.quantum_layer import QuantumLayer

Results = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Outputs ``(sample, qubit)``, gradients of the inputs and of the weights."""
OURS = "bezoar"
TURN = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Inputs ``(sample, qubit)``, weights ``(layer, qubit)`` and the gradient of the outputs."""

    x: np.ndarray
    weights: np.ndarray
    grad: np.ndarray

    @property
    def n_qubits(self) -> int:
        """As many as inputs."""
        return self.x.shape[1]


def problem_of(n_qubits: int, n_layers: int, batch: int) -> Problem:
    rng = np.random.default_rng(0)
    return Problem(
        x=rng.uniform(-np.pi / 2, np.pi / 2, (batch, n_qubits)).astype(np.float32),
        weights=rng.normal(0, 1.5, (n_layers, n_qubits)).astype(np.float32),
        grad=(rng.normal(size=(batch, n_qubits)) / batch).astype(np.float32),
    )


def bezoar_step(problem: Problem, dtype: torch.dtype = torch.float32) -> Callable[[], Results]:
    layer = QuantumLayer(problem.n_qubits, n_layers=len(problem.weights)).to(dtype)
    with torch.no_grad():
        layer.weights.copy_(torch.from_numpy(problem.weights))
    return torch_step(lambda x, _: layer(x), problem, layer.weights, dtype)


def pennylane_step(problem: Problem) -> Callable[[], Results]:
    import pennylane as qml

    n = problem.n_qubits
    device = qml.device("default.qubit", wires=n)

    @qml.qnode(device, interface="torch", diff_method="backprop")
    def node(x: Any, weights: Any) -> Any:
        for wire in range(n):
            qml.Hadamard(wires=wire)
            qml.RY(x[:, wire], wires=wire)
        for layer in weights:
            for wire in range(n):
                qml.CNOT(wires=[wire, (wire + 1) % n])
            for wire in range(n):
                qml.RY(layer[wire], wires=wire)
        return [qml.expval(qml.PauliZ(wire)) for wire in range(n)]

    weights = torch.tensor(problem.weights, requires_grad=True)
    return torch_step(lambda x, w: torch.stack(node(x, w), dim=1), problem, weights)


def torch_step(
    run: Callable[[Any, Any], Any],
    problem: Problem,
    weights: torch.Tensor,
    dtype: torch.dtype = torch.float32,
) -> Callable[[], Results]:
    x = torch.tensor(problem.x, dtype=dtype, requires_grad=True)
    grad = torch.tensor(problem.grad, dtype=dtype)

    def step() -> Results:
        out = run(x, weights)
        d_x, d_weights = torch.autograd.grad(out, (x, weights), grad.to(out.dtype))
        return out.detach().numpy(), d_x.numpy(), d_weights.numpy()

    return step


def tensorcircuit_step(problem: Problem, *, from_state: bool) -> Callable[[], Results]:
    """`from_state` takes all Z from the state's probabilities, else each is contracted."""
    jax, jnp, tc = map(importlib.import_module, ("jax", "jax.numpy", "tensorcircuit"))

    tc.set_backend("jax")
    tc.set_dtype("complex64")
    n = problem.n_qubits
    bits = (np.arange(2**n) >> np.arange(n)[::-1, None]) & 1
    signs = jnp.asarray(1 - 2 * bits, jnp.float32)

    def outputs(x: Any, weights: Any) -> Any:
        c = tc.Circuit(n)
        for wire in range(n):
            c.h(wire)
            c.ry(wire, theta=x[wire])
        for layer in range(len(problem.weights)):
            for wire in range(n):
                c.cnot(wire, (wire + 1) % n)
            for wire in range(n):
                c.ry(wire, theta=weights[layer, wire])
        if from_state:
            return signs @ jnp.abs(c.state()) ** 2
        return jnp.stack([jnp.real(c.expectation_ps(z=[wire])) for wire in range(n)])

    def both(x: Any, weights: Any, grad: Any) -> Any:
        out, pull = jax.vjp(jax.vmap(outputs, (0, None)), x, weights)
        return out, *pull(grad)

    compiled = jax.jit(both)
    given = [jnp.asarray(a) for a in (problem.x, problem.weights, problem.grad)]

    def step() -> Results:
        out, d_x, d_weights = jax.block_until_ready(compiled(*given))
        return np.asarray(out), np.asarray(d_x), np.asarray(d_weights)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--qubits", type=int, default=10)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--batches", default="64,32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--without", default="", help="peers to leave out: pennylane,tensorcircuit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for batch in map(int, options.batches.split(",")):
        problem = problem_of(options.qubits, options.layers, batch)
        steps = {OURS: bezoar_step(problem)}
        if "pennylane" not in options.without:
            steps["PennyLane default.qubit backprop"] = pennylane_step(problem)
        if "tensorcircuit" not in options.without:
            steps["TensorCircuit-NG, Z from the state"] = tensorcircuit_step(
                problem, from_state=True
            )
            steps["TensorCircuit-NG, Z contracted"] = tensorcircuit_step(problem, from_state=False)
        print(f"{options.qubits} qubits, {options.layers} layers, batch {batch}")
        # The first call of each, which compiles where a peer compiles, is compared and not timed.
        compare({name: step() for name, step in steps.items()}, bezoar_step(problem, torch.float64))
        times: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(options.rounds):
            for name, step in steps.items():
                times[name].append(turn(step))
        report({name: statistics.median(values) for name, values in times.items()})


def turn(step: Callable[[], Results]) -> float:
    """CPU seconds of one step, in a turn of at least `TURN` seconds."""
    start = time.process_time()
    for count in itertools.count(1):
        step()
        spent = time.process_time() - start
        if spent >= TURN:
            return spent / count
    raise AssertionError


def compare(results: dict[str, Results], double: Callable[[], Results]) -> None:
    exact = double()
    print("  largest difference from bezoar in float64: outputs, gradients of inputs, of weights")
    for name, result in results.items():
        gaps = [float(np.abs(a - b).max()) for a, b in zip(result, exact, strict=True)]
        print(f"  {name:36s}" + "".join(f" {gap:9.1e}" for gap in gaps))


def report(medians: dict[str, float]) -> None:
    print("  CPU milliseconds for forward and backward, median, and ratio to bezoar")
    for name, value in medians.items():
        print(f"  {name:36s} {1e3 * value:9.2f} {value / medians[OURS]:9.1f} x")


if __name__ == "__main__":
    main()
