"""Whole numbers in OpenQASM: sizes, ranges and constants, computed without evaluating text."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from bezoar.scan.artefacts.python_text import NotPython, parsed

_LONGEST = 200
#: Numbers beyond this are all the same to us: too many.
HUGE = 10**30

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift)
_LARGEST_EXPONENT = 128


def whole_number(text: str, constants: Mapping[str, int]) -> int | None:
    """The number that an expression of constants stands for, None where that is not known.

    Example:
        >>> whole_number("2**20 - 1", {}), whole_number("n * 4", {"n": 8}), whole_number("m", {})
        (1048575, 32, None)
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if text.isdigit() and text.isascii():
        return int(text)
    try:
        return _number(parsed(text).body, constants)
    except (NotPython, ZeroDivisionError):
        return None


def _number(node: ast.expr, constants: Mapping[str, int]) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _number(node.operand, constants)
        return None if inner is None else -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and isinstance(node.op, _OPERATORS):
        left, right = _number(node.left, constants), _number(node.right, constants)
        return None if left is None or right is None else _combined(node.op, left, right)
    return None


def _combined(operator: ast.operator, left: int, right: int) -> int | None:
    if isinstance(operator, (ast.Pow, ast.LShift)):
        base = 2 if isinstance(operator, ast.LShift) else left
        if right < 0:
            return None
        power = HUGE if abs(base) > 1 and right > _LARGEST_EXPONENT else base ** min(right, 128)
        return _bounded(left * power if isinstance(operator, ast.LShift) else power)
    if isinstance(operator, ast.Add):
        return _bounded(left + right)
    if isinstance(operator, ast.Sub):
        return _bounded(left - right)
    if isinstance(operator, ast.Mult):
        return _bounded(left * right)
    return left % right if isinstance(operator, ast.Mod) else left // right


def _bounded(number: int) -> int:
    return max(-HUGE, min(HUGE, number))


_RANGE = re.compile(r"\s*\[([^\[\]]*)\]")
_SET = re.compile(r"\s*\{([^{}]*)\}")


def loop_length(text: str, constants: Mapping[str, int]) -> tuple[int, str]:
    """How often a ``for`` runs over what `text` begins with, and what follows in `text`.

    What is not known counts as once: only what the file itself says is held against it.

    Example:
        >>> loop_length("[0:2:9] h q", {}), loop_length("{1, 5, 7}", {}), loop_length("xs", {})
        ((5, ' h q'), (3, ''), (1, ''))
    """
    match = _RANGE.match(text)
    if match:
        ends = [whole_number(part, constants) for part in match.group(1).split(":")]
        return _steps(ends), text[match.end() :]
    match = _SET.match(text)
    if match:
        return match.group(1).count(",") + 1, text[match.end() :]
    words = text.split(None, 1)
    return 1, words[1] if len(words) > 1 else ""


def _steps(ends: list[int | None]) -> int:
    if len(ends) not in (2, 3) or None in ends:
        return 1
    first, last = ends[0] or 0, ends[-1] or 0
    step = (ends[1] or 0) if len(ends) == 3 else 1
    return max(0, (last - first) // step + 1) if step else 1
