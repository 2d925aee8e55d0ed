from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """Images ``(sample, 3, 32, 32)`` in [0, 1] and labels, mixed."""
    bunch: Any = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    grey = np.kron(bunch.images[order] / 16, np.ones((1, 4, 4)))
    return np.repeat(grey[:, None], 3, axis=1).astype(np.float32), bunch.target[order]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
