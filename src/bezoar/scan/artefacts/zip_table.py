"""The table of contents of a ZIP archive, and its members, read as the most lenient reader would.

`zipfile` refuses a member whose name, checksum or flags do not fit, and `torch.load` reads it all
the same. So only the table is read with `zipfile`, and members from their place in the file.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import ByteStream, inflated_member
from bezoar.scan.artefacts.limits import ARCHIVE_MEMBERS, ARCHIVE_TABLE_BYTES

_END = b"PK\x05\x06"
_END_BYTES = 22
_LONGEST_COMMENT = 65_535
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_LOCATOR_64_BYTES = 20
_LOCAL = b"PK\x03\x04"
_LOCAL_BYTES = 30
_UNIX_TYPE = 0o170000
_UNIX_LINK = 0o120000


class UnreadableArchive(Exception):
    """The table of contents cannot be read."""


class OversizedArchive(Exception):
    """The table of contents promises more members than any honest archive has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """One member as the table describes it.

    Attributes:
        name: its name.
        size: how many bytes it will have.
        packed: how many it has in the archive.
        method: how it is packed.
        offset: where its local header lies.
        is_link: whether it is a symbolic link.
    """

    name: str
    size: int
    packed: int
    method: int
    offset: int
    is_link: bool


def zip_members(file: BinaryIO) -> list[ZipMember]:
    """All members, in the order of the table.

    Raises:
        UnreadableArchive, OversizedArchive: there is no list to give.
    """
    count, table_bytes = _promised(file)
    if count > ARCHIVE_MEMBERS or table_bytes > ARCHIVE_TABLE_BYTES:
        raise OversizedArchive(f"its table of contents promises {count} members")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise UnreadableArchive(str(error)) from error
    return [
        ZipMember(
            name=entry.orig_filename,
            size=entry.file_size,
            packed=entry.compress_size,
            method=entry.compress_type,
            offset=entry.header_offset,
            is_link=(entry.external_attr >> 16) & _UNIX_TYPE == _UNIX_LINK,
        )
        for entry in entries
    ]


def _promised(file: BinaryIO) -> tuple[int, int]:
    """How many members and bytes of table the archive's last record tells."""
    end = file.seek(0, 2)
    start = max(0, end - _END_BYTES - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read(_END_BYTES + _LONGEST_COMMENT)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise UnreadableArchive("it has no table of contents")
    count, size = struct.unpack_from("<HI", tail, at + 10)
    locator = at - _LOCATOR_64_BYTES
    if locator >= 0 and tail.startswith(_LOCATOR_64, locator):
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        # The record lies at `place`, or right before the locator when bytes were put in front.
        for offset in (place, start + locator - 56):
            if 0 <= offset < end:
                file.seek(offset)
                record = file.read(56)
                if record.startswith(_END_64) and len(record) == 56:
                    return struct.unpack_from("<Q", record, 32)[0], struct.unpack_from(
                        "<Q", record, 40
                    )[0]
    return count, size


def local_name(file: BinaryIO, member: ZipMember) -> str | None:
    """The name that stands at the member itself, None where there is no member."""
    header = _local_header(file, member)
    if header is None:
        return None
    (length,) = struct.unpack_from("<H", header, 26)
    (flags,) = struct.unpack_from("<H", header, 6)
    return file.read(length).decode("utf-8" if flags & 0x800 else "cp437", "replace")


def member_stream(
    file: BinaryIO, member: ZipMember, allowance: Allowance | None = None
) -> ByteStream | None:
    """A member's content, None where it cannot be read.

    Two streams of one archive must not be read by turns: they share the file.
    """
    header = _local_header(file, member)
    if header is None:
        return None
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    begin = member.offset + _LOCAL_BYTES + name_length + extra_length
    file.seek(begin)
    if member.method == 0:
        return ByteStream(_window(file, member.size), allowance=allowance)
    read = inflated_member(_window(file, member.packed), member.method)
    return None if read is None else ByteStream(read, allowance=allowance)


def _window(file: BinaryIO, size: int) -> Callable[[int], bytes]:
    """Reads on in `file`, but no further than `size` bytes from here."""
    left = size

    def read(count: int) -> bytes:
        nonlocal left
        part = file.read(min(count, left))
        left -= len(part)
        return part

    return read


def _local_header(file: BinaryIO, member: ZipMember) -> bytes | None:
    if not 0 <= member.offset < file.seek(0, 2):
        return None
    file.seek(member.offset)
    header = file.read(_LOCAL_BYTES)
    return header if len(header) == _LOCAL_BYTES and header.startswith(_LOCAL) else None
