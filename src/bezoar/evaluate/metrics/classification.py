"""Classification metrics from counts. Rows of a confusion matrix are true classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def confusion_counts(true: npt.ArrayLike, predicted: npt.ArrayLike, n_classes: int) -> Counts:
    """How often each true class was predicted as each class, ``(true class, predicted class)``.

    Args:
        true, predicted: class codes, ``(sample,)``.
        n_classes: how many classes there are.
    """
    codes = np.asarray(true, dtype=np.int64) * n_classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(codes, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(confusion: Counts) -> float:
    """The share of samples predicted right."""
    return float(np.trace(confusion) / confusion.sum())


def relabel_invariant_accuracy(confusion: Counts) -> float:
    """Accuracy after the best one-to-one renaming of the outputs.

    An attack that only renames classes has destroyed less than it seems: what a renaming brings
    back was never lost. The renaming is chosen on the samples it is measured on, so the value is
    never below `accuracy` and a little optimistic, for the baseline as for the attacked model.

    Example:
        >>> import numpy as np
        >>> swapped = np.array([[0, 9], [8, 1]])
        >>> round(accuracy(swapped), 2), round(relabel_invariant_accuracy(swapped), 2)
        (0.06, 0.94)
    """
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    return float(confusion[rows, columns].sum() / confusion.sum())


def recalls(confusion: Counts) -> Floats:
    """The share of each class's samples predicted right, ``(class,)``; NaN without samples."""
    return np.diag(row_shares(confusion)).copy()


def row_shares(counts: Counts) -> Floats:
    """Each row divided by its sum; NaN rows where there is nothing to divide."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
