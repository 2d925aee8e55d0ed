"""Data, encoders and attacks that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np

from bezoar.attacks.poisoning.bilevel import BiLevel, BiLevelRandom
from bezoar.attacks.poisoning.protected_release import ProtectedRelease
from bezoar.attacks.poisoning.quid import QUID
from bezoar.attacks.poisoning.random_flip import RandomFlip, UniformRelabel
from bezoar.contracts.dataset import Dataset
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.encodings.iqp import IQPEncoding
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.state_encoder import StateEncoder

CLASSES = ("ant", "bee", "cow")
ATTACKS: tuple[Any, ...] = (
    RandomFlip,
    UniformRelabel,
    QUID,
    BiLevel,
    BiLevelRandom,
    ProtectedRelease,
)
NEEDS_REFERENCE: tuple[Any, ...] = (QUID, BiLevel, ProtectedRelease)


def samples(labels: list[int], seed: int = 0) -> Dataset:
    """Samples of 3 features in [0, pi]; their ids are neither sorted nor positions."""
    rng = np.random.default_rng(seed)
    return Dataset(
        features=np.pi * rng.random((len(labels), 3)),
        labels=np.array(labels, dtype=int),
        ids=100 + 3 * rng.permutation(len(labels)),
        class_names=CLASSES,
    )


def angle(noise: NoiseModel | None = None) -> StateEncoder:
    """Three features on two qubits, as a product state."""
    return StateEncoder(circuit=AngleEncoding().circuit(n_features=3, n_qubits=2), noise=noise)


def entangling(noise: NoiseModel | None = None) -> StateEncoder:
    """Three features on three qubits that the encoding entangles."""
    return StateEncoder(circuit=IQPEncoding().circuit(n_features=3, n_qubits=3), noise=noise)


def make(attack_class: Any, ratio: float) -> Any:
    """The attack with `angle` where it wants an encoder."""
    knows = {"encoder": angle()} if attack_class in NEEDS_REFERENCE else {}
    return attack_class(ratio=ratio, **knows)


def shuffled(data: Dataset, seed: int = 5) -> Dataset:
    """The same samples under the same ids in another order."""
    return data.take(np.random.default_rng(seed).permutation(data.ids))
