"""What is known of an argument: constants, defaults of parameters, and the start of a text."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bezoar.scan.code.declarations import defaults
from bezoar.scan.code.values import UNKNOWN_LITERAL

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Assignments that are followed to find how a text begins.
_DEPTH = 4


def given(module: Module, call: Call, name: str, position: int | None = None) -> object:
    """The constant that a call passes as `name`, `UNKNOWN_LITERAL` where it is not known, None
    where it is not given or None.

    A parameter that is passed on counts as its default, and ``**options`` as the dict that
    `options` was made as.
    """
    node = call.argument_node(position, name)
    if node is not None:
        return default_of(module, node)
    for keyword in call.node.keywords:
        if keyword.arg is None:
            parts = module.value(keyword.value).parts
            if isinstance(parts, dict) and name in parts:
                return parts[name].literal
            if not isinstance(parts, dict):
                return _in_dict_call(module, keyword.value, name)
    return None


def _in_dict_call(module: Module, node: ast.expr, name: str) -> object:
    """What `options = dict(name=constant)` holds, `UNKNOWN_LITERAL` for other options."""
    made = assigned(module, node)
    if not isinstance(made, ast.Call) or module.name_of(made.func) != "dict":
        return UNKNOWN_LITERAL
    for each in made.keywords:
        if each.arg == name:
            return module.value(each.value).literal
    return UNKNOWN_LITERAL if made.args else None


def default_of(module: Module, node: ast.expr) -> object:
    """The constant that `node` is, or the default of the parameter that it names."""
    literal = module.value(node).literal
    if literal is not UNKNOWN_LITERAL or not isinstance(node, ast.Name):
        return literal
    function = module.function_of(node)
    if function is None or node.id not in function.params:
        return literal
    default = defaults(function.node).get(node.id)
    return default.value if isinstance(default, ast.Constant) else literal


def leading_text(module: Module, node: ast.expr | None, depth: int = _DEPTH) -> str:
    """How the text of an expression begins, as far as it is constant.

    Example:
        `f"https://host/{name}"`, `BASE + name` and `"https://host/{}".format(name)` all begin
        with ``https://host/``, where ``BASE`` is that.
    """
    if node is None or depth == 0:
        return ""
    literal = module.value(node).literal
    if isinstance(literal, str):
        return literal
    if isinstance(node, ast.JoinedStr):
        return _joined_text(module, node, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left = leading_text(module, node.left, depth)
        whole = isinstance(module.value(node.left).literal, str)
        return left + (leading_text(module, node.right, depth) if whole else "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Div):
        return leading_text(module, node.left, depth).partition("%s")[0]
    if isinstance(node, ast.Call):
        return _called_text(module, node, depth)
    if isinstance(node, ast.Name | ast.Attribute):
        source = assigned(module, node)
        return leading_text(module, source, depth - 1)
    return ""


def _joined_text(module: Module, node: ast.JoinedStr, depth: int) -> str:
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        literal = module.value(inner).literal
        if not isinstance(literal, str | int):
            # Only the first part can still say how the text begins.
            return text or leading_text(module, inner, depth - 1)
        text += str(literal)
    return text


def _called_text(module: Module, node: ast.Call, depth: int) -> str:
    func = node.func
    if isinstance(func, ast.Attribute):
        if func.attr in ("format", "strip", "rstrip", "lower", "replace", "removesuffix"):
            return leading_text(module, func.value, depth).partition("{")[0]
        if func.attr in ("urljoin", "join", "get", "getenv") and node.args:
            # The base of a URL or path; the default of a variable of the environment.
            index = 1 if func.attr in ("get", "getenv") and len(node.args) > 1 else 0
            return leading_text(module, node.args[index], depth)
    if isinstance(func, ast.Name) and func.id in ("str", "urljoin", "getenv", "Path") and node.args:
        return leading_text(module, node.args[-1 if func.id == "getenv" else 0], depth)
    return ""


def assigned(module: Module, node: ast.expr) -> ast.expr | None:
    """The expression last assigned to a name or attribute before `node`, in its function or at
    the top level of the module."""
    inside = module.function_of(node)
    best: ast.expr | None = None
    rank = (False, 0)
    for statement in module.assignments(node):
        if statement.value is None:
            continue
        where = module.function_of(statement)
        local = where is inside
        if (local and statement.lineno > node.lineno) or not (
            local or where is None or isinstance(node, ast.Attribute)
        ):
            continue
        if (local, statement.lineno) >= rank:
            best, rank = statement.value, (local, statement.lineno)
    return best
