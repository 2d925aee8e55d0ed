"""Wall time by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the time that the block takes to ``seconds[stage]``.

    Example:
        >>> spent: dict[str, float] = {}
        >>> with timed(spent, "train"):
        ...     pass
        >>> list(spent)
        ['train']
    """
    since = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - since
