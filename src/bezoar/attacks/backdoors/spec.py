"""One line of text for a trigger: ``name``, ``name:value,...``, ``name:key=value,...``."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import unquote

from bezoar.contracts.errors import InvalidArgument

Value = int | float | str | tuple[int | float, ...]


class Spec(NamedTuple):
    """What a text says: the name, values by position, and values by key."""

    name: str
    positional: tuple[Value, ...]
    keyed: dict[str, Value]


def read_spec(text: str) -> Spec:
    """Takes a text apart.

    Values are whole numbers, decimal numbers, rows of numbers parted by ``/``, or words; in a word
    a comma is written ``%2C`` and a per cent sign ``%25``. Values without a key come first.

    Raises:
        InvalidArgument: the text has no name, an empty part, a key twice, or a value without a key
            after one with a key.

    Example:
        >>> read_spec("patch:3,place=4/7,colour=0.5")
        Spec(name='patch', positional=(3,), keyed={'place': (4, 7), 'colour': 0.5})
    """
    if not isinstance(text, str):
        raise _unreadable(text, "a text")
    name, colon, rest = text.partition(":")
    name = name.strip()
    if not name:
        raise _unreadable(text, "the name of a trigger first")
    positional: list[Value] = []
    keyed: dict[str, Value] = {}
    for part in rest.split(",") if colon else ():
        key, equals, value = part.partition("=")
        key, raw = key.strip(), (value if equals else part).strip()
        if not raw or (equals and not key):
            raise _unreadable(text, "a value, or key=value, between commas")
        if not equals:
            if keyed:
                raise _unreadable(text, "values without a key before those with one")
            positional.append(_read_value(raw))
        elif key in keyed:
            raise _unreadable(text, f"{key} only once")
        else:
            keyed[key] = _read_value(raw)
    return Spec(name, tuple(positional), keyed)


def write_spec(name: str, trigger: Any, *, positional: int, always: Collection[str] = ()) -> str:
    """The text that `read_spec` and the trigger's class turn into an equal trigger.

    Args:
        name: the registered name.
        trigger: a dataclass; fields without ``init`` are left out.
        positional: how many fields, from the first, are written as bare values.
        always: fields that are written with their key even where they have their default.
    """
    settings = [field for field in dataclasses.fields(trigger) if field.init]
    parts = [_write_value(getattr(trigger, field.name)) for field in settings[:positional]]
    for field in settings[positional:]:
        value = getattr(trigger, field.name)
        if field.name in always or value != field.default:
            parts.append(f"{field.name}={_write_value(value)}")
    return f"{name}:{','.join(parts)}" if parts else name


def _read_value(raw: str) -> Value:
    pieces = raw.split("/")
    first, *others = (_number(piece) for piece in pieces)
    if first is None or None in others:
        return unquote(raw)
    return (first, *(number for number in others if number is not None)) if others else first


def _number(piece: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(piece)
        except ValueError:
            continue
    return None


def _write_value(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(_write_value(item) for item in value)
    if isinstance(value, str):
        return _write_word(value)
    return repr(value).removesuffix(".0")


def _write_word(word: str) -> str:
    text = word.replace("%", "%25").replace(",", "%2C")
    if text != text.strip() or not isinstance(_read_value(text), str):
        # It would be read as a number, or without its outer spaces.
        return "".join(f"%{byte:02X}" for byte in word.encode())
    return text


def _unreadable(text: object, wanted: str) -> InvalidArgument:
    return InvalidArgument(
        "trigger",
        wanted=wanted,
        got=repr(text),
        mend='write it as in "patch:3,place=top-left" or "qcolor:1.2,1,0.8"',
    )
