"""One requirement: a package, the versions it admits, and where that is written."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

#: Longer texts are no requirements; the patterns below are kept from trying them.
LONGEST = 2000

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_PATTERN = re.compile(
    rf"(?P<name>{_NAME})\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    rf"(?:@\s*(?P<url>\S+)|\(?\s*(?P<clauses>{_CLAUSE}(?:\s*,\s*{_CLAUSE})*)?\s*,?\s*\)?)"
    r"\s*(?:;\s*(?P<marker>.*))?\Z"
)
#: Parts that another program fills in: ``$VERSION``, ``${{ matrix.qiskit }}``, ``%VERSION%``.
_FILLED_IN = re.compile(rf"(?P<name>{_NAME})\s*(?:\[[^\]]*\])?\s*[=~!<>]=?=?\s*\S*[$%{{]")
_WHEEL = re.compile(rf"(?P<name>{_NAME})-[0-9][^/]*\.(?:whl|tar\.gz|zip)\Z")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One package that something installs.

    Attributes:
        name: in lower case with hyphens, "" where a bare address does not tell it.
        specifier: what `packaging.specifiers.SpecifierSet` reads, "" for any version.
        extras: what stands in brackets.
        marker: the condition behind the semicolon.
        url: the address it is installed from, "" for an index.
        hashes: ``sha256:...`` of every accepted file.
        text: as it is written.
        line, column, end_line, end_column: its place, all from 1, the end being the first
            column behind it.
        group: ``main``, ``dev``, ``optional``, ``lock`` or ``constraint``.
        editable: installed in place.
        filled_in: its version comes from a variable.
    """

    name: str
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str = ""
    hashes: tuple[str, ...] = ()
    text: str = ""
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    group: str = "main"
    editable: bool = False
    filled_in: bool = False

    @property
    def where(self) -> tuple[int, int, int, int]:
        """Its place, as `bezoar.scan.rule.Hit` wants it."""
        return (self.line, self.column, self.end_line, self.end_column)

    @property
    def pinned(self) -> bool:
        """Whether one version alone is admitted.

        Example:
            >>> [requirement(text).pinned for text in ("qiskit==1.2.4", "qiskit==1.2.*")]
            [True, False]
        """
        return any(
            clause.strip().startswith("==") and not clause.rstrip().endswith("*")
            for clause in self.specifier.split(",")
        )

    @property
    def is_git(self) -> bool:
        """Whether it comes out of a git repository."""
        return self.url.startswith("git+")

    @property
    def revision(self) -> str:
        """The branch, tag or commit of a git address, "" where none is named.

        Example:
            >>> requirement("mitiq @ git+https://github.com/unitaryfund/mitiq@main").revision
            'main'
        """
        address = self.url.removeprefix("git+").partition("#")[0]
        if "://" in address:
            path = address.partition("://")[2].partition("/")[2]
        else:  # git@host:owner/name@revision
            path = address.partition(":")[2]
        return path.rpartition("@")[2] if "@" in path else ""

    def at(self, line: int, column: int, length: int, **changes: object) -> Requirement:
        """The same requirement at a place within one line."""
        place = {"line": line, "column": column, "end_line": line, "end_column": column + length}
        return dataclasses.replace(self, **place, **changes)  # type: ignore[arg-type]


def is_commit(revision: str) -> bool:
    """Whether it is a whole commit id, SHA-1 or SHA-256."""
    return _COMMIT.match(revision) is not None


def normalised(name: str) -> str:
    """A package name as indexes compare them.

    Example:
        >>> normalised("Qiskit_IBM.Runtime")
        'qiskit-ibm-runtime'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text: str) -> Requirement | None:
    """Reads one requirement as pip writes it; None for what is none, such as a local path.

    Example:
        >>> found = requirement("qiskit[visualization]>=1.0,<2 ; python_version > '3.9'")
        >>> found.name, found.specifier, found.extras
        ('qiskit', '>=1.0,<2', ('visualization',))
        >>> requirement("./plugins/mine") is None
        True
    """
    text = " ".join(text.split())
    if len(text) > LONGEST:
        return None
    if text.startswith(("git+", "https://", "http://")):
        return _address(text)
    match = _PATTERN.match(text)
    if match is None:
        unknown = _FILLED_IN.match(text)
        if unknown is None:
            return None
        return Requirement(name=normalised(unknown["name"]), text=text, filled_in=True)
    if match["url"] is None and _looks_local(text):
        return None
    if match["url"] and "/" not in match["url"]:  # `poetry add qiskit@latest`
        return Requirement(name=normalised(match["name"]), text=text, filled_in=True)
    return Requirement(
        name=normalised(match["name"]),
        specifier=re.sub(r"\s+", "", match["clauses"] or ""),
        extras=_extras(match["extras"]),
        marker=(match["marker"] or "").strip(),
        url=match["url"] or "",
        text=text,
    )


def git_requirement(name: str, address: str, revision: str, text: str) -> Requirement:
    """What a table such as ``{ git = "...", branch = "..." }`` says, as pip would write it."""
    address = address if address.startswith("git+") else f"git+{address}"
    url = f"{address}@{revision}" if revision else address
    return Requirement(name=normalised(name), url=url, text=text)


def _address(text: str) -> Requirement:
    url, _, marker = text.partition(" ;")
    url = url.strip()
    egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", url)
    place, _, _ = url.partition("#")
    last = place.rstrip("/").rpartition("/")[2]
    wheel = _WHEEL.match(last)
    if egg is not None:
        name = egg[1]
    elif url.startswith("git+"):
        name = last.partition("@")[0].removesuffix(".git")
    else:
        name = wheel["name"] if wheel is not None else ""
    return Requirement(name=normalised(name), url=url, marker=marker.strip(), text=text)


def _extras(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _looks_local(text: str) -> bool:
    return text.endswith((".whl", ".tar.gz", ".zip", ".txt", ".toml", ".py"))
