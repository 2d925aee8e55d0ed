"""Whether a function asks who is calling: credentials that it reads, refusals it answers."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.services import function_named

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

_GUARD_CALL: Final = re.compile(
    r"_?(?:verify|check|validate|decode|require|resolve|ensure|is|has|introspect|load|confirm)_?\w*"
    r"(?:token(?!i)|auth|user|api_?key|jwt|session|access|permission|credential|signature|login|logged)"
    r"\w*|\w*authenticate\w*|\w*authoriz?se?d?|_?get_(?:current_)?(?:user|identity|principal|jwt_\w+)"
    r"\w*|compare_digest|check_password_hash|login_required",
    re.IGNORECASE,
)
_IDENTITIES: Final = frozenset({"current_user", "is_authenticated", "jwt_identity"})
_REFUSALS: Final = frozenset(
    "HTTP_401_UNAUTHORIZED HTTP_403_FORBIDDEN UNAUTHORIZED FORBIDDEN PermissionDenied "
    "NotAuthenticated AuthenticationFailed Unauthorized Forbidden HttpResponseForbidden "
    "HTTPUnauthorized HTTPForbidden AuthenticationError".split()
)
#: Headers that carry credentials.
HEADER: Final = re.compile(
    r"(?:proxy-)?authorization|http_authorization|x-(?:\w+-)*(?:key|token|auth|user|signature)|api-?key|"
    r"x_api_key",
    re.IGNORECASE,
)
_SESSION_KEY: Final = re.compile(r"user|logged|auth|uid|account|email|token", re.IGNORECASE)


def asks_who(module: Module, function: Function, depth: int = 1) -> bool:
    """Whether a function looks at credentials, or refuses with 401 or 403."""
    if refuses(function.node):
        return True
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call):
            if _reads_header(node) or _GUARD_CALL.fullmatch(last_name_of(node.func)):
                return True
            call = module.call(node) if depth else None
            called = function_named(module, call.name) if call is not None else None
            if called is None or called is function:
                continue
            if refuses(called.node) or _reads_session(called.node):
                return True
        elif isinstance(node, ast.Attribute | ast.Name) and _is_identity(node):
            return True
    return _reads_session(function.node)


def refuses(definition: ast.AST) -> bool:
    """Whether a function answers 401 or 403, other than to translate somebody else's error."""
    stack: list[ast.AST] = list(getattr(definition, "body", ()))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ExceptHandler):
            continue
        if isinstance(node, ast.Constant) and node.value in (401, 403) and node.value is not True:
            return True
        if isinstance(node, ast.Attribute | ast.Name) and last_name_of(node) in _REFUSALS:
            return True
        stack.extend(ast.iter_child_nodes(node))
    return False


def _reads_header(node: ast.Call) -> bool:
    """`request.headers.get("Authorization")`; a header that is sent on is none."""
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr not in ("get", "getlist", "pop"):
        return False
    first = node.args[0] if node.args else None
    return (
        isinstance(first, ast.Constant)
        and isinstance(first.value, str)
        and HEADER.fullmatch(first.value) is not None
        and re.search(r"headers|META|environ|cookies", ast.unparse(func.value)) is not None
    )


def _is_identity(node: ast.Attribute | ast.Name) -> bool:
    if last_name_of(node) in _IDENTITIES:
        return True
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("user", "authorization", "auth")
        and last_name_of(node.value) in ("request", "g", "req", "state")
    )


def _reads_session(definition: ast.AST) -> bool:
    """`session["user_id"]`, `"user" in session`, `request.headers["X-API-Key"]`."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            where, what = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr != "get":
                continue
            where, what = node.func.value, node.args[0]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            where, what = node.comparators[0], node.left
        else:
            continue
        if not isinstance(what, ast.Constant) or not isinstance(what.value, str):
            continue
        if last_name_of(where) == "session" and _SESSION_KEY.search(what.value):
            return True
        is_header = last_name_of(where) == "headers" and "request" in ast.unparse(where)
        if is_header and HEADER.fullmatch(what.value):
            return True
    return False


def last_name_of(node: ast.AST) -> str:
    """The last component of a name, attribute, or of what is called or subscripted."""
    if isinstance(node, ast.Call):
        return last_name_of(node.func)
    if isinstance(node, ast.Subscript):
        return last_name_of(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
