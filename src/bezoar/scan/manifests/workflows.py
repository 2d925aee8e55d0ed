"""The shell steps of GitHub workflows, composite actions and GitLab pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.manifests.commands import requirements_in_script
from bezoar.scan.manifests.requirement import Requirement
from bezoar.scan.manifests.yaml_nodes import documents, entries, items, kind_of, mappings, script

if TYPE_CHECKING:
    from yaml.nodes import Node

_SHELL_KEYS = frozenset({"run", "script", "before_script", "after_script"})


def read_workflow(text: str) -> tuple[Requirement, ...]:
    """What the steps of a workflow or pipeline install.

    Raises:
        YamlProblem: it is no YAML.
    """
    found: list[Requirement] = []
    for node in shell_nodes(documents(text)):
        body, first = script(text, node)
        found.extend(requirements_in_script(body, first_line=first))
    return tuple(found)


def shell_nodes(roots: tuple[Node, ...]) -> Iterator[Node]:
    """The scalars that a shell runs."""
    for mapping in mappings(roots):
        for entry in entries(mapping):
            if entry.key in _SHELL_KEYS:
                yield from (node for node in items(entry.value) if kind_of(node) == "scalar")
