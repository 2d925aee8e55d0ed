"""Splits shell text into commands and words, with the place of every word.

It is no shell: nothing is expanded, and a construct it does not know ends up as ordinary words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SEPARATORS = frozenset(";&|()`\n")
#: A quotation longer than this is taken for a stray apostrophe.
_LONGEST_QUOTE = 4000
#: So far the end of ``$(`` or ``${{`` is looked for.
_LONGEST_EXPRESSION = 400
_OPEN_NEWLINE = re.compile(r"(?<!\\)\n")
_EXEC_FORM = re.compile(r"^([ \t]*(?:RUN|CMD|ENTRYPOINT)[ \t]*)\[(.*)\][ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Word:
    """One word without its quotes, and its place; lines and columns count from 1."""

    text: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(slots=True)
class _Reader:
    """Where the reading stands."""

    text: str
    line: int
    dockerfile: bool
    position: int = 0
    line_start: int = 0
    words: list[Word] = field(default_factory=list)
    continued: bool = False

    @property
    def column(self) -> int:
        return self.position - self.line_start + 1

    def step(self) -> str:
        """Passes over one character and returns it."""
        character = self.text[self.position]
        self.position += 1
        if character == "\n":
            self.line += 1
            self.line_start = self.position
        return character


def commands(
    text: str, *, first_line: int = 1, dockerfile: bool = False
) -> Iterator[tuple[Word, ...]]:
    r"""The commands of a shell text, each as its words.

    Example:
        >>> [[w.text for w in words] for words in commands("pip install 'a b' \\\n c && ls # x")]
        [['pip', 'install', 'a b', 'c'], ['ls']]
    """
    if dockerfile:
        text = _EXEC_FORM.sub(_as_words, text)
    reader = _Reader(text.replace("\r\n", " \n"), first_line, dockerfile)
    while reader.position < len(reader.text):
        if _between_words(reader) and reader.words:
            yield tuple(reader.words)
            reader.words = []
    if reader.words:
        yield tuple(reader.words)


def _as_words(match: re.Match[str]) -> str:
    """``RUN ["pip", "install"]`` with its brackets and commas blanked, all places kept."""
    inner = re.sub(r"(?<=[\"'])(\s*),", r"\1 ", match[2])
    return f"{match[1]} {inner} "


def _between_words(reader: _Reader) -> bool:
    """Reads one word or one mark between words; whether a command ended."""
    character = reader.text[reader.position]
    if character == "#":
        _comment(reader)
        return False
    if character == "\\" and reader.text.startswith("\\\n", reader.position):
        reader.step()
        reader.step()
        reader.continued = True
        return False
    if character in " \t\r\f\v":
        reader.step()
        return False
    if character in _SEPARATORS:
        reader.step()
        if character == "\n" and reader.continued and reader.dockerfile:
            return False
        reader.continued = False
        return True
    reader.continued = False
    reader.words.append(_word(reader))
    return False


def _comment(reader: _Reader) -> None:
    end = reader.text.find("\n", reader.position)
    reader.position = len(reader.text) if end < 0 else end


def _word(reader: _Reader) -> Word:
    line, column = reader.line, reader.column
    letters: list[str] = []
    while reader.position < len(reader.text):
        character = reader.text[reader.position]
        if character in "\"'":
            letters.append(_quoted(reader, character))
        elif character == "\\":
            if reader.text.startswith("\\\n", reader.position):
                break
            reader.step()
            if reader.position < len(reader.text):
                letters.append(reader.step())
        elif reader.text.startswith(("${{", "{{"), reader.position):
            letters.append(_until(reader, "}}"))
        elif character == "$" and reader.text.startswith("$(", reader.position):
            letters.append(_until(reader, ")"))
        elif character.isspace() or character in _SEPARATORS:
            break
        else:
            letters.append(reader.step())
    return Word("".join(letters), line, column, reader.line, reader.column)


def _quoted(reader: _Reader, quote: str) -> str:
    start = reader.position + 1
    close = reader.text.find(quote, start, start + _LONGEST_QUOTE)
    # In an image a quotation goes on behind a newline only where that is escaped.
    open_line = reader.dockerfile and _OPEN_NEWLINE.search(reader.text, start, max(close, start))
    if close < 0 or open_line:
        return reader.step()  # an apostrophe, not the begin of a quotation
    reader.step()
    letters: list[str] = []
    while reader.position < len(reader.text):
        character = reader.step()
        if character == quote:
            break
        if character == "\\" and quote == '"' and reader.position < len(reader.text):
            following = reader.step()
            letters.append("" if following == "\n" else following)
        else:
            letters.append(character)
    return "".join(letters)


def _until(reader: _Reader, end: str) -> str:
    """What runs to `end`, which must come on the same line; else one character."""
    stop = reader.text.find(end, reader.position, reader.position + _LONGEST_EXPRESSION)
    if stop < 0 or "\n" in reader.text[reader.position : stop]:
        return reader.step()
    start, reader.position = reader.position, stop + len(end)
    return reader.text[start : reader.position]
