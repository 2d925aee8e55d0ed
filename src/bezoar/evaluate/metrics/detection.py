"""How well a detector's scores tell changed samples from untouched ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


def auroc(changed: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """The chance that a changed sample scores above an untouched one, ties counted half.

    Args:
        changed: ``(sample,)`` of bool.
        scores: ``(sample,)``, higher is more suspicious.

    Returns:
        None when all samples were changed, or none.

    Example:
        >>> auroc([True, False, False], [0.9, 0.2, 0.9])
        0.75
    """
    positive = np.asarray(changed, dtype=bool)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None
    ranks = rankdata(scores)
    excess = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(excess / (n_positive * n_negative))
