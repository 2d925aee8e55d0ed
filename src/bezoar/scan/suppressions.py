"""Comments that silence a finding: ``# qsa: ignore[QSA103] reason=parsed in a sandbox``."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_COMMENT = re.compile(
    r"#\s*qsa:\s*ignore(?P<file>-file)?\s*(?:\[(?P<rules>[^\]]*)\])?\s*"
    r"(?:(?:,\s*)?reason\s*[=:]\s*(?P<reason>[^#]*))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One such comment.

    Attributes:
        rules: the ids that it names; empty when it names none, which is a mistake.
        reason: why; "" when none is given, which is a mistake.
        line: the line of the comment, counted in the text.
        column: where it begins, from 1.
        covers: the line that it is about; 0 for the whole file.
    """

    rules: tuple[str, ...]
    reason: str
    line: int
    column: int
    covers: int

    @property
    def problem(self) -> str:
        """What is wrong with it, "" where nothing is."""
        if not self.rules:
            return "names no rule: write ignore[QSA103]"
        return "" if self.reason else "gives no reason: add reason=..."


def suppressions_in(text: str, *, is_python: bool) -> tuple[Suppression, ...]:
    """The suppression comments of a file, in order.

    Example:
        >>> found = suppressions_in("x = 1  # qsa: ignore[QSA101] reason=a test\\n", is_python=True)
        >>> found[0].rules, found[0].reason, found[0].covers
        (('QSA101',), 'a test', 1)
    """
    if "qsa:" not in text.lower():
        return ()
    # Python counts lines by their ends alone, documents are split as `Document.lines` does.
    lines = text.split("\n") if is_python else text.splitlines()
    places = _comments(text) if is_python else _lines(lines)
    return tuple(_suppression(match, line, column, lines) for line, column, match in places)


def _comments(text: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    """Matches in comments alone, not in texts that speak of them."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                match = _COMMENT.search(token.string)
                if match:
                    yield token.start[0], token.start[1] + match.start() + 1, match
    except (tokenize.TokenError, SyntaxError):
        return


def _lines(lines: Sequence[str]) -> Iterator[tuple[int, int, re.Match[str]]]:
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line)
        if match:
            yield number, match.start() + 1, match


def _suppression(match: re.Match[str], line: int, column: int, lines: Sequence[str]) -> Suppression:
    alone = not lines[line - 1][: column - 1].strip()
    covers = line
    if alone:
        # A comment of its own is about the next line that says something.
        following = (
            number
            for number in range(line + 1, len(lines) + 1)
            if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#")
        )
        covers = next(following, line)
    rules = (match["rules"] or "").replace(",", " ").split()
    return Suppression(
        rules=tuple(rule.upper() for rule in rules),
        reason=(match["reason"] or "").strip(),
        line=line,
        column=column,
        covers=0 if match["file"] else covers,
    )
