"""One door to images for networks: RGB squares in single precision, from a name or a folder."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import BezoarError, InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.data.features import check_seed
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.photos import PHOTO_SIZE, folder_photos, has_parts
from bezoar.data.pixels import Pixels, drawn
from bezoar.data.resizing import check_size, squares

_Loader = Callable[..., Any]


def load_images(
    source: str | os.PathLike[str],
    *,
    size: int | None = None,
    part: Literal["train", "test"] = "train",
    n_samples: int | None = None,
    seed: int = 0,
    classes: Sequence[str | int] | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Loads images as square RGB of one size, for image models.

    Grey images are repeated in three channels. The central square is kept and scaled by bicubic
    interpolation with antialiasing. Only samples that are drawn are opened or become floating
    point; every class is drawn in proportion, and the same call draws the same samples.

    A source is a registered data set of images (``mnist``, ``fashion-mnist``, ``kuzushiji-mnist``,
    ``emnist-letters``, ``cifar-10``, ``imagenette``, ``digits-rgb``, their subsets such as
    ``mnist-4`` with all samples of their classes), or the path of a folder with one sub-folder for
    each class, see `bezoar.data.photos.folder_photos`. Text that is a registered name means that
    set, so a folder of the same name is reached as ``./name``.

    A plug-in registers a callable that takes ``size`` and returns a `Dataset` of images in [0, 1];
    ``train``, ``n_samples``, ``classes``, ``seed``, ``folder`` and ``progress`` are passed if it
    takes them. It has a test part if it takes ``train``.

    Args:
        source: a name or the path of a folder.
        size: width and height, from 4 to 1024 pixels; None for what the set has (28 or 32), or 64
            for photographs.
        part: ``train`` or ``test``.
        n_samples: how many to draw; None takes all.
        seed: which ones are drawn.
        classes: names of the classes to keep, at least two; they get the codes 0, 1, ... in this
            order. None keeps all.
        folder: where the files of registered sets lie; None for BEZOAR_DATA, else our cache, which
            downloads fill.
        progress: told of downloads and of images read.

    Returns:
        Images ``(sample, 3, size, size)`` of float32 in [0, 1]. Ids are positions in the part's
        own order.

    Raises:
        UnknownName: neither a data set of images nor a folder, or an unknown class.
        InvalidArgument: a value out of range, or a test part of a set that has none.
        FileProblem: files are missing, damaged or no images; the message names them.

    Example:
        >>> data = load_images("digits-rgb", size=16, n_samples=20, classes=["3", "8"])
        >>> data.features.shape, str(data.features.dtype), data.counts().tolist()
        ((20, 3, 16, 16), 'float32', [10, 10])
    """
    if part not in ("train", "test"):
        raise UnknownName("part", part, ("train", "test"))
    if size is not None:
        size = check_size(size)
    check_seed(seed)
    asked: dict[str, Any] = {
        "classes": _class_names(classes),
        "n_samples": n_samples,
        "seed": int(seed),
    }
    train = part == "train"
    found = _resolved(source)
    if isinstance(found, Path):
        photos = folder_photos(found, train=train)
        return photos.dataset(size=PHOTO_SIZE if size is None else size, progress=progress, **asked)
    if isinstance(found, ImageSubset):
        asked["classes"] = asked["classes"] or found.classes
        for name in asked["classes"]:
            if name not in found.classes:
                raise UnknownName("class", name, found.classes)
        found = found.pool
    if isinstance(found, ImageSet):
        pixels = found.pixels(train=train, folder=folder, progress=progress)
        return _from_pixels(pixels, size, **asked)
    if not train and "train" not in inspect.signature(found).parameters:
        raise InvalidArgument(
            "part", wanted="train", got=part, mend=f"split the train part: {source} has no other"
        )
    given = {"size": size, "train": train, "folder": folder, "progress": progress}
    return _from_callable(str(source), found, given, **asked)


def has_test_part(source: str | os.PathLike[str]) -> bool:
    """Whether `load_images` knows a test part of this source.

    Raises:
        UnknownName: neither a data set of images nor a folder.
        FileProblem: a path that is no folder.

    Example:
        >>> has_test_part("cifar-10"), has_test_part("digits-rgb")
        (True, False)
    """
    found = _resolved(source)
    if isinstance(found, Path):
        return has_parts(found)
    if isinstance(found, ImageSet | ImageSubset):
        return True
    return "train" in inspect.signature(found).parameters


def _resolved(source: str | os.PathLike[str]) -> _Loader | Path:
    """What a registered name stands for, or a path."""
    if isinstance(source, str) and source in plugins.names("datasets"):
        loader = plugins.load("datasets", source)
        if _gives_images(loader):
            return loader
        raise UnknownName("images", source, _known())
    if isinstance(source, os.PathLike):
        return Path(source)
    # A bare word that is not there is more likely a misspelt name than a missing folder.
    if isinstance(source, str) and "\0" not in source and source.strip():
        is_path = "/" in source or os.sep in source or os.path.lexists(source)
        if is_path:
            return Path(source)
    raise UnknownName("images", source, _known())


def _gives_images(loader: object) -> bool:
    if isinstance(loader, ImageSet | ImageSubset):
        return True
    return callable(loader) and "size" in inspect.signature(loader).parameters


def _known() -> list[str]:
    known = []
    for name in plugins.names("datasets"):
        try:
            if _gives_images(plugins.load("datasets", name)):
                known.append(name)
        except BezoarError:
            continue  # a broken package of somebody else's is told when it is asked for
    return [*known, "or the path of a folder of images"]


def _class_names(classes: Sequence[str | int] | None) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if isinstance(classes, str):
        raise InvalidArgument(
            "classes", wanted="a sequence of class names", got=repr(classes), mend="use a list"
        )
    names = tuple(str(name) for name in classes)
    if len(names) < 2 or len(set(names)) != len(names):
        raise InvalidArgument("classes", wanted="at least two different classes", got=list(names))
    return names


def _from_pixels(pixels: Pixels, size: int | None, **asked: Any) -> Dataset:
    ids, codes, names = drawn(pixels.labels, pixels.class_names, **asked)
    side = min(pixels.images.shape[2:]) if size is None else size
    images = squares(pixels.images[ids], side)
    return Dataset(
        features=np.divide(images, 255, dtype=np.float32),
        labels=codes,
        ids=ids,
        class_names=names,
    )


def _from_callable(name: str, loader: _Loader, given: dict[str, Any], **asked: Any) -> Dataset:
    takes = inspect.signature(loader).parameters
    passed = {key: value for key, value in given.items() if key in takes and value is not None}
    # A set that can draw by itself opens no more than it must; else all of it, to draw from here.
    draws = set(asked) <= set(takes)
    if not draws and "n_samples" in takes:
        passed["n_samples"] = None
    data = loader(**passed, **(asked if draws else {}))
    if (
        not isinstance(data, Dataset)
        or data.features.ndim != 4
        or data.features.shape[1] not in (1, 3)
    ):
        raise BezoarError(
            f"data set {name!r} gave no images (sample, 1 or 3 channels, height, width); "
            "update the package that provides it"
        )
    if not draws:
        where, codes, names = drawn(data.labels, data.class_names, **asked)
        data = Dataset(
            features=data.features[where], labels=codes, ids=data.ids[where], class_names=names
        )
    return data.with_features(_rgb(data.features, given["size"]))


def _rgb(images: FloatArray, size: int | None) -> FloatArray:
    """Grey or RGB images in [0, 1] as RGB squares; those that are such already lose no digit."""
    if len(images) and not 0 <= images.min() <= images.max() <= 1:
        raise InvalidData(
            "images", wanted="values in [0, 1]", got=f"{images.min():g} to {images.max():g}"
        )
    side = min(images.shape[2:]) if size is None else size
    if images.shape[1:] == (3, side, side):
        return images.astype(np.float32, copy=False)
    levels = np.rint(images * 255).astype(np.uint8)
    return np.divide(squares(levels, side), 255, dtype=np.float32)
