"""An OpenQASM 2 or 3 file in statements and blocks, with places; comments and texts kept apart.

It reads what parsers agree on: where statements end and blocks begin. It does not check the
grammar: a file that no parser takes is nobody's danger.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bezoar.scan.artefacts.limits import OPENQASM_NESTING

_PIECES = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<pragma>^[ \t]*(?:\#?pragma\b|@[A-Za-z_])[^\n]*)"
    r"|(?P<text>\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?P<open>\{)|(?P<close>\})|(?P<end>;)"
    r"|(?P<code>[^\"'{};/\n]+|/|\n|[\"'])",
    re.DOTALL | re.MULTILINE,
)


@dataclass(slots=True)
class Statement:
    """One statement, with its block where it has one.

    Attributes:
        code: its words, comments left out and white space as it stands.
        offset: of its first character in the file.
        end: behind its last one, without its block.
        block: the statements between its braces, None without braces.
        depth: in how many blocks it lies.
    """

    code: str
    offset: int
    end: int
    block: list[Statement] | None = None
    depth: int = 0

    @property
    def word(self) -> str:
        """The first word, "" where it begins with something else.

        Example:
            >>> Statement(code="gate h2 a, b", offset=0, end=12).word
            'gate'
        """
        match = _WORD.match(self.code)
        return match.group() if match else ""


_WORD = re.compile(r"#?[A-Za-z_]\w*")
_BEFORE_SET = re.compile(r"(?:\bin|=|,)\Z")


@dataclass(slots=True)
class Source:
    """A file in statements.

    Attributes:
        text: the file.
        statements: those outside all blocks.
        too_deep: where blocks lie in each other deeper than is read, None when they do not.
    """

    text: str
    statements: list[Statement] = field(default_factory=list)
    too_deep: int | None = None
    _lines: list[int] = field(default_factory=list)

    def where(self, begin: int, end: int) -> tuple[int, int, int, int]:
        """Line, column, end line and end column of a part of the text."""
        if not self._lines:
            self._lines = [0, *(match.end() for match in re.finditer(r"\n", self.text))]
        line = bisect.bisect_right(self._lines, begin)
        end_line = bisect.bisect_right(self._lines, end)
        return (
            line,
            begin - self._lines[line - 1] + 1,
            end_line,
            end - self._lines[end_line - 1] + 1,
        )

    def every(self) -> Iterator[Statement]:
        """All statements, in blocks too, in the order of the file."""
        waiting = [iter(self.statements)]
        while waiting:
            for statement in waiting[-1]:
                yield statement
                if statement.block:
                    waiting.append(iter(statement.block))
                    break
            else:
                waiting.pop()


def read_source(text: str) -> Source:
    """Cuts a file into statements."""
    source = Source(text=text)
    reader = _Reader(source)
    for match in _PIECES.finditer(text):
        reader.take(match)
    reader.close_statement(len(text))
    return source


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.blocks: list[list[Statement]] = [source.statements]
        self.parts: list[str] = []
        self.begin = -1
        self.end = 0
        self.in_set = False

    def take(self, match: re.Match[str]) -> None:
        """Takes the next piece of the text."""
        kind = match.lastgroup
        if kind in ("code", "text"):
            self._add(match.group(), match.start())
        elif kind == "pragma":
            self.close_statement(match.start())
            self._add(match.group(), match.start())
            self.close_statement(match.end())
        elif kind == "open":
            self._open(match)
        elif kind == "close" and self.in_set:
            self.in_set = False
            self._add("}", match.start())
        elif kind == "close":
            self.close_statement(match.start())
            if len(self.blocks) > 1:
                self.blocks.pop()
        elif kind == "end":
            self.close_statement(match.start())

    def _add(self, part: str, offset: int) -> None:
        if self.begin < 0:
            stripped = part.lstrip()
            if not stripped:
                return
            self.begin = offset + len(part) - len(stripped)
            offset, part = self.begin, stripped
        self.parts.append(part)
        if not part.isspace():
            self.end = offset + len(part.rstrip())

    def _open(self, match: re.Match[str]) -> None:
        if _BEFORE_SET.search("".join(self.parts[-2:]).rstrip()[-4:]):
            # A set of values, as in ``for int i in {1, 2}``: braces that are no block.
            self.in_set = True
            self._add("{", match.start())
            return
        statement = self.close_statement(match.start(), always=True)
        if len(self.blocks) > OPENQASM_NESTING:
            if self.source.too_deep is None:
                self.source.too_deep = match.start()
            statement.block = []
            self.blocks.append([])
            return
        statement.block = []
        self.blocks.append(statement.block)

    def close_statement(self, end: int, *, always: bool = False) -> Statement:
        """Ends the statement that was being read, if there is one."""
        code = "".join(self.parts).rstrip()
        begin = self.begin if self.begin >= 0 else end
        finish = self.end if code else begin
        statement = Statement(code=code, offset=begin, end=finish, depth=len(self.blocks) - 1)
        if code or always:
            self.blocks[-1].append(statement)
        self.parts, self.begin = [], -1
        return statement
