"""Finite shots from known probabilities: bit strings drawn whole, as a device measures them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def estimated_z(probabilities: Tensor, shots: int, rng: np.random.Generator) -> Tensor:
    """Z of every wire from `shots` measurements of all wires, ``(sample, wire)``.

    The counts of bit strings are multinomial, so that estimates of different wires are correlated
    as on a device. They are drawn on the CPU in double precision: one seed, one result everywhere,
    up to rounding of the probabilities.

    Args:
        probabilities: of all bit strings, ``(2**n, sample)``; need not add up to 1. A sample that
            holds NaN or nothing is drawn evenly.
        shots: 1 or more.
        rng: the only source of chance.

    Example:
        >>> sure = torch.tensor([[0.0], [1.0], [0.0], [0.0]])  # always 01
        >>> estimated_z(sure, 100, np.random.default_rng(0)).tolist()
        [[1.0, -1.0]]
    """
    n_strings = len(probabilities)
    p = probabilities.detach().cpu().to(torch.float64).t().numpy()
    total = p.sum(axis=1, keepdims=True)
    usable = np.isfinite(total) & (total > 0)
    p = np.where(usable, p, 1.0) / np.where(usable, total, n_strings)
    counts = rng.multinomial(shots, p)
    n_wires = n_strings.bit_length() - 1
    wires = np.arange(n_wires)[::-1]
    signs = 1.0 - 2.0 * ((np.arange(n_strings)[:, None] >> wires) & 1)
    return torch.as_tensor(counts @ signs / shots, device=probabilities.device)
