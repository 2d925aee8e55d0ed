"""The opcodes of a pickle, one after the other, without running any.

The table of opcodes is the standard library's (`pickletools`). Arguments are read here, because
its readers take a text or byte string of any length into memory and stop at numbers that the real
reader accepts.
"""

from __future__ import annotations

import pickletools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bezoar.scan.artefacts.byte_stream import ByteStream
from bezoar.scan.artefacts.limits import CONSTANT_BYTES

_LONGEST_LINE = 64 * 1024

#: Arguments that are a count and then so many bytes: how the count is written.
_COUNTED = {
    "string1": "B",
    "bytes1": "B",
    "unicodestring1": "B",
    "long1": "B",
    "string4": "<I",
    "bytes4": "<I",
    "unicodestring4": "<I",
    "long4": "<I",
    "bytes8": "<Q",
    "bytearray8": "<Q",
    "unicodestring8": "<Q",
}

_FIXED = {
    "uint1": "B",
    "uint2": "<H",
    "int4": "<i",
    "uint4": "<I",
    "uint8": "<Q",
    "float8": ">d",
}

#: Escapes of protocol 0's STRING: a name can be hidden behind them.
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}\Z")
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}

_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
_ARGUMENTS = {
    opcode.name: opcode.arg.name for opcode in pickletools.opcodes if opcode.arg is not None
}


class NotAnOpcode(Exception):
    """The byte at this place means nothing in a pickle."""


@dataclass(frozen=True, slots=True)
class Opcode:
    """One opcode.

    Attributes:
        name: as in `pickletools`.
        argument: a number, a text, bytes, two names for GLOBAL and INST, or None.
        offset: of its first byte.
        cut: the argument is longer than what was kept.
    """

    name: str
    argument: object
    offset: int
    cut: bool = False


def opcodes(stream: ByteStream) -> Iterator[Opcode]:
    """The opcodes up to and with STOP.

    Raises:
        NotAnOpcode: a byte that is none.
        StreamEnded: the stream ends before STOP.
    """
    while True:
        offset = stream.position
        code = stream.take(1)[0]
        name = _NAMES.get(code)
        if name is None:
            raise NotAnOpcode(f"byte 0x{code:02x} is not an opcode")
        argument, cut = _argument(_ARGUMENTS.get(name), stream)
        yield Opcode(name, argument, offset, cut)
        if name == "STOP":
            return


def _argument(kind: str | None, stream: ByteStream) -> tuple[object, bool]:
    if kind is None:
        return None, False
    if kind in _FIXED:
        form = _FIXED[kind]
        return struct.unpack(form, stream.take(struct.calcsize(form)))[0], False
    if kind in _COUNTED:
        return _counted(kind, stream)
    if kind == "stringnl_noescape_pair":
        return (_line(stream), _line(stream)), False
    return _written(kind, stream.line(_LONGEST_LINE)), False


def _counted(kind: str, stream: ByteStream) -> tuple[object, bool]:
    form = _COUNTED[kind]
    (count,) = struct.unpack(form, stream.take(struct.calcsize(form)))
    kept = stream.take(min(count, CONSTANT_BYTES))
    if count > len(kept):
        stream.skip(count - len(kept))
    value: object = kept
    if kind.startswith("unicode"):
        value = kept.decode("utf-8", "replace")
    elif kind.startswith("long"):
        value = int.from_bytes(kept[:64], "little", signed=True)
    elif kind.startswith("string"):
        value = kept.decode("latin-1")
    return value, count > len(kept)


def _written(kind: str, line: bytes) -> object:
    """An argument of protocol 0, written as text up to the end of the line."""
    text = line.decode("latin-1")
    if kind == "stringnl":
        return _ESCAPE.sub(_unescaped, text.strip().strip("'\""))
    if kind == "unicodestringnl":
        return line.decode("raw_unicode_escape", "replace")
    if kind.startswith("decimalnl"):
        digits = text.strip().rstrip("L")
        return int(digits) if _DIGITS.match(digits) else None
    return text


def _line(stream: ByteStream) -> str:
    return stream.line(_LONGEST_LINE).decode("utf-8", "backslashreplace")


def _unescaped(match: re.Match[str]) -> str:
    escape = match.group(1)
    if len(escape) == 3 and escape[0] == "x":
        return chr(int(escape[1:], 16))
    if escape[0] in "01234567":
        return chr(int(escape, 8) & 0xFF)
    return _PLAIN_ESCAPES.get(escape, escape)
