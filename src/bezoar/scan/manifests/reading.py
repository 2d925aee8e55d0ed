"""Reads any manifest by its name and kind; what cannot be read says why instead of raising."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from bezoar.scan.manifests.pip_files import Include
from bezoar.scan.manifests.requirement import Requirement

#: Larger files are no manifests that people or lock programs write.
LONGEST = 20_000_000
_PYTHON_IMAGE = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)?(?:\S*/)?python:(\d+\.\d+)", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """Why a manifest could not be read, and the line that stopped it."""

    reason: str
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one file says about what is installed.

    Attributes:
        requirements: in the order of the file.
        includes: the files it names with ``-r`` and ``-c``.
        python_requires: the specifier of Python versions, "" where it says none.
        name: the project's, "" where it says none.
        is_package: it can be built and installed by others.
        problem: set where the file cannot be read; everything else is empty then.
    """

    requirements: tuple[Requirement, ...] = ()
    includes: tuple[Include, ...] = ()
    python_requires: str = ""
    name: str = ""
    is_package: bool = False
    problem: Unparsed | None = None


@functools.lru_cache(maxsize=32)
def read_manifest(path: str, kind: str, text: str) -> Manifest:
    r"""Reads one file.

    Args:
        path: its name decides where several formats share a kind.
        kind: as `bezoar.scan.manifests.kinds.document_kind` names it; ``setup.py`` is known by
            its path.
        text: its content.

    Example:
        >>> read_manifest("pyproject.toml", "pyproject", "[project\n").problem.line
        1
    """
    if len(text) > LONGEST:
        return Manifest(problem=Unparsed(reason=f"is longer than {LONGEST} characters"))
    try:
        return _read(path.rpartition("/")[2].lower(), kind, text.removeprefix("\ufeff"))
    except (RecursionError, MemoryError):
        return Manifest(problem=Unparsed(reason="is nested too deeply"))
    except (ValueError, SyntaxError) as error:
        # tomllib, configparser and YAML errors are ValueErrors or made so below.
        return Manifest(problem=Unparsed(reason=_reason(error), line=_line(error)))


def _read(name: str, kind: str, text: str) -> Manifest:
    if name == "setup.py":
        return _project("read_setup_py", text)
    if name == "pipfile":
        return _project("read_pipfile", text)
    if kind == "requirements":
        return _pip(name, text)
    if kind in ("dockerfile", "shell"):
        return _script(kind, text)
    if kind in ("github-workflow", "gitlab-ci"):
        from bezoar.scan.manifests.workflows import read_workflow

        return Manifest(requirements=read_workflow(text))
    if kind == "lock":
        return Manifest(requirements=_lock(name, text))
    reader = {
        "pyproject": "read_pyproject",
        "setup-cfg": "read_setup_cfg",
        "environment": "read_environment",
    }.get(kind)
    return _project(reader, text) if reader is not None else Manifest()


def _pip(name: str, text: str) -> Manifest:
    from bezoar.scan.manifests.pip_files import read_pip_file

    group = "constraint" if "constraint" in name else "main"
    found = read_pip_file(text, group=group)
    return Manifest(requirements=found.requirements, includes=found.includes)


def _script(kind: str, text: str) -> Manifest:
    from bezoar.scan.manifests.commands import requirements_in_script

    dockerfile = kind == "dockerfile"
    python = _PYTHON_IMAGE.search(text) if dockerfile else None
    return Manifest(
        requirements=tuple(requirements_in_script(text, dockerfile=dockerfile)),
        python_requires=f"=={python[1]}.*" if python is not None else "",
    )


def _lock(name: str, text: str) -> tuple[Requirement, ...]:
    from bezoar.scan.manifests import lock_files

    if name == "pipfile.lock":
        return lock_files.read_pipfile_lock(text)
    if name.endswith((".yml", ".yaml")):
        return lock_files.read_conda_lock(text)
    return lock_files.read_toml_lock(text)


def _project(reader: str, text: str) -> Manifest:
    import configparser

    from bezoar.scan.manifests import environments, pyproject, setup_files

    module = {
        "read_setup_py": setup_files,
        "read_setup_cfg": setup_files,
        "read_environment": environments,
    }.get(reader, pyproject)
    try:
        found: pyproject.Pyproject = getattr(module, reader)(text)
    except configparser.Error as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    return Manifest(
        requirements=found.requirements,
        python_requires=found.python_requires,
        name=found.name,
        is_package=found.is_package,
    )


def _reason(error: Exception) -> str:
    return getattr(error, "msg", "") or str(error).partition("\n")[0] or type(error).__name__


def _line(error: Exception) -> int:
    line = getattr(error, "lineno", None) or getattr(error, "line", None)
    if isinstance(line, int):
        return line
    told = re.search(r"at line (\d+)", str(error))
    return int(told[1]) if told is not None else 1
