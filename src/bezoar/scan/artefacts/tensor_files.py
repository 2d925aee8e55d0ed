"""safetensors: whether the header is what the format wants, and fits the numbers behind it.

The rules are those of the format's own description: 8 bytes of length, a JSON object of at most
100 MB that begins with ``{``, no name twice, and the numbers of all tensors side by side.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, TypeGuard

from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import (
    MIB,
    SAFETENSORS_FORMAT_LIMIT,
    SAFETENSORS_HEADER_BYTES,
)

_LENGTH_BYTES = 8

#: Bits of an element, by the format's names.
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
_METADATA = "__metadata__"


class _Lie(Exception):
    """The header does not keep the format's rules."""


def safetensors_issues(file: BinaryIO, *, member: str = "") -> Iterator[Issue]:
    """What is wrong with a safetensors file."""
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(_LENGTH_BYTES)
    try:
        if len(start) < _LENGTH_BYTES:
            raise _Lie("it is too short to have a header")
        (length,) = struct.unpack("<Q", start)
        if length > SAFETENSORS_FORMAT_LIMIT or length > size - _LENGTH_BYTES:
            raise _Lie(f"the header claims {length} bytes; the file has {size}")
        if length > SAFETENSORS_HEADER_BYTES:
            message = f"the header is longer than {SAFETENSORS_HEADER_BYTES // MIB} MiB"
            yield Issue(topic="unreadable", severity="medium", message=message, member=member)
            return
        _check_header(file.read(length), size - _LENGTH_BYTES - length)
    except _Lie as lie:
        yield Issue(topic="malformed", severity="medium", message=str(lie), member=member)


def _check_header(text: bytes, data_bytes: int) -> None:
    if not text.startswith(b"{"):
        raise _Lie("the header does not begin with a brace")
    try:
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise _Lie(f"the header is not JSON ({shown(str(error))})") from error
    if not isinstance(header, dict):
        raise _Lie("the header is not a JSON object")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _Lie("the metadata are not texts by name")
    spans = sorted(_span(name, entry) for name, entry in header.items())
    at = 0
    for begin, end, name in spans:
        if begin != at:
            what = "overlaps another tensor" if begin < at else "leaves bytes before it unused"
            raise _Lie(f"tensor {shown(name)} {what}")
        at = end
    if at != data_bytes:
        raise _Lie(f"the tensors take {at} bytes, the file has {data_bytes} for them")


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _Lie(f"the header names {shown(name)} twice, and readers differ in which counts")
        found[name] = value
    return found


def _span(name: str, entry: object) -> tuple[int, int, str]:
    if not isinstance(entry, dict):
        raise _Lie(f"tensor {shown(name)} is not described by an object")
    offsets, shape, dtype = entry.get("data_offsets"), entry.get("shape"), entry.get("dtype")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Lie(f"tensor {shown(name)} has offsets that are none")
    if not _are_sizes(shape) or not isinstance(dtype, str) or dtype not in _BITS:
        raise _Lie(f"tensor {shown(name)} has a shape or a type that is none")
    wanted = math.prod(shape) * _BITS[dtype]
    if wanted != 8 * (offsets[1] - offsets[0]):
        raise _Lie(f"tensor {shown(name)} does not fill the bytes that its offsets name")
    return offsets[0], offsets[1], name


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)
