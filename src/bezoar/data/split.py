"""Stratified choice of samples: train, validation and test parts, and smaller data sets."""

from __future__ import annotations

import numpy as np

from bezoar.contracts.dataset import Dataset, IntArray, Split
from bezoar.contracts.errors import InvalidArgument, InvalidData


def split(
    data: Dataset,
    *,
    test: float = 0.3,
    validation: float = 0.0,
    rng: np.random.Generator,
) -> Split:
    """Parts `data` at random, every class in proportion; parts keep ids and order.

    Test gets ``round(test * n)`` samples and validation ``round(validation * n)``, spread over
    the classes by largest remainder. Every class keeps at least one sample in train and in test,
    even where its share is less.

    Args:
        data: two classes or more, two samples or more of each.
        test: share of the samples, in (0, 1).
        validation: share of the samples, in [0, 1); a rare class may be missing from it.
        rng: the only source of randomness.

    Raises:
        InvalidArgument: the shares are out of range or leave nothing to train on.
        InvalidData: fewer than two classes, or a class that cannot be in both train and test.

    Example:
        >>> import numpy as np
        >>> from bezoar.data.embedded import iris
        >>> parts = split(iris(), rng=np.random.default_rng(0))
        >>> len(parts.train), len(parts.validation), parts.test.counts().tolist()
        (105, 0, [15, 15, 15])
    """
    _check_shares(test, validation)
    counts = data.counts()
    _check_classes(data, counts)
    n_test = _allocate(counts, test, lower=np.ones_like(counts), upper=counts - 1)
    n_validation = _allocate(
        counts, validation, lower=np.zeros_like(counts), upper=counts - n_test - 1
    )
    part = np.zeros(len(data), dtype=np.int64)
    for label in range(data.n_classes):
        shuffled = rng.permutation(np.flatnonzero(data.labels == label))
        part[shuffled[: n_test[label]]] = 2
        part[shuffled[n_test[label] : n_test[label] + n_validation[label]]] = 1
    train, middle, last = (data.take(data.ids[part == i]) for i in range(3))
    return Split(train=train, validation=middle, test=last)


def stratified_positions(labels: IntArray, n_samples: int, *, rng: np.random.Generator) -> IntArray:
    """Positions of `n_samples` of `labels`, drawn without replacement, every class in proportion.

    Args:
        labels: ``(sample,)`` codes.
        n_samples: how many to draw; at least one of each class that occurs.
        rng: the only source of randomness.

    Returns:
        ``(n_samples,)``, ascending.

    Raises:
        InvalidArgument: more than there are, or fewer than there are classes.

    Example:
        >>> import numpy as np
        >>> labels = np.array([0, 0, 1, 1])
        >>> labels[stratified_positions(labels, 2, rng=np.random.default_rng(0))].tolist()
        [0, 1]
    """
    distinct, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer):
        raise InvalidArgument("n_samples", wanted="a whole number", got=repr(n_samples))
    if not max(len(distinct), 1) <= n_samples <= len(labels):
        raise InvalidArgument(
            "n_samples",
            wanted=f"from {max(len(distinct), 1)} (one for each class) to {len(labels)} (all)",
            got=n_samples,
        )
    wanted = _allocate(counts, n_samples / len(labels), lower=np.ones_like(counts), upper=counts)
    chosen = [
        rng.permutation(np.flatnonzero(codes == code))[: wanted[code]]
        for code in range(len(distinct))
    ]
    return np.sort(np.concatenate(chosen))


def _allocate(counts: IntArray, share: float, *, lower: IntArray, upper: IntArray) -> IntArray:
    """Whole numbers near ``share * counts`` within bounds, whose sum is near the share of all."""
    quota = share * counts
    total = int(np.clip(round(share * counts.sum()), lower.sum(), upper.sum()))
    given = np.clip(np.floor(quota).astype(np.int64), lower, upper)
    while given.sum() < total:
        lack = np.where(given < upper, quota - given, -np.inf)
        given[np.argmax(lack)] += 1
    while given.sum() > total:
        surplus = np.where(given > lower, given - quota, -np.inf)
        given[np.argmax(surplus)] -= 1
    return given


def _check_shares(test: float, validation: float) -> None:
    if not 0 < test < 1:
        raise InvalidArgument("test", wanted="a share of the samples in (0, 1)", got=test)
    if not 0 <= validation < 1:
        raise InvalidArgument(
            "validation", wanted="a share of the samples in [0, 1)", got=validation
        )
    if test + validation >= 1:
        raise InvalidArgument(
            "test and validation",
            wanted="shares that leave samples to train on",
            got=f"{test} and {validation}",
        )


def _check_classes(data: Dataset, counts: IntArray) -> None:
    present = np.flatnonzero(counts)
    if len(present) < 2:
        names = ", ".join(repr(data.class_names[i]) for i in present) or "none"
        raise InvalidData("labels", wanted="at least two classes", got=f"only {names}")
    if len(data) < data.n_classes:
        raise InvalidData(
            "data",
            wanted="at least two samples of each class",
            got=f"{len(data)} samples for {data.n_classes} classes",
            mend="keep fewer classes, or check that the label column is the right one",
        )
    scarce = np.flatnonzero(counts < 2)
    if len(scarce):
        name, count = data.class_names[scarce[0]], int(counts[scarce[0]])
        more = f" ({len(scarce)} classes are so)" if len(scarce) > 1 else ""
        raise InvalidData(
            "data",
            wanted="at least two samples of each class, one to train on and one to test on",
            got=f"{count} of class {name!r}, which vanishes in the split{more}",
            mend="add samples of it, or keep only the other classes",
        )
