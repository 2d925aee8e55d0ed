"""What the readers of expressions and calls need of the reader of the whole file."""

from __future__ import annotations

import ast
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bezoar.contracts.code_findings import Step
from bezoar.scan.code.call import Call
from bezoar.scan.code.declarations import Function
from bezoar.scan.code.project import ClassFacts, Knowledge, Summary
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.values import Value


class Context(Protocol):
    """The file while it is read: `bezoar.scan.code.reader.Reader` is the one that there is."""

    path: str
    scope: Scope
    knowledge: Knowledge
    function: Function | None
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

    def refer(self, name: str) -> None:
        """Remembers that another file's name is used."""
        ...

    def project_member(self, owner: str, name: str) -> str:
        """The canonical name of a member of a module or class of the project."""
        ...

    def class_named(self, name: str) -> ClassFacts | None:
        """A class of the project."""
        ...

    def class_attribute(self, base: Value, name: str) -> Value | None:
        """An attribute of an object of a class of the project."""
        ...

    def method_name(self, owner: str, method: str) -> str:
        """The canonical name of a method."""
        ...

    def is_record(self, name: str) -> bool:
        """Whether objects of a class are little more than their arguments."""
        ...

    def summary_of(self, name: str) -> Summary | None:
        """What a call of a function of the project does."""
        ...

    def passes(self, call: Call, bound: dict[str, Value], *, callee: str = "") -> None:
        """Remembers what a call passes."""
        ...
