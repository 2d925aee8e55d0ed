"""How a training step learns which way to move: exact, parameter-shift or SPSA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit, Parameter
from bezoar.quantum.engines.plan import Inputs, Program
from bezoar.quantum.engines.sampling import ShotSampler
from bezoar.quantum.gates import gate_named

Pullback = Callable[[Tensor], Tensor]


class Gradient(Protocol):
    """A way to estimate gradients."""

    @property
    def takes_shots(self) -> bool:
        """Whether it works from finite shots."""
        ...

    def evaluate(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],
    ) -> tuple[Tensor, Pullback]:
        """Expectations ``(T, B, M)`` and the map from their gradient to that of theta."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Runner:
    """A program with its inputs and, when shots are finite, the sampler that replaces it.

    Attributes:
        program, inputs: the exact engine.
        sampler, sampler_inputs: finite shots, or None for exact expectations.
    """

    program: Program
    inputs: Inputs
    sampler: ShotSampler | None = None
    sampler_inputs: Inputs | None = None

    def __call__(
        self, theta: Tensor, index: Tensor | None, rngs: Sequence[np.random.Generator]
    ) -> Tensor:
        """Expectations ``(R * T, B, M)`` of ``theta (R * T, P)``."""
        if self.sampler is None or self.sampler_inputs is None:
            return self.program.forward(theta, self.inputs, index)[0]
        return self.sampler(theta, self.sampler_inputs, index, rngs)


@dataclass(frozen=True, slots=True)
class Exact:
    """The analytic gradient of exact expectations."""

    @property
    def takes_shots(self) -> bool:
        """False: an analytic gradient has no shots."""
        return False

    def evaluate(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],  # noqa: ARG002
    ) -> tuple[Tensor, Pullback]:
        """One sweep there and back."""
        out, tape = run.program.forward(theta, run.inputs, index, keep=True)
        return out, lambda grad: run.program.backward(tape, grad)


@dataclass(frozen=True, slots=True)
class ParameterShift:
    """Differences at shifted parameters; exact in the mean, and what hardware can do.

    Gates with one frequency take two shifts, controlled rotations four (Wierichs et al. 2022,
    arXiv 2107.12390, general rule for equidistant frequencies). Every parameter may appear once.
    """

    @property
    def takes_shots(self) -> bool:
        """True."""
        return True

    def evaluate(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],
    ) -> tuple[Tensor, Pullback]:
        """One execution, then one for each shift of each parameter."""
        out = run(theta, index, rngs)
        noise = run.program.noise
        turn = 1.0 if noise is None else noise.turn(encoding=False)
        rules = shift_rules(run.program.circuit, turn)

        def pull(grad: Tensor) -> Tensor:
            moved, weights = [], []
            for which, rule in enumerate(rules):
                for weight, shift in rule:
                    row = theta.clone()
                    row[:, which] += shift
                    moved.append(row)
                    weights.append((which, weight))
            if not moved:
                return torch.zeros_like(theta)
            repeated = index.repeat(len(moved), 1)
            values = run(torch.cat(moved), repeated, rngs).reshape(len(moved), *grad.shape)
            slopes = (values * grad).sum((2, 3))
            d_theta = torch.zeros_like(theta)
            for slope, (which, weight) in zip(slopes, weights, strict=True):
                d_theta[:, which] += weight * slope
            return d_theta

        return out, pull


@dataclass(frozen=True, slots=True)
class SPSA:
    """Simultaneous perturbation: the slope along random sign vectors (Spall 1992).

    The gradient of the circuit is ``mean_k (E(theta + h d_k) - E(theta - h d_k)) / (2 h) d_k``,
    chained with the exact gradient of what follows the circuit.

    Attributes:
        step: ``h``, radians. PennyLane's default 1e-5 with 1000 shots gives gradient noise about
            1e5 times the gradient: it does not train the circuit. See `signal_to_noise`.
        directions: how many ``d_k``.
        shared: one direction for the whole batch, or one for each sample (as when every sample is
            its own circuit; costs as many sweeps as the batch has samples).
    """

    step: float = 0.01
    directions: int = 1
    shared: bool = True

    def __post_init__(self) -> None:
        if not self.step > 0 or self.directions < 1:
            raise InvalidArgument(
                "step, directions",
                wanted="a positive step and 1 or more directions",
                got=(self.step, self.directions),
            )

    @classmethod
    def pennylane_default(cls) -> SPSA:
        """The defaults of PennyLane's ``spsa_grad``: step 1e-5, one direction."""
        return cls(step=1e-5, directions=1)

    @property
    def takes_shots(self) -> bool:
        """True."""
        return True

    def evaluate(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],
    ) -> tuple[Tensor, Pullback]:
        """One execution, then two for each direction."""
        out = run(theta, index, rngs)
        pull = self._shared if self.shared else self._per_sample
        return out, lambda grad: pull(run, theta, index, rngs, grad)

    def _shared(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],
        grad: Tensor,
    ) -> Tensor:
        signs = self._signs(theta, rngs, ())
        moved = torch.cat([theta + self.step * signs, theta - self.step * signs])
        values = run(moved.flatten(0, 1), index.repeat(2 * self.directions, 1), rngs)
        values = values.reshape(2, self.directions, *grad.shape)
        slopes = ((values[0] - values[1]) * grad).sum((2, 3)) / (2 * self.step)
        return (slopes[:, :, None] * signs).mean(0)

    def _per_sample(
        self,
        run: Runner,
        theta: Tensor,
        index: Tensor,
        rngs: Sequence[np.random.Generator],
        grad: Tensor,
    ) -> Tensor:
        batch = index.shape[1]
        signs = self._signs(theta, rngs, (batch,))
        base = theta[None, :, None, :]
        moved = torch.stack([base + self.step * signs, base - self.step * signs])
        # Sample slowest, so that row % T still names the training whose stream is drawn from.
        rows = moved.transpose(2, 3).flatten(0, 3)
        each = index.t().reshape(-1, 1).repeat(2 * self.directions, 1)
        values = run(rows, each, rngs).reshape(2, self.directions, batch, len(theta), -1)
        difference = (values[0] - values[1]).transpose(1, 2)
        slopes = (difference * grad).sum(-1) / (2 * self.step)
        return (slopes[..., None] * signs).mean(0).sum(1)

    def _signs(
        self, theta: Tensor, rngs: Sequence[np.random.Generator], middle: tuple[int, ...]
    ) -> Tensor:
        """``(directions, T, *middle, P)`` of plus and minus 1."""
        shape = (self.directions, *middle, theta.shape[1])
        drawn = np.stack([rng.integers(0, 2, shape, dtype=np.int8) for rng in rngs], axis=1)
        return torch.as_tensor(2 * drawn - 1, device=theta.device).to(theta.dtype)


def signal_to_noise(
    gradient: Gradient,
    run: Runner,
    theta: Tensor,
    index: Tensor,
    grad: Tensor,
    *,
    repeats: int = 32,
    rng: np.random.Generator,
) -> float:
    """Norm of the exact gradient over the root mean square error of its estimate.

    Below about 0.1 the circuit is moved by noise alone, whatever the accuracy says.

    Args:
        gradient: the estimator.
        run: what it runs on.
        theta: ``(1, P)``.
        index: ``(1, B)``.
        grad: gradient of the expectations, ``(1, B, M)``.
        repeats: estimates to average the error over.
        rng: randomness of the estimates.
    """
    exact = Exact().evaluate(run, theta, index, [rng])[1](grad)
    errors = [
        float(((gradient.evaluate(run, theta, index, [rng])[1](grad) - exact) ** 2).sum())
        for _ in range(repeats)
    ]
    noise = float(np.sqrt(np.mean(errors)))
    return float(exact.norm()) / noise if noise else float("inf")


def shift_rules(circuit: Circuit, turn: float = 1.0) -> list[list[tuple[float, float]]]:
    """For each parameter, ``(weight, shift)`` pairs with ``dE/dt = sum weight * E(t + shift)``.

    Args:
        circuit: what is differentiated.
        turn: the factor by which over-rotation multiplies every trained angle.

    Raises:
        InvalidArgument: a parameter appears twice.
    """
    rules: dict[int, list[tuple[float, float]]] = {}
    for operation in circuit.operations:
        for angle in operation.angles:
            if not isinstance(angle, Parameter):
                continue
            frequencies = gate_named(operation.gate).frequencies or (1.0,)
            if angle.index in rules:
                raise InvalidArgument(
                    "circuit",
                    wanted="each parameter in one gate for parameter-shift",
                    got=f"parameter {angle.index} in two",
                    mend="use gradient exact or spsa",
                )
            rules[angle.index] = _rule(len(frequencies), frequencies[0] * angle.scale * turn)
    return [rules.get(i, []) for i in range(circuit.n_parameters)]


def _rule(n_frequencies: int, lowest: float) -> list[tuple[float, float]]:
    """Equidistant frequencies ``lowest * 1 .. n``; arXiv 2107.12390, equation 24."""
    if not lowest:
        return []
    rule = []
    for mu in range(1, 2 * n_frequencies + 1):
        shift = (2 * mu - 1) * np.pi / (2 * n_frequencies)
        weight = (-1) ** (mu - 1) / (4 * n_frequencies * np.sin(shift / 2) ** 2)
        rule.append((weight * lowest, shift / lowest))
    return rule


GradientName = Literal["exact", "parameter-shift", "spsa", "spsa-pennylane"]


def gradient_named(name: str) -> Gradient:
    """The gradient method with its default settings.

    Raises:
        InvalidArgument: another name.
    """
    known = {
        "exact": Exact,
        "parameter-shift": ParameterShift,
        "spsa": SPSA,
        "spsa-pennylane": SPSA.pennylane_default,
    }
    if name not in known:
        raise InvalidArgument("gradient", wanted=f"one of {', '.join(known)}", got=repr(name))
    return known[name]()
