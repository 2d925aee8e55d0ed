"""Which matrices a circuit needs and in which order they meet the state: decided once, no numbers.

One-wire gates in a row become one matrix ("run"); a run before a two-wire gate is absorbed by it.
What is left is a short list of slots, plus one trailing run per wire. Wires that no slot touches
are product wires: they need no more than a chain of small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bezoar.quantum.circuit import Operation
from bezoar.quantum.engines.lowering import Primitive, Representation, Source, Trig, identity

# More functions than this per merged run cost more than multiplying two matrices.
_MOST_FUNCTIONS = 27


@dataclass(frozen=True, slots=True)
class Ref:
    """The `position`-th matrix of group `group`."""

    group: int
    position: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A matrix that meets the state: `main`, after the `absorbed` run on each of its wires."""

    wires: tuple[int, ...]
    main: Ref
    absorbed: tuple[Ref | None, ...] = ()


@dataclass(slots=True, eq=False)
class Group:
    """Matrices of one kind, built together.

    Attributes:
        basis: ``(K, D, D)`` of each member.
        rows: for each factor, ``(K,)`` rows of the trigonometric table, of each member.
    """

    basis: list[np.ndarray] = field(default_factory=list)
    rows: list[list[np.ndarray]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Layout:
    """The compiled structure of a circuit.

    Attributes:
        n_wires: qubits.
        side: of a one-wire matrix, 4 for transfer matrices and 2 for unitaries.
        angles: source and frequency of each; the trigonometric table has row 0 for 1, then the
            cosines, then the sines of all of them.
        groups: see `Group`.
        slots: in time order.
        trailing: wire to the run that follows its last slot.
        chains: product wire to all its runs in time order.
    """

    n_wires: int
    side: int
    angles: list[tuple[Source, float]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    trailing: dict[int, Ref] = field(default_factory=dict)
    chains: dict[int, list[Ref]] = field(default_factory=dict)
    _keys: dict[tuple[int, ...], int] = field(default_factory=dict)

    @property
    def one_wire_groups(self) -> list[int]:
        """Groups of one-wire matrices."""
        return [g for g, group in enumerate(self.groups) if group.basis[0].shape[1] == self.side]

    def place(self, primitive: Primitive) -> Ref:
        """Adds a matrix and says where it is."""
        lengths = tuple(len(functions) for functions in primitive.factors)
        key = (primitive.basis.shape[1], *lengths)
        if key not in self._keys:
            self._keys[key] = len(self.groups)
            self.groups.append(Group())
        group = self.groups[self._keys[key]]
        group.basis.append(primitive.basis)
        group.rows.append(self._rows(primitive.factors))
        return Ref(self._keys[key], len(group.basis) - 1)

    def _rows(self, factors: tuple[tuple[Trig, ...], ...]) -> list[np.ndarray]:
        """``(K,)`` row codes for each factor: 0 is one, ``+i`` cosine, ``-i`` sine of angle i-1."""
        codes = [np.array([self._code(trig) for trig in functions]) for functions in factors]
        grid = np.meshgrid(*codes, indexing="ij") if codes else []
        return [axis.ravel() for axis in grid]

    def _code(self, trig: Trig) -> int:
        if trig.function == "one":
            return 0
        angle = (trig.source, trig.frequency)
        if angle not in self.angles:
            self.angles.append(angle)
        index = self.angles.index(angle) + 1
        return index if trig.function == "cos" else -index


def lay_out(
    primitives: Sequence[Primitive], n_wires: int, representation: Representation, *, states: bool
) -> Layout:
    """Arranges lowered primitives.

    Args:
        primitives: from `lower`, in time order.
        n_wires: qubits.
        representation: that of the primitives.
        states: whether the state itself is wanted, so that every run must become a slot.
    """
    layout = Layout(n_wires, 2 if representation == "unitary" else 4)
    touched = {w for p in primitives if len(p.wires) > 1 for w in p.wires}
    runs: dict[int, list[Primitive]] = {}
    for primitive in primitives:
        if len(primitive.wires) == 1:
            _extend(runs.setdefault(primitive.wires[0], []), primitive)
        else:
            _add_slot(layout, primitive, [runs.pop(w, []) for w in primitive.wires])
    for wire in range(n_wires):
        run = runs.get(wire, [])
        if states:
            layout.slots += [Slot((wire,), layout.place(p)) for p in run]
            continue
        run = run or [identity(wire, representation)]
        if wire in touched:
            layout.slots += [Slot((wire,), layout.place(p)) for p in run[:-1]]
            layout.trailing[wire] = layout.place(run[-1])
        else:
            layout.chains[wire] = [layout.place(p) for p in run]
    return layout


def _extend(run: list[Primitive], primitive: Primitive) -> None:
    if run and len(run[-1].basis) * len(primitive.basis) <= _MOST_FUNCTIONS:
        run[-1] = primitive.after(run[-1])
    else:
        run.append(primitive)


def _add_slot(layout: Layout, primitive: Primitive, runs: list[list[Primitive]]) -> None:
    absorbs = len(primitive.wires) == 2
    absorbed: list[Ref | None] = []
    folded = primitive
    for which, run in enumerate(runs):
        last = run.pop() if absorbs and run else None
        wire = primitive.wires[which]
        layout.slots += [Slot((wire,), layout.place(p)) for p in run]
        if last is not None and last.is_constant:
            folded = _fold_constant(folded, last.basis[0], which)
            last = None
        absorbed.append(None if last is None else layout.place(last))
    refs = tuple(absorbed) if any(a is not None for a in absorbed) else ()
    layout.slots.append(Slot(primitive.wires, layout.place(folded), refs))


def _fold_constant(primitive: Primitive, matrix: np.ndarray, which: int) -> Primitive:
    one = np.eye(len(matrix))
    pair = (matrix, one) if which == 0 else (one, matrix)
    return replace(primitive, basis=primitive.basis @ np.kron(*pair))


# Stands for the rows of a sweep in an order of axes, where the other entries are wires.
ROWS = -1


@dataclass(frozen=True, slots=True)
class Step:
    """One slot in a sweep.

    Attributes:
        slot: index into the layout's slots.
        before: the order of axes that the step finds, if it must permute them.
        permutation: from that order to one where the slot's wires in play stand together at one
            end, in the slot's order; None when they do already.
        front: whether that is the slow end.
        active: for each of the slot's wires, whether it is in play before the step.
    """

    slot: int
    before: tuple[int, ...]
    permutation: tuple[int, ...] | None
    front: bool
    active: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """The steps of a sweep, and the order of axes of what goes in and what comes out.

    Orders hold wires and once `ROWS`.
    """

    steps: tuple[Step, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def n_wires(self) -> int:
        """Wires in play at the end."""
        return len(self.end) - 1


def plan_route(
    slots: Sequence[Slot], start: Sequence[int], *, backwards: bool, free_start: bool = False
) -> Route:
    """How a sweep that starts with the wires `start` in play meets the slots.

    Wires come into play as slots connect them. Backwards (Heisenberg), a slot that touches no wire
    in play does nothing to an observable and is left out: this is the light cone. Axes are moved
    so that the slot at hand finds its wires at one end and, where it can be, the slot after it
    finds its own at the other: moving them costs as much as multiplying.

    Args:
        slots: in time order.
        start: wires in play.
        backwards: from the last slot to the first.
        free_start: whether what goes in can be made in any order of axes.
    """
    indices = list(range(len(slots) - 1, -1, -1) if backwards else range(len(slots)))
    order = [ROWS, *start]
    begin = tuple(order)
    steps: list[Step] = []
    for place, index in enumerate(indices):
        wires = slots[index].wires
        inner = [w for w in wires if w in order]
        if backwards and not inner:
            continue
        following = slots[indices[place + 1]].wires if place + 1 < len(indices) else ()
        front, wanted = _arranged(order, inner, following)
        permutation = tuple(order.index(axis) for axis in wanted)
        if free_start and not steps:
            begin, order = tuple(wanted), wanted
            permutation = tuple(range(len(wanted)))
        moved = permutation != tuple(range(len(permutation)))
        active = tuple(w in order for w in wires)
        steps.append(Step(index, tuple(order), permutation if moved else None, front, active))
        rest = [axis for axis in wanted if axis not in inner]
        order = [*wires, *rest] if front else [*rest, *wires]
    return Route(tuple(steps), begin, tuple(order))


def _arranged(
    order: list[int], inner: list[int], following: Sequence[int]
) -> tuple[bool, list[int]]:
    """Whether the wires `inner` go to the front, and the order of axes that has them there."""
    k = len(inner)
    if order[:k] == inner:
        return True, order
    if order[len(order) - k :] == inner:
        return False, order
    rest = [axis for axis in order if axis not in inner]
    if following and all(w in rest for w in following):
        between = [axis for axis in rest if axis not in following]
        return True, [*inner, *between, *following]
    return False, [*rest, *inner]


def light_cone(slots: Sequence[Slot | Operation], wires: Sequence[int]) -> frozenset[int]:
    """The wires that can reach an observable on `wires`."""
    cone = set(wires)
    for slot in reversed(slots):
        if cone.intersection(slot.wires):
            cone.update(slot.wires)
    return frozenset(cone)
