"""Functions of the file: read when they are called first, with what the call passes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from bezoar.scan.code import declarations
from bezoar.scan.code.call import Call
from bezoar.scan.code.context import Context
from bezoar.scan.code.declarations import ClassDeclaration, Definition, Function
from bezoar.scan.code.project import Summary
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.values import UNKNOWN, Origin, Value, joined, merged_origins

#: How deep calls of functions are followed while one is read.
_MAX_DEPTH = 12
#: How often a function is read anew because a call brought something new.
_MAX_READINGS = 4
_PROPERTIES = frozenset({"property", "functools.cached_property", "?.cached_property"})


@dataclass(slots=True, eq=False)
class Reading:
    """How far a function has been read, and with what.

    Attributes:
        function: the function.
        scope: the one around it.
        declaration: the class that it is a method of.
        inputs: parameter to what the calls in this file pass.
        summary: what a call does, once it has been read.
        last_scope: its own one, as it was at its end.
    """

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


class Functions:
    """The functions of the file that `reader` reads.

    Attributes:
        readings: by canonical name.
        passed: function to parameter to what calls pass, other files' functions included.
    """

    def __init__(self, reader: Context) -> None:
        """No functions yet."""
        self.readings: dict[str, Reading] = {}
        self.passed: dict[str, dict[str, Passed]] = {}
        self._reader = reader
        self._depth = 0

    def read_rest(self) -> None:
        """Reads what nobody has called, then what a later call brought something new for."""
        done: set[str] = set()
        while waiting := [name for name in self.readings if name not in done]:
            # Constructors first: the other methods use what they store.
            for name in sorted(waiting, key=lambda each: not each.endswith(".__init__")):
                done.add(name)
                if self.readings[name].n_readings == 0:
                    self._run(self.readings[name])
        for _ in range(_MAX_READINGS):
            stale = [reading for reading in self.readings.values() if reading.stale]
            for reading in stale:
                self._run(reading)
            if not stale:
                break

    # -- declarations ------------------------------------------------------------------------

    def declare(
        self, node: Definition, prefix: str, scope: Scope, owner: ClassDeclaration | None
    ) -> Function:
        """Makes a function known that is defined in `scope`, or in the class `owner`."""
        reader = self._reader
        qualname = f"{prefix}{node.name}"
        name = f"{reader.path}:{qualname}"
        params = declarations.parameters(node, is_method=owner is not None)
        function = Function(
            node=node,
            name=node.name,
            qualname=qualname,
            canonical=name,
            params=tuple(each.arg for each in params),
            decorators=declarations.decorator_names(node, self._decorator_name),
            class_name=owner.facts.name.rpartition(":")[2] if owner else "",
            bases=owner.facts.bases if owner else (),
        )
        function.is_route = declarations.is_route(function, frozenset(reader.project.imports))
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
        reader = self._reader
        name = reader.name_of(node)
        if name or not isinstance(node, ast.Attribute):
            return name
        receiver = reader.value(node.value)
        return reader.project.method_name(receiver.type, node.attr) if receiver.type else ""

    # -- calls -------------------------------------------------------------------------------

    def summary_of(self, name: str) -> Summary | None:
        """What a call of the project's function does, as far as that is known."""
        reading = self.readings.get(name)
        if reading is None:
            return self._reader.project.knowledge.summaries.get(name)
        if reading.summary is None:
            return Summary(name=name, params=reading.function.params, result=UNKNOWN)
        return reading.summary

    def property_value(self, name: str) -> Value | None:
        """What a property gives; None for a method, which is a value of its own."""
        reading = self.readings.get(name)
        if reading is None or not _PROPERTIES.intersection(reading.function.decorators):
            return None
        if reading.n_readings == 0 and not reading.running and self._depth < _MAX_DEPTH:
            self._run(reading)
        return reading.summary.result if reading.summary is not None else None

    def passes(self, call: Call, bound: dict[str, Value], *, callee: str = "") -> None:
        """Remembers what a call passes, and reads the function where that is new.

        Args:
            call: the call.
            bound: parameter to argument.
            callee: the function, where it is another than ``call.name``.
        """
        name = callee or call.name
        seen = self.passed.setdefault(name, {})
        for param, value in bound.items():
            known = seen.setdefault(param, Passed())
            known.n_calls += 1
            known.n_fixed += value.fixed and not value.origins
            if value.origins:
                known.value = joined(known.value, self._sent(value, call, param))
        reading = self.readings.get(name)
        if reading is None or reading.running:
            return
        changed = self._take(reading, bound, call)
        if reading.n_readings == 0 and self._depth < _MAX_DEPTH:
            self._run(reading)
        elif changed and reading.n_readings < _MAX_READINGS:
            reading.stale = True

    def _take(self, reading: Reading, bound: dict[str, Value], call: Call) -> bool:
        """Joins what a call passes to what is known; whether that brought something new."""
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
        message = f"is passed to {call.method or 'the call'}() as {param}"
        step = self._reader.step(call.node, message)
        origins = frozenset(
            Origin(each.kind, each.then(step).steps, each.function, each.name, called=True)
            for each in value.origins
        )
        return value.replaced(origins=origins)

    # -- bodies ------------------------------------------------------------------------------

    def _run(self, reading: Reading) -> None:
        """Reads a function's body with what is known of its parameters."""
        function = reading.function
        reading.running, reading.stale = True, False
        reading.n_readings += 1
        reading.last_scope = Scope(reading.scope)
        self._depth += 1
        try:
            with self._reader.within(function, reading.last_scope) as returns:
                self._fill_parameters(reading)
                ended = self._reader.block(function.node.body)
                function.returns = tuple(returns)
                reading.summary = self._summary(reading, ended)
        finally:
            reading.running = False
            self._depth -= 1

    def _fill_parameters(self, reading: Reading) -> None:
        function, node, reader = reading.function, reading.function.node, self._reader
        given_defaults = declarations.defaults(node)
        outside = reader.project.knowledge.inputs.get(function.canonical, {})
        if reading.declaration is not None and node.args.args:
            first = node.args.args[0].arg
            if first not in function.params:
                reader.scope.variables[first] = Value(type=reading.declaration.facts.name)
        requested: dict[str, frozenset[str]] = {}
        if function.is_route:
            requested.update(declarations.request_parameters(function, reader.name_of))
        for argument in declarations.parameters(node, is_method=bool(function.class_name)):
            name = argument.arg
            value = self._parameter(function, argument, requested)
            declared = value.marks
            default = reader.values.get(given_defaults[name]) if name in given_defaults else None
            if default is not None and not default.origins:
                default = None
            for more in (default, reading.inputs.get(name), outside.get(name)):
                if more is not None:
                    value = _with_input(value, more, declared)
            reader.scope.variables[name] = value
        for extra in (node.args.vararg, node.args.kwarg):
            if extra is not None:
                origin = Origin("parameter", (), function.canonical, extra.arg)
                reader.scope.variables[extra.arg] = Value(origins=frozenset({origin}))

    def _parameter(
        self, function: Function, argument: ast.arg, requested: dict[str, frozenset[str]]
    ) -> Value:
        """What a parameter is by its declaration, and by who calls the function."""
        reader, name = self._reader, argument.arg
        kind, marks = declarations.annotated(argument.annotation, reader.name_of)
        marks |= reader.project.enum_marks(kind)
        if name in requested or declarations.is_request_type(argument.annotation, reader.name_of):
            marks |= requested.get(name, frozenset())
            step = reader.step(argument, f"{name} comes with the request")
            origins = frozenset({Origin("request", (step,))})
        elif function.is_command:
            step = reader.step(argument, f"{name} comes from the command line")
            origins = frozenset({Origin("cli", (step,))})
        elif function.is_route:
            origins = frozenset()
        else:
            origins = frozenset({Origin("parameter", (), function.canonical, name)})
        return Value(origins=origins, type=declarations.class_type(kind), marks=marks)

    def _summary(self, reading: Reading, ended: bool) -> Summary:
        function, reader = reading.function, self._reader
        result: Value | None = None
        for _, value in function.returns:
            result = value if result is None else joined(result, value)
        result = result or UNKNOWN
        kept = frozenset(origin for origin in result.origins if not origin.called)
        result = result.replaced(origins=kept)
        if not result.type:
            kind = declarations.annotated(function.node.returns, reader.name_of)[0]
            result = result.replaced(type=declarations.class_type(kind)) if kind else result
        comes_back = not ended or bool(function.returns)
        return Summary(
            name=function.canonical,
            params=function.params,
            result=result,
            checks=self._checks(function) if comes_back else {},
        )

    def _checks(self, function: Function) -> dict[str, frozenset[str]]:
        """Parameter to the marks that the function's body gave it."""
        checks: dict[str, frozenset[str]] = {}
        for argument in declarations.parameters(function.node, is_method=bool(function.class_name)):
            name = argument.arg
            value = self._reader.scope.variables.get(name)
            if value is None or not any(
                origin.kind == "parameter" and origin.name == name for origin in value.origins
            ):
                continue
            declared = declarations.annotated(argument.annotation, self._reader.name_of)[1]
            if value.marks - declared:
                checks[name] = value.marks - declared
        return checks


def _with_input(value: Value, more: Value, declared: frozenset[str]) -> Value:
    """A parameter's value with what callers pass."""
    marks = declared | more.marks if more.origins else value.marks | more.marks
    return Value(
        origins=merged_origins([value, more]),
        type=value.type or more.type,
        made_by=more.made_by,
        through=value.through | more.through,
        marks=marks,
        parts=more.parts,
    )
