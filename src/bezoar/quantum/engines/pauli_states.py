"""Encoded states as the sweeps of observables want them, and the contraction of the two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bezoar.quantum.engines.layout import ROWS
from bezoar.quantum.states import EncodedStates


class Halves(NamedTuple):
    """States as ``left[i] * right[j]``, the two parts of an order of wires.

    A product state is never multiplied out: contracting half by half costs the same arithmetic and
    reads the square root of the numbers. Where there is but one part, `left` is None.
    """

    left: Tensor | None
    right: Tensor

    def batch(self, index: Tensor | None) -> Halves:
        """The samples that each training looks at, ``(T, B, ...)``; all, without T, for None."""
        left = None if self.left is None else pick_samples(self.left, index)
        return Halves(left, pick_samples(self.right, index))


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


def expect(
    observables: Tensor, batch: Halves, order: tuple[int, ...], n_observables: int
) -> Tensor:
    """Expectations ``(T, B, observable)``.

    Args:
        observables: ``(T, ...)``, axes as in `order`.
        batch: the samples, parted as `PauliStates.on` parts `order`.
        order: wires, and once `ROWS` for the observables.
        n_observables: how many rows there are.
    """
    n_trainings = observables.shape[0]
    left, right = batch
    slow = 4 ** order.index(ROWS)
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


def expect_backward(grad: Tensor, batch: Halves, order: tuple[int, ...]) -> Tensor:
    """Gradient of the observables, axes as in `order`, from that of `expect`'s result."""
    n_trainings, n_samples, n_observables = grad.shape
    left, right = batch
    slow = 4 ** order.index(ROWS)
    if left is not None:
        both = (
            left[..., None] * grad[:, :, None] if slow > 1 else grad[..., None] * left[..., None, :]
        )
        grad = both.reshape(n_trainings, n_samples, -1)
    out = torch.bmm(grad.transpose(1, 2), right) if right.ndim == 3 else grad.mT @ right
    if left is None and slow > 1:
        out = out.reshape(n_trainings, n_observables, slow, -1).transpose(1, 2)
    return out.reshape(n_trainings, -1)


def pick_samples(states: Tensor, index: Tensor | None) -> Tensor:
    """The samples that each training looks at, ``(T, B, ...)``; all, without T, for None."""
    if index is None:
        return states
    shape = (*index.shape, *states.shape[1:])
    return states.index_select(0, index.reshape(-1)).reshape(shape)


def _single_qubits(states: EncodedStates) -> np.ndarray:
    n = states.n_qubits
    if states.bloch is not None:
        one = np.ones((*states.bloch.shape[:2], 1), dtype=states.bloch.dtype)
        return np.concatenate([one, states.bloch], axis=2)
    assert states.pauli is not None  # noqa: S101 - one of the two is there
    places = np.array([[4 ** (n - 1 - wire) * letter for letter in range(4)] for wire in range(n)])
    return states.pauli[:, places]
