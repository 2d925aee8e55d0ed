"""``pyproject.toml`` in all its dialects, and ``Pipfile``."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bezoar.scan.manifests.requirement import (
    Requirement,
    git_requirement,
    normalised,
    requirement,
)
from bezoar.scan.manifests.toml_lines import Section, Strings, sections

_MOVING = ("rev", "ref", "tag", "branch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pyproject:
    """What a project file says.

    Attributes:
        requirements: of the project, its extras and its groups.
        python_requires: the specifier of Python versions, "" where it says none.
        name: the project's, "" for none.
        is_package: it can be built and installed by others.
    """

    requirements: tuple[Requirement, ...]
    python_requires: str = ""
    name: str = ""
    is_package: bool = False


class _Places:
    """Looks up where keys and strings of one file stand."""

    def __init__(self, text: str) -> None:
        self._sections = {section.name: section for section in sections(text)}
        self._strings = Strings(text)
        self._last = text.count("\n") + 1

    def key(self, table: str, key: str) -> tuple[int, int, int]:
        """Line, column and length of a key; it may also head a table of its own."""
        own = self._sections.get(f"{table}.{key}")
        if own is not None:
            return own.first, 1, len(own.lines[0])
        section = self._sections.get(table)
        return section.place_of_key(key) if section is not None else (1, 1, 1)

    def string(self, value: str, *tables: str) -> tuple[int, int, int]:
        """Line, column and length of a quoted text in the first of `tables` that there is."""
        for table in tables:
            section: Section | None = self._sections.get(table)
            if section is not None:
                last = section.first + len(section.lines) - 1
                return self._strings.place_of(value, section.first, last)
        return self._strings.place_of(value, 1, self._last)


def read_pyproject(text: str) -> Pyproject:
    """Reads a project file.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
    """
    data = tomllib.loads(text)
    places = _Places(text)
    project, tool = _table(data, "project"), _table(data, "tool")
    poetry = _table(tool, "poetry")
    found = [
        *_of_project(project, places),
        *_of_groups(_table(data, "dependency-groups"), places, "dependency-groups"),
        *_of_poetry(poetry, places),
        *_of_groups(_table(_table(tool, "pdm"), "dev-dependencies"), places, _PDM),
        *_of_uv(_table(tool, "uv"), places),
    ]
    python = project.get("requires-python") or ""
    if not python:
        python = poetry_specifier(_table(poetry, "dependencies").get("python", ""))
    return Pyproject(
        requirements=_with_sources(found, _table(_table(tool, "uv"), "sources"), places),
        python_requires=python if isinstance(python, str) else "",
        name=str(project.get("name") or poetry.get("name") or ""),
        is_package=_is_package(data, project, tool, poetry),
    )


def read_pipfile(text: str) -> Pyproject:
    """Reads a ``Pipfile``.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
    """
    data = tomllib.loads(text)
    places = _Places(text)
    found: list[Requirement] = []
    for table, group in (("packages", "main"), ("dev-packages", "dev")):
        found.extend(_keyed(_table(data, table), table, group, places))
    version = _table(data, "requires").get("python_version", "")
    return Pyproject(requirements=tuple(found), python_requires=f"=={version}.*" if version else "")


def poetry_specifier(value: object) -> str:
    """Poetry's and Pipfile's way to write versions, as `packaging` reads it; "" for any.

    Example:
        >>> [poetry_specifier(text) for text in ("^1.2", "^0.45", "~2.1", "*", "1.2.4")]
        ['>=1.2,<2', '>=0.45,<0.46', '>=2.1,<2.2', '', '==1.2.4']
    """
    if not isinstance(value, str) or "|" in value:
        return ""
    clauses = (_poetry_clause(clause.strip()) for clause in value.replace(" ", "").split(","))
    return ",".join(clause for clause in clauses if clause)


_PDM = "tool.pdm.dev-dependencies"


def _poetry_clause(clause: str) -> str:
    if clause in ("", "*", "latest"):
        return ""
    if clause[0] == "^":
        return _up_to(clause[1:], caret=True)
    if clause[0] == "~" and not clause.startswith("~="):
        return _up_to(clause[1:], caret=False)
    return clause if clause[0] in "<>=!~" else f"=={clause}"


def _up_to(version: str, *, caret: bool) -> str:
    """A caret keeps the first number that is not 0, a tilde the first two."""
    numbers = [int(part) for part in version.split(".") if part.isdigit()]
    if not numbers:
        return ""
    kept = min(2, len(numbers)) if not caret else 1
    if caret:
        while kept < len(numbers) and not any(numbers[:kept]):
            kept += 1
    upper = [*numbers[: kept - 1], numbers[kept - 1] + 1]
    return f">={version},<{'.'.join(map(str, upper))}"


def _of_project(project: Mapping[str, Any], places: _Places) -> Iterator[Requirement]:
    yield from _listed(project.get("dependencies"), "main", places, "project")
    for extra, entries in _table(project, "optional-dependencies").items():
        tables = ("project.optional-dependencies", "project")
        yield from _listed(entries, f"optional:{extra}", places, *tables)


def _of_groups(groups: Mapping[str, Any], places: _Places, table: str) -> Iterator[Requirement]:
    for entries in groups.values():
        yield from _listed(entries, "dev", places, table)


def _of_uv(uv: Mapping[str, Any], places: _Places) -> Iterator[Requirement]:
    yield from _listed(uv.get("dev-dependencies"), "dev", places, "tool.uv")
    yield from _listed(uv.get("constraint-dependencies"), "constraint", places, "tool.uv")


def _of_poetry(poetry: Mapping[str, Any], places: _Places) -> Iterator[Requirement]:
    root = "tool.poetry"
    yield from _keyed(_table(poetry, "dependencies"), f"{root}.dependencies", "main", places)
    yield from _keyed(_table(poetry, "dev-dependencies"), f"{root}.dev-dependencies", "dev", places)
    for name, group in _table(poetry, "group").items():
        if isinstance(group, dict):
            table = f"{root}.group.{name}.dependencies"
            yield from _keyed(_table(group, "dependencies"), table, "dev", places)


def _listed(entries: object, group: str, places: _Places, *tables: str) -> Iterator[Requirement]:
    if not isinstance(entries, list):
        return
    for entry in entries:
        found = requirement(entry) if isinstance(entry, str) else None
        if found is not None:
            yield found.at(*places.string(entry, *tables), group=group.partition(":")[0])


def _keyed(
    table: Mapping[str, Any], name: str, group: str, places: _Places
) -> Iterator[Requirement]:
    for key, value in table.items():
        if key == "python":
            continue
        for entry in value if isinstance(value, list) else [value]:
            found = _entry(key, entry)
            if found is not None:
                yield found.at(*places.key(name, key), group=group)


def _entry(key: str, entry: object) -> Requirement | None:
    text = f"{key} = {entry}"
    if isinstance(entry, str):
        return Requirement(name=normalised(key), specifier=poetry_specifier(entry), text=text)
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("git"), str):
        return git_requirement(key, entry["git"], _revision(entry), text)
    url = entry.get("url") or entry.get("file") or entry.get("path") or ""
    return Requirement(
        name=normalised(key),
        specifier=poetry_specifier(entry.get("version", "")),
        extras=tuple(str(extra) for extra in _sequence(entry.get("extras"))),
        marker=str(entry.get("markers", "")),
        url=str(url),
        text=text,
    )


def _with_sources(
    found: Iterable[Requirement], sources: Mapping[str, Any], places: _Places
) -> tuple[Requirement, ...]:
    """uv names the repository of a package apart from the requirement."""
    git = {
        normalised(key): (key, entry)
        for key, value in sources.items()
        for entry in _sequence(value)
        if isinstance(entry, dict) and isinstance(entry.get("git"), str)
    }
    kept = [
        # An address replaces the index: no version of it counts any more.
        dataclasses.replace(each, filled_in=True) if each.name in git else each
        for each in found
    ]
    for key, entry in git.values():
        source = git_requirement(key, entry["git"], _revision(entry), f"{key} = {entry}")
        kept.append(source.at(*places.key("tool.uv.sources", key)))
    return tuple(kept)


def _is_package(
    data: Mapping[str, Any],
    project: Mapping[str, Any],
    tool: Mapping[str, Any],
    poetry: Mapping[str, Any],
) -> bool:
    if "Private :: Do Not Upload" in _sequence(project.get("classifiers")):
        return False
    if poetry.get("package-mode") is False or _table(tool, "uv").get("package") is False:
        return False
    return "build-system" in data and bool(project.get("name") or poetry.get("name"))


def _revision(entry: Mapping[str, Any]) -> str:
    return next((str(entry[key]) for key in _MOVING if entry.get(key)), "")


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
