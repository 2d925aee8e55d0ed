"""The fast engine: observables swept backwards through the noisy trainable circuit.

The encoded states do not depend on training, so they are computed once; a training step evolves
the few measured observables, whatever the batch, and every expectation of the batch is one matrix
product. All tensors carry a leading axis T of trainings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import check_features
from bezoar.quantum.engines.layout import ROWS, Layout, Route, lay_out, light_cone, plan_route
from bezoar.quantum.engines.lowering import lower, readout_transfer
from bezoar.quantum.engines.machine import Built, Machine, Share, take
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

_MOST_CONE_WIRES = 10

# What one more sweep costs beside its arithmetic, in numbers of a sweep's rows.
_SWEEP_OVERHEAD = 4096
_LETTERS = "IXYZ"


class Halves(NamedTuple):
    """States as ``left[i] * right[j]``, the two parts of an order of wires.

    A product state is never multiplied out: contracting half by half costs the same arithmetic and
    reads the square root of the numbers. Where there is but one part, `left` is None.
    """

    left: Tensor | None
    right: Tensor

    def batch(self, index: Tensor | None) -> Halves:
        """The samples that each training looks at, ``(T, B, ...)``; all, without T, for None."""
        left = None if self.left is None else _batch(self.left, index)
        return Halves(left, _batch(self.right, index))


class PauliStates:
    """Encoded states as tensors, in the layouts that the sweeps end in.

    Attributes:
        qubits: ``(sample, wire, 4)``, the I, X, Y, Z expectations of each qubit.
    """

    def __init__(self, states: EncodedStates, dtype: torch.dtype, device: torch.device) -> None:
        self._states = states
        self._dtype = dtype
        self._device = device
        self._cache: dict[tuple[int, ...], Halves] = {}
        self.qubits = self._tensor(_single_qubits(states))

    def __len__(self) -> int:
        return len(self.qubits)

    def on(self, order: tuple[int, ...]) -> Halves:
        """The reduced states on the wires of `order`, parted where its rows stand or halfway."""
        if order not in self._cache:
            self._cache[order] = self._reduced(order)
        return self._cache[order]

    def _reduced(self, order: tuple[int, ...]) -> Halves:
        wires = tuple(axis for axis in order if axis != ROWS)
        if self._states.pauli is None:
            middle = order.index(ROWS) or len(wires) // 2
            left = self._product(wires[:middle]) if middle else None
            return Halves(left, self._product(wires[middle:]))
        n = self._states.n_qubits
        vectors = self._states.pauli.reshape(-1, *(4,) * n)
        rest = [w for w in range(n) if w not in wires]
        vectors = vectors.transpose(0, *(1 + w for w in (*rest, *wires)))
        dense = vectors.reshape(len(self), 4 ** len(rest), -1)[:, 0]
        return Halves(None, self._tensor(dense))

    def _product(self, wires: tuple[int, ...]) -> Tensor:
        vectors = self.qubits[:, wires[0]]
        for wire in wires[1:]:
            vectors = (vectors[:, :, None] * self.qubits[:, None, wire]).reshape(len(self), -1)
        return vectors.contiguous()

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device).to(self._dtype)


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
        circuit: the whole circuit. When it re-uploads data, no state can be encoded once; every
            sample then counts as a training of its own, which is slower by the batch size.
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
        self.circuit = circuit
        self.observables = tuple(observables)
        self.n_parameters = circuit.n_parameters
        part = circuit if circuit.reuploads else circuit.trainable()
        self._layout = lay_out(
            lower(part, noise, "transfer"),
            circuit.n_qubits,
            "transfer",
            states=False,
        )
        self._machine = Machine(
            self._layout, dtype=dtype, device=device, vacuum=(1.0, 0.0, 0.0, 0.0), backwards=True
        )
        self.dtype = dtype
        self.device = device
        self._readout = torch.as_tensor(readout_transfer(noise), device=device).to(dtype)
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
        return self._run(self._machine.angles(theta, None), len(theta), states, index, keep=keep)

    def _run(
        self,
        angles: Tensor,
        n_trainings: int,
        states: PauliStates,
        index: Tensor | None,
        *,
        keep: bool,
    ) -> tuple[Tensor, Tape | None]:
        built = self._machine.build(angles, n_trainings)
        rows, levels = self._letter_rows(built)
        tape = Tape(built, rows, levels)
        parts = []
        if self._simple:
            tape.qubits = self._simple_qubits(states, index)
            parts.append(self._simple_forward(rows, tape.qubits))
        for bundle in self._bundles:
            observables, partial = self._bundle_rows(bundle, rows)
            kept: list[Tensor] | None = [] if keep else None
            swept = self._machine.sweep(built, bundle.route, observables, kept)
            batch = states.on(bundle.route.end).batch(index)
            if kept is not None:
                tape.swept.append(_Swept(partial, kept, batch))
            parts.append(_expect(swept, batch, bundle))
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
            d_swept = _expect_backward(part, swept.batch, bundle)
            d_observables = self._machine.sweep_backward(
                built, bundle.route, swept.kept, d_swept, d_slots
            )
            shares += self._bundle_rows_backward(bundle, swept.partial, tape.rows, d_observables)
        if tape.qubits is not None:
            part = self._columns(grad, self._simple)
            d_simple = (tape.qubits * part[..., None]).sum(1).transpose(0, 1)
            shares.append((self._simple_rows, d_simple))
        shares = self._letter_rows_backward(tape, shares)
        d_angles = self._machine.build_backward(built, d_slots, shares)
        return self._machine.parameters_backward(d_angles, self.n_parameters)

    def _columns(self, grad: Tensor, columns: tuple[int, ...]) -> Tensor:
        return grad if len(columns) == len(self.observables) else grad[:, :, list(columns)]

    # One letter of an observable, carried through the last runs of its wire: "letter rows".

    def _letter_rows(self, built: Built) -> tuple[Tensor, list[Tensor]]:
        """``(wire, T, letter, 4)``, and the rows before each further level of the chains."""
        last = take(built.ones, self._last)
        if self._noisy_readout:
            rows = self._readout[self._letters] @ last
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
            d_last = self._readout[self._letters].t() @ d_rows
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
        machine = self._machine
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
        return _batch(qubits, index) if index is not None else qubits[None]

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


class ReuploadProgram(PauliProgram):
    """The batched fallback for circuits whose training acts before the data is fully in."""

    def prepare(self, states: EncodedStates) -> PauliStates:  # noqa: ARG002
        """Not for these circuits.

        Raises:
            InvalidArgument: always; there are no encoded states to prepare.
        """
        raise InvalidArgument("circuit", wanted="an encoding before training", got="re-uploading")

    def prepare_features(self, features: np.ndarray) -> Tensor:
        """The raw features on this program's device, ``(sample, feature)``."""
        x = check_features(self.circuit, features)
        return torch.as_tensor(x, device=self.device).to(self.dtype)

    def forward_features(
        self, theta: Tensor, features: Tensor, index: Tensor | None, *, keep: bool
    ) -> tuple[Tensor, Tape | None]:
        """As `forward`, with raw features ``(sample, feature)`` in place of states."""
        n_trainings = len(theta)
        if index is None:
            index = torch.arange(len(features), device=self.device).expand(n_trainings, -1)
        batch = index.shape[1]
        each = theta.repeat_interleave(batch, dim=0)
        angles = self._machine.angles(each, features.index_select(0, index.reshape(-1)))
        out, tape = self._run(angles, len(each), self._vacuum(), None, keep=keep)
        return out.reshape(n_trainings, batch, -1), tape

    def backward_features(self, tape: Tape, grad: Tensor) -> Tensor:
        """As `backward`."""
        n_trainings, batch, n_observables = grad.shape
        flat = grad.reshape(n_trainings * batch, 1, n_observables)
        d_theta = self.backward(tape, flat)
        return d_theta.reshape(n_trainings, batch, -1).sum(1)

    def _vacuum(self) -> PauliStates:
        bloch = np.zeros((1, self.circuit.n_qubits, 3))
        bloch[:, :, 2] = 1
        states = EncodedStates(n_qubits=self.circuit.n_qubits, bloch=bloch, pure=True)
        return PauliStates(states, self.dtype, self.device)


def _single_qubits(states: EncodedStates) -> np.ndarray:
    n = states.n_qubits
    if states.bloch is not None:
        one = np.ones((*states.bloch.shape[:2], 1), dtype=states.bloch.dtype)
        return np.concatenate([one, states.bloch], axis=2)
    assert states.pauli is not None  # noqa: S101 - one of the two is there
    places = np.array([[4 ** (n - 1 - wire) * letter for letter in range(4)] for wire in range(n)])
    return states.pauli[:, places]


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


def _batch(states: Tensor, index: Tensor | None) -> Tensor:
    """The samples that each training looks at, ``(T, B, ...)``; all, without T, for None."""
    if index is None:
        return states
    shape = (*index.shape, *states.shape[1:])
    return states.index_select(0, index.reshape(-1)).reshape(shape)


def _expect(observables: Tensor, batch: Halves, bundle: _Bundle) -> Tensor:
    """``(T, B, observable)`` from observables ``(T, ...)`` with axes as the route ends."""
    n_trainings, n_observables = observables.shape[0], len(bundle.columns)
    left, right = batch
    slow = 4 ** bundle.route.end.index(ROWS)
    if left is None and slow > 1:
        observables = observables.reshape(n_trainings, slow, n_observables, -1).transpose(1, 2)
        slow = 1
    rows = observables.reshape(n_trainings, -1, right.shape[-1])
    if right.ndim == 3:
        out = torch.bmm(right, rows.transpose(1, 2))
    else:
        out = right @ rows.reshape(-1, right.shape[-1]).t()
        out = out.reshape(len(right), n_trainings, -1).transpose(0, 1)
    if left is None:
        return out
    if slow > 1:
        shaped = out.reshape(*out.shape[:2], slow, n_observables)
        return (shaped * left[..., None]).sum(2)
    shaped = out.reshape(*out.shape[:2], n_observables, -1)
    return (shaped * left[..., None, :]).sum(3)


def _expect_backward(grad: Tensor, batch: Halves, bundle: _Bundle) -> Tensor:
    n_trainings, n_samples, n_observables = grad.shape
    left, right = batch
    slow = 4 ** bundle.route.end.index(ROWS)
    if left is not None:
        both = (
            left[..., None] * grad[:, :, None] if slow > 1 else grad[..., None] * left[..., None, :]
        )
        grad = both.reshape(n_trainings, n_samples, -1)
    out = torch.bmm(grad.transpose(1, 2), right) if right.ndim == 3 else grad.mT @ right
    if left is None and slow > 1:
        out = out.reshape(n_trainings, n_observables, slow, -1).transpose(1, 2)
    return out.reshape(n_trainings, -1)
