"""Finite shots: distributions, moments, streams."""

from __future__ import annotations

import itertools
from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from strategies import Case, cases, circuits, noise_models

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Feature, Operation, Parameter
from bezoar.quantum.engines import reference
from bezoar.quantum.engines.sampling import SamplerKind, ShotSampler
from bezoar.quantum.noise import NoiseModel, ReadoutError, ad_dep

NOISY = 1e-10

READ = NoiseModel(after_gate=ad_dep(0.03).after_gate, readout=ReadoutError(0.05, 0.12))


class Recorder:
    """In place of a random generator: keeps the probabilities that it is asked to draw from."""

    def __init__(self) -> None:
        self.probabilities: list[np.ndarray] = []

    def multinomial(self, shots: int, probabilities: np.ndarray) -> np.ndarray:
        self.probabilities.append(np.array(probabilities))
        return np.round(shots * probabilities).astype(int)

    def binomial(self, shots: int, probabilities: np.ndarray) -> np.ndarray:
        self.probabilities.append(np.array(probabilities))
        return np.round(shots * probabilities).astype(int)


def entangled(n: int) -> Circuit:
    return Circuit(
        n,
        (
            *(Operation("RY", (w,), (Feature((w,)),)) for w in range(n)),
            *(Operation("CRX", (w, (w + 1) % n), (Parameter(w),)) for w in range(n)),
        ),
    )


def product(n: int) -> Circuit:
    return Circuit(
        n,
        (
            *(Operation("RY", (w,), (Feature((w,)),)) for w in range(n)),
            *(Operation("RX", (w,), (Parameter(w),)) for w in range(n)),
        ),
    )


def bit_strings(circuit: Circuit, x: np.ndarray, theta: np.ndarray, noise: NoiseModel | None):
    """Their distribution ``(2**n,)`` from the density matrix and the readout's confusion."""
    diagonal = np.real(np.diagonal(reference.density_matrix(circuit, x, theta, noise)))
    if noise is None or noise.readout is None:
        return diagonal
    confusions = [np.eye(2)] * circuit.n_qubits
    for wire in range(circuit.n_qubits):
        error = noise.readout_on(wire)
        if error is not None:
            confusions[wire] = np.array([[1 - error.p10, error.p01], [error.p10, 1 - error.p01]])
    return reduce(np.kron, confusions) @ diagonal


def draw(
    sampler: ShotSampler,
    x: np.ndarray,
    theta: np.ndarray,
    rngs,
    index: np.ndarray | None = None,
) -> np.ndarray:
    where = None if index is None else torch.as_tensor(index)
    inputs = sampler.program.encode(x)
    t = torch.as_tensor(theta).to(sampler.program.dtype)
    return sampler(t, inputs, where, rngs).numpy()


class TestDistributions:
    @given(cases(circuits(most_qubits=4), n_samples=2, n_trainings=2), noise_models())
    @settings(max_examples=60)
    def test_joint_is_the_diagonal_of_the_density_matrix(self, case: Case, noise: NoiseModel):
        sampler = ShotSampler(case.circuit, noise, 10, kind="joint", dtype="float64")
        recorders = [Recorder(), Recorder()]
        draw(sampler, case.features, case.theta, recorders)
        for theta, recorder in zip(case.theta, recorders, strict=True):
            expected = [bit_strings(case.circuit, x, theta, noise) for x in case.features]
            (drawn_from,) = recorder.probabilities
            np.testing.assert_allclose(drawn_from, expected, rtol=0, atol=NOISY)

    @given(cases(circuits(most_qubits=4), n_samples=2, n_trainings=1), noise_models())
    @settings(max_examples=40)
    def test_marginal_of_each_wire(self, case: Case, noise: NoiseModel):
        n = case.circuit.n_qubits
        sampler = ShotSampler(case.circuit, noise, 10, kind="marginal", dtype="float64")
        recorder = Recorder()
        draw(sampler, case.features, case.theta, [recorder])
        for x, up in zip(case.features, recorder.probabilities[0], strict=True):
            joint = bit_strings(case.circuit, x, case.theta[0], noise).reshape((2,) * n)
            for wire in range(n):
                rest = tuple(w for w in range(n) if w != wire)
                assert up[wire] == pytest.approx(joint.sum(axis=rest)[0], abs=NOISY)

    @given(
        cases(circuits(most_qubits=4, most_wires=1, with_state=False), n_trainings=1),
        noise_models(),
    )
    @settings(max_examples=40)
    def test_marginal_is_joint_for_products(self, case: Case, noise: NoiseModel):
        joint, marginal = Recorder(), Recorder()
        recorders: dict[SamplerKind, Recorder] = {"joint": joint, "marginal": marginal}
        for kind, recorder in recorders.items():
            sampler = ShotSampler(case.circuit, noise, 10, kind=kind, dtype="float64")
            draw(sampler, case.features, case.theta, [recorder])
        for whole, up in zip(joint.probabilities[0], marginal.probabilities[0], strict=True):
            made = reduce(np.kron, [np.array([p, 1 - p]) for p in up])
            np.testing.assert_allclose(made, whole, rtol=0, atol=NOISY)

    def test_float32_probabilities_are_probabilities(self):
        """A deterministic outcome stays one, whatever rounding does to its probabilities."""
        for kind in ("joint", "marginal"):
            sampler = ShotSampler(entangled(3), None, 1000, kind=kind)
            x = np.array([[0.0, np.pi, 0.0]])
            out = draw(sampler, x, np.zeros((1, 3)), [np.random.default_rng(0)])
            np.testing.assert_allclose(out, [[[1, -1, 1]]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("noise", [None, READ], ids=["clean", "noisy"])
class TestMoments:
    """Means and covariances over many draws, to five standard errors."""

    N_DRAWS = 4000
    SHOTS = 50

    def sample(self, kind: SamplerKind, circuit: Circuit, noise: NoiseModel | None):
        rng = np.random.default_rng(11)
        n = circuit.n_qubits
        x, theta = rng.uniform(0.5, 2.5, (2, n)), rng.uniform(0.5, 2.5, (1, n))
        sampler = ShotSampler(circuit, noise, self.SHOTS, kind=kind, dtype="float64")
        index = np.full((1, self.N_DRAWS), 1)
        drawn = draw(sampler, x, theta, [np.random.default_rng(3)], index)[0]
        p = bit_strings(circuit, x[1], theta[0], noise)
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        mean = p @ signs
        covariance = (signs.T * p) @ signs - np.outer(mean, mean)
        return drawn, mean, covariance / self.SHOTS

    def check(self, drawn: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> None:
        spread = np.sqrt(np.diag(covariance))
        assert (np.abs(drawn.mean(axis=0) - mean) < 5 * spread / np.sqrt(self.N_DRAWS)).all()
        # A sample covariance of N draws errs by about sqrt(2 / N) of the spreads.
        error = np.abs(np.cov(drawn.T) - covariance) / np.outer(spread, spread)
        assert error.max() < 5 * np.sqrt(2 / self.N_DRAWS)

    @pytest.mark.parametrize("kind", ["joint", "gaussian"])
    def test_entangled(self, kind: SamplerKind, noise: NoiseModel | None):
        links = (Operation("CX", (0, 1)), Operation("CX", (1, 2)))
        circuit = product(3).then(Circuit(3, links))
        drawn, mean, covariance = self.sample(kind, circuit, noise)
        spread = np.sqrt(np.diag(covariance))
        assert np.abs(covariance / np.outer(spread, spread) - np.eye(3)).max() > 0.2
        self.check(drawn, mean, covariance)

    @pytest.mark.parametrize("kind", ["joint", "marginal", "gaussian"])
    def test_product(self, kind: SamplerKind, noise: NoiseModel | None):
        self.check(*self.sample(kind, product(3), noise))

    def test_marginal_means_of_entangled_wires(self, noise: NoiseModel | None):
        drawn, mean, covariance = self.sample("marginal", entangled(3), noise)
        spread = np.sqrt(np.diag(covariance) / self.N_DRAWS)
        assert (np.abs(drawn.mean(axis=0) - mean) < 5 * spread).all()


class TestOneShot:
    @pytest.mark.parametrize("kind", ["joint", "marginal"])
    def test_is_a_bit_string(self, kind: SamplerKind):
        sampler = ShotSampler(entangled(3), READ, 1, kind=kind)
        x = np.random.default_rng(0).uniform(0, 3, (50, 3))
        out = draw(sampler, x, np.full((2, 3), 0.7), [np.random.default_rng(t) for t in (0, 1)])
        assert out.shape == (2, 50, 3)
        assert out.dtype == np.float32
        assert set(out.ravel()) == {-1.0, 1.0}

    def test_strings_come_as_often_as_they_should(self):
        circuit, n_draws = entangled(2), 5000
        x, theta = np.array([[0.9, 2.0]]), np.array([[1.3, 0.4]])
        sampler = ShotSampler(circuit, READ, 1, kind="joint")
        index = np.zeros((1, n_draws), dtype=np.int64)
        drawn = draw(sampler, x, theta, [np.random.default_rng(5)], index)[0]
        codes = ((1 - drawn) / 2) @ [2, 1]
        counts = np.bincount(codes.astype(int), minlength=4)
        p = bit_strings(circuit, x[0], theta[0], READ)
        chi_squared = ((counts - n_draws * p) ** 2 / (n_draws * p)).sum()
        assert chi_squared < 16.3  # 0.999 quantile at three degrees of freedom

    def test_estimates_have_the_grain_of_the_shots(self):
        out = draw(
            ShotSampler(product(2), READ, 4, dtype="float64"),
            np.ones((20, 2)),
            np.ones((1, 2)),
            [np.random.default_rng(0)],
        )
        assert set(np.round(out.ravel(), 12)) <= {-1.0, -0.5, 0.0, 0.5, 1.0}

    def test_gaussian_stays_in_range(self):
        sampler = ShotSampler(entangled(3), None, 1, kind="gaussian")
        out = draw(sampler, np.ones((200, 3)), np.ones((1, 3)), [np.random.default_rng(0)])
        assert np.abs(out).max() <= 1


@pytest.mark.parametrize("kind", ["joint", "marginal", "gaussian"])
class TestStreams:
    x = np.random.default_rng(0).uniform(0, 3, (6, 3))
    theta = np.random.default_rng(1).uniform(0, 6, (4, 3))
    index = np.random.default_rng(2).integers(0, 6, (4, 5))

    def rngs(self) -> list[np.random.Generator]:
        return [np.random.default_rng([7, t]) for t in range(4)]

    def test_same_generator_same_shots(self, kind: SamplerKind):
        sampler = ShotSampler(entangled(3), READ, 100, kind=kind)
        first = draw(sampler, self.x, self.theta, self.rngs(), self.index)
        again = draw(sampler, self.x, self.theta, self.rngs(), self.index)
        np.testing.assert_array_equal(first, again)
        other = [np.random.default_rng([8, t]) for t in range(4)]
        assert (draw(sampler, self.x, self.theta, other, self.index) != first).any()

    def test_each_training_draws_as_alone(self, kind: SamplerKind):
        sampler = ShotSampler(entangled(3), READ, 100, kind=kind, dtype="float64")
        together = draw(sampler, self.x, self.theta, self.rngs(), self.index)
        for t, rng in enumerate(self.rngs()):
            alone = draw(sampler, self.x, self.theta[t : t + 1], [rng], self.index[t : t + 1])
            np.testing.assert_allclose(alone[0], together[t], rtol=0, atol=1e-9)

    def test_repeated_rows_go_on_in_their_training_s_stream(self, kind: SamplerKind):
        """Rows ``r * T + t`` draw from stream t, one after the other."""
        sampler = ShotSampler(entangled(3), READ, 100, kind=kind, dtype="float64")
        twice = draw(
            sampler, self.x, np.tile(self.theta, (2, 1)), self.rngs(), np.tile(self.index, (2, 1))
        )
        rngs = self.rngs()
        once = [draw(sampler, self.x, self.theta, rngs, self.index) for _ in range(2)]
        np.testing.assert_allclose(twice, np.concatenate(once), rtol=0, atol=1e-9)

    def test_more_shots_come_nearer(self, kind: SamplerKind):
        exact = reference.expectations(entangled(3), self.x[0], self.theta[0], READ)
        errors = []
        for shots in (10, 1000, 100_000):
            sampler = ShotSampler(entangled(3), READ, shots, kind=kind, dtype="float64")
            index = np.zeros((1, 200), dtype=np.int64)
            out = draw(sampler, self.x, self.theta[:1], [np.random.default_rng(0)], index)
            errors.append(np.sqrt(((out[0] - exact) ** 2).mean()))
        assert errors[0] > 5 * errors[1] > 25 * errors[2]


class TestChoice:
    @pytest.mark.parametrize(
        ("circuit", "kind"),
        [
            (product(3), "marginal"),
            (product(60), "marginal"),
            (entangled(3), "joint"),
            (entangled(8), "joint"),
            (entangled(9), "gaussian"),
        ],
    )
    def test_auto(self, circuit: Circuit, kind: str):
        assert ShotSampler(circuit, None, 10).kind == kind

    def test_wide_product_runs(self):
        sampler = ShotSampler(product(60), READ, 100)
        out = draw(sampler, np.ones((2, 60)), np.ones((1, 60)), [np.random.default_rng(0)])
        assert out.shape == (1, 2, 60)

    def test_wide_circuit_of_small_cones_runs(self):
        links = [Operation("CX", (w, w + 1)) for w in range(0, 12, 2)]
        circuit = product(12).then(Circuit(12, links))  # type: ignore[arg-type]
        sampler = ShotSampler(circuit, READ, 100)
        assert sampler.kind == "gaussian"
        out = draw(sampler, np.ones((2, 12)), np.ones((1, 12)), [np.random.default_rng(0)])
        assert out.shape == (1, 2, 12)

    @pytest.mark.parametrize("shots", [0, -1])
    def test_no_shots(self, shots: int):
        with pytest.raises(InvalidArgument, match="shots: wanted 1 or more, or None for exact"):
            ShotSampler(product(2), None, shots)

    def test_unknown_kind(self):
        with pytest.raises(InvalidArgument, match="sampler: wanted auto, joint, marginal or gauss"):
            ShotSampler(product(2), None, 10, kind="exact")  # type: ignore[arg-type]

    def test_joint_of_too_many(self):
        with pytest.raises(InvalidArgument, match=r"joint for at most 10 qubits.*joint for 30"):
            ShotSampler(product(30), None, 10, kind="joint")
