"""One integer seed per run; every step derives its own stream from a stable name."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str | float) -> np.random.Generator:
    """The random stream of the step called `names` in the run `seed`.

    Streams with different names are independent, so a new step never shifts the draws of another.

    Example:
        >>> a = generator(0, "attack", "quid").random()
        >>> a == generator(0, "attack", "quid").random(), a == generator(0, "split").random()
        (True, False)
    """
    return np.random.default_rng(np.random.SeedSequence([seed, child_seed(*names)]))


def child_seed(*names: str | float) -> int:
    """A 63-bit integer that depends on `names` alone."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
