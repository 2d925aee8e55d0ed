"""Where a value comes from and how it is written, in the words of a message."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bezoar.scan.code.values import Value

#: Kinds of origins from the one that anybody can fill to the one that the user fills.
HOSTILE: Final = ("request", "network", "cli", "env", "file", "result", "parameter")

_TOLD: Final = {
    "request": "the request",
    "network": "the network",
    "cli": "the command line",
    "env": "the environment",
    "file": "a file",
    "result": "a measurement result",
    "parameter": "the caller",
    "store": "a store that requests fill",
    "error": "a caught exception",
}


def worst_origin(value: Value, kinds: Sequence[str] = HOSTILE) -> str:
    """The first of `kinds` that `value` comes from, "" for none of them."""
    for kind in kinds:
        if value.comes_from(kind):
            return kind
    return ""


def told(kind: str) -> str:
    """A kind of origin in words.

    Example:
        >>> told("request")
        'the request'
    """
    return _TOLD.get(kind, "outside")


def shown(node: ast.AST, limit: int = 60) -> str:
    """An expression as it is written, shortened.

    Example:
        >>> shown(ast.parse("a  +  b").body[0]), shown(ast.parse("abcdefgh").body[0], 6)
        ('a + b', 'abc...')
    """
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
