"""Files that are not Python: what kind they are, and what a rule gets to see of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bezoar.scan.project_facts import ProjectFacts

DocumentKind = Literal[
    "requirements",
    "pyproject",
    "setup-cfg",
    "environment",
    "lock",
    "dockerfile",
    "shell",
    "github-workflow",
    "gitlab-ci",
    "settings",
    "artefact",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file that is not Python.

    Attributes:
        path: relative to the scanned folder, with forward slashes.
        kind: what it is; ``settings`` is any other small JSON, YAML, TOML, INI or .env file.
        text: its text; "" for artefacts, which are read by their own modules.
        file: where it lies.
        project: what is known of the project around it.
    """

    path: str
    kind: DocumentKind
    text: str
    file: Path
    project: ProjectFacts

    @property
    def lines(self) -> list[str]:
        """The text in lines, without their ends."""
        return self.text.splitlines()
