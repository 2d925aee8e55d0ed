"""Starting is quick: what is heavy is loaded by the command that needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, finished, python, start

from bezoar._version import __version__

HEAVY = ("torch", "numpy", "scipy", "sklearn", "pyarrow", "jinja2", "rich")

_LOADED = f"""
import sys
{{}}
print([name for name in {HEAVY!r} if name in sys.modules])
"""

_MAIN = """
from bezoar.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
"""


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    answer = python(_LOADED.format("import bezoar"), folder=tmp_path)
    assert answer.out == "[]\n", answer.error


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["audit", "--help"],
        ["poison", "--help"],
        ["report", "--help"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_help_and_version_load_nothing(tmp_path: Path, words: list[str]) -> None:
    answer = python(_LOADED.format(_MAIN), *words, folder=tmp_path)
    assert answer.out.splitlines()[-1] == "[]", answer


def test_a_report_needs_neither_torch_nor_numpy(tmp_path: Path) -> None:
    answer = python(_LOADED.format(_MAIN), "report", "missing", folder=tmp_path)
    assert "'torch'" not in answer.out
    assert "'numpy'" not in answer.out
    assert "cannot be read" in answer.error


def test_the_installed_command_is_this_package(tmp_path: Path) -> None:
    answer = finished(start("--version", folder=tmp_path))
    assert (answer.code, answer.out, answer.error) == (0, f"bezoar {__version__}\n", "")


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    process = start("list", "ansatze", folder=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    answer = finished(process)
    assert answer.code == 0
    assert answer.error == ""


@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [("audit irs", "2>&-", 4), ("list attacks", ">&-", 0), ("report missing", "2>&-", 2)],
)
def test_streams_that_the_caller_closed_change_no_exit_code(
    tmp_path: Path, words: str, closed: str, code: int
) -> None:
    line = f'"$0" "$1" {words} {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, COMMAND], cwd=tmp_path, check=False, timeout=120
    )
    assert done.returncode == code


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" "$1" list attacks > /dev/full', sys.executable, COMMAND],
        cwd=tmp_path,
        env={name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == "bezoar: the system refused: [Errno 28] No space left on device\n"


def test_a_terminal_of_few_letters_is_no_failure(tmp_path: Path) -> None:
    words = "audit iris --noise none --attacks random --ratios 0.3 --seeds 2 --epochs 1 --out run"
    answer = finished(start(*words.split(), folder=tmp_path, PYTHONIOENCODING="ascii"))
    assert answer.code in (0, 1)
    assert answer.error == ""
    assert answer.out.isascii()
    shown = finished(start("report", "run", folder=tmp_path, PYTHONIOENCODING="ascii"))
    assert shown.code == 0
    # The page says that it is UTF-8, and is.
    assert shown.out == (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
