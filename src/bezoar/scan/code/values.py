"""What data flow knows of an expression: constants, where it may come from, what checked it.

Values are immutable and small; most expressions share the two of them that say nothing
(`UNKNOWN`) and "made of constants" (`FIXED`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bezoar.contracts.code_findings import Step

#: Steps of a flow and names in `Value.through` beyond these are dropped.
_MAX_STEPS = 10
_MAX_THROUGH = 24
#: Origins of one value: a value that comes from everywhere needs no full list.
_MAX_ORIGINS = 12


class _Unknown:
    """The type of `UNKNOWN_LITERAL`, which is no Python constant."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN_LITERAL"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        """Another process gets its own one and only."""
        return "UNKNOWN_LITERAL"


UNKNOWN_LITERAL: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value may come from.

    Attributes:
        kind: ``request``, ``network``, ``cli``, ``env``, ``file``, ``error``, ``result`` or
            ``parameter``.
        steps: the way from there; two origins of one kind and name are one, whatever their way.
        function, name: of a ``parameter``: its function's canonical name and its own.
        called: it came in through a call of the function it is seen in.
    """

    kind: str
    steps: tuple[Step, ...] = ()
    function: str = ""
    name: str = ""
    called: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two origins one."""
        return self.kind, self.function, self.name

    def __hash__(self) -> int:
        """Cheap: the steps are long, and seldom the only difference."""
        return hash((self.kind, self.function, self.name, len(self.steps)))

    def then(self, step: Step) -> Origin:
        """The same origin, one step further."""
        if len(self.steps) >= _MAX_STEPS or (self.steps and self.steps[-1].place == step.place):
            return self
        return Origin(self.kind, (*self.steps, step), self.function, self.name, self.called)


class Value:
    """See the module; all fields are explained in `Value.__init__`."""

    __slots__ = ("fixed", "literal", "made_by", "marks", "origins", "parts", "through", "type")

    def __init__(
        self,
        literal: object = UNKNOWN_LITERAL,
        *,
        fixed: bool = False,
        origins: frozenset[Origin] = frozenset(),
        type: str = "",  # noqa: A002 - the field's name
        made_by: str = "",
        through: frozenset[str] = frozenset(),
        marks: frozenset[str] = frozenset(),
        parts: Mapping[Any, Value] | tuple[Value, ...] | None = None,
    ) -> None:
        """A value.

        Args:
            literal: the constant, where it is known.
            fixed: made of constants of the program alone.
            origins: where it may come from.
            type: canonical name of its class.
            made_by: canonical name of the call or attribute that made it.
            through: canonical names of the library calls that it came through.
            marks: what was checked or done: ``finite``, ``range``, ``size``, ``listed``,
                ``path``, ``number``, ``norm``, ``checked``.
            parts: the values in a display of a dict (by constant key), list or tuple.
        """
        self.literal = literal
        self.fixed = fixed
        self.origins = origins
        self.type = type
        self.made_by = made_by
        self.through = through
        self.marks = marks
        self.parts = parts

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}" for name in self.__slots__ if getattr(self, name)
        )
        return f"Value({shown})"

    def comes_from(self, *kinds: str) -> bool:
        """Whether one of its origins is of one of `kinds`."""
        return any(origin.kind in kinds for origin in self.origins)

    def replaced(self, **changes: Any) -> Value:
        """A copy with other fields."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changes
        return Value(fields.pop("literal"), **fields)

    def marked(self, *marks: str) -> Value:
        """A copy that was checked."""
        if self.marks.issuperset(marks):
            return self
        return self.replaced(marks=self.marks.union(marks))


UNKNOWN: Final = Value()
FIXED: Final = Value(fixed=True)


def constant(literal: object) -> Value:
    """The value of a Python constant."""
    return Value(literal, fixed=True, type=type(literal).__name__)


def merged_origins(values: Iterable[Value]) -> frozenset[Origin]:
    """All origins, one of each kind and name: the one with the shortest way."""
    sets = [value.origins for value in values if value.origins]
    if not sets:
        return frozenset()
    if len(sets) == 1 or all(one is sets[0] for one in sets):
        return sets[0]
    best: dict[tuple[str, str, str], Origin] = {}
    for origins in sets:
        for origin in origins:
            known = best.get(origin.key)
            if known is None or (known is not origin and _nearer(origin, known)):
                best[origin.key] = origin
    if len(best) <= _MAX_ORIGINS:
        return frozenset(best.values())
    return frozenset(sorted(best.values(), key=_rank)[:_MAX_ORIGINS])


def _nearer(one: Origin, other: Origin) -> bool:
    """Whether one of two origins of the same key is the better one to tell of."""
    if one.called is not other.called:
        return other.called
    if len(one.steps) != len(other.steps):
        return len(one.steps) < len(other.steps)
    return _rank(one) < _rank(other)


def _rank(origin: Origin) -> tuple[bool, int, str, str, str, str]:
    # Ties are broken by place, so that results do not depend on the order of sets.
    first = str(origin.steps[0].place) if origin.steps else ""
    return origin.called, len(origin.steps), *origin.key, first


def common_marks(values: Iterable[Value]) -> frozenset[str]:
    """The marks that every value with an origin has: what was left unchecked stays so."""
    result: frozenset[str] | None = None
    for value in values:
        if value.origins or not (value.fixed or value.marks):
            result = value.marks if result is None else result & value.marks
    if result is not None:
        return result
    return frozenset().union(*(value.marks for value in values))


def all_through(values: Iterable[Value]) -> frozenset[str]:
    """The library calls on the way of any of `values`."""
    sets = [value.through for value in values if value.through]
    if not sets:
        return frozenset()
    if len(sets) == 1 or all(one is sets[0] for one in sets):
        return sets[0]
    union = frozenset().union(*sets)
    return union if len(union) <= _MAX_THROUGH else frozenset(sorted(union)[:_MAX_THROUGH])


def mixed(values: list[Value], *, type: str = "") -> Value:  # noqa: A002 - the field's name
    """What a computation with all of `values` gives: neither constant nor class is known."""
    if not values:
        return FIXED
    origins = merged_origins(values)
    fixed = all(value.fixed for value in values)
    through = all_through(values)
    if not origins and not through and not type:
        marks = common_marks(values)
        if not marks:
            return FIXED if fixed else UNKNOWN
        return Value(fixed=fixed, marks=marks)
    return Value(
        fixed=fixed, origins=origins, type=type, through=through, marks=common_marks(values)
    )


def joined(first: Value | None, second: Value | None) -> Value:
    """What a variable is after two ways of the program meet."""
    if first is None or first is second:
        return second or UNKNOWN
    if second is None:
        return first
    both = [first, second]
    same = (
        first.literal is not UNKNOWN_LITERAL
        and type(first.literal) is type(second.literal)
        and first.literal == second.literal
    )
    return Value(
        first.literal if same else UNKNOWN_LITERAL,
        fixed=first.fixed and second.fixed,
        origins=merged_origins(both),
        # `None` first and an object later is how people declare a variable.
        type=_one_of(first.type, second.type, first, second),
        made_by=_one_of(first.made_by, second.made_by, first, second),
        through=all_through(both),
        marks=common_marks(both),
        parts=first.parts if first.parts is second.parts else None,
    )


def _one_of(a: str, b: str, first: Value, second: Value) -> str:
    if a == b or second.literal is None:
        return a
    return b if first.literal is None else ""
