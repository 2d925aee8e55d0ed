"""Devices by name, and their tables in JSON files.

A table holds ``format``, ``format_version``, ``name``, ``calibrated`` (ISO 8601), ``source``,
``basis_gates``, ``coupling``, ``qubits`` (``t1`` and ``t2`` in seconds, ``p10`` and ``p01``
probabilities to read 1 for a 0 and 0 for a 1) and ``gates`` (name to places with ``qubits``,
``error``, ``duration`` in seconds). ``null`` stands for what was not measured. ``basis_gates`` and
``coupling`` follow from ``gates`` and are for the reader.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bezoar.contracts.errors import BezoarError, FileProblem, UnknownName
from bezoar.contracts.files import write_whole
from bezoar.quantum.devices.calibration import DeviceGate, DeviceQubit
from bezoar.quantum.devices.device import Device
from bezoar.quantum.noise import ReadoutError

FORMAT_VERSION = 1

_FORMAT = "bezoar device"
_FILE = "device:"
_SHIPPED = ("ibm-brisbane", "ibm-kyiv")


def device_names() -> tuple[str, ...]:
    """The devices whose tables come with Bezoar."""
    return _SHIPPED


def is_device(name: str) -> bool:
    """Whether a name of a noise means a device: one of `device_names`, or ``device:FILE``.

    Example:
        >>> is_device("ibm-kyiv"), is_device("device:mine.json"), is_device("ad-dep:0.05")
        (True, True, False)
    """
    return name in _SHIPPED or name.startswith(_FILE)


def device_named(name: str) -> Device:
    """The device of that name, or of the file that ``device:FILE`` names.

    Raises:
        UnknownName: there is none.
        FileProblem: the file is missing or is no table of a device.

    Example:
        >>> device_named("ibm-brisbane").calibrated
        '2025-02-26T14:33:06-05:00'
    """
    if name.startswith(_FILE):
        return read_device(name.removeprefix(_FILE))
    if name not in _SHIPPED:
        raise UnknownName("device", name, (*_SHIPPED, f"{_FILE}FILE.json"))
    file = importlib.resources.files("bezoar.quantum.devices") / f"{name.replace('-', '_')}.json"
    return _device(json.loads(file.read_text(encoding="utf-8")))


def read_device(path: Path | str) -> Device:
    """The device of a file that `write_device` wrote.

    Raises:
        FileProblem: there is no such file, or it is no table of a device.
    """
    try:
        return _device(json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise FileProblem(path, "does not exist", mend="name a file of write_device") from error
    except OSError as error:
        raise FileProblem(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, BezoarError) else f"{type(error).__name__}: {error}"
        raise FileProblem(
            path, f"is no table of a device ({reason})", mend="write it with write_device"
        ) from error


def write_device(path: Path | str, device: Device) -> Path:
    """Writes the table of a device, one qubit or gate to a line.

    Raises:
        FileProblem: the file cannot be written.
    """
    table = {"format": _FORMAT, "format_version": FORMAT_VERSION, **device.describe()}
    return write_whole(path, lambda handle: handle.write(f"{_block(table)}\n".encode()))


def _block(value: Any, indent: str = "") -> str:
    """JSON with mappings spread over lines, but the rows of a list on one line each."""
    if isinstance(value, dict):
        inner = [f"{indent} {json.dumps(k)}: {_block(v, indent + ' ')}" for k, v in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inner = [f"{indent} {json.dumps(row)}" for row in value]
    else:
        return json.dumps(value)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([start, ",\n".join(inner), f"{indent}{end}"])


def _device(table: Mapping[str, Any]) -> Device:
    if table["format"] != _FORMAT or table["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"format {table['format']!r} {table['format_version']!r}, "
            f"wanted {_FORMAT!r} {FORMAT_VERSION}"
        )
    return Device(
        name=str(table["name"]),
        calibrated=str(table["calibrated"]),
        source=str(table["source"]),
        qubits=tuple(_qubit(row) for row in table["qubits"]),
        gates=tuple(
            DeviceGate(
                gate=name,
                qubits=tuple(int(q) for q in row["qubits"]),
                error=_number(row["error"]),
                duration=_number(row["duration"]),
            )
            for name, rows in table["gates"].items()
            for row in rows
        ),
    )


def _qubit(row: Mapping[str, Any]) -> DeviceQubit:
    p10, p01 = _number(row["p10"]), _number(row["p01"])
    return DeviceQubit(
        t1=_number(row["t1"]),
        t2=_number(row["t2"]),
        readout=None if p10 is None or p01 is None else ReadoutError(p10, p01),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
