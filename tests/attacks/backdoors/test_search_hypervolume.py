"""Fronts and volumes against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.attacks.backdoors.search_hypervolume import hypervolume, pareto_front
from bezoar.contracts.errors import InvalidArgument

_SIDE = 6
points_of = st.integers(2, 3).flatmap(
    lambda n: st.lists(st.tuples(*[st.integers(-1, _SIDE + 1)] * n), min_size=1, max_size=12)
)


@given(points_of)
def test_volume_is_the_number_of_dominated_cells(points: list[tuple[int, ...]]) -> None:
    corner = (_SIDE,) * len(points[0])
    # From -1, the lowest coordinate that is drawn.
    cells = itertools.product(range(-1, _SIDE), repeat=len(corner))
    counted = sum(
        any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points)
        for cell in cells
    )
    assert hypervolume(points, corner) == counted


@given(points_of)
def test_front_is_what_no_other_dominates(points: list[tuple[int, ...]]) -> None:
    front = pareto_front(points)
    for i, one in enumerate(points):
        beaten = any(
            all(a <= b for a, b in zip(other, one, strict=True)) and other != one
            for other in points
        )
        assert (i in front) == (not beaten and points.index(one) == i)


@given(points_of, st.permutations(range(3)))
def test_axes_are_equal(points: list[tuple[int, ...]], order: list[int]) -> None:
    values = np.array(points, dtype=float) / 3
    axes = [axis for axis in order if axis < values.shape[1]]
    corner = np.full(values.shape[1], 2.0)
    # The sum runs over other slices: rounding only.
    assert hypervolume(values[:, axes], corner) == pytest.approx(
        hypervolume(values, corner), rel=1e-12
    )


@given(points_of, points_of)
def test_more_points_never_lose(one: list[tuple[int, ...]], two: list[tuple[int, ...]]) -> None:
    two = [(*point, 0, 0)[: len(one[0])] for point in two]
    corner = (_SIDE,) * len(one[0])
    assert hypervolume([*one, *two], corner) >= hypervolume(one, corner)


def test_without_points_there_is_no_volume() -> None:
    assert hypervolume([], (1, 1, 1)) == 0
    assert hypervolume([(2, 0)], (1, 1)) == 0


def test_refuses_what_has_no_volume() -> None:
    with pytest.raises(InvalidArgument, match="reference"):
        hypervolume([(1,)], (1,))
    with pytest.raises(InvalidArgument, match="reference"):
        hypervolume([(1, 1)], (1, np.nan))
    with pytest.raises(InvalidArgument, match="points"):
        hypervolume([(1, 1)], (1, 1, 1))
    with pytest.raises(InvalidArgument, match="points"):
        pareto_front([(1, np.nan)])
    with pytest.raises(InvalidArgument, match="points"):
        pareto_front([1, 2])
