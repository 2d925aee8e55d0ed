"""Our own warnings, for the record instead of the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from bezoar.contracts.errors import BezoarWarning


@contextmanager
def noted_warnings() -> Iterator[list[str]]:
    """What is warned of in the block, each text once; the list is filled when the block ends.

    Example:
        >>> with noted_warnings() as notes:
        ...     warnings.warn("only 90 of 100 images", BezoarWarning)
        >>> notes
        ['only 90 of 100 images']
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BezoarWarning)
        yield notes
    ours = (str(w.message) for w in caught if issubclass(w.category, BezoarWarning))
    notes += dict.fromkeys(ours)
