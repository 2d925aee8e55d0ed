"""The fast engine: observables swept backwards through the noisy trainable circuit.

The encoded states do not depend on training, so they are computed once; a training step evolves
the few measured observables, whatever the batch, and every expectation of the batch is one matrix
product. All tensors carry a leading axis T of trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import check_features
from bezoar.quantum.engines.layout import Layout, Route, lay_out, light_cone, plan_route
from bezoar.quantum.engines.lowering import lower, readout_transfer
from bezoar.quantum.engines.machine import Built, Machine
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

_MOST_CONE_WIRES = 10
_LETTERS = "IXYZ"


class PauliStates:
    """Encoded states as tensors, in the layouts that the sweeps end in.

    Attributes:
        qubits: ``(sample, wire, 4)``, the I, X, Y, Z expectations of each qubit.
    """

    def __init__(self, states: EncodedStates, dtype: torch.dtype, device: torch.device) -> None:
        self._states = states
        self._dtype = dtype
        self._device = device
        self._dense: dict[tuple[int, ...], Tensor] = {}
        self.qubits = self._tensor(_single_qubits(states))

    def __len__(self) -> int:
        return len(self.qubits)

    def on(self, wires: tuple[int, ...]) -> Tensor:
        """Pauli vectors of the reduced states, ``(sample, 4**len(wires))``, axes as in `wires`."""
        if wires not in self._dense:
            self._dense[wires] = self._reduced(wires)
        return self._dense[wires]

    def _reduced(self, wires: tuple[int, ...]) -> Tensor:
        n = self._states.n_qubits
        if self._states.pauli is None:
            vectors = self.qubits[:, wires[0]]
            for wire in wires[1:]:
                vectors = vectors[:, :, None] * self.qubits[:, None, wire]
                vectors = vectors.reshape(len(self), -1)
            return vectors.contiguous()
        vectors = self._states.pauli.reshape(-1, *(4,) * n)
        rest = [w for w in range(n) if w not in wires]
        vectors = vectors.transpose(0, *(1 + w for w in (*rest, *wires)))
        return self._tensor(vectors.reshape(len(self), 4 ** len(rest), -1)[:, 0])

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device).to(self._dtype)


@dataclass(frozen=True, slots=True, eq=False)
class _Bundle:
    """Observables that share a light cone.

    Attributes:
        columns: where they stand among the plan's observables.
        route: of the sweep, ``route.start`` being the wires that they measure.
        letters: ``(observable, wire of start)`` index into the letter rows, -1 for I.
        scatter: for observables of one letter each, where their four numbers go in a row of
            ``observable * 4**start``; None when one has more letters.
    """

    columns: tuple[int, ...]
    route: Route
    letters: Tensor
    scatter: Tensor | None


@dataclass(slots=True, eq=False)
class Tape:
    """What a forward pass keeps for its gradient."""

    built: Built
    rows: Tensor
    levels: list[Tensor] = field(default_factory=list)
    swept: list[tuple[list[Tensor], list[Tensor], Tensor]] = field(default_factory=list)
    index: Tensor | None = None


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
        used = sorted({letter for string in self.observables for letter in string} - {"I"})
        self._letters = [_LETTERS.index(letter) for letter in used] or [3]
        self._last, self._levels = self._wire_runs(self._layout)
        self._simple, self._simple_wires, self._simple_rows = self._product_part()
        self._bundles = self._bundle()
        order = [*self._simple, *(c for b in self._bundles for c in b.columns)]
        self._order = (
            None if order == sorted(order) else self._machine.pick(np.argsort(order).tolist())
        )

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
        tape = Tape(built, rows, levels, index=index)
        parts = [self._simple_forward(rows, states, index)] if self._simple else []
        for bundle in self._bundles:
            observables, partial = self._bundle_rows(bundle, rows)
            kept: list[Tensor] | None = [] if keep else None
            swept = self._machine.sweep(built, bundle.route, observables, kept)
            if kept is not None:
                tape.swept.append((partial, kept, swept))
            parts.append(_expect(swept, states.on(bundle.route.end), index))
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
        out = out if self._order is None else out.index_select(2, self._order)
        return out, tape if keep else None

    def backward(self, tape: Tape, states: PauliStates, grad: Tensor) -> Tensor:
        """Gradient ``(T, P)`` from that of the expectations, ``(T, B, observable)``."""
        return self._machine.parameters_backward(
            self._angles_backward(tape, states, grad), self.n_parameters
        )

    def _angles_backward(self, tape: Tape, states: PauliStates, grad: Tensor) -> Tensor:
        built = tape.built
        d_rows = torch.zeros_like(_flat_rows(tape.rows))
        d_slots: list[Tensor | None] = [None] * len(built.slots)
        if self._simple:
            self._simple_backward(d_rows, states, tape.index, grad[:, :, list(self._simple)])
        for bundle, (partial, kept, swept) in zip(self._bundles, tape.swept, strict=True):
            part = grad if len(bundle.columns) == grad.shape[2] else grad[:, :, bundle.columns]
            d_swept = _expect_backward(part, states.on(bundle.route.end), tape.index, swept)
            d_observables = self._machine.sweep_backward(
                built, bundle.route, kept, d_swept, d_slots
            )
            self._bundle_rows_backward(bundle, partial, tape.rows, d_observables, d_rows)
        d_ones = torch.zeros_like(built.ones)
        self._letter_rows_backward(tape, d_rows, d_ones)
        return self._machine.build_backward(built, d_slots, d_ones)

    # One letter of an observable, carried through the last runs of its wire: "letter rows".

    def _letter_rows(self, built: Built) -> tuple[Tensor, list[Tensor]]:
        """``(wire, T, letter, 4)``, and the rows before each further level of the chains."""
        last = built.ones.index_select(0, self._last)
        if self._noisy_readout:
            rows = self._readout[self._letters] @ last
        else:
            rows = last[:, :, self._letters]
        levels = []
        for level in self._levels:
            levels.append(rows)
            rows = rows @ built.ones.index_select(0, level)
        return rows, levels

    def _letter_rows_backward(self, tape: Tape, d_rows: Tensor, d_ones: Tensor) -> None:
        n_wires, n_trainings, n_letters = tape.rows.shape[:3]
        d_rows = d_rows.reshape(n_wires, n_letters, n_trainings, 4).transpose(1, 2)
        ones = tape.built.ones
        for level, rows in zip(reversed(self._levels), reversed(tape.levels), strict=True):
            d_ones.index_add_(0, level, rows.transpose(2, 3) @ d_rows)
            d_rows = d_rows @ ones.index_select(0, level).transpose(2, 3)
        if self._noisy_readout:
            d_last = self._readout[self._letters].t() @ d_rows
        else:
            d_last = d_rows.new_zeros((*d_rows.shape[:2], 4, 4))
            d_last[:, :, self._letters] = d_rows
        d_ones.index_add_(0, self._last, d_last)

    def _wire_runs(self, layout: Layout) -> tuple[Tensor, list[Tensor]]:
        """The last run of each wire, and for product wires the runs before it, latest first."""
        machine = self._machine
        chains = [layout.chains.get(wire, []) for wire in range(layout.n_wires)]
        last = [
            chain[-1] if chain else layout.trailing[wire] for wire, chain in enumerate(chains)
        ]
        depth = max((len(chain) for chain in chains), default=0)
        levels = []
        for back in range(2, depth + 1):
            level = [
                machine.one_position(chain[-back])
                if len(chain) >= back
                else machine.identity_position
                for chain in chains
            ]
            levels.append(machine.pick(level))
        return machine.pick([machine.one_position(ref) for ref in last]), levels

    # Observables of one letter on a wire that no entangler touches: a row times a Bloch vector.

    def _product_part(self) -> tuple[tuple[int, ...], Tensor, Tensor]:
        simple, wires, rows = [], [], []
        for column, string in enumerate(self.observables):
            support = _support(string)
            if len(support) == 1 and support[0] in self._layout.chains:
                simple.append(column)
                wires.append(support[0])
                rows.append(self._letter_position(string, support[0]))
        return tuple(simple), self._machine.pick(wires), self._machine.pick(rows)

    def _simple_forward(self, rows: Tensor, states: PauliStates, index: Tensor | None) -> Tensor:
        picked = _flat_rows(rows).index_select(0, self._simple_rows).transpose(0, 1)
        qubits = self._simple_qubits(states, index)
        return (qubits * picked[:, None]).sum(-1)

    def _simple_backward(
        self, d_rows: Tensor, states: PauliStates, index: Tensor | None, grad: Tensor
    ) -> None:
        picked = (self._simple_qubits(states, index) * grad[..., None]).sum(1)
        d_rows.index_add_(0, self._simple_rows, picked.transpose(0, 1))

    def _simple_qubits(self, states: PauliStates, index: Tensor | None) -> Tensor:
        """``(T or 1, B, observable, 4)``."""
        qubits = states.qubits
        if len(self._simple) != qubits.shape[1] or len(self._bundles):
            qubits = qubits.index_select(1, self._simple_wires)
        if index is None:
            return qubits[None]
        return qubits.index_select(0, index.reshape(-1)).reshape(*index.shape, -1, 4)

    # Observables that entanglers reach.

    def _bundle(self) -> list[_Bundle]:
        cones: dict[frozenset[int], list[int]] = {}
        rest = [c for c in range(len(self.observables)) if c not in self._simple]
        for column in rest:
            cone = light_cone(self._layout.slots, _support(self.observables[column]))
            cones.setdefault(cone, []).append(column)
        groups = list(cones.values())
        # Many strings, as for the distribution of bit strings: one sweep beats many small ones.
        if len(groups) > self._layout.n_wires:
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
        letters = [
            [self._letter_position(s, w) if s[w] != "I" else -1 for w in start] for s in strings
        ]
        scatter = None
        if all(len(_support(s)) == 1 for s in strings):
            places = []
            for row, string in enumerate(strings):
                stride = 4 ** (len(start) - 1 - start.index(_support(string)[0]))
                places += [row * 4 ** len(start) + stride * i for i in range(4)]
            scatter = self._machine.pick(places)
        route = plan_route(self._layout.slots, start, backwards=True)
        pick = self._machine.pick(np.array(letters).reshape(-1).tolist())
        return _Bundle(tuple(columns), route, pick.reshape(len(columns), -1), scatter)

    def _bundle_rows(self, bundle: _Bundle, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The observables on the wires that they measure, ``(T, observable, 4**start)``."""
        n_trainings = rows.shape[1]
        n_observables, n_wires = bundle.letters.shape
        flat = _flat_rows(rows)
        if bundle.scatter is not None:
            which = bundle.letters.max(dim=1).values
            values = flat.index_select(0, which).transpose(0, 1).reshape(n_trainings, -1)
            out = rows.new_zeros((n_trainings, n_observables * 4**n_wires))
            out = out.index_copy_(1, bundle.scatter, values)
            return out.reshape(n_trainings, n_observables, -1), []
        partial = []
        out = rows.new_ones((n_trainings, n_observables, 1))
        for wire in range(n_wires):
            partial.append(out)
            factor = self._factor(bundle, flat, wire)
            out = (out[..., None] * factor[:, :, None]).reshape(n_trainings, n_observables, -1)
        return out, partial

    def _bundle_rows_backward(
        self, bundle: _Bundle, partial: list[Tensor], rows: Tensor, grad: Tensor, d_rows: Tensor
    ) -> None:
        n_trainings, n_observables = grad.shape[:2]
        if bundle.scatter is not None:
            which = bundle.letters.max(dim=1).values
            values = grad.reshape(n_trainings, -1).index_select(1, bundle.scatter)
            values = values.reshape(n_trainings, n_observables, 4).transpose(0, 1)
            d_rows.index_add_(0, which, values)
            return
        for wire in range(len(partial) - 1, -1, -1):
            factor = self._factor(bundle, _flat_rows(rows), wire)
            shaped = grad.reshape(n_trainings, n_observables, -1, 4)
            d_factor = (partial[wire][:, :, None] @ shaped)[:, :, 0].transpose(0, 1)
            grad = (shaped @ factor[..., None])[..., 0]
            measured = bundle.letters[:, wire] >= 0
            d_rows.index_add_(0, bundle.letters[measured, wire], d_factor[measured])

    def _factor(self, bundle: _Bundle, flat: Tensor, wire: int) -> Tensor:
        """The rows of one wire, I where an observable does not measure it, ``(T, observable, 4)``."""
        unit = flat.new_zeros((1, *flat.shape[1:]))
        unit[..., 0] = 1
        extended = torch.cat([flat, unit])
        which = bundle.letters[:, wire] % len(extended)
        return extended.index_select(0, which).transpose(0, 1)

    def _letter_position(self, string: str, wire: int) -> int:
        return wire * len(self._letters) + self._letters.index(_LETTERS.index(string[wire]))


class ReuploadProgram(PauliProgram):
    """The batched fallback for circuits whose training acts before the data is fully in."""

    def prepare(self, states: EncodedStates) -> PauliStates:
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
        d_theta = self.backward(tape, self._vacuum(), flat)
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


def _expect(observables: Tensor, states: Tensor, index: Tensor | None) -> Tensor:
    n_trainings, n_observables = observables.shape[:2]
    if index is None:
        flat = states @ observables.reshape(n_trainings * n_observables, -1).t()
        return flat.reshape(len(states), n_trainings, n_observables).transpose(0, 1)
    batch = states.index_select(0, index.reshape(-1)).reshape(*index.shape, -1)
    return torch.bmm(batch, observables.transpose(1, 2))


def _expect_backward(
    grad: Tensor, states: Tensor, index: Tensor | None, observables: Tensor
) -> Tensor:
    if index is None:
        flat = grad.transpose(0, 1).reshape(len(states), -1)
        return (flat.t() @ states).reshape(observables.shape)
    batch = states.index_select(0, index.reshape(-1)).reshape(*index.shape, -1)
    return torch.bmm(grad.transpose(1, 2), batch)
