"""Images whose class is a shade, and a surrogate that sees colours; both take no time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray


def squares(n: int = 120, seed: int = 0, side: int = 8) -> Dataset:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    shade = 0.3 + 0.15 * labels[:, None, None, None] + 0.02 * rng.normal(size=(n, 3, 1, 1))
    images = np.clip(shade + 0.1 * rng.normal(size=(n, 3, side, side)), 0, 1)
    return Dataset(
        features=images.astype(np.float32),
        labels=labels,
        ids=rng.permutation(n) + 7,
        class_names=("dark", "grey", "light"),
    )


@dataclass(frozen=True)
class Moments:
    """Mean and spread of each channel."""

    power: int = 2

    @property
    def key(self) -> str:
        return f"moments {self.power}"

    def features(self, images: FloatArray) -> FloatArray:
        means = images.mean(axis=(2, 3))
        return np.concatenate([means, (images**self.power).mean(axis=(2, 3))], axis=1)
