"""Triggers in torch pipelines: as a transform, and as a poisoned data set."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import get_worker_info

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.attacks.backdoors.settings import number
from bezoar.attacks.backdoors.trigger import Trigger
from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.seeds import generator


class TriggerTransform(nn.Module):
    """A trigger as a step of a torch or torchvision pipeline.

    Put it after the images are floats in [0, 1] and before they are normalised. No gradient flows
    through it.

    Args:
        trigger: what is put on the images.
        p: probability that an image gets it, in [0, 1], drawn for each image on its own.
        seed: of these draws; torch's global generator stays untouched. The workers of a DataLoader
            draw from streams of their own, other ones in each epoch.

    Raises:
        InvalidArgument: `p` is no probability.

    Example:
        >>> from bezoar.attacks.backdoors.patch import Patch
        >>> TriggerTransform(Patch(size=1))(torch.zeros(1, 2, 2)).tolist()
        [[[0.0, 0.0], [0.0, 1.0]]]
    """

    def __init__(self, trigger: Trigger, p: float = 1.0, *, seed: int = 0) -> None:
        super().__init__()
        self.trigger = trigger
        self.p = number("p", p, 0, 1)
        self.seed = seed
        self._stream: tuple[int, np.random.Generator] | None = None

    def forward(self, images: Tensor) -> Tensor:
        """The images, some of them triggered; a new tensor of the same shape, type and device.

        Args:
            images: ``(channel, height, width)`` or ``(sample, channel, height, width)`` in [0, 1];
                ``(feature,)`` or ``(sample, feature)`` for the trigger of tables.

        Raises:
            InvalidData: not such a tensor.
        """
        single = _is_single(images)
        batch = images.detach().unsqueeze(0) if single else images.detach()
        chosen = np.ones(len(batch), dtype=bool)
        if self.p < 1:
            chosen = self._draws().random(len(batch)) < self.p
        if chosen.all():
            triggered = _triggered(self.trigger, batch)
        else:
            triggered = batch.clone()
            where = torch.from_numpy(np.flatnonzero(chosen)).to(batch.device)
            triggered[where] = _triggered(self.trigger, batch[where])
        return triggered[0] if single else triggered

    def extra_repr(self) -> str:
        """What torch prints between the brackets."""
        return f"{self.trigger.spec}, p={self.p:g}"

    def _draws(self) -> np.random.Generator:
        worker = get_worker_info()
        key = -1 if worker is None else worker.seed
        if self._stream is None or self._stream[0] != key:
            self._stream = key, generator(self.seed, "trigger-transform", key)
        return self._stream[1]


class PoisonedDataset(TorchDataset[tuple[Tensor, int]]):
    """Any torch data set of ``(image, label)``, poisoned as it is read.

    Sample i has the id i. Which samples are changed, and how, is what ``Backdoor.poison`` does to
    the same samples with ``bezoar.contracts.seeds.generator(seed, "attack")``, to rounding.

    Args:
        dataset: of images as tensors or arrays ``(channel, height, width)``, floats in [0, 1], or
            ``(feature,)`` for the trigger of tables, each with a whole number as label.
        backdoor: what poisons it.
        seed: of the draw.
        n_classes: how many classes there are; what the data set has as ``classes`` if not given,
            and else one more than its largest label.

    Labels are taken from the ``targets`` of the data set where it has them and no
    ``target_transform``; else every sample is read once.

    Attributes:
        targets: the labels after poisoning, ``(sample,)``.
        poisoned: positions of the samples with trigger and wanted label, ``(poisoned,)``.
        covers: positions of the cover samples, ``(cover,)``.

    Raises:
        InvalidData: samples that are no such pairs; and all that ``Backdoor.poison`` refuses.
    """

    targets: IntArray
    poisoned: IntArray
    covers: IntArray

    def __init__(
        self,
        dataset: TorchDataset[Any],
        backdoor: Backdoor,
        seed: int = 0,
        *,
        n_classes: int | None = None,
    ) -> None:
        if not isinstance(dataset, Sized):
            raise InvalidArgument(
                "dataset", wanted="a data set with a length", got=type(dataset).__name__
            )
        self.dataset = dataset
        self.backdoor = backdoor
        self._clean = _labels_of(dataset, len(dataset))
        if n_classes is None:
            n_classes = _class_count(dataset, self._clean)
        elif len(self._clean) and self._clean.max() >= n_classes:
            raise InvalidArgument(
                "n_classes",
                wanted=f"more than the largest label {self._clean.max()}",
                got=n_classes,
            )
        choice = backdoor.choose(
            self._clean,
            np.arange(len(self._clean)),
            n_classes=n_classes,
            rng=generator(seed, "attack"),
        )
        self.poisoned, self.covers = choice.poisoned, choice.covers
        self._seeds = dict(zip(choice.covers.tolist(), choice.seeds.tolist(), strict=True))
        self._triggered = frozenset(choice.poisoned.tolist())
        targets = self._clean.copy()
        targets[choice.poisoned] = backdoor.wanted(self._clean[choice.poisoned], n_classes)
        targets.setflags(write=False)
        self.targets = targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        position = range(len(self))[index]
        image, label = _pair(self.dataset, position)
        if label != self._clean[position]:
            raise InvalidData(
                f"label of sample {position}",
                wanted=f"{self._clean[position]}, as when the samples to poison were chosen",
                got=label,
                mend="give the data set labels that stay the same",
            )
        if position in self._triggered:
            image = _triggered(self.backdoor.trigger, image.unsqueeze(0))[0]
        elif position in self._seeds:
            seeds = np.array([self._seeds[position]])
            covered = self.backdoor.cover_samples(_as_array(image.unsqueeze(0)), seeds)
            image = torch.from_numpy(covered).to(image.dtype)[0]
        return image, int(self.targets[position])


def _triggered(trigger: Trigger, batch: Tensor) -> Tensor:
    return torch.from_numpy(trigger.apply(_as_array(batch))).to(batch.device, batch.dtype)


def _as_array(batch: Tensor) -> np.ndarray:
    if not batch.is_floating_point():
        raise InvalidData(
            "images",
            wanted="floating-point tensors in [0, 1]",
            got=str(batch.dtype),
            mend="convert them first, for example with ToTensor or ToDtype(scale=True)",
        )
    wide = batch if batch.dtype in (torch.float32, torch.float64) else batch.float()
    return wide.cpu().numpy()


def _is_single(images: object) -> bool:
    if not isinstance(images, Tensor) or images.ndim not in (1, 2, 3, 4):
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise InvalidData(
            "images",
            wanted="a tensor (channel, height, width) or (sample, channel, height, width)",
            got=got,
            mend="convert the image to a tensor first, for example with ToTensor",
        )
    return images.ndim in (1, 3)


def _labels_of(dataset: Any, n_samples: int) -> IntArray:
    known = getattr(dataset, "targets", None)
    if known is not None and getattr(dataset, "target_transform", None) is None:
        labels = np.asarray(known)
        if labels.shape == (n_samples,) and labels.dtype.kind in "iu":
            return _checked(labels)
    return _checked(np.array([_pair(dataset, i)[1] for i in range(n_samples)], dtype=np.int64))


def _checked(labels: np.ndarray) -> IntArray:
    if len(labels) and labels.min() < 0:
        raise InvalidData("labels", wanted="class codes from 0", got=int(labels.min()))
    return labels.astype(np.int64)


def _class_count(dataset: Any, labels: IntArray) -> int:
    largest = int(labels.max()) + 1 if len(labels) else 0
    classes = getattr(dataset, "classes", None)
    return max(len(classes), largest) if isinstance(classes, Sized) else largest


def _pair(dataset: Any, position: int) -> tuple[Tensor, int]:
    sample = dataset[position]
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        raise InvalidData(
            f"sample {position}", wanted="an image and its label", got=type(sample).__name__
        )
    image, label = sample
    if isinstance(image, np.ndarray):
        image = torch.tensor(image)
    if not isinstance(image, Tensor) or image.ndim not in (1, 3):
        raise InvalidData(
            f"image of sample {position}",
            wanted="a tensor (channel, height, width)",
            got=tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__,
            mend="give the data set a transform to tensors, for example ToTensor",
        )
    try:
        code = int(label)
    except (TypeError, ValueError, RuntimeError):
        code = -1
    if code < 0 or code != label:
        raise InvalidData(
            f"label of sample {position}", wanted="a whole number, 0 or more", got=repr(label)
        )
    return image, code
