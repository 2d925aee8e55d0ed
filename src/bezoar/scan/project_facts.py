"""What the files around a module say of the whole project: versions, and what is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_LOWER_BOUNDS = ("==", "===", "~=", ">=", ">")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFacts:
    """Facts that rules ask for.

    Attributes:
        requirements: package name in lower case with hyphens to its specifiers, as text that
            `packaging.specifiers.SpecifierSet` reads ("" for none); the narrowest known one.
        python_requires: the specifier of Python versions, "" where unknown.
        is_library: it has a build system and is made to be installed by others.
        is_service: it has a Dockerfile, a Procfile, or serves HTTP.
    """

    requirements: Mapping[str, str] = field(default_factory=dict)
    python_requires: str = ""
    is_library: bool = False
    is_service: bool = False

    def excludes_below(self, package: str, version: str) -> bool:
        """Whether the requirements make sure that `package` is at least `version`.

        Example:
            >>> facts = ProjectFacts(requirements={"torch": ">=2.6", "qiskit": "==0.45"})
            >>> facts.excludes_below("torch", "2.6"), facts.excludes_below("qiskit", "1.4.2")
            (True, False)
        """
        return _above(self.requirements.get(package, ""), version)

    def python_at_least(self, version: str) -> bool:
        """Whether no Python older than `version` can run it."""
        return _above(self.python_requires, version)


def _above(specifiers: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
        for part in SpecifierSet(specifiers):
            lowest = part.version.removesuffix(".*")
            if part.operator in _LOWER_BOUNDS and Version(lowest) >= wanted:
                return True
    except (InvalidSpecifier, InvalidVersion):
        return False
    return False
