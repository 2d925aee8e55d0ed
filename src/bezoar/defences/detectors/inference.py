"""How detectors run a model that is not theirs."""

from __future__ import annotations

import torch
from torch import nn

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.precision import autocast


def run(model: nn.Module, batch: torch.Tensor, precision: str) -> object:
    """What the model returns for a batch.

    Args:
        model: in evaluation mode; gradients off.
        batch: ``(sample, ...)`` on the model's device.
        precision: of the whole model, or of a `HybridNetwork`'s trunk; its head computes in 32
            bits, as in `bezoar.models.hybrid.scoring.logits_of`.

    Raises:
        InvalidArgument: the model refuses the batch.
    """
    try:
        with autocast(precision, batch.device):
            if not isinstance(model, HybridNetwork):
                return model(batch)
            features = model.features(batch)
        return model.head(features.float())
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidArgument(
            "model",
            wanted=f"a model that takes a batch of shape {tuple(batch.shape)}",
            got=reason,
        ) from error


def logits_in(model: nn.Module, batch: torch.Tensor, precision: str) -> torch.Tensor:
    """The logits of one batch in 32 bits, ``(sample, class)``; arguments as in `run`.

    Raises:
        InvalidArgument: the model refuses the batch or does not return a matrix with its rows.
        InvalidData: a logit is NaN or infinite.
    """
    logits = run(model, batch, precision)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(batch):
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InvalidArgument("model", wanted="logits of shape (sample, class)", got=shape)
    if not torch.isfinite(logits).all():
        raise InvalidData("the model's logits", wanted="finite numbers", got="NaN or infinity")
    return logits.float()


def check_model(model: object) -> None:
    """Refuses what is no torch module.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(model, nn.Module):
        raise InvalidArgument("model", wanted="a torch.nn.Module", got=type(model).__name__)
