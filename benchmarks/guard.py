"""What a guard costs: the guarded call against the plain one, on a batch of 1000 samples of 16.

The functions are an elementwise one in numpy (the least that an encoder does), a linear layer of
torch, and QNodes of PennyLane on one sample of 4 features and on a thousand; the circuit of Qiskit
has 16 parameters. What `guarding` costs is that of a call within the block and, apart, of opening
and closing one. Peers alternate and medians are printed, in microseconds.

    python benchmarks/guard.py [--rounds 200]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from bezoar.guard import Limits, check, guard, guard_module, guarding

SAMPLES, FEATURES = 1000, 16

Pair = tuple[Callable[[], Any], Callable[[], Any]]


def functions(rng: np.random.Generator) -> dict[str, Pair]:
    x = rng.uniform(-3, 3, size=(SAMPLES, FEATURES))
    angles, amplitudes = Limits.angle(FEATURES), Limits.amplitude(4)

    def half(x: Any) -> Any:
        return np.cos(x / 2)

    angle, amplitude = guard(angles)(half), guard(amplitudes)(half)
    layer, guarded = torch.nn.Linear(FEATURES, 64), torch.nn.Linear(FEATURES, 64)
    guard_module(guarded, angles)
    batch = torch.from_numpy(x.astype(np.float32))
    return {
        "check, angles (against nothing)": (lambda: None, lambda: check(x, angles)),
        "check, amplitudes (against nothing)": (lambda: None, lambda: check(x, amplitudes)),
        "cos of (1000, 16), angles": (lambda: half(x), lambda: angle(x)),
        "cos of (1000, 16), amplitudes": (lambda: half(x), lambda: amplitude(x)),
        "torch Linear(16, 64) of (1000, 16)": (lambda: layer(batch), lambda: guarded(batch)),
    }


def circuits(rng: np.random.Generator) -> dict[str, Pair]:
    @qml.qnode(qml.device("default.qubit", wires=4))
    def circuit(x: Any) -> Any:
        qml.AngleEmbedding(x, wires=range(4))
        for wire in range(4):
            qml.CNOT(wires=[wire, (wire + 1) % 4])
        return qml.expval(qml.Z(0))

    guarded = guard(Limits.angle(4))(circuit)
    one, batch = rng.uniform(-3, 3, 4), rng.uniform(-3, 3, (SAMPLES, 4))
    vector = ParameterVector("x", FEATURES)
    bound = QuantumCircuit(FEATURES)
    for wire, angle in enumerate(vector):
        bound.rx(angle, wire)
    values = rng.uniform(-3, 3, FEATURES)

    def assign() -> Any:
        return bound.assign_parameters(values)

    def block() -> None:
        with guarding():
            pass

    return {
        "QNode, 4 qubits, one sample": (lambda: circuit(one), lambda: guarded(one)),
        "QNode, 4 qubits, 1000 samples": (lambda: circuit(batch), lambda: guarded(batch)),
        "QNode, one sample, in guarding()": (lambda: circuit(one), lambda: circuit(one)),
        "assign_parameters of 16, in guarding()": (assign, assign),
        "a block of guarding() (against nothing)": (lambda: None, block),
    }


def medians(pair: Pair, rounds: int, *, inside: bool) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    blocks = (contextlib.nullcontext, guarding if inside else contextlib.nullcontext)
    for call in pair:
        call()
    for _ in range(rounds):
        for call, block, found in zip(pair, blocks, times, strict=True):
            with block():
                start = time.perf_counter()
                call()
                found.append(time.perf_counter() - start)
    plain, guarded = (statistics.median(found) * 1e6 for found in times)
    return plain, guarded


def main() -> None:
    parser = argparse.ArgumentParser(description="What a guard costs.")
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    print(f"{'':40}{'plain':>10}{'guarded':>10}{'ratio':>8}{'added':>8}")
    for name, pair in {**functions(rng), **circuits(rng)}.items():
        plain, guarded = medians(pair, rounds, inside=name.endswith("in guarding()"))
        ratio = f"{guarded / plain:8.2f}" if plain > 1 else f"{'-':>8}"
        print(f"{name:40}{plain:10.1f}{guarded:10.1f}{ratio}{guarded - plain:8.1f}")


if __name__ == "__main__":
    main()
