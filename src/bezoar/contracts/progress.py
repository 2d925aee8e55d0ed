"""How long work tells of itself without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how much of a task is done; the command line shows it as a bar with time left."""

    def __call__(self, task: str, done: int, total: int) -> None:
        """Says that `done` of `total` units of `task` are finished."""
        ...


def silent(task: str, done: int, total: int) -> None:
    """The progress that nobody watches."""
