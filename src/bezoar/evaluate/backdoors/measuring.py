"""The numbers of one trained network; JSON values, as cells store them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.truth import PoisonTruth
from bezoar.evaluate.backdoors.materials import Materials, spread
from bezoar.evaluate.metrics.backdoor import wanted_rate
from bezoar.evaluate.metrics.image_quality import image_quality
from bezoar.models.hybrid.fit_settings import History
from bezoar.models.hybrid.gradient_statistics import gradient_statistics
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.scoring import logits_of

# Of what is stored of a trigger's quality.
QUALITY_VERSION = 3
# A mean over a few hundred images has three digits.
_QUALITY_IMAGES = 256


def predicted(network: nn.Module, data: Dataset, precision: str = "float32") -> IntArray:
    """The most probable class of each sample, ``(sample,)``."""
    return logits_of(network, data.features, precision=precision).argmax(axis=1)


def success(
    network: nn.Module, backdoor: Backdoor, test: Dataset, precision: str = "float32"
) -> dict[str, float]:
    """Attack success on triggered samples of other classes, and the leak on the same, untouched.

    Args:
        network: the victim.
        backdoor: whose challenge it is.
        test: clean test samples.
        precision: as in `logits_of`; float32 gives the same numbers on every processor.
    """
    challenge = backdoor.challenge(test)
    untouched = test.take(challenge.data.ids)
    return {
        "attack_success_rate": wanted_rate(
            predicted(network, challenge.data, precision), challenge.wanted
        ),
        "leak": wanted_rate(predicted(network, untouched, precision), challenge.wanted),
        "challenged": float(len(challenge.wanted)),
    }


def accuracy(network: nn.Module, test: Dataset, precision: str = "float32") -> float:
    """The share of samples that are predicted right."""
    return float(np.mean(predicted(network, test, precision) == test.labels))


def quality(backdoor: Backdoor, test: Dataset) -> dict[str, float]:
    """How much the trigger changes an image: means over at most 256 test images."""
    chosen = spread(backdoor.challenge(test).data, _QUALITY_IMAGES).ids
    clean = test.take(chosen).features
    triggered = backdoor.trigger.apply(clean)
    if clean.ndim == 2:
        change = np.abs(triggered - clean)
        return {
            "l2": float(np.sqrt((change**2).sum(axis=1)).mean()),
            "linf": float(change.max(axis=1).mean()),
        }
    return {
        # A patch may leave an image as it was, whose PSNR is infinite: means cap it.
        **image_quality(clean, triggered).means(),
    }


def gradients(network: HybridNetwork, train: Dataset) -> dict[str, Any]:
    """Parameters and gradient norms of the head's layers, and of the whole network."""
    found = gradient_statistics(network, train.features, train.labels)
    return {
        "layers": [
            {"layer": layer.name, "parameters": layer.n_weights, "norm": layer.norm}
            for layer in found.fully_connected
        ],
        "totals": {
            "parameters": float(found.total.n_weights),
            "norm": found.total.norm,
            "mean": found.total.mean,
            "max": found.total.maximum,
            "min": found.total.minimum,
        },
    }


def losses(
    history: History, train: Dataset, truth: PoisonTruth | None
) -> dict[str, list[float | None]]:
    """The mean training loss of each epoch over untouched and over poisoned samples."""
    poisoned = np.zeros(len(train), dtype=bool)
    if truth is not None:
        poisoned[train.positions(truth.poisoned_ids)] = True
    found = {"clean": _by_epoch(history.losses[:, ~poisoned])}
    if poisoned.any():
        found["poisoned"] = _by_epoch(history.losses[:, poisoned])
    return found


def curve_hook(
    told: list[dict[str, float]],
    backdoor: Backdoor | None,
    materials: Materials,
    *,
    precision: str,
    after: int,
) -> Callable[[int, HybridNetwork], None]:
    """A hook that notes accuracy, attack success and leak after each epoch in `told`.

    The first `after` epochs, of the head alone, are left out.
    """

    def note(epoch: int, network: HybridNetwork) -> None:
        if epoch < after:
            return
        found = {"epoch": epoch + 1.0, "accuracy": accuracy(network, materials.test, precision)}
        if backdoor is not None:
            found |= success(network, backdoor, materials.test, precision)
        told.append(found)

    return note


def at_matched_loss(
    curves: Mapping[str, list[dict[str, float]]], clean_losses: Mapping[str, Sequence[float | None]]
) -> dict[str, dict[str, float]]:
    """Each head's attack success when all have learnt the clean samples equally well.

    The common loss is the highest of the heads' lowest training losses on untouched samples, which
    every head reaches; each head is read at its first epoch at or below it. What looks like
    robustness at equal epochs may be slower training; here it cannot.

    Args:
        curves: by head, as `curve_hook` notes them.
        clean_losses: by head, the training loss on untouched samples of each of these epochs.

    Returns:
        By head its entry of the curve, with ``matched_loss`` added; empty where a head has none.

    Example:
        >>> curve = [{"epoch": 1.0, "attack_success_rate": 0.1},
        ...          {"epoch": 2.0, "attack_success_rate": 0.7}]
        >>> found = at_matched_loss({"slow": curve, "fast": curve},
        ...                         {"slow": [0.9, 0.5], "fast": [0.5, 0.1]})
        >>> [found[head]["attack_success_rate"] for head in ("slow", "fast")]
        [0.7, 0.1]
    """
    lowest = {
        head: min((x for x in values if x is not None), default=None)
        for head, values in clean_losses.items()
    }
    if not lowest or any(value is None for value in lowest.values()):
        return {}
    common = max(value for value in lowest.values() if value is not None)
    found = {}
    for head, curve in curves.items():
        first = next(i for i, x in enumerate(clean_losses[head]) if x is not None and x <= common)
        found[head] = {**curve[first], "matched_loss": common}
    return found


def _by_epoch(table: FloatArray) -> list[float | None]:
    return [float(row[seen].mean()) if (seen := ~np.isnan(row)).any() else None for row in table]
