"""Pareto fronts of points to minimise, and the volume that they dominate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidArgument

FloatPoints = npt.NDArray[np.float64]


def pareto_front(points: npt.ArrayLike) -> IntArray:
    """Positions of the points that no other dominates, ``(front,)``, ascending.

    A point dominates another if it is nowhere larger and somewhere smaller. Of equal points the
    first counts.

    Args:
        points: ``(point, objective)``, smaller is better.

    Example:
        >>> pareto_front([[1, 2], [2, 1], [2, 2], [1, 2]]).tolist()
        [0, 1]
    """
    values = _points(points)
    smaller_or_equal = (values[:, None] <= values).all(axis=2)
    smaller = (values[:, None] < values).any(axis=2)
    # [i, j]: i makes j redundant, by dominating it or by being the same point before it.
    before = np.arange(len(values))[:, None] < np.arange(len(values))
    redundant = smaller_or_equal & (smaller | before)
    return np.flatnonzero(~redundant.any(axis=0))


def hypervolume(points: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The volume between a reference point and the points, exact, in two or three dimensions.

    ``volume of the union over points p of the boxes [p, reference]``; points that are not below the
    reference in every objective count nothing.

    Args:
        points: ``(point, objective)``, smaller is better; may be empty.
        reference: ``(objective,)``.

    Raises:
        InvalidArgument: not two or three finite objectives, or shapes that do not fit.

    Example:
        >>> hypervolume([[1, 2], [2, 1]], [3, 3])
        3.0
        >>> hypervolume([[0, 0, 0], [5, 5, 5]], [2, 1, 3])
        6.0
    """
    corner = np.asarray(reference, dtype=np.float64)
    if corner.shape not in ((2,), (3,)) or not np.isfinite(corner).all():
        raise InvalidArgument("reference", wanted="two or three finite numbers", got=reference)
    values = _points(points) if np.size(points) else np.zeros((0, len(corner)))
    if values.shape[1] != len(corner):
        raise InvalidArgument(
            "points", wanted=f"{len(corner)} objectives, as the reference has", got=values.shape
        )
    inside = values[(values < corner).all(axis=1)]
    front = inside[pareto_front(inside)] if len(inside) else inside
    return _area(front, corner) if len(corner) == 2 else _volume(front, corner)


def _points(points: npt.ArrayLike) -> FloatPoints:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InvalidArgument(
            "points", wanted="finite numbers of shape (point, objective)", got=values.shape
        )
    return values


def _area(front: FloatPoints, corner: FloatPoints) -> float:
    """A staircase: from left to right each point adds what lies below the last."""
    area, height = 0.0, float(corner[1])
    for x, y in front[np.lexsort((front[:, 1], front[:, 0]))]:
        if y < height:
            area += float((corner[0] - x) * (height - y))
            height = float(y)
    return area


def _volume(front: FloatPoints, corner: FloatPoints) -> float:
    """Slices along the last axis; in each slice the points below it make a staircase."""
    ordered = front[np.argsort(front[:, 2], kind="stable")]
    ends = [*ordered[1:, 2], corner[2]][: len(ordered)]
    slices = (
        _area(ordered[: i + 1, :2], corner[:2]) * float(end - point[2])
        for i, (point, end) in enumerate(zip(ordered, ends, strict=True))
        if end > point[2]
    )
    return sum(slices, start=0.0)
