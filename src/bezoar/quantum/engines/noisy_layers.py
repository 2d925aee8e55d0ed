"""Layers of CX and RY with noise: observables swept backwards through the whole circuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.first_order import first_order
from bezoar.quantum.engines.layout import lay_out
from bezoar.quantum.engines.lowering import lower, readout_transfer
from bezoar.quantum.engines.machine import Machine
from bezoar.quantum.noise import NoiseModel

MOST_NOISY_QUBITS = 10


class NoisyLayers:
    """A trained circuit with noise after every gate, then Z of every wire with readout error.

    The observables are Pauli vectors of ``4**n`` numbers each, whatever the batch, kept as
    ``(4**n, observable)``: gates on neighbours then meet them without any axis being moved, which
    is what sets this engine apart from `bezoar.quantum.engines.pauli`, made for many trainings.
    Of the steps every few are kept for the gradient, the others are run again.

    Args:
        circuit: without features; gates on one or two qubits; 1 to 10 qubits.
        noise: after each gate.

    Raises:
        InvalidArgument: more qubits.
    """

    def __init__(self, circuit: Circuit, noise: NoiseModel) -> None:
        n = self.n_qubits = circuit.n_qubits
        if n > MOST_NOISY_QUBITS:
            raise InvalidArgument(
                "n_qubits",
                wanted=f"1 to {MOST_NOISY_QUBITS} with noise, which takes 4**n_qubits numbers",
                got=n,
                mend="use fewer qubits or noise='none'",
            )
        self.n_parameters = circuit.n_parameters
        self._layout = lay_out(lower(circuit, noise, "transfer"), n, "transfer", states=True)
        readout = readout_transfer(noise, n).reshape(-1, 4, 4)
        # Z as it is read: a share of I and a share of Z.
        self._read = np.broadcast_to(readout, (n, 4, 4))[:, 3]
        self._held: dict[tuple[torch.device, torch.dtype], Machine] = {}

    def expectations(self, qubits: Tensor, theta: Tensor) -> Tensor:
        """Z of every wire, ``(sample, wire)``, differentiable.

        Args:
            qubits: the I, X, Y, Z expectations of each qubit, ``(sample, wire, 4)``.
            theta: ``(parameter,)``, radians.
        """
        keep = torch.is_grad_enabled() and theta.requires_grad
        observables: Any = _Swept.apply(theta, self, keep)
        middle = self.n_qubits // 2
        left, right = _product(qubits[:, :middle]), _product(qubits[:, middle:])
        # Half by half, so that no sample's 4**n numbers are ever multiplied out.
        halfway = left @ observables.view(left.shape[1], -1)
        return (halfway.view(*right.shape, self.n_qubits) * right[..., None]).sum(1)

    def forward(self, theta: Tensor, *, keep: bool) -> tuple[Tensor, list[Tensor]]:
        """Z of every wire as it was before all gates, ``(4**n, wire)``, and the tape."""
        machine = self._machine(theta)
        slots = machine.build(machine.angles(theta[None], None), 1).slots
        observables = self._measured(theta)
        kept = []
        for step, index in enumerate(reversed(range(len(slots)))):
            if keep and step % self._stride == 0:
                kept.append(observables)
            observables = _carried(observables, slots[index][0].mT, self._wires(index))
        return observables, kept

    def backward(self, theta: Tensor, kept: Sequence[Tensor], grad: Tensor) -> Tensor:
        """Gradient of the parameters from that of the observables before all gates.

        Args:
            theta: as in `forward`.
            kept: its tape.
            grad: ``(4**n, wire)``.
        """
        machine = self._machine(theta)
        built = machine.build(machine.angles(theta[None], None), 1)
        slots = built.slots
        d_slots: list[Tensor | None] = [None] * len(slots)
        order = list(reversed(range(len(slots))))
        for part in reversed(range(len(kept))):
            steps = order[part * self._stride : (part + 1) * self._stride]
            found = [kept[part]]
            for index in steps[:-1]:
                found.append(_carried(found[-1], slots[index][0].mT, self._wires(index)))
            for index in reversed(steps):
                wires = self._wires(index)
                before, after = _apart(found.pop(), wires), _apart(grad, wires)
                d_slots[index] = torch.bmm(before, after.mT).sum(0, keepdim=True)
                grad = _carried(grad, slots[index][0], wires)
        d_angles = machine.build_backward(built, d_slots, [])
        return machine.parameters_backward(d_angles, self.n_parameters)[0]

    @property
    def _stride(self) -> int:
        """Steps from one kept tensor to the next: as many as there are parts."""
        return max(1, math.isqrt(len(self._layout.slots)))

    def _wires(self, slot: int) -> tuple[int, ...]:
        return self._layout.slots[slot].wires

    def _measured(self, like: Tensor) -> Tensor:
        n = self.n_qubits
        observables = np.zeros((4**n, n))
        for wire, letters in enumerate(self._read):
            observables[4 ** (n - 1 - wire) * np.arange(4), wire] = letters
        return torch.as_tensor(observables, device=like.device).to(like.dtype)

    def _machine(self, like: Tensor) -> Machine:
        key = (like.device, like.dtype)
        if key not in self._held:
            self._held[key] = Machine(
                self._layout,
                dtype=like.dtype,
                device=like.device,
                vacuum=(1.0, 0.0, 0.0, 0.0),
                backwards=True,
            )
        return self._held[key]


class _Swept(torch.autograd.Function):
    """`NoisyLayers.forward`."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, layers: NoisyLayers, keep: bool) -> Tensor:
        observables, kept = layers.forward(theta, keep=keep)
        ctx.layers = layers
        ctx.save_for_backward(theta, *kept)
        return observables

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        theta, *kept = ctx.saved_tensors
        return ctx.layers.backward(theta, kept, grad), None, None


def _carried(observables: Tensor, matrix: Tensor, wires: tuple[int, ...]) -> Tensor:
    """A matrix ``(4**k, 4**k)`` on k wires of observables ``(4**n, observable)``."""
    shaped = _apart(observables, wires)
    moved = torch.bmm(matrix.expand(len(shaped), -1, -1), shaped)
    if _are_neighbours(wires):
        return moved.view(observables.shape)
    n = round(math.log(len(observables), 4))
    return moved.view(*(4,) * n, -1).movedim((0, 1), wires).reshape(observables.shape)


def _apart(observables: Tensor, wires: tuple[int, ...]) -> Tensor:
    """The same numbers as ``(slow, 4**k, fast)``, the wires in their order between the others."""
    if _are_neighbours(wires):
        return observables.view(4 ** wires[0], 4 ** len(wires), -1)
    n = round(math.log(len(observables), 4))
    shaped = observables.view(*(4,) * n, -1).movedim(wires, (0, 1))
    return shaped.reshape(1, 4 ** len(wires), -1)


def _are_neighbours(wires: tuple[int, ...]) -> bool:
    return len(wires) == 1 or wires[1] == wires[0] + 1


def _product(qubits: Tensor) -> Tensor:
    """``(sample, 4**k)`` from ``(sample, k, 4)``."""
    states = qubits.new_ones((len(qubits), 1))
    for qubit in qubits.unbind(1):
        states = (states[:, :, None] * qubit[:, None]).reshape(len(qubits), states.shape[1] * 4)
    return states
