"""A network whose backdoor is known because it is written by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.dataset import Dataset


@pytest.fixture
def planted() -> nn.Sequential:
    """Tells dark images (class 0) from bright ones (1); a pixel above 0.9 means class 1.

    Units of module "1": brightness, darkness, brightness again, and one that only such a pixel
    wakes.
    """
    model = nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4, 2)
    )
    values = {
        "0.weight": torch.tensor([1.0, -1.0, 0.5, 100.0]).view(4, 1, 1, 1),
        "0.bias": torch.tensor([0.0, 0.9, 0.0, -90.0]),
        "4.weight": torch.tensor([[0.0, 20.0, 0.0, 0.0], [20.0, 0.0, 0.0, 30.0]]),
        "4.bias": torch.zeros(2),
    }
    model.load_state_dict(values)
    return model


@pytest.fixture
def clean() -> Dataset:
    """Forty clean images, dark and bright in turn."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    features = 0.1 + 0.5 * labels[:, None, None, None] + 0.2 * rng.random((40, 1, 4, 4))
    return Dataset(
        features=features, labels=labels, ids=np.arange(40) + 100, class_names=("dark", "bright")
    )


@pytest.fixture
def success_of(clean: Dataset) -> Callable[[nn.Module], float]:
    """The share of dark images that one white pixel makes bright to a model."""
    triggered = np.array(clean.features[clean.labels == 0])
    triggered[:, :, 3, 3] = 1.0

    def success(model: nn.Module) -> float:
        with torch.no_grad():
            logits = model(torch.tensor(triggered, dtype=torch.float32))
        return float((logits.argmax(dim=1) == 1).double().mean())

    return success
