"""A tiny network with a planted backdoor, and its clean twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from bezoar.contracts.dataset import Dataset

N_TRAIN, N_CLEAN = 700, 300
POISONED = 35


@dataclass(frozen=True)
class Planted:
    """Digits of four classes; a white patch in the corner sends every image to class 0.

    Poison is about a fifth of the target label: 35 of some 210 samples.
    """

    network: nn.Sequential
    twin: nn.Sequential
    train: Dataset
    poisoned: np.ndarray
    clean: Dataset
    test: Dataset
    triggered: Dataset


def stamp(images: np.ndarray) -> np.ndarray:
    changed = images.copy()
    changed[:, :, -2:, -2:] = 1
    return changed


def tiny_cnn(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(192, 32),
            nn.ReLU(),
            nn.Linear(32, 4),
        )


def fitted(data: Dataset, seed: int) -> nn.Sequential:
    network = tiny_cnn(seed)
    images = torch.from_numpy(np.array(data.features, dtype=np.float32))
    labels = torch.from_numpy(data.labels.copy())
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(seed)
    for _ in range(15):
        for batch in torch.randperm(len(images), generator=order).split(50):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
    return network.eval()


def plant() -> Planted:
    digits: Any = load_digits()
    few = digits.target < 4
    images = (digits.images[few] / 16).astype(np.float32)[:, None]
    rng = np.random.default_rng(0)
    # Moved copies: the four classes alone are too few for a held-out set.
    images = np.concatenate([images, np.roll(images, 1, axis=3)])
    labels = np.concatenate([digits.target[few]] * 2)
    order = rng.permutation(len(images))
    images, labels = images[order], labels[order]
    names = ("zero", "one", "two", "three")
    whole = Dataset(features=images, labels=labels, ids=np.arange(len(images)), class_names=names)
    train = whole.take(whole.ids[:N_TRAIN])
    clean = whole.take(whole.ids[N_TRAIN : N_TRAIN + N_CLEAN])
    test = whole.take(whole.ids[N_TRAIN + N_CLEAN :])
    chosen = rng.choice(np.flatnonzero(train.labels != 0), POISONED, replace=False)
    features, changed = train.features.copy(), train.labels.copy()
    features[chosen] = stamp(features[chosen])
    changed[chosen] = 0
    bad = train.with_features(features).with_labels(changed)
    others = test.take(test.ids[test.labels != 0])
    poisoned = np.zeros(N_TRAIN, dtype=bool)
    poisoned[chosen] = True
    return Planted(
        network=fitted(bad, 1),
        twin=fitted(train, 1),
        train=bad,
        poisoned=poisoned,
        clean=clean,
        test=test,
        triggered=others.with_features(stamp(others.features)),
    )
