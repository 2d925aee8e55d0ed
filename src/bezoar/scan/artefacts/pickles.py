"""Follows the pickles of a stream: plain ones, joblib's, torch's, and those in byte strings."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import (
    ByteStream,
    StreamDamaged,
    StreamEnded,
    StreamTooLong,
)
from bezoar.scan.artefacts.issues import shown
from bezoar.scan.artefacts.limits import (
    HEAD_BYTES,
    MIB,
    NESTING,
    PICKLE_OPCODES,
    PICKLES_IN_ONE_STREAM,
    STREAM_BYTES,
)
from bezoar.scan.artefacts.pickle_machine import follow
from bezoar.scan.artefacts.pickle_opcodes import NotAnOpcode
from bezoar.scan.artefacts.pickle_symbols import (
    Made,
    PickleBroken,
    TooManyOpcodes,
    Walk,
    array_wrapper_state,
)
from bezoar.scan.artefacts.zip_table import (
    OversizedArchive,
    UnreadableArchive,
    member_stream,
    zip_members,
)

#: The first number in torch's format before 1.6, torch.serialization.MAGIC_NUMBER, and how many
#: pickles come before the numbers themselves.
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PICKLES = 5
_SHORTEST = 2
_TAIL = 16

_ENDED = "it ends before its STOP"

_ITEM = re.compile(r"[<>|=]?([a-zA-Z])(\d*)\Z")


@dataclass(slots=True)
class Pickles:
    """What was found in one stream.

    Attributes:
        member: the archive member that it is, "" for the file.
        walks: one for each pickle, in order.
        problem: why the walk ended early, "" when it did not.
        problem_at: where.
        trailing: offset of bytes after the last pickle that are none, None without.
        buried: the same for pickles in byte strings.
        place: of such a byte string, in the stream.
        is_cut: it is longer than what was looked at.
    """

    member: str = ""
    walks: list[Walk] = field(default_factory=list)
    problem: str = ""
    problem_at: int = 0
    trailing: int | None = None
    buried: list[Pickles] = field(default_factory=list)
    place: int = 0
    is_cut: bool = False

    @property
    def is_torch(self) -> bool:
        """Written by torch before 1.6, or with `_use_new_zipfile_serialization=False`."""
        return bool(self.walks) and self.walks[0].first == _TORCH_MAGIC

    def names(self) -> dict[str, int]:
        """Everything that is imported, with the offset of the first time."""
        found: dict[str, int] = {}
        for walk in self.walks:
            for name, offset in walk.imports.items():
                found.setdefault(name, offset)
        for inner in self.buried:
            for name in inner.names():
                found.setdefault(name, inner.place)
        return found

    def called(self) -> set[str]:
        """Which of the names are called."""
        return set().union(*(walk.called for walk in (*self.walks, *self.inner_walks())))

    def inner_walks(self) -> Iterator[Walk]:
        """Of all pickles in byte strings, however deep."""
        for inner in self.buried:
            yield from inner.walks
            yield from inner.inner_walks()

    def oddities(self) -> list[tuple[int, str]]:
        """What no honest pickle does."""
        return [odd for walk in (*self.walks, *self.inner_walks()) for odd in walk.oddities]


def read_pickles(
    stream: ByteStream,
    *,
    member: str = "",
    depth: int = 0,
    allowance: Allowance | None = None,
) -> Pickles:
    """Follows the pickles of a stream, one after the other.

    Args:
        stream: at the first pickle.
        member: name for messages.
        depth: in how many byte strings of other pickles this stream lies.
        allowance: how much may be looked at, shared by all of one artefact.
    """
    found = Pickles(member=member)
    allowance = allowance or Allowance()
    while len(found.walks) < PICKLES_IN_ONE_STREAM:
        start = stream.position
        walk = Walk()
        problem = _follow(stream, walk, allowance)
        if problem and found.walks and not _is_pickle(walk):
            # Bytes that follow a whole pickle and are none: `pickle.load` never looks at them.
            found.trailing = start
            break
        found.walks.append(walk)
        if problem:
            found.problem, found.problem_at = problem, stream.position
            break
        if found.is_torch and len(found.walks) >= _TORCH_PICKLES:
            break
        if not _has_more(stream):
            break
    if depth < NESTING:
        _look_into_constants(found, depth, allowance)
    return found


def _has_more(stream: ByteStream) -> bool:
    try:
        # A newline that an editor or a transfer left is nothing.
        tail = stream.peek(_TAIL)
        return len(tail) == _TAIL or bool(tail.strip())
    except (StreamTooLong, StreamDamaged):
        return False


def _is_pickle(walk: Walk) -> bool:
    return bool(walk.called or walk.oddities or walk.protocol >= 0)


def _follow(stream: ByteStream, walk: Walk, allowance: Allowance) -> str:
    """Why the pickle could not be followed to its end, "" when it could."""

    def after(made: Made) -> None:
        state = array_wrapper_state(made)
        if state is not None:
            _leave_out_array(stream, walk, state, allowance)

    try:
        follow(stream, walk, allowance, after=after)
    except StreamEnded:
        return _ENDED
    except StreamTooLong:
        return f"it is longer than {STREAM_BYTES // MIB} MiB"
    except TooManyOpcodes:
        return f"it has more than {PICKLE_OPCODES} opcodes"
    except StreamDamaged as error:
        return f"what it is compressed with cannot be read ({shown(str(error))})"
    except (PickleBroken, NotAnOpcode) as error:
        return str(error)
    return ""


def _leave_out_array(
    stream: ByteStream, walk: Walk, state: dict[object, object], allowance: Allowance
) -> None:
    """joblib writes the numbers of an array into the stream, behind its stand-in."""
    shape = state.get("shape")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise PickleBroken("the shape of a joblib array cannot be read")
    size = _item_size(state.get("dtype"))
    if size is None:
        follow(stream, walk, allowance)
        return
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.skip(stream.take(1)[0])
    # Each element is an int that Python read, so that the product is exact.
    stream.skip(min(math.prod(shape) * size, 2**62))


def _item_size(dtype: object, depth: int = 0) -> int | None:
    """Bytes of an element of a pickled numpy type, None when the elements are pickles."""
    if not isinstance(dtype, Made) or not isinstance(dtype.arguments, tuple) or depth > NESTING:
        raise PickleBroken("the type of a joblib array cannot be read")
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    name = dtype.arguments[0] if dtype.arguments else None
    match = _ITEM.match(name) if isinstance(name, str) else None
    if match is None:
        raise PickleBroken("the type of a joblib array cannot be read")
    letter, digits = match.groups()
    if letter == "O" or (len(state) > 4 and _holds_objects(state[4], depth)):
        return None
    # Texts and records tell their size in the state.
    if len(state) > 5 and isinstance(state[5], int) and state[5] > 0:
        return state[5]
    return int(digits or 1) * (4 if letter == "U" else 1)


def _holds_objects(fields: object, depth: int) -> bool:
    """Whether a record type has a field of Python objects."""
    if not isinstance(fields, dict):
        return False
    for value in fields.values():
        kind = value[0] if isinstance(value, tuple) and value else None
        if isinstance(kind, Made) and _item_size(kind, depth + 1) is None:
            return True
    return False


def _look_into_constants(found: Pickles, depth: int, allowance: Allowance) -> None:
    """Pickles in byte strings: torch's storages in plain pickles are such, attacks too."""
    for walk in found.walks:
        for offset, content, cut in walk.constants:
            for inner in _pickles_in(content, depth + 1, allowance):
                # Bytes that only look like a pickle for a moment say nothing.
                if inner.problem and not inner.called():
                    continue
                inner.is_cut = bool(inner.problem) and cut and not inner.is_torch
                inner.place = offset
                found.buried.append(inner)


def _pickles_in(content: bytes, depth: int, allowance: Allowance) -> Iterator[Pickles]:
    """The pickles in a byte string: one, or those of a torch archive."""
    file = io.BytesIO(content)
    if not content.startswith(b"PK"):
        yield read_pickles(ByteStream(file.read), depth=depth, allowance=allowance)
        return
    try:
        members = zip_members(file)
    except (UnreadableArchive, OversizedArchive):
        return
    for member in members:
        is_pickle = member.name.endswith(".pkl")
        stream = member_stream(file, member, allowance) if is_pickle else None
        if stream is not None:
            yield read_pickles(stream, member=member.name, depth=depth, allowance=allowance)


def begins_as_pickle(head: bytes) -> bool:
    """Whether the first bytes of a file without a protocol mark are a pickle's.

    They are when they can be followed to a STOP, to the end of a full head, or to a call: what
    comes after a call no longer matters to the one who made the file.

    Example:
        >>> begins_as_pickle(b"cos\\nsystem\\n(S'id'\\ntR"), begins_as_pickle(b"config\\nvalue\\n")
        (True, False)
    """
    walk = Walk()
    problem = _follow(ByteStream(io.BytesIO(head).read), walk, Allowance())
    if not problem:
        # "N.B." is a text, and would be a pickle of None.
        return walk.opcodes > _SHORTEST
    cut = problem == _ENDED and len(head) >= HEAD_BYTES and walk.opcodes > 1
    return cut or bool(walk.called)
