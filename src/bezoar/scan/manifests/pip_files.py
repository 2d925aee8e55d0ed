"""``requirements.txt``, ``constraints.txt`` and their kin, as pip reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bezoar.scan.manifests.requirement import Requirement, requirement

_COMMENT = re.compile(r"(?:^|\s)#.*\Z")
_HASH = re.compile(r"--hash[= ]\s*(\S+)")
#: What may follow a requirement on its line.
_PER_REQUIREMENT = re.compile(r"\s--(?:hash|config-settings|global-option|install-option)\b.*\Z")
_OPTION = re.compile(r"(--[a-z-]+|-[a-zA-Z])(?:[= ]\s*|(?<=-[erc]))?(.*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """A line ``-r other.txt`` or ``-c constraints.txt``."""

    path: str
    constraint: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PipFile:
    """What a requirements file says."""

    requirements: tuple[Requirement, ...]
    includes: tuple[Include, ...]


def read_pip_file(text: str, *, group: str = "main") -> PipFile:
    r"""Reads a requirements or constraints file; a line that is no requirement is passed over.

    Example:
        >>> found = read_pip_file("-r base.txt\nqiskit==1.2.4 \\\n  --hash=sha256:00ff\n")
        >>> found.includes[0].path, found.requirements[0].hashes
        ('base.txt', ('sha256:00ff',))
    """
    requirements: list[Requirement] = []
    includes: list[Include] = []
    for number, line in _logical_lines(text):
        content = line.strip()
        if not content:
            continue
        if not content.startswith("-"):
            requirements.extend(_requirement(line, number, group))
            continue
        option, value = _option(content)
        if option in ("-r", "--requirement", "-c", "--constraint") and value:
            includes.append(Include(path=value, constraint="c" in option[:3], line=number))
        elif option in ("-e", "--editable") and value:
            requirements.extend(_requirement(line, number, group, value))
    return PipFile(requirements=tuple(requirements), includes=tuple(includes))


def _option(content: str) -> tuple[str, str]:
    match = _OPTION.match(content)
    return (match[1], match[2].strip().strip("\"'")) if match else ("", "")


def _requirement(line: str, number: int, group: str, value: str = "") -> Iterator[Requirement]:
    body = _PER_REQUIREMENT.sub("", value or line).strip()
    found = requirement(body)
    if found is not None:
        column = len(line) - len(line.lstrip()) + 1
        shown = _PER_REQUIREMENT.sub("", line).strip()
        yield found.at(
            number,
            column,
            len(shown),
            hashes=tuple(_HASH.findall(line)),
            editable=bool(value),
            group=group,
            text=shown,
        )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, those that end with a backslash joined, by their first number."""
    number, joined = 0, ""
    for current, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = raw.rstrip()
        continued = line.endswith("\\") and not line.lstrip().startswith("#")
        piece = _COMMENT.sub("", line[:-1] if continued else line)
        if joined:
            joined += " " + piece.strip()
        else:
            number, joined = current, piece
        if not continued:
            yield number, joined
            joined = ""
    if joined:
        yield number, joined
