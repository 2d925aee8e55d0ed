"""What a test says of the values in it: `if not math.isfinite(x): raise` marks x as finite."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from bezoar.scan.code.sources import is_checker

_FINITE = {"isfinite", "is_finite"}
_NOT_FINITE = {"isnan", "isinf", "isna", "isnull"}
_STRING_TESTS = {"isalnum", "isidentifier", "isdigit", "isnumeric", "isalpha", "isdecimal"}
_PATH_TESTS = {"is_relative_to", "commonpath", "commonprefix"}
_PATTERN_TESTS = {"match", "fullmatch"}
_SIZES = {
    "size",
    "content_length",
    "st_size",
    "file_size",
    "num_qubits",
    "n_qubits",
    "qubit_count",
    "width",
    "depth",
}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

#: Longer chains of attributes are not remembered.
_MAX_PARTS = 24

Marked = tuple[ast.expr, str]


def key_of(node: ast.AST) -> str:
    """The text by which a name, attribute or constant item is remembered, "" for others.

    Example:
        >>> key_of(ast.parse("req.body['shots']", mode="eval").body)
        "req.body['shots']"
    """
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(f".{node.attr}")
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            parts.append(f"[{node.slice.value!r}]")
        else:
            return ""
        if len(parts) > _MAX_PARTS:
            return ""
        node = node.value
    return "".join((node.id, *reversed(parts)))


def marks_of(test: ast.expr, *, holds: bool) -> Iterator[Marked]:
    """What follows when `test` holds (or does not): pairs of a tested expression and its mark."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from marks_of(test.operand, holds=not holds)
    elif isinstance(test, ast.BoolOp):
        # Of `a or b` that fails both fail; of `a and b` that holds both hold. Otherwise one of
        # them is enough: comparisons of one value with None and a bound still bound it.
        for value in test.values:
            yield from marks_of(value, holds=holds)
    elif isinstance(test, ast.Compare):
        yield from _comparison(test, holds)
    elif isinstance(test, ast.Call):
        yield from _call(test, holds)
    elif isinstance(test, ast.NamedExpr):
        yield from marks_of(test.value, holds=holds)


def _comparison(test: ast.Compare, holds: bool) -> Iterator[Marked]:
    operands = [test.left, *test.comparators]
    for operator, left, right in zip(test.ops, operands, operands[1:], strict=False):
        if isinstance(operator, _ORDER):
            for side in (left, right):
                yield from _bounded(side)
        elif isinstance(operator, ast.In if holds else ast.NotIn):
            yield from _each(left, "listed")
        elif isinstance(operator, ast.In | ast.NotIn) and _is_path_part(left):
            yield from _each(right, "path")
        elif isinstance(operator, ast.Eq | ast.NotEq):
            yield from _equal(left, right, isinstance(operator, ast.Eq) is holds)


def _is_path_part(node: ast.expr) -> bool:
    """The text that whoever looks for it means to keep out of a file name."""
    return isinstance(node, ast.Constant) and node.value in ("..", "/", "\\", "../")


def _equal(left: ast.expr, right: ast.expr, equal: bool) -> Iterator[Marked]:
    for side, other in ((left, right), (right, left)):
        if isinstance(side, ast.Call) and _called(side) == "len" and side.args:
            yield from _each(side.args[0], "size")
            yield from _each(side.args[0], "length")
        elif isinstance(side, ast.Attribute | ast.Subscript) and "shape" in ast.dump(side):
            for node in ast.walk(side):
                if isinstance(node, ast.Attribute) and node.attr == "shape":
                    yield from _each(node.value, "length")
        # An equality with a constant that holds leaves only that constant; one that does not
        # hold is the zero guard of a norm.
        elif isinstance(other, ast.Constant):
            yield from _each(side, "listed" if equal else "norm")


def _bounded(side: ast.expr) -> Iterator[Marked]:
    """A side of < or >: the value in it is bounded, or its length, norm or distance."""
    if isinstance(side, ast.Call):
        name = _called(side)
        if not side.args:
            # A method that gives a number: maximum, norm, depth.
            if isinstance(side.func, ast.Attribute):
                mark = "norm" if name == "norm" else "range"
                yield from _each(side.func.value, mark)
                if name in _SIZES:
                    yield from _each(side.func.value, "size")
            return
        mark = {"len": "size", "norm": "norm"}.get(name, "range")
        yield from _each(side.args[0], mark)
        if mark == "size":
            yield from _each(side.args[0], "length")
    else:
        yield from _each(side, "range")
        yield from _each(side, "norm")
        if isinstance(side, ast.Attribute) and side.attr in _SIZES:
            yield from _each(side.value, "size")


def _call(test: ast.Call, holds: bool) -> Iterator[Marked]:
    name = _called(test)
    receiver = test.func.value if isinstance(test.func, ast.Attribute) else None
    inner = test.args[0] if test.args else receiver
    if name in ("all", "any", "bool") and inner is not None:
        yield from marks_of(_element_test(inner), holds=holds)
    elif name in _FINITE or name in _NOT_FINITE:
        # Whoever asks knows of the danger, whichever way the branch goes.
        yield from _each(inner, "finite")
    elif name in _PATH_TESTS:
        for subject in (receiver, *test.args):
            yield from _each(subject, "path")
    elif name in _PATTERN_TESTS:
        for subject in test.args if holds else ():
            yield from _each(subject, "listed")
            yield from _each(subject, "path")
    elif is_checker(name) or name == "compare_digest":
        for subject in test.args:
            yield from _each(subject, "checked" if name != "compare_digest" else "digest")
    elif name == "isinstance" and test.args:
        yield from _instance(test)
    elif receiver is not None:
        yield from _method(name, receiver, test, holds)


def _method(name: str, receiver: ast.expr, test: ast.Call, holds: bool) -> Iterator[Marked]:
    if name in _STRING_TESTS and holds:
        yield from _each(receiver, "listed")
        yield from _each(receiver, "path")
    # How containment in a folder is tested by hand, the folder being no constant.
    elif name == "startswith" and test.args and not isinstance(test.args[0], ast.Constant):
        yield from _each(receiver, "path")


def _instance(test: ast.Call) -> Iterator[Marked]:
    kinds = test.args[1] if len(test.args) > 1 else None
    names = {node.id for node in ast.walk(kinds) if isinstance(node, ast.Name)} if kinds else set()
    if names and names <= {"int", "float", "bool", "complex"}:
        yield from _each(test.args[0], "number")


def _element_test(node: ast.expr) -> ast.expr:
    """The test of each element in `all(isfinite(v) for v in x)` and `np.isfinite(x).all()`."""
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return _about(node.elt, node.generators[0])
    return node


def _about(test: ast.expr, loop: ast.comprehension) -> ast.expr:
    """`test` with the loop's variable replaced by what is looped over."""

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            same = isinstance(loop.target, ast.Name) and node.id == loop.target.id
            return loop.iter if same else node

    # The tree itself must stay: rules look at it.
    return Replace().visit(copy.deepcopy(test))


def _each(node: ast.AST | None, mark: str) -> Iterator[Marked]:
    """The names inside of an expression that is tested: `float(x)`, `abs(x)`, `x.strip()`, x."""
    while node is not None:
        if isinstance(node, ast.expr) and key_of(node):
            yield node, mark
            return
        if isinstance(node, ast.Call):
            if node.args:
                for argument in node.args:
                    yield from _each(argument, mark)
                return
            node = node.func.value if isinstance(node.func, ast.Attribute) else None
        elif isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.NamedExpr):
            node = node.value
        elif isinstance(node, ast.BinOp):
            yield from _each(node.left, mark)
            node = node.right
        elif isinstance(node, ast.UnaryOp):
            node = node.operand
        elif isinstance(node, ast.List | ast.Tuple):
            for element in node.elts:
                yield from _each(element, mark)
            return
        else:
            return


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
