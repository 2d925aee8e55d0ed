"""Which state of a working tree something was made of."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit(folder: Path | None = None, *, digits: int = 12) -> str:
    """The git commit of `folder`, ``-dirty`` where it has changes; "" outside git.

    Args:
        folder: the current one without.
        digits: how many digits of the hash, 40 for all.
    """
    head = _git(folder, "rev-parse", f"--short={digits}", "HEAD")
    if not head:
        return ""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}-dirty" if changed else head


def _git(folder: Path | None, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
