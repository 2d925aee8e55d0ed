"""What the settings of triggers may be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bezoar.contracts.errors import InvalidArgument


def whole_number(argument: str, value: object, low: int) -> int:
    """`value` as an int.

    Raises:
        InvalidArgument: it is no whole number, or below `low`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InvalidArgument(argument, wanted=f"a whole number, {low} or more", got=repr(value))
    return int(value)


def number(argument: str, value: object, low: float, high: float) -> float:
    """`value` as a float.

    Raises:
        InvalidArgument: it is no finite number in ``[low, high]``.
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            plain = float(value)
        except OverflowError:  # a whole number beyond all floats
            plain = math.inf
        if math.isfinite(plain) and low <= plain <= high:
            return plain
    wanted = "a finite number" if high == math.inf else "a number"
    span = "" if low == -math.inf else f", {low:g} or more"
    span = span if high == math.inf else f" in [{low:g}, {high:g}]"
    raise InvalidArgument(argument, wanted=wanted + span, got=repr(value))


def numbers(argument: str, values: object, low: float, high: float) -> tuple[float, ...]:
    """One number or a row of them as a tuple.

    Raises:
        InvalidArgument: the row is empty, or holds something else than numbers in ``[low, high]``.
    """
    row = values if isinstance(values, Sequence) and not isinstance(values, str) else (values,)
    if not row:
        raise InvalidArgument(argument, wanted="a number or more", got="none")
    return tuple(number(argument, value, low, high) for value in row)
