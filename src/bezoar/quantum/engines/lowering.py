"""From gates and noise to matrices that are trigonometric polynomials in their angles.

Every gate becomes ``S(a) = sum_k f_k(a) M_k`` with constant ``M_k`` and ``f`` among 1, cos and sin
of the angle or half of it. ``M_k`` is found by interpolation, so a new gate needs its unitary and
nothing else, and the noise after the gate is folded in for free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, reduce
from typing import Literal

import numpy as np

from bezoar.quantum.circuit import Angle, Circuit, Operation, Parameter
from bezoar.quantum.gates import STATE_PREPARATION, UNITARY, Gate, gate_named
from bezoar.quantum.noise import (
    Channel,
    NoiseModel,
    PlacedChannel,
    ReadoutError,
    transfer_matrix,
)

Representation = Literal["transfer", "unitary"]

# Angles and half angles are all that the gates here turn with.
_FREQUENCIES = (0.5, 1.0)
_POINTS = 4 * np.pi * np.arange(5) / 5


@dataclass(frozen=True, slots=True)
class Source:
    """What an angle is made of before its frequency: a parameter, or a product of features."""

    parameter: int = -1
    features: tuple[int, ...] = ()
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Trig:
    """``cos`` or ``sin`` of ``frequency * source``, or the constant ``one``."""

    function: Literal["one", "cos", "sin"]
    source: Source = Source()
    frequency: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """A matrix on some wires as a sum over products of trigonometric functions.

    Attributes:
        wires: what it acts on, the first slowest in the matrix index.
        basis: ``(K, D, D)``, the constant matrices.
        factors: function lists whose outer product, first slowest, gives the ``K`` functions; none
            for a constant matrix.
    """

    wires: tuple[int, ...]
    basis: np.ndarray
    factors: tuple[tuple[Trig, ...], ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether no angle moves it."""
        return not self.factors

    def after(self, first: Primitive) -> Primitive:
        """The product that acts as `first`, then as this, both on the same wires."""
        basis = np.einsum("lij,kjm->klim", self.basis, first.basis)
        return replace(
            self,
            basis=basis.reshape(-1, *self.basis.shape[1:]),
            factors=first.factors + self.factors,
        )


def lower(
    circuit: Circuit, noise: NoiseModel | None, representation: Representation
) -> list[Primitive]:
    """The circuit's operations as primitives in time order.

    Constant one-wire matrices are folded into what follows them on their wire, so that they cost
    nothing at run time.

    Args:
        circuit: any circuit without ``STATE``, which the encoder handles.
        noise: folded into ``transfer`` matrices; must be None for ``unitary`` ones.
        representation: real Pauli transfer matrices, or complex unitaries.
    """
    waiting: dict[int, Primitive] = {}
    lowered: list[Primitive] = []
    for operation, encoding in zip(circuit.operations, circuit.preparing(), strict=True):
        for primitive in _primitives(operation, noise, representation, encoding=encoding):
            ready = _fold(primitive, waiting)
            if ready.is_constant and len(ready.wires) == 1:
                waiting[ready.wires[0]] = ready
            else:
                lowered.append(ready)
    return lowered + [waiting[wire] for wire in sorted(waiting)]


def identity(wire: int, representation: Representation) -> Primitive:
    """The primitive that does nothing on one wire."""
    return Primitive((wire,), _identity(representation)[None])


def readout_transfer(noise: NoiseModel | None, n_wires: int) -> np.ndarray:
    """How readout error mixes I into each Pauli letter of an observable.

    Returns:
        ``(4, 4)`` where all wires have the same, ``(wire, 1, 4, 4)`` where each has its own.

    Raises:
        InvalidArgument: fewer readout errors than wires.
    """
    if noise is None:
        return np.eye(4)
    if not isinstance(noise.readout, tuple):
        return _letters_read(noise.readout)
    return np.stack([_letters_read(noise.readout_on(w)) for w in range(n_wires)])[:, None]


def _letters_read(error: ReadoutError | None) -> np.ndarray:
    matrix = np.eye(4)
    if error is not None:
        matrix[1:, 1:] *= error.scale
        matrix[1:, 0] = error.shift
    return matrix


def channel_transfer(channels: tuple[Channel, ...]) -> np.ndarray:
    """The transfer matrix of one-wire channels in a row, ``(4, 4)``."""
    return reduce(lambda total, c: transfer_matrix(c.kraus()) @ total, channels, np.eye(4))


def _fold(primitive: Primitive, waiting: dict[int, Primitive]) -> Primitive:
    constants = [waiting.pop(wire, None) for wire in primitive.wires]
    if all(c is None for c in constants):
        return primitive
    side = round(primitive.basis.shape[1] ** (1 / len(primitive.wires)))
    parts = [np.eye(side) if c is None else c.basis[0] for c in constants]
    return replace(primitive, basis=primitive.basis @ reduce(np.kron, parts))


def _primitives(
    operation: Operation,
    noise: NoiseModel | None,
    representation: Representation,
    *,
    encoding: bool,
) -> Iterator[Primitive]:
    if operation.gate == STATE_PREPARATION:
        raise AssertionError("STATE is prepared by the encoder")
    wires = operation.wires
    tail = _noise_matrix(operation, noise, representation, encoding=encoding)
    if operation.gate == UNITARY:
        matrix = _represent(np.array(operation.matrix), representation)
        yield Primitive(wires, (tail @ matrix)[None])
        return
    gate = gate_named(operation.gate)
    turn = 1.0 if noise is None else noise.turn(encoding=encoding)
    if not gate.parts:
        angle = operation.angles[0] if operation.angles else None
        yield _turned(gate, wires, angle, turn, representation, tail)
        return
    nothing = np.eye(len(tail))
    for i, (name, which) in enumerate(gate.parts):
        last = i == len(gate.parts) - 1
        part = gate_named(name)
        angle = operation.angles[which]
        yield _turned(part, wires, angle, turn, representation, tail if last else nothing)


def _turned(
    gate: Gate,
    wires: tuple[int, ...],
    angle: Angle | None,
    turn: float,
    representation: Representation,
    tail: np.ndarray,
) -> Primitive:
    if angle is None or isinstance(angle, float | int):
        unitary = gate.matrix() if angle is None else gate.matrix(turn * angle)
        return Primitive(wires, (tail @ _represent(unitary, representation))[None])
    source = (
        Source(parameter=angle.index)
        if isinstance(angle, Parameter)
        else Source(features=angle.indices, offset=angle.offset)
    )
    basis = _polynomial(gate.name, representation)
    functions = [Trig("one")]
    for frequency in _FREQUENCIES:
        rate = frequency * angle.scale * turn
        functions += [Trig("cos", source, rate), Trig("sin", source, rate)]
    used = [k for k in range(len(functions)) if np.abs(basis[k]).max() > 1e-13]
    return Primitive(wires, tail @ basis[used], (tuple(functions[k] for k in used),))


@cache
def _polynomial(name: str, representation: Representation) -> np.ndarray:
    gate = gate_named(name)
    samples = np.stack([_represent(gate.matrix(a), representation) for a in _POINTS])
    columns = [np.ones(5)]
    for frequency in _FREQUENCIES:
        columns += [np.cos(frequency * _POINTS), np.sin(frequency * _POINTS)]
    flat = np.linalg.solve(np.stack(columns, axis=1), samples.reshape(5, -1))
    # Interpolation leaves rounding dust where the exact entry is a multiple of 1/4 or zero.
    flat = np.where(np.abs(flat * 4 - np.round(flat * 4)) < 1e-13, np.round(flat * 4) / 4, flat)
    return flat.reshape(samples.shape)


def _noise_matrix(
    operation: Operation,
    noise: NoiseModel | None,
    representation: Representation,
    *,
    encoding: bool,
) -> np.ndarray:
    wires = operation.wires
    singles = {wire: _identity(representation) for wire in wires}
    placed: tuple[PlacedChannel, ...] = ()
    if noise is not None and representation == "transfer":
        placed = noise.placed(operation.gate, wires, encoding=encoding)
    total = None
    for channel, on in placed:
        matrix = transfer_matrix(channel.kraus())
        if len(on) == 1:
            singles[on[0]] = matrix @ singles[on[0]]
            continue
        # What came before on single wires comes first.
        before = reduce(np.kron, singles.values())
        total = embedded(matrix, on, wires) @ (before if total is None else before @ total)
        singles = dict.fromkeys(wires, np.eye(4))
    after = reduce(np.kron, singles.values())
    return after if total is None else after @ total


def embedded(matrix: np.ndarray, on: tuple[int, ...], wires: tuple[int, ...]) -> np.ndarray:
    """A transfer matrix on the wires `on` as one on `wires`, which hold them in any order."""
    rest = [wire for wire in wires if wire not in on]
    full = np.kron(matrix, np.eye(4 ** len(rest))).reshape((4,) * (2 * len(wires)))
    order = [[*on, *rest].index(wire) for wire in wires]
    axes = [*order, *(len(wires) + axis for axis in order)]
    return full.transpose(axes).reshape(4 ** len(wires), -1)


def _represent(unitary: np.ndarray, representation: Representation) -> np.ndarray:
    return unitary if representation == "unitary" else transfer_matrix((unitary,))


def _identity(representation: Representation) -> np.ndarray:
    return np.eye(2, dtype=complex) if representation == "unitary" else np.eye(4)
