"""Reading forward through a file, plain or compressed, with a limit on how much comes out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.limits import BOMB_RATIO, MEMBER_HEAD_BYTES, MIB

_CHUNK = 256 * 1024
_LZMA_MEMORY = 128 * MIB
_ZIP_LZMA = 14


class StreamEnded(Exception):
    """More was asked for than there is."""


class StreamTooLong(Exception):
    """More comes out than is read here."""


class StreamDamaged(Exception):
    """What is compressed cannot be read."""


class ByteStream:
    """A stream that counts its bytes and is read forward only.

    Args:
        read: hands out at most so many bytes, b"" at the end.
        file: what `read` reads from its beginning, where it can be jumped over.
        allowance: how many bytes may be read, shared with other streams of the same artefact.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        file: BinaryIO | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self._read = read
        self._file = file
        self._allowance = allowance or Allowance()
        self._is_new = True
        self._buffer = b""
        self._at = 0
        self._before = 0

    @property
    def position(self) -> int:
        """Offset of the next byte."""
        return self._before + self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            StreamEnded, StreamTooLong: there are fewer, or the limit is reached.
        """
        part = self.up_to(count)
        if len(part) < count:
            raise StreamEnded
        return part

    def up_to(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end."""
        if self._at + count > len(self._buffer):
            self._fill(count)
        part = self._buffer[self._at : self._at + count]
        self._at += len(part)
        return part

    def peek(self, count: int) -> bytes:
        """What `up_to` would give, without taking it."""
        if self._at + count > len(self._buffer):
            self._fill(count)
        return self._buffer[self._at : self._at + count]

    def line(self, keep: int) -> bytes:
        """The bytes up to the next newline, without it; only the first `keep` are kept."""
        kept = b""
        while True:
            if self._at >= len(self._buffer):
                self._fill(1)
                if self._at >= len(self._buffer):
                    raise StreamEnded
            end = self._buffer.find(b"\n", self._at)
            stop = len(self._buffer) if end < 0 else end
            kept += self._buffer[self._at : stop][: keep - len(kept)]
            self._at = stop if end < 0 else end + 1
            if end >= 0:
                return kept

    def skip(self, count: int) -> None:
        """Leaves out `count` bytes.

        Raises:
            StreamEnded: there are fewer.
        """
        inside = min(count, len(self._buffer) - self._at)
        self._at += inside
        count -= inside
        if count and self._file is not None:
            target = self.position + count
            if target > self._file.seek(0, 2):
                raise StreamEnded
            self._file.seek(target)
            self._before, self._buffer, self._at = target, b"", 0
            return
        while count:
            part = self.up_to(min(count, _CHUNK))
            if not part:
                raise StreamEnded
            count -= len(part)

    def _fill(self, count: int) -> None:
        """Makes the buffer hold `count` more bytes where there are so many."""
        parts = [self._buffer[self._at :]]
        self._before += self._at
        self._at = 0
        missing = count - len(parts[0])
        while missing > 0:
            # Of most members of an archive no more than the beginning is wanted.
            part = self._read(MEMBER_HEAD_BYTES if self._is_new else _CHUNK)
            self._is_new = False
            if not part:
                break
            missing -= len(part)
            parts.append(part)
            self._allowance.content -= len(part)
            if self._allowance.content < 0:
                raise StreamTooLong
        self._buffer = b"".join(parts)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Inflated:
    """What comes out of a compressed file, never more at once than is asked for.

    Attributes:
        went_in, came_out: bytes so far.
    """

    def __init__(self, read: Callable[[int], bytes], new: Callable[[], _Decompressor]) -> None:
        self._read = read
        self._new = new
        self._machine = new()
        self._rest = b""
        self.went_in = 0
        self.came_out = 0

    @property
    def is_bomb(self) -> bool:
        """Whether more came out than real data can be packed into so little."""
        return self.came_out > BOMB_RATIO * max(1, self.went_in)

    def read(self, count: int) -> bytes:
        """At most `count` bytes, b"" at the end."""
        while True:
            if self._machine.eof and not self._next_part():
                return b""
            data = self._rest or self._more()
            try:
                out = self._machine.decompress(data, count)
            except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError) as error:
                raise StreamDamaged(str(error)) from error
            self._rest = getattr(self._machine, "unconsumed_tail", b"")
            if out:
                self.came_out += len(out)
                return out
            if not data and not self._machine.eof:
                return b""

    def _more(self) -> bytes:
        # bz2 and lzma keep what they were given and could not hand out yet.
        if getattr(self._machine, "needs_input", True):
            data = self._read(_CHUNK)
            self.went_in += len(data)
            return data
        return b""

    def _next_part(self) -> bool:
        """Whether a further compressed part follows the one that ended."""
        rest = self._machine.unused_data or self._more()
        if not rest or rest[0] == 0:
            return False
        self._machine, self._rest = self._new(), rest
        return True


#: First bytes of compressed files to what reads them. zlib's second byte makes the pair a
#: multiple of 31, which leaves four usual ones.
_COMPRESSIONS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"\x78\x01", lambda: zlib.decompressobj(15)),
    (b"\x78\x5e", lambda: zlib.decompressobj(15)),
    (b"\x78\x9c", lambda: zlib.decompressobj(15)),
    (b"\x78\xda", lambda: zlib.decompressobj(15)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
    (b"\x5d\x00\x00", lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
)

#: Compressions that the standard library of Python 3.11 does not read.
UNREAD_COMPRESSIONS = {b"\x04\x22\x4d\x18": "LZ4", b"\x28\xb5\x2f\xfd": "Zstandard"}

#: joblib before 0.10 wrote "ZF", the length as 19 characters, and a zlib stream.
_OLD_JOBLIB = b"ZF"
_OLD_JOBLIB_HEADER = 21


def inflated(file: BinaryIO, head: bytes) -> Inflated | None:
    """What a compressed file holds, None when it is not compressed.

    Args:
        file: open at its beginning.
        head: its first bytes.
    """
    if head[:2] == _OLD_JOBLIB and head[2:4] == b"0x":
        file.seek(_OLD_JOBLIB_HEADER)
        return Inflated(file.read, lambda: zlib.decompressobj(15))
    for magic, new in _COMPRESSIONS:
        if head.startswith(magic):
            return Inflated(file.read, new)
    return None


def inflated_member(read: Callable[[int], bytes], method: int) -> Callable[[int], bytes] | None:
    """Reads a ZIP member that was stored with `method`; None for one that cannot be read."""
    makers: dict[int, Callable[[], _Decompressor]] = {
        8: lambda: zlib.decompressobj(-15),
        12: bz2.BZ2Decompressor,
    }
    if method == 0:
        return read
    if method == _ZIP_LZMA:
        return _lzma_member(read)
    return Inflated(read, makers[method]).read if method in makers else None


def _lzma_member(read: Callable[[int], bytes]) -> Callable[[int], bytes] | None:
    """ZIP writes before the stream: a version, the length 5, and LZMA's own five bytes."""
    header = read(9)
    if len(header) < 9 or header[2:4] != b"\x05\x00" or header[4] >= 9 * 5 * 5:
        return None
    size = int.from_bytes(header[5:9], "little")
    if size > _LZMA_MEMORY:
        return None
    rest, literal = divmod(header[4], 9)
    position, place = divmod(rest, 5)
    options = {
        "id": lzma.FILTER_LZMA1,
        "lc": literal,
        "lp": place,
        "pb": position,
        "dict_size": size,
    }

    def new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])

    return Inflated(read, new).read
