"""Which lines changed since a git revision."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bezoar.contracts.errors import InvalidArgument

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(r"\\([abtnvfr\"\\]|[0-7]{3})")
_ESCAPES = dict(zip('abtnvfr"\\', '\a\b\t\n\v\f\r"\\', strict=True))
_TIMEOUT = 120


def changed_lines(root: Path, revision: str) -> dict[str, set[int] | None]:
    """Path relative to `root` to its changed lines; None for a file that is new as a whole.

    Committed, staged, unstaged and untracked changes all count.

    Raises:
        InvalidArgument: `root` is in no git repository, or it has no such revision.
    """
    if revision.startswith("-"):
        raise InvalidArgument("diff", wanted="a git revision", got=repr(revision))
    top = _git(root, revision, "rev-parse", "--show-toplevel").strip()
    _git(root, revision, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    # Whatever the user's own settings of git say, the form must be this one.
    text = _git(
        root,
        revision,
        "-C",
        top,
        "-c",
        "core.quotepath=off",
        "diff",
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-relative",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        revision,
    )
    found = _hunks(text)
    others = _git(root, revision, "-C", top, "ls-files", "--others", "--exclude-standard", "-z")
    result: dict[str, set[int] | None] = dict(found)
    result.update(dict.fromkeys(name for name in others.split("\0") if name))
    base = Path(top)
    return {_relative(base / name, root): lines for name, lines in result.items()}


def _hunks(text: str) -> dict[str, set[int]]:
    """Path to the lines that hunks of a diff without context give it."""
    found: dict[str, set[int]] = {}
    path = ""
    left = 0
    for line in text.split("\n"):
        if left and line[:1] in "+-":
            # Of a hunk's own lines none is a header, whatever it looks like.
            left -= 1
        elif line.startswith("+++ "):
            path = _unquoted(line[4:].split("\t")[0])
            path = path[2:] if path.startswith("b/") else ""
            if path:
                found.setdefault(path, set())
        else:
            match = _HUNK.match(line)
            if match:
                removed, first, added = int(match[1] or 1), int(match[2]), int(match[3] or 1)
                left = removed + added
                if path:
                    found[path].update(range(first, first + added))
    return found


def _unquoted(name: str) -> str:
    """A name as git writes it: with control characters it is in quotes, with escapes of C."""
    if not (name.startswith('"') and name.endswith('"')):
        return name
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1]) or chr(int(match[1], 8)), name[1:-1])


def _relative(file: Path, root: Path) -> str:
    try:
        return file.relative_to(root.resolve()).as_posix()
    except ValueError:
        return file.as_posix()


def _git(root: Path, revision: str, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - git, with arguments that are no options
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=root,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidArgument(
            "diff", wanted="git to compare with", got=str(error), mend="scan without --diff"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no such revision"])[-1]
        raise InvalidArgument(
            "diff",
            wanted="a revision of the repository around the scanned folder",
            got=f"{revision!r} ({reason})",
        )
    return done.stdout
