"""ONNX: files that a model names outside itself, and operators that need foreign code.

Only the wire format of protocol buffers is read, with the field numbers of ``onnx.proto``: a
model with its graphs, nodes, attributes and tensors. Everything else is left out unread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from bezoar.scan.artefacts.archives import leads_outside
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import ONNX_DEPTH, ONNX_FIELDS

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5

#: Message to its fields that are messages themselves.
_INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "opset", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
#: Message to its fields that are short texts wanted here.
_TEXTS: dict[str, dict[int, str]] = {
    "opset": {1: "domain"},
    "node": {7: "domain"},
    "external": {1: "key", 2: "value"},
}
_TEXT_BYTES = 4096

#: Domains of the standard and of the runtime that most people use.
_KNOWN_DOMAINS = frozenset(
    (
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "pkg.onnxscript.torch_lib",
        "pkg.onnxscript.torch_lib.common",
        "pkg.torch",
    )
)


class _Damaged(Exception):
    """It is not what protocol buffers write."""


@dataclass(slots=True)
class _Reading:
    file: BinaryIO
    fields: int = 0
    locations: list[tuple[int, str]] = field(default_factory=list)
    domains: dict[str, int] = field(default_factory=dict)


def onnx_issues(file: BinaryIO) -> Iterator[Issue]:
    """What is wrong with an ONNX model."""
    size = file.seek(0, 2)
    file.seek(0)
    reading = _Reading(file)
    try:
        _message(reading, "model", size, 0)
    except _Damaged as damage:
        yield Issue(
            topic="malformed", severity="medium", message=str(damage), offset=min(file.tell(), size)
        )
    for offset, location in reading.locations:
        if leads_outside(location):
            yield Issue(
                topic="malformed",
                severity="high",
                message=f"it reads its numbers from {shown(location)}, outside its own folder",
                offset=offset,
                remedy="do not load it; keep a model's data beside it or inside it",
            )
    foreign = [name for name in reading.domains if name not in _KNOWN_DOMAINS]
    if foreign:
        yield Issue(
            topic="malformed",
            severity="low",
            message=f"it needs operators that foreign code brings: {shown(foreign[0])}",
            offset=reading.domains[foreign[0]],
        )


def _message(reading: _Reading, kind: str, end: int, depth: int) -> None:
    """Reads one message up to `end`, going into the fields that matter."""
    if depth > ONNX_DEPTH * 3:
        raise _Damaged(f"graphs lie in graphs deeper than {ONNX_DEPTH}")
    file = reading.file
    texts: dict[str, str] = {}
    start = file.tell()
    while file.tell() < end:
        reading.fields += 1
        if reading.fields > ONNX_FIELDS:
            raise _Damaged(f"it has more than {ONNX_FIELDS} fields")
        number, wire = divmod(_varint(file), 8)
        if wire != _LENGTH:
            _leave_out(file, wire)
            continue
        stop = _varint(file) + file.tell()
        if stop > end:
            raise _Damaged("a field claims more bytes than there are")
        if number in _INNER.get(kind, ()):
            _message(reading, _INNER[kind][number], stop, depth + 1)
        elif number in _TEXTS.get(kind, ()):
            length = min(stop - file.tell(), _TEXT_BYTES)
            texts[_TEXTS[kind][number]] = file.read(length).decode("utf-8", "replace")
        file.seek(stop)
    if file.tell() > end:
        raise _Damaged("a field claims more bytes than there are")
    _keep(reading, kind, texts, start)


def _keep(reading: _Reading, kind: str, texts: dict[str, str], start: int) -> None:
    if kind == "external" and texts.get("key") == "location":
        reading.locations.append((start, texts.get("value", "")))
    if "domain" in texts and len(reading.domains) < len(_KNOWN_DOMAINS) + 64:
        reading.domains.setdefault(texts["domain"], start)


def _leave_out(file: BinaryIO, wire: int) -> None:
    if wire == _VARINT:
        _varint(file)
    elif wire == _FIXED_64:
        file.seek(8, 1)
    elif wire == _FIXED_32:
        file.seek(4, 1)
    else:
        raise _Damaged("it is not an ONNX model: a field is of no known kind")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise _Damaged("it ends early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _Damaged("a number is longer than protocol buffers allow")
