"""Examines one artefact: opens it, finds out what it is, and asks the module that knows it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from bezoar.scan.artefacts import artefact_kind
from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.archives import tar_issues, zip_issues
from bezoar.scan.artefacts.byte_stream import (
    UNREAD_COMPRESSIONS,
    ByteStream,
    Inflated,
    StreamDamaged,
    StreamEnded,
    StreamTooLong,
    inflated,
)
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.keras_files import keras_issues
from bezoar.scan.artefacts.limits import (
    BOMB_BYTES,
    HEAD_BYTES,
    MEMBER_HEAD_BYTES,
    MIB,
    NESTING,
    OPENQASM_BYTES,
)
from bezoar.scan.artefacts.numpy_files import MAGIC as NPY_MAGIC
from bezoar.scan.artefacts.numpy_files import npy_issues
from bezoar.scan.artefacts.onnx_files import onnx_issues
from bezoar.scan.artefacts.openqasm_expansion import expansion_issues
from bezoar.scan.artefacts.openqasm_includes import include_issues
from bezoar.scan.artefacts.openqasm_source import read_source
from bezoar.scan.artefacts.pickle_issues import issues_of
from bezoar.scan.artefacts.pickles import read_pickles
from bezoar.scan.artefacts.qpy_files import qpy_issues
from bezoar.scan.artefacts.tensor_files import safetensors_issues

#: Archives in archives are unpacked in memory to be looked at.
_INNER_ARCHIVE_BYTES = 32 * MIB
_TORCH_MEMBERS = ("data.pkl", "constants.pkl", "traced_inputs.pkl")
_CONFIGURATION_FILES = ("config.json", "metadata.json")
_PICKLE_ENDINGS = (".pkl", ".pickle", ".dill", ".joblib", ".pck")
#: TorchScript keeps places of its source in these, and reads them itself.
_TORCHSCRIPT_SOURCES = ".debug_pkl"
_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def examine(file: Path) -> tuple[Issue, ...]:
    """Everything that is wrong with an artefact, in the order of the file.

    The several rules that ask for one file share the work.

    Raises:
        OSError: it cannot be read.
    """
    status = file.stat()
    return _examined(_Version(file, status.st_mtime_ns, status.st_size, status.st_ino))


@dataclass(frozen=True, slots=True)
class _Version:
    """A file as it is now: another time, size or inode is another file."""

    file: Path
    changed: int
    size: int
    inode: int


@lru_cache(maxsize=4)
def _examined(version: _Version) -> tuple[Issue, ...]:
    file = version.file
    with file.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
        handle.seek(0)
        kind = artefact_kind(file, head)
        return tuple(_issues(handle, kind, head, file)) if kind else ()


def _issues(handle: BinaryIO, kind: str, head: bytes, file: Path) -> Iterator[Issue]:
    if kind == "zip":
        members = _Members(0, Allowance())
        yield from zip_issues(handle, members.look, members.allowance)
    elif kind == "tar":
        members = _Members(0, Allowance())
        yield from tar_issues(handle, head, members.look, members.allowance)
    elif kind == "openqasm":
        yield from _openqasm(handle, file.parent)
    elif kind == "safetensors":
        yield from safetensors_issues(handle)
    elif kind == "onnx":
        yield from onnx_issues(handle)
    else:
        yield from _stream_issues(handle, kind, head)


def _stream_issues(handle: BinaryIO, kind: str, head: bytes) -> Iterator[Issue]:
    """Formats that are read forward, compressed or not."""
    for magic, name in UNREAD_COMPRESSIONS.items():
        if head.startswith(magic):
            message = f"it is packed with {name}, which is not read here"
            yield Issue(topic="unreadable", severity="medium", message=message)
            return
    unpacked = None if head.startswith((b"QISKIT", NPY_MAGIC)) else inflated(handle, head)
    if unpacked is None:
        handle.seek(0)
        size = handle.seek(0, 2)
        handle.seek(0)
        stream = ByteStream(handle.read, file=handle)
    else:
        size = None
        stream = ByteStream(unpacked.read)
    try:
        if kind == "hdf5":
            yield from keras_issues(stream)
        elif kind == "qpy":
            yield from qpy_issues(stream)
        elif kind == "npy":
            yield from npy_issues(stream, size=size)
        else:
            yield from issues_of(read_pickles(stream))
    except (StreamEnded, StreamTooLong, StreamDamaged) as error:
        message = f"what it is packed with cannot be read to its end ({shown(str(error))})"
        yield Issue(topic="unreadable", severity="medium", message=message)
    yield from _packed_bomb(unpacked)


def _packed_bomb(unpacked: Inflated | None) -> Iterator[Issue]:
    if unpacked is not None and unpacked.is_bomb and unpacked.came_out >= BOMB_BYTES:
        ratio = unpacked.came_out // max(1, unpacked.went_in)
        message = f"{unpacked.went_in} bytes unpack to {unpacked.came_out} and more, {ratio} times"
        yield Issue(topic="bomb", severity="high", message=message)


def _openqasm(handle: BinaryIO, folder: Path) -> Iterator[Issue]:
    data = handle.read(OPENQASM_BYTES)
    if handle.read(1):
        message = f"only its first {OPENQASM_BYTES // MIB} MiB were looked at"
        yield Issue(topic="unreadable", severity="low", message=message)
    if b"\0" in data:
        message = "it is called a circuit in OpenQASM and is no text"
        yield Issue(topic="unreadable", severity="low", message=message)
        return
    source = read_source(data.decode("utf-8-sig", "replace"))
    yield from include_issues(source, folder)
    yield from expansion_issues(source)


class _Members:
    """Looks at the members of archives, and at archives in them."""

    def __init__(self, depth: int, allowance: Allowance) -> None:
        self.depth = depth
        self.allowance = allowance

    def look(self, name: str, size: int, stream: ByteStream) -> Iterator[Issue]:
        """What is wrong with one member."""
        try:
            head = stream.peek(MEMBER_HEAD_BYTES)
            yield from self._look(name, size, stream, head)
        except (StreamEnded, StreamTooLong, StreamDamaged) as error:
            message = f"the member cannot be read to its end ({shown(str(error))})"
            yield Issue(topic="unreadable", severity="medium", message=message, member=name)

    def _look(self, name: str, size: int, stream: ByteStream, head: bytes) -> Iterator[Issue]:
        base = name.rsplit("/", 1)[-1].lower()
        if head.startswith(NPY_MAGIC):
            yield from npy_issues(stream, member=name, size=size, allowance=self.allowance)
        elif base.endswith(_PICKLE_ENDINGS) or _is_pickle_member(name, head):
            is_torch = base in _TORCH_MEMBERS
            found = read_pickles(stream, member=name, allowance=self.allowance)
            yield from issues_of(found, in_torch_archive=is_torch)
        elif base in _CONFIGURATION_FILES or base.endswith((".h5", ".hdf5")):
            yield from keras_issues(stream, member=name)
        elif head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar":
            yield from self._archive(name, stream, head)

    def _archive(self, name: str, stream: ByteStream, head: bytes) -> Iterator[Issue]:
        if self.depth + 1 >= NESTING:
            message = f"archives lie in archives, {NESTING} deep or deeper"
            yield Issue(topic="bomb", severity="high", message=message, member=name)
            return
        content = stream.up_to(_INNER_ARCHIVE_BYTES)
        if len(content) == _INNER_ARCHIVE_BYTES:
            message = f"an archive in the archive is longer than {_INNER_ARCHIVE_BYTES // MIB} MiB"
            yield Issue(topic="unreadable", severity="low", message=message, member=name)
            return
        inner = _Members(self.depth + 1, self.allowance)
        file = io.BytesIO(content)
        if head.startswith(b"PK"):
            found = zip_issues(file, inner.look, self.allowance)
        else:
            found = tar_issues(file, head, inner.look, self.allowance)
        for issue in found:
            yield Issue(
                topic=issue.topic,
                severity=issue.severity,
                message=issue.message,
                member=f"{name} > {issue.member}" if issue.member else name,
                offset=issue.offset,
                remedy=issue.remedy,
            )


def _is_pickle_member(name: str, head: bytes) -> bool:
    """Old torch archives and others name their pickles without an ending."""
    if "/data/" in name or name.startswith("data/") or name.endswith(_TORCHSCRIPT_SOURCES):
        return False
    return head.startswith(_PROTOCOLS)
