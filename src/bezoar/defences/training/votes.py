"""The vote of an ensemble, and how many of its voters may change without changing it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidData
from bezoar.models.circuits import whole_number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Votes:
    """What an ensemble says of some samples.

    Attributes:
        labels: the class with most votes, the lower one in a tie, ``(sample,)``.
        radius: how many voters may change, in any way, without changing the label, ``(sample,)``.
            What that means for the training data, see
            `bezoar.defences.training.aggregation.PartitionAggregation`.
        counts: votes, ``(sample, class)``.
    """

    labels: IntArray
    radius: IntArray
    counts: IntArray


def vote(predictions: npt.ArrayLike, n_classes: int) -> Votes:
    """Counts the votes and certifies the winner.

    With ``n_c`` votes for the winner c,

    ``radius = floor((n_c - max over c' != c of (n_c' + [c' < c])) / 2)``

    A voter that turns from c to c' takes one vote from c and gives one to c'; with a tie the lower
    class wins. The radius cannot be improved from the counts alone, if a vote may turn to any
    class: radius + 1 changes suffice to change the label.

    Args:
        predictions: class codes, ``(voter, sample)``; no voters is no votes: class 0, radius 0.
        n_classes: two or more.

    Raises:
        InvalidArgument: fewer than two classes.
        InvalidData: predictions that are no codes of these classes.

    Source: Levine and Feizi, ICLR 2021 (arXiv 2006.14768), Theorem 1.

    Example:
        >>> votes = vote([[0, 1], [0, 1], [0, 1], [1, 0], [0, 2]], n_classes=3)
        >>> votes.labels.tolist(), votes.radius.tolist()
        ([0, 1], [1, 0])
    """
    n_classes = whole_number("n_classes", n_classes, least=2)
    codes = np.asarray(predictions)
    if codes.ndim != 2 or (codes.size and codes.dtype.kind not in "iu"):
        raise InvalidData(
            "predictions",
            wanted="whole numbers, (voter, sample)",
            got=f"{codes.dtype} of shape {codes.shape}",
        )
    if codes.size and (codes.min() < 0 or codes.max() >= n_classes):
        raise InvalidData(
            "predictions",
            wanted=f"codes from 0 to {n_classes - 1}",
            got=f"{codes.min()} to {codes.max()}",
        )
    counts = (codes[:, :, None] == np.arange(n_classes)).sum(axis=0, dtype=np.int64)
    labels = counts.argmax(axis=1)
    rivals = counts + (np.arange(n_classes) < labels[:, None])
    rows = np.arange(len(labels))
    # A winner has n_c >= 0 and every rival 0 or more, so -1 is below them all.
    rivals[rows, labels] = -1
    radius = (counts[rows, labels] - rivals.max(axis=1)) // 2
    return Votes(labels=labels, radius=radius, counts=counts)
