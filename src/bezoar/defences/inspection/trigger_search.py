"""The smallest mask and pattern that send all images to a class, for many classes at once."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress
from bezoar.contracts.seeds import generator
from bezoar.defences.detectors.inference import logits_in
from bezoar.defences.inspection.mask_weight import MaskWeight
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.precision import Precision, check_precision
from bezoar.models.hybrid.scoring import as_tensor, device_of

_BETAS = (0.5, 0.9)
# tanh is 1 in float32 from about 9 on; a start at 0 or 1 exactly would have no gradient.
_EDGE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How the triggers are searched for.

    Attributes:
        steps: updates for each seed and class, at most.
        batch_size: images in each update, the same for all classes.
        success: the share of images that a trigger must send to its class, in (0, 1].
        learning_rate: Adam's, on the numbers before the tanh; its betas are (0.5, 0.9).
        first_weight, factor, patience: of the mask's size, see
            `bezoar.defences.inspection.mask_weight.MaskWeight`.
        round_steps: updates in a round, after which success is judged on the round's images.
        largest_forward: images in one forward pass, at most (one class is always in it).
        precision: ``float32``, ``bfloat16``, or ``auto`` for the faster on this processor; of a
            `bezoar.models.hybrid.network.HybridNetwork`'s trunk, or of the whole of another model.

    Raises:
        InvalidArgument: a number out of range.
        UnknownName: no such precision.
    """

    steps: int = 200
    batch_size: int = 16
    success: float = 0.99
    learning_rate: float = 0.1
    first_weight: float = 1e-3
    factor: float = 2.0
    patience: int = 2
    round_steps: int = 10
    largest_forward: int = 256
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "patience", "round_steps", "largest_forward"):
            whole_number(name, getattr(self, name))
        for name in ("success", "learning_rate", "first_weight", "factor"):
            positive_number(name, getattr(self, name))
        if self.success > 1:
            raise InvalidArgument("success", wanted="a share in (0, 1]", got=self.success)
        if self.factor <= 1:
            raise InvalidArgument("factor", wanted="a number above 1", got=self.factor)
        check_precision(self.precision)


def positive_number(name: str, value: float) -> None:
    """Checks that a setting is finite and above 0.

    Raises:
        InvalidArgument: it is not.
    """
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise InvalidArgument(name, wanted="a number above 0", got=repr(value))


class Triggers(NamedTuple):
    """What a search found for each class.

    Attributes:
        masks: ``(class, height, width)`` in [0, 1].
        patterns: ``(class, channel, height, width)`` in [0, 1].
        norms: ``(class,)``, the sum of each mask.
        success: ``(class,)``, the share of all images that the trigger sends to the class.
        reached: ``(class,)``, whether a round of the search met the wanted success.
    """

    masks: FloatArray
    patterns: FloatArray
    norms: FloatArray
    success: FloatArray
    reached: npt.NDArray[np.bool_]


def apply_trigger(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """``(1 - mask) images + mask pattern``; `mask` without a channel axis, any leading axes."""
    spread = mask.unsqueeze(-3)
    return (1 - spread) * images + spread * pattern


class TriggerSearch:
    """One search over a frozen copy of the model; the model itself is not touched.

    Args:
        model: any module that maps ``(image, channel, height, width)`` to logits.
        images: ``(image, channel, height, width)`` in [0, 1].
        settings: how to search.
    """

    def __init__(self, model: nn.Module, images: FloatArray, settings: SearchSettings) -> None:
        self._settings = settings
        # Only the gradients of the inputs are wanted.
        self._model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._device = device_of(self._model)
        self._images = as_tensor(images).to(self._device)
        self._n_together = max(1, settings.largest_forward // settings.batch_size)

    def run(
        self, classes: Sequence[int], *, seed: int, number: int, task: str, progress: Progress
    ) -> Triggers:
        """Searches from start number `number`; each class has a stream of its own for its start.

        Raises:
            InvalidArgument: the model does not take the images, or has no gradients in them.
            InvalidData: its logits or their gradients are not finite.
        """
        settings = self._settings
        targets = torch.tensor(classes, device=self._device)
        raw_masks, raw_patterns = self._starts(classes, seed, number)
        optimiser = torch.optim.Adam(
            [raw_masks, raw_patterns], lr=settings.learning_rate, betas=_BETAS
        )
        weight = MaskWeight(
            len(classes),
            first=settings.first_weight,
            factor=settings.factor,
            patience=settings.patience,
            success=settings.success,
        )
        batches = self._batches(generator(seed, "neural-cleanse", number, "batches"))
        masks, patterns = _squash(raw_masks).detach(), _squash(raw_patterns).detach()
        done = 0
        while done < settings.steps and not weight.finished.all():
            n_steps = min(settings.round_steps, settings.steps - done)
            hits = np.zeros(len(classes))
            active = np.flatnonzero(~weight.finished)
            for _ in range(n_steps):
                optimiser.zero_grad()
                hits[active] += self._step(
                    next(batches), raw_masks, raw_patterns, targets, active, weight.weights
                )
                optimiser.step()
            done += n_steps
            now = _squash(raw_masks).detach()
            better = weight.update(hits / n_steps, _norms(now))
            # Until one succeeds the last mask is kept, as in the authors' programme.
            kept = torch.tensor(better | np.isinf(weight.best_norms), device=self._device)
            masks = torch.where(kept[:, None, None], now, masks)
            new_patterns = _squash(raw_patterns).detach()
            patterns = torch.where(kept[:, None, None, None], new_patterns, patterns)
            progress(task, done, settings.steps)
        return Triggers(
            masks=masks.double().cpu().numpy(),
            patterns=patterns.double().cpu().numpy(),
            norms=_norms(masks),
            success=self._success(masks, patterns, targets),
            reached=np.isfinite(weight.best_norms),
        )

    def _starts(self, classes: Sequence[int], seed: int, number: int) -> tuple[Tensor, Tensor]:
        """Uniform masks and patterns before `_squash`; a class keeps its own in any company."""
        shape = self._images.shape[1:]
        streams = [generator(seed, "neural-cleanse", number, "start", code) for code in classes]
        masks = np.stack([rng.uniform(_EDGE, 1 - _EDGE, shape[1:]) for rng in streams])
        patterns = np.stack([rng.uniform(_EDGE, 1 - _EDGE, shape) for rng in streams])
        raw_masks, raw_patterns = (
            torch.tensor(np.arctanh(2 * start - 1), dtype=torch.float32, device=self._device)
            for start in (masks, patterns)
        )
        return raw_masks.requires_grad_(), raw_patterns.requires_grad_()

    def _batches(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """Batches without end: the images in random order, again and again."""
        size = min(self._settings.batch_size, len(self._images))
        waiting = np.zeros(0, dtype=np.int64)
        while True:
            while len(waiting) < size:
                waiting = np.concatenate([waiting, rng.permutation(len(self._images))])
            yield self._images[torch.tensor(waiting[:size], device=self._device)]
            waiting = waiting[size:]

    def _step(
        self,
        batch: Tensor,
        raw_masks: Tensor,
        raw_patterns: Tensor,
        targets: Tensor,
        active: npt.NDArray[np.int64],
        weights: FloatArray,
    ) -> FloatArray:
        """Adds up the gradients of the active classes; returns the success of each in the batch."""
        success = []
        for start in range(0, len(active), self._n_together):
            part = torch.tensor(active[start : start + self._n_together], device=self._device)
            masks = _squash(raw_masks[part])
            logits = self._logits(batch, masks, _squash(raw_patterns[part]))
            wanted = targets[part][:, None].expand(logits.shape[:2])
            misses = nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted.flatten(), reduction="none"
            )
            cost = torch.tensor(weights, dtype=torch.float32, device=self._device)[part]
            loss = misses.view_as(wanted).mean(dim=1) + cost * masks.sum(dim=(1, 2))
            loss.sum().backward()
            _check_gradients(logits, raw_masks, raw_patterns)
            success.append((logits.argmax(dim=2) == wanted).double().mean(dim=1).cpu().numpy())
        return np.concatenate(success)

    def _logits(self, batch: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
        """Logits ``(class, image, output)`` of each image under each trigger."""
        triggered = apply_trigger(batch[None], masks[:, None], patterns[:, None]).flatten(0, 1)
        # The order of memory in which convolutions on a processor are fastest.
        triggered = triggered.contiguous(memory_format=torch.channels_last)
        logits = logits_in(self._model, triggered, self._settings.precision)
        return logits.unflatten(0, (len(masks), len(batch)))

    @torch.no_grad()
    def _success(self, masks: Tensor, patterns: Tensor, targets: Tensor) -> FloatArray:
        shares = []
        for mask, pattern, target in zip(masks, patterns, targets, strict=True):
            hits = sum(
                (self._logits(batch, mask[None], pattern[None]).argmax(dim=2) == target).sum()
                for batch in self._images.split(self._settings.largest_forward)
            )
            shares.append(float(hits) / len(self._images))
        return np.array(shares)


def _squash(raw: Tensor) -> Tensor:
    return torch.tanh(raw) / 2 + 0.5


def _norms(masks: Tensor) -> FloatArray:
    return masks.double().sum(dim=(1, 2)).cpu().numpy()


def _check_gradients(logits: Tensor, *raw: Tensor) -> None:
    if not logits.requires_grad:
        raise InvalidArgument(
            "model", wanted="logits that have gradients in the images", got="logits without"
        )
    if not all(each.grad is not None and bool(torch.isfinite(each.grad).all()) for each in raw):
        raise InvalidData("the model's gradients", wanted="finite numbers", got="NaN or infinity")
