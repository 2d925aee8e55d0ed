"""One parsed module or notebook, as rules see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeVar, cast

from bezoar.contracts.code_findings import Place, Step
from bezoar.scan.code.call import Call
from bezoar.scan.code.declarations import ClassDeclaration, Function
from bezoar.scan.code.functions import Passed
from bezoar.scan.code.guards import key_of
from bezoar.scan.code.project import Exports, Knowledge, ModuleIndex
from bezoar.scan.code.reader import Reader
from bezoar.scan.code.values import FIXED, UNKNOWN, UNKNOWN_LITERAL, Origin, Value
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.source import Source

__all__ = ["UNKNOWN_LITERAL", "Call", "Function", "Module", "Origin", "Value"]

#: Nodes that Python makes once for all places: they have no one parent.
_SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_Node = TypeVar("_Node", bound=ast.AST)

_TEST_FILE = re.compile(r"(?:test_.*|.*_tests?|conftest|tests?)\.(?:py|ipynb)\Z")
_TEST_FOLDERS = frozenset({"tests", "test", "testing", "unit_tests", "unittests"})


class Module:
    """What is known of one file. Everything is in the order of the source."""

    def __init__(
        self,
        source: Source,
        *,
        project: ProjectFacts | None = None,
        index: ModuleIndex | None = None,
        knowledge: Knowledge | None = None,
    ) -> None:
        """Parses and reads a file.

        Args:
            source: its text.
            project: facts of the project around it.
            index: finds modules of the project; none without.
            knowledge: what is known of the project's other files.

        Raises:
            SyntaxError: the text is not Python.
            ValueError: it holds a null byte, or a number that is too long.
            RecursionError: it is nested too deeply.
        """
        self.source = source
        self.path = source.path
        self.text = source.text
        self.lines = list(source.shown)
        self.is_notebook = source.is_notebook
        self.magics = source.magics
        self.outputs = source.outputs
        self.project = project or ProjectFacts()
        parts = PurePosixPath(source.within or source.path).parts
        self.is_test = bool(_TEST_FILE.match(parts[-1]) or _TEST_FOLDERS.intersection(parts[:-1]))
        self.tree = ast.parse(source.text, filename=source.path)
        self._reader = Reader(
            source.path,
            self.place,
            self.line_of,
            index or ModuleIndex([source.path]),
            knowledge or Knowledge(),
        )
        self._reader.read(self.tree)

    # -- what there is -----------------------------------------------------------------------

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call that was read."""
        return tuple(sorted(self._reader.found.values(), key=_position))

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """Every function and method."""
        found = [reading.function for reading in self._reader.functions.readings.values()]
        circuits = self._circuits()
        for function in found:
            function.is_qnode = function.is_qnode or function.name in circuits
        return tuple(sorted(found, key=lambda each: each.node.lineno))

    @cached_property
    def classes(self) -> tuple[ClassDeclaration, ...]:
        """Every class."""
        return tuple(self._reader.project.classes.values())

    @cached_property
    def imports(self) -> frozenset[str]:
        """Canonical names of all that is imported, modules and members."""
        return frozenset(self._reader.project.imports)

    def imports_any(self, *roots: str) -> bool:
        """Whether one of these top-level packages is imported."""
        return any(name.partition(".")[0] in roots for name in self.imports)

    def calls_to(self, *names: str) -> Iterator[Call]:
        """Calls by canonical name; a name that ends with ``.*`` stands for all below it."""
        exact = {name for name in names if not name.endswith(".*")}
        prefixes = tuple(name[:-1] for name in names if name.endswith(".*"))
        for call in self.calls:
            if call.name in exact or (prefixes and call.name.startswith(prefixes)):
                yield call

    def calls_in(self, function: Function | None) -> Sequence[Call]:
        """The calls of one function's own body; those at the top level for None."""
        return self._calls_by_function.get(function, ())

    def method_calls(self, *methods: str) -> Iterator[Call]:
        """Calls by the last component of what is called, whatever the receiver is."""
        for call in self.calls:
            if call.method in methods:
                yield call

    def comparisons_in(self, function: Function | None) -> Sequence[ast.Compare]:
        """The comparisons of one function's own body; those at the top level for None."""
        return self._comparing.get(function, ())

    def call(self, node: ast.AST) -> Call | None:
        """The call that was read at `node`, None for another node."""
        return self._reader.found.get(node) if isinstance(node, ast.Call) else None

    def nodes(self, *types: type[_Node]) -> Iterator[_Node]:
        """Nodes of these types, in the order of the source."""
        if len(types) == 1:
            yield from cast("list[_Node]", self._by_type.get(types[0], []))
            return
        found = [node for kind in types for node in self._by_type.get(kind, ())]
        found.sort(key=lambda node: self._order[node])
        yield from cast("list[_Node]", found)

    def assignments(self, target: ast.expr) -> Sequence[ast.Assign | ast.AnnAssign]:
        """The statements that assign to the name, attribute or constant item `target`."""
        return self._assignments.get(key_of(target), ())

    # -- what is known of a node ---------------------------------------------------------------

    def name_of(self, node: ast.AST) -> str:
        """The canonical name of what a name or attribute refers to, "" unknown."""
        call = self.call(node)
        if call is not None:
            return call.name
        function = self.function_of(node)
        reading = self._reader.functions.readings.get(function.canonical) if function else None
        scope = (reading.last_scope or reading.scope) if reading else self._reader.top
        with self._reader.inside(scope):
            return self._reader.name_of(node)

    def value(self, node: ast.AST | None) -> Value:
        """What data flow knows of an expression."""
        if node is None:
            return UNKNOWN
        known = self._reader.values.get(node)
        if known is not None:
            return known
        return FIXED if isinstance(node, ast.Constant) else UNKNOWN

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around `node`."""
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around `node`, from the inside out."""
        found = self._parents.get(node)
        while found is not None:
            yield found
            found = self._parents.get(found)

    def function_of(self, node: ast.AST) -> Function | None:
        """The innermost function around `node`."""
        for each in self.ancestors(node):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                return self._by_definition.get(each)
        return None

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The statement that `node` is a part of, or is."""
        found = node
        while not isinstance(found, ast.stmt):
            outer = self._parents.get(found)
            if outer is None:
                raise ValueError("a module is no part of a statement")
            found = outer
        return found

    def symbol_of(self, node: ast.AST) -> str:
        """The function or class around `node`, "" at the top level."""
        names = [
            each.name
            for each in self.ancestors(node)
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        return ".".join(reversed(names))

    # -- flows ---------------------------------------------------------------------------------

    def step(self, node: ast.AST, message: str) -> Step:
        """A station of a flow at `node`."""
        place = self.place(node, self.symbol_of(node))
        return Step(place=place, message=message, code=self.line_of(node))

    def flow(
        self, value: Value, kinds: Collection[str], node: ast.AST, message: str
    ) -> tuple[Step, ...]:
        """The way of `value` from a source of one of `kinds` to `node`, "" where it has none.

        The kinds are tried in their order; a value of a parameter alone has the way from it.
        """
        for kind in kinds:
            found = [origin for origin in value.origins if origin.kind == kind]
            if found:
                best = min(found, key=lambda each: (len(each.steps), str(each.steps)))
                last = self.step(node, message)
                steps = [step for step in best.steps if step.place != last.place]
                return (*steps, last)
        return ()

    def place(self, node: ast.AST, symbol: str = "") -> Place:
        """Where a node is."""
        line = getattr(node, "lineno", 1)
        end = getattr(node, "end_lineno", None) or line
        column = self._column(line, getattr(node, "col_offset", 0))
        end_column = self._column(end, getattr(node, "end_col_offset", None) or 0)
        return self.source.place(line, column, end, end_column, symbol)

    def line_of(self, node: ast.AST) -> str:
        """The line of code on which a node begins."""
        line = getattr(node, "lineno", 1)
        return self.lines[line - 1].strip() if line <= len(self.lines) else ""

    def _column(self, line: int, offset: int) -> int:
        """The column in characters from 1 for an offset in UTF-8 bytes from 0."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode()[:offset].decode(errors="ignore")) + 1

    # -- for the scanner -----------------------------------------------------------------------

    @property
    def references(self) -> frozenset[str]:
        """What the file uses of other files of the project."""
        return frozenset(self._reader.project.references)

    @property
    def passed(self) -> dict[str, dict[str, Passed]]:
        """What calls in this file pass to functions of the project."""
        return self._reader.functions.passed

    @property
    def exports(self) -> Exports:
        """What other files want to know of this one."""
        reader = self._reader
        prefix = f"{self.path}:"
        aliases = {
            f"{prefix}{name}": target
            for name, target in reader.top.aliases.items()
            if ":" in target and not target.startswith(prefix) and not target.endswith(":")
        }
        constants = {
            f"{prefix}{name}": value.replaced(parts=None)
            for name, value in reader.top.variables.items()
            if "." not in name and "[" not in name and (value.fixed or value.origins or value.type)
        }
        return Exports(
            classes=tuple(each.facts for each in reader.project.classes.values()),
            summaries=tuple(
                reading.summary
                for reading in reader.functions.readings.values()
                if reading.summary is not None and reading.summary.says_something
            ),
            constants=constants,
            aliases=aliases,
        )

    # -- indexes -------------------------------------------------------------------------------

    @cached_property
    def _calls_by_function(self) -> dict[Function | None, list[Call]]:
        found: dict[Function | None, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.function, []).append(call)
        return found

    @cached_property
    def _comparing(self) -> dict[Function | None, list[ast.Compare]]:
        found: dict[Function | None, list[ast.Compare]] = {}
        for test in self.nodes(ast.Compare):
            found.setdefault(self.function_of(test), []).append(test)
        return found

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return self._indexes[0]

    @cached_property
    def _order(self) -> dict[ast.AST, int]:
        return {node: number for number, node in enumerate(self._indexes[1])}

    @cached_property
    def _by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self._indexes[1]:
            found.setdefault(type(node), []).append(node)
        return found

    @cached_property
    def _assignments(self) -> dict[str, list[ast.Assign | ast.AnnAssign]]:
        found: dict[str, list[ast.Assign | ast.AnnAssign]] = {}
        for node in self.nodes(ast.Assign, ast.AnnAssign):
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                key = key_of(target)
                if key:
                    found.setdefault(key, []).append(node)
        return found

    @cached_property
    def _indexes(self) -> tuple[dict[ast.AST, ast.AST], list[ast.AST]]:
        """Node to the node around it, and all nodes in the order of the source.

        One walk for both, without the generators of `ast.iter_child_nodes`: rules ask this of
        most files.
        """
        parents: dict[ast.AST, ast.AST] = {}
        order: list[ast.AST] = []
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            order.append(node)
            start = len(stack)
            for name in node._fields:
                part = getattr(node, name, None)
                if part.__class__ is list:
                    for each in part:  # type: ignore[union-attr]
                        if isinstance(each, ast.AST) and not isinstance(each, _SHARED):
                            parents[each] = node
                            stack.append(each)
                elif isinstance(part, ast.AST) and not isinstance(part, _SHARED):
                    parents[part] = node
                    stack.append(part)
            stack[start:] = reversed(stack[start:])
        return parents, order

    @cached_property
    def _by_definition(self) -> dict[ast.AST, Function]:
        return {
            reading.function.node: reading.function
            for reading in self._reader.functions.readings.values()
        }

    def _circuits(self) -> frozenset[str]:
        """Names of functions that are handed to `QNode` or hold PennyLane's gates."""
        named = {
            node.id
            for call in self.calls_to("pennylane.QNode", "pennylane.qnode")
            for node in call.node.args[:1]
            if isinstance(node, ast.Name)
        }
        for call in self.calls:
            head, _, tail = call.name.rpartition(".")
            if head == "pennylane" and tail[:1].isupper() and call.function is not None:
                named.add(call.function.name)
        return frozenset(named)


def _position(call: Call) -> tuple[int, int, int]:
    node = call.node
    # Of `a().b()` the inner call comes first.
    return node.lineno, node.end_lineno or 0, node.end_col_offset or 0
