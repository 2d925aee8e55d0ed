"""From labels of any type to integer codes and class names in natural order."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import InvalidData

# Above this a float64 no longer tells neighbouring whole numbers apart.
_LARGEST_WHOLE = 2.0**53


def encode_labels(
    values: npt.NDArray[Any], *, subject: str = "labels"
) -> tuple[IntArray, tuple[str, ...]]:
    """Integer codes ``(sample,)`` of labels ``(sample,)``, and the class names that they index.

    Numbers are ordered by value, text by `natural_order`. Whole floats lose their ``.0``.

    Args:
        values: booleans, integers, floats, text or UTF-8 bytes.
        subject: what error messages call the labels.

    Raises:
        InvalidData: another type, a missing label, or an infinite one.

    Example:
        >>> import numpy as np
        >>> codes, names = encode_labels(np.array([1.0, 0.0, 1.0]))
        >>> codes.tolist(), names
        ([1, 0, 1], ('0', '1'))
    """
    if values.dtype.kind == "S":
        values = _decoded(values, subject)
    if values.dtype.kind not in "biufU":
        raise InvalidData(
            subject,
            wanted="numbers or text",
            got=f"an array of {values.dtype}",
            mend="save them as whole numbers or as text",
        )
    if values.dtype.kind == "f":
        refuse_missing(~np.isfinite(values), subject)
    if values.dtype.kind == "U":
        refuse_missing(values == "", subject)
    distinct, codes = np.unique(values, return_inverse=True)
    if values.dtype.kind != "U":
        return codes.reshape(-1), tuple(_number_name(value) for value in distinct)
    order = natural_order(distinct.tolist())
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes.reshape(-1)], tuple(str(distinct[i]) for i in order)


def natural_order(names: Sequence[str]) -> IntArray:
    """Positions of `names` in natural order; by value if all of them are numbers.

    Example:
        >>> [["10", "9"][i] for i in natural_order(["10", "9"])]
        ['9', '10']
        >>> [["class 10", "class 2"][i] for i in natural_order(["class 10", "class 2"])]
        ['class 2', 'class 10']
    """
    numbers = [_as_number(name) for name in names]
    if all(math.isfinite(number) for number in numbers):
        order = sorted(range(len(names)), key=lambda i: (numbers[i], names[i]))
    else:
        order = sorted(range(len(names)), key=lambda i: (_natural(names[i]), names[i]))
    return np.asarray(order, dtype=np.int64)


def refuse_missing(missing: npt.NDArray[np.bool_], subject: str) -> None:
    """Refuses labels of which some are missing; `missing` marks them, ``(sample,)``.

    Raises:
        InvalidData: one or more are; the message counts them.
    """
    n_missing = int(missing.sum())
    if n_missing:
        raise InvalidData(
            subject,
            wanted="a label in every row",
            got=f"{n_missing} missing of {len(missing)} "
            f"(first: row {int(np.flatnonzero(missing)[0]) + 1})",
            mend="remove these rows or label them",
        )


def _decoded(values: npt.NDArray[np.bytes_], subject: str) -> npt.NDArray[np.str_]:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidData(
            subject, wanted="text in UTF-8", got="other bytes", mend="save them as UTF-8"
        ) from error


def _number_name(value: np.generic) -> str:
    number = value.item()
    if isinstance(number, float) and number.is_integer() and abs(number) < _LARGEST_WHOLE:
        return str(int(number))
    # numpy writes a float32 with the digits that it has; item() would show float64 noise.
    return str(value)


def _as_number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return math.nan


def _natural(name: str) -> list[str | tuple[int, str]]:
    # Digit runs compare by length and then text, which is by value, at any length.
    parts: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", name.casefold()))
    for i in range(1, len(parts), 2):
        digits = str(parts[i]).lstrip("0")
        parts[i] = (len(digits), digits)
    return parts
