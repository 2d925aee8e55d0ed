"""QSA903: an archive that grows beyond measure or unpacks outside its folder."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports bombs and names that lead elsewhere."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "bomb")


RULE = Rule(
    id="QSA903",
    title="Archive that fills the disk or writes outside its folder",
    severity="high",
    confidence="high",
    cwe=(409, 22),
    frameworks=("any",),
    why="""\
Models and data sets come as archives: `.npz`, `.pt` and `.keras` are ZIP files, results of hosted
jobs are `.tar.gz`. Reported are those that grow to more than 256 MiB and by more than a hundred
times, whose members overlap so that the same bytes count many times, that hold more than 65,535
members, and that nest archives three deep; and members that name another place: absolute names,
names with `..`, links that leave the folder, devices. Only the table of contents and the beginnings
of members are read.

A large data set of zeros packs well, and is no bomb below 256 MiB.""",
    remedy="do not unpack it; limit what comes out, and use tarfile's filter='data' for others",
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "A better zip bomb <https://www.bamsoftware.com/hacks/zipbomb/>",
        "tarfile, extraction filters <https://docs.python.org/3/library/tarfile.html>",
    ),
    check_document=check_document,
)
