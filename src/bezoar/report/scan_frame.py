"""The lines of code around a finding, with what is marked in them, cut to a width."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from bezoar.contracts.code_findings import CodeFinding
from bezoar.report.wording import printable

#: So many lines before and after the first marked one are shown.
_BEFORE, _AFTER = 3, 5
_TAB = "    "
_CUT = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLine:
    """A line of code in three parts, fit to print; `marked` is empty in lines around the place.

    Attributes:
        number: its line number.
        before, marked, after: its text. Tabs are four blanks, what was cut is an ellipsis.
        points: whether the place is in this line, also where nothing of it can be marked.
    """

    number: int
    before: str
    marked: str = ""
    after: str = ""
    points: bool = False


def frame(finding: CodeFinding, *, width: int) -> tuple[FrameLine, ...]:
    """The lines to show of `finding`, none wider than `width` columns.

    Numbers that jump mean that lines between were left out. A place longer than the frame shows
    its first lines and its last.
    """
    place = finding.place
    end = max(place.line, place.end_line)
    first, last = place.line - _BEFORE, place.line + _AFTER
    lines = []
    for number, text in enumerate(finding.code, finding.code_line):
        if not (first <= number <= last or number == end):
            continue
        if not place.line <= number <= end:
            lines.append(FrameLine(number=number, before=clipped(text, width)))
            continue
        indent = len(text) - len(text.lstrip())
        # Of a very long line only a piece is carried.
        cut_off = max(finding.code_column, 1) if number == place.line else 1
        start = max(place.column - cut_off, 0) if number == place.line else indent
        stop = max(place.end_column - cut_off, start) if number == end else len(text)
        before, marked, after = cut(text, start, stop, width)
        lines.append(
            FrameLine(number=number, before=before, marked=marked, after=after, points=True)
        )
    return tuple(lines)


def cut(text: str, start: int, stop: int, width: int) -> tuple[str, str, str]:
    """`text` before `start`, up to `stop` and after it, made printable and at most `width` wide.

    Example:
        >>> cut("load(path)", 5, 9, 80)
        ('load(', 'path', ')')
        >>> cut("x" * 50 + "load(path)", 55, 59, 20)
        ('…xxxxxxxxxload(', 'path', ')')
    """
    start = min(start, len(text))
    stop = min(max(stop, start), len(text))
    # A line may be megabytes long: only what can be seen is looked at.
    before = _shown(text[max(start - width - 1, 0) : start])
    marked = _shown(text[start : min(stop, start + width + 1)])
    after = _shown(text[stop : stop + width + 1])
    if columns(before) + columns(marked) + columns(after) <= width:
        return before, marked, after
    marked = _head(marked, max(width * 2 // 3, 1))
    room = width - columns(marked)
    behind = min(columns(after), room // 3)
    before = _tail(before, room - behind)
    return before, marked, _head(after, room - columns(before))


def clipped(text: str, width: int) -> str:
    """The beginning of `text`, made printable, with an ellipsis where it was cut.

    Example:
        >>> clipped("measure(circuit)", 10)
        'measure(c…'
    """
    return _head(_shown(text[: width + 1]), width)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes.

    Example:
        >>> columns("abc"), columns("量子"), columns("e\\u0301")
        (3, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(text: str) -> str:
    return printable(text.replace("\t", _TAB))


def _head(text: str, width: int) -> str:
    """The beginning of `text`, with an ellipsis where it was cut."""
    if columns(text) <= width:
        return text
    return _fitting(text, width - 1) + _CUT if width > 0 else ""


def _tail(text: str, width: int) -> str:
    """The end of `text`, with an ellipsis where it was cut."""
    if columns(text) <= width:
        return text
    return _CUT + _fitting(text[::-1], width - 1)[::-1] if width > 0 else ""


def _fitting(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _columns_of(character)
        if used > width:
            return text[:index]
    return text
