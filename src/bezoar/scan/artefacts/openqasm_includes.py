"""What an OpenQASM file takes from outside itself: files, functions, pulses, hints to compilers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bezoar.scan.artefacts.archives import leads_outside
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.openqasm_source import Source, Statement

#: Files that every parser brings itself: OpenQASM 2's and OpenQASM 3's standard gates.
STANDARD_INCLUDES = frozenset(("qelib1.inc", "stdgates.inc"))

_INCLUDE = re.compile(r"include\s*([\"'])(.*?)\1", re.DOTALL)
_DEFCAL = re.compile(r"defcal\s+([A-Za-z_]\w*)")
_EXTERN = re.compile(r"extern\s+([A-Za-z_]\w*)")
#: Amazon Braket's own hints; part of its documented dialect.
_KNOWN_PRAGMA = re.compile(r"#?pragma\s+braket\b")
_LONGEST_NAME = 255


def include_issues(source: Source, folder: Path) -> Iterator[Issue]:
    """What the file reaches outside itself.

    Args:
        source: the file.
        folder: where it lies, to see whether what it includes lies beside it.
    """
    for statement in source.every():
        word = statement.word
        if word == "include":
            yield from _include(source, statement, folder)
        elif word == "extern":
            match = _EXTERN.match(statement.code)
            if match:
                message = f"it calls the function {shown(match.group(1))} of the machine it runs on"
                yield _issue(source, statement, message, "low")
        elif word == "defcal":
            match = _DEFCAL.match(statement.code)
            if match:
                message = f"it replaces the pulses behind {shown(match.group(1))} (defcal)"
                yield _issue(source, statement, message, "low")
        elif word in ("pragma", "#pragma") and not _KNOWN_PRAGMA.match(statement.code):
            message = f"it gives the compiler an order of its own: {shown(statement.code)}"
            yield _issue(source, statement, message, "low")


def _include(source: Source, statement: Statement, folder: Path) -> Iterator[Issue]:
    match = _INCLUDE.match(statement.code)
    name = match.group(2) if match else ""
    if not match or name in STANDARD_INCLUDES:
        return
    if leads_outside(name) or name.startswith("~") or "://" in name:
        message = f"it includes {shown(name)}, which lies outside its own folder"
        yield _issue(source, statement, message, "high")
    elif _lies_in(folder, name):
        message = f"it includes {shown(name)}, a file beside it, which parsers open"
        yield _issue(source, statement, message, "low")
    else:
        message = (
            f"it includes {shown(name)}, which is not here: parsers open whatever file of that "
            "name lies where they run"
        )
        yield _issue(source, statement, message, "medium")


def _lies_in(folder: Path, name: str) -> bool:
    if "\0" in name or len(name) > _LONGEST_NAME:
        return False
    try:
        return (folder / name).is_file()
    except OSError:
        return False


def _issue(source: Source, statement: Statement, message: str, severity: str) -> Issue:
    return Issue(
        topic="include",
        severity="high" if severity == "high" else "medium" if severity == "medium" else "low",
        message=message,
        where=source.where(statement.offset, statement.end),
    )
