"""Users' files of labelled samples: npz, CSV and Parquet, told apart and checked at the door."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem
from bezoar.data.npz import read_npz, write_npz

__all__ = ["read_file", "write_npz"]

_Reader = Callable[[Path, str | None], Dataset]


def read_file(path: str | os.PathLike[str], *, label: str | None = None) -> Dataset:
    """Reads labelled samples from an npz, CSV or Parquet file; nothing is ever unpickled.

    Tables have one row for each sample. The label column may be of any type; every other column
    is a feature and must be numbers (booleans count as 0 and 1). A column ``id`` names the
    samples; without one, ids count from 0. In npz archives, ``features`` and ``labels`` (or ``X``
    and ``y``) are wanted, ``ids`` and ``class_names`` are used if present.

    Args:
        path: ends in ``.npz``, ``.csv``, ``.parquet`` or ``.pq``; without an ending, the content
            tells.
        label: the label column or array; None for the one called label, target, class or y.

    Returns:
        The samples. `class_names` are in natural order: by value if they are numbers.

    Raises:
        FileProblem: missing, a folder, empty, damaged, without rows, or of another kind.
        InvalidArgument: the label column is not there (the message lists the columns).
        InvalidData: text in a feature column, a missing value, ids that repeat.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "animals.csv")
        ...     _ = file.write_text("size,weight,label\\n1,2,cat\\n3,4,dog\\n")
        ...     data = read_file(file)
        >>> data.features.tolist(), data.class_names
        ([[1.0, 2.0], [3.0, 4.0]], ('cat', 'dog'))
    """
    file = Path(path)
    return _reader(file, _start(file))(file, label)


def _start(path: Path) -> bytes:
    """The first bytes of a readable, non-empty file."""
    try:
        if path.is_dir():
            raise FileProblem(path, "is a folder, a file was wanted", mend="name a file inside it")
        if path.exists() and not path.is_file():
            raise FileProblem(path, "is not a regular file")
        with path.open("rb") as handle:
            start = handle.read(4)
    except FileNotFoundError as error:
        raise FileProblem(path, "does not exist", mend="check the path") from error
    except (OSError, ValueError) as error:
        if isinstance(error, FileProblem):
            raise
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(path, f"cannot be read ({reason})") from error
    if not start:
        raise FileProblem(path, "is empty")
    return start


def _reader(path: Path, start: bytes) -> _Reader:
    suffix = path.suffix.lower()
    if suffix == ".npz" or (not suffix and start[:2] == b"PK"):
        return read_npz
    if suffix not in ("", ".csv", ".parquet", ".pq"):
        raise FileProblem(
            path,
            f"has the ending {path.suffix}, which Bezoar does not read",
            mend="save it as .npz, .csv or .parquet",
        )
    # pyarrow is loaded for tables only; an npz archive opens without it.
    from bezoar.data.columns import read_csv, read_parquet

    is_parquet = suffix in (".parquet", ".pq") or (not suffix and start == b"PAR1")
    return read_parquet if is_parquet else read_csv
