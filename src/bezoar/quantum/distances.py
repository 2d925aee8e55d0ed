"""Distances between encoded states for whole data sets.

Frobenius, Hilbert-Schmidt and fidelity come from inner products of real vectors, tiled so that
memory stays bounded; see `bezoar.quantum.pairs`. With single precision the squared distance of two
states is off by about 2e-7 of their purities: a distance above 0.1 by 2e-6, the distance of
coinciding states by up to 5e-4 instead of being 0. Double precision makes that 1e-15 and 3e-8.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import cast, get_args

import numpy as np
import numpy.typing as npt
import torch

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum import pairs
from bezoar.quantum.density import (
    check_memory,
    check_states,
    density_matrices,
    nearest_states,
    purity,
)
from bezoar.quantum.pairs import Comparison, Metric
from bezoar.quantum.states import EncodedStates, Floats

__all__ = [
    "METRICS",
    "Metric",
    "class_distances",
    "class_overlaps",
    "density_matrices",
    "distance_matrix",
    "gram",
    "is_available",
    "needs_decomposition",
    "overlap_moments",
    "purity",
]

METRICS: tuple[Metric, ...] = get_args(Metric)

_DTYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
Make = Callable[[EncodedStates, EncodedStates], Comparison]

_LARGEST_TILE = 8192
_TYPICAL = 32
_LINEAR_FEATURES = 4096
_LINEAR_BYTES = 2**25


def class_distances(
    a: EncodedStates,
    b: EncodedStates,
    labels_b: npt.ArrayLike,
    n_classes: int,
    metric: str,
    *,
    exclude_self: bool = False,
    max_references: int | None = None,
    rng: np.random.Generator | None = None,
    tile: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    progress: Progress = silent,
) -> npt.NDArray[np.float64]:
    """The mean distance of each state of `a` to the states of each class in `b`.

    ``D[i, c] = mean over {j: labels_b[j] = c} of d(a_i, b_j)`` with, for states rho and sigma of
    n qubits:

    - ``hilbert-schmidt``: ``1 - |Tr(sigma* rho)| / 2**n``. Linear, so it costs one mean state per
      class up to 6 qubits.
    - ``frobenius``: ``||rho - sigma||_F``. One matrix product.
    - ``trace``: the norm ``||rho - sigma||_1``, twice the trace distance. ``sqrt(2)`` times
      Frobenius for pure states and for one qubit; else the eigenvalues of every pair.
    - ``fidelity``: ``1 - F`` with ``F = (Tr sqrt(sqrt(rho) sigma sqrt(rho)))**2``. A matrix product
      if either side is pure or both are products; else singular values for every pair.
    - ``bures``: ``sqrt(2 - 2 sqrt(F))``, likewise.

    States estimated from finite shots are first moved to the nearest density matrices for trace,
    fidelity and Bures. For Hilbert-Schmidt and Frobenius they stay as they are: the former is then
    unbiased, and the square of the latter too large by the summed variances of both estimates.

    Args:
        a: n states.
        b: m states of as many qubits, the references. The same object as `a` to compare a data
            set with itself: then a state is at distance exactly 0 of itself (Hilbert-Schmidt
            apart, where that is ``1 - purity / 2**n``).
        labels_b: ``(m,)`` classes of `b`, integers in [0, n_classes).
        n_classes: the number of columns.
        metric: one of `METRICS`.
        exclude_self: leave every state of `a` out of its own class mean; needs ``a is b``. QUID's
            Algorithm 1 does not need it, nearest-class accuracy does.
        max_references: at most this many references of each class, drawn without replacement by
            `rng`; all if None. The mean is then an estimate. `needs_decomposition` says where it
            is worth it.
        rng: draws the references.
        tile: side of the square of pairs worked on at once; changes results by rounding alone.
        dtype: float32 or float64 for inner products; decompositions are always double.
        progress: told of rows done.

    Returns:
        ``(n, n_classes)``; NaN where a class has no reference (or none but the state itself, with
        `exclude_self`).

    Raises:
        UnknownName: there is no such metric.
        InvalidArgument: qubits, labels or options do not fit; the metric has no affordable form for
            these states (trace of mixed products of over 6 qubits, Hilbert-Schmidt of over 30); or
            the work would take over an hour by a rough estimate.

    Source: Kundu and Ghosh, arXiv 2411.14412, section 4.1 and Algorithm 1, which name the first
    three metrics; the paper compares density matrices pair by pair.

    Example:
        >>> import numpy as np
        >>> up, down = [0, 0, 1.0], [0, 0, -1.0]
        >>> b = EncodedStates(n_qubits=1, bloch=np.array([[up], [down], [down]]), pure=True)
        >>> class_distances(b.take(slice(1)), b, [0, 1, 1], 2, "trace").round(6)
        array([[0., 2.]])
    """
    kind = _metric(metric)
    a, b = _positive(a, b, kind)
    return _class_means(
        functools.partial(pairs.comparison, metric=kind),
        a,
        b,
        labels_b,
        n_classes,
        exclude_self=exclude_self,
        max_references=max_references,
        rng=rng,
        tile=tile,
        dtype=dtype,
        progress=progress,
    )


def class_overlaps(
    a: EncodedStates,
    b: EncodedStates,
    labels_b: npt.ArrayLike,
    n_classes: int,
    *,
    exclude_self: bool = False,
    tile: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    progress: Progress = silent,
) -> npt.NDArray[np.float64]:
    """The mean of ``Tr(rho sigma)`` of each state of `a` with the states of each class in `b`.

    Ranks classes as Hilbert-Schmidt distance does, in reverse, and keeps its digits at any number
    of qubits.

    Args:
        a, b, labels_b, n_classes, exclude_self, tile, dtype, progress: as in `class_distances`.

    Returns:
        ``(n, n_classes)``; NaN where a class has no reference.

    Raises:
        InvalidArgument: as `class_distances`.

    Example:
        >>> import numpy as np
        >>> up, down = [0, 0, 1.0], [0, 0, -1.0]
        >>> b = EncodedStates(n_qubits=1, bloch=np.array([[up], [down], [down]]), pure=True)
        >>> class_overlaps(b, b, [0, 1, 1], 2, exclude_self=True)
        array([[nan,  0.],
               [ 0.,  1.],
               [ 0.,  1.]])
    """
    return _class_means(
        pairs.overlap,
        a,
        b,
        labels_b,
        n_classes,
        exclude_self=exclude_self,
        max_references=None,
        rng=None,
        tile=tile,
        dtype=dtype,
        progress=progress,
    )


def distance_matrix(
    a: EncodedStates,
    b: EncodedStates,
    metric: str,
    *,
    tile: int | None = None,
    dtype: npt.DTypeLike = np.float64,
    progress: Progress = silent,
) -> Floats:
    """The distance of every state of `a` to every state of `b`, for sets that fit in memory.

    Args:
        a, b, metric, tile, dtype, progress: as in `class_distances`.

    Returns:
        ``(n, m)`` of `dtype`, but always float64 for Hilbert-Schmidt, whose values lie within
        ``2**-n_qubits`` of 1.

    Raises:
        UnknownName: there is no such metric.
        InvalidArgument: as `class_distances`, or the result would take over 2 GiB.

    Example:
        >>> import numpy as np
        >>> b = EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]], [[0, 0, -1.0]]]))
        >>> distance_matrix(b, b, "frobenius").round(6)
        array([[0.      , 1.414214],
               [1.414214, 0.      ]])
    """
    kind = _metric(metric)
    a, b = _positive(a, b, kind)
    wide = np.float64 if kind == "hilbert-schmidt" else dtype
    compare = functools.partial(pairs.comparison, metric=kind)
    return _matrix(compare, a, b, tile=tile, dtype=dtype, result_dtype=wide, progress=progress)


def gram(
    a: EncodedStates,
    b: EncodedStates,
    *,
    tile: int | None = None,
    dtype: npt.DTypeLike = np.float64,
    progress: Progress = silent,
) -> Floats:
    """``Tr(rho sigma)`` of every pair: the kernel of a quantum-kernel classifier.

    For pure states it is the fidelity ``|<psi|phi>|**2``. Product form
    ``prod_w (1 + a_w.b_w) / 2``, exact at any number of qubits.

    Args:
        a, b, tile, dtype, progress: as in `class_distances`.

    Returns:
        ``(n, m)`` of `dtype`.

    Raises:
        InvalidArgument: qubits or options do not fit, or the result would take over 2 GiB.

    Source: Schuld and Killoran, Phys. Rev. Lett. 122, 040504 (2019).

    Example:
        >>> import numpy as np
        >>> b = EncodedStates(n_qubits=1, bloch=np.array([[[0, 0, 1.0]], [[1.0, 0, 0]]]))
        >>> gram(b, b).round(6)
        array([[1. , 0.5],
               [0.5, 1. ]])
    """
    return _matrix(
        pairs.overlap, a, b, tile=tile, dtype=dtype, result_dtype=dtype, progress=progress
    )


def overlap_moments(
    states: EncodedStates,
    *,
    tile: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    progress: Progress = silent,
) -> tuple[float, float]:
    """Mean and variance of ``Tr(rho sigma)`` over all pairs of different samples.

    A variance that vanishes with the number of qubits means that the kernel has concentrated:
    all pairs look alike.

    Args:
        states: three or more.
        tile, dtype, progress: as in `class_distances`.

    Raises:
        InvalidArgument: fewer than three states, or the work would take over an hour.

    Source: Thanasilp et al., Nature Communications 15, 5200 (2024).

    Example:
        >>> import numpy as np
        >>> up, down = [0, 0, 1.0], [0, 0, -1.0]
        >>> mean, variance = overlap_moments(EncodedStates(n_qubits=1,
        ...     bloch=np.array([[up], [up], [down]]), pure=True))
        >>> round(mean, 6), round(variance, 6)
        (0.333333, 0.222222)
    """
    check_states(states, "states")
    _check_tile(tile)
    n = len(states)
    if n < 3:
        raise InvalidArgument("states", wanted="three samples or more", got=n)
    compare = pairs.overlap(states, states)
    # Sums are of differences from a typical value, so that a small spread does not cancel away.
    few = states.take(slice(_TYPICAL))
    entries = gram(few, few)[~np.eye(len(few), dtype=bool)]
    typical = float(entries.mean()) / compare.factor
    total = squares = 0.0
    order = np.arange(n)
    for rows, columns, values in pairs.tiles(
        compare,
        states,
        states,
        order,
        symmetric=True,
        dtype=_precision(dtype),
        tile=tile,
        progress=progress,
    ):
        shifted = values.double() - typical
        _set_self(shifted, order[rows], columns, 0.0)
        total += float(shifted.sum())
        squares += float(shifted.square_().sum())
    mean = total / (n * (n - 1))
    variance = max(0.0, squares / (n * (n - 1)) - mean**2)
    return compare.factor * (mean + typical), compare.factor**2 * variance


def is_available(states: EncodedStates, metric: str) -> bool:
    """Whether `states` can be compared with each other in this metric at all.

    False for trace of mixed product states of over 6 qubits and for Hilbert-Schmidt of over 30.

    Raises:
        UnknownName: there is no such metric.
    """
    kind = _metric(metric)
    try:
        pairs.check_metric(states, states, kind)
    except InvalidArgument:
        return False
    return True


def needs_decomposition(states: EncodedStates, metric: str) -> bool:
    """Whether each pair of `states` costs a matrix decomposition in this metric.

    Then a cap on the references (`max_references`) saves much time; 4 qubits take about 15 us
    per pair for the trace norm and 40 us for the fidelity, against 5 ns for an inner product.

    Raises:
        UnknownName: there is no such metric.
    """
    return pairs.decomposes(states, states, _metric(metric))


def _matrix(
    make: Make,
    a: EncodedStates,
    b: EncodedStates,
    *,
    tile: int | None,
    dtype: npt.DTypeLike,
    result_dtype: npt.DTypeLike,
    progress: Progress,
) -> Floats:
    _check_pair(a, b)
    _check_tile(tile)
    precision = _precision(dtype)
    n_bytes = np.dtype(result_dtype).itemsize * len(a) * len(b)
    check_memory(n_bytes, "the matrix of all pairs", "compare fewer states at a time")
    result = np.empty((len(a), len(b)), dtype=result_dtype)
    if not result.size:
        return result
    compare = make(a, b)
    order = np.arange(len(b))
    for rows, columns, values in pairs.tiles(
        compare, a, b, order, symmetric=a is b, dtype=precision, tile=tile, progress=progress
    ):
        if a is b and compare.self_value is not None:
            _set_self(values, order[rows], columns, compare.self_value)
        result[rows, columns] = values.numpy()
    result *= compare.factor
    result += compare.offset
    return np.maximum(result, _least(a, b), out=result)


def _class_means(
    make: Make,
    a: EncodedStates,
    b: EncodedStates,
    labels_b: npt.ArrayLike,
    n_classes: int,
    *,
    exclude_self: bool,
    max_references: int | None,
    rng: np.random.Generator | None,
    tile: int | None,
    dtype: npt.DTypeLike,
    progress: Progress,
) -> npt.NDArray[np.float64]:
    _check_pair(a, b)
    _check_tile(tile)
    if exclude_self and a is not b:
        raise InvalidArgument(
            "exclude_self", wanted="a and b to be the same object", got="two different ones"
        )
    labels = _checked_labels(labels_b, len(b), n_classes)
    check_memory(8 * len(a) * n_classes, "the table of class means", "take fewer states at a time")
    precision = _precision(dtype)
    columns = _references(labels, n_classes, max_references, rng)
    if not len(a) or not len(columns):
        return np.full((len(a), n_classes), np.nan)
    compare = make(a, b)
    ends = np.searchsorted(labels[columns], np.arange(n_classes + 1))
    place = _places(len(b), columns) if a is b else None
    own = None
    if exclude_self and place is not None:
        own = _one_hot(np.where(place >= 0, labels, -1), n_classes)
    if compare.features is not None and compare.features <= _LINEAR_FEATURES:
        sums = _linear_sums(compare, a, b, columns, ends)
        if own is not None:
            sums -= own * _self_overlaps(compare, a)[:, None]
        progress("distances", len(a), len(a))
    else:
        sums = _tiled_sums(
            compare,
            a,
            b,
            columns,
            ends,
            place,
            0.0 if exclude_self else compare.self_value,
            precision=precision,
            tile=tile,
            progress=progress,
        )
    counts = np.diff(ends) - (0.0 if own is None else own)
    means = np.full_like(sums, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return np.maximum(compare.offset + compare.factor * means, _least(a, b))


def _tiled_sums(
    compare: Comparison,
    a: EncodedStates,
    b: EncodedStates,
    columns: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
    place: npt.NDArray[np.intp] | None,
    self_value: float | None,
    *,
    precision: torch.dtype,
    tile: int | None,
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """Values summed by class, with `self_value`, if any, where a sample meets itself."""
    symmetric = place is not None and len(columns) == len(place)
    found = pairs.tiles(
        compare, a, b, columns, symmetric=symmetric, dtype=precision, tile=tile, progress=progress
    )
    own_column = np.arange(len(columns)) if symmetric else place
    sums = np.zeros((len(a), len(ends) - 1))
    for rows, here, values in found:
        if own_column is not None and self_value is not None:
            _set_self(values, own_column[rows], here, self_value)
        _add_tile(sums[rows], values, here, ends)
    return sums[place] if symmetric else sums


def _add_tile(
    sums: npt.NDArray[np.float64],
    values: torch.Tensor,
    columns: slice,
    ends: npt.NDArray[np.intp],
) -> None:
    """Adds the values of each class, whose columns are neighbours, to its column of `sums`."""
    first = np.searchsorted(ends, columns.start, side="right") - 1
    last = np.searchsorted(ends, columns.stop, side="left")
    for label in range(first, last):
        low, high = max(ends[label], columns.start), min(ends[label + 1], columns.stop)
        if low < high:
            part = values[:, low - columns.start : high - columns.start]
            sums[:, label] += part.sum(1).numpy()


def _linear_sums(
    compare: Comparison,
    a: EncodedStates,
    b: EncodedStates,
    columns: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
) -> npt.NDArray[np.float64]:
    """The values of inner products summed by class: the inner product with the class's sum."""
    n_classes = len(ends) - 1
    of_column = np.repeat(np.arange(n_classes), np.diff(ends))
    totals = torch.zeros((n_classes, compare.features or 0), dtype=torch.float64)
    for part in _blocks(len(columns), compare):
        vectors = _vectors(compare, b.take(columns[part]))
        totals.index_add_(0, torch.from_numpy(of_column[part]), vectors)
    sums = np.empty((len(a), n_classes))
    for part in _blocks(len(a), compare):
        torch.mm(_vectors(compare, a.take(part)), totals.T, out=torch.from_numpy(sums[part]))
    return sums


def _self_overlaps(compare: Comparison, a: EncodedStates) -> npt.NDArray[np.float64]:
    norms = [
        compare.prepare(a.take(part), torch.float64).norms for part in _blocks(len(a), compare)
    ]
    return torch.cat(norms).numpy()


def _vectors(compare: Comparison, states: EncodedStates) -> torch.Tensor:
    return pairs.multiplied_out(compare.prepare(states, torch.float64))


def _blocks(count: int, compare: Comparison) -> Iterator[slice]:
    step = max(1, _LINEAR_BYTES // (8 * (compare.features or 1)))
    return (slice(start, start + step) for start in range(0, count, step))


def _set_self(
    values: torch.Tensor, place: npt.NDArray[np.intp], columns: slice, value: float
) -> None:
    """Writes `value` where row i meets the column of the same sample, ``place[i]``."""
    rows = np.flatnonzero((place >= columns.start) & (place < columns.stop))
    values[torch.from_numpy(rows), torch.from_numpy(place[rows] - columns.start)] = value


def _places(count: int, columns: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The position of every sample among `columns`; -1 for those that are no reference."""
    place = np.full(count, -1)
    place[columns] = np.arange(len(columns))
    return place


def _one_hot(labels: npt.NDArray[np.intp], n_classes: int) -> npt.NDArray[np.float64]:
    return (labels[:, None] == np.arange(n_classes)).astype(np.float64)


def _references(
    labels: npt.NDArray[np.intp],
    n_classes: int,
    max_references: int | None,
    rng: np.random.Generator | None,
) -> npt.NDArray[np.intp]:
    """Positions of the references, sorted by class."""
    order = np.argsort(labels, kind="stable")
    if max_references is None:
        return order
    if max_references < 1:
        raise InvalidArgument("max_references", wanted="1 or more, or None", got=max_references)
    members = np.split(order, np.searchsorted(labels[order], np.arange(1, n_classes)))
    if max(map(len, members)) <= max_references:
        return order
    if rng is None:
        raise InvalidArgument("rng", wanted="a generator that draws the references", got=None)
    return np.concatenate(
        [
            np.sort(rng.choice(own, max_references, replace=False))
            if len(own) > max_references
            else own
            for own in members
        ]
    )


def _positive(
    a: EncodedStates, b: EncodedStates, metric: Metric
) -> tuple[EncodedStates, EncodedStates]:
    """The states that this metric compares: density matrices where it needs them."""
    if metric not in pairs.POSITIVE:
        return a, b
    first = nearest_states(a)
    return first, first if b is a else nearest_states(b)


def _least(a: EncodedStates, b: EncodedStates) -> float:
    """Overlaps of states are never negative; cutting off those of estimates would bias them."""
    return 0.0 if a.estimate is None and b.estimate is None else -np.inf


def _check_pair(a: EncodedStates, b: EncodedStates) -> None:
    check_states(a, "a")
    if a is not b:
        check_states(b, "b")
    if a.n_qubits != b.n_qubits:
        raise InvalidArgument("b", wanted=f"{a.n_qubits} qubits as a has", got=b.n_qubits)


def _check_tile(tile: int | None) -> None:
    if tile is not None and not 1 <= tile <= _LARGEST_TILE:
        raise InvalidArgument("tile", wanted=f"1 to {_LARGEST_TILE}, or None", got=tile)


def _checked_labels(labels: npt.ArrayLike, count: int, n_classes: int) -> npt.NDArray[np.intp]:
    if n_classes < 1:
        raise InvalidArgument("n_classes", wanted="1 or more", got=n_classes)
    array = np.asarray(labels)
    if array.shape != (count,):
        raise InvalidArgument("labels_b", wanted=f"shape ({count},)", got=f"shape {array.shape}")
    if count and not np.issubdtype(array.dtype, np.integer):
        raise InvalidArgument("labels_b", wanted="integers", got=array.dtype)
    if count and (array.min() < 0 or array.max() >= n_classes):
        raise InvalidArgument(
            "labels_b",
            wanted=f"classes from 0 to {n_classes - 1}",
            got=f"{array.min()} to {array.max()}",
        )
    return array.astype(np.intp)


def _metric(metric: str) -> Metric:
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    return cast("Metric", metric)


def _precision(dtype: npt.DTypeLike) -> torch.dtype:
    kind = np.dtype(dtype)
    if kind not in _DTYPES:
        raise InvalidArgument("dtype", wanted="float32 or float64", got=kind)
    return _DTYPES[kind]
