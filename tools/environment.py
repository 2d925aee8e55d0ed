"""Makes `.venv` and installs Bezoar into it; does nothing when that is done already.

`make` calls it, with the Python that `.venv` shall have: ``python3 tools/environment.py [--test]
[--named] [--constraints FILE]``. It needs the standard library alone.

`.venv/bezoar.json` says what a *finished* installation was made from. It is removed before pip
starts and written after pip is done, so an interrupted installation has none, and the next run
starts from an empty `.venv`: pip itself cannot tell a half-unpacked package from a whole one.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "bezoar.json"
PLUGIN = Path("plugins", "example")


def main() -> int:
    """Brings `.venv` to the wanted state; returns an exit code."""
    parser = argparse.ArgumentParser(description="Make .venv and install Bezoar into it.")
    parser.add_argument("--test", action="store_true", help="with all that the tests need")
    parser.add_argument("--constraints", default="", metavar="FILE", help="exact versions to take")
    parser.add_argument(
        "--named", action="store_true", help="make .venv anew where its Python is another than this"
    )
    options = parser.parse_args()
    if importlib.util.find_spec("ensurepip") is None:
        return complain(
            f"{sys.executable} comes without the modules that make virtual environments. "
            "Install them (Debian and Ubuntu: apt-get install python3-venv), then run make again."
        )
    os.chdir(ROOT)
    # A second `make` waits here: two pips in one environment would spoil it. A file system
    # without locks is no reason to refuse.
    folder = os.open(ROOT, os.O_RDONLY)
    with contextlib.suppress(OSError):
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        return prepare(test=options.test, named=options.named, constraints=options.constraints)
    except KeyboardInterrupt:
        return complain("\nInterrupted; run make again to finish.")


def prepare(*, test: bool, named: bool, constraints: str) -> int:
    """Makes or mends `.venv`, and installs where what is installed is not what is wanted."""
    try:
        wanted = wish(constraints)
    except OSError as error:
        return complain(f"{error.filename} cannot be read ({error.strerror}).")
    found = read_stamp()
    if found.get("place") != wanted["place"] or (named and found.get("python") != wanted["python"]):
        found = {}
    elif found.get("sources") == wanted["sources"] and (found.get("test") or not test):
        return 0
    try:
        if not found:
            say("Making .venv")
            venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(VENV)
        STAMP.unlink(missing_ok=True)
        # What the tests need stays installed when an audit finds that the pins changed.
        test = test or bool(found.get("test"))
        say("Installing Bezoar" + (" with what the tests need" if test else ""))
        install(test=test, constraints=constraints)
    except (OSError, subprocess.CalledProcessError) as error:
        return complain(
            f"The installation did not finish ({error}). See what was said above it; "
            "when that is mended, run make again: it starts afresh."
        )
    stamp = {**wanted, "python": found.get("python", wanted["python"]), "test": test}
    STAMP.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    return 0


def wish(constraints: str) -> dict[str, str]:
    """What the installation depends on: a change of any of it means installing anew."""
    sources = [Path("pyproject.toml"), PLUGIN / "pyproject.toml"]
    sources += [Path(constraints)] if constraints else []
    digest = hashlib.sha256()
    for source in sources:
        text = source.read_bytes()
        digest.update(f"{source} {len(text)}\n".encode() + text)
    # Scripts in `.venv` and editable installations hold absolute paths: a moved folder needs new.
    return {"place": str(ROOT), "python": sys.version, "sources": digest.hexdigest()}


def read_stamp() -> dict[str, object]:
    """What `.venv` was made from; empty when it is not there, not finished or does not start."""
    try:
        subprocess.run([PYTHON, "-c", ""], check=True, capture_output=True)  # noqa: S603 - fixed
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def install(*, test: bool, constraints: str) -> None:
    """Runs pip; editable, so that a change of the code needs no installation."""
    command = [PYTHON, "-m", "pip", "install"]
    if constraints:
        command += ["--constraint", constraints]
    else:
        command += ["--upgrade", "--upgrade-strategy", "eager"]
    command += ["--editable", ".[test]", "--editable", str(PLUGIN)] if test else ["--editable", "."]
    subprocess.run(command, check=True)  # noqa: S603 - built above


def say(text: str) -> None:
    """Tells the person at the terminal, before pip speaks."""
    sys.stdout.write(f"== {text}\n")
    sys.stdout.flush()


def complain(text: str) -> int:
    """One line to standard error; returns the exit code of a failure."""
    sys.stderr.write(f"{text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
