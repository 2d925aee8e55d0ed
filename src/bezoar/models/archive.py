"""A fitted model in a file: npz arrays, with the settings as JSON text among them.

Nothing in the file is executed. A setting that is an object is written as its class's name and its
fields, and made again only if that class is one of ours or a registered encoding or ansatz.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts import plugins
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.files import write_whole
from bezoar.quantum import noise
from bezoar.quantum.engines import gradients

MODEL_FORMAT = 1

Arrays = dict[str, npt.NDArray[Any]]

_HEADER = "header"
_CLASSES: dict[str, type] = {
    part.__name__: part
    for part in (
        noise.NoiseModel,
        noise.ReadoutError,
        noise.AmplitudeDamping,
        noise.PhaseDamping,
        noise.Depolarizing,
        noise.BitFlip,
        noise.PhaseFlip,
        noise.ThermalRelaxation,
        noise.CoherentRotation,
        noise.GateNoise,
        noise.KrausChannel,
        noise.TwoQubitDepolarizing,
        gradients.Exact,
        gradients.ParameterShift,
        gradients.SPSA,
    )
}
_REGISTERED = ("encodings", "ansatze")
_READING = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError),
)


def write_model(path: Path | str, kind: str, settings: Mapping[str, Any], arrays: Arrays) -> Path:
    """Writes a model whole, or not at all.

    Args:
        path: the file, usually ``.npz``.
        kind: the class of the model.
        settings: its constructor arguments.
        arrays: what it learnt; text may be objects, numbers may not.

    Raises:
        InvalidArgument: a setting is an object that Bezoar could not make again.
        FileProblem: the file cannot be written.
    """
    text = [name for name, array in arrays.items() if array.dtype.kind not in "biufUM"]
    header = {
        "format": "bezoar model",
        "format_version": MODEL_FORMAT,
        "kind": kind,
        "settings": {name: _written(name, value) for name, value in settings.items()},
        "text": text,
    }
    plain: dict[str, Any] = {
        name: a.astype(np.str_) if name in text else a for name, a in arrays.items()
    }
    plain[_HEADER] = np.array(json.dumps(header))
    return write_whole(path, lambda handle: np.savez_compressed(handle, **plain))


def read_model(path: Path | str, kind: str) -> tuple[dict[str, Any], Arrays]:
    """Settings and arrays of a model that `write_model` wrote.

    Raises:
        FileProblem: there is no such file, it is damaged, or it holds another kind of model.
    """
    with reading(path):
        with Path(path).open("rb") as handle:
            arrays = _arrays_in(handle)
        header = json.loads(str(arrays.pop(_HEADER)[()]))
        _check_header(header, kind, path)
        for name in header["text"]:
            arrays[name] = arrays[name].astype(object)
        settings = {name: _read(value) for name, value in header["settings"].items()}
    return settings, arrays


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Tells any trouble with the content of `path` as a `FileProblem`."""
    try:
        yield
    except FileProblem:
        raise
    except FileNotFoundError as error:
        raise FileProblem(path, "does not exist", mend="name the file that save wrote") from error
    except _READING as error:
        raise FileProblem(
            path,
            f"is damaged or no model of this Bezoar ({error or type(error).__name__})",
            mend="save the model again, or restore the file",
        ) from error


def array_of(
    arrays: Arrays, name: str, shape: tuple[int | None, ...], kinds: str = "f"
) -> npt.NDArray[Any]:
    """The array `name`, if it is finite and of that shape.

    Args:
        arrays: what was read.
        name: which one.
        shape: None for a side of any length.
        kinds: dtype kinds, as in ``dtype.kind``.

    Raises:
        InvalidData: it is missing or is not so.
    """
    wanted = f"shape {shape}, kind {kinds}, finite"
    if name not in arrays:
        raise InvalidData(name, wanted=wanted, got="nothing")
    array = arrays[name]
    fits = len(shape) == array.ndim and all(
        side in (None, length) for side, length in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in kinds:
        raise InvalidData(name, wanted=wanted, got=f"shape {array.shape}, {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidData(name, wanted=wanted, got="NaN or infinity")
    return array


def _arrays_in(handle: IO[bytes]) -> Arrays:
    file = np.load(handle, allow_pickle=False)
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise InvalidData("file", wanted="an npz archive", got="a single array")
    with file:
        return {name: file[name] for name in file.files}


def _check_header(header: Any, kind: str, path: Path | str) -> None:
    if header["format"] != "bezoar model":
        raise InvalidData("format", wanted="bezoar model", got=repr(header["format"]))
    if header["format_version"] != MODEL_FORMAT:
        raise FileProblem(
            path,
            f"has model format {header['format_version']}, this Bezoar reads {MODEL_FORMAT}",
            mend="read it with the version that wrote it, or fit again",
        )
    if header["kind"] != kind:
        raise FileProblem(
            path, f"holds a {header['kind']}, not a {kind}", mend=f"use {header['kind']}.load"
        )


def _written(name: str, value: Any) -> Any:
    """`value` as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_written(name, item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _written(name, item) for key, item in value.items()}
    where = _where(value)
    if where is None:
        raise InvalidArgument(
            name,
            wanted="a setting that can be saved: a name, a number, or a part that Bezoar knows",
            got=repr(value),
            mend="register the part as a plug-in (CONTRIBUTING.md) and fit again with it",
        )
    fields = {
        field.name: _written(name, getattr(value, field.name))
        for field in dataclasses.fields(value)
    }
    return {"part": where, "fields": fields}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "part" not in value:
        return {key: _read(item) for key, item in value.items()}
    return _class_at(value["part"])(**_read(value["fields"]))


def _where(value: Any) -> str | None:
    """How a file names the class of `value`; None if it is no part that could be made again."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return None
    if _CLASSES.get(type(value).__name__) is type(value):
        return type(value).__name__
    name = getattr(value, "name", None)
    for kind in _REGISTERED:
        if name in plugins.names(kind) and _class_at(f"{kind}/{name}") is type(value):
            return f"{kind}/{name}"
    return None


def _class_at(where: str) -> type:
    kind, _, name = where.rpartition("/")
    if not kind:
        return _CLASSES[name]
    if kind not in _REGISTERED:
        raise InvalidData("part", wanted="an encoding or an ansatz", got=repr(where))
    found = plugins.load(kind, name)
    return found if isinstance(found, type) else type(found)
