"""What a document, a notebook or a ``setup.py`` installs, as the rules on dependencies see it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bezoar.scan.manifests.reading import read_manifest
from bezoar.scan.rules.shell_commands import shell_commands

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module
    from bezoar.scan.documents import Document
    from bezoar.scan.manifests.requirement import Requirement


def installs_of_document(document: Document) -> tuple[Requirement, ...]:
    """The requirements of a file that is not Python; none where it cannot be read."""
    return read_manifest(document.path, document.kind, document.text).requirements


def installs_of_module(module: Module) -> Iterator[Requirement]:
    """The requirements of a ``setup.py``, and of ``!pip install`` lines of a notebook."""
    from bezoar.scan.manifests.commands import requirements_in_script

    if module.path.rpartition("/")[2] == "setup.py":
        yield from read_manifest(module.path, "setup-py", module.text).requirements
    for first, text in _blocks(module.magics):
        yield from requirements_in_script(text, first_line=first)


def installs_of_calls(module: Module) -> Iterator[tuple[ast.AST, tuple[Requirement, ...]]]:
    """What `os.system("pip install ...")` and its kin install, by call."""
    from bezoar.scan.manifests.commands import requirements_in_command

    for where, command in shell_commands(module):
        if isinstance(where, ast.AST) and "install" in command:
            yield where, tuple(requirements_in_command(command))


def by_line(requirements: Iterable[Requirement]) -> Iterator[list[Requirement]]:
    """Requirements of one line together: a rule reports a line once."""
    ordered = sorted(requirements, key=lambda each: (each.line, each.column))
    for _, group in itertools.groupby(ordered, key=lambda each: each.line):
        yield list(group)


def named(requirements: Iterable[Requirement]) -> str:
    """Their names for a message: ```a`, `b` and `c```."""
    names = list(dict.fromkeys(f"`{each.name or each.url}`" for each in requirements))
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _blocks(magics: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines that follow each other as one text, so that continued ones stay together."""
    first, held = 0, []
    for line, text in magics:
        if held and line == first + len(held):
            held.append(text)
            continue
        if held:
            yield first, "\n".join(held)
        first, held = line, [text]
    if held:
        yield first, "\n".join(held)
