"""What an examination says of one artefact, before rules turn it into findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bezoar.contracts.code_findings import SEVERITIES
from bezoar.contracts.records import Severity

Topic = Literal[
    "dangerous-pickle",
    "pickle",
    "bomb",
    "qpy",
    "include",
    "expansion",
    "malformed",
    "unreadable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One thing that is wrong with an artefact.

    Attributes:
        topic: which rule reports it.
        severity: how bad it is.
        message: what was found, without the place: "it imports os.system".
        member: the member of an archive, "" for the file itself.
        offset: where in the file or member, in bytes; None where that says nothing.
        where: line, column, end line and end column, in text files.
        remedy: the mend, where it differs from the rule's own.
    """

    topic: Topic
    severity: Severity
    message: str
    member: str = ""
    offset: int | None = None
    where: tuple[int, int, int, int] = (1, 1, 1, 1)
    remedy: str | None = None

    @property
    def sentence(self) -> str:
        """The message with its place.

        Example:
            >>> Issue(topic="pickle", severity="low", message="it is one", offset=3).sentence
            'it is one (byte 3)'
        """
        parts = []
        if self.member:
            parts.append(f"member {shown(self.member)}")
        if self.offset is not None:
            parts.append(f"byte {self.offset}")
        return f"{self.message} ({', '.join(parts)})" if parts else self.message


def worst_first(issues: Iterable[Issue]) -> list[Issue]:
    """By severity, the worst first; equal ones in the order in which they were found."""
    return sorted(issues, key=lambda issue: -SEVERITIES.index(issue.severity))


def by_line(issues: Iterable[Issue]) -> Iterator[tuple[Issue, int]]:
    """For each line its worst issue, and how many more there are on it."""
    lines: dict[int, list[Issue]] = {}
    for issue in issues:
        lines.setdefault(issue.where[0], []).append(issue)
    for line in sorted(lines):
        found = worst_first(lines[line])
        yield found[0], len(found) - 1


def shown(text: str, *, longest: int = 80) -> str:
    """Text from an untrusted file as it may stand in a message: one short printable line.

    Example:
        >>> shown("a\\x1b[31mb")
        'a\\\\x1b[31mb'
        >>> shown("x" * 100, longest=8)
        'xxxxxxxx...'
    """
    short = text[:longest] + ("..." if len(text) > longest else "")
    return short.encode("unicode_escape").decode("ascii")
