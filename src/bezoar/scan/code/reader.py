"""Reads one parsed file in the order in which it would run, and remembers what flows where.

One pass over the statements: branches meet again, a loop's body is read once, a function is read
when it is first called, with what that call passes, and again when a later call brings something
new. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bezoar.contracts.code_findings import Place, Step
from bezoar.scan.code import declarations
from bezoar.scan.code.call import Call
from bezoar.scan.code.calls import Calls
from bezoar.scan.code.declarations import ClassDeclaration, Definition, Function
from bezoar.scan.code.expressions import Expressions, element
from bezoar.scan.code.functions import Functions
from bezoar.scan.code.guards import key_of, marks_of
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.code.project_view import ProjectView
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.sources import is_checker
from bezoar.scan.code.values import UNKNOWN, Origin, Value, common_marks, joined, merged_origins

#: Calls that do not come back.
_ENDING_CALLS = frozenset(
    {
        "sys.exit",
        "exit",
        "quit",
        "os._exit",
        "os.abort",
        "flask.abort",
        "werkzeug.exceptions.abort",
        "bottle.abort",
        "streamlit.stop",
        "pytest.fail",
        "pytest.skip",
        "argparse.ArgumentParser.error",
        "django.core.exceptions.PermissionDenied",
    }
)
#: The same by their text, for receivers whose class is seldom known.
_NEVER = frozenset({"parser.error", "ctx.fail", "ctx.abort", "self.fail", "self.send_error"})


class Reader:
    """Reads one file.

    Attributes:
        path: the file.
        values: every expression that was read, with its value.
        found: every call that was read.
        scope: where names are looked up now; `top` is that of the module.
        function: the function whose body is being read.
        project: the project as the file sees it.
        functions: its functions.
    """

    def __init__(
        self,
        path: str,
        place: Callable[[ast.AST, str], Place],
        line_of: Callable[[ast.AST], str],
        index: ModuleIndex,
        knowledge: Knowledge,
    ) -> None:
        """A reader of the file at `path`.

        Args:
            path: the file, relative to the project.
            place: node and symbol to its place.
            line_of: node to its line of code.
            index: finds the project's modules.
            knowledge: what is known of the project's other files.
        """
        self.path = path
        self.values: dict[ast.AST, Value] = {}
        self.found: dict[ast.Call, Call] = {}
        self.scope = Scope()
        self.top = self.scope
        self.function: Function | None = None
        self.project = ProjectView(path, index, knowledge)
        self.functions = Functions(self)
        self.call = Calls(self).value
        self.expressions = Expressions(self)
        self.value = self.expressions.value
        self.name_of = self.expressions.name_of
        self._place = place
        self._line_of = line_of
        self._returns: list[tuple[ast.expr, Value]] = []
        self._statements: dict[type[ast.AST], Callable[[Any], bool]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AnnAssign: self._declare,
            ast.AugAssign: self._augment,
            ast.If: self._if,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.Return: self._return,
            ast.Raise: self._raise,
            ast.Continue: lambda _: True,
            ast.Break: lambda _: True,
            ast.Assert: self._assert,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.FunctionDef: self._define,
            ast.AsyncFunctionDef: self._define,
            ast.ClassDef: self._define_class,
            ast.Global: self._outer,
            ast.Nonlocal: self._outer,
            ast.Match: self._match,
            ast.Delete: lambda _: False,
            ast.Pass: lambda _: False,
        }

    def read(self, tree: ast.Module) -> None:
        """Reads the whole file: its statements, then what nobody has called yet."""
        # Imports are known to functions above them.
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
        self.block(tree.body)
        self.functions.read_rest()

    # -- what the parts ask for --------------------------------------------------------------

    def step(self, node: ast.AST, message: str) -> Step:
        """A station of a flow at `node`."""
        symbol = self.function.qualname if self.function else ""
        return Step(place=self._place(node, symbol), message=message, code=self._line_of(node))

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[None]:
        """Reads in another scope for a while."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    @contextmanager
    def within(self, function: Function, scope: Scope) -> Iterator[list[tuple[ast.expr, Value]]]:
        """Reads the body of a function for a while; gives the list of what it returns."""
        before = self.scope, self.function, self._returns
        self.scope, self.function, self._returns = scope, function, []
        try:
            yield self._returns
        finally:
            self.scope, self.function, self._returns = before

    def mark(self, node: ast.expr, mark: str) -> None:
        """Remembers that the value of a name, attribute or item was checked."""
        key = key_of(node)
        if not key:
            return
        known = self.scope.find(key)
        if isinstance(known, str):
            return
        if known is None:
            known = UNKNOWN if isinstance(node, ast.Name) else self.value(node)
        self.scope.keep(key, known.marked(mark))

    def apply(self, test: ast.expr, *, holds: bool) -> None:
        """Remembers what follows when `test` holds, or does not."""
        for node, mark in marks_of(test, holds=holds):
            self.mark(node, mark)

    def returned(self, node: ast.expr, value: Value) -> None:
        """Remembers what the function gives."""
        self._returns.append((node, value))

    # -- definitions -------------------------------------------------------------------------

    def _define(self, node: Definition) -> bool:
        for each in (*node.args.defaults, *node.args.kw_defaults):
            if each is not None:
                self.value(each)
        for each in node.decorator_list:
            self.value(each)
        prefix = f"{self.function.qualname}." if self.function else ""
        self.functions.declare(node, prefix, self.scope, None)
        return False

    def _define_class(self, node: ast.ClassDef) -> bool:
        for each in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self.value(each)
        prefix = f"{self.function.qualname}." if self.function else ""
        name = f"{self.path}:{prefix}{node.name}"
        facts = declarations.class_facts(node, name, self.name_of)
        declared = ClassDeclaration(node, facts)
        self.project.classes[name] = declared
        self.scope.alias(node.name, name)
        inner = Scope(self.scope)
        with self.inside(inner):
            for statement in node.body:
                if isinstance(statement, Definition):
                    for each in statement.decorator_list:
                        self.value(each)
                    method = self.functions.declare(
                        statement, f"{prefix}{node.name}.", self.scope.parent or self.top, declared
                    )
                    declared.methods[statement.name] = method
                else:
                    self._statement(statement)
        declared.attributes.update(inner.variables)
        return False

    # -- statements --------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> bool:
        """Reads statements; whether the way ends in them (return, raise, continue, exit)."""
        for position, statement in enumerate(statements):
            if self._statement(statement):
                # What follows is not reached here, yet rules may ask for it.
                for rest in statements[position + 1 :]:
                    self._statement(rest)
                return True
        return False

    def _statement(self, statement: ast.stmt) -> bool:
        read = self._statements.get(type(statement))
        if read is None:
            return self._other(statement)
        return read(statement)

    def _other(self, statement: ast.stmt) -> bool:
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                self.value(child)
            elif isinstance(child, ast.stmt):
                self._statement(child)
        return False

    def _expression(self, node: ast.Expr) -> bool:
        self.value(node.value)
        call = self.found.get(node.value) if isinstance(node.value, ast.Call) else None
        if call is None:
            return False
        if call.name in _ENDING_CALLS or key_of(call.node.func) in _NEVER:
            return True
        if is_checker(call.method) and ":" not in call.name:
            for argument in call.node.args:
                self.mark(argument, "checked")
        return False

    def _assign(self, node: ast.Assign) -> bool:
        value = self.value(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name) and self._rename(target.id, node.value):
                continue
            self.bind(target, value)
        return False

    def _rename(self, name: str, node: ast.expr) -> bool:
        """`load = pickle.load` and `Circuit = QuantumCircuit` are aliases."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or not isinstance(self.scope.find(root.id), str):
            return False
        target = self.name_of(node)
        value = self.values.get(node)
        if not target or (value is not None and (value.origins or value.literal)):
            return False
        self.scope.alias(name, target)
        return True

    def _declare(self, node: ast.AnnAssign) -> bool:
        if node.value is not None:
            value = self.value(node.value)
            kind, marks = declarations.annotated(node.annotation, self.name_of)
            if not value.type and declarations.class_type(kind):
                value = value.replaced(
                    type=declarations.class_type(kind), marks=value.marks | marks
                )
            self.bind(node.target, value)
        return False

    def _augment(self, node: ast.AugAssign) -> bool:
        new = self.value(node.value)
        old = self.value(node.target)
        both = [old, new]
        self.bind(
            node.target,
            Value(
                fixed=old.fixed and new.fixed,
                origins=merged_origins(both),
                type=old.type,
                through=old.through | new.through,
                marks=common_marks(both),
            ),
        )
        return False

    def bind(self, target: ast.expr, value: Value) -> None:
        """Assigns a value to a name, attribute, item or several of them."""
        if isinstance(target, ast.Name):
            self.scope.assign(target.id, self._carried(value, target, target.id))
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, value)
        elif isinstance(target, ast.Attribute):
            self._store(target, value)
        elif isinstance(target, ast.Subscript):
            self.value(target.value)
            self.value(target.slice)
            key = key_of(target)
            if key:
                self.scope.keep(key, self._carried(value, target, key))
            self._contaminate(target.value, value)

    def _unpack(self, target: ast.Tuple | ast.List, value: Value) -> None:
        parts = value.parts if isinstance(value.parts, tuple) else None
        if parts is not None and len(parts) == len(target.elts):
            for each, part in zip(target.elts, parts, strict=True):
                self.bind(each, part)
            return
        whole = value.replaced(literal=UNKNOWN.literal, type="", parts=None)
        for each in target.elts:
            self.bind(each, whole)

    def _store(self, target: ast.Attribute, value: Value) -> None:
        owner = self.value(target.value)
        key = key_of(target)
        carried = self._carried(value, target, key)
        if key:
            self.scope.keep(key, carried)
        declared = self.project.classes.get(owner.type)
        if declared is not None:
            known = declared.attributes.get(target.attr)
            declared.attributes[target.attr] = carried if known is None else joined(known, carried)
        elif value.origins:
            self._contaminate(target.value, value)

    def _contaminate(self, node: ast.expr, value: Value) -> None:
        """Storing into a container: the container holds it from now on."""
        key = key_of(node)
        known = self.scope.find(key) if key else None
        if not isinstance(known, Value) or (not value.origins and value.fixed):
            return
        parts = known.parts
        merged = Value(
            fixed=known.fixed and value.fixed,
            origins=merged_origins([known, value]),
            type=known.type,
            made_by=known.made_by,
            through=known.through,
            marks=common_marks([known, value]),
            parts=parts,
        )
        self.scope.keep(key, merged)

    def _carried(self, value: Value, node: ast.AST, key: str) -> Value:
        """The value after an assignment, which is a station of its flow."""
        if not value.origins:
            return value
        step = self.step(node, f"is kept as {key}")
        origins = frozenset(
            each if _is_new(each, step) else each.then(step) for each in value.origins
        )
        return value.replaced(origins=origins)

    def _if(self, node: ast.If) -> bool:
        self.value(node.test)
        scope = self.scope
        before = scope.copy_variables()
        self.apply(node.test, holds=True)
        marked = _differences(scope.variables, before)
        ended = self.block(node.body)
        after = scope.variables
        scope.variables = dict(before)
        self.apply(node.test, holds=False)
        other_marked = _differences(scope.variables, before)
        other_ended = self.block(node.orelse)
        if ended and not other_ended:
            return False
        if other_ended and not ended:
            scope.variables = after
            return False
        # A test of which nothing followed has bounded nothing.
        for key in marked.keys() & other_marked.keys():
            if after.get(key) is marked[key] and scope.variables.get(key) is other_marked[key]:
                for variables in (after, scope.variables):
                    if key in before:
                        variables[key] = before[key]
                    else:
                        del variables[key]
        scope.meet(after, scope.variables)
        return ended and other_ended

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        iterated = self.value(node.iter)
        before = self.scope.copy_variables()
        self.bind(node.target, element(node.iter, iterated, self.expressions))
        self.block(node.body)
        self.scope.meet(self.scope.variables, before)
        self.block(node.orelse)
        return False

    def _while(self, node: ast.While) -> bool:
        self.value(node.test)
        before = self.scope.copy_variables()
        self.apply(node.test, holds=True)
        self.block(node.body)
        self.scope.meet(self.scope.variables, before)
        self.block(node.orelse)
        return False

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value)
        return self.block(node.body)

    def _try(self, node: ast.Try | ast.TryStar) -> bool:
        scope = self.scope
        before = scope.copy_variables()
        ended = self.block(node.body)
        if not ended:
            ended = self.block(node.orelse)
        after = scope.variables
        ways = [] if ended else [after]
        for handler in node.handlers:
            scope.variables = dict(before)
            # The error may have come before or after what the body assigned.
            scope.meet(dict(after), scope.variables)
            if handler.type is not None:
                self.value(handler.type)
            if handler.name:
                origin = Origin("error", (self.step(handler, f"{handler.name} is the error"),))
                kind = self.name_of(handler.type) if handler.type is not None else ""
                scope.assign(handler.name, Value(origins=frozenset({origin}), type=kind))
            before_it, scope.falls_back = scope.falls_back, True
            if not self.block(handler.body):
                ways.append(scope.variables)
            scope.falls_back = before_it
        scope.variables = ways[0] if ways else after
        for way in ways[1:]:
            scope.meet(way, scope.variables)
        return self.block(node.finalbody) or not ways

    def _return(self, node: ast.Return) -> bool:
        if node.value is not None:
            self.returned(node.value, self.value(node.value))
        return True

    def _raise(self, node: ast.Raise) -> bool:
        for each in (node.exc, node.cause):
            if each is not None:
                self.value(each)
        return True

    def _assert(self, node: ast.Assert) -> bool:
        self.value(node.test)
        if node.msg is not None:
            self.value(node.msg)
        self.apply(node.test, holds=True)
        return False

    def _match(self, node: ast.Match) -> bool:
        subject = self.value(node.subject)
        before = self.scope.copy_variables()
        ways: list[dict[str, Value]] = []
        for case in node.cases:
            self.scope.variables = dict(before)
            for each in ast.walk(case.pattern):
                name = getattr(each, "name", None)
                if isinstance(name, str):
                    self.scope.assign(name, subject)
            if isinstance(case.pattern, ast.MatchValue | ast.MatchOr | ast.MatchSingleton):
                self.mark(node.subject, "listed")
            if case.guard is not None:
                self.value(case.guard)
                self.apply(case.guard, holds=True)
            if not self.block(case.body):
                ways.append(self.scope.variables)
        self.scope.variables = before
        for way in ways:
            self.scope.meet(way, self.scope.variables)
        return False

    def _import(self, node: ast.Import | ast.ImportFrom) -> bool:
        for name, target in self.project.aliases(node):
            self.scope.alias(name, target)
        return False

    def _outer(self, node: ast.Global | ast.Nonlocal) -> bool:
        self.scope.outer_names.update(node.names)
        return False


def _is_new(origin: Origin, step: Step) -> bool:
    """Whether the origin is a parameter itself, or was told of on this very line."""
    if not origin.steps:
        return origin.kind == "parameter"
    last = origin.steps[-1].place
    return (last.path, last.file_line) == (step.place.path, step.place.file_line)


def _differences(now: dict[str, Value], before: dict[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in now.items() if before.get(key) is not value}
