"""The command as a user runs it, in this process or in one of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from bezoar.cli.main import main

#: An audit that takes a fraction of a second.
QUICK = "--noise none --attacks random --ratios 0.3 --seeds 1 --epochs 1"

#: The installed command.
COMMAND = str(Path(sysconfig.get_path("scripts")) / "bezoar")


@dataclass(frozen=True)
class Answer:
    """What a command returned and wrote."""

    code: int | str | None
    out: str
    error: str


class Terminal:
    """Runs command lines in this process, which is quicker than one of their own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, line: str, *more: object) -> Answer:
        """Runs ``bezoar`` with the words of `line` and `more` arguments as they are."""
        self._capsys.readouterr()
        try:
            code: int | str | None = main([*shlex.split(line), *map(str, more)])
        except SystemExit as error:
            code = error.code
        written = self._capsys.readouterr()
        return Answer(code, written.out, written.err)


def refused(answer: Answer, code: int) -> str:
    """The one line on stderr of a command that failed as it should."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.error.startswith("bezoar: ")
    assert answer.error.count("\n") == 1
    assert answer.error.endswith("\n")
    assert "Traceback" not in answer.error
    assert "unexpected" not in answer.error
    return answer.error


def start(*words: object, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own; one torch thread, no bytecode files."""
    away = ("PYTEST", "COV", "PYTHONUNBUFFERED")
    clean = {name: text for name, text in os.environ.items() if not name.startswith(away)}
    fixed = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    # A shell that starts tests in the background lets them ignore Ctrl-C, and children inherit it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, COMMAND, *map(str, words)],
            cwd=folder,
            env=clean | fixed | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, before)


def finished(process: subprocess.Popen[str]) -> Answer:
    """What the process said, once it is over."""
    out, error = process.communicate(timeout=120)
    return Answer(process.returncode, out, error)


def python(code: str, *words: object, folder: Path) -> Answer:
    """A few lines of Python in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
