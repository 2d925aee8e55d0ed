# ruff: noqa: F722 - axis names are strings
"""Axes of what goes in and what comes out, by name: the same name is the same size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float32, Float64, Int64, jaxtyped
from strategies import cases, circuits
from torch import Tensor

from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.engines.gradients import SPSA, Exact, Gradient, Runner
from bezoar.quantum.engines.plan import Inputs, Program, compile_circuit
from bezoar.quantum.engines.sampling import SamplerKind, ShotSampler
from bezoar.quantum.noise import NoiseModel, ad_dep


@jaxtyped(typechecker=beartype)
def forward(
    program: Program, theta: Float64[Tensor, "T P"], inputs: Inputs, index: Int64[Tensor, "T B"]
) -> tuple[Float64[Tensor, "T B M"], Any]:
    return program.forward(theta, inputs, index, keep=True)


@jaxtyped(typechecker=beartype)
def forward_all(
    program: Program,
    theta: Float64[Tensor, "T P"],
    inputs: Inputs,
    features: Float64[np.ndarray, "B d"],
) -> Float64[Tensor, "T B M"]:
    return program.forward(theta, inputs)[0]


@jaxtyped(typechecker=beartype)
def backward(
    program: Program, theta: Float64[Tensor, "T P"], tape: Any, grad: Float64[Tensor, "T B M"]
) -> Float64[Tensor, "T P"]:
    return program.backward(tape, grad)


@jaxtyped(typechecker=beartype)
def estimate(
    gradient: Any,  # a protocol, which beartype does not check
    run: Runner,
    theta: Float64[Tensor, "T P"],
    index: Int64[Tensor, "T B"],
    rngs: Sequence[np.random.Generator],
    grad: Float64[Tensor, "T B wire"],
) -> tuple[Float64[Tensor, "T B wire"], Float64[Tensor, "T P"]]:
    out, pull = gradient.evaluate(run, theta, index, rngs)
    return out, pull(grad)


@jaxtyped(typechecker=beartype)
def sample(
    sampler: ShotSampler,
    theta: Float32[Tensor, "T P"],
    inputs: Inputs,
    index: Int64[Tensor, "T B"],
    rngs: Sequence[np.random.Generator],
) -> Float32[Tensor, "T B wire"]:
    return sampler(theta, inputs, index, rngs)


@pytest.mark.parametrize("reuploads", [False, True])
@pytest.mark.parametrize("noise", [None, ad_dep(0.05)])
@given(st.data(), st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=20)
def test_program(
    reuploads: bool, noise: NoiseModel | None, data: st.DataObject, n_trainings: int, n_batch: int
):
    drawn = cases(
        circuits(most_qubits=4, reuploads=reuploads), n_samples=3, n_trainings=n_trainings
    )
    case = data.draw(drawn)
    program = compile_circuit(case.circuit, noise, case.observables, dtype="float64")
    inputs = program.encode(case.features)
    theta = torch.as_tensor(case.theta)
    out, tape = forward(
        program, theta, inputs, torch.zeros((n_trainings, n_batch), dtype=torch.int64)
    )
    assert out.shape == (n_trainings, n_batch, len(case.observables))
    backward(program, theta, tape, torch.ones_like(out))
    assert forward_all(program, theta, inputs, case.features).shape[2] == len(case.observables)


@pytest.mark.parametrize("gradient", [Exact(), SPSA(directions=2), SPSA(shared=False)])
@given(cases(circuits(most_qubits=3), n_samples=3, n_trainings=2), st.integers(1, 4))
@settings(max_examples=15)
def test_gradients(gradient: Gradient, case, n_batch: int):
    program = compile_circuit(case.circuit, None, dtype="float64")
    run = Runner(program, program.encode(case.features))
    index = torch.zeros((2, n_batch), dtype=torch.int64)
    grad = torch.ones((2, n_batch, case.circuit.n_qubits), dtype=torch.float64)
    rngs = [np.random.default_rng(t) for t in range(2)]
    estimate(gradient, run, torch.as_tensor(case.theta), index, rngs, grad)


@pytest.mark.parametrize("kind", ["joint", "marginal", "gaussian"])
@given(cases(circuits(most_qubits=3), n_samples=3, n_trainings=2), st.integers(1, 4))
@settings(max_examples=15)
def test_samplers(kind: SamplerKind, case, n_batch: int):
    sampler = ShotSampler(case.circuit, ad_dep(0.05), 10, kind=kind)
    theta = torch.as_tensor(case.theta).to(torch.float32)
    index = torch.zeros((2, n_batch), dtype=torch.int64)
    rngs = [np.random.default_rng(t) for t in range(2)]
    out = sample(sampler, theta, sampler.program.encode(case.features), index, rngs)
    assert out.shape[2] == case.circuit.n_qubits


@given(cases(circuits(most_qubits=4), n_samples=3))
@settings(max_examples=20)
def test_states(case):
    n = case.circuit.n_qubits
    states = encode(case.circuit.encoding(), case.features)
    assert states.pauli_vectors().shape == (len(states), 4**n) == (3, 4**n)
    assert states.pauli_vectors().dtype == np.float64
    if states.bloch is not None:
        assert states.bloch.shape == (3, n, 3)
