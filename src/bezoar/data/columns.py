"""Data sets in tables: CSV and Parquet, one column for each feature and one for the label."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData, UnknownName
from bezoar.data.features import refuse_gaps
from bezoar.data.labels import encode_labels, natural_order, refuse_missing

_LABELS = ("label", "target", "class", "y")
_ID = "id"
_SHOWN = 20
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
# Written by pandas for the row index of a frame; it is a position, not a measurement.
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read_csv(path: Path, label: str | None) -> Dataset:
    """Reads a CSV file with a header line; commas, or semicolons or tabs if it has no comma.

    Args:
        path: an existing file, UTF-8.
        label: the label column; None for the one called label, target, class or y.

    Raises:
        FileProblem: it cannot be parsed, or has no rows.
        InvalidArgument: the label column is not there, or not clear.
        InvalidData: a column that is not numbers, a gap, ids that repeat.
    """
    names, columns = _parsed_csv(path)
    data = _dataset(path, names, columns, label)
    if any("\n" in name or "\r" in name for name in data.class_names):
        raise FileProblem(
            path, "has a label with a line break", mend="close the quotation mark that is open"
        )
    return data


def read_parquet(path: Path, label: str | None) -> Dataset:
    """Reads a Parquet file; arguments and errors as in `read_csv`."""
    names, columns = _parsed_parquet(path)
    return _dataset(path, names, columns, label)


def _parsed_csv(path: Path) -> tuple[list[str], list[pa.ChunkedArray]]:
    parsing = pyarrow.csv.ParseOptions(delimiter=_delimiter(path))
    try:
        with pa.OSFile(str(path), "rb") as handle:
            table = pyarrow.csv.read_csv(handle, parse_options=parsing)
            # A quoted name may hold a line break, which would tear messages apart.
            names = [" ".join(name.split()) for name in table.column_names]
    except UnicodeDecodeError as error:
        raise FileProblem(path, "is not UTF-8 text", mend="save it as CSV in UTF-8") from error
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "CSV", error) from error
    return names, [_trimmed(column) for column in table.columns]


def _parsed_parquet(path: Path) -> tuple[list[str], list[pa.ChunkedArray]]:
    try:
        with pa.OSFile(str(path), "rb") as handle:
            table = pyarrow.parquet.ParquetFile(handle).read()
            return list(table.column_names), table.columns
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, "Parquet", error) from error


def _dataset(
    path: Path, names: list[str], columns: list[pa.ChunkedArray], label: str | None
) -> Dataset:
    _check_names(path, names)
    label_name = _label_column(names, label)
    if not columns[0]:
        raise FileProblem(path, "has column names but no rows", mend="add one row for each sample")
    # Out of the list as they are converted, so that a large table is not held twice.
    table = dict(zip(names, columns, strict=True))
    columns.clear()
    codes, class_names = _labels(table.pop(label_name), label_name)
    id_name = next((name for name in table if name.lower() == _ID), None)
    ids = np.arange(len(codes)) if id_name is None else _ids(table.pop(id_name), id_name)
    for name in [name for name in table if _PANDAS_INDEX.fullmatch(name)]:
        del table[name]
    features = _features(table, len(codes))
    pa.default_memory_pool().release_unused()
    return Dataset(features=features, labels=codes, ids=ids, class_names=class_names)


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise FileProblem(path, "has no columns")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InvalidData(
            "columns",
            wanted="different names",
            got=f"{repeated[0]!r} {names.count(repeated[0])} times",
            mend="rename or drop one",
        )
    if "" in names:
        raise InvalidData(
            "columns",
            wanted="a name for each",
            got=f"column {names.index('') + 1} without one",
            mend="name it, or drop it if it only counts the rows (pandas: to_csv(index=False))",
        )


def _label_column(names: Sequence[str], label: str | None) -> str:
    if label is not None:
        if label in names:
            return label
        _refuse_headerless(names)
        raise UnknownName("label", label, _shown(names))
    by_lower = {name.lower(): name for name in reversed(names)}
    found = [by_lower[name] for name in _LABELS if name in by_lower]
    # "y" beside "label" is most likely a coordinate; two others may hold the answer twice.
    if len([name for name in found if name.lower() != _LABELS[-1]]) > 1:
        raise InvalidArgument(
            "label",
            wanted="one label column",
            got=f"columns {' and '.join(found)}",
            mend="name the label column, and drop the other if it tells the same",
        )
    if not found:
        _refuse_headerless(names)
        raise InvalidArgument(
            "label",
            wanted=f"the name of the label column, as none is called {', '.join(_LABELS)}",
            got=f"columns {', '.join(_shown(names))}",
            mend="name it with label (--label COLUMN)",
        )
    return found[0]


def _refuse_headerless(names: Sequence[str]) -> None:
    if sum(_is_number(name) for name in names) * 2 > len(names):
        raise InvalidData(
            "columns",
            wanted="a first line with column names",
            got=f"{', '.join(_shown(names))}",
            mend="add a header line that names the label column",
        )


def _shown(names: Sequence[str]) -> list[str]:
    if len(names) <= _SHOWN:
        return list(names)
    half = _SHOWN // 2
    return [*names[:half], f"({len(names) - 2 * half} more)", *names[-half:]]


def _labels(column: pa.ChunkedArray, name: str) -> tuple[IntArray, tuple[str, ...]]:
    subject = f"label column {name!r}"
    column = _plain(column)
    kind = column.type
    refuse_missing(column.is_null().to_numpy(), subject)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return encode_labels(column.to_numpy(), subject=subject)
    if pa.types.is_decimal(kind):
        return encode_labels(_as_float(column), subject=subject)
    try:
        text = column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise InvalidData(
            subject,
            wanted="numbers or UTF-8 text",
            got=f"values of type {kind}",
            mend="save the file as UTF-8" if pa.types.is_binary(kind) else "",
        ) from error
    # Coded by Arrow, as a numpy array of text would need the longest label's room for each.
    encoded = text.combine_chunks().dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    refuse_missing(np.array([not name for name in names])[codes], subject)
    order = natural_order(names)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], tuple(names[i] for i in order)


def _ids(column: pa.ChunkedArray, name: str) -> IntArray:
    column = _plain(column)
    got = ""
    if not pa.types.is_integer(column.type):
        got = f"values of type {column.type}"
    elif column.null_count:
        got = f"{column.null_count} missing"
    elif len(column.unique()) != len(column):
        got = "repeated ones"
    elif pa.types.is_uint64(column.type) and column.to_numpy().max() > np.iinfo(np.int64).max:
        got = "one beyond 64 bits with sign"
    if got:
        raise InvalidData(
            f"column {name!r}",
            wanted="unique integers, as it names the samples",
            got=got,
            mend="drop the column, or rename it if it is a feature",
        )
    return column.to_numpy()


def _features(table: dict[str, pa.ChunkedArray], n_samples: int) -> FloatArray:
    names = list(table)
    if not names:
        raise InvalidData(
            "columns", wanted="at least one feature column", got="only the label (and id)"
        )
    features = np.empty((n_samples, len(names)))
    for i, name in enumerate(names):
        features[:, i] = _numbers(table.pop(name), name)
    refuse_gaps(features, names)
    return features


def _numbers(column: pa.ChunkedArray, name: str) -> FloatArray:
    column = _plain(column)
    kind = column.type
    if (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        return _as_float(column)
    value, row = _example(column)
    raise InvalidData(
        f"column {name!r}",
        wanted="numbers",
        got=f"{value} in row {row}",
        mend="drop the column, encode it as numbers, or name it as the label (--label COLUMN)",
    )


def _example(column: pa.ChunkedArray) -> tuple[str, int]:
    # The first value that keeps the column from being numbers: "12a" among numbers, not "12".
    values = column.to_pylist()
    telling = (
        i
        for i, value in enumerate(values)
        if not (isinstance(value, str) and (_is_number(value) or value.lower() in _MISSING))
        and value is not None
    )
    i = next(telling, 0)
    value = values[i]
    text = repr(value if isinstance(value, str | bytes) else str(value))
    return (text if len(text) <= 60 else text[:60] + "..."), i + 1


def _as_float(column: pa.ChunkedArray) -> FloatArray:
    if pa.types.is_float16(column.type):
        # Arrow learnt this cast late.
        return column.to_numpy().astype(np.float64)
    return column.cast(pa.float64(), safe=False).to_numpy()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        return pc.call_function("utf8_trim_whitespace", [column])
    return column


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _delimiter(path: Path) -> str:
    with path.open("rb") as handle:
        start = handle.read(1 << 16).lstrip(b"\xef\xbb\xbf\r\n")
    if b"\0" in start:
        raise FileProblem(path, "is not UTF-8 text", mend="save it as CSV in UTF-8")
    header = re.split(rb"[\r\n]", start, maxsplit=1)[0]
    if not header.strip():
        raise FileProblem(path, "is empty", mend="write a header line and one row for each sample")
    if b"," in header:
        return ","
    return ";" if b";" in header else "\t" if b"\t" in header else ","


def _unreadable(path: Path, kind: str, error: Any) -> FileProblem:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return FileProblem(
        path, f"cannot be read as {kind} ({reason})", mend="check that it is whole and of this kind"
    )
