"""Lock files: every package has one version, and it counts more than any other file.

They are read line by line rather than parsed whole: they are large, written by programs in one
fixed form, and a cut-off one still says something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bezoar.scan.manifests.conda_specs import conda_requirement
from bezoar.scan.manifests.requirement import Requirement, git_requirement, normalised
from bezoar.scan.manifests.toml_lines import value_of

_JSON_PACKAGE = re.compile(r'\s{4,}"(?P<name>[A-Za-z0-9][\w.-]*)":\s*\{')
_JSON_VALUE = re.compile(r'\s+"(?P<key>version|git|ref)":\s*"(?P<value>[^"]*)"')
_UV_GIT = re.compile(r'source\s*=\s*\{\s*git\s*=\s*"([^"#?]+)[^"#]*(?:#([0-9a-f]+))?"')
_CONDA_ENTRY = re.compile(r"\s*(?:-\s+)?(?P<key>name|version|manager):\s*['\"]?([^'\"#]+)")


@dataclass(slots=True)
class _Package:
    """What is known so far of the package that is being read."""

    name: str = ""
    version: str = ""
    line: int = 1
    column: int = 1
    length: int = 1
    git: str = ""
    commit: str = ""
    is_git: bool = False
    conda: bool = False

    def requirement(self) -> Requirement | None:
        """The finished package, None where the name or version is missing."""
        if not self.name or not (self.version or self.git):
            return None
        text = f"{self.name}=={self.version}"
        if self.git:
            found = git_requirement(self.name, self.git, self.commit, text)
        elif self.conda:
            plain = conda_requirement(self.name)
            name = plain.name if plain is not None else normalised(self.name)
            found = Requirement(name=name, specifier=f"=={self.version}", text=text)
        else:
            specifier = f"=={self.version}"
            found = Requirement(name=normalised(self.name), specifier=specifier, text=text)
        return found.at(self.line, self.column, self.length, group="lock")


def read_toml_lock(text: str) -> tuple[Requirement, ...]:
    r"""Reads ``poetry.lock``, ``uv.lock`` or ``pdm.lock``.

    Example:
        >>> found = read_toml_lock('[[package]]\nname = "qiskit"\nversion = "1.2.4"\n')
        >>> found[0].name, found[0].specifier, found[0].line
        ('qiskit', '==1.2.4', 3)
    """
    found: list[Requirement] = []
    package: _Package | None = None
    own = True
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("["):
            if line.startswith("[[package]]"):
                found.extend(_finished(package))
                package = _Package()
            own = line.startswith(("[[package]]", "[package.source]"))
        elif package is not None and own:
            _toml_line(package, line, number)
    found.extend(_finished(package))
    return tuple(found)


def _toml_line(package: _Package, line: str, number: int) -> None:
    name = value_of(line, "name")
    version = value_of(line, "version")
    url, commit = value_of(line, "url"), value_of(line, "resolved_reference")
    git = _UV_GIT.match(line)
    if name is not None and not package.name:
        package.name = name[0]
    elif version is not None and not package.version:
        package.version = version[0]
        package.line, package.column, package.length = number, version[1], len(version[0])
    elif line == 'type = "git"':
        package.is_git = True
    elif url is not None and package.is_git:
        package.git = url[0]
    elif commit is not None:
        package.commit = commit[0]
    elif git is not None:
        package.git, package.commit = git[1], git[2] or ""
    elif line.startswith(("git = ", "revision = ")):
        _pdm_line(package, line)


def _pdm_line(package: _Package, line: str) -> None:
    git, revision = value_of(line, "git"), value_of(line, "revision")
    if git is not None:
        package.git = git[0]
    elif revision is not None:
        package.commit = revision[0]


def read_pipfile_lock(text: str) -> tuple[Requirement, ...]:
    """Reads ``Pipfile.lock``."""
    found: list[Requirement] = []
    package: _Package | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        head = _JSON_PACKAGE.match(line)
        if head is not None and head["name"] not in ("_meta", "default", "develop", "hash"):
            found.extend(_finished(package))
            package = _Package(name=head["name"], line=number)
            continue
        value = _JSON_VALUE.match(line)
        if package is None or value is None:
            continue
        if value["key"] == "version":
            package.version = value["value"].removeprefix("==")
            package.line, package.column = number, value.start("value") + 1
            package.length = len(value["value"])
        elif value["key"] == "git":
            package.git = value["value"]
        else:
            package.commit = value["value"]
    found.extend(_finished(package))
    return tuple(found)


def read_conda_lock(text: str) -> tuple[Requirement, ...]:
    """Reads ``conda-lock.yml``; a package of several platforms counts once."""
    found: dict[tuple[str, str], Requirement] = {}
    package: _Package | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _CONDA_ENTRY.match(line)
        if match is None:
            continue
        value = match[2].strip()
        if match["key"] == "name":
            for each in _finished(package):
                found.setdefault((each.name, each.specifier), each)
            package = _Package(name=value, line=number, conda=True)
        elif package is not None and match["key"] == "version":
            package.version = value
            package.line, package.column = number, match.start(2) + 1
            package.length = len(value)
        elif package is not None:
            package.conda = value == "conda"
    for each in _finished(package):
        found.setdefault((each.name, each.specifier), each)
    return tuple(found.values())


def _finished(package: _Package | None) -> Iterator[Requirement]:
    found = package.requirement() if package is not None else None
    if found is not None:
        yield found
