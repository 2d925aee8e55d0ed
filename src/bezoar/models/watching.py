"""A progress bar for who trains in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from bezoar.contracts.progress import Progress, silent


@contextmanager
def watched(visible: bool = True, *, transient: bool = False) -> Iterator[Progress]:
    """A `Progress` that shows a bar for each task with the time left on stderr, or shows nothing.

    Args:
        visible: whether to show anything.
        transient: whether the bars vanish at the end.

    Example:
        >>> with watched(False) as progress:
        ...     progress("train", 1, 2)
    """
    if not visible:
        yield silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=transient) as bars:
        shown: dict[str, TaskID] = {}

        def tell(task: str, done: int, total: int) -> None:
            if task not in shown:
                shown[task] = bars.add_task(task, total=total)
            bars.update(shown[task], completed=done, total=total)

        yield tell
