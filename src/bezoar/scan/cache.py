"""Remembers what unchanged files gave, in one file that several scans may use at once."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from bezoar.scan.examination import Examined
from bezoar.scan.packing import HoldsSecret, packed, unpacked

#: Entries beyond this many are forgotten, those first that were not asked for longest.
_MAX_ENTRIES = 40_000
_DAY = 86_400


class Cache:
    """Results by key; whatever goes wrong with it, a scan goes on without."""

    def __init__(self, file: Path) -> None:
        """The cache in `file`, which is made where it is missing."""
        self._database: sqlite3.Connection | None = None
        with contextlib.suppress(OSError, sqlite3.Error):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, timeout=5, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=OFF")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, day INTEGER, text TEXT)"
            )

    def get(self, key: str) -> Examined | None:
        """The result of `key`, None where it is not known."""
        if self._database is None:
            return None
        with contextlib.suppress(sqlite3.Error, ValueError):
            row = self._database.execute(
                "SELECT text, day FROM results WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                if row[1] != _today():
                    self._database.execute(
                        "UPDATE results SET day = ? WHERE key = ?", (_today(), key)
                    )
                return unpacked(row[0])
        return None

    def put(self, results: Iterable[tuple[str, Examined]]) -> None:
        """Remembers results, but for those that hold what looks like a token."""
        if self._database is None:
            return
        rows = []
        for key, result in results:
            with contextlib.suppress(HoldsSecret):
                rows.append((key, _today(), packed(result)))
        if not rows:
            return
        with contextlib.suppress(sqlite3.Error):
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Forgets what is too much, and closes the file."""
        if self._database is None:
            return
        with contextlib.suppress(sqlite3.Error):
            (count,) = self._database.execute("SELECT count(*) FROM results").fetchone()
            if count > _MAX_ENTRIES:
                self._database.execute(
                    "DELETE FROM results WHERE key IN "
                    "(SELECT key FROM results ORDER BY day LIMIT ?)",
                    (count - _MAX_ENTRIES,),
                )
            self._database.close()
        self._database = None


def key_of(*parts: object) -> str:
    """A key for texts and plain values."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode(errors="replace")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def _today() -> int:
    return int(time.time()) // _DAY
