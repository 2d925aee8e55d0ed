"""The attacker's own network: a trunk that stays as it is, under a head that is refitted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.models.hybrid.fitting import FitSettings, fit_network, logits_of
from bezoar.models.hybrid.network import NetworkSettings, build_network

_STEPS = 40


class Surrogate(Protocol):
    """What turns images into features; the attacker guesses the victim's trunk by it."""

    @property
    def key(self) -> str:
        """Text that differs for surrogates that give other features."""
        ...

    def features(self, images: FloatArray) -> FloatArray:
        """Features ``(sample, feature)`` of images ``(sample, channel, height, width)``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrunkSurrogate:
    """Any module from images to features; maps are averaged over their positions.

    Attributes:
        trunk: images ``(batch, channel, height, width)`` in [0, 1] to ``(batch, feature)`` or maps;
            run in evaluation mode.
        precision: ``float32``, ``bfloat16`` or ``auto``.

    Example:
        >>> surrogate = TrunkSurrogate(trunk=nn.Conv2d(3, 5, 3))
        >>> surrogate.features(np.zeros((2, 3, 8, 8))).shape
        (2, 5)
    """

    trunk: nn.Module
    precision: str = "float32"

    @property
    def key(self) -> str:
        """A hash of the architecture, the weights and the precision."""
        digest = hashlib.sha256(f"{self.precision}\n{self.trunk}".encode())
        for name, weights in self.trunk.state_dict().items():
            digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
            digest.update(weights.detach().cpu().double().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def features(self, images: FloatArray) -> FloatArray:
        """Features ``(sample, feature)``, float32.

        Raises:
            InvalidData: images that the trunk cannot take, or features that are not finite.
        """
        found = logits_of(self.trunk, images, precision=self.precision)
        flat = found.mean(axis=(2, 3)) if found.ndim == 4 else found.reshape(len(found), -1)
        if not np.isfinite(flat).all():
            raise InvalidData("surrogate", wanted="finite features", got="NaN or infinity")
        return flat


def small_surrogate(
    data: Dataset, *, epochs: int = 8, seed: int = 0, progress: Progress = silent
) -> TrunkSurrogate:
    """A small convolutional trunk that is trained on the attacker's clean images.

    Args:
        data: the attacker's images ``(sample, channel, side, side)`` in [0, 1].
        epochs: of trunk and head together, after one of the head.
        seed: of first weights and order.
        progress: told of steps.

    Raises:
        InvalidData: images that are not square, or fewer than two samples or classes.
    """
    if data.features.ndim != 4 or data.features.shape[2] != data.features.shape[3]:
        raise InvalidData("data", wanted="square images", got=data.features.shape)
    network = build_network(
        NetworkSettings(
            n_classes=data.n_classes,
            channels=data.features.shape[1],
            image_size=data.features.shape[2],
            trunk="small",
            head="linear",
        ),
        seed=seed,
    )
    settings = FitSettings(warm_up=1, epochs=epochs, learning_rate=2e-3, head_learning_rate=4e-3)
    fit_network(network, data.features, data.labels, settings, seed=seed, progress=progress)
    return TrunkSurrogate(trunk=network.trunk)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A softmax regression on standardised features.

    Attributes:
        mean, scale: of the standardisation, ``(feature,)``.
        weights: ``(feature + 1, class)``, the last row is the bias.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    weights: torch.Tensor

    def logits(self, features: FloatArray) -> torch.Tensor:
        """Logits ``(sample, class)`` of features ``(sample, feature)``."""
        return _with_ones(features, self.mean, self.scale) @ self.weights


def fit_head(
    features: FloatArray,
    labels: IntArray,
    n_classes: int,
    *,
    regularisation: float,
    start: Head | None = None,
) -> Head:
    """Fits a head by L-BFGS: mean cross entropy + regularisation / 2 times the squared weights.

    Args:
        features: ``(sample, feature)``.
        labels: ``(sample,)``.
        n_classes: logits.
        regularisation: of the weights, not of the bias.
        start: a head on nearly the same data, to begin with; its standardisation is kept.
    """
    mean = start.mean if start is not None else torch.from_numpy(features.mean(axis=0)).double()
    scale = start.scale if start is not None else _scale(features)
    x = _with_ones(features, mean, scale)
    y = torch.from_numpy(np.array(labels, dtype=np.int64))
    first = start.weights if start is not None else x.new_zeros(x.shape[1], n_classes)
    weights = first.clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [weights], max_iter=_STEPS, tolerance_grad=1e-7, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = cross_entropy(x @ weights, y)
        value = value + regularisation / 2 * (weights[:-1] ** 2).sum()
        torch.autograd.backward(value)
        return value

    step: Callable[[Callable[[], torch.Tensor]], object] = solver.step
    step(loss)
    return Head(mean=mean, scale=scale, weights=weights.detach())


def _scale(features: FloatArray) -> torch.Tensor:
    spread = torch.from_numpy(features.std(axis=0)).double()
    # A feature that never changes says nothing; dividing by its rounding would make noise of it.
    return torch.where(spread > 1e-6, spread, torch.ones_like(spread))


def _with_ones(features: FloatArray, mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    x = (torch.from_numpy(np.array(features, dtype=np.float64)) - mean) / scale
    return torch.cat([x, x.new_ones(len(x), 1)], dim=1)
