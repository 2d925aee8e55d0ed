"""Values of expressions, and the canonical names of what they refer to."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from bezoar.scan.code import sources
from bezoar.scan.code.context import Context
from bezoar.scan.code.declarations import parameters
from bezoar.scan.code.guards import key_of
from bezoar.scan.code.names import canonical, is_builtin
from bezoar.scan.code.scopes import Scope
from bezoar.scan.code.values import (
    FIXED,
    UNKNOWN,
    UNKNOWN_LITERAL,
    Origin,
    Value,
    constant,
    joined,
    mixed,
)

#: Longest text that is put together from constants.
_MAX_TEXT = 20_000
#: Most elements of a display whose values are kept apart.
_MAX_PARTS = 256
#: Attributes that say nothing of where an object came from.
_CLEAN_ATTRIBUTES = frozenset(
    {"shape", "ndim", "dtype", "size", "__name__", "__class__", "num_qubits", "num_clbits"}
)
#: Of these those that a client's data may have, too, as fields.
_SIZES = frozenset({"size", "num_qubits", "num_clbits"})
#: Packages whose objects have sizes that are facts, not fields.
_COMPUTING = frozenset(
    {"qiskit", "pennylane", "cirq", "numpy", "torch", "pandas", "PIL", "braket", "jax"}
)
#: Marks that the attributes and items of a checked object have too.
_INHERITED = frozenset({"checked", "finite", "range", "listed", "number", "norm"})


class Expressions:
    """Reads expressions in the current scope of a `Context`."""

    def __init__(self, reader: Context) -> None:
        """Expressions of `reader`'s file."""
        self._reader = reader
        self._values: dict[ast.AST, Value] = reader.values
        self._read: dict[type[ast.AST], Callable[[Any], Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: reader.call,
            ast.BinOp: self._operation,
            ast.BoolOp: self._choice,
            ast.Compare: self._comparison,
            ast.UnaryOp: self._unary,
            ast.IfExp: self._conditional,
            ast.Lambda: self._lambda,
            ast.Dict: self._dict,
            ast.List: self._sequence,
            ast.Tuple: self._sequence,
            ast.Set: self._sequence,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.JoinedStr: self._formatted,
            ast.FormattedValue: self._inner,
            ast.Await: self._inner,
            ast.Starred: self._inner,
            ast.NamedExpr: self._named,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
        }

    def value(self, node: ast.expr) -> Value:
        """What is known of an expression here and now."""
        read = self._read.get(type(node))
        if read is None:
            return self._any(node)
        found = read(node)
        self._values[node] = found
        return found

    def name_of(self, node: ast.AST) -> str:
        """The canonical name of what an expression refers to, "" where there is none."""
        if isinstance(node, ast.Name):
            found = self._reader.scope.find(node.id)
            if isinstance(found, str):
                return found
            if found is None and is_builtin(node.id):
                return node.id
            return ""
        if isinstance(node, ast.Attribute):
            return self.member(self.name_of(node.value), node.attr)
        return ""

    def member(self, owner: str, name: str) -> str:
        """The canonical name of a member of a named thing."""
        if not owner:
            return ""
        if ":" in owner:
            return self._reader.project.member(owner, name)
        return canonical(f"{owner}.{name}")

    # -- single expressions ------------------------------------------------------------------

    def _any(self, node: ast.expr) -> Value:
        """Expressions that are rare or new: the mixture of what is in them."""
        found = [
            self.value(each) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)
        ]
        return mixed(found) if found else UNKNOWN

    def _constant(self, node: ast.Constant) -> Value:
        return constant(node.value)

    def _inner(self, node: ast.FormattedValue | ast.Await | ast.Starred) -> Value:
        return self.value(node.value)

    def _name(self, node: ast.Name) -> Value:
        found = self._reader.scope.find(node.id)
        if isinstance(found, Value):
            return found
        if isinstance(found, str):
            return self._thing(found, node)
        return FIXED if is_builtin(node.id) else UNKNOWN

    def _thing(self, name: str, node: ast.expr) -> Value:
        """The value of an imported or declared thing."""
        kind = sources.ATTRIBUTES.get(name)
        if kind is not None:
            origin = Origin(kind, (self._reader.step(node, _TOLD.get(kind, "comes from outside")),))
            return Value(origins=frozenset({origin}), made_by=name)
        if ":" in name:
            self._reader.project.refer(name)
            known = self._reader.project.knowledge.constants.get(name)
            return known if known is not None else Value(made_by=name)
        return Value(fixed=True, made_by=name)

    def _attribute(self, node: ast.Attribute) -> Value:
        key = key_of(node)
        # What is inside is read in any case, for rules that ask for it.
        base = self.value(node.value)
        found = self._reader.scope.find(key) if key else None
        if isinstance(found, Value):
            return found
        name = self.name_of(node)
        declared = self._declared(node, name, base)
        if declared is not None:
            return declared
        if name and not base.origins:
            return self._thing(name, node)
        if node.attr in _CLEAN_ATTRIBUTES and (node.attr not in _SIZES or _is_object(base)):
            return FIXED if base.fixed else UNKNOWN
        if isinstance(base.parts, dict) and node.attr in base.parts:
            return base.parts[node.attr]
        marks = base.marks & _INHERITED
        if base.type in sources.PATH_TYPES and node.attr in ("name", "stem"):
            marks |= {"path"}
        elif base.type in sources.PATH_TYPES and node.attr == "parent":
            return base
        return Value(
            fixed=base.fixed,
            origins=base.origins,
            made_by=name or (f"{base.type}.{node.attr}" if base.type else ""),
            through=base.through,
            marks=marks,
        )

    def _declared(self, node: ast.Attribute, name: str, base: Value) -> Value | None:
        """An attribute that a class of the project declares: of the class, or of its object."""
        owner = name.rpartition(".")[0]
        if ":" in owner and self._reader.project.class_named(owner) is not None:
            found = self._member(Value(type=owner), node.attr)
            if found is not None:
                return found
        if ":" in base.type and (base.origins or not name):
            return self._member(base, node.attr)
        return None

    def _member(self, base: Value, name: str) -> Value | None:
        found = self._reader.project.attribute(base, name)
        if isinstance(found, str):
            return self._reader.functions.property_value(found)
        return found

    def _subscript(self, node: ast.Subscript) -> Value:
        key = key_of(node)
        found = self._reader.scope.find(key) if key else None
        base = self.value(node.value)
        index = self.value(node.slice) if not isinstance(node.slice, ast.Slice) else None
        if index is None:
            self._any(node.slice)
        if isinstance(found, Value):
            return found
        if index is None:
            return base.marked("size") if base.origins else base
        part = _part(base, index)
        if part is not None:
            return part
        if not base.origins and not base.through:
            # A table of the program, whoever chooses the row.
            if base.fixed:
                return FIXED
            return Value(made_by=base.made_by) if base.made_by == "os.environ" else UNKNOWN
        return Value(
            origins=base.origins,
            made_by=base.made_by,
            through=base.through,
            marks=base.marks & _INHERITED,
            fixed=base.fixed,
        )

    def _operation(self, node: ast.BinOp) -> Value:
        # A sum of thousands of terms is a tree as deep: its left side is read in a loop.
        spine = [node]
        while isinstance(spine[-1].left, ast.BinOp):
            spine.append(spine[-1].left)
        found = self.value(spine[-1].left)
        for each in reversed(spine):
            found = self._values[each] = _operated(each, found, self.value(each.right))
        return found

    def _choice(self, node: ast.BoolOp) -> Value:
        found: Value | None = None
        for each in node.values:
            value = self.value(each)
            found = value if found is None else joined(found, value)
        return found or UNKNOWN

    def _comparison(self, node: ast.Compare) -> Value:
        sides = [self.value(node.left), *(self.value(each) for each in node.comparators)]
        return FIXED if all(side.fixed for side in sides) else UNKNOWN

    def _unary(self, node: ast.UnaryOp) -> Value:
        inner = self.value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(inner.literal, int | float):
            return constant(-inner.literal)
        if isinstance(node.op, ast.Not):
            return FIXED if inner.fixed else UNKNOWN
        return inner

    def _conditional(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        scope = self._reader.scope
        before = scope.copy_variables()
        self._reader.apply(node.test, holds=True)
        body = self.value(node.body)
        scope.variables = dict(before)
        self._reader.apply(node.test, holds=False)
        other = self.value(node.orelse)
        scope.variables = before
        return joined(body, other)

    def _lambda(self, node: ast.Lambda) -> Value:
        with self._reader.inside(Scope(self._reader.scope)):
            for argument in parameters(node):
                self._reader.scope.variables[argument.arg] = UNKNOWN
            self.value(node.body)
        return Value(type="function")

    def _dict(self, node: ast.Dict) -> Value:
        parts: dict[object, Value] = {}
        found = []
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.value(each)
            found.append(value)
            if key is None:
                if isinstance(value.parts, dict):
                    parts.update(value.parts)
                continue
            literal = self.value(key).literal
            if isinstance(literal, str | int | bool | None) and len(parts) < _MAX_PARTS:
                parts[literal] = value
        whole = mixed(found, type="dict")
        return whole.replaced(parts=parts)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        found = [self.value(each) for each in node.elts]
        kind = type(node).__name__.lower()
        if len(found) > _MAX_PARTS or any(isinstance(each, ast.Starred) for each in node.elts):
            return mixed(found, type=kind)
        return mixed(found, type=kind).replaced(parts=tuple(found))

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> Value:
        reader = self._reader
        with reader.inside(Scope(reader.scope)):
            for loop in node.generators:
                reader.bind(loop.target, element(loop.iter, self.value(loop.iter), self))
                for test in loop.ifs:
                    self.value(test)
                    reader.apply(test, holds=True)
            if isinstance(node, ast.DictComp):
                return mixed([self.value(node.key), self.value(node.value)], type="dict")
            return mixed([self.value(node.elt)], type="list")

    def _formatted(self, node: ast.JoinedStr) -> Value:
        found = [self.value(each) for each in node.values]
        texts = [value.literal for value in found]
        if all(isinstance(text, str | int | float) for text in texts):
            text = "".join(str(text) for text in texts)
            if len(text) <= _MAX_TEXT:
                return constant(text)
        return mixed(found, type="str")

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self._reader.bind(node.target, value)
        return value

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Value:
        if node.value is not None:
            self._reader.returned(node.value, self.value(node.value))
        return UNKNOWN


_TOLD = {
    "request": "comes with the request",
    "cli": "comes from the command line",
    "env": "comes from the environment",
}


def element(node: ast.expr, iterated: Value, expressions: Expressions) -> Value:
    """What a loop over `iterated` gives to its variable."""
    if isinstance(node, ast.Call):
        inner = _inner_loop(node, expressions)
        if inner is not None:
            return inner
    if isinstance(iterated.parts, tuple) and iterated.parts:
        found: Value | None = None
        for part in iterated.parts:
            found = part if found is None else joined(found, part)
        return found or UNKNOWN
    if iterated.fixed and not iterated.origins:
        return FIXED
    if not iterated.origins and not iterated.through:
        return UNKNOWN
    return Value(
        origins=iterated.origins,
        through=iterated.through,
        marks=iterated.marks & _INHERITED,
        fixed=iterated.fixed,
    )


def _inner_loop(node: ast.Call, expressions: Expressions) -> Value | None:
    """The pairs of `enumerate(x)`, `zip(x, y)` and `d.items()`."""
    name = expressions.name_of(node.func)
    if name == "enumerate" and node.args:
        first = node.args[0]
        return mixed([]).replaced(
            parts=(FIXED, element(first, expressions.value(first), expressions)), fixed=False
        )
    if name == "zip":
        parts = tuple(element(each, expressions.value(each), expressions) for each in node.args)
        return mixed(list(parts)).replaced(parts=parts)
    return None


def _is_object(value: Value) -> bool:
    """Whether a value is a circuit or array, not data as it came with a request."""
    if not value.comes_from("request") or value.through:
        return True
    return value.type.partition(".")[0] in _COMPUTING


def _operated(node: ast.BinOp, left: Value, right: Value) -> Value:
    """The value of an operation, given those of its sides."""
    folded = _folded(node.op, left.literal, right.literal)
    if folded is not UNKNOWN_LITERAL:
        return constant(folded)
    is_path = isinstance(node.op, ast.Div) and (
        left.type in sources.PATH_TYPES or right.type in sources.PATH_TYPES
    )
    found = mixed([left, right], type="pathlib.Path" if is_path else "")
    if isinstance(node.op, ast.Mod) and not isinstance(left.literal, str) and right.fixed:
        return found.marked("range")
    if isinstance(node.op, ast.Add) and found.origins and "size" in found.marks:
        # A limited text with another one behind it is longer.
        return found.replaced(marks=found.marks - {"size"})
    return found


def _part(base: Value, index: Value) -> Value | None:
    if base.parts is None or index.literal is UNKNOWN_LITERAL:
        return None
    if isinstance(base.parts, tuple):
        place = index.literal
        if isinstance(place, int) and -len(base.parts) <= place < len(base.parts):
            return base.parts[place]
        return None
    try:
        return base.parts.get(index.literal)
    except TypeError:
        return None


def _folded(operator: ast.operator, left: object, right: object) -> object:
    """Constants put together, where the result stays small."""
    if isinstance(operator, ast.Add) and isinstance(left, str) and isinstance(right, str):
        return left + right if len(left) + len(right) <= _MAX_TEXT else UNKNOWN_LITERAL
    if isinstance(operator, ast.Mult) and isinstance(left, str) and isinstance(right, int):
        return left * right if 0 <= len(left) * right <= _MAX_TEXT else UNKNOWN_LITERAL
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _computed(operator, left, right)
    return UNKNOWN_LITERAL


def _computed(operator: ast.operator, left: float, right: float) -> object:
    if max(abs(left), abs(right)) > 1e15:
        return UNKNOWN_LITERAL
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Div) and right:
        return left / right
    if isinstance(operator, ast.Pow) and abs(left) <= 1024 and 0 <= right <= 64:
        return left**right
    return UNKNOWN_LITERAL
