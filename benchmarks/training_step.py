"""Time of one noisy training step of the QUID work, against PennyLane and TensorCircuit-NG.

Four qubits, eight features in RX, RZ, one layer of a circuit of Sim et al. 2019, amplitude damping
and depolarising p = 0.05 after every gate, batch 32, linear layer, cross entropy, Adam. All peers
run in this process on one core; times are CPU time; peers alternate, and medians are printed.

    python benchmarks/training_step.py [--circuits 1,8,6] [--rounds 5]
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import torch

from bezoar.contracts import plugins
from bezoar.models.training import Job, TrainingSettings, train_many
from bezoar.quantum.circuit import Angle, Circuit, Feature, Parameter
from bezoar.quantum.engines.gradients import SPSA
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import ad_dep

BATCH, CLASSES, QUBITS, P = 32, 4, 4, 0.05
STEPS = 20


def circuit_of(number: int) -> Circuit:
    encoding = plugins.load("encodings", "angle")()
    ansatz = plugins.load("ansatze", f"sim-{number}")
    return encoding.circuit(2 * QUBITS, QUBITS).then(ansatz.circuit(QUBITS, 1))


def feature_of(angle: Angle) -> int:
    assert isinstance(angle, Feature)
    return angle.indices[0]


def bezoar_step(circuit: Circuit, trainings: int, **settings: Any) -> Callable[[], float]:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, np.pi, (BATCH * STEPS, 2 * QUBITS))
    y = rng.integers(0, CLASSES, len(x))
    program = compile_circuit(circuit, ad_dep(P))
    inputs = program.encode(x)
    jobs = [
        Job(train=np.arange(len(x)), labels=y, n_classes=CLASSES, seed=s) for s in range(trainings)
    ]

    def run() -> float:
        start = time.process_time()
        train_many(
            program, x, jobs, TrainingSettings(epochs=1, **settings), inputs=inputs, chunk=64
        )
        return (time.process_time() - start) / STEPS / trainings

    return run


def pennylane_step(circuit: Circuit) -> Callable[[], float]:
    import pennylane as qml

    device = qml.device("default.mixed", wires=QUBITS)

    @qml.qnode(device, interface="torch", diff_method="spsa")
    def node(x: Any, theta: Any) -> Any:
        for operation in circuit.operations:
            (angle,) = operation.angles
            value = theta[angle.index] if isinstance(angle, Parameter) else x[:, feature_of(angle)]
            getattr(qml, operation.gate)(value, wires=operation.wires)
            for wire in operation.wires:
                qml.AmplitudeDamping(P, wires=wire)
            for wire in operation.wires:
                qml.DepolarizingChannel(P, wires=wire)
        return [qml.expval(qml.PauliZ(w)) for w in range(QUBITS)]

    x = torch.rand(BATCH, 2 * QUBITS, dtype=torch.float64) * np.pi
    y = torch.randint(0, CLASSES, (BATCH,))
    theta = torch.rand(circuit.n_parameters, dtype=torch.float64, requires_grad=True)
    layer = torch.nn.Linear(QUBITS, CLASSES).double()
    optimizer = torch.optim.Adam([theta, *layer.parameters()], lr=0.01)

    def run() -> float:
        start = time.process_time()
        optimizer.zero_grad()
        out = torch.stack(node(x, theta), dim=1)
        torch.nn.functional.cross_entropy(layer(out), y).backward()
        optimizer.step()
        return time.process_time() - start

    return run


def tensorcircuit_step(circuit: Circuit, trainings: int) -> Callable[[], float]:
    jax, jnp, tc = map(importlib.import_module, ("jax", "jax.numpy", "tensorcircuit"))

    tc.set_backend("jax")
    tc.set_dtype("complex64")

    def expectations(theta: Any, x: Any) -> Any:
        c = tc.DMCircuit(QUBITS)
        for operation in circuit.operations:
            (angle,) = operation.angles
            value = theta[angle.index] if isinstance(angle, Parameter) else x[feature_of(angle)]
            getattr(c, operation.gate.lower())(*operation.wires, theta=value)
            for wire in operation.wires:
                c.amplitudedamping(wire, gamma=P, p=1.0)
                c.depolarizing(wire, px=P / 3, py=P / 3, pz=P / 3)
        return jnp.real(jnp.stack([c.expectation((tc.gates.z(), [w])) for w in range(QUBITS)]))

    def loss(weights: Any, x: Any, y: Any) -> Any:
        out = jax.vmap(expectations, (None, 0))(weights["theta"], x)
        logs = jax.nn.log_softmax(out @ weights["weight"] + weights["bias"])
        return -jnp.take_along_axis(logs, y[:, None], 1).mean()

    def step(weights: Any, first: Any, second: Any, count: Any, x: Any, y: Any) -> Any:
        grad = jax.grad(loss)(weights, x, y)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grad)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grad)
        weights = jax.tree.map(
            lambda w, m, v: (
                w - 0.01 * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
            ),
            weights,
            first,
            second,
        )
        return weights, first, second

    many = jax.jit(jax.vmap(step, (0, 0, 0, None, 0, 0)))
    rng = np.random.default_rng(0)
    weights = {
        "theta": jnp.asarray(rng.uniform(0, 6, (trainings, circuit.n_parameters)), jnp.float32),
        "weight": jnp.asarray(rng.normal(size=(trainings, QUBITS, CLASSES)), jnp.float32),
        "bias": jnp.zeros((trainings, CLASSES)),
    }
    zeros = jax.tree.map(jnp.zeros_like, weights)
    x = jnp.asarray(rng.uniform(0, np.pi, (trainings, BATCH, 2 * QUBITS)), jnp.float32)
    y = jnp.asarray(rng.integers(0, CLASSES, (trainings, BATCH)))
    state = many(weights, zeros, zeros, 1.0, x, y)
    jax.block_until_ready(state)

    def run() -> float:
        start = time.process_time()
        state = (weights, zeros, zeros)
        steps = STEPS if trainings == 1 else 2
        for count in range(steps):
            state = many(*state, count + 1.0, x, y)
        jax.block_until_ready(state)
        return (time.process_time() - start) / steps / trainings

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--circuits", default="1,8,6")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", default="", help="peers to leave out: pennylane,tensorcircuit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for number in map(int, options.circuits.split(",")):
        circuit = circuit_of(number)
        contestants = {
            "bezoar exact, 64 trainings": bezoar_step(circuit, 64),
            "bezoar exact, 1 training": bezoar_step(circuit, 1),
            "bezoar SPSA 1000 shots, 64 trainings": bezoar_step(
                circuit, 64, gradient=SPSA(), shots=1000
            ),
        }
        if "pennylane" not in options.without:
            contestants["PennyLane default.mixed SPSA"] = pennylane_step(circuit)
        if "tensorcircuit" not in options.without:
            contestants["TensorCircuit-NG, 64 trainings"] = tensorcircuit_step(circuit, 64)
            contestants["TensorCircuit-NG, 1 training"] = tensorcircuit_step(circuit, 1)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for run in contestants.values():
            run()
        for _ in range(options.rounds):
            for name, run in contestants.items():
                times[name].append(run())
        report(number, {name: statistics.median(values) for name, values in times.items()})


def report(number: int, medians: dict[str, float]) -> None:
    print(f"circuit {number}: CPU microseconds per training step, median")
    for name, value in medians.items():
        print(f"  {name:40s} {1e6 * value:12.1f}")
    peer = medians.get("PennyLane default.mixed SPSA")
    if peer:
        for name, value in medians.items():
            print(f"  PennyLane / {name:40s} {peer / value:10.0f} x")
    for count in ("64 trainings", "1 training"):
        other = medians.get(f"TensorCircuit-NG, {count}")
        if other:
            ours = medians[f"bezoar exact, {count}"]
            print(f"  TensorCircuit-NG / bezoar at {count:20s} {other / ours:10.1f} x")


if __name__ == "__main__":
    main()
