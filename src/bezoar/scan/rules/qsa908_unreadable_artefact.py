"""QSA908: a model or circuit file that could not be looked at to its end."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports broken streams, unknown packings and what lies beyond a limit."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "unreadable")


RULE = Rule(
    id="QSA908",
    title="Model or circuit file that cannot be examined fully",
    severity="medium",
    confidence="medium",
    cwe=(1357, 20),
    frameworks=("any",),
    why="""\
A file that is not understood is not a clean file. A pickle that breaks off has already done what
stands before the break; scanners that give up there were got round in this way. Reported are
pickles that cannot be followed to their STOP, bytes behind a pickle that are none, archives and
members that cannot be read, packings that are not read here (LZ4, Zstandard), QPY versions that are
newer than this scanner, and what lies beyond its limits. What was seen before the break is reported
by the other rules.""",
    remedy="fetch the file again and compare its digest, or write it in a format without code",
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "https://github.com/mmaitre314/picklescan/security/advisories/GHSA-7q5r-7gvp-wc82",
    ),
    check_document=check_document,
)
