"""Where a network looks: Grad-CAM maps, and how alike two of them are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.evaluate.metrics.image_quality import ssim

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# Below this a map has no shape to correlate, only rounding.
_FLAT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapSimilarity:
    """How alike the maps of pairs of images are, each ``(sample,)``.

    Attributes:
        correlation: Pearson's, over pixels, in [-1, 1].
        ssim: as `bezoar.evaluate.metrics.image_quality.ssim`.
    """

    correlation: FloatArray
    ssim: FloatArray


def grad_cam(
    network: nn.Module,
    images: FloatArray,
    classes: npt.ArrayLike,
    *,
    layer: str | nn.Module,
    batch_size: int = 64,
) -> FloatArray:
    """Grad-CAM: the parts of each image whose features raise the score of a class.

    ``map = ReLU(sum_k a_k A_k)``, where ``A_k`` is the k-th feature map of the layer and ``a_k``
    the mean over its pixels of the gradient of the class score. Scaled up to the image bilinearly,
    then divided by its largest value; a map without a positive part is 0 everywhere. The network
    runs in evaluation mode; its mode, weights and their gradients stay as they were.

    Source: Selvaraju et al., International Journal of Computer Vision 128, 2019, equations 1 and
    2, through captum's LayerGradCam.

    Args:
        network: maps images to scores ``(sample, class)``.
        images: ``(sample, channel, height, width)``, as the network takes them.
        classes: ``(sample,)`` codes of the class to explain, or one code for all.
        layer: a convolution of the network, or its name in ``network.get_submodule``; for a hybrid
            network of ours ``network.trunk.last_convolution``. It should keep several pixels: a
            map of 1 x 1, as a ResNet of four stages has for images of 32 pixels, says nothing.
        batch_size: images at a time.

    Returns:
        ``(sample, height, width)`` of float32 in [0, 1].

    Raises:
        InvalidArgument: no such layer, one without feature maps, codes that do not fit.
        InvalidData: no images, or scores or gradients that are not finite.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
        >>> grad_cam(network, np.ones((5, 1, 8, 8)), 1, layer="0").shape
        (5, 8, 8)
    """
    import torch

    array = np.asarray(images, dtype=np.float32)
    if array.ndim != 4 or not array.size:
        raise InvalidData(
            "images",
            wanted="one or more images (sample, channel, height, width)",
            got=f"shape {array.shape}",
        )
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidArgument("batch_size", wanted="a whole number, 1 or more", got=batch_size)
    module = _module(network, layer)
    first = next(network.parameters(), None)
    device = torch.device("cpu") if first is None else first.device
    maps = np.empty((len(array), *array.shape[2:]), np.float32)
    with _evaluating(network), torch.inference_mode(mode=False), torch.enable_grad():
        codes = _codes(network, array, classes, device)
        for start in range(0, len(array), batch_size):
            part = slice(start, start + batch_size)
            # The copy keeps torch from sharing memory that may not be written.
            batch = torch.from_numpy(array[part].copy()).to(device).requires_grad_()
            maps[part] = _maps(network, module, batch, codes[part]).cpu().numpy()
    if not np.isfinite(maps).all():
        raise InvalidData(
            "network", wanted="finite gradients", got="NaN or infinity", mend="train it again"
        )
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)


def similarity(clean: FloatArray, triggered: FloatArray) -> MapSimilarity:
    """How alike the maps of clean images and of the same images with a trigger are.

    A constant map has no correlation with any: two constant maps count as 1, as both point nowhere,
    and a constant with another as 0.

    Args:
        clean, triggered: ``(sample, height, width)`` in [0, 1], at least 3 x 3 pixels.

    Raises:
        InvalidData: no maps, other shapes, or values that are not in [0, 1].

    Example:
        >>> maps = np.random.default_rng(0).random((2, 8, 8))
        >>> similarity(maps, 1 - maps).correlation.round(9).tolist()
        [-1.0, -1.0]
    """
    one, other = (np.asarray(maps) for maps in (clean, triggered))
    for name, maps in (("clean", one), ("triggered", other)):
        if maps.ndim != 3:
            raise InvalidData(name, wanted="maps (sample, height, width)", got=maps.shape)
    structural = ssim(one[:, np.newaxis], other[:, np.newaxis])
    centred = []
    for maps in (one, other):
        flat = maps.reshape(len(maps), -1).astype(np.float64)
        centred.append(flat - flat.mean(axis=1, keepdims=True))
    spread = [np.sqrt((flat**2).mean(axis=1)) for flat in centred]
    flat_one, flat_other = (s < _FLAT for s in spread)
    product = (centred[0] * centred[1]).mean(axis=1)
    scale = np.where(flat_one | flat_other, 1.0, spread[0] * spread[1])
    correlation = np.clip(product / scale, -1, 1)
    correlation[flat_one | flat_other] = 0.0
    correlation[flat_one & flat_other] = 1.0
    return MapSimilarity(correlation=correlation, ssim=structural)


def _maps(network: nn.Module, module: nn.Module, batch: Tensor, codes: Tensor) -> Tensor:
    import torch
    from captum.attr import LayerGradCam
    from torch.nn.functional import interpolate

    maps = LayerGradCam(network, module).attribute(batch, target=codes, relu_attributions=True)
    # A layer with several outputs gives a tuple.
    if not isinstance(maps, torch.Tensor) or maps.ndim != 4:
        raise InvalidArgument(
            "layer",
            wanted="one that gives feature maps (sample, channel, height, width)",
            got=type(module).__name__,
            mend="name a convolution",
        )
    scaled = interpolate(
        maps.detach().float(), size=batch.shape[2:], mode="bilinear", align_corners=False
    )
    return scaled[:, 0]


def _module(network: nn.Module, layer: str | nn.Module) -> nn.Module:
    if not isinstance(layer, str):
        if not any(module is layer for module in network.modules()):
            raise InvalidArgument("layer", wanted="a part of the network", got=type(layer).__name__)
        return layer
    try:
        return network.get_submodule(layer)
    except AttributeError as error:
        known = [name for name, _ in network.named_modules() if name]
        raise UnknownName("layer", layer, known) from error


def _codes(
    network: nn.Module, images: FloatArray, classes: npt.ArrayLike, device: torch.device
) -> Tensor:
    import torch

    codes = np.asarray(classes)
    with torch.no_grad():
        n_classes = network(torch.from_numpy(images[:1].copy()).to(device)).shape[-1]
    if (
        codes.dtype.kind not in "iu"
        or codes.shape not in ((), (len(images),))
        or codes.min() < 0
        or codes.max() >= n_classes
    ):
        raise InvalidArgument(
            "classes",
            wanted=f"one code from 0 to {n_classes - 1} for each of {len(images)} images",
            got=classes,
        )
    full = np.broadcast_to(codes, len(images)).astype(np.int64)
    return torch.from_numpy(full).to(device)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for as long as the block runs, each part back as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
