"""Jupyter notebooks as Python text, with the way back to cell and line."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bezoar.scan.source import Cell, Source

#: Longest printed output that is looked at, in characters for each cell.
_MAX_OUTPUT = 100_000
#: Cell magics whose cell is Python all the same.
_PYTHON_MAGICS = frozenset(
    (
        "%%time %%timeit %%capture %%prun %%python %%python3 %%px %%memray_flamegraph %%memit"
        " %%mprun %%lprun %%snakeviz %%pyinstrument %%ipytest %%wandb"
    ).split()
)
_LINE_MAGIC = re.compile(r"\s*(?:[%!?,;/]|[A-Za-z_][\w.]*\?{1,2}\s*$)")
#: Magics that work without their %, where a word follows that no Python statement could go on with.
_AUTOMATIC = re.compile(
    r"\s*(?:pip|conda|mamba|cd|ls|mkdir|cat|cp|mv|rm|run|time|timeit|matplotlib|load_ext|env)[ \t]+"
    r"(?!(?:and|as|else|for|if|in|is|not|or)\b)[A-Za-z_~'\"]"
)
#: `x = !ls` and `df = %sql ...` give something unknown.
_ASSIGNED_MAGIC = re.compile(r"(\s*[A-Za-z_][^=!%<>#]*=\s*)([!%][^=].*)$")
#: Magics that run one statement.
_TIMED = re.compile(r"(\s*)(%(?:time|timeit|prun|memit)\s+(?:-[A-Za-z]+\s*\d*\s+)*)(\S.*)")
#: What changes whether the next line is a line of its own.
_PIECE = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\#.*|[()\[\]{}]|\\.?""")


#: Where the source of a cell begins in a notebook's file as Jupyter writes it.
_SOURCE = re.compile(r'^(?P<indent>[ \t]*)"(?:source|input)": (?P<list>\[$)?', re.MULTILINE)


def read_notebook(path: str, text: str) -> Source:
    """The notebook whose JSON is `text`.

    Raises:
        ValueError: it is not a notebook, with the reason.
    """
    try:
        notebook = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not a notebook: {error.msg} in line {error.lineno}") from None
    cells = _cells(notebook)
    language = _language(notebook)
    if language not in ("", "python"):
        raise ValueError(f"is a notebook of {language}, not of Python")
    lines: list[str] = []
    shown: list[str] = []
    found: list[Cell] = []
    magics: list[tuple[int, str]] = []
    outputs: list[tuple[int, str]] = []
    places = _file_lines(text, len(cells))
    for number, (cell, (start, step)) in enumerate(zip(cells, places, strict=True), 1):
        source = _joined(cell.get("source", cell.get("input", "")))
        written = _lines(source)
        if cell.get("cell_type") != "code":
            outputs.append((max(1, len(lines)), source[:_MAX_OUTPUT]))
            continue
        first = len(lines) + 1
        kept, blanked = _without_magics(written)
        magics += [(first + offset, each) for offset, each in blanked]
        found.append(
            Cell(
                number=number,
                first=first,
                n_lines=len(written),
                file_lines=tuple(start + step * offset for offset in range(len(written))),
            )
        )
        lines += kept
        shown += written
        printed = "".join(_printed(cell))
        if printed:
            outputs.append((first, printed[:_MAX_OUTPUT]))
    return Source(
        path=path,
        text="\n".join(lines) + "\n",
        shown=shown,
        cells=tuple(found),
        magics=tuple(magics),
        outputs=tuple(outputs),
        is_notebook=True,
    )


def without_magics(source: Source) -> Source | None:
    """A script that was saved out of a notebook with its magics, these blanked as in cells; None
    for one without any.
    """
    if source.is_notebook or source.text.lstrip().startswith("%%"):
        return None
    kept, blanked = _without_magics(source.text.split("\n"))
    if not blanked:
        return None
    magics = tuple((offset + 1, magic) for offset, magic in blanked)
    return replace(source, text="\n".join(kept), magics=magics)


def without_broken_cells(source: Source) -> tuple[Source, list[tuple[int, str]]]:
    """The notebook with the cells blanked that are not Python, and (line, reason) of each.

    One cell that was left unfinished must not hide the others.
    """
    lines = source.text.split("\n")
    broken: list[tuple[int, str]] = []
    for cell in source.cells:
        start, end = cell.first - 1, cell.first - 1 + cell.n_lines
        try:
            ast.parse("\n".join(lines[start:end]) + "\n")
        except SyntaxError as error:
            within = min(max(error.lineno or 1, 1), cell.n_lines)
            broken.append((start + within, error.msg))
        except ValueError as error:
            broken.append((start + 1, str(error)))
        except (RecursionError, MemoryError):
            broken.append((start + 1, "it is nested too deeply"))
        else:
            continue
        lines[start:end] = [""] * cell.n_lines
    return replace(source, text="\n".join(lines)), broken


def _lines(source: str) -> list[str]:
    """The lines of a cell as Python counts them, without what all of them are indented by."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    # IPython takes it off as well.
    return [line.removeprefix(indent) for line in lines] if indent else lines


def _cells(notebook: Any) -> list[dict[str, Any]]:
    if not isinstance(notebook, dict):
        raise ValueError("is JSON, but not a notebook")  # noqa: TRY004 - the text is wrong
    cells = notebook.get("cells")
    if cells is None:
        # nbformat 3 had sheets.
        sheets = notebook.get("worksheets")
        cells = [
            cell
            for sheet in (sheets if isinstance(sheets, list) else [])
            if isinstance(sheet, dict)
            for cell in sheet.get("cells", [])
        ]
        if sheets is None:
            raise ValueError("is JSON, but not a notebook: it has no cells")
    if not isinstance(cells, list):
        raise ValueError("is not a notebook: its cells are no list")  # noqa: TRY004
    return [cell for cell in cells if isinstance(cell, dict)]


def _language(notebook: dict[str, Any]) -> str:
    facts = notebook.get("metadata")
    facts = facts if isinstance(facts, dict) else {}
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        entry = facts.get(key)
        if isinstance(entry, dict) and isinstance(entry.get(name), str):
            return "python" if "python" in entry[name].lower() else entry[name].lower()
    return ""


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(each for each in source if isinstance(each, str))
    return source if isinstance(source, str) else ""


def _printed(cell: dict[str, Any]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        yield _joined(output.get("text", ""))
        data = output.get("data")
        if isinstance(data, dict):
            yield _joined(data.get("text/plain", ""))


def _without_magics(written: Sequence[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """The lines with magics blanked in place, and (offset, text) of what was blanked."""
    if not _is_python(next((line for line in written if line.strip()), "")):
        return [""] * len(written), [(i, line) for i, line in enumerate(written) if line.strip()]
    kept: list[str] = []
    blanked: list[tuple[int, str]] = []
    continued = False
    state = _State()
    for offset, line in enumerate(written):
        python, magic = ("", line) if continued else _parted(line) if state.is_start else (line, "")
        if magic:
            blanked.append((offset, magic))
            continued = magic.rstrip().endswith("\\")
        else:
            continued = False
            state.go_on(line)
        kept.append(python)
    return kept, blanked


def _is_python(first: str) -> bool:
    """Whether a cell with this first line is Python."""
    words = first.split()
    if not first.startswith("%%") or words[0] in _PYTHON_MAGICS:
        return True
    return words[0] in ("%%writefile", "%%file") and words[-1].endswith(".py")


def _parted(line: str) -> tuple[str, str]:
    """The Python of a line and the magic in it, one of them empty where there is none."""
    assigned = _ASSIGNED_MAGIC.match(line)
    if assigned:
        return f"{assigned[1]}None", assigned[2]
    if not _LINE_MAGIC.match(line) and not _AUTOMATIC.match(line):
        return line, ""
    indent = line[: len(line) - len(line.lstrip())]
    timed = _TIMED.match(line)
    if timed:
        # In as many columns as the magic had, so that those of the statement stay.
        statement = f"{indent}if{' ' * (len(timed[2]) - 4)}1:{timed[3]}"
        try:
            ast.parse(statement.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        else:
            return statement, line
    return (f"{indent}pass" if indent else ""), line


class _State:
    """Where a line begins: in a text, in brackets, after a backslash, or as one of its own."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._joined = False

    @property
    def is_start(self) -> bool:
        """Whether a statement, or a magic, may begin here."""
        return not self._quote and self._depth == 0 and not self._joined

    def go_on(self, line: str) -> None:
        """Reads a line of Python."""
        at = 0
        self._joined = False
        while at < len(line):
            if self._quote:
                end = re.compile(rf"(?:\\.|(?!{self._quote}).)*{self._quote}").match(line, at)
                if end is None:
                    return
                at, self._quote = end.end(), ""
            piece = _PIECE.search(line, at)
            if piece is None:
                return
            at = piece.end()
            text = piece[0]
            if text in ('"""', "'''"):
                self._quote = text
            elif text in "([{":
                self._depth += 1
            elif text in ")]}":
                self._depth = max(0, self._depth - 1)
            self._joined = text == "\\"


def _file_lines(text: str, n_cells: int) -> list[tuple[int, int]]:
    """For each cell the line of the file where its source begins, and how many lines of the file
    each of its lines takes: 1, or 0 where the source is one text.
    """
    found = list(_SOURCE.finditer(text))
    least = min((len(match["indent"]) for match in found), default=0)
    # Deeper ones are in outputs.
    found = [match for match in found if len(match["indent"]) == least]
    if len(found) != n_cells:
        return [(1, 0)] * n_cells
    places = []
    number = at = 0
    for match in found:
        number += text.count("\n", at, match.end())
        at = match.end()
        places.append((number + 2, 1) if match["list"] else (number + 1, 0))
    return places
