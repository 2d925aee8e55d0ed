"""One door to samples: a registered name or a user's file."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarError, InvalidArgument, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.data.split import stratified_positions
from bezoar.data.tabular import read_file


def load(
    source: str | os.PathLike[str],
    *,
    label: str | None = None,
    classes: Sequence[str | int] | None = None,
    n_samples: int | None = None,
    all_samples: bool = False,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Loads a registered data set or a file, and keeps what was asked of it.

    A registered data set is a callable that needs no argument and returns a `Dataset`; if it
    takes ``n_samples``, None must mean all samples; it may also take ``folder`` and ``progress``.
    Text that is a registered name means that
    data set, so a file of the same name is reached as ``./name``; a `pathlib.Path` is a file.

    Args:
        source: a name (``bezoar list datasets``) or a path that `bezoar.data.read_file` reads.
        label: the label column of a file.
        classes: names of the classes to keep, at least two; they get the codes 0, 1, ... in this
            order. None keeps all.
        n_samples: how many samples to keep, every class in proportion, always the same ones;
            None keeps what the source gives.
        all_samples: all samples of the classes, also of a registered set that would draw some by
            itself, so that the caller may draw afresh for each seed.
        folder: where the files of a registered image set are; None for BEZOAR_DATA, else our
            cache, which downloads fill. Without effect on what needs no such folder.
        progress: told of downloads.

    Returns:
        The samples, with the ids that they have in the source.

    Raises:
        UnknownName: neither a known name nor a file, or an unknown class.
        InvalidArgument: `label` for a registered data set, fewer than two classes, more samples
            than there are, or both `n_samples` and `all_samples`.
        FileProblem, InvalidData: as in `bezoar.data.read_file`.

    Example:
        >>> data = load("digits", classes=["3", "8"], n_samples=100)
        >>> data.features.shape, data.class_names, data.counts().tolist()
        ((100, 64), ('3', '8'), [51, 49])
    """
    if all_samples and n_samples is not None:
        raise InvalidArgument(
            "n_samples",
            wanted="none, as all_samples is set",
            got=n_samples,
            mend="leave one of the two out",
        )
    if isinstance(source, str) and source in plugins.names("datasets"):
        if label is not None:
            raise InvalidArgument(
                "label",
                wanted=f"none, as {source!r} is a registered data set with labels of its own",
                got=repr(label),
                mend=f"for a file of this name give ./{source}",
            )
        # Choosing classes comes first, so that n_samples counts samples of these classes.
        given: dict[str, Any] = {"folder": folder, "progress": progress}
        if all_samples or n_samples is not None:
            given["n_samples"] = n_samples if classes is None else None
        data = _registered(source, given)
    elif _is_path(source):
        data = read_file(source, label=label)
    else:
        known = [*plugins.names("datasets"), "or the path of a file"]
        raise UnknownName("data", source, known)
    if classes is not None:
        data = _keep_classes(data, classes)
    if n_samples is not None and n_samples != len(data):
        rng = generator(0, "data", "n_samples")
        data = data.take(data.ids[stratified_positions(data.labels, n_samples, rng=rng)])
    return data


def _registered(name: str, given: dict[str, Any]) -> Dataset:
    loader = plugins.load("datasets", name)
    takes = inspect.signature(loader).parameters
    data = loader(**{key: value for key, value in given.items() if key in takes})
    if not isinstance(data, Dataset):
        raise BezoarError(
            f"data set {name!r} gave a {type(data).__name__}, not a Dataset; "
            "update the package that provides it"
        )
    return data


def _is_path(source: object) -> bool:
    """Whether `source` can only mean a file: a name never has an ending or a separator."""
    if isinstance(source, os.PathLike):
        return True
    if not isinstance(source, str) or not source.strip():
        return False
    separators = [mark for mark in ("/", os.sep, os.altsep) if mark]
    if any(mark in source for mark in separators) or Path(source).suffix:
        return True
    return "\0" not in source and os.path.lexists(source)


def _keep_classes(data: Dataset, classes: Sequence[str | int]) -> Dataset:
    if isinstance(classes, str):
        raise InvalidArgument(
            "classes", wanted="a sequence of class names", got=repr(classes), mend="use a list"
        )
    names = [str(name) for name in classes]
    for name in names:
        if name not in data.class_names:
            raise UnknownName("class", name, data.class_names)
    if len(set(names)) < 2 or len(set(names)) != len(names):
        raise InvalidArgument("classes", wanted="at least two different classes", got=names)
    code_of = np.full(data.n_classes, -1)
    code_of[[data.class_names.index(name) for name in names]] = np.arange(len(names))
    kept = code_of[data.labels] >= 0
    return Dataset(
        features=data.features[kept],
        labels=code_of[data.labels[kept]],
        ids=data.ids[kept],
        class_names=tuple(names),
    )
