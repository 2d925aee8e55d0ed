"""Python expressions in untrusted files, parsed and never evaluated."""

from __future__ import annotations

import ast
import warnings


class NotPython(Exception):
    """The text is no Python expression."""


def parsed(text: str) -> ast.Expression:
    """The syntax tree of an expression.

    Raises:
        NotPython: the text is none, or nests deeper than the parser goes.
    """
    try:
        with warnings.catch_warnings():
            # Hostile text makes the compiler warn; nobody wrote it here.
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise NotPython(str(error)) from error


def constant(text: str) -> object:
    """The value of a text that is made of constants, as `ast.literal_eval` gives it.

    Raises:
        NotPython: it is made of something else.

    Example:
        >>> constant("{'shape': (2, 3)}")
        {'shape': (2, 3)}
    """
    try:
        return ast.literal_eval(parsed(text))
    except (ValueError, TypeError, MemoryError, RecursionError) as error:
        raise NotPython(str(error)) from error
