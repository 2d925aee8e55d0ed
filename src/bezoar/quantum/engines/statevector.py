"""Noiseless circuits from six entangled qubits up: the state vector beats the Pauli vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.encoder import amplitudes, check_features, starts_with_state
from bezoar.quantum.engines.layout import ROWS, lay_out, plan_route
from bezoar.quantum.engines.lowering import lower
from bezoar.quantum.engines.machine import Built, Machine

_MOST_QUBITS = 20


class VectorStates:
    """Encoded pure states, ``(sample, 2**n)`` complex, wire 0 slowest."""

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(slots=True, eq=False)
class VectorTape:
    """What a forward pass keeps for its gradient."""

    built: Built
    kept: list[Tensor]
    final: Tensor


class StateVectorProgram:
    """A noiseless trainable circuit compiled for state vectors.

    Args:
        circuit: an encoding followed by what is trained; no re-uploading.
        observables: Pauli strings.
        dtype: real; complex numbers of twice the size are used.
        device: of all tensors.

    Raises:
        InvalidArgument: more than 20 qubits.
    """

    def __init__(
        self,
        circuit: Circuit,
        observables: Sequence[str],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if circuit.n_qubits > _MOST_QUBITS:
            raise InvalidArgument(
                "n_qubits",
                wanted=f"at most {_MOST_QUBITS} entangled qubits",
                got=circuit.n_qubits,
                mend="use fewer qubits or an ansatz without entanglers (sim-1)",
            )
        self.circuit = circuit
        self.observables = tuple(observables)
        self.n_parameters = circuit.n_parameters
        self.dtype = dtype
        self.device = device
        self._complex = torch.complex64 if dtype == torch.float32 else torch.complex128
        n = circuit.n_qubits
        self._machine = self._compile(circuit.trainable(), self._complex)
        self._encoder = self._compile(_without_state(circuit.encoding()), torch.complex128)
        self._route = plan_route(self._machine.layout.slots, range(n), backwards=False)
        # Amplitudes on the wires that end up slower than the rows.
        self._slow = 2 ** self._route.end.index(ROWS)
        self._wires = [axis for axis in self._route.end if axis != ROWS]
        signs, flips = zip(
            *(_signs_and_flip(string, self._wires) for string in self.observables), strict=True
        )
        self._diagonal = all(flip is None for flip in flips)
        self._signs = torch.as_tensor(np.stack(signs), device=device).to(self._complex)
        self._flips = flips

    @property
    def numbers_per_training(self) -> int:
        """Real numbers of a batch of 32 states."""
        return 2 * 32 * 2**self.circuit.n_qubits

    def prepare_features(self, features: np.ndarray) -> VectorStates:
        """Encodes samples ``(sample, feature)``.

        Raises:
            InvalidArgument, InvalidData: as `bezoar.quantum.engines.encoder.encode`.
        """
        x = check_features(self.circuit, features)
        n = self.circuit.n_qubits
        if not len(x):
            return VectorStates(torch.zeros((0, 2**n), dtype=self._complex, device=self.device))
        if starts_with_state(self.circuit.encoding()):
            start = torch.as_tensor(amplitudes(self.circuit, x)).to(torch.complex128)
        else:
            start = torch.zeros((len(x), 2**n), dtype=torch.complex128)
            start[:, 0] = 1
        encoder = self._encoder
        route = plan_route(encoder.layout.slots, range(n), backwards=False)
        tensor = torch.as_tensor(x, device=self.device)
        angles = encoder.angles(tensor[:, :0], tensor) if encoder.layout.angles else tensor[:0, :0]
        built = encoder.build(angles.reshape(len(encoder.layout.angles), len(x)), len(x))
        out = encoder.sweep(built, route, start.to(self.device), None)
        order = [axis for axis in route.end if axis != ROWS]
        out = out.reshape(len(x), *(2,) * n).permute(0, *(1 + np.argsort(order)))
        return VectorStates(out.reshape(len(x), -1).to(self._complex))

    def forward(
        self, theta: Tensor, states: VectorStates, index: Tensor | None, *, keep: bool
    ) -> tuple[Tensor, VectorTape | None]:
        """Expectations ``(T, B, observable)``; arguments as in `PauliProgram.forward`."""
        built = self._machine.build(self._machine.angles(theta, None), len(theta))
        if index is None:
            rows = states.vectors.expand(len(theta), -1, -1)
        else:
            rows = states.vectors.index_select(0, index.reshape(-1)).reshape(*index.shape, -1)
        kept: list[Tensor] = []
        swept = self._machine.sweep(built, self._route, rows, kept if keep else None)
        final = swept.reshape(len(theta), self._slow, rows.shape[1], -1)
        final = final.transpose(1, 2).reshape(rows.shape)
        if self._diagonal:
            out = (final.abs() ** 2) @ self._signs.real.t()
        else:
            columns = [(final.conj() * self._act(final, m)).sum(-1).real for m in self._range()]
            out = torch.stack(columns, dim=-1)
        return out, VectorTape(built, kept, final) if keep else None

    def backward(self, tape: VectorTape, grad: Tensor) -> Tensor:
        """Gradient ``(T, P)`` from that of the expectations, ``(T, B, observable)``."""
        if self._diagonal:
            d_final = 2 * tape.final * (grad @ self._signs.real)
        else:
            acted = [grad[..., m, None] * self._act(tape.final, m) for m in self._range()]
            d_final = 2 * torch.stack(acted).sum(0)
        d_final = d_final.reshape(*d_final.shape[:2], self._slow, -1).transpose(1, 2)
        d_slots: list[Tensor | None] = [None] * len(tape.built.slots)
        self._machine.sweep_backward(tape.built, self._route, tape.kept, d_final, d_slots)
        d_angles = self._machine.build_backward(tape.built, d_slots, [])
        return self._machine.parameters_backward(d_angles, self.n_parameters)

    def _act(self, psi: Tensor, which: int) -> Tensor:
        """The Pauli string applied to states ``(..., 2**n)``."""
        flip = self._flips[which]
        moved = psi if flip is None else psi[..., torch.as_tensor(flip, device=self.device)]
        return self._signs[which] * moved

    def _range(self) -> range:
        return range(len(self.observables))

    def _compile(self, circuit: Circuit, dtype: torch.dtype) -> Machine:
        layout = lay_out(lower(circuit, None, "unitary"), circuit.n_qubits, "unitary", states=True)
        return Machine(layout, dtype=dtype, device=self.device, vacuum=(1.0, 0.0), backwards=False)


def _without_state(circuit: Circuit) -> Circuit:
    skip = int(starts_with_state(circuit))
    return Circuit(circuit.n_qubits, circuit.operations[skip:])


def _signs_and_flip(string: str, order: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None]:
    """A Pauli string as phases ``(2**n,)`` and, unless it is diagonal, which amplitude each takes.

    Args:
        string: one letter per wire.
        order: the wires from the slowest axis to the fastest.
    """
    n = len(order)
    index = np.arange(2**n)
    phases = np.ones(2**n, dtype=complex)
    mask = 0
    for axis, wire in enumerate(order):
        bit = (index >> (n - 1 - axis)) & 1
        letter = string[wire]
        if letter == "Z":
            phases *= 1 - 2 * bit
        if letter == "Y":
            phases *= 1j * (2 * bit - 1)
        if letter in "XY":
            mask |= 1 << (n - 1 - axis)
    return phases, index ^ mask if mask else None
