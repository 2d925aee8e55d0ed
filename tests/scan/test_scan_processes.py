"""Several processes say what one says; an interruption ends them all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scan_projects import PICKLE, notebook, scanned, write

from bezoar.scan import workload
from bezoar.scan.scanner import scan
from bezoar.scan.settings import ScanSettings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sixty files that import each other in circles, and some that are broken."""
    files: dict[str, str | bytes] = {}
    for number in range(60):
        following = (number * 7 + 3) % 60
        files[f"pkg/m{number}.py"] = (
            f"import pickle\nfrom flask import request\nfrom pkg import m{following}\n\n\n"
            f"def load{number}(path):\n    return m{following}.load{following}(path)\n\n\n"
            f"def use{number}():\n    return pickle.load(open(request.args['p']))\n"
        )
    files |= {"pkg/__init__.py": "", "bad.py": "def (", "n.ipynb": notebook(PICKLE, "def (")}
    files |= {"requirements.txt": "qiskit==0.45.0\n", "latin.py": b"# \xe9\n" + PICKLE.encode()}
    return write(tmp_path / "project", files)


def test_two_processes_say_what_one_says(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "_MIN_BYTES_TO_SPREAD", 0)
    neither = {"started": "", "wall_seconds": 0.0}
    one, two, cached = (
        dataclasses.replace(scanned(project, jobs=jobs, cache=cache), **neither)
        for jobs, cache in ((1, False), (2, False), (2, True))
    )
    assert len(one.findings) > 60
    assert one.to_json() == two.to_json() == cached.to_json()


def test_progress_is_told(project: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(task: str, done: int, total: int) -> None:
        told.append((task, done, total))

    scan([project], ScanSettings(cache=False, jobs=1), root=project, progress=tell)
    files = [(done, total) for task, done, total in told if task == "files"]
    assert files[0][0] == 1
    assert files[-1][0] == files[-1][1] == 64


def running(group: int) -> dict[int, str]:
    """The processes of a group that have not ended."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = file.read_text().partition("(")[2].rpartition(")")
            state, _, its_group = rest.split()[:3]
            if int(its_group) == group and state not in "ZX":
                found[int(file.parent.name)] = name
    return found


_LONG = """
import signal, sys
from pathlib import Path
from bezoar.scan import workload
from bezoar.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
workload._MIN_BYTES_TO_SPREAD = 0
if __name__ == "__main__":
    sys.exit(main(["scan", sys.argv[1], "--jobs", sys.argv[2]]))
"""


def started(folder: Path, cache: Path, jobs: str) -> subprocess.Popen[str]:
    """A scan of some seconds that has begun, in a group of processes of its own."""
    body = "".join(
        f"def f{n}(a, b=1):\n    return [a.x + b * {n} for a in b]\n" for n in range(400)
    )
    write(folder / "project", {f"m{number}.py": body for number in range(120)})
    (folder / "run.py").write_text(_LONG)
    process = subprocess.Popen(
        [sys.executable, str(folder / "run.py"), str(folder / "project"), jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    end = time.monotonic() + 60
    while not list(cache.rglob("*.sqlite")) and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_all_processes_with_one_line(
    tmp_path: Path, own_cache: Path, jobs: str
) -> None:
    process = started(tmp_path, own_cache, jobs)
    # A terminal sends it to all of them.
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error.startswith("bezoar: interrupted")
    assert error.count("\n") == 1
    end = time.monotonic() + 60
    while left := running(process.pid):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_a_process_that_is_killed_is_told_in_one_line(tmp_path: Path, own_cache: Path) -> None:
    process = started(tmp_path, own_cache, "2")
    others = [
        each
        for each in running(process.pid)
        if each != process.pid and b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]
    os.kill(others[0], signal.SIGKILL)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error.startswith("bezoar: a process of the scan was ended from outside")
    assert error.count("\n") == 1
