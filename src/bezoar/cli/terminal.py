"""Where summaries are printed."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class Terminal(Console):
    """rich's console, but for a reader that goes away (head, less): rich would exit with code 1,
    which is ours for findings.
    """

    def on_broken_pipe(self) -> NoReturn:
        """Leaves it to whoever started the command.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
