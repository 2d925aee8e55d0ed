"""How much accuracy an ensemble is certified to keep."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidData
from bezoar.defences.training.votes import Votes

Floats = npt.NDArray[np.float64]


def certified_accuracy(votes: Votes, true: npt.ArrayLike, radii: npt.ArrayLike) -> Floats:
    """The share of samples that are predicted right and certified to stay so, for each radius.

    ``CA(r) = |{x : label(x) = true(x), radius(x) >= r}| / n``; at r = 0 it is the accuracy.

    After any r further changes of the training set that the ensemble was trained on, its accuracy
    on these samples is ``CA(r)`` or more. What one change is, see
    `bezoar.defences.training.aggregation.PartitionAggregation`.

    Args:
        votes: of n samples.
        true: their class codes, ``(n,)``.
        radii: in the unit of the certificate, ``(radius,)``; 0 or more.

    Returns:
        ``(radius,)``, in [0, 1], not increasing with the radius.

    Raises:
        InvalidData: no samples, codes that do not fit the votes, or a negative radius.

    Source: Levine and Feizi, ICLR 2021 (arXiv 2006.14768).

    Example:
        >>> from bezoar.defences.training.votes import vote
        >>> votes = vote([[0, 1], [0, 1], [0, 0]], n_classes=2)
        >>> certified_accuracy(votes, [0, 1], radii=[0, 1, 2]).tolist()
        [1.0, 0.5, 0.0]
    """
    codes, asked = np.asarray(true), np.asarray(radii)
    if not len(votes.labels) or codes.shape != votes.labels.shape:
        raise InvalidData(
            "true",
            wanted=f"one code for each of {len(votes.labels)} samples, one or more",
            got=f"shape {codes.shape}",
        )
    if asked.ndim != 1 or not (asked >= 0).all():
        raise InvalidData("radii", wanted="a row of numbers, 0 or more", got=radii)
    kept = np.where(votes.labels == codes, votes.radius, -1)
    return (kept >= asked[:, None]).mean(axis=1)
