"""Which of a few numbers stand out from the others."""

from __future__ import annotations

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidData

# The median absolute deviation of normal numbers times this is their standard deviation.
MAD_CONSTANT = 1.4826


def anomaly_index(norms: FloatArray) -> FloatArray:
    """How far each number is from the median, in median absolute deviations (MAD).

    ``index = |norm - median(norms)| / (1.4826 median(|norms - median(norms)|))``

    Were the norms normal, an index above 2 would be met by chance with a probability below 0.05
    for each class, so that one of ten clean classes often passes it. Over few classes the MAD
    itself is a rough estimate, and the index with it. Where more than half of the norms are equal
    the MAD is 0: equal norms then have index 0, the others infinity.

    Args:
        norms: ``(class,)``, three or more: with two, both indices are 0.67 whatever the norms.

    Returns:
        ``(class,)``, not negative.

    Raises:
        InvalidData: fewer than three norms, or one that is not finite.

    Source: Wang et al., Neural Cleanse, IEEE S&P 2019, section IV-B.

    Example:
        >>> anomaly_index(np.array([10.0, 50.0, 52.0, 48.0, 53.0])).round(2).tolist()
        [13.49, 0.0, 0.67, 0.67, 1.01]
    """
    values = np.asarray(norms, dtype=np.float64)
    if values.ndim != 1 or len(values) < 3 or not np.isfinite(values).all():
        raise InvalidData("norms", wanted="one row of three finite numbers or more", got=values)
    deviations = np.abs(values - np.median(values))
    scale = MAD_CONSTANT * np.median(deviations)
    if scale == 0:
        return np.where(deviations == 0, 0.0, np.inf)
    return deviations / scale
