"""A progress bar that appears when the work is not done in a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bezoar.contracts.progress import Progress, silent

#: Seconds after which a bar appears; its library takes a moment to load, too.
_PATIENCE = 2.0


@contextmanager
def slow_progress(visible: bool) -> Iterator[Progress]:
    """A `Progress` that shows a bar with the time left on stderr after two seconds of work.

    Args:
        visible: whether to show anything at all.
    """
    if not visible:
        yield silent
        return
    began = time.monotonic()
    with ExitStack() as stack:
        bars: list[Progress] = []

        def tell(task: str, done: int, total: int) -> None:
            if not bars and time.monotonic() - began > _PATIENCE and done < total:
                from bezoar.models.watching import watched

                bars.append(stack.enter_context(watched(transient=True)))
            if bars:
                bars[0](task, done, total)

        yield tell
