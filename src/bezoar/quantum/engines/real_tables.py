"""What does not change while layers of CX and RY are swept over real state vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# A Kronecker factor of more qubits costs more arithmetic, of fewer more calls.
_MOST_FACTOR_QUBITS = 4
# d RY(a) / da = _GENERATOR @ RY(a)
_GENERATOR = np.array([[0.0, -0.5], [0.5, 0.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A Kronecker factor of a layer of RY.

    Attributes:
        slow: basis states of the wires before its own.
        side: of its matrix.
        entries: its part of the row of all entries.
        generators: of the RY on each of its wires, ``(side * side, wire)``.
    """

    slow: int
    side: int
    entries: slice
    generators: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What does not change from call to call, on one device in one precision.

    Attributes:
        sources: for each amplitude after a layer's CX, where it was before, ``(2**n,)``.
        targets: the inverse.
        factors: from wire 0 on.
        entries: for each entry of all factors, the numbers whose product it is, as positions among
            cosines, sines and negative sines of all wires and a one, ``(number * entry,)``.
        n_entries: of all factors.
        amplitudes: for each amplitude of both halves of the wires, the numbers whose product it is,
            as positions among cosines and sines of all wires and a one, ``(number * amplitude,)``.
        sides: basis states of both halves of the wires.
        signs: of each half, the value of Z on each wire, ``(wire, side)``.
        halves: of each half, its generators stacked, ``(wire * side, side)``.
    """

    sources: Tensor
    targets: Tensor
    factors: tuple[Factor, ...]
    entries: Tensor
    n_entries: int
    amplitudes: Tensor
    sides: tuple[int, int]
    signs: tuple[Tensor, ...]
    halves: tuple[Tensor, ...]


def tables_of(
    n_qubits: int, pairs: Sequence[tuple[int, int]], device: torch.device, dtype: torch.dtype
) -> Tables:
    """The tables of `n_qubits` whose layers have CX on `pairs`, (control, target) in time order."""
    after = _bits(n_qubits)
    for control, target in pairs:
        after[:, target] ^= after[:, control]
    targets = after @ (1 << np.arange(n_qubits)[::-1])
    factors, entries = _factors(n_qubits, device, dtype)
    middle = n_qubits // 2
    sizes = (middle, n_qubits - middle)
    halves = [_tensor(_generators(n).reshape(-1, 2**n), device, dtype) for n in sizes]
    signs = [_tensor(1.0 - 2.0 * _bits(n).T, device, dtype) for n in sizes]
    amplitudes = [_amplitude_numbers(w, n_qubits) for w in np.split(np.arange(n_qubits), [middle])]
    return Tables(
        sources=torch.as_tensor(np.argsort(targets), device=device),
        targets=torch.as_tensor(targets, device=device),
        factors=factors,
        entries=torch.as_tensor(entries.reshape(-1), device=device),
        n_entries=entries.shape[1],
        amplitudes=torch.as_tensor(np.concatenate(amplitudes, axis=1).reshape(-1), device=device),
        sides=(2 ** sizes[0], 2 ** sizes[1]),
        signs=tuple(signs),
        halves=tuple(halves),
    )


def _factors(
    n_qubits: int, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[Factor, ...], np.ndarray]:
    """The factors of a layer of RY, and what their entries are products of, ``(number, entry)``."""
    factors, entries, start = [], [], 0
    # The smaller factor first, where its matrix product is widest.
    first = n_qubits % _MOST_FACTOR_QUBITS or _MOST_FACTOR_QUBITS
    for end in range(first, n_qubits + 1, _MOST_FACTOR_QUBITS):
        wires = np.arange(max(0, end - _MOST_FACTOR_QUBITS), end)
        entries.append(_entry_numbers(wires, n_qubits))
        side = 2 ** len(wires)
        generators = _generators(len(wires)).reshape(len(wires), -1).T
        factors.append(
            Factor(
                slow=2 ** int(wires[0]),
                side=side,
                entries=slice(start, start + side * side),
                generators=_tensor(generators, device, dtype),
            )
        )
        start += side * side
    return tuple(factors), np.concatenate(entries, axis=1)


def _bits(n_wires: int) -> np.ndarray:
    """Every bit string, ``(2**n_wires, wire)``."""
    return (np.arange(2**n_wires)[:, None] >> np.arange(n_wires)[::-1]) & 1


def _entry_numbers(wires: np.ndarray, n_qubits: int) -> np.ndarray:
    """What each entry of ``RY x ... x RY`` is a product of, ``(number, side * side)``."""
    cos, sin, minus_sin, one = (k * n_qubits for k in range(4))
    kinds = np.array([[cos, minus_sin], [sin, cos]])
    side = 2 ** len(wires)
    row, column = np.divmod(np.arange(side * side), side)
    numbers = np.full((_MOST_FACTOR_QUBITS, side * side), one)
    for place, wire in enumerate(wires):
        shift = len(wires) - 1 - place
        numbers[place] = kinds[(row >> shift) & 1, (column >> shift) & 1] + wire
    return numbers


def _amplitude_numbers(wires: np.ndarray, n_qubits: int) -> np.ndarray:
    """What each amplitude of qubits ``cos, sin`` is a product of, ``(number, 2**len(wires))``."""
    index = np.arange(2 ** len(wires))
    numbers = np.full((n_qubits - n_qubits // 2, len(index)), 2 * n_qubits)
    for place, wire in enumerate(wires):
        numbers[place] = wire + n_qubits * ((index >> (len(wires) - 1 - place)) & 1)
    return numbers


def _generators(n_wires: int) -> np.ndarray:
    """Of the RY on each of `n_wires`, ``(wire, 2**n_wires, 2**n_wires)``."""
    out = np.zeros((n_wires, 2**n_wires, 2**n_wires))
    for wire in range(n_wires):
        after = np.kron(_GENERATOR, np.eye(2 ** (n_wires - wire - 1)))
        out[wire] = np.kron(np.eye(2**wire), after)
    return out


def _tensor(values: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), device=device).to(dtype)
