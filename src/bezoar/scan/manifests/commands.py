"""Install commands in shell text: scripts, images, CI steps, and lines of notebooks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bezoar.scan.manifests.conda_specs import conda_requirement
from bezoar.scan.manifests.requirement import Requirement, requirement
from bezoar.scan.manifests.shell_words import Word, commands

_PIP = re.compile(r"pip[0-9.]*(?:\.exe)?\Z")
_CONDA = frozenset({"conda", "mamba", "micromamba", "conda.exe"})
#: Programs besides pip that install packages, and the word that makes them do it.
_INSTALLERS = {
    "uv": ("add",),
    "poetry": ("add",),
    "pdm": ("add",),
    "rye": ("add",),
    "pipenv": ("install",),
    "pipx": ("install", "inject"),
}
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "su", "cmd"})
#: ``-c`` and ``-lc``: the next word is shell text.
_TEXT_FOLLOWS = re.compile(r"-[a-z]*c")
_SAYS_ONLY = frozenset({"echo", "printf", "print", "rem", "REM", "LABEL", "COPY", "ADD"})
#: Options that take the next word as their value.
_WITH_VALUE = re.compile(
    r"-[rciftdwbpnC]|--(?:requirement|constraint|index(?:-url)?|(?:extra|default)-index(?:-url)?"
    r"|find-links|target|prefix|root|trusted-host|timeout|retries|platform|python(?:-version)?"
    r"|implementation|abi|(?:no|only)-binary|cache-dir|log|proxy|(?:client-)?cert|src|source"
    r"|progress-bar|config-settings|(?:global|build)-option|report|upgrade-strategy|group|dest"
    r"|wheel-dir|exists-action|channel|name|file|extra|optional|pip-args|override|torch-backend)"
)
_EDITABLE = frozenset({"-e", "--editable"})
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}?")
_ASSIGNED = re.compile(
    r"^[ \t]*(?:(?:ARG|ENV|export|set)[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*:?="
    r"[ \t]*[\"']?([^\s\"'#;&|]+)",
    re.MULTILINE,
)
_WORTH_READING = re.compile(r"install|\badd\b|create|inject")


@dataclass(frozen=True, slots=True)
class _Install:
    """One install command: what follows it, and whether conda reads it."""

    words: Sequence[Word]
    conda: bool


def requirements_in_command(line: str) -> list[Requirement]:
    """What one line of shell text installs; ``!`` and ``%`` of notebooks may lead it.

    Example:
        >>> [r.text for r in requirements_in_command("!pip install -q 'qiskit>=1.0' pennylane")]
        ['qiskit>=1.0', 'pennylane']
        >>> requirements_in_command("# pip install qiskit")
        []
    """
    return requirements_in_script(line)


def requirements_in_script(
    text: str, *, first_line: int = 1, dockerfile: bool = False
) -> list[Requirement]:
    """What a script installs, in its order.

    Args:
        text: shell text, or a whole Dockerfile.
        first_line: the number of its first line.
        dockerfile: comment lines within a continued command do not end it.
    """
    if _WORTH_READING.search(text) is None:
        return []
    values = {name: value for name, value in _ASSIGNED.findall(text) if "$" not in value}
    found: list[Requirement] = []
    for words in commands(text, first_line=first_line, dockerfile=dockerfile):
        for install in _installs(words):
            found.extend(_requirements(install, values))
    return found


def _installs(words: Sequence[Word]) -> Iterator[_Install]:
    names = [word.text.rpartition("/")[2].lstrip("!%@-") for word in words]
    if not names or names[0] in _SAYS_ONLY:
        return
    for position, name in enumerate(names):
        if _TEXT_FOLLOWS.fullmatch(words[position].text) and not _SHELLS.isdisjoint(
            names[:position]
        ):
            yield from _nested(words[position + 1 : position + 2])
        verbs = _verbs(name)
        if not verbs:
            continue
        verb = _next_word(names, words, position + 1)
        if verb is not None and names[verb] in verbs:
            yield _Install(words[verb + 1 :], name in _CONDA)
            return


def _verbs(name: str) -> tuple[str, ...]:
    if _PIP.match(name):
        return ("install", "download", "wheel")
    if name in _CONDA:
        return ("install", "create")
    return _INSTALLERS.get(name, ())


def _nested(following: Sequence[Word]) -> Iterator[_Install]:
    """The commands within ``bash -c "..."``, all at the place of the quoted text."""
    for quoted in following:
        for words in commands(quoted.text):
            inner = [dataclasses.replace(quoted, text=each.text) for each in words]
            yield from _installs(inner)


def _next_word(names: Sequence[str], words: Sequence[Word], start: int) -> int | None:
    """The first word from `start` that is no option, as in ``conda env create``."""
    for position in range(start, min(start + 4, len(names))):
        if not words[position].text.startswith("-") and names[position] != "env":
            return position
    return None


def _requirements(install: _Install, values: dict[str, str]) -> Iterator[Requirement]:
    skip = editable = False
    for word in install.words:
        text = word.text
        if skip:
            skip = False
        elif text in _EDITABLE:
            editable = True
        elif text.startswith("-"):
            skip = _WITH_VALUE.fullmatch(text) is not None
        elif not text.startswith((">", "2>", "<", "/", ".", "~", "$(")):
            found = _one(_substituted(text, values), install.conda)
            if found is not None:
                yield _placed(found, word, editable)
            editable = False
        else:
            editable = False


def _one(text: str, conda: bool) -> Requirement | None:
    if "/" in text and "://" not in text and "::" not in text and not text.startswith("git+"):
        return None
    return conda_requirement(text) if conda else requirement(text)


def _placed(found: Requirement, word: Word, editable: bool) -> Requirement:
    return dataclasses.replace(
        found,
        line=word.line,
        column=word.column,
        end_line=word.end_line,
        end_column=word.end_column,
        editable=editable,
        filled_in=found.filled_in or "$" in found.url or "{" in found.url,
    )


def _substituted(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)
