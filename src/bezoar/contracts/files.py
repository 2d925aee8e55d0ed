"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bezoar.contracts.errors import FileProblem


def write_whole(path: Path | str, write: Callable[[IO[bytes]], object]) -> Path:
    """Calls ``write(handle)`` on a temporary file beside `path`, then renames it into place.

    A reader sees the old file or the new one, never a part; an error or an interruption leaves
    the old file as it was and no temporary file behind.

    Raises:
        FileProblem: the folder cannot be made or written, or the disk is full.
    """
    target = Path(path)
    make_folder(target.parent)
    if target.is_dir():
        raise FileProblem(target, "is a folder, a file was wanted", mend="name a file inside it")
    temporary = ""
    try:
        # mkstemp makes files private; a result is as readable as any file of this user.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as handle:
            write(handle)
            handle.flush()
            os.fchmod(handle.fileno(), 0o666 & ~_umask())
        Path(temporary).replace(target)
        temporary = ""
    except OSError as error:
        if isinstance(error, FileProblem):
            raise
        raise FileProblem(
            target,
            f"cannot be written ({error.strerror or error})",
            mend="choose a folder that you may write to, with free space",
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return target


def write_text(path: Path | str, text: str) -> Path:
    """Writes `text` as UTF-8 through `write_whole`."""
    return write_whole(path, lambda handle: handle.write(text.encode()))


def make_folder(path: Path | str) -> Path:
    """Makes the folder and its parents where they are missing.

    Raises:
        FileProblem: it cannot be made, or a file stands in its place.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(
            folder,
            f"cannot be made as a folder ({error.strerror or error})",
            mend="choose a folder that you may write to",
        ) from error
    return folder


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
