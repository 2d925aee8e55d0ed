"""The published files of image data sets: what they are called, hold and hash to."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from bezoar.contracts.errors import BezoarWarning, FileProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialFile:
    """One published file.

    Attributes:
        name: without ``.gz``.
        n_items: how many images or labels it holds.
        sha256: of the unpacked content; "" where no one has published it.
        packed_sha256: of the ``.gz`` as published; "" where it comes in an archive.
    """

    name: str
    n_items: int
    sha256: str = ""
    packed_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A published archive with many files.

    Attributes:
        url: where it is had.
        known_hash: ``sha256:...`` or ``md5:...``.
        inside: the folder in it that holds the files.
        suffix: what follows a file's name in it.
    """

    url: str
    known_hash: str
    inside: str
    suffix: str = ""


def check_official(
    path: Path, official: OfficialFile, n_items: int, sha256: str, *, subject: str
) -> bool:
    """Whether a well-formed file is the official one; False if it is a smaller one.

    Args:
        path: the file.
        official: what it should be.
        n_items: how many images or labels it holds.
        sha256: of its unpacked content.
        subject: how messages call the data set and part.

    Raises:
        FileProblem: it has the official number of items, or more, and other content.
    """
    if n_items < official.n_items:
        return False
    mend = "get the official file again, or give your own data set in an npz file"
    if n_items > official.n_items:
        raise FileProblem(
            path,
            f"is not the official file: {n_items:,} items, where {subject} has "
            f"{official.n_items:,}",
            mend=mend,
        )
    if official.sha256:
        altered = sha256 != official.sha256
    elif path.suffix == ".gz":
        with path.open("rb") as handle:
            altered = hashlib.file_digest(handle, "sha256").hexdigest() != official.packed_sha256
    else:
        warnings.warn(
            f"{path}: used unchecked, as only the hash of its .gz is published; keep the .gz "
            "beside it",
            BezoarWarning,
            stacklevel=2,
        )
        return True
    if altered:
        raise FileProblem(
            path, f"is altered: as long as {subject}'s official file, with other content", mend=mend
        )
    return True


def tell_partial(subject: str, n_items: int, official: int) -> None:
    """Warns that a part of a data set is used; the words end up in the run record."""
    warnings.warn(
        f"{subject}: {n_items:,} of the official {official:,} images, used as they are",
        BezoarWarning,
        stacklevel=2,
    )
