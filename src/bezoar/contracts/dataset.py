"""Samples as every room sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidData

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Labelled samples with stable ids; arrays are read-only, a change makes a new record.

    Attributes:
        features: ``(sample, feature)``, or images ``(sample, channel, height, width)``; finite.
            Images of float32 stay float32, half the memory; all else becomes float64.
        labels: ``(sample,)`` integer codes into `class_names`.
        ids: ``(sample,)`` unique integers; tables join by id, never by position.
        class_names: the name of each code.

    Raises:
        InvalidData: shapes disagree, a feature is NaN or infinite, a label has no name, ids repeat.

    Example:
        >>> data = Dataset(features=[[0.0], [1.0]], labels=[0, 1], ids=[7, 8],
        ...                class_names=("cat", "dog"))
        >>> len(data), data.n_classes, data.take([8]).labels.tolist()
        (2, 2, [1])
    """

    features: FloatArray
    labels: IntArray
    ids: IntArray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        features = _frozen(self.features, _precision(self.features), "features")
        labels = _frozen(self.labels, np.int64, "labels")
        ids = _frozen(self.ids, np.int64, "ids")
        _check(features, labels, ids, len(self.class_names))
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "class_names", tuple(str(name) for name in self.class_names))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_classes(self) -> int:
        """How many class names there are, with or without samples."""
        return len(self.class_names)

    @property
    def n_features(self) -> int:
        """Numbers per sample."""
        return int(np.prod(self.features.shape[1:]))

    def counts(self) -> IntArray:
        """Samples per class, ``(class,)``."""
        return np.bincount(self.labels, minlength=self.n_classes)

    def positions(self, ids: Sequence[int] | IntArray) -> IntArray:
        """Where each of `ids` stands, ``(len(ids),)``.

        Raises:
            InvalidData: an id is not here.
        """
        order = np.argsort(self.ids, kind="stable")
        wanted = np.asarray(ids, dtype=np.int64)
        slot = np.searchsorted(self.ids, wanted, sorter=order)
        found = order[np.minimum(slot, len(order) - 1)] if len(order) else np.zeros(0, np.int64)
        if len(found) != len(wanted) or not np.array_equal(self.ids[found], wanted):
            raise InvalidData("ids", wanted="ids of this data set", got="an id that is not in it")
        return found

    def take(self, ids: Sequence[int] | IntArray) -> Self:
        """The samples with these ids, in this order."""
        where = self.positions(ids)
        return type(self)(
            features=self.features[where],
            labels=self.labels[where],
            ids=self.ids[where],
            class_names=self.class_names,
        )

    def with_labels(self, labels: IntArray) -> Self:
        """The same samples under other labels, ``(sample,)``."""
        return type(self)(
            features=self.features, labels=labels, ids=self.ids, class_names=self.class_names
        )

    def with_features(self, features: FloatArray) -> Self:
        """The same samples with other features, ``(sample, ...)``."""
        return type(self)(
            features=features, labels=self.labels, ids=self.ids, class_names=self.class_names
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Train, validation and test parts of one data set, disjoint by id.

    Attributes:
        train: what the victim learns from and the attacker may change.
        validation: what defences may choose thresholds on; may be empty.
        test: opened once, by the metrics.
    """

    train: Dataset
    validation: Dataset
    test: Dataset


def _precision(features: object) -> type:
    """Networks learn from images in single precision; tables keep all the digits they have."""
    if isinstance(features, np.ndarray) and features.ndim == 4 and features.dtype.str[1:] == "f4":
        return np.float32
    return np.float64


def _frozen(values: object, dtype: type, name: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError
        cast = array.astype(dtype, copy=True)
    except (TypeError, ValueError) as error:
        raise InvalidData(
            name, wanted=f"numbers that fit {np.dtype(dtype).name}", got="something else"
        ) from error
    cast.setflags(write=False)
    return cast


def _check(features: FloatArray, labels: IntArray, ids: IntArray, n_classes: int) -> None:
    if features.ndim not in (2, 4):
        raise InvalidData(
            "features",
            wanted="shape (sample, feature) or (sample, channel, height, width)",
            got=features.shape,
        )
    n_samples = len(features)
    if labels.shape != (n_samples,) or ids.shape != (n_samples,):
        raise InvalidData(
            "labels and ids",
            wanted=f"shape ({n_samples},), one for each sample",
            got=f"{labels.shape} and {ids.shape}",
        )
    bad = ~np.isfinite(features.reshape(n_samples, -1)).all(axis=1) if features.size else ids < ids
    if bad.any():
        raise InvalidData(
            "features",
            wanted="finite numbers",
            got=f"NaN or infinity in {int(bad.sum())} of {n_samples} samples "
            f"(first: sample id {int(ids[bad][0])})",
            mend="remove or impute these samples",
        )
    if n_samples and (labels.min() < 0 or labels.max() >= n_classes):
        raise InvalidData(
            "labels",
            wanted=f"codes from 0 to {n_classes - 1}, one for each class name",
            got=f"{labels.min()} to {labels.max()}",
        )
    if len(np.unique(ids)) != n_samples:
        raise InvalidData("ids", wanted="no id twice", got="repeated ids")
