"""Data sets of torch as ours, and ours as theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.features import check_seed
from bezoar.data.pixels import drawn

if TYPE_CHECKING:
    from torch.utils.data import TensorDataset


def from_torch(
    dataset: Any,
    *,
    n_samples: int | None = None,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Takes labelled images out of any map-style data set of torch.

    An item is ``(image, label)``. The image is a tensor ``(channel, height, width)`` or
    ``(height, width)``, floating point in [0, 1] or 8-bit, or a Pillow image, which becomes RGB.
    All images must have one shape. Where the labels can be had without the images, as
    ``dataset.targets`` or ``dataset.labels``, only drawn items are read.

    Args:
        dataset: has a length and items.
        n_samples: how many to draw, every class in proportion; None takes all.
        seed: which ones.
        class_names: the name of each label; None for ``dataset.classes``, or else the numbers.

    Returns:
        Images ``(sample, channel, height, width)`` of float32 in [0, 1]; ids are positions in
        `dataset`.

    Raises:
        InvalidArgument: `dataset` has no length or is empty, or `n_samples` cannot be drawn.
        InvalidData: an item that is no labelled image as above; the message says which.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> theirs = TensorDataset(torch.rand(6, 3, 8, 8), torch.arange(6) % 2)
        >>> from_torch(theirs, n_samples=4, class_names=("cat", "dog")).counts().tolist()
        [2, 2]
    """
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__") or not len(dataset):
        raise InvalidArgument(
            "dataset",
            wanted="a torch Dataset with a length and at least one item",
            got=type(dataset).__name__,
            mend="an IterableDataset has no positions; read it into a TensorDataset first",
        )
    check_seed(seed)
    labels = _labels(dataset)
    names = _names(dataset, labels, class_names)
    where, codes, _ = drawn(labels, names, n_samples=n_samples, seed=seed)
    first, _ = _item(dataset, int(where[0]))
    images = np.empty((len(where), *first.shape), np.float32)
    for row, (position, label) in enumerate(zip(where.tolist(), codes.tolist(), strict=True)):
        image, found = _item(dataset, position)
        if image.shape != first.shape:
            raise InvalidData(
                f"item {position}",
                wanted=f"shape {first.shape}, as item {where[0]} has",
                got=image.shape,
                mend="add a resizing step to the transform of the data set",
            )
        if found != label:
            raise InvalidData(
                f"item {position}",
                wanted=f"label {label}, as its list of labels says",
                got=found,
                mend="the data set must give the same labels each time",
            )
        images[row] = image
    return Dataset(features=images, labels=codes, ids=where, class_names=names)


def to_torch(data: Dataset) -> TensorDataset:
    """Samples as pairs of tensors, for a `torch.utils.data.DataLoader`.

    Args:
        data: images or flat features.

    Returns:
        Features of float32 with the shape that they have, and labels ``(sample,)`` of int64;
        copies, which may be written to.

    Example:
        >>> data = Dataset(features=[[0.0], [1.0]], labels=[0, 1], ids=[7, 8],
        ...                class_names=("cat", "dog"))
        >>> features, label = to_torch(data)[1]
        >>> features.tolist(), label.item()
        ([1.0], 1)
    """
    import torch
    from torch.utils.data import TensorDataset

    return TensorDataset(
        torch.from_numpy(data.features.astype(np.float32)),
        torch.from_numpy(data.labels.astype(np.int64)),
    )


def _labels(dataset: Any) -> IntArray:
    for name in ("targets", "labels"):
        listed = getattr(dataset, name, None)
        if listed is None or len(listed) != len(dataset):
            continue
        array = np.asarray(listed)
        if array.ndim == 1 and array.dtype.kind in "iu" and array.min() >= 0:
            return array.astype(np.int64)
    return np.array([_pair(dataset, i)[1] for i in range(len(dataset))], dtype=np.int64)


def _names(dataset: Any, labels: IntArray, class_names: Sequence[str] | None) -> tuple[str, ...]:
    largest = int(labels.max())
    given = class_names if class_names is not None else getattr(dataset, "classes", None)
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) > largest:
        return tuple(str(name) for name in given)
    if class_names is not None:
        raise InvalidArgument(
            "class_names",
            wanted=f"{largest + 1} names or more, as labels go up to {largest}",
            got=class_names,
        )
    return tuple(str(code) for code in range(largest + 1))


def _pair(dataset: Any, position: int) -> tuple[Any, int]:
    item = dataset[position]
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise InvalidData(
            f"item {position}", wanted="a pair (image, label)", got=type(item).__name__
        )
    label = np.asarray(item[1])
    if label.size != 1 or label.dtype.kind not in "iu" or label.item() < 0:
        raise InvalidData(
            f"item {position}", wanted="a label that is a whole number, 0 or more", got=item[1]
        )
    return item[0], int(label.item())


def _item(dataset: Any, position: int) -> tuple[FloatArray, int]:
    image, label = _pair(dataset, position)
    from PIL import Image

    if isinstance(image, Image.Image):
        image = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    detach = getattr(image, "detach", None)
    array = np.asarray(image if detach is None else detach().cpu())
    array = array[np.newaxis] if array.ndim == 2 else array
    if array.dtype == np.uint8:
        array = np.divide(array, 255, dtype=np.float32)
    problem = _problem(array)
    if problem:
        raise InvalidData(
            f"item {position}",
            wanted="an image (channel, height, width) in [0, 1]",
            got=problem,
            mend="leave a normalisation out of the transform of the data set"
            if array.ndim == 3
            else "",
        )
    return array.astype(np.float32), label


def _problem(array: FloatArray) -> str:
    """Why an array is no image, "" if it is one."""
    if array.ndim != 3 or not array.size or array.dtype.kind != "f":
        return f"{array.dtype} of shape {array.shape}"
    if not np.isfinite(array).all():
        return "NaN or infinite values"
    low, high = float(array.min()), float(array.max())
    return "" if low >= 0 and high <= 1 else f"values from {low:.3g} to {high:.3g}"
