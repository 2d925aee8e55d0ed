"""Where files of data sets lie, and how missing ones get there: whole, checked, or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder
from bezoar.contracts.progress import Progress, silent

FOLDER_VARIABLE = "BEZOAR_DATA"
CACHE_VARIABLE = "BEZOAR_CACHE"

_CHUNK = 1 << 16
_PATIENCE = 30  # seconds without a byte


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """A folder with files of data sets.

    Attributes:
        path: the folder.
        told_by: what named it: ``folder``, or BEZOAR_DATA; "" for our cache.
    """

    path: Path
    told_by: str

    @property
    def may_download(self) -> bool:
        """Whether missing files may be fetched into it: only into our own cache."""
        return not self.told_by


def data_folder(folder: str | os.PathLike[str] | None = None) -> DataFolder:
    """The folder to look in: `folder`, else the one that BEZOAR_DATA names, else our cache.

    Example:
        >>> data_folder("mine").may_download
        False
    """
    if folder is not None:
        return DataFolder(path=Path(folder), told_by="folder")
    named = os.environ.get(FOLDER_VARIABLE, "")
    if named:
        return DataFolder(path=Path(named), told_by=FOLDER_VARIABLE)
    return DataFolder(path=cache_folder() / "datasets", told_by="")


def cache_folder() -> Path:
    """The folder for what can be had again: BEZOAR_CACHE, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE, "")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("bezoar")


@contextmanager
def downloaded(
    url: str,
    known_hash: str,
    *,
    title: str,
    layout: str,
    folder: Path,
    progress: Progress = silent,
) -> Iterator[Path]:
    """Fetches `url` for as long as the block runs; the block moves or unpacks it.

    Args:
        url: http or https.
        known_hash: what the file hashes to, such as ``sha256:...`` or ``md5:...``.
        title: what the file belongs to, for messages.
        layout: where in a folder of the user's it would be looked for, for messages.
        folder: where the files of the data sets lie; the temporary file lies there too, so that
            moving it into place is one step.
        progress: told of bytes.

    Raises:
        FileProblem: no connection, an answer that is not the file, or a folder that cannot be
            written. Nothing is left behind.
    """
    make_folder(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
            try:
                file = _fetched(url, known_hash, Path(temporary), _Told(progress, title))
            except _NotFetched as error:
                raise FileProblem(
                    title,
                    f"is not in {folder}, and {error}",
                    mend="connect to the network and run again, or get it elsewhere, lay it out "
                    f"as X/{layout} in a folder X, and let {FOLDER_VARIABLE} name X",
                ) from error
            yield file
    except OSError as error:
        if isinstance(error, FileProblem):
            raise
        raise FileProblem(
            folder,
            f"cannot take the download of {title} ({error.strerror or error})",
            mend=f"let {CACHE_VARIABLE} name a folder that you may write to, with free space",
        ) from error


class _NotFetched(Exception):
    """A download failed; the text says how."""


def _fetched(url: str, known_hash: str, temporary: Path, told: Any) -> Path:
    import pooch
    import requests

    # Any: pooch declares its bar and its own downloader more narrowly than it uses them.
    downloader: Any = pooch.HTTPDownloader(progressbar=told, chunk_size=_CHUNK, timeout=_PATIENCE)
    try:
        with _quiet(pooch.get_logger()):
            return Path(
                pooch.retrieve(url, known_hash, fname="file", path=temporary, downloader=downloader)
            )
    except requests.RequestException as error:
        raise _NotFetched(f"{url} could not be reached ({_reason(error)})") from error
    except ValueError as error:
        # What pooch raises for another hash.
        if "hash" not in str(error):
            raise
        raise _NotFetched(f"{url} sent another file than the published one") from error


def _reason(error: Exception) -> str:
    import requests

    response = getattr(error, "response", None)
    if response is not None:
        return f"it answered {response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"no answer in {_PATIENCE} s"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


class _Told:
    """The bar that pooch moves, as our progress; it asks for these four names."""

    def __init__(self, progress: Progress, title: str) -> None:
        self.total = 0
        self._progress = progress
        self._task = f"download {title}"
        self._done = 0

    def update(self, n_bytes: int) -> None:
        self._done += n_bytes
        if self.total:
            self._progress(self._task, min(self._done, self.total), self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keeps pooch from writing lines between those of a progress bar."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
