"""What the variables of a function are assigned, in the order of the source."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

Assignments = Mapping[str, Sequence[ast.Assign]]

_KNOWN: Final[WeakKeyDictionary[Module, dict[ast.AST | None, dict[str, list[ast.Assign]]]]] = (
    WeakKeyDictionary()
)


def assignments(module: Module, function: Function | None) -> Assignments:
    """The plain assignments right in a function (at the top level for None), by the target's name.

    ``self.x = ...`` counts under ``x``.
    """
    known = _KNOWN.get(module)
    if known is None:
        known = _KNOWN[module] = {}
        for assign in module.nodes(ast.Assign):
            around = module.function_of(assign)
            scope = known.setdefault(None if around is None else around.node, {})
            for target in assign.targets:
                scope.setdefault(last_name(target), []).append(assign)
    return known.get(None if function is None else function.node, {})
