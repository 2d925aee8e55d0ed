"""What a scan costs: lines in a second, peak memory, and the time until it starts.

Every row is a process of its own over the same folders: `bezoar scan` with one process and with
two, with nothing remembered and then from its cache, and, as context, `ruff check --select S` and
bandit where they are installed; they look for other things, and for fewer of them. Without folders
the installed packages of Qiskit and PennyLane are read. A run over half a minute is measured once,
shorter ones three times, the fastest being told. Memory is that of the process and its children,
the largest sum that was seen.

    python benchmarks/scan.py [FOLDER ...] [--rounds 3]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_PACKAGES = ("qiskit", "qiskit_aer", "pennylane")
_SLOW = 30.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


def installed() -> list[Path]:
    """The folders of the packages that are here."""
    found = []
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent)
    return found


def copied(folders: Sequence[Path], to: Path) -> int:
    """Copies the Python files to where nothing excludes them; how many lines they have."""
    n_lines = 0
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            target = to / folder.name / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            n_lines += file.read_bytes().count(b"\n")
    return n_lines


class Memory(threading.Thread):
    """Watches how much memory a process and its children hold together."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._root = root
        self._done = threading.Event()

    def run(self) -> None:
        """Looks twenty times a second."""
        while not self._done.wait(0.05):
            self.peak = max(self.peak, sum(map(_resident, _family(self._root))))

    def stop(self) -> int:
        """Ends the watch; the most that was held, in bytes."""
        self._done.set()
        self.join()
        return self.peak


def _family(root: int) -> list[int]:
    found = [root]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def measured(
    command: Sequence[str | Path], rounds: int, environment: dict[str, str]
) -> tuple[float, float, int]:
    """Seconds on the clock and of the processors of the fastest run, and its peak memory."""
    best = (float("inf"), 0.0, 0)
    for _ in range(rounds):
        before = os.times()
        began = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        memory = Memory(process.pid)
        memory.start()
        code = process.wait()
        wall = time.perf_counter() - began
        after = os.times()
        peak = memory.stop()
        if code not in (0, 1):
            raise RuntimeError(f"{command} ended with {code}")
        used = after.children_user + after.children_system
        used -= before.children_user + before.children_system
        best = min(best, (wall, used, peak))
        if wall > _SLOW:
            break
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*", type=Path, help="what is read")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folders = options.folders or installed()
    scripts = Path(sys.executable).parent
    bezoar = [scripts / "bezoar", "scan"]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        tree, empty, result = place / "tree", place / "empty.py", place / "result.json"
        n_lines = copied(folders, tree)
        empty.write_text("")
        out = ["--format", "json", "--out", result]
        # As installed: with bytecode, and nothing of the user's own.
        environment = {key: text for key, text in os.environ.items() if key[:6] != "PYTHON"}
        environment |= {
            "XDG_CACHE_HOME": str(place / "cache"),
            "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        }
        measured([*bezoar, empty], 1, environment)
        rows: list[tuple[str, list[str | Path], int]] = [
            ("bezoar scan, 1 process", [*bezoar, tree, *out, "--no-cache", "--jobs", "1"], n_lines),
            (
                "bezoar scan, 2 processes",
                [*bezoar, tree, *out, "--no-cache", "--jobs", "2"],
                n_lines,
            ),
            ("bezoar scan, all remembered", [*bezoar, tree, *out, "--jobs", "1"], n_lines),
            ("bezoar scan empty.py", [*bezoar, empty], 0),
        ]
        others = {
            "ruff check --select S": ["check", "--isolated", "--no-cache", "--select", "S", "-q"],
            "bandit": ["-r", "-q", "-f", "json"],
        }
        for name, words in others.items():
            program = shutil.which(
                name.split()[0], path=f"{scripts}{os.pathsep}{os.environ['PATH']}"
            )
            if program is not None:
                rows.append((name, [program, *words, tree], n_lines))
        print(f"{n_lines:,} lines of {', '.join(folder.name for folder in folders)}")
        print(f"{'':28} {'seconds':>8} {'CPU':>8} {'lines/s':>9} {'MiB':>6}")
        for name, command, lines in rows:
            if "remembered" in name:
                measured(command, 1, environment)
            wall, used, peak = measured(command, options.rounds, environment)
            speed = f"{lines / wall:,.0f}" if lines else ""
            print(f"{name:28} {wall:8.2f} {used:8.2f} {speed:>9} {peak / 2**20:6.0f}", flush=True)
        found = json.loads(result.read_text())
        broken = sum(each["rule"] == "QSA001" for each in found["findings"])
        print(
            f"{found['n_files']:,} files, {len(found['findings']):,} findings, {broken} of them of"
            " files that could not be read"
        )


if __name__ == "__main__":
    main()
