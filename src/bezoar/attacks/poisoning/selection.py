"""Which samples an attack poisons."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Real

import numpy as np

from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName


def check_ratio(ratio: float, *, at_one: str) -> None:
    """Refuses a share outside [0, 1).

    Args:
        ratio: share of the training set.
        at_one: why a ratio of 1 makes no sense for this attack.

    Raises:
        InvalidArgument: `ratio` is NaN, no number, or outside [0, 1).
    """
    if not isinstance(ratio, Real) or not 0 <= ratio < 1:
        raise InvalidArgument(
            "ratio", wanted="a share of the training set in [0, 1)", got=ratio, mend=at_one
        )


def check_class_names(argument: str, names: object) -> None:
    """Refuses anything but a tuple of text; whether the classes exist, only the data can tell.

    Raises:
        InvalidArgument: `names` is one string, or holds something else than strings.
    """
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise InvalidArgument(
            argument,
            wanted="a tuple of class names",
            got=repr(names),
            mend="for example ('cat',), with the comma",
        )


def choose_poisoned(
    data: Dataset,
    ratio: float,
    *,
    rng: np.random.Generator,
    source_classes: Collection[str] = (),
) -> IntArray:
    """Positions of the samples to poison, ``(poisoned,)``, in ascending order of their ids.

    Draws ``k = round(ratio * n)`` of the n samples uniformly without replacement; with
    `source_classes` the k come from these classes alone, and are all of them when they hold fewer.
    The draw depends on the ids and not on the order of the rows, and for one state of `rng` a
    higher ratio poisons the same samples and more, so that curves over ratios are paired.

    The QUID paper (arXiv 2411.14412, Algorithm 1, line 1) does not say how its training set is
    split, nor how ``ratio * n`` becomes a whole number: uniform and rounding are our choice.

    Args:
        data: the training set.
        ratio: share of all its samples.
        rng: the source of the draw; untouched when k is 0.
        source_classes: names of the classes to draw from; empty for all.

    Raises:
        UnknownName: a source class is none of the data's class names.
        InvalidData: there is something to poison, and the samples are of one class, or none is of
            a source class.

    Example:
        >>> data = Dataset(features=np.zeros((4, 1)), labels=[0, 1, 0, 1], ids=[9, 8, 7, 6],
        ...                class_names=("cat", "dog"))
        >>> data.ids[choose_poisoned(data, 0.5, rng=np.random.default_rng(0),
        ...                          source_classes=("dog",))].tolist()
        [6, 8]
    """
    for name in source_classes:
        if name not in data.class_names:
            raise UnknownName("source_classes", name, data.class_names)
    n_poisoned = round(ratio * len(data))
    if n_poisoned == 0:
        return np.zeros(0, dtype=np.int64)
    if len(np.unique(data.labels)) < 2:
        raise InvalidData(
            "labels", wanted="samples of two classes or more", got="one class", mend="add a class"
        )
    candidates = np.argsort(data.ids)
    if source_classes:
        codes = [data.class_names.index(name) for name in source_classes]
        candidates = candidates[np.isin(data.labels[candidates], codes)]
        if not len(candidates):
            raise InvalidData(
                "source_classes",
                wanted=f"samples of {', '.join(source_classes)}",
                got="none in this training set",
                mend="name classes that it holds",
            )
    picked = rng.permutation(len(candidates))[:n_poisoned]
    return candidates[np.sort(picked)]
