"""How many weights a network has and how steep the loss is in each: tables 2 and 3 of the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.models.hybrid.heads import Head
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.scoring import (
    as_tensor,
    checked_images,
    checked_labels,
    device_of,
    in_evaluation,
)

_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientStatistics:
    """The gradient of the mean loss over one array of weights, or over all of them.

    Attributes:
        name: of the array, as ``named_parameters`` has it; ``total`` for all.
        n_weights: how many numbers it has.
        norm: Euclidean norm of the gradient.
        mean, maximum, minimum: of its entries.
    """

    name: str
    n_weights: int
    norm: float
    mean: float
    maximum: float
    minimum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkGradients:
    """Gradient statistics of a network.

    Attributes:
        layers: one for each array of weights, in the network's order.
        total: over all of them.
        fully_connected: the layers of the head that table 2 of the paper calls FC layers, without
            biases; empty for a head that is not ours.
    """

    layers: tuple[GradientStatistics, ...]
    total: GradientStatistics
    fully_connected: tuple[GradientStatistics, ...]


def gradient_statistics(
    network: HybridNetwork, images: FloatArray, labels: IntArray
) -> NetworkGradients:
    """The gradient of the mean cross entropy over all images, in evaluation mode and float32.

    Tables 2 and 3 of the paper (arXiv 2407.16273) have such numbers without saying of which loss,
    batch or moment of training; ours are those of the network as it is given.

    Args:
        network: left as it was, its stored gradients included.
        images: ``(sample, channel, height, width)`` in [0, 1], or ``(sample, feature)``.
        labels: ``(sample,)`` class codes.

    Raises:
        InvalidData: images or labels that do not fit the network.
        InvalidArgument: a circuit with shots, which has no exact gradient.

    Example:
        >>> from bezoar.models.hybrid import NetworkSettings, build_network
        >>> network = build_network(NetworkSettings(n_classes=10, head="quantum"), seed=0)
        >>> images = np.zeros((2, 3, 32, 32), np.float32)
        >>> found = gradient_statistics(network, images, np.array([0, 1]))
        >>> [layer.n_weights for layer in found.fully_connected]
        [640, 60, 100]
    """
    if network.settings is not None and network.settings.shots is not None:
        raise InvalidArgument(
            "shots", wanted="none for exact gradients", got=network.settings.shots
        )
    images = checked_images(network, images)
    codes = checked_labels(network, images, labels)
    names, weights = zip(*network.named_parameters(), strict=True)
    gradients = [torch.zeros_like(w) for w in weights]
    device = device_of(network)
    with in_evaluation(network), torch.enable_grad():
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            logits = network(as_tensor(images[part]).to(device))
            answers = torch.from_numpy(codes[part]).to(device)
            loss = cross_entropy(logits, answers, reduction="sum") / len(images)
            for whole, part_of_it in zip(
                gradients, torch.autograd.grad(loss, weights), strict=True
            ):
                whole.add_(part_of_it)
    layers = tuple(_statistics(n, g) for n, g in zip(names, gradients, strict=True))
    by_name = {layer.name: layer for layer in layers}
    wanted = network.head.fully_connected if isinstance(network.head, Head) else ()
    return NetworkGradients(
        layers=layers,
        total=_statistics("total", torch.cat([g.flatten() for g in gradients])),
        fully_connected=tuple(by_name[f"head.{name}"] for name in wanted),
    )


def _statistics(name: str, gradient: Tensor) -> GradientStatistics:
    values = gradient.detach().cpu().numpy().astype(np.float64)
    return GradientStatistics(
        name=name,
        n_weights=values.size,
        norm=float(np.linalg.norm(values)),
        mean=float(values.mean()),
        maximum=float(values.max()),
        minimum=float(values.min()),
    )
