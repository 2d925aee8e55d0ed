"""Finished pieces of a run, one file each, so that nothing is ever computed twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder, write_text
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
        folder: made where it is missing.

    Raises:
        FileProblem: it cannot be made.

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
        self._folder = make_folder(folder)

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was stored under `key`; None when nothing, or nothing readable, is there."""
        try:
            stored = json.loads(self._path(key).read_text(encoding="utf-8"))
            return stored["result"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            # A file that somebody damaged costs its recomputation, not the run.
            return None

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

    Raises:
        FileProblem: the folder cannot be made or written.
    """
    probe = make_folder(folder) / ".bezoar-writable"
    try:
        write_text(probe, "")
    except FileProblem as error:
        raise FileProblem(
            folder, "cannot be written", mend="choose a folder that you may write to with --out"
        ) from error
    probe.unlink(missing_ok=True)
