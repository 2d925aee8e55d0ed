"""ZIP and tar archives: bombs, names that lead elsewhere, and what their members are."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import (
    ByteStream,
    StreamDamaged,
    StreamEnded,
    StreamTooLong,
    inflated,
)
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import (
    ARCHIVE_MEMBERS,
    BOMB_BYTES,
    BOMB_RATIO,
    MIB,
    STREAM_BYTES,
)
from bezoar.scan.artefacts.zip_table import (
    OversizedArchive,
    UnreadableArchive,
    ZipMember,
    local_name,
    member_stream,
    zip_members,
)

#: Looks at one member: its name, its size, and its content.
Look = Callable[[str, int, ByteStream], Iterator[Issue]]

_DRIVE = re.compile(r"[A-Za-z]:")
_LINK_BYTES = 4096
_HEADER_BYTES = 4 * MIB


def leads_outside(name: str) -> bool:
    """Whether a member's name or a link's target leaves the folder it is unpacked into.

    Example:
        >>> [leads_outside(name) for name in ("a/b", "../a", "/etc/x", "a\\\\..\\\\..\\\\b", "C:x")]
        [False, True, True, True, True]
    """
    parts = name.replace("\\", "/").split("/")
    depth = 0
    for part in parts:
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return (parts[0] == "" and len(parts) > 1) or _DRIVE.match(name) is not None


def zip_issues(file: BinaryIO, look: Look, allowance: Allowance) -> Iterator[Issue]:
    """What is wrong with a ZIP archive and, through `look`, with its members."""
    try:
        members = zip_members(file)
    except OversizedArchive as error:
        yield Issue(topic="bomb", severity="high", message=str(error))
        return
    except UnreadableArchive as error:
        yield _unread(f"the archive cannot be read ({shown(str(error))})")
        return
    yield from _table_issues(file, members)
    for member in members:
        if allowance.content < 0:
            yield _not_all()
            return
        if not member.name.endswith("/"):
            yield from _member_issues(file, member, look, allowance)


def _table_issues(file: BinaryIO, members: list[ZipMember]) -> Iterator[Issue]:
    grown = sum(member.size for member in members)
    packed = sum(member.packed for member in members)
    on_disk = file.seek(0, 2)
    if grown > BOMB_BYTES and grown > BOMB_RATIO * on_disk:
        yield _bomb(on_disk, grown)
    elif packed > on_disk:
        yield Issue(
            topic="bomb",
            severity="high",
            message=f"its members claim {packed} bytes of an archive of {on_disk}: they overlap",
        )
    twice = [name for name, count in Counter(m.name for m in members).items() if count > 1]
    if twice:
        yield Issue(
            topic="malformed",
            severity="medium",
            message="the archive has this member twice, and readers differ in which one they take",
            member=twice[0],
        )


def _bomb(on_disk: int, grown: int) -> Issue:
    return Issue(
        topic="bomb",
        severity="high",
        message=f"{on_disk} bytes unpack to {grown}, {grown // max(1, on_disk)} times as much",
    )


def _not_all() -> Issue:
    return _unread(f"only {STREAM_BYTES // MIB} MiB of what its members hold were looked at")


def _unread(message: str) -> Issue:
    return Issue(topic="unreadable", severity="medium", message=message)


def _member_issues(
    file: BinaryIO, member: ZipMember, look: Look, allowance: Allowance
) -> Iterator[Issue]:
    if leads_outside(member.name):
        yield _outside(member.name, "a member's name leads out of the folder it is unpacked into")
    if "\0" not in member.name:
        at_member = local_name(file, member)
        if at_member is not None and at_member != member.name:
            yield Issue(
                topic="malformed",
                severity="medium",
                message=f"the member calls itself {shown(at_member)}, the archive's table does not",
                member=member.name,
            )
    stream = member_stream(file, member, allowance)
    if stream is None:
        yield Issue(
            topic="unreadable",
            severity="medium",
            message="the member cannot be read: it is missing, or packed in an unknown way",
            member=member.name,
        )
        return
    if member.is_link:
        target = _safely(stream.up_to, _LINK_BYTES).decode("utf-8", "replace")
        if leads_outside(f"{member.name}/../{target}") or target.startswith(("/", "\\")):
            yield _outside(member.name, f"a symbolic link leads to {shown(target)}")
        return
    yield from look(member.name, member.size, stream)


def _outside(name: str, message: str) -> Issue:
    return Issue(topic="bomb", severity="high", message=message, member=name, remedy=_REMEDY)


_REMEDY = "do not unpack it; unpack others with tarfile's filter='data' or names checked first"


def _safely(read: Callable[[int], bytes], count: int) -> bytes:
    try:
        return read(count)
    except (StreamDamaged, StreamEnded, StreamTooLong):
        return b""


def tar_issues(file: BinaryIO, head: bytes, look: Look, allowance: Allowance) -> Iterator[Issue]:
    """What is wrong with a tar archive, packed or not, and with its members."""
    unpacked = inflated(file, head)
    count, grown = 0, 0
    try:
        if unpacked is None:
            options: dict[str, Any] = {"fileobj": _Capped(file), "mode": "r:"}
        else:
            options = {"fileobj": _Forward(unpacked.read, allowance), "mode": "r|"}
        with tarfile.open(**options) as archive:
            while (member := archive.next()) is not None:
                count, grown = count + 1, grown + max(0, member.size)
                yield from _tar_member_issues(archive, member, look, allowance)
                if count >= ARCHIVE_MEMBERS:
                    yield Issue(
                        topic="bomb",
                        severity="high",
                        message=f"it has more than {ARCHIVE_MEMBERS} members",
                    )
                    return
    except StreamTooLong:
        came = unpacked.came_out if unpacked else grown
        if unpacked is not None and unpacked.is_bomb:
            yield _bomb(unpacked.went_in, came)
        else:
            yield _not_all()
    except (
        tarfile.TarError,
        StreamDamaged,
        EOFError,
        OSError,
        ValueError,
        RecursionError,
    ) as error:
        yield _unread(f"the archive cannot be read ({shown(str(error))})")


def _tar_member_issues(
    archive: tarfile.TarFile, member: tarfile.TarInfo, look: Look, allowance: Allowance
) -> Iterator[Issue]:
    if leads_outside(member.name):
        yield _outside(member.name, "a member's name leads out of the folder it is unpacked into")
    if member.issym() or member.islnk():
        # A symbolic link is read from where it stands, a hard link from the archive's root.
        target = f"{member.name}/../{member.linkname}" if member.issym() else member.linkname
        if leads_outside(target) or member.linkname.startswith(("/", "\\")):
            yield _outside(member.name, f"a link leads to {shown(member.linkname)}")
    elif member.isdev():
        yield _outside(member.name, "a member is a device or a pipe, not a file")
    elif member.isreg():
        content: IO[bytes] | None = archive.extractfile(member)
        if content is not None:
            yield from look(member.name, member.size, ByteStream(content.read, allowance=allowance))


class _Capped:
    """Hands tarfile a file, but never as much at once as a lying header asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        """The next bytes."""
        return self._file.read(min(count, _HEADER_BYTES))


class _Forward:
    """Hands tarfile a packed stream with a limit on what comes out."""

    def __init__(self, read: Callable[[int], bytes], allowance: Allowance) -> None:
        self._stream = ByteStream(read, allowance=allowance)

    def read(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        return self._stream.up_to(count)
