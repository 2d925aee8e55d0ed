"""Small networks with random weights, for attacks that need no training."""

from __future__ import annotations

import numpy as np

from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.trained_circuit import TrainedCircuit


def random_network(
    *, encoding: str = "angle", ansatz: str = "sim-6", n_features: int = 4, seed: int = 0
) -> TrainedCircuit:
    """Three classes, random angles and a strong random linear layer."""
    rng = np.random.default_rng(seed)
    circuit = build_circuit(build_encoding(encoding), build_ansatz(ansatz), n_features)
    return TrainedCircuit(
        circuit=circuit,
        theta=rng.uniform(0, 2 * np.pi, circuit.n_parameters),
        weight=rng.normal(0, 3, (circuit.n_qubits, 3)),
        bias=np.zeros(3),
    )
