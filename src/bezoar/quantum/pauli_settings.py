"""Measuring all qubits at once, each in X, Y or Z, and the Pauli strings that this tells.

A setting is a number in base 3: digits 0, 1, 2 for X, Y, Z, wire 0 first. It covers ``2**n`` Pauli
strings: on each qubit its own letter or the identity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BLOCK_NUMBERS = 2**20


def signed_sums(
    vector: Doubles, n: int, settings: Integers, counts: Integers, rng: np.random.Generator
) -> Doubles:
    """Measures one state, ``counts[i]`` times with ``settings[i]``.

    Bit strings are drawn from their exact joint distribution.

    Args:
        vector: ``(4**n,)``, the Pauli vector of the state.
        n: qubits.
        settings: ``(setting,)``, no two the same.
        counts: ``(setting,)``, shots with each.
        rng: draws the outcomes.

    Returns:
        For each string the sum of the products of its outcomes over all shots that cover it,
        ``(4**n,)``; `coverage` counts these shots.

    Example:
        >>> up = np.array([1.0, 0.0, 0.0, 1.0])
        >>> rng = np.random.default_rng(0)
        >>> signed_sums(up, 1, np.array([2]), np.array([10]), rng).tolist()
        [10.0, 0.0, 0.0, 10.0]
    """
    sums = np.zeros(4**n)
    step = max(1, _BLOCK_NUMBERS // 2**n)
    for start in range(0, len(settings), step):
        shots = counts[start : start + step]
        covers = strings(n, settings[start : start + step])
        probabilities = np.clip(_hadamard(vector[covers], n), 0, None)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        signs = _hadamard(rng.multinomial(shots, probabilities).astype(np.float64), n)
        sums += np.bincount(covers.ravel(), signs.ravel(), minlength=4**n)
    return sums


def strings(n: int, settings: Integers) -> Integers:
    """The strings that each setting covers, ``(setting, 2**n)``, as places in a Pauli vector.

    Column A holds the string that is the setting on the qubits in the bit set A, wire 0 the
    slowest bit, and the identity elsewhere.

    Example:
        >>> strings(2, np.array([2])).tolist()  # X on wire 0, Z on wire 1: II, IZ, XI, XZ
        [[0, 3, 4, 7]]
    """
    places = np.zeros((len(settings), 1), dtype=np.int64)
    for wire in range(n):
        letter = settings // 3 ** (n - 1 - wire) % 3 + 1
        with_letter = places + (letter * 4 ** (n - 1 - wire))[:, None]
        places = np.stack([places, with_letter], axis=2).reshape(len(settings), -1)
    return places


def coverage(n: int, settings: Integers, weights: Integers) -> Doubles:
    """The sum of the weights of all settings that cover a string, ``(4**n,)``.

    Example:
        >>> coverage(1, np.array([0, 2]), np.array([5, 7])).tolist()  # I, X, Y, Z
        [12.0, 5.0, 0.0, 7.0]
    """
    sums = np.bincount(settings, weights, minlength=3**n).astype(np.float64)
    for wire in range(n):
        letters = sums.reshape(4**wire, 3, -1)
        sums = np.concatenate([letters.sum(axis=1, keepdims=True), letters], axis=1)
    return sums.ravel()


def supports(n: int) -> Integers:
    """On how many qubits each Pauli string acts, ``(4**n,)``."""
    sizes = np.zeros(1, dtype=np.int64)
    for _ in range(n):
        sizes = np.add.outer(sizes, [0, 1, 1, 1]).ravel()
    return sizes


def shares(shots: int, n_settings: int, rng: np.random.Generator) -> Integers:
    """Equal shares, with what is left over on settings drawn at random."""
    least, rest = divmod(shots, n_settings)
    counts = np.full(n_settings, least)
    counts[rng.permutation(n_settings)[:rest]] += 1
    return counts


def _hadamard(rows: Doubles, n: int) -> Doubles:
    """``sum_s (-1)**(A.s) row[s]`` for every bit set A; from expectations, 2**n probabilities."""
    shape = rows.shape
    for wire in range(n):
        halves = rows.reshape(-1, 2, 2 ** (n - 1 - wire))
        rows = np.stack([halves[:, 0] + halves[:, 1], halves[:, 0] - halves[:, 1]], axis=1)
    return rows.reshape(shape)
