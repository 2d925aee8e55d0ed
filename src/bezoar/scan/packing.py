"""What came of a file as JSON and back, for the cache. No class is made that is not listed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from bezoar.contracts.code_findings import CodeFinding, Place, Step
from bezoar.scan.code.project import ClassFacts, Exports, FieldFacts, Summary
from bezoar.scan.code.values import UNKNOWN_LITERAL, Origin, Value
from bezoar.scan.examination import Examined, Found
from bezoar.scan.framing import masked
from bezoar.scan.suppressions import Suppression

_CLASSES: dict[str, type] = {
    each.__name__: each
    for each in (
        ClassFacts,
        CodeFinding,
        Examined,
        Exports,
        FieldFacts,
        Found,
        Origin,
        Place,
        Step,
        Summary,
        Suppression,
    )
}


class HoldsSecret(ValueError):
    """The result holds what looks like a token, so it must not be written to a file."""


def packed(result: Examined) -> str:
    """`result` as JSON text.

    Raises:
        HoldsSecret: what it tells other files is, or holds, something like a token.
    """
    whole = _packed(result)
    # Findings are masked already; constants and lines of code are as they were written.
    told = set(_texts([whole["v"]["exports"], whole["v"]["passed"]]))
    if any(masked(text) != text for text in told):
        raise HoldsSecret
    return json.dumps(whole, separators=(",", ":"))


def unpacked(text: str) -> Examined:
    """What `packed` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        result = _unpacked(json.loads(text))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a packed result: {error}") from error
    if not isinstance(result, Examined):
        raise ValueError("not a packed result")  # noqa: TRY004 - the text's fault, not the type's
    return result


def _texts(item: Any) -> Iterator[str]:
    """All texts in what `_packed` gives, keys left out: those are names."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, list):
        for each in item:
            yield from _texts(each)
    elif isinstance(item, dict):
        for each in item.values():
            yield from _texts(each)


def _packed(item: Any) -> Any:
    if item is None or isinstance(item, bool | int | str):
        return item
    if isinstance(item, float):
        return {"~": "float", "v": repr(item)}
    if item is UNKNOWN_LITERAL or isinstance(item, complex | type(...)):
        return {"~": "unknown"}
    if isinstance(item, bytes):
        return {"~": "bytes", "v": item.decode("latin-1")}
    if isinstance(item, Value):
        return {"~": "Value", "v": [_packed(getattr(item, name)) for name in Value.__slots__]}
    if isinstance(item, list):
        return [_packed(each) for each in item]
    if isinstance(item, tuple):
        return {"~": "tuple", "v": [_packed(each) for each in item]}
    if isinstance(item, frozenset | set):
        return {"~": "set", "v": sorted((_packed(each) for each in item), key=str)}
    if isinstance(item, dict):
        return {"~": "dict", "v": [[_packed(key), _packed(each)] for key, each in item.items()]}
    name = type(item).__name__
    if _CLASSES.get(name) is type(item):
        fields = {each.name: _packed(getattr(item, each.name)) for each in dataclasses.fields(item)}
        return {"~": name, "v": fields}
    raise TypeError(f"{name} cannot be packed")


def _unpacked(item: Any) -> Any:
    if isinstance(item, list):
        return [_unpacked(each) for each in item]
    if not isinstance(item, dict):
        return item
    kind: str = item["~"]
    inner: Any = item.get("v")
    if kind == "float":
        return float(inner)
    if kind == "unknown":
        return UNKNOWN_LITERAL
    if kind == "bytes":
        return inner.encode("latin-1")
    if kind == "Value":
        fields = dict(zip(Value.__slots__, (_unpacked(each) for each in inner), strict=True))
        return Value(fields.pop("literal"), **fields)
    if kind == "tuple":
        return tuple(_unpacked(each) for each in inner)
    if kind == "set":
        return frozenset(_unpacked(each) for each in inner)
    if kind == "dict":
        return {_unpacked(key): _unpacked(each) for key, each in inner}
    return _CLASSES[kind](**{name: _unpacked(each) for name, each in inner.items()})
