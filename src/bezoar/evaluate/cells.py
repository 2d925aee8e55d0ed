"""Finished pieces of a run, one file each, so that nothing is ever computed twice."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import write_text
from bezoar.contracts.records import hash_of


@dataclass(frozen=True, slots=True)
class Cell:
    """One training: under this noise, after this attack, with this seed."""

    noise: str
    attack: str
    ratio: float
    seed: int


class CellStore:
    """A folder of results by key. Files appear whole, so runs may share the folder.

    Args:
        folder: made with the first result where it is missing.

    Example:
        >>> import tempfile
        >>> store = CellStore(tempfile.mkdtemp())
        >>> store.get({"seed": 0}) is None
        True
        >>> store.put({"seed": 0}, {"accuracy": 0.5})
        >>> store.get({"seed": 0})
        {'accuracy': 0.5}
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was stored under `key`; None when nothing, or nothing readable, is there."""
        try:
            stored = json.loads(self._path(key).read_text(encoding="utf-8"))
            result = stored["result"] if hash_of(stored["key"]) == hash_of(key) else None
        except (OSError, ValueError, KeyError, TypeError):
            # A file that somebody damaged costs its recomputation, not the run.
            return None
        return result if isinstance(result, dict) else None

    def put(self, key: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Stores `result` under `key`, both JSON values.

        Raises:
            FileProblem: the folder cannot be written, or the disk is full.
        """
        write_text(self._path(key), json.dumps({"key": dict(key), "result": dict(result)}))

    def _path(self, key: Mapping[str, Any]) -> Path:
        return self._folder / f"{hash_of(key)}.json"


def check_writable(folder: Path | str) -> None:
    """Fails early, before hours of work, where results could not be written later.

    Nothing is made: a missing folder is tried in the nearest one above it that is there.

    Raises:
        FileProblem: the folder cannot be made or written.
    """
    nearest = Path(folder)
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.NamedTemporaryFile(prefix=".bezoar-", dir=nearest):
            pass
    except OSError as error:
        raise FileProblem(
            folder,
            f"results cannot be written there ({error.strerror or error})",
            mend="choose a folder that you may write to",
        ) from error


def check_replaceable(file: Path | str) -> None:
    """As `check_writable`, for a file that a result will replace.

    Raises:
        FileProblem: a folder is in its place, or its own folder cannot be made or written.
    """
    path = Path(file)
    if path.is_dir():
        raise FileProblem(path, "is a folder, a file was wanted", mend="name a file inside it")
    check_writable(path.parent)
