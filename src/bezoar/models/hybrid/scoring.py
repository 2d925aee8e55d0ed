"""What a network says of many images, and which images it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidData
from bezoar.models.circuits import whole_number
from bezoar.models.hybrid.network import HybridNetwork
from bezoar.models.hybrid.precision import autocast, check_precision

# Numbers of the images of one batch; the maps inside a ResNet are about five times as many.
_BATCH_NUMBERS = 1 << 23
# Clipped images may pass 1 by rounding.
_ROUNDING = 1e-5


def logits_of(
    network: nn.Module,
    images: FloatArray,
    *,
    batch_size: int = 256,
    precision: str = "float32",
) -> FloatArray:
    """What the network gives in evaluation, without gradients.

    Args:
        network: any module from images to logits; a `HybridNetwork` also checks its images.
        images: ``(sample, channel, height, width)`` in [0, 1], or ``(sample, feature)``.
        batch_size: images at a time, at most; large images go in smaller batches.
        precision: of the trunk. float32 by default, so that scores are the same on a processor
            with bfloat16 and on one without; ``auto`` is twice as fast on the former.

    Returns:
        Logits ``(sample, class)``, float32.

    Raises:
        InvalidData: images of another shape, NaN, or numbers outside [0, 1].
        InvalidArgument: a batch size or precision that is none.

    Example:
        >>> flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        >>> logits_of(flat, np.zeros((5, 1, 2, 2))).shape
        (5, 3)
    """
    check_precision(precision)
    batch_size = whole_number("batch_size", batch_size)
    images = checked_images(network, images)
    if not len(images):
        raise InvalidData("images", wanted="one or more", got="none")
    device = device_of(network)
    # Not inference_mode: what a layer keeps from it could not be trained with afterwards.
    with in_evaluation(network), torch.no_grad():
        parts = [
            _logits(network, part.to(device), precision).float().cpu()
            for part in batches(images, batch_size)
        ]
    return torch.cat(parts).detach().numpy()


def checked_images(network: nn.Module, images: npt.ArrayLike) -> FloatArray:
    """The images as a float array, if the network can take them.

    Raises:
        InvalidData: not numbers, NaN, another shape, or pixels outside [0, 1].
    """
    array = np.asarray(images)
    if array.dtype.kind not in "biuf":
        raise InvalidData("images", wanted="numbers", got=f"an array of {array.dtype}")
    settings = network.settings if isinstance(network, HybridNetwork) else None
    if settings is not None:
        size = settings.image_size
        wanted = (settings.channels, size, size)
        if settings.n_features is not None:
            wanted = (settings.n_features,)
        if array.shape[1:] != wanted:
            raise InvalidData(
                "images",
                wanted=f"shape (sample, {', '.join(map(str, wanted))}), as the network is made for",
                got=array.shape,
                mend="resize the images, or build the network for theirs",
            )
    elif array.ndim < 2:
        raise InvalidData("images", wanted="samples along the first axis", got=array.shape)
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    _check_range(array)
    return array


def checked_labels(
    network: nn.Module, images: FloatArray, labels: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """The labels as int64, if there is one for each image and a logit for each of them.

    Raises:
        InvalidData: not so.
    """
    codes = np.asarray(labels)
    if codes.dtype.kind not in "iu" or codes.shape != (len(images),):
        raise InvalidData(
            "labels",
            wanted=f"{len(images)} whole numbers, one for each image",
            got=f"{codes.dtype} of shape {codes.shape}",
        )
    if not len(codes):
        raise InvalidData("images", wanted="one or more", got="none")
    n_classes = logits_of(network, images[:1]).shape[1]
    if codes.min() < 0 or codes.max() >= n_classes:
        raise InvalidData(
            "labels",
            wanted=f"codes from 0 to {n_classes - 1}, as the network has {n_classes} logits",
            got=f"{codes.min()} to {codes.max()}",
        )
    return codes.astype(np.int64)


def batches(images: FloatArray, most: int) -> Iterator[Tensor]:
    """The images piece by piece, as float32 tensors."""
    step = min(most, max(1, _BATCH_NUMBERS // max(1, int(np.prod(images.shape[1:])))))
    for start in range(0, len(images), step):
        yield as_tensor(images[start : start + step])


def as_tensor(images: FloatArray) -> Tensor:
    """A float32 tensor of its own memory."""
    return torch.from_numpy(np.array(images, dtype=np.float32))


@contextmanager
def in_evaluation(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards each submodule's own mode again."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    first = next(iter(network.parameters()), None)
    return torch.device("cpu") if first is None else first.device


def _logits(network: nn.Module, x: Tensor, precision: str) -> Tensor:
    with autocast(precision, x.device):
        if not isinstance(network, HybridNetwork):
            return network(x)
        features = network.features(x)
    return network.head(features.float())


def _check_range(array: FloatArray) -> None:
    if not array.size:
        return
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InvalidData("images", wanted="finite numbers", got="NaN or infinity")
    if array.ndim == 4 and (low < -_ROUNDING or high > 1 + _ROUNDING):
        raise InvalidData(
            "images",
            wanted="numbers in [0, 1]",
            got=f"{low:.4g} to {high:.4g}",
            mend="divide 8-bit pixels by 255",
        )
