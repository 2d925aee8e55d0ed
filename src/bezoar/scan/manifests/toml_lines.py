"""Where things stand in a TOML file: `tomllib` reads the values but keeps no places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?\Z")
_PART = r"""(?:[\w-]+|"[^"]+"|'[^']+')"""
_DOTTED = re.compile(rf"{_PART}(?:\s*\.\s*{_PART})*")
_QUOTED = re.compile(r"""(["']).*\1""")
_KEY = re.compile(r"""\s*(?P<key>"[^"]+"|'[^']+'|[A-Za-z0-9_.-]+)\s*=\s*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table: its dotted name and its lines, `first` being the number of ``lines[0]``."""

    name: str
    repeated: bool
    first: int
    lines: tuple[str, ...]

    def place_of_key(self, key: str) -> tuple[int, int, int]:
        """Line, column and length of ``key = value``; the header's where there is none."""
        for number, line in enumerate(self.lines):
            match = _KEY.match(line)
            if match is not None and match["key"].strip("\"'") == key:
                column = match.start("key") + 1
                return self.first + number, column, len(_without_comment(line)) - column + 1
        return self.first, 1, len(self.lines[0]) if self.lines else 1


class Strings:
    """Finds quoted texts one after the other, so that equal ones get places of their own."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._taken: set[tuple[int, int]] = set()

    def place_of(self, value: str, first: int, last: int) -> tuple[int, int, int]:
        """Line, column and length of `value` in quotes between two lines, both included."""
        for number in range(first, min(last, len(self._lines)) + 1):
            line = self._lines[number - 1]
            for quote in ('"', "'"):
                written = value.replace('"', '\\"') if quote == '"' else value
                column = line.find(f"{quote}{written}{quote}")
                if column >= 0 and (number, column) not in self._taken:
                    self._taken.add((number, column))
                    return number, column + 1, len(written) + 2
        return first, 1, 1


def sections(text: str) -> Iterator[Section]:
    """The tables of a TOML text, in its order; what stands before the first has the name "".

    Example:
        >>> [(s.name, s.first) for s in sections("x = 1\\n[tool.uv]\\ny = 2\\n")]
        [('', 1), ('tool.uv', 2)]
    """
    name, repeated, first = "", False, 1
    held: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _HEADER.match(line) if line.lstrip().startswith("[") else None
        if match is not None and _is_header(match[2]):
            yield Section(name=name, repeated=repeated, first=first, lines=tuple(held))
            name, repeated, first, held = _plain(match[2]), match[1] == "[[", number, []
        held.append(line)
    yield Section(name=name, repeated=repeated, first=first, lines=tuple(held))


def value_of(line: str, key: str) -> tuple[str, int] | None:
    """The text in quotes behind ``key =``, and its column from 1.

    Example:
        >>> value_of('version = "1.2.4"', "version")
        ('1.2.4', 12)
    """
    match = re.match(rf"""\s*{re.escape(key)}\s*=\s*(["'])([^"']*)\1""", line)
    return (match[2], match.start(2) + 1) if match is not None else None


def _is_header(inner: str) -> bool:
    """Whether it is a dotted name; a line of an array, such as ``["qiskit"],``, is none."""
    return _DOTTED.fullmatch(inner) is not None and _QUOTED.fullmatch(inner) is None


def _plain(inner: str) -> str:
    return re.sub(r"""\s*\.\s*""", ".", inner).replace('"', "").replace("'", "")


def _without_comment(line: str) -> str:
    """The line up to a ``#`` outside quotes."""
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            return line[:position].rstrip()
    return line.rstrip()
