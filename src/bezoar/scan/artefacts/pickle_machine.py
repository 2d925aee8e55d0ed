"""Follows a pickle's opcodes with symbols instead of objects: what it imports, calls and changes.

Nothing is imported or called. The machine keeps short constants, names of imports, and for
everything that a call would have made a `Made` with the call behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from bezoar.scan.artefacts.allowance import Allowance
from bezoar.scan.artefacts.byte_stream import ByteStream
from bezoar.scan.artefacts.limits import BURIED_PICKLES, PICKLE_NAMES
from bezoar.scan.artefacts.pickle_names import verdict
from bezoar.scan.artefacts.pickle_opcodes import Opcode, opcodes
from bezoar.scan.artefacts.pickle_symbols import (
    BURIED,
    IMPORTS_MODULE,
    LOADS_BYTES,
    PARTIAL,
    SETATTR,
    UNKNOWN,
    Imported,
    Made,
    PickleBroken,
    TooManyOpcodes,
    Walk,
    changes_own_class,
    is_getattr,
    names_buried,
    names_function,
    names_module,
)

#: Elements that are kept of a container; enough for shapes, types and arguments.
_KEPT_ELEMENTS = 64
_KEPT_TEXT = 4096

_MARK = object()

#: Opcodes that push their argument.
_CONSTANTS = frozenset(
    (
        "INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES "
        "SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 "
        "FLOAT BINFLOAT"
    ).split()
)
_FIXED_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_IGNORED = frozenset(("FRAME", "READONLY_BUFFER", "STOP"))
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_BURIED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


def follow(
    stream: ByteStream,
    walk: Walk,
    allowance: Allowance,
    *,
    after: Callable[[Made], None] | None = None,
) -> None:
    """Follows one pickle up to its STOP, writing into `walk` what it does.

    Args:
        stream: at the pickle's first byte; afterwards behind its STOP.
        walk: filled as far as the pickle could be followed, whatever is raised.
        allowance: how many opcodes may still be followed.
        after: called after each BUILD, when the real reader may read on in the stream itself.

    Raises:
        PickleBroken, NotAnOpcode, StreamEnded, StreamTooLong, TooManyOpcodes: it ends early.
    """
    machine = _Machine(walk, after)
    for opcode in opcodes(stream):
        walk.opcodes += 1
        allowance.opcodes -= 1
        if allowance.opcodes < 0:
            raise TooManyOpcodes
        machine.step(opcode)


class _Machine:
    def __init__(self, walk: Walk, after: Callable[[Made], None] | None) -> None:
        self.walk = walk
        self.after = after
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}

    def step(self, opcode: Opcode) -> None:
        name = opcode.name
        if name in _CONSTANTS:
            self._constant(opcode)
        elif name in _FIXED_VALUES:
            self.stack.append(_FIXED_VALUES[name])
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self._top()
        elif name in _PUT:
            self.memo[self._index(opcode)] = self._top()
        elif name in _GET:
            index = self._index(opcode)
            if index not in self.memo:
                _broken(f"it asks for value {index}, which it never stored")
            self.stack.append(self.memo[index])
        elif name not in _IGNORED:
            getattr(self, f"_{name.lower()}")(opcode)

    # Constants and containers.

    def _constant(self, opcode: Opcode) -> None:
        value = opcode.argument
        if self.walk.first is None:
            self.walk.first = value
        raw = value
        if isinstance(value, str) and value.startswith(("\x80", "PK\x03\x04")):
            # Byte strings of protocols 0 to 2 are texts that are encoded as latin-1.
            raw = value.encode("latin-1", "replace")
        room = len(self.walk.constants) < BURIED_PICKLES
        if room and isinstance(raw, bytes) and raw.startswith(_BURIED):
            self.walk.constants.append((opcode.offset, raw, opcode.cut))
            value = BURIED
        if isinstance(value, (str, bytes)) and len(value) > _KEPT_TEXT:
            value = UNKNOWN
        self.stack.append(value)

    def _next_buffer(self, _: Opcode) -> None:
        self.stack.append(UNKNOWN)

    def _empty_list(self, _: Opcode) -> None:
        self.stack.append([])

    def _empty_dict(self, _: Opcode) -> None:
        self.stack.append({})

    def _empty_set(self, _: Opcode) -> None:
        self.stack.append([])

    def _mark(self, _: Opcode) -> None:
        self.stack.append(_MARK)

    def _pop(self, _: Opcode) -> None:
        if not self.stack:
            _broken("it takes a value that is not there")
        self.stack.pop()

    def _pop_mark(self, _: Opcode) -> None:
        self._to_mark()

    def _dup(self, _: Opcode) -> None:
        self.stack.append(self._top())

    def _tuple(self, _: Opcode) -> None:
        self.stack.append(tuple(self._to_mark()))

    def _tuple1(self, opcode: Opcode) -> None:
        items = [self._take() for _ in range(_TUPLES[opcode.name])]
        self.stack.append(tuple(reversed(items)))

    _tuple2 = _tuple1
    _tuple3 = _tuple1

    def _list(self, _: Opcode) -> None:
        self.stack.append(self._to_mark()[:_KEPT_ELEMENTS])

    _frozenset = _list

    def _dict(self, _: Opcode) -> None:
        made: dict[object, object] = {}
        _set_items(made, self._to_mark())
        self.stack.append(made)

    def _append(self, _: Opcode) -> None:
        value = self._take()
        _extend(self._top(), [value])

    def _appends(self, _: Opcode) -> None:
        values = self._to_mark()
        _extend(self._top(), values)

    _additems = _appends

    def _setitem(self, _: Opcode) -> None:
        value, key = self._take(), self._take()
        _set_items(self._top(), [key, value])

    def _setitems(self, _: Opcode) -> None:
        values = self._to_mark()
        _set_items(self._top(), values)

    # What comes from outside.

    def _proto(self, opcode: Opcode) -> None:
        if isinstance(opcode.argument, int):
            if opcode.argument > 5:
                _broken(f"it is of protocol {opcode.argument}; the newest is 5")
            self.walk.protocol = max(self.walk.protocol, opcode.argument)

    def _persid(self, _: Opcode) -> None:
        self.stack.append(UNKNOWN)

    def _binpersid(self, _: Opcode) -> None:
        value = self._take()
        # torch's old format names the class of a layer so: ("module", class, file, source).
        named = UNKNOWN
        if isinstance(value, tuple) and len(value) > 1 and value[0] == "module":
            named = value[1]
        self.stack.append(named if isinstance(named, Imported) else UNKNOWN)

    def _ext1(self, opcode: Opcode) -> None:
        if isinstance(opcode.argument, int):
            self.walk.extensions.setdefault(opcode.argument, opcode.offset)
        self.stack.append(UNKNOWN)

    _ext2 = _ext1
    _ext4 = _ext1

    def _global(self, opcode: Opcode) -> None:
        self.stack.append(self._import(_joined(opcode.argument), opcode.offset))

    def _stack_global(self, opcode: Opcode) -> None:
        name, module = self._take(), self._take()
        if isinstance(name, str) and isinstance(module, str):
            self.stack.append(self._import(f"{module}.{name}", opcode.offset))
            return
        self._odd(opcode.offset, "it imports a name that it computes")
        self.stack.append(UNKNOWN)

    def _import(self, name: str, offset: int) -> Imported:
        kept = len(self.walk.imports)
        if len(name) > 3 * _KEPT_TEXT:
            _broken("it imports a name that is no name")
        if kept < PICKLE_NAMES or (kept < 2 * PICKLE_NAMES and verdict(name) == "dangerous"):
            self.walk.imports.setdefault(name, offset)
        return Imported(name)

    # Calls.

    def _inst(self, opcode: Opcode) -> None:
        arguments = tuple(self._to_mark())
        self._call(self._import(_joined(opcode.argument), opcode.offset), arguments, opcode)

    def _obj(self, opcode: Opcode) -> None:
        items = self._to_mark()
        if not items:
            _broken("it makes an object without a class")
        self._call(items[0], tuple(items[1:]), opcode)

    def _reduce(self, opcode: Opcode) -> None:
        arguments, function = self._take(), self._take()
        self._call(function, arguments, opcode)

    def _newobj(self, opcode: Opcode) -> None:
        arguments, kind = self._take(), self._take()
        self._call(kind, arguments, opcode)

    def _newobj_ex(self, opcode: Opcode) -> None:
        self._take()
        self._newobj(opcode)

    def _call(self, function: object, arguments: object, opcode: Opcode) -> None:
        if isinstance(arguments, tuple) and any(map(is_getattr, arguments)):
            self._odd(opcode.offset, "it hands on getattr, which reaches anything")
        if isinstance(function, Imported):
            if function.name in self.walk.imports:
                self.walk.called.add(function.name)
            if is_getattr(function):
                self.stack.append(self._attribute(arguments, opcode.offset))
                return
            if function.name in IMPORTS_MODULE and names_module(arguments):
                self.stack.append(Imported(arguments[0]))
                return
            if function.name == PARTIAL and not names_function(arguments):
                self._odd(opcode.offset, "it prepares a call of something hidden")
            if function.name in SETATTR and not changes_own_class(arguments):
                self._odd(opcode.offset, "it changes an attribute of something it did not make")
            if function.name == LOADS_BYTES and not names_buried(arguments):
                self._odd(opcode.offset, "it has torch load bytes that are not in the file")
        elif not (isinstance(function, Made) and function.is_judged):
            self._odd(opcode.offset, "it calls something that it makes while it is loaded")
        self.stack.append(Made(function, arguments))

    def _odd(self, offset: int, what: str) -> None:
        if len(self.walk.oddities) < _KEPT_ELEMENTS:
            self.walk.oddities.append((offset, what))

    def _attribute(self, arguments: object, offset: int) -> object:
        """``getattr(Class, "Inner")`` is how protocols below 4 name inner classes."""
        if isinstance(arguments, tuple) and len(arguments) in (2, 3):
            owner, name = arguments[:2]
            if isinstance(owner, Imported) and isinstance(name, str):
                return self._import(f"{owner.name}.{name}", offset)
            if isinstance(owner, Made) and isinstance(name, str) and not name.startswith("_"):
                return Made(UNKNOWN, (owner, name))
        self._odd(offset, "it reads an attribute whose owner or name is hidden")
        return UNKNOWN

    def _build(self, opcode: Opcode) -> None:
        state, target = self._take(), self._top()
        if isinstance(target, Imported):
            self._odd(opcode.offset, f"it changes attributes of the imported {target.name}")
        if isinstance(target, Made):
            target.build(state)
            if self.after is not None:
                self.after(target)

    # The stack.

    def _top(self) -> object:
        if not self.stack or self.stack[-1] is _MARK:
            _broken("it uses a value that is not there")
        return self.stack[-1]

    def _take(self) -> object:
        value = self._top()
        self.stack.pop()
        return value

    def _to_mark(self) -> list[object]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise PickleBroken("it closes a group that it never opened")

    def _index(self, opcode: Opcode) -> int:
        if not isinstance(opcode.argument, int) or opcode.argument < 0:
            _broken("it names a stored value by something that is no number")
        return opcode.argument


def _joined(names: object) -> str:
    return ".".join(str(name) for name in names) if isinstance(names, tuple) else str(names)


def _extend(target: object, values: list[object]) -> None:
    if isinstance(target, list):
        target.extend(values[: _KEPT_ELEMENTS - len(target)])


def _set_items(target: object, values: list[object]) -> None:
    if len(values) % 2:
        _broken("it gives a dictionary a key without a value")
    if not isinstance(target, dict):
        return
    for key, value in zip(values[::2], values[1::2], strict=True):
        if isinstance(key, (str, int)) and len(target) < _KEPT_ELEMENTS:
            target[key] = value


def _broken(problem: str) -> NoReturn:
    raise PickleBroken(problem)
