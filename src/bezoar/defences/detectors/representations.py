"""What a network makes of each sample at one of its layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.defences.detectors.inference import check_model, run
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.precision import check_precision
from bezoar.models.hybrid.scoring import batches, device_of, in_evaluation


def representations(
    model: nn.Module,
    features: FloatArray,
    *,
    layer: str | None = None,
    batch_size: int = 256,
    precision: str = "float32",
) -> FloatArray:
    """The representation of each sample, ``(sample, unit)``, float32.

    Args:
        model: maps features to logits.
        features: ``(sample, channel, height, width)`` in [0, 1], or ``(sample, feature)``.
        layer: the submodule (`torch.nn.Module.get_submodule`) whose *output* is taken. None takes
            what goes *into* the last linear layer, the penultimate representation; for a
            `HybridNetwork`, the pooled output of its trunk, since what goes into its last linear
            layer are a few bounded expectation values. Maps are averaged over their positions;
            other shapes are flattened. Of a layer that runs more than once the last run counts.
        batch_size: samples at a time.
        precision: ``float32``, ``bfloat16``, or ``auto`` for the faster on this processor.

    Raises:
        UnknownName: the model has no such submodule, or no such precision.
        InvalidArgument: it has no linear layer and `layer` is None; the layer did not run, or
            returned no tensor with a row for each sample; the model refuses the features.
        InvalidData: no sample, or a representation is NaN or infinite.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> images = np.zeros((5, 1, 2, 2), dtype=np.float32)
        >>> representations(model, images).shape, representations(model, images, layer="3").shape
        ((5, 3), (5, 2))
    """
    batch_size = whole_number("batch_size", batch_size)
    check_precision(precision)
    check_model(model)
    if not len(features):
        raise InvalidData("data", wanted="a sample or more", got="none")
    device = device_of(model)
    parts = []
    with _watching(model, layer) as (name, seen), in_evaluation(model), torch.no_grad():
        for part in batches(features, batch_size):
            seen.clear()
            run(model, part.to(device), precision)
            parts.append(_rows(seen[-1] if seen else None, len(part), name))
    found = torch.cat(parts).cpu().numpy()
    if not np.isfinite(found).all():
        raise InvalidData(
            "the model's representations", wanted="finite numbers", got="NaN or infinity"
        )
    return found


@contextlib.contextmanager
def _watching(model: nn.Module, layer: str | None) -> Iterator[tuple[str, list[Any]]]:
    """The name of the submodule that is watched, and a list that fills with what passes there."""
    seen: list[Any] = []
    if layer is None and not isinstance(model, HybridNetwork):
        name = _last_linear(model)
        handle = model.get_submodule(name).register_forward_pre_hook(
            lambda _module, inputs: seen.extend(inputs[:1])
        )
    else:
        name = "trunk" if layer is None else layer
        handle = _submodule(model, name).register_forward_hook(
            lambda _module, _inputs, output: seen.append(output)
        )
    try:
        yield name, seen
    finally:
        handle.remove()


def _rows(value: Any, n_samples: int, name: str) -> torch.Tensor:
    """One row for each sample, ``(sample, unit)``."""
    if not isinstance(value, torch.Tensor) or value.ndim < 2 or len(value) != n_samples:
        got = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise InvalidArgument(
            "layer",
            wanted="a submodule that runs with the model and has a row for each sample",
            got=f"{name!r}, which " + ("did not run" if value is None else f"gave {got}"),
        )
    flat = value.mean(dim=(2, 3)) if value.ndim == 4 else value.flatten(1)
    return flat.float()


def _last_linear(model: nn.Module) -> str:
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise InvalidArgument(
            "layer",
            wanted="the name of a submodule, as the model has no linear layer to go by",
            got="None",
        )
    return names[-1]


def _submodule(model: nn.Module, name: str) -> nn.Module:
    known = dict(model.named_modules())
    if name not in known:
        raise UnknownName("layer", name, [each for each in known if each])
    return known[name]
