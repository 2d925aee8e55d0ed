"""What kind of file a name stands for."""

from __future__ import annotations

import re

from bezoar.scan.documents import DocumentKind

_NAMES: dict[str, DocumentKind] = {
    "pyproject.toml": "pyproject",
    "pipfile": "pyproject",
    "setup.cfg": "setup-cfg",
    "pipfile.lock": "lock",
    "poetry.lock": "lock",
    "uv.lock": "lock",
    "pdm.lock": "lock",
    "action.yml": "github-workflow",
    "action.yaml": "github-workflow",
    ".gitlab-ci.yml": "gitlab-ci",
    ".gitlab-ci.yaml": "gitlab-ci",
    "procfile": "shell",
    "makefile": "shell",
    "gnumakefile": "shell",
    "postbuild": "shell",
    ".env": "settings",
}
#: Written by other package managers: large, and of no use here.
_LEFT_OUT = frozenset(
    {"package-lock.json", "composer.lock", "yarn.lock", "pnpm-lock.yaml", "pixi.lock"}
)
_REQUIREMENTS = re.compile(
    r"(?:.*[-_.])?(?:requirements?|reqs?|constraints?)(?:[-_.].*)?\.(?:txt|in|pip)\Z"
)
_ENVIRONMENT = re.compile(
    r"(?:(?:.*[-_.])?environment(?:[-_.].*)?|(?:.*[-_.])?(?:conda[-_]?)?env|conda(?:[-_].*)?)\.ya?ml\Z"
)
_CONDA_LOCK = re.compile(r"(?:.*[-_.])?conda-lock\.ya?ml\Z")
_DOCKERFILE = re.compile(
    r"(?:(?:dockerfile|containerfile)(?:[-_.](?!md\Z|txt\Z).*)?|.*\.dockerfile)\Z"
)
_SETTINGS = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".env")


def document_kind(name: str, parts: tuple[str, ...] = ()) -> DocumentKind | None:
    """The kind of a file, None for one that no document rule reads.

    Args:
        name: the file's name, or its path.
        parts: the folders above it, from the scanned one down; the name may come last.

    Example:
        >>> document_kind("requirements-dev.txt"), document_kind("ci.yml", (".github", "workflows"))
        ('requirements', 'github-workflow')
    """
    *above, lower = name.lower().replace("\\", "/").split("/")
    folders = tuple(part.lower() for part in parts) or tuple(above)
    if folders[-1:] == (lower,):
        folders = folders[:-1]
    if lower in _LEFT_OUT:
        return None
    if lower in _NAMES:
        return _NAMES[lower]
    if lower.endswith((".yml", ".yaml")):
        return _yaml_kind(lower, folders)
    if _REQUIREMENTS.match(lower) is not None:
        return "requirements"
    if lower.endswith((".txt", ".in")) and folders[-1:] in (("requirements",), ("reqs",)):
        return "requirements"
    if _DOCKERFILE.match(lower) is not None:
        return "dockerfile"
    if lower.endswith((".sh", ".bash", ".mk")):
        return "shell"
    if lower.startswith(".env.") or lower.endswith(_SETTINGS):
        return "settings"
    return None


def _yaml_kind(lower: str, folders: tuple[str, ...]) -> DocumentKind:
    if folders[-2:] == (".github", "workflows"):
        return "github-workflow"
    if lower.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")) or ".gitlab" in folders:
        return "gitlab-ci"
    if _CONDA_LOCK.match(lower) is not None:
        return "lock"
    if _ENVIRONMENT.match(lower) is not None:
        return "environment"
    return "settings"
