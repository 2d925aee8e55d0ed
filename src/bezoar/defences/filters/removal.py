"""Leaves out the samples that a detector suspects most."""

from __future__ import annotations

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.suspicion import Suspicion


def remove_most_suspicious(
    data: Dataset, suspicion: Suspicion, share: float, *, per_class: bool = False
) -> Dataset:
    """The data without its most suspicious samples, in the order it had.

    ``round(share * n)`` samples go, half rounded to even: of the whole set, or with `per_class` of
    each label, as Spectral Signatures wants it, whose scores compare within a label only. Of equal
    scores the higher id goes first. The rule is blind: on clean data it removes as many.

    Args:
        data: what to thin out, labels as they came.
        suspicion: a score for each sample of `data`, joined by id; more ids do no harm.
        share: how much to remove, from 0 up to, but not including, 1.
        per_class: take `share` of each label instead of the whole.

    Raises:
        InvalidArgument: `share` is no such number.
        InvalidData: a sample of `data` has no score, a score is not finite, or nothing would stay.

    Example:
        >>> data = Dataset(features=[[0.0], [1.0], [2.0], [3.0]], labels=[0, 0, 1, 1],
        ...                ids=[10, 11, 12, 13], class_names=("cat", "dog"))
        >>> suspicion = Suspicion(detector="example", ids=data.ids,
        ...                       scores=np.array([0.1, 0.2, 5.0, 4.0]))
        >>> remove_most_suspicious(data, suspicion, 0.5).ids.tolist()
        [10, 11]
        >>> remove_most_suspicious(data, suspicion, 0.5, per_class=True).ids.tolist()
        [10, 13]
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise InvalidArgument(
            "share", wanted="a number from 0 up to, but not including, 1", got=repr(share)
        )
    scores = _scores_of(data, suspicion)
    keep = np.ones(len(data), dtype=bool)
    groups = [data.labels == label for label in np.unique(data.labels)] if per_class else [keep]
    for group in [np.flatnonzero(group) for group in groups]:
        order = np.lexsort((data.ids[group], scores[group]))
        keep[group[order[len(group) - round(share * len(group)) :]]] = False
    if not keep.any() and len(data):
        raise InvalidData(
            "data", wanted="a sample that stays", got=f"{len(data)} samples and share {share}"
        )
    return data.take(data.ids[keep])


def _scores_of(data: Dataset, suspicion: Suspicion) -> FloatArray:
    """The score of each sample of `data`, ``(sample,)``."""
    ids: IntArray = np.asarray(suspicion.ids)
    scores = np.asarray(suspicion.scores, dtype=np.float64)
    if ids.shape != scores.shape or ids.ndim != 1:
        raise InvalidData(
            "suspicion", wanted="one score for each id", got=f"{scores.shape} for ids {ids.shape}"
        )
    order = np.argsort(ids, kind="stable")
    slot = np.minimum(np.searchsorted(ids, data.ids, sorter=order), max(len(ids) - 1, 0))
    found = order[slot] if len(ids) else slot[:0]
    if len(found) != len(data) or not np.array_equal(ids[found], data.ids):
        raise InvalidData(
            "suspicion",
            wanted="a score for each sample of the data",
            got="a sample without one",
            mend="inspect the data set that is to be thinned out",
        )
    if not np.isfinite(scores[found]).all():
        raise InvalidData("suspicion", wanted="finite scores", got="NaN or infinity")
    return scores[found]
