"""The fast engine: observables swept backwards through the noisy trainable circuit.

The encoded states do not depend on training, so they are computed once; a training step evolves
the few measured observables, whatever the batch, and every expectation of the batch is one matrix
product. All tensors carry a leading axis T of trainings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.layout import ROWS, Layout, Route, lay_out, light_cone, plan_route
from bezoar.quantum.engines.lowering import lower, readout_transfer
from bezoar.quantum.engines.machine import Built, Machine, Share, take
from bezoar.quantum.engines.pauli_states import (
    Halves,
    PauliStates,
    expect,
    expect_backward,
    pick_samples,
)
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

_MOST_CONE_WIRES = 10

# What one more sweep costs beside its arithmetic, in numbers of a sweep's rows.
_SWEEP_OVERHEAD = 4096
_LETTERS = "IXYZ"


@dataclass(frozen=True, slots=True, eq=False)
class _Bundle:
    """Observables that share a light cone.

    Attributes:
        columns: where they stand among the plan's observables.
        route: of the sweep, which starts on the wires that they measure.
        letters: for each wire of the start, ``(observable,)`` index into the letter rows, the
            number of rows standing for I.
        single: for observables of one letter each, their letter rows ``(observable,)``, None for
            all in order, and where the four numbers of each go in what the sweep starts from;
            None when one has more letters.
    """

    columns: tuple[int, ...]
    route: Route
    letters: tuple[Tensor, ...]
    single: tuple[Tensor | None, Tensor] | None


@dataclass(slots=True, eq=False)
class _Swept:
    """What the sweep of one bundle keeps: partial products, slot inputs, the batch, the result."""

    partial: list[Tensor]
    kept: list[Tensor]
    batch: Halves


@dataclass(slots=True, eq=False)
class Tape:
    """What a forward pass keeps for its gradient."""

    built: Built
    rows: Tensor
    levels: list[Tensor] = field(default_factory=list)
    swept: list[_Swept] = field(default_factory=list)
    qubits: Tensor | None = None


class PauliProgram:
    """A noisy trainable circuit compiled for its observables.

    Args:
        circuit: what the states go through; features in it are angles of the machine.
        noise: or None.
        observables: Pauli strings, one letter per wire.
        dtype, device: of all tensors.

    Raises:
        InvalidArgument: an observable's light cone has more than 10 wires.
    """

    def __init__(
        self,
        circuit: Circuit,
        noise: NoiseModel | None,
        observables: Sequence[str],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.observables = tuple(observables)
        self.n_parameters = circuit.n_parameters
        self._layout = lay_out(
            lower(circuit, noise, "transfer"),
            circuit.n_qubits,
            "transfer",
            states=False,
        )
        self.machine = Machine(
            self._layout, dtype=dtype, device=device, vacuum=(1.0, 0.0, 0.0, 0.0), backwards=True
        )
        self.dtype = dtype
        self.device = device
        self._readout = torch.as_tensor(
            readout_transfer(noise, circuit.n_qubits), device=device
        ).to(dtype)
        self._noisy_readout = noise is not None and noise.readout is not None
        used = {_LETTERS.index(letter) for string in self.observables for letter in string} - {0}
        # A slice, because picking a list of rows costs more than computing a few more of them.
        self._letters = slice(min(used, default=3), max(used, default=3) + 1)
        self._n_rows = circuit.n_qubits * (self._letters.stop - self._letters.start)
        self._last, self._levels = self._wire_runs(self._layout)
        self._simple, self._simple_wires, self._simple_rows = self._product_part()
        self._bundles = self._bundle()
        order = [*self._simple, *(c for b in self._bundles for c in b.columns)]
        self._order = (
            None
            if order == sorted(order)
            else torch.as_tensor(np.argsort(order), device=self.device)
        )

    @property
    def numbers_per_training(self) -> int:
        """The largest observables of a sweep, and what gates need at least."""
        widest = [len(b.columns) * 4**b.route.n_wires for b in self._bundles]
        return max([256, *widest])

    def prepare(self, states: EncodedStates) -> PauliStates:
        """Encoded states on this program's device."""
        return PauliStates(states, self.dtype, self.device)

    def forward(
        self, theta: Tensor, states: PauliStates, index: Tensor | None, *, keep: bool
    ) -> tuple[Tensor, Tape | None]:
        """Expectations ``(T, B, observable)``.

        Args:
            theta: ``(T, P)``.
            states: the encoded samples.
            index: ``(T, B)``, which samples each training looks at; None for all of them.
            keep: whether `backward` will be called.
        """
        angles = self.machine.angles(theta, None)
        return self.forward_angles(angles, len(theta), states, index, keep=keep)

    def forward_angles(
        self,
        angles: Tensor,
        n_trainings: int,
        states: PauliStates,
        index: Tensor | None,
        *,
        keep: bool,
    ) -> tuple[Tensor, Tape | None]:
        """As `forward`, from all angles ``(angle, T)`` of the machine."""
        built = self.machine.build(angles, n_trainings)
        rows, levels = self._letter_rows(built)
        tape = Tape(built, rows, levels)
        parts = []
        if self._simple:
            tape.qubits = self._simple_qubits(states, index)
            parts.append(self._simple_forward(rows, tape.qubits))
        for bundle in self._bundles:
            observables, partial = self._bundle_rows(bundle, rows)
            kept: list[Tensor] | None = [] if keep else None
            swept = self.machine.sweep(built, bundle.route, observables, kept)
            batch = states.on(bundle.route.end).batch(index)
            if kept is not None:
                tape.swept.append(_Swept(partial, kept, batch))
            parts.append(expect(swept, batch, bundle.route.end, len(bundle.columns)))
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
        out = out if self._order is None else out.index_select(2, self._order)
        return out, tape if keep else None

    def backward(self, tape: Tape, grad: Tensor) -> Tensor:
        """Gradient ``(T, P)`` from that of the expectations, ``(T, B, observable)``."""
        built = tape.built
        shares: list[Share] = []
        d_slots: list[Tensor | None] = [None] * len(built.slots)
        for bundle, swept in zip(self._bundles, tape.swept, strict=True):
            part = self._columns(grad, bundle.columns)
            d_swept = expect_backward(part, swept.batch, bundle.route.end)
            d_observables = self.machine.sweep_backward(
                built, bundle.route, swept.kept, d_swept, d_slots
            )
            shares += self._bundle_rows_backward(bundle, swept.partial, tape.rows, d_observables)
        if tape.qubits is not None:
            part = self._columns(grad, self._simple)
            d_simple = (tape.qubits * part[..., None]).sum(1).transpose(0, 1)
            shares.append((self._simple_rows, d_simple))
        shares = self._letter_rows_backward(tape, shares)
        d_angles = self.machine.build_backward(built, d_slots, shares)
        return self.machine.parameters_backward(d_angles, self.n_parameters)

    def _columns(self, grad: Tensor, columns: tuple[int, ...]) -> Tensor:
        return grad if len(columns) == len(self.observables) else grad[:, :, list(columns)]

    # One letter of an observable, carried through the last runs of its wire: "letter rows".

    def _letter_rows(self, built: Built) -> tuple[Tensor, list[Tensor]]:
        """``(wire, T, letter, 4)``, and the rows before each further level of the chains."""
        last = take(built.ones, self._last)
        if self._noisy_readout:
            rows = self._readout[..., self._letters, :] @ last
        else:
            rows = last[:, :, self._letters]
        levels = []
        for level in self._levels:
            levels.append(rows)
            rows = rows @ take(built.ones, level)
        return rows, levels

    def _letter_rows_backward(self, tape: Tape, shares: list[Share]) -> list[Share]:
        """From shares of the letter rows ``(wire * letter, T, 4)`` to those of the matrices."""
        d_rows = self._sum_rows(shares, tape.rows)
        out: list[Share] = []
        for level, rows in zip(reversed(self._levels), reversed(tape.levels), strict=True):
            out.append((level, rows.transpose(2, 3) @ d_rows))
            d_rows = d_rows @ take(tape.built.ones, level).transpose(2, 3)
        if self._noisy_readout:
            d_last = self._readout[..., self._letters, :].mT @ d_rows
        else:
            above, below = self._letters.start, 4 - self._letters.stop
            d_last = torch.nn.functional.pad(d_rows, (0, 0, above, below))
        return [*out, (self._last, d_last)]

    def _sum_rows(self, shares: list[Share], rows: Tensor) -> Tensor:
        n_wires, n_trainings, n_letters = rows.shape[:3]
        if len(shares) == 1 and shares[0][0] is None:
            flat = shares[0][1]
        else:
            flat = rows.new_zeros((n_wires * n_letters, n_trainings, 4))
            for which, share in shares:
                flat = flat + share if which is None else flat.index_add_(0, which, share)
        return flat.reshape(n_wires, n_letters, n_trainings, 4).transpose(1, 2)

    def _wire_runs(self, layout: Layout) -> tuple[Tensor | None, list[Tensor | None]]:
        """The last run of each wire, and for product wires the runs before it, latest first."""
        machine = self.machine
        chains = [layout.chains.get(wire, []) for wire in range(layout.n_wires)]
        last = [chain[-1] if chain else layout.trailing[wire] for wire, chain in enumerate(chains)]
        depth = max((len(chain) for chain in chains), default=0)
        levels = []
        for back in range(2, depth + 1):
            level = [
                machine.one_position(chain[-back])
                if len(chain) >= back
                else machine.identity_position()
                for chain in chains
            ]
            levels.append(level)
        ends = [machine.one_position(ref) for ref in last]
        # Asking for the identity changes what is whole, so picks come after all questions.
        return machine.pick(ends, machine.n_ones), [machine.pick(v, machine.n_ones) for v in levels]

    # Observables of one letter on a wire that no entangler touches: a row times a Bloch vector.

    def _product_part(self) -> tuple[tuple[int, ...], Tensor | None, Tensor | None]:
        simple, wires, rows = [], [], []
        for column, string in enumerate(self.observables):
            support = _support(string)
            if len(support) == 1 and support[0] in self._layout.chains:
                simple.append(column)
                wires.append(support[0])
                rows.append(self._letter_position(string, support[0]))
        return (
            tuple(simple),
            _index_or_none(wires, self._layout.n_wires, self.device),
            _index_or_none(rows, self._n_rows, self.device),
        )

    def _simple_forward(self, rows: Tensor, qubits: Tensor) -> Tensor:
        picked = take(_flat_rows(rows), self._simple_rows).transpose(0, 1)
        return (qubits * picked[:, None]).sum(-1)

    def _simple_qubits(self, states: PauliStates, index: Tensor | None) -> Tensor:
        """``(T or 1, B, observable, 4)``."""
        qubits = states.qubits
        if self._simple_wires is not None:
            qubits = qubits.index_select(1, self._simple_wires)
        return pick_samples(qubits, index) if index is not None else qubits[None]

    # Observables that entanglers reach.

    def _bundle(self) -> list[_Bundle]:
        cones: dict[frozenset[int], list[int]] = {}
        rest = [c for c in range(len(self.observables)) if c not in self._simple]
        for column in rest:
            cone = light_cone(self._layout.slots, _support(self.observables[column]))
            cones.setdefault(cone, []).append(column)
        groups = list(cones.values())
        apart = sum(len(g) * 4 ** len(c) + _SWEEP_OVERHEAD for c, g in cones.items())
        union = frozenset().union(*cones)
        if rest and len(rest) * 4 ** len(union) + _SWEEP_OVERHEAD <= apart:
            groups = [rest]
        return [self._make_bundle(columns) for columns in groups]

    def _make_bundle(self, columns: list[int]) -> _Bundle:
        strings = [self.observables[c] for c in columns]
        start = sorted({w for s in strings for w in _support(s)}) or [0]
        cone = light_cone(self._layout.slots, start)
        if len(cone) > _MOST_CONE_WIRES:
            raise InvalidArgument(
                "circuit",
                wanted=f"observables that at most {_MOST_CONE_WIRES} qubits can reach",
                got=f"{len(cone)} entangled qubits with noise",
                mend="use fewer qubits, or no noise (state vector)",
            )
        simple = all(len(_support(s)) == 1 for s in strings)
        route = plan_route(self._layout.slots, start, backwards=True, free_start=simple)
        letters = [
            [self._n_rows if s[w] == "I" else self._letter_position(s, w) for s in strings]
            for w in start
        ]
        return _Bundle(
            tuple(columns),
            route,
            tuple(torch.as_tensor(of_wire, device=self.device) for of_wire in letters),
            self._single_letters(strings, route.start) if simple else None,
        )

    def _single_letters(
        self, strings: list[str], order: tuple[int, ...]
    ) -> tuple[Tensor | None, Tensor]:
        """Which letter row each observable is, and where its numbers go among axes in `order`."""
        sizes = [len(strings) if axis == ROWS else 4 for axis in order]
        strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(order)}
        rows, places = [], []
        for row, string in enumerate(strings):
            (wire,) = _support(string)
            rows.append(self._letter_position(string, wire))
            places += [row * strides[ROWS] + letter * strides[wire] for letter in range(4)]
        which = _index_or_none(rows, self._n_rows, self.device)
        return which, torch.as_tensor(places, device=self.device)

    def _bundle_rows(self, bundle: _Bundle, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The observables on the wires that they measure, axes as the route starts."""
        n_trainings = rows.shape[1]
        n_observables = len(bundle.columns)
        flat = _flat_rows(rows)
        if bundle.single is not None:
            which, places = bundle.single
            values = take(flat, which).transpose(0, 1).reshape(n_trainings, -1)
            width = n_observables * 4 ** len(bundle.letters)
            return rows.new_zeros((n_trainings, width)).index_copy_(1, places, values), []
        partial = []
        out = rows.new_ones((n_trainings, n_observables, 1))
        for letters in bundle.letters:
            partial.append(out)
            factor = _factor(flat, letters)
            out = (out[..., None] * factor[:, :, None]).reshape(n_trainings, n_observables, -1)
        return out, partial

    def _bundle_rows_backward(
        self, bundle: _Bundle, partial: list[Tensor], rows: Tensor, grad: Tensor
    ) -> list[Share]:
        n_trainings, n_observables = grad.shape[0], len(bundle.columns)
        if bundle.single is not None:
            which, places = bundle.single
            values = grad.index_select(1, places)
            return [(which, values.reshape(n_trainings, n_observables, 4).transpose(0, 1))]
        shares: list[Share] = []
        flat = _flat_rows(rows)
        for letters, before in zip(reversed(bundle.letters), reversed(partial), strict=True):
            shaped = grad.reshape(n_trainings, n_observables, -1, 4)
            d_factor = (before[:, :, None] @ shaped)[:, :, 0].transpose(0, 1)
            grad = (shaped @ _factor(flat, letters)[..., None])[..., 0]
            measured = letters < len(flat)
            shares.append((letters[measured], d_factor[measured]))
        return shares

    def _letter_position(self, string: str, wire: int) -> int:
        n_letters = self._letters.stop - self._letters.start
        return wire * n_letters + _LETTERS.index(string[wire]) - self._letters.start


def _support(string: str) -> list[int]:
    return [wire for wire, letter in enumerate(string) if letter != "I"]


def _flat_rows(rows: Tensor) -> Tensor:
    """``(wire * letter, T, 4)`` as a view."""
    if rows.shape[2] == 1:
        return rows[:, :, 0]
    return rows.transpose(1, 2).reshape(-1, rows.shape[1], 4)


def _factor(flat: Tensor, letters: Tensor) -> Tensor:
    """The rows of one wire, I where an observable does not measure it, ``(T, observable, 4)``."""
    unit = flat.new_zeros((1, *flat.shape[1:]))
    unit[..., 0] = 1
    return torch.cat([flat, unit]).index_select(0, letters).transpose(0, 1)


def _index_or_none(positions: list[int], size: int, device: torch.device) -> Tensor | None:
    if positions == list(range(size)):
        return None
    return torch.as_tensor(positions, dtype=torch.int64, device=device)
