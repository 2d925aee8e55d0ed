"""The layers of the autoencoders and how their weights start."""

from __future__ import annotations

import math

import torch
from torch import nn

from bezoar.data.features import ImageShape

_HIDDEN = 64


def networks(
    n_features: int, shape: ImageShape | None, n_components: int, channels: tuple[int, int]
) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder ``(sample, n_features) -> (sample, n_components)`` and decoder, without weights.

    Args:
        n_features: numbers per sample.
        shape: of the image that they are; None for dense layers.
        n_components: latent features.
        channels: of the two convolutions.
    """
    # On the meta device no weights are drawn, so torch's global random state stays untouched.
    with torch.device("meta"):
        if shape is not None:
            return _convolutional(shape, n_components, channels)
        return (
            nn.Sequential(
                nn.Linear(n_features, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n_components)
            ),
            nn.Sequential(
                nn.Linear(n_components, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n_features)
            ),
        )


def initialised(model: nn.Sequential, seed: int) -> nn.Sequential:
    """Weights as torch draws them by default, uniform in 1/sqrt(fan-in), but from `seed` alone."""
    generator = torch.Generator().manual_seed(seed)
    model.to_empty(device="cpu").to(torch.float32)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return model


def _convolutional(
    shape: ImageShape, n_components: int, channels: tuple[int, int]
) -> tuple[nn.Sequential, nn.Sequential]:
    few, many = channels
    full = shape[1:]
    half = _halved(full)
    quarter = _halved(half)
    n_inner = many * quarter[0] * quarter[1]
    encoder = nn.Sequential(
        nn.Unflatten(1, shape),
        nn.Conv2d(shape[0], few, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(few, many, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(n_inner, n_components),
    )
    decoder = nn.Sequential(
        nn.Linear(n_components, n_inner),
        nn.ReLU(),
        nn.Unflatten(1, (many, *quarter)),
        _doubling(many, few, half),
        nn.ReLU(),
        _doubling(few, shape[0], full),
        nn.Flatten(),
    )
    return encoder, decoder


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def _doubling(inputs: int, outputs: int, size: tuple[int, int]) -> nn.ConvTranspose2d:
    # Undoes a stride of 2; an even side needs one more row than the transpose gives.
    extra = (1 - size[0] % 2, 1 - size[1] % 2)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=extra)
