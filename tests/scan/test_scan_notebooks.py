"""Notebooks are read cell by cell, with the way back to cell, line and file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_projects import notebook, scanned, write

from bezoar.contracts.code_findings import CodeFinding
from bezoar.scan.notebooks import read_notebook

LOAD = "import pickle\nmodel = pickle.load(f)"


def found(folder: Path, text: str) -> list[CodeFinding]:
    """The findings of a project with one notebook."""
    write(folder, {"a.ipynb": text})
    return list(scanned(folder, select=("QSA0", "QSA201")).findings)


def places(folder: Path, text: str) -> list[tuple[str, int | None, int]]:
    """Rule, cell and line of each finding."""
    return [(each.rule, each.place.cell, each.place.line) for each in found(folder, text)]


def test_a_script_saved_out_of_a_notebook_keeps_its_magics(tmp_path: Path) -> None:
    write(
        tmp_path, {"colab.py": f"!pip install qiskit\nimport torch\n%matplotlib inline\n{LOAD}\n"}
    )
    (finding,) = scanned(tmp_path, select=("QSA0", "QSA201")).findings
    assert (finding.rule, finding.place.line, finding.place.cell) == ("QSA201", 5, None)


def test_cell_and_line_and_line_of_the_file(tmp_path: Path) -> None:
    text = notebook(("markdown", "# Title\nwords"), "x = 1\n", ("raw", "raw"), LOAD)
    (finding,) = found(tmp_path, text)
    place = finding.place
    assert (place.cell, place.line, place.column) == (4, 2, 9)
    assert "pickle.load(f)" in text.split("\n")[place.file_line - 1]
    assert finding.code == ("import pickle", "model = pickle.load(f)")
    assert finding.code_line == 1
    assert str(place) == "a.ipynb:cell 4:2:9"


MAGICS = [
    "%matplotlib inline",
    "%pip install qiskit",
    "%load_ext autoreload\n%autoreload 2",
    "!ls -l",
    "!!ls",
    "!pip install a \\\n  b \\\n  c",
    "files = !ls *.csv",
    "a, b = !ls",
    "d['x'] = !ls",
    "t = %timeit -o f()",
    "get_ipython().system('ls')",
    "?print",
    "print?",
    "qml.RX??",
    "%%time",
    "%%capture out\nx = 1",
    "pip install qiskit",
    "cd data",
    "matplotlib inline",
    "if True:\n    !ls\n    %cd x\nelse:\n    !pwd",
    "with x:\n    !ls \\\n      -l\n    y = 1",
    "print('a %s'\n      % x)",
    "x = (5\n % y)",
    "x = (a\n    %b)",
    "msg = 'a %s' \\\n  % x",
    's = """\n%not magic\n!neither\n"""',
    "s = '''%a\n'''\n%time y",
    '# it\'s """ a comment\n%time y',
    "x = 'what?'",
    "x = y != z",
    "    x = 1\n    y = 2",
    "await f()",
    "return 5",
    "async with a as b:\n    pass",
    "plt.show();",
    "x = 'a\u2028b'",
    "x = '\\d'",
    ";f a b",
    "",
    "\n\n",
]


@pytest.mark.parametrize("magic", MAGICS)
def test_magics_hide_neither_their_cell_nor_the_next(tmp_path: Path, magic: str) -> None:
    text = notebook(f"{magic}\n{LOAD}", "more = pickle.load(g)")
    line = f"{magic}\n{LOAD}".count("\n") + 1
    assert places(tmp_path, text) == [("QSA201", 1, line), ("QSA201", 2, 1)]


@pytest.mark.parametrize(
    "name", ["%%bash", "%%sh", "%%html", "%%R", "%%writefile notes.txt", "%%sql"]
)
def test_a_cell_of_another_language_is_no_python(tmp_path: Path, name: str) -> None:
    text = notebook(f"{name}\nif then ( fi\npickle.load(f)", LOAD)
    assert places(tmp_path, text) == [("QSA201", 2, 2)]
    magics = read_notebook("a.ipynb", text).magics
    assert [each for _, each in magics] == [name, "if then ( fi", "pickle.load(f)"]


@pytest.mark.parametrize(
    "cell",
    [
        f"%%time\n{LOAD}",
        f"%%writefile app.py\n{LOAD}",
        "import pickle\n%time model = pickle.load(f)",
        "import pickle\n%timeit -n 10 -r3 pickle.load(f)",
    ],
)
def test_python_in_magics_is_examined(tmp_path: Path, cell: str) -> None:
    (finding,) = found(tmp_path, notebook(cell))
    line = finding.code[finding.place.line - finding.code_line]
    assert line[finding.place.column - 1 :].startswith("pickle.load(f)")


def test_a_broken_cell_does_not_hide_the_others(tmp_path: Path) -> None:
    text = notebook(LOAD, "x = 1\ndef broken(:", "print 'two'", "y = '''", "pickle.load(g)")
    assert places(tmp_path, text) == [
        ("QSA201", 1, 2),
        ("QSA001", 2, 2),
        ("QSA001", 3, 1),
        ("QSA001", 4, 1),
        ("QSA201", 5, 1),
    ]
    message = found(tmp_path, text)[1].message
    assert message.startswith("this file has a cell that is not valid Python: ")


@pytest.mark.parametrize("bad", ["x = '\x00'", "\ud83d = 1", "(" * 500, "x = (", "if x:", "\\"])
def test_cells_that_no_parser_likes(tmp_path: Path, bad: str) -> None:
    text = json.dumps(json.loads(notebook(LOAD, "BAD")) | {}).replace('"BAD"', json.dumps(bad))
    assert places(tmp_path, text) == [("QSA201", 1, 2), ("QSA001", 2, 1)]


def test_the_line_of_the_file_in_other_layouts(tmp_path: Path) -> None:
    raw = json.loads(notebook(("markdown", "words"), LOAD))
    (one,) = found(tmp_path, json.dumps(raw))
    assert (one.place.cell, one.place.line, one.place.file_line) == (2, 2, 1)
    for cell in raw["cells"]:
        cell["source"] = "".join(cell["source"])
    text = json.dumps(raw, indent=1)
    (whole,) = found(tmp_path, text)
    assert "pickle.load(f)" in text.split("\n")[whole.place.file_line - 1]
    assert whole.place.line == 2


def test_outputs_do_not_disturb_the_lines(tmp_path: Path) -> None:
    raw = json.loads(notebook("x = 1", LOAD))
    raw["cells"][0]["outputs"] = [
        {"output_type": "stream", "text": ["model = pickle.load(f)\n"] * 5000},
        {"output_type": "display_data", "data": {"image": {"source": "x", "input": ["y"]}}},
    ]
    text = json.dumps(raw, indent=1)
    (finding,) = found(tmp_path, text)
    lines = text.split("\n")
    assert "pickle.load(f)" in lines[finding.place.file_line - 1]
    assert finding.place.file_line > 5000


def test_version_3(tmp_path: Path) -> None:
    old = {
        "nbformat": 3,
        "metadata": {},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "source": ["Title"]},
                    {"cell_type": "code", "input": LOAD.splitlines(keepends=True), "outputs": []},
                ]
            }
        ],
    }
    text = json.dumps(old, indent=1)
    (finding,) = found(tmp_path, text)
    assert (finding.place.cell, finding.place.line) == (2, 2)
    assert "pickle.load(f)" in text.split("\n")[finding.place.file_line - 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a notebook"),
        ("{", "is not a notebook"),
        ("[]", "not a notebook"),
        ("{}", "has no cells"),
        ('{"cells": 5}', "cells are no list"),
        ("[" * 100_000, "nested too deeply"),
        (notebook("x <- 1", language_info={"name": "R"}), "notebook of r"),
        (notebook("x", kernelspec={"language": "julia"}), "notebook of julia"),
    ],
    ids=range(8),
)
def test_what_is_no_notebook_of_python(tmp_path: Path, text: str, reason: str) -> None:
    (finding,) = found(tmp_path, text)
    assert finding.rule == "QSA001"
    assert reason in finding.message


@pytest.mark.parametrize(
    "raw",
    [
        {"cells": []},
        {"cells": [5, None, "x", {}, {"cell_type": "code"}, {"cell_type": "code", "source": 5}]},
        {"cells": [{"cell_type": "code", "source": ["x = 1", 5, None], "outputs": "no"}]},
        {"cells": [{"cell_type": "code", "source": "", "outputs": [5, {"text": 5, "data": 5}]}]},
        {"worksheets": [5, {"cells": [5]}, {}]},
        {"worksheets": "no"},
        {"cells": [], "metadata": {"language_info": 5, "kernelspec": {"language": 5}}},
    ],
    ids=range(7),
)
def test_odd_notebooks_are_read(tmp_path: Path, raw: dict[str, object]) -> None:
    assert found(tmp_path, json.dumps(raw)) == []


def test_letters_of_all_kinds(tmp_path: Path) -> None:
    text = notebook("# Привет 量子 🐍\nname = 'ü'; import pickle; pickle.load(f)")
    (finding,) = found(tmp_path, text)
    line = finding.code[finding.place.line - finding.code_line]
    assert line[finding.place.column - 1 :].startswith("pickle.load(f)")


def test_outputs_and_markdown_belong_to_their_cell() -> None:
    raw = json.loads(notebook("x = 1\ny = 2", ("markdown", "words"), "z = 3"))
    raw["cells"][2]["outputs"] = [{"text": ["a\n", "b"]}, {"data": {"text/plain": "c"}}]
    source = read_notebook("a.ipynb", json.dumps(raw))
    assert source.outputs == ((2, "words"), (3, "a\nbc"))
    assert source.text == "x = 1\ny = 2\nz = 3\n"


@given(st.lists(st.text(alphabet="ab=1 \n%!?\\\"'()#\t{}", max_size=60), max_size=4))
def test_any_cells_keep_their_number_of_lines(cells: list[str]) -> None:
    source = read_notebook("a.ipynb", notebook(*cells))
    assert source.text.count("\n") == max(1, sum(cell.n_lines for cell in source.cells))
    assert len(source.shown) == sum(cell.n_lines for cell in source.cells)
    for number in range(1, len(source.shown) + 1):
        place = source.place(number, 1, number, 1)
        assert place.cell is not None
        assert 1 <= place.line <= source.cells[place.cell - 1].n_lines
