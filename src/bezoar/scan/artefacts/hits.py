"""From the issues of an artefact to what a rule reports."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.artefacts.examine import examine
from bezoar.scan.artefacts.issues import Topic, by_line
from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit


def hits(document: Document, topic: Topic) -> Iterator[Hit]:
    """The issues of one topic, the worst of each line; binary files have one line.

    Raises:
        OSError: the file cannot be read.
    """
    if document.kind != "artefact":
        return
    found = [issue for issue in examine(document.file) if issue.topic == topic]
    for issue, more in by_line(found):
        tail = f"; and {more} more of this kind" if more else ""
        yield Hit(
            where=issue.where,
            message=_capital(issue.sentence + tail),
            severity=issue.severity,
            remedy=issue.remedy,
        )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
