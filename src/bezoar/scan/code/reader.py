"""Reads one parsed file in the order in which it would run, and remembers what flows where.

One pass over the statements: branches meet again, a loop's body is read once, a function is read
when it is first called, with what that call passes, and again when a later call brings something
new. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bezoar.contracts.code_findings import Place, Step
from bezoar.scan.code import declarations
from bezoar.scan.code.call import Call
from bezoar.scan.code.calls import Calls
from bezoar.scan.code.declarations import ClassDeclaration, Definition, Function
from bezoar.scan.code.expressions import Expressions, element
from bezoar.scan.code.guards import key_of, marks_of
from bezoar.scan.code.names import STAR_EXPORTS, canonical
from bezoar.scan.code.project import ClassFacts, Knowledge, ModuleIndex, Summary
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.sources import is_checker
from bezoar.scan.code.values import UNKNOWN, Origin, Value, common_marks, joined, merged_origins

#: How deep calls of functions are followed while one is read.
_MAX_DEPTH = 12
#: How often a function is read anew because a call brought something new.
_MAX_READINGS = 4
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
_PROPERTIES = frozenset({"property", "functools.cached_property", "?.cached_property"})
_NEVER = frozenset({"parser.error", "ctx.fail", "ctx.abort", "self.fail", "self.send_error"})


@dataclass(slots=True, eq=False)
class Reading:
    """How far a function has been read, and with what."""

    function: Function
    scope: Scope
    declaration: ClassDeclaration | None
    inputs: dict[str, Value] = field(default_factory=dict)
    summary: Summary | None = None
    n_readings: int = 0
    last_scope: Scope | None = None
    running: bool = False
    stale: bool = False


@dataclass(slots=True)
class Passed:
    """What the calls seen so far pass as one parameter."""

    n_calls: int = 0
    n_fixed: int = 0
    value: Value | None = None


class Reader:
    """Reads one file."""

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
        self.knowledge = knowledge
        self.values: dict[ast.AST, Value] = {}
        self.found: dict[ast.Call, Call] = {}
        self.scope = Scope()
        self.top = self.scope
        self.function: Function | None = None
        self.readings: dict[str, Reading] = {}
        self.classes: dict[str, ClassDeclaration] = {}
        self.passed: dict[str, dict[str, Passed]] = {}
        self.references: set[str] = set()
        self.imports: set[str] = set()
        self.call = Calls(self).value
        self.expressions = Expressions(self)
        self.value = self.expressions.value
        self.name_of = self.expressions.name_of
        self._place = place
        self._line_of = line_of
        self._index = index
        self._depth = 0
        self._returns: list[tuple[ast.expr, Value]] = []
        self._class: ClassDeclaration | None = None
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
            ast.ImportFrom: self._import_from,
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
        self._predeclare(tree)
        self._block(tree.body)
        done: set[str] = set()
        while True:
            waiting = [name for name in self.readings if name not in done]
            if not waiting:
                break
            # Constructors first: the other methods use what they store.
            for name in sorted(waiting, key=lambda each: not each.endswith(".__init__")):
                done.add(name)
                reading = self.readings[name]
                if reading.n_readings == 0:
                    self._run(reading)
        for _ in range(_MAX_READINGS):
            stale = [reading for reading in self.readings.values() if reading.stale]
            if not stale:
                break
            for reading in stale:
                self._run(reading)

    # -- what the parts ask for --------------------------------------------------------------

    def step(self, node: ast.AST, message: str) -> Step:
        """A station of a flow at `node`."""
        symbol = self.function.qualname if self.function else ""
        return Step(place=self._place(node, symbol), message=message, code=self._line_of(node))

    def refer(self, name: str) -> None:
        """Remembers that the file uses something of another file."""
        if not name.startswith(f"{self.path}:"):
            self.references.add(name)

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[None]:
        """Reads in another scope for a while."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

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
        self.scope.variables[key] = known.marked(mark)

    def apply(self, test: ast.expr, *, holds: bool) -> None:
        """Remembers what follows when `test` holds, or does not."""
        for node, mark in marks_of(test, holds=holds):
            self.mark(node, mark)

    def returned(self, node: ast.expr, value: Value) -> None:
        """Remembers what the function gives."""
        self._returns.append((node, value))

    # -- the project -------------------------------------------------------------------------

    def project_member(self, owner: str, name: str) -> str:
        """The canonical name of a member of a module or class of the project."""
        path, _, inner = owner.partition(":")
        if inner:
            return self.method_name(owner, name)
        if path.endswith("__init__.py"):
            module = f"{path.removesuffix('/__init__.py').replace('/', '.')}.{name}"
            found = self._index.find(module, self.path)
            if found:
                return f"{found}:"
        return self._origin_of(f"{path}:{name}")

    def _origin_of(self, name: str) -> str:
        """Where a name that a module only passes on is declared."""
        for _ in range(5):
            target = self.knowledge.aliases.get(name, name)
            if target == name:
                break
            name = target
        return name

    def class_named(self, name: str) -> ClassFacts | None:
        """The class of the project with that canonical name."""
        declared = self.classes.get(name)
        return declared.facts if declared else self.knowledge.classes.get(name)

    def method_name(self, owner: str, method: str) -> str:
        """The canonical name of a method, that of the base class which has it."""
        if ":" not in owner:
            return canonical(f"{owner}.{method}")
        seen = [owner]
        for each in seen:
            facts = self.class_named(each)
            if facts is None:
                continue
            if method in facts.methods:
                return f"{each}.{method}"
            seen += [base for base in facts.bases if base and base not in seen and ":" in base]
        for each in seen:
            facts = self.class_named(each)
            for base in facts.bases if facts else ():
                if base and ":" not in base:
                    return canonical(f"{base}.{method}")
        return f"{owner}.{method}"

    def is_record(self, name: str) -> bool:
        """Whether objects of the class are little more than their arguments."""
        seen = [name]
        for each in seen:
            facts = self.class_named(each)
            if facts is None:
                continue
            if facts.is_model or facts.is_enum or facts.fields:
                return True
            seen += [base for base in facts.bases if ":" in base and base not in seen]
        return False

    def enum_marks(self, name: str) -> frozenset[str]:
        """The marks of a value that is declared to be a member of an enumeration."""
        facts = self.class_named(name) if ":" in name else None
        is_enum = facts is not None and facts.is_enum
        return frozenset({"listed", "path", "size"}) if is_enum else frozenset()

    def class_attribute(self, base: Value, name: str) -> Value | None:
        """An attribute of an object of the project's class."""
        seen = [base.type]
        for each in seen:
            declared = self.classes.get(each)
            facts = self.class_named(each)
            is_field = facts is not None and name in facts.fields
            # A default is only one of the values of a field that is filled from outside.
            filled = is_field and (base.origins or base.parts)
            if declared is not None and name in declared.attributes and not filled:
                return declared.attributes[name]
            if facts is None:
                continue
            self.refer(each)
            if name in facts.fields:
                fact = facts.fields[name]
                part = base.parts.get(name) if isinstance(base.parts, dict) else None
                source = part or base
                checked = base.marks & {"checked"}
                return Value(
                    origins=source.origins,
                    fixed=source.fixed,
                    type=fact.type,
                    through=source.through,
                    marks=fact.marks
                    | checked
                    | (part.marks if part else frozenset())
                    | self.enum_marks(fact.type),
                )
            if name in declarations.HANDLER_ATTRIBUTES and declarations.is_handler(facts.bases):
                return Value(origins=frozenset({Origin("request")}), made_by=f"self.{name}")
            if name in facts.methods:
                return self._property(f"{each}.{name}")
            seen += [each for each in facts.bases if ":" in each and each not in seen]
        return None

    def _property(self, name: str) -> Value | None:
        """What a property gives; None for a method, which is a value of its own."""
        reading = self.readings.get(name)
        if reading is None or not _PROPERTIES.intersection(reading.function.decorators):
            return None
        if reading.n_readings == 0 and not reading.running and self._depth < _MAX_DEPTH:
            self._run(reading)
        return reading.summary.result if reading.summary is not None else None

    def summary_of(self, name: str) -> Summary | None:
        """What a call of the project's function does, as far as that is known."""
        reading = self.readings.get(name)
        if reading is None:
            return self.knowledge.summaries.get(name)
        if reading.summary is None:
            function = reading.function
            return Summary(name=name, params=function.params, result=UNKNOWN)
        return reading.summary

    def passes(self, call: Call, bound: dict[str, Value], *, callee: str = "") -> None:
        """Remembers what a call passes, and reads the function where that is new."""
        name = callee or call.name
        seen = self.passed.setdefault(name, {})
        for param, value in bound.items():
            known = seen.setdefault(param, Passed())
            known.n_calls += 1
            known.n_fixed += value.fixed and not value.origins
            if value.origins:
                sent = self._sent(value, call, param)
                known.value = joined(known.value, sent)
        reading = self.readings.get(name)
        if reading is None or reading.running:
            return
        changed = self._take(reading, bound, call)
        if reading.n_readings == 0 and self._depth < _MAX_DEPTH:
            self._run(reading)
        elif changed and reading.n_readings < _MAX_READINGS:
            reading.stale = True

    def _take(self, reading: Reading, bound: dict[str, Value], call: Call) -> bool:
        changed = False
        for param, value in bound.items():
            if not value.origins and not value.through and not value.type:
                continue
            sent = self._sent(value, call, param)
            known = reading.inputs.get(param)
            if known is None:
                reading.inputs[param] = sent
                changed = True
                continue
            both = joined(known, sent)
            new = {origin.key for origin in both.origins} - {o.key for o in known.origins}
            if new or both.marks != known.marks or both.type != known.type:
                reading.inputs[param] = both
                changed = True
        return changed

    def _sent(self, value: Value, call: Call, param: str) -> Value:
        """The value as the callee sees it."""
        if not value.origins:
            return value
        step = self.step(call.node, f"is passed to {call.method or 'the call'}() as {param}")
        origins = frozenset(
            Origin(each.kind, each.then(step).steps, each.function, each.name, called=True)
            for each in value.origins
        )
        return value.replaced(origins=origins)

    # -- functions ---------------------------------------------------------------------------

    def _run(self, reading: Reading) -> None:
        """Reads a function's body with what is known of its parameters."""
        function = reading.function
        before = self.scope, self.function, self._returns, self._class
        reading.running, reading.stale = True, False
        reading.n_readings += 1
        self._depth += 1
        self.scope = reading.last_scope = Scope(reading.scope)
        self.function = function
        self._returns = []
        self._class = reading.declaration
        try:
            self._fill_parameters(reading)
            ended = self._block(function.node.body)
            function.returns = tuple(self._returns)
            reading.summary = self._summary(reading, ended)
        finally:
            self.scope, self.function, self._returns, self._class = before
            reading.running = False
            self._depth -= 1

    def _fill_parameters(self, reading: Reading) -> None:
        function, node = reading.function, reading.function.node
        given_defaults = declarations.defaults(node)
        outside = self.knowledge.inputs.get(function.canonical, {})
        given = (
            dict(declarations.request_parameters(function, self.name_of))
            if (function.is_route)
            else {}
        )
        if reading.declaration is not None and node.args.args:
            first = node.args.args[0].arg
            if first not in function.params:
                self.scope.variables[first] = Value(type=reading.declaration.facts.name)
        for argument in declarations.parameters(node, is_method=bool(function.class_name)):
            name = argument.arg
            kind, marks = declarations.annotated(argument.annotation, self.name_of)
            origins: set[Origin] = set()
            requested = name in given or declarations.is_request_type(
                argument.annotation, self.name_of
            )
            if requested:
                marks |= given.get(name, frozenset())
                step = self.step(argument, f"{name} comes with the request")
                origins.add(Origin("request", (step,)))
            elif function.is_command:
                step = self.step(argument, f"{name} comes from the command line")
                origins.add(Origin("cli", (step,)))
            elif not function.is_route:
                origins.add(Origin("parameter", (), function.canonical, name))
            marks |= self.enum_marks(kind)
            value = Value(origins=frozenset(origins), type=_class_type(kind), marks=marks)
            default = self.values.get(given_defaults[name]) if name in given_defaults else None
            if default is not None and default.origins and not requested:
                value = _with_input(value, default, marks)
            for more in (reading.inputs.get(name), outside.get(name)):
                if more is not None:
                    value = _with_input(value, more, marks)
            self.scope.variables[name] = value
        for extra in (node.args.vararg, node.args.kwarg):
            if extra is not None:
                origin = Origin("parameter", (), function.canonical, extra.arg)
                self.scope.variables[extra.arg] = Value(origins=frozenset({origin}))

    def _summary(self, reading: Reading, ended: bool) -> Summary:
        function = reading.function
        result: Value | None = None
        for _, value in self._returns:
            result = value if result is None else joined(result, value)
        result = result or UNKNOWN
        kept = frozenset(origin for origin in result.origins if not origin.called)
        result = result.replaced(origins=kept)
        if not result.type:
            kind = declarations.annotated(function.node.returns, self.name_of)[0]
            result = result.replaced(type=_class_type(kind)) if kind else result
        checks: dict[str, frozenset[str]] = {}
        if not ended or self._returns:
            for name in function.params:
                value = self.scope.variables.get(name)
                own = value is not None and any(
                    o.kind == "parameter" and o.name == name for o in value.origins
                )
                if own and value is not None:
                    declared = self._declared_marks(function, name)
                    marks = value.marks - declared
                    if marks:
                        checks[name] = marks
        return Summary(
            name=function.canonical, params=function.params, result=result, checks=checks
        )

    def _declared_marks(self, function: Function, name: str) -> frozenset[str]:
        for argument in declarations.parameters(function.node, is_method=bool(function.class_name)):
            if argument.arg == name:
                return declarations.annotated(argument.annotation, self.name_of)[1]
        return frozenset()

    def _define(self, node: Definition) -> bool:
        for each in (*node.args.defaults, *node.args.kw_defaults):
            if each is not None:
                self.value(each)
        for each in node.decorator_list:
            self.value(each)
        prefix = f"{self.function.qualname}." if self.function else ""
        self._declare_function(node, prefix, self.scope, None)
        return False

    def _declare_function(
        self, node: Definition, prefix: str, scope: Scope, owner: ClassDeclaration | None
    ) -> Function:
        qualname = f"{prefix}{node.name}"
        name = f"{self.path}:{qualname}"
        is_method = owner is not None
        function = Function(
            node=node,
            name=node.name,
            qualname=qualname,
            canonical=name,
            params=tuple(each.arg for each in declarations.parameters(node, is_method=is_method)),
            decorators=declarations.decorator_names(node, self._decorator_name),
            class_name=owner.facts.name.rpartition(":")[2] if owner else "",
            bases=owner.facts.bases if owner else (),
        )
        function.is_route = declarations.is_route(function, frozenset(self.imports))
        function.is_command = declarations.is_command(function)
        function.is_qnode = any(
            each in ("pennylane.qnode", "pennylane.QNode") for each in function.decorators
        )
        known = self.readings.get(name)
        if known is None or known.function.node is not node:
            self.readings[name] = Reading(function, scope, owner)
        if owner is None:
            scope.alias(node.name, name)
        return self.readings[name].function

    def _decorator_name(self, node: ast.AST) -> str:
        """The name of a decorator; of a method, with its object's class."""
        name = self.name_of(node)
        if name or not isinstance(node, ast.Attribute):
            return name
        receiver = self.value(node.value)
        return self.method_name(receiver.type, node.attr) if receiver.type else ""

    def _define_class(self, node: ast.ClassDef) -> bool:
        for each in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self.value(each)
        prefix = f"{self.function.qualname}." if self.function else ""
        name = f"{self.path}:{prefix}{node.name}"
        facts = declarations.class_facts(node, name, self.name_of)
        declared = ClassDeclaration(node, facts)
        self.classes[name] = declared
        self.scope.alias(node.name, name)
        inner = Scope(self.scope)
        with self.inside(inner):
            for statement in node.body:
                if isinstance(statement, Definition):
                    for each in statement.decorator_list:
                        self.value(each)
                    method = self._declare_function(
                        statement, f"{prefix}{node.name}.", self.scope.parent or self.top, declared
                    )
                    declared.methods[statement.name] = method
                else:
                    self._statement(statement)
        declared.attributes.update(inner.variables)
        return False

    def _predeclare(self, tree: ast.Module) -> None:
        """Imports and definitions are known to functions above them."""
        for statement in tree.body:
            if isinstance(statement, ast.Import):
                self._import(statement)
            elif isinstance(statement, ast.ImportFrom):
                self._import_from(statement)

    # -- statements --------------------------------------------------------------------------

    def _block(self, statements: list[ast.stmt]) -> bool:
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
            if not value.type and _class_type(kind):
                value = value.replaced(type=_class_type(kind), marks=value.marks | marks)
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
                self.scope.variables[key] = self._carried(value, target, key)
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
            self.scope.variables[key] = carried
        declared = self.classes.get(owner.type)
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
        self.scope.variables[key] = Value(
            fixed=known.fixed and value.fixed,
            origins=merged_origins([known, value]),
            type=known.type,
            made_by=known.made_by,
            through=known.through,
            marks=common_marks([known, value]),
            parts=parts,
        )

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
        ended = self._block(node.body)
        after = scope.variables
        scope.variables = dict(before)
        self.apply(node.test, holds=False)
        other_marked = _differences(scope.variables, before)
        other_ended = self._block(node.orelse)
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
        self._block(node.body)
        self.scope.meet(self.scope.variables, before)
        self._block(node.orelse)
        return False

    def _while(self, node: ast.While) -> bool:
        self.value(node.test)
        before = self.scope.copy_variables()
        self.apply(node.test, holds=True)
        self._block(node.body)
        self.scope.meet(self.scope.variables, before)
        self._block(node.orelse)
        return False

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value)
        return self._block(node.body)

    def _try(self, node: ast.Try | ast.TryStar) -> bool:
        scope = self.scope
        before = scope.copy_variables()
        ended = self._block(node.body)
        if not ended:
            ended = self._block(node.orelse)
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
            if not self._block(handler.body):
                ways.append(scope.variables)
            scope.falls_back = before_it
        scope.variables = ways[0] if ways else after
        for way in ways[1:]:
            scope.meet(way, scope.variables)
        return self._block(node.finalbody) or not ways

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
            if not self._block(case.body):
                ways.append(self.scope.variables)
        self.scope.variables = before
        for way in ways:
            self.scope.meet(way, self.scope.variables)
        return False

    def _outer(self, node: ast.Global | ast.Nonlocal) -> bool:
        self.scope.outer_names.update(node.names)
        return False

    # -- imports -----------------------------------------------------------------------------

    def _import(self, node: ast.Import) -> bool:
        for each in node.names:
            self.imports.add(canonical(each.name))
            path = self._index.find(each.name, self.path)
            if each.asname or "." not in each.name:
                target = f"{path}:" if path and path != self.path else canonical(each.name)
                self.scope.alias(each.asname or each.name, target)
                continue
            root = each.name.partition(".")[0]
            path = self._index.find(root, self.path)
            self.scope.alias(root, f"{path}:" if path else canonical(root))
        return False

    def _import_from(self, node: ast.ImportFrom) -> bool:
        module = node.module or ""
        path = self._index.find(module, self.path, node.level)
        if node.level and not path:
            module = f"{'.' * node.level}{module}"
        self.imports.add(canonical(module))
        for each in node.names:
            name = each.asname or each.name
            if each.name == "*":
                self._star(module, path)
            elif path and path != self.path:
                self.scope.alias(name, self._from_project(path, module, each.name, node.level))
            elif inner := self._submodule(node, each.name):
                self.scope.alias(name, f"{inner}:")
            else:
                target = canonical(f"{module}.{each.name}")
                self.imports.add(target)
                self.scope.alias(name, target)
        return False

    def _submodule(self, node: ast.ImportFrom, name: str) -> str:
        """The path of a module that is imported from a folder without ``__init__.py``."""
        module = f"{node.module}.{name}" if node.module else name
        return self._index.find(module, self.path, node.level) if node.module or node.level else ""

    def _from_project(self, path: str, module: str, name: str, level: int) -> str:
        """A member of a module of the project: a submodule, or something in it."""
        if path.endswith("__init__.py"):
            inner = self._index.find(f"{module}.{name}" if module else name, self.path, level)
            if inner:
                return f"{inner}:"
        return self._origin_of(f"{path}:{name}")

    def _star(self, module: str, path: str) -> None:
        if path:
            prefix = f"{path}:"
            known = (self.knowledge.classes, self.knowledge.summaries, self.knowledge.constants)
            for table in known:
                for name in table:
                    if name.startswith(prefix) and "." not in name[len(prefix) :]:
                        self.scope.alias(name[len(prefix) :], name)
            self.references.add(prefix)
            return
        for name in STAR_EXPORTS.get(canonical(module), ()):
            self.scope.alias(name, canonical(f"{module}.{name}"))


def _is_new(origin: Origin, step: Step) -> bool:
    """Whether the origin is a parameter itself, or was told of on this very line."""
    if not origin.steps:
        return origin.kind == "parameter"
    last = origin.steps[-1].place
    return (last.path, last.file_line) == (step.place.path, step.place.file_line)


def _differences(now: dict[str, Value], before: dict[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in now.items() if before.get(key) is not value}


def _class_type(name: str) -> str:
    """An annotation as the class of a value: small types say nothing worth keeping."""
    if name in ("", "float", "int", "bool", "complex", "None", "list", "dict", "object", "Any"):
        return ""
    return "" if name.startswith("typing.") else name


def _with_input(value: Value, more: Value, declared: frozenset[str]) -> Value:
    """A parameter's value with what callers pass."""
    origins = merged_origins([value, more])
    marks = declared | more.marks if more.origins else value.marks | more.marks
    return Value(
        origins=origins,
        type=value.type or more.type,
        made_by=more.made_by,
        through=value.through | more.through,
        marks=marks,
        parts=more.parts,
    )
