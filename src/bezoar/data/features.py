"""Which features a fit or a transform accepts, and how gaps in them are told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData

ImageShape = tuple[int, int, int]

# A flat row is taken for an image from 8 x 8 pixels on; 16 or 25 columns are more likely a table.
_SMALLEST_SIDE = 8

# Beyond this, squares and differences of float64 numbers overflow.
LARGEST = 1e150


def flat_features(features: FloatArray, *, n_features: int | None = None) -> FloatArray:
    """Features as a matrix ``(sample, feature)`` of float64; images are flattened.

    Args:
        features: ``(sample, feature)`` or ``(sample, channel, height, width)``.
        n_features: how many numbers per sample a fitted object expects; None before a fit.

    Raises:
        InvalidData: not numbers, another shape, no feature, a gap, or numbers beyond 1e150.

    Example:
        >>> import numpy as np
        >>> flat_features(np.zeros((3, 1, 2, 2))).shape
        (3, 4)
    """
    array = np.asarray(features)
    if array.dtype.kind not in "biuf":
        raise InvalidData("features", wanted="numbers", got=f"an array of {array.dtype}")
    if array.ndim not in (2, 4) or 0 in array.shape[1:]:
        raise InvalidData(
            "features",
            wanted="shape (sample, feature) or (sample, channel, height, width)",
            got=array.shape,
        )
    matrix = array.reshape(len(array), int(np.prod(array.shape[1:])))
    if n_features is not None and matrix.shape[1] != n_features:
        raise InvalidData(
            "features",
            wanted=f"{n_features} per sample, as in the fit",
            got=f"{matrix.shape[1]}",
            mend="transform data of the kind that was fitted",
        )
    matrix = matrix.astype(np.float64, copy=False)
    refuse_gaps(matrix)
    if matrix.size and max(matrix.max(), -matrix.min()) > LARGEST:
        raise InvalidData(
            "features",
            wanted=f"magnitudes up to {LARGEST:g}",
            got="larger ones",
            mend="give them in another unit",
        )
    return matrix


def train_matrix(features: FloatArray) -> FloatArray:
    """As `flat_features`, for what a reduction is fitted on.

    Raises:
        InvalidData: as there; also no sample, or all samples the same.
    """
    matrix = flat_features(features)
    if not len(matrix) or (matrix == matrix[0]).all():
        raise InvalidData(
            "train_features",
            wanted="at least two different samples",
            got=f"{len(matrix)}, all the same" if len(matrix) else "none",
        )
    return matrix


def image_shape(shape: tuple[int, ...]) -> ImageShape | None:
    """Channel, height and width of a sample of this shape; None if it is no image.

    A flat row is one grey image if its length is a square from 8 x 8 up.

    Example:
        >>> image_shape((64,)), image_shape((3, 32, 32)), image_shape((30,))
        ((1, 8, 8), (3, 32, 32), None)
    """
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        shape = (1, side, side) if side * side == shape[0] else (1, 1, shape[0])
    channels, height, width = shape
    return (channels, height, width) if min(height, width) >= _SMALLEST_SIDE else None


def check_count(n_components: int) -> None:
    """Refuses a number of components that is not a whole number from 1 up.

    Raises:
        InvalidArgument: it is not.
    """
    whole = isinstance(n_components, int | np.integer) and not isinstance(n_components, bool)
    if not whole or n_components < 1:
        raise InvalidArgument(
            "n_components", wanted="a whole number, 1 or more", got=repr(n_components)
        )


def check_seed(seed: int) -> None:
    """Refuses a seed that is not a whole number from 0 up.

    Raises:
        InvalidArgument: it is not.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or seed < 0:
        raise InvalidArgument("seed", wanted="a whole number, 0 or more", got=repr(seed))


def read_only(array: FloatArray) -> FloatArray:
    """`array`, which nothing may write to from here on."""
    array.setflags(write=False)
    return array


def refuse_gaps(matrix: FloatArray, names: Sequence[str] | None = None) -> None:
    """Says which columns of ``(sample, feature)`` hold missing (NaN) or infinite values.

    Raises:
        InvalidData: there are some; the message counts them per column.

    Example:
        >>> import numpy as np
        >>> refuse_gaps(np.array([[1.0, np.nan]]), ["a", "b"])
        Traceback (most recent call last):
        ...
        bezoar.contracts.errors.InvalidData: features: wanted a finite number in every row and \
column, got 1 missing value in column 'b' (first: row 1 of 1); remove these rows or fill the gaps
    """
    good = np.isfinite(matrix)
    if good.all():
        return
    columns = np.flatnonzero(~good.all(axis=0))
    told = [_gap(matrix[:, i], str(names[i]) if names else "", i) for i in columns[:3].tolist()]
    if len(columns) > len(told):
        told.append(f"gaps in {len(columns) - len(told)} more columns")
    raise InvalidData(
        "features",
        wanted="a finite number in every row and column",
        got=", ".join(told),
        mend="remove these rows or fill the gaps",
    )


def _gap(column: FloatArray, name: str, position: int) -> str:
    n_missing = int(np.isnan(column).sum())
    n_infinite = int(np.isinf(column).sum())
    parts = [
        f"{n} {word} value{'s' if n > 1 else ''}"
        for n, word in ((n_missing, "missing"), (n_infinite, "infinite"))
        if n
    ]
    where = f"column {name!r}" if name else f"feature {position}"
    first = int(np.flatnonzero(~np.isfinite(column))[0]) + 1
    return f"{' and '.join(parts)} in {where} (first: row {first} of {len(column)})"
