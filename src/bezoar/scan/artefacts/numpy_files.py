"""Arrays that numpy wrote (.npy, and the members of .npz): the header, without believing it."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import ByteStream, StreamEnded
from bezoar.scan.artefacts.issues import Issue
from bezoar.scan.artefacts.limits import NPY_HEADER_BYTES
from bezoar.scan.artefacts.pickle_issues import issues_of
from bezoar.scan.artefacts.pickles import read_pickles
from bezoar.scan.artefacts.python_text import NotPython, constant

MAGIC = b"\x93NUMPY"

_SIMPLE = re.compile(r"[<>|=]?([?a-zA-Z])(\d*)(?:\[[^\]]*\])?\Z")
_LONG = re.compile(r"\b([0-9]+)L\b")
_REMEDY = "write it again with numpy.save, and read it with allow_pickle=False"


class BadHeader(Exception):
    """The header is not one that numpy writes."""


def npy_issues(
    stream: ByteStream,
    *,
    member: str = "",
    size: int | None = None,
    allowance: Allowance | None = None,
) -> Iterator[Issue]:
    """What is wrong with one array.

    Args:
        stream: at its first byte.
        member: the name for messages, "" for a file.
        size: how many bytes the whole array file has, None where that is not known.
        allowance: how much may be looked at.
    """
    try:
        descr, shape = _header(stream)
        item = item_bytes(descr)
    except StreamEnded:
        yield _malformed("the array's header ends early", member)
        return
    except BadHeader as error:
        yield _malformed(str(error), member)
        return
    if item is None:
        yield from issues_of(read_pickles(stream, member=member, allowance=allowance))
        return
    wanted = math.prod(shape) * item
    there = None if size is None else size - stream.position
    if there is not None and wanted > there:
        yield _malformed(
            f"the header promises {wanted} bytes of numbers, {there} are there", member
        )


def _header(stream: ByteStream) -> tuple[object, tuple[int, ...]]:
    start = stream.take(len(MAGIC) + 2)
    if not start.startswith(MAGIC):
        raise BadHeader("it does not begin as an array that numpy wrote")
    form = "<H" if start[-2] == 1 else "<I"
    (length,) = struct.unpack(form, stream.take(struct.calcsize(form)))
    if length > NPY_HEADER_BYTES:
        raise BadHeader(f"the header has {length} bytes; numpy refuses more than 10000")
    try:
        # Python 2 wrote long numbers as 3L.
        header = constant(_LONG.sub(r"\1", stream.take(length).decode("utf-8")).strip())
    except (NotPython, UnicodeDecodeError) as error:
        raise BadHeader("the header is not a Python dictionary of constants") from error
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise BadHeader("the header has other entries than descr, fortran_order and shape")
    shape = header["shape"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise BadHeader("the shape in the header is not made of whole numbers from 0")
    return header["descr"], shape


def item_bytes(descr: object) -> int | None:
    """Bytes of one element, None when elements are Python objects, which numpy pickles.

    Raises:
        BadHeader: it is not the description of a type.

    Example:
        >>> item_bytes("<f8"), item_bytes("|O"), item_bytes([("x", "<f4", (3,)), ("n", "<U2")])
        (8, None, 20)
    """
    if isinstance(descr, str):
        match = _SIMPLE.match(descr)
        if match is None or len(descr) > 64:
            raise BadHeader("the element type in the header is not one of numpy's")
        letter, digits = match.groups()
        if letter == "O":
            return None
        return int(digits or 1) * (4 if letter == "U" else 1)
    if isinstance(descr, tuple) and len(descr) == 2:
        inner = item_bytes(descr[0])
        return None if inner is None else inner * _elements(descr[1])
    if isinstance(descr, list):
        return _record_bytes(descr)
    raise BadHeader("the element type in the header is not one of numpy's")


def _record_bytes(fields: list[object]) -> int | None:
    total = 0
    for field in fields:
        if not isinstance(field, tuple) or len(field) not in (2, 3):
            raise BadHeader("a field of the record type is not a pair of name and type")
        inner = item_bytes(field[1])
        if inner is None:
            return None
        total += inner * (_elements(field[2]) if len(field) == 3 else 1)
    return total


def _elements(shape: object) -> int:
    sizes: list[int] = []
    for size in shape if isinstance(shape, tuple) else (shape,):
        if type(size) is not int or size < 0:
            raise BadHeader("a field of the record type has a shape that is none")
        sizes.append(size)
    return math.prod(sizes)


def _malformed(message: str, member: str) -> Issue:
    return Issue(
        topic="malformed", severity="medium", message=message, member=member, remedy=_REMEDY
    )
