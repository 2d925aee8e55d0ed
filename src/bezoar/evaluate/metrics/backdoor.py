"""Attack success rate and what it must be read beside."""

from __future__ import annotations

import numpy as np

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidData


def wanted_rate(predicted: IntArray, wanted: IntArray) -> float:
    """The share of samples that are predicted as the attacker wants.

    On triggered samples whose true class is another than the wanted one it is the attack success
    rate (ASR); on the same samples without the trigger it is the leak, the ordinary errors that
    land in the wanted class.

    Args:
        predicted: ``(sample,)`` class codes.
        wanted: ``(sample,)`` the class that the attacker wants of each.

    Raises:
        InvalidData: no samples, or not one wanted class for each.

    Example:
        >>> wanted_rate(np.array([0, 0, 2]), np.array([0, 0, 0])).__round__(3)
        0.667
    """
    if predicted.shape != wanted.shape or predicted.ndim != 1 or not len(wanted):
        raise InvalidData(
            "predicted",
            wanted="one class for each of one or more samples",
            got=f"{predicted.shape} for {wanted.shape}",
        )
    return float(np.mean(predicted == wanted))
