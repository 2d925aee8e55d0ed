"""What the readers of expressions and calls need of the reader of the whole file."""

from __future__ import annotations

import ast
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bezoar.contracts.code_findings import Step
from bezoar.scan.code.call import Call
from bezoar.scan.code.declarations import Function
from bezoar.scan.code.project import Summary
from bezoar.scan.code.project_view import ProjectView
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.values import Value


class FunctionReader(Protocol):
    """What calls ask of the functions: `bezoar.scan.code.functions.Functions` is the one."""

    def summary_of(self, name: str) -> Summary | None:
        """What a call of a function of the project does."""
        ...

    def property_value(self, name: str) -> Value | None:
        """What a property gives."""
        ...

    def passes(self, call: Call, bound: dict[str, Value], *, callee: str = "") -> None:
        """Remembers what a call passes."""
        ...


class Context(Protocol):
    """The file while it is read: `bezoar.scan.code.reader.Reader` is the one that there is."""

    path: str
    scope: Scope
    function: Function | None
    #: The project as the file sees it, and the functions of the file.
    project: ProjectView
    functions: FunctionReader
    #: Every expression that was read, with its value; every call.
    values: dict[ast.AST, Value]
    found: dict[ast.Call, Call]

    def value(self, node: ast.expr) -> Value:
        """What is known of an expression here and now."""
        ...

    def name_of(self, node: ast.AST) -> str:
        """The canonical name of what an expression refers to."""
        ...

    def call(self, node: ast.Call) -> Value:
        """Reads a call."""
        ...

    def bind(self, target: ast.expr, value: Value) -> None:
        """Assigns a value."""
        ...

    def mark(self, node: ast.expr, mark: str) -> None:
        """Remembers that a value was checked."""
        ...

    def apply(self, test: ast.expr, *, holds: bool) -> None:
        """Remembers what follows from a test."""
        ...

    def returned(self, node: ast.expr, value: Value) -> None:
        """Remembers what the function gives."""
        ...

    def inside(self, scope: Scope) -> AbstractContextManager[Any]:
        """Reads in another scope for a while."""
        ...

    def step(self, node: ast.AST, message: str) -> Step:
        """A station of a flow."""
        ...

    def within(
        self, function: Function, scope: Scope
    ) -> AbstractContextManager[list[tuple[ast.expr, Value]]]:
        """Reads the body of a function for a while; gives the list of what it returns."""
        ...

    def block(self, statements: list[ast.stmt]) -> bool:
        """Reads statements; whether the way ends in them."""
        ...
