"""Progress bars with the time left, on stderr, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bezoar.contracts.progress import Progress as Listener


@contextmanager
def progress_bars() -> Iterator[Listener]:
    """One bar for each task that reports; nothing when stderr is no terminal."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=sys.stderr is None or not sys.stderr.isatty(),
    )
    with bars:
        tasks = {}

        def listen(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)

        yield listen
