"""``environment.yml`` of conda, with its part for pip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bezoar.scan.manifests.conda_specs import conda_requirement
from bezoar.scan.manifests.pyproject import Pyproject
from bezoar.scan.manifests.requirement import Requirement, requirement
from bezoar.scan.manifests.yaml_nodes import documents, entries, items, scalar, value_of, where

if TYPE_CHECKING:
    from yaml.nodes import Node


def read_environment(text: str) -> Pyproject:
    r"""Reads an environment file.

    Raises:
        YamlProblem: it is no YAML.

    Example:
        >>> found = read_environment("dependencies:\n- python=3.11\n- pip:\n  - qiskit==1.2.4\n")
        >>> found.python_requires, found.requirements[0].name
        ('==3.11.*', 'qiskit')
    """
    found: list[Requirement] = []
    python = ""
    for root in documents(text):
        for node in items(value_of(root, "dependencies")):
            for entry in entries(node):
                if entry.key == "pip":
                    found.extend(_placed(requirement, item) for item in items(entry.value))
            spec = _placed(conda_requirement, node)
            if spec.name == "python":
                python = spec.specifier
            elif spec.name:
                found.append(spec)
    return Pyproject(
        requirements=tuple(each for each in found if each.name or each.url),
        python_requires=python,
    )


def _placed(read: Callable[[str], Requirement | None], node: Node) -> Requirement:
    text = scalar(node)
    found = read(text) if text else None
    if found is None:
        return Requirement(name="")
    line, column, _, end = where(node)
    return found.at(line, column, end - column)
