"""How many threads convolutions get."""

from __future__ import annotations


def set_threads() -> None:
    """As many as torch takes by itself, up to 8: more of them wait for each other.

    What OMP_NUM_THREADS says in the environment torch takes too.
    """
    import torch

    torch.set_num_threads(min(8, torch.get_num_threads()))
