"""What the machine that follows a pickle works with, in place of objects; nothing is real."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeGuard

GETATTR = ("builtins.getattr", "__builtin__.getattr")
#: dill completes the classes that it puts together with these.
SETATTR = ("builtins.setattr", "__builtin__.setattr")
PARTIAL = "functools.partial"
#: Unpickles the bytes that it is given; they are looked into where they lie.
LOADS_BYTES = "torch.storage._load_from_bytes"
#: How dill and cloudpickle write a module that a function of theirs uses.
IMPORTS_MODULE = ("dill._dill._import_module", "cloudpickle.cloudpickle.subimport")

_ARRAY_WRAPPER = re.compile(
    r"(?:joblib|sklearn\.externals\.joblib)\.numpy_pickle\.NumpyArrayWrapper\Z"
)


class PickleBroken(Exception):
    """The real reader would stop here with an error."""


class TooManyOpcodes(Exception):
    """More opcodes than are looked at."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A thing that the pickle takes from a module, by its dotted name."""

    name: str


@dataclass(slots=True, eq=False)
class Made:
    """What calling `by` would have made; `state` is what BUILD would have given it.

    Attributes:
        is_judged: calling it is judged by itself: it is code that the file carries, or a prepared
            call of a function with a name.
    """

    by: object
    arguments: object = ()
    state: object = None
    is_judged: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.by, Imported):
            own_code = self.by.name.startswith(("dill.", "cloudpickle."))
            prepared = self.by.name == PARTIAL and names_function(self.arguments)
            self.is_judged = own_code or prepared

    def build(self, state: object) -> None:
        """Keeps the state, which may put another function into a prepared call."""
        self.state = state
        if self.by == Imported(PARTIAL):
            self.is_judged = names_function(state)


class Unknown:
    """A value that is not followed."""


UNKNOWN = Unknown()
#: A byte string that is a pickle or a ZIP archive; it lies in `Walk.constants`.
BURIED = Unknown()


@dataclass(slots=True)
class Walk:
    """What one pickle does when it is loaded.

    Attributes:
        imports: names to the offset where they were first imported.
        called: names that are called.
        oddities: offset and what is done there that no honest pickle does.
        extensions: codes of the extension registry, whose names only the reader knows.
        constants: offset and content of byte strings that are pickles or archives themselves.
        first: the value of the first opcode that pushes a number; torch's old files begin so.
        protocol: -1 when the pickle does not say it.
        opcodes: how many were followed.
    """

    imports: dict[str, int] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    oddities: list[tuple[int, str]] = field(default_factory=list)
    extensions: dict[int, int] = field(default_factory=dict)
    constants: list[tuple[int, bytes, bool]] = field(default_factory=list)
    first: object = None
    protocol: int = -1
    opcodes: int = 0


def array_wrapper_state(made: Made) -> dict[object, object] | None:
    """The state of joblib's stand-in for an array whose bytes follow in the stream."""
    if not isinstance(made.by, Imported) or not _ARRAY_WRAPPER.match(made.by.name):
        return None
    return made.state if isinstance(made.state, dict) else None


def changes_own_class(arguments: object) -> bool:
    """Whether the first argument is a class that the file put together itself."""
    owner = _first(arguments)
    return isinstance(owner, Made) and owner.is_judged


def names_function(arguments: object) -> bool:
    """Whether the first argument is a named function or class: it is then judged by its name."""
    first = _first(arguments)
    return isinstance(first, Imported) or (isinstance(first, Made) and first.is_judged)


def names_buried(arguments: object) -> bool:
    """A byte string that was looked into; protocols 0 to 2 write it as an encoded text."""
    first = _first(arguments)
    if isinstance(first, Made) and first.by == Imported("_codecs.encode"):
        first = _first(first.arguments)
    return first is BURIED


def _first(arguments: object) -> object:
    return arguments[0] if isinstance(arguments, tuple) and arguments else None


def names_module(arguments: object) -> TypeGuard[tuple[str, ...]]:
    """Whether the first argument is a text: the name of a module."""
    return isinstance(arguments, tuple) and bool(arguments) and isinstance(arguments[0], str)


def is_getattr(value: object) -> bool:
    """Whether it is the function that reads attributes."""
    return isinstance(value, Imported) and value.name in GETATTR
