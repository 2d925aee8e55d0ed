"""Finite shots: what a device would report instead of exact expectations."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import Inputs, Precision, Program, compile_circuit
from bezoar.quantum.engines.reference import pauli_z_each, z_strings
from bezoar.quantum.noise import NoiseModel

SamplerKind = Literal["auto", "joint", "marginal", "gaussian"]

_MOST_JOINT_QUBITS = 8
_MOST_LISTED_QUBITS = 10
# What a sweep may keep moving without leaving a core's cache.
_CACHE_NUMBERS = 1 << 17
_HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / 2


class ShotSampler:
    """Pauli-Z expectations of every wire, estimated from `shots` measurements of all wires.

    ``joint`` draws bit strings from their exact distribution, so that estimates of different wires
    are correlated as on a device. ``marginal`` draws each wire alone, which is the same when no
    gate of the circuit touches two wires. ``gaussian`` draws from the normal distribution with the
    exact covariance, for more wires than ``joint`` can list. ``auto`` takes ``marginal`` for
    product circuits, ``joint`` up to 8 qubits, ``gaussian`` beyond.

    Args:
        circuit, noise: what is run.
        shots: measurements per circuit execution, 1 or more.
        kind: see above.
        dtype, device: as in `compile_circuit`.

    Raises:
        InvalidArgument: fewer than one shot, an unknown kind, ``joint`` beyond 10 qubits.
    """

    def __init__(
        self,
        circuit: Circuit,
        noise: NoiseModel | None,
        shots: int,
        *,
        kind: SamplerKind = "auto",
        dtype: Precision = "float32",
        device: str = "cpu",
    ) -> None:
        if shots < 1:
            raise InvalidArgument("shots", wanted="1 or more, or None for exact", got=shots)
        self.shots = shots
        self.kind = _resolve(kind, circuit)
        self._joint = self.kind == "joint"
        n = circuit.n_qubits
        self._n = n
        self._pairs = list(itertools.combinations(range(n), 2))
        strings = z_strings(n) if self._joint else pauli_z_each(n)
        if self.kind == "gaussian":
            strings += tuple(_pair(n, a, b) for a, b in self._pairs)
        self.program: Program = compile_circuit(circuit, noise, strings, dtype=dtype, device=device)
        # Rows: bit strings; columns: the value of Z on each wire.
        self._signs = np.array(list(itertools.product((1.0, -1.0), repeat=n if self._joint else 0)))
        self._transform = functools.reduce(np.kron, [_HADAMARD] * n) if self._joint else None

    def __call__(
        self,
        theta: Tensor,
        inputs: Inputs,
        index: Tensor | None,
        rngs: Sequence[np.random.Generator],
    ) -> Tensor:
        """Estimated expectations ``(T, B, wire)``.

        Args:
            theta: ``(R * T, P)``; rows ``r * T + t`` draw from ``rngs[t]``.
            inputs: from this sampler's `program`.
            index: ``(R * T, B)`` or None.
            rngs: one stream per training, so that results do not depend on what else is trained.
        """
        exact = self._exact(theta, inputs, index).cpu().numpy().astype(np.float64)
        if self._joint:
            sampled = self._draw_joint(exact, rngs)
        elif self.kind == "marginal":
            sampled = self._draw_marginal(exact, rngs)
        else:
            sampled = self._draw_gaussian(exact, rngs)
        return torch.as_tensor(sampled, device=self.program.device).to(self.program.dtype)

    def _exact(self, theta: Tensor, inputs: Inputs, index: Tensor | None) -> Tensor:
        """The exact expectations, in slices of trainings whose sweep stays in a core's cache."""
        step = max(1, _CACHE_NUMBERS // self.program.numbers_per_training)
        parts = [
            self.program.forward(part, inputs, where)[0]
            for part, where in zip(
                theta.split(step),
                itertools.repeat(None) if index is None else index.split(step),
                strict=False,
            )
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _draw_joint(self, strings: np.ndarray, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        probabilities = np.clip(strings @ self._transform, 0, None)
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
        counts = [
            rngs[row % len(rngs)].multinomial(self.shots, of_row)
            for row, of_row in enumerate(probabilities)
        ]
        return np.stack(counts) @ self._signs / self.shots

    def _draw_marginal(self, means: np.ndarray, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        up = np.clip((1 + means) / 2, 0, 1)
        counts = [rngs[row % len(rngs)].binomial(self.shots, p) for row, p in enumerate(up)]
        return 2 * np.stack(counts) / self.shots - 1

    def _draw_gaussian(
        self, moments: np.ndarray, rngs: Sequence[np.random.Generator]
    ) -> np.ndarray:
        n = self._n
        means = moments[..., :n]
        second = np.broadcast_to(np.eye(n), (*means.shape, n)).copy()
        for column, (a, b) in enumerate(self._pairs):
            second[..., a, b] = second[..., b, a] = moments[..., n + column]
        covariance = second - means[..., :, None] * means[..., None, :]
        values, vectors = np.linalg.eigh(covariance)
        spread = vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]
        normal = np.stack(
            [
                rngs[row % len(rngs)].standard_normal((*of_row.shape, 1))
                for row, of_row in enumerate(means)
            ]
        )
        return np.clip(means + (spread @ normal)[..., 0] / np.sqrt(self.shots), -1, 1)


def _resolve(kind: SamplerKind, circuit: Circuit) -> str:
    if kind not in ("auto", "joint", "marginal", "gaussian"):
        raise InvalidArgument("sampler", wanted="auto, joint, marginal or gaussian", got=kind)
    if kind == "joint" and circuit.n_qubits > _MOST_LISTED_QUBITS:
        raise InvalidArgument(
            "sampler",
            wanted=f"joint for at most {_MOST_LISTED_QUBITS} qubits, whose bit strings it lists",
            got=f"joint for {circuit.n_qubits}",
            mend="leave it at auto",
        )
    if kind != "auto":
        return kind
    if circuit.is_product:
        return "marginal"
    return "joint" if circuit.n_qubits <= _MOST_JOINT_QUBITS else "gaussian"


def _pair(n: int, a: int, b: int) -> str:
    return "".join("Z" if wire in (a, b) else "I" for wire in range(n))
