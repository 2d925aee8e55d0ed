"""Data sets in numpy's npz archives, read without ever unpickling and written whole."""

from __future__ import annotations

import io
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.files import write_whole
from bezoar.data.features import refuse_gaps
from bezoar.data.labels import encode_labels

# The first name is ours; the others are what numpy users commonly write.
_FEATURES = ("features", "X", "x", "data")
_LABELS = ("labels", "y", "label", "target")

# An archive with members, and one without.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

# Whatever zipfile, its decompressors and numpy's header parser raise on a damaged archive.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_npz(path: Path, label: str | None) -> Dataset:
    """Reads the arrays ``features`` and ``labels``, with ``ids`` and ``class_names`` if present.

    ``X``, ``x``, ``data`` stand for features and ``y``, ``label``, ``target`` for labels. Features
    are ``(sample, feature)``, images ``(sample, channel, height, width)`` or grey images
    ``(sample, height, width)``; a plain vector is one feature. With ``class_names``, labels are
    codes into them, or the names themselves.

    Args:
        path: an existing file.
        label: the name of the array of labels; None for the names above.

    Raises:
        FileProblem: damaged, not an archive, or holding Python objects.
        InvalidArgument: no array of features or labels.
        InvalidData: the arrays do not make a data set.
    """
    arrays = _arrays(path, lambda names: _wanted(names, label))
    features = _shaped(arrays["features"])
    n_samples = len(features)
    labels = _vector(arrays["labels"], n_samples, "labels")
    if label is None and "class_names" in arrays:
        codes, class_names = _named(labels, arrays["class_names"])
    else:
        codes, class_names = encode_labels(labels)
    ids = arrays.get("ids", np.arange(n_samples))
    if ids.dtype.kind not in "iu" or (ids.size and ids.max() > np.iinfo(np.int64).max):
        raise InvalidData("ids", wanted="64-bit integers", got=f"an array of {ids.dtype}")
    return Dataset(
        features=features,
        labels=codes,
        ids=_vector(ids, n_samples, "ids"),
        class_names=class_names,
    )


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Reads arrays of an npz archive by name, and never a Python object.

    Raises:
        FileProblem: missing, damaged, not an archive, without one of the arrays, or one of them
            holds Python objects.
    """
    return _arrays(path, lambda there: {name: _there(name, there, path) for name in names})


def write_npz(path: Path | str, dataset: Dataset) -> Path:
    """Writes arrays features, labels (codes), ids and class_names (text); equal data, equal bytes.

    The file appears whole or not at all, and `bezoar.data.read_file` gives `dataset` back.

    Args:
        path: the file to write; an existing one is replaced.
        dataset: what to write.

    Raises:
        FileProblem: it cannot be written there.

    Example:
        >>> import tempfile
        >>> from bezoar.contracts.dataset import Dataset
        >>> from bezoar.data import read_file
        >>> data = Dataset(features=[[0.5]], labels=[1], ids=[7], class_names=("cat", "dog"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_file(write_npz(f"{folder}/data.npz", data)).class_names
        ('cat', 'dog')
    """

    def write(handle: IO[bytes]) -> None:
        np.savez(
            handle,
            features=dataset.features,
            labels=dataset.labels,
            ids=dataset.ids,
            class_names=np.array(dataset.class_names, dtype=np.str_),
        )

    return write_whole(path, write)


def _arrays(
    path: Path, choose: Callable[[Sequence[str]], Mapping[str, str]]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `choose` names, under its keys, from the names that are there."""
    try:
        with path.open("rb") as handle:
            if handle.read(4) not in _ZIP:
                raise FileProblem(
                    path, "is not an npz archive", mend="write it with numpy.savez or bezoar"
                )
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as archive:
                wanted = choose(archive.files)
                return {key: _member(archive, name, path) for key, name in wanted.items()}
    except (FileProblem, InvalidArgument):
        raise
    except _DAMAGE as error:
        raise FileProblem(
            path,
            f"is damaged or cut short ({_first_line(error)})",
            mend="copy or write it again",
        ) from error


def _there(name: str, names: Sequence[str], path: Path) -> str:
    if name not in names:
        raise FileProblem(
            path, f"has no array {name!r}, but {', '.join(map(repr, names[:20])) or 'none'}"
        )
    return name


def _wanted(names: Sequence[str], label: str | None) -> dict[str, str]:
    if label is not None and label not in names:
        raise UnknownName("label", label, names)
    wanted = {
        "features": _first(names, _FEATURES, "features"),
        "labels": label if label is not None else _first(names, _LABELS, "labels"),
    }
    return wanted | {name: name for name in ("ids", "class_names") if name in names}


def _first(names: Sequence[str], accepted: Sequence[str], role: str) -> str:
    for name in accepted:
        if name in names:
            return name
    raise InvalidArgument(
        role,
        wanted=f"an array called {', '.join(accepted[:-1])} or {accepted[-1]}",
        got=f"arrays {', '.join(map(repr, names[:20]))}" if names else "an archive without arrays",
        mend=f"save the {role} as {accepted[0]!r}",
    )


def _member(archive: Mapping[str, Any], name: str, path: Path) -> npt.NDArray[Any]:
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise FileProblem(
            path,
            f"array {name!r} holds Python objects, which Bezoar never unpickles",
            mend="save it as numbers or as text, for example array.astype(str)",
        ) from error
    if not isinstance(array, np.ndarray):
        raise FileProblem(path, f"member {name!r} is not a numpy array")
    return array


def _shaped(features: npt.NDArray[Any]) -> FloatArray:
    if features.dtype.kind not in "biuf":
        raise InvalidData(
            "features",
            wanted="numbers",
            got=f"an array of {features.dtype}",
            mend="encode text as numbers",
        )
    if features.ndim == 0 or len(features) == 0 or features.size == 0:
        raise InvalidData(
            "features", wanted="at least one sample and one feature", got=f"shape {features.shape}"
        )
    if features.ndim == 1:
        features = features[:, None]
    elif features.ndim == 3:
        features = features[:, None, :, :]
    refuse_gaps(features.reshape(len(features), -1))
    return features


def _vector(values: npt.NDArray[Any], n_samples: int, name: str) -> npt.NDArray[Any]:
    if values.shape not in ((n_samples,), (n_samples, 1)):
        raise InvalidData(
            name,
            wanted=f"shape ({n_samples},), one for each sample",
            got=values.shape,
            mend="for one-hot labels save labels.argmax(axis=1)" if values.ndim == 2 else "",
        )
    return values.reshape(n_samples)


def _named(
    labels: npt.NDArray[Any], class_names: npt.NDArray[Any]
) -> tuple[IntArray, tuple[str, ...]]:
    if class_names.ndim != 1:
        raise InvalidData("class_names", wanted="one name for each class", got=class_names.shape)
    if class_names.dtype.kind == "U":
        names = tuple(class_names.tolist())
    else:
        # Encoding turns numbers and bytes into text; the order stays the file's.
        order, distinct = encode_labels(class_names, subject="class_names")
        names = tuple(distinct[i] for i in order)
    codes, found = encode_labels(labels.astype(np.int64) if labels.dtype.kind == "b" else labels)
    if labels.dtype.kind in "US":
        unknown = [name for name in found if name not in names]
        if unknown:
            raise InvalidData(
                "labels",
                wanted=f"names from class_names ({', '.join(names)})",
                got=repr(unknown[0]),
            )
        return np.array([names.index(name) for name in found])[codes], names
    whole = np.array([int(name) if name.isdecimal() else -1 for name in found])
    if (whole < 0).any() or (whole >= len(names)).any():
        wrong = found[int(np.flatnonzero((whole < 0) | (whole >= len(names)))[0])]
        raise InvalidData(
            "labels", wanted=f"codes from 0 to {len(names) - 1} into class_names", got=wrong
        )
    return whole[codes], names


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return io.StringIO(text).readline().strip()[:160]
