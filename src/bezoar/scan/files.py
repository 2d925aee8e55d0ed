"""Which files there are to examine, and their text."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bezoar.contracts.errors import FileProblem

#: Folders that hold other people's code, results or caches.
EXCLUDED = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "env",
    ".env",
    "node_modules",
    "__pycache__",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".ipynb_checkpoints",
    ".eggs",
    "site-packages",
    "build",
    "dist",
    ".direnv",
    "__pypackages__",
)
#: Larger Python files, and larger notebooks without their outputs, are generated.
MAX_CODE_BYTES = 10 * 2**20
MAX_NOTEBOOK_BYTES = 256 * 2**20
#: Larger settings files are data.
MAX_DOCUMENT_BYTES = 2 * 2**20
HEAD_BYTES = 4096

_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file of the tree.

    Attributes:
        path: relative to the root of the scan.
        within: relative to the folder that was named; whoever names a folder ``tests`` means what
            is in it.
        file: where it lies.
        n_bytes: how large it is.
    """

    path: str
    within: str
    file: Path
    n_bytes: int


def candidates(
    paths: Sequence[Path], root: Path, exclude: Sequence[str], skip: Callable[[str, str], None]
) -> Iterator[Candidate]:
    """The regular files in `paths`, each once; a file that is named is never excluded.

    Links to folders are not followed, so a loop of links ends; links to files are, once.

    Args:
        paths: files and folders.
        root: what paths are told relative to.
        exclude: patterns of names or relative paths, ``*`` and ``?`` as in a shell, besides the
            folders `EXCLUDED`.
        skip: is told of what cannot be examined, and why.

    Raises:
        FileProblem: one of `paths` is not there.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        try:
            facts = path.stat()
        except OSError as error:
            raise FileProblem(
                path, f"cannot be scanned ({error.strerror or error})", mend="name what is there"
            ) from error
        is_folder = stat.S_ISDIR(facts.st_mode)
        named = path if is_folder else path.parent
        for file in _tree(path, root, exclude, skip) if is_folder else (path,):
            candidate = _candidate(file, root, named, seen, skip)
            if candidate is not None:
                yield candidate


def _tree(
    folder: Path, root: Path, exclude: Sequence[str], skip: Callable[[str, str], None]
) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        skip(relative(Path(error.filename or folder), root), f"cannot be opened: {error.strerror}")

    for here, folders, files in os.walk(folder, onerror=failed):
        base = Path(here)
        folders[:] = sorted(
            name
            for name in folders
            if name not in EXCLUDED and not _excluded(relative(base / name, root), name, exclude)
        )
        for name in sorted(files):
            if not _excluded(relative(base / name, root), name, exclude):
                yield base / name


def _candidate(
    file: Path,
    root: Path,
    named: Path,
    seen: set[tuple[int, int]],
    skip: Callable[[str, str], None],
) -> Candidate | None:
    try:
        facts = file.stat()
    except OSError as error:
        skip(relative(file, root), f"cannot be opened: {error.strerror or error}")
        return None
    if not stat.S_ISREG(facts.st_mode):
        # A pipe or a device would be waited for for ever; a link to a folder is not followed.
        if not stat.S_ISDIR(facts.st_mode):
            skip(relative(file, root), "is no regular file")
        return None
    if (facts.st_dev, facts.st_ino) in seen:
        return None
    seen.add((facts.st_dev, facts.st_ino))
    within = relative(file, Path(os.path.abspath(named)))  # noqa: PTH100 - as in `relative`
    return Candidate(path=relative(file, root), within=within, file=file, n_bytes=facts.st_size)


def relative(file: Path, root: Path) -> str:
    """The path relative to `root` where it lies below it, with forward slashes."""
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - links must stay as they are named
    try:
        text = absolute.relative_to(root).as_posix()
    except ValueError:
        text = absolute.as_posix()
    # Names that are not UTF-8 must not stop a report.
    return text.encode("utf-8", "backslashreplace").decode()


def _excluded(path: str, name: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(path, pattern)
        for pattern in patterns
    )


def read_text(file: Path, limit: int) -> str:
    """The text of a source file: UTF-8, or what its coding line says.

    Raises:
        ValueError: it is too large, not text, or not in its encoding; says so.
        OSError: it cannot be read.
    """
    with file.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit // 2**20} MiB")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(data, "utf-16")
    if b"\x00" in data[:HEAD_BYTES]:
        raise ValueError("is binary, not text")
    return _decoded(data, _encoding(data))


def _encoding(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    for line in data.split(b"\n", 2)[:2]:
        match = _CODING.match(line)
        if match:
            return match[1].decode("ascii", "replace")
    return "utf-8"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except LookupError:
        raise ValueError(f"says that its encoding is {encoding!r}, which is not known") from None
    except UnicodeDecodeError as error:
        if encoding.startswith("utf-8"):
            # Old files of Western Europe; every byte means something there.
            text = data.decode("latin-1")
            if sum(not c.isprintable() and c not in "\r\n\t\f" for c in text[:HEAD_BYTES]) > 40:
                raise ValueError("is not text in UTF-8") from error
        else:
            raise ValueError(f"is not text in {encoding}, as it says") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
