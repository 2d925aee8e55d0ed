"""The values of a plan's fields: from TOML and the command line, and back into text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from bezoar.contracts.errors import InvalidArgument


def listed(values: Sequence[str | float]) -> str:
    """Values parted by commas; quoted as in CSV where a name holds a comma or a quotation mark.

    Example:
        >>> listed(["a,b", "c"])
        '"a,b",c'
    """
    texts = [str(value) for value in values]
    bare = all(text and text == text.strip() for text in texts)
    line = io.StringIO()
    quoting = csv.QUOTE_MINIMAL if bare else csv.QUOTE_ALL
    csv.writer(line, lineterminator="", quoting=quoting).writerow(texts)
    return line.getvalue()


def converted(kind: str, name: str, value: Any) -> Any:
    """`value` if it is of a field's kind, the text of its annotation.

    Whole numbers stand for decimals, lists for tuples, and one item for a tuple of it.

    Raises:
        InvalidArgument: it is of another kind.

    Example:
        >>> converted("tuple[float, ...]", "ratios", [1, 0.5])
        (1.0, 0.5)
    """
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        one = kind.removeprefix("tuple[").partition(",")[0]
        items: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
        # Class names are often numbers, and read as such from a file.
        if name in ("classes", "source_classes"):
            items = [str(item) if _is_number(item) else item for item in items]
        values = [converted(one, name, item) for item in items]
        # The wires of a device stand in order: a qubit named twice is a slip, not a repetition.
        return tuple(values if name == "device_qubits" else dict.fromkeys(values))
    checks = {
        "bool": (lambda v: isinstance(v, bool), bool, "true or false"),
        "int": (lambda v: isinstance(v, Integral) and _is_number(v), int, "a whole number"),
        "float": (_is_number, float, "a finite number"),
        "str": (lambda v: isinstance(v, str), str, "text"),
    }
    check, convert, wanted = checks[kind.partition(" ")[0]]
    if not check(value):
        raise InvalidArgument(name, wanted=wanted, got=repr(value))
    return convert(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
