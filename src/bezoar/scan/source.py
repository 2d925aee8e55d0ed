"""The text of a module or notebook, and where each of its lines is in the file."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.contracts.code_findings import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code cell within the joined text of a notebook.

    Attributes:
        number: which cell, counting all cells from 1.
        first: the line of the joined text that is its line 1.
        n_lines: how many lines it has.
        file_lines: for each of its lines the line of the notebook's file.
    """

    number: int
    first: int
    n_lines: int
    file_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Python text to be read.

    Attributes:
        path: the file, relative to the scanned folder.
        text: the text that is parsed: of a notebook all code cells, magics blanked.
        shown: the lines as the author wrote them, for code frames.
        cells: of a notebook, its code cells in order.
        magics: (line, text) of what was blanked: ``%pip install``, ``!ls``, ``%%bash``.
        within: the path within the folder that was named for the scan, "" for `path`.
        outputs: (line, text) of what cells printed and of Markdown cells; the line is the first
            one of the cell in the joined text.
    """

    path: str
    text: str
    shown: Sequence[str]
    cells: tuple[Cell, ...] = ()
    magics: tuple[tuple[int, str], ...] = ()
    outputs: tuple[tuple[int, str], ...] = ()
    is_notebook: bool = False
    within: str = ""

    def place(
        self, line: int, column: int, end_line: int, end_column: int, symbol: str = ""
    ) -> Place:
        """The place of a piece of the joined text; lines and columns from 1."""
        cell = self._cell_at(line)
        if cell is None:
            return Place(
                path=self.path,
                line=line,
                column=column,
                end_line=end_line,
                end_column=end_column,
                file_line=line,
                symbol=symbol,
            )
        within = line - cell.first + 1
        return Place(
            path=self.path,
            line=within,
            column=column,
            end_line=max(within, min(end_line - cell.first + 1, cell.n_lines)),
            end_column=end_column,
            cell=cell.number,
            file_line=cell.file_lines[within - 1] if within <= len(cell.file_lines) else 1,
            symbol=symbol,
        )

    def block(self, line: int) -> tuple[int, int, int]:
        """First and last line of the text that belongs with `line`, and the offset of numbers."""
        cell = self._cell_at(line)
        if cell is None:
            return 1, len(self.shown), 0
        return cell.first, cell.first + cell.n_lines - 1, cell.first - 1

    def _cell_at(self, line: int) -> Cell | None:
        if not self.cells:
            return None
        position = bisect.bisect_right(self.cells, line, key=lambda cell: cell.first) - 1
        return self.cells[max(0, position)]
