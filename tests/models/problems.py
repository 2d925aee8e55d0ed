"""Small learning problems that several test modules share."""

from __future__ import annotations

import numpy as np

from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.training import Job
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import Precision, Program, compile_circuit
from bezoar.quantum.noise import parse_noise


def angles(n_samples: int = 60, n_features: int = 4, seed: int = 0) -> np.ndarray:
    """Features ``(sample, feature)``, uniform on [0, pi]."""
    return np.random.default_rng(seed).uniform(0, np.pi, (n_samples, n_features))


def separable(n_samples: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that a plane parts: ``(sample, 4)`` in [0, pi], and codes ``(sample,)``."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % 2
    centres = np.array([[0.6, 1.5, 0.6, 1.5], [2.5, 1.5, 2.5, 1.5]])
    return centres[codes] + rng.normal(0, 0.2, (n_samples, 4)), codes


def circuit(ansatz: str = "sim-1", n_features: int = 4) -> Circuit:
    """Angle encoding on two qubits for four features, and one layer."""
    return build_circuit(build_encoding(), build_ansatz(ansatz), n_features)


def program(
    ansatz: str = "sim-1", noise: str = "none", *, dtype: Precision = "float64", n_features: int = 4
) -> Program:
    """The compiled `circuit`."""
    return compile_circuit(circuit(ansatz, n_features), parse_noise(noise), dtype=dtype)


def jobs(n_jobs: int, n_samples: int = 60, *, validation: int = 0) -> list[Job]:
    """Trainings of unequal sizes and class counts on a pool of `n_samples`."""
    made = []
    for seed in range(n_jobs):
        rng = np.random.default_rng(1000 + seed)
        order = rng.permutation(n_samples)
        n_train = (20, 33)[seed % 2]
        n_classes = (2, 3)[seed // 2 % 2]
        labels = rng.integers(0, n_classes, n_samples)
        held = order[n_train : n_train + validation] if validation else None
        made.append(
            Job(
                train=order[:n_train],
                labels=labels[order[:n_train]],
                n_classes=n_classes,
                seed=seed,
                validation=held,
                validation_labels=None if held is None else labels[held],
            )
        )
    return made
