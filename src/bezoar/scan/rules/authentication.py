"""Whether a route asks who is calling: at itself, its class, its router, its application."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.identities import HEADER as _HEADER
from bezoar.scan.rules.identities import asks_who, last_name_of, refuses
from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.services import class_of, function_named

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module
    from bezoar.scan.rules.services import Route

#: Names of dependencies, decorators, middleware and base classes that authenticate.
_GUARD: Final = re.compile(
    r"auth(?!or(?!i)|ors)|log(?:ged_?)?in|jwt|token(?!i[sz])|api_?key|bearer|credential|permission|"
    r"current_|_user\b|requires?_|verif|oauth|oidc|\bsso|admin|scopes?\b|role|principal|identity|"
    r"protect|secured|access_control|user_passes",
    re.IGNORECASE,
)
#: Decorators with such a word that ask for something else.
_NO_GUARD: Final = re.compile(
    r"csrf|require_(?:http|post|get\b|safe|json)|requires_(?:json|body)|rate|limit|quota",
    re.IGNORECASE,
)
#: Middleware needs narrower words: sessions, security headers and hosts ask nobody anything.
_GUARD_MIDDLEWARE: Final = re.compile(
    r"auth(?!or(?!i))|jwt|api_?key|token(?!i[sz])|bearer|login|permission|identity|oidc|oauth",
    re.IGNORECASE,
)
_BEFORE: Final = frozenset(
    "before_request before_app_request middleware on_request before_serving before".split()
)
_NESTING: Final = 3
_DEPENDS: Final = frozenset({"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends"})
#: Class attributes that list what a class-based view asks for.
_CLASS_GUARDS: Final = frozenset(
    "permission_classes authentication_classes decorators method_decorators guards "
    "auth_required".split()
)


def is_authenticated(module: Module, route: Route, guarded: frozenset[str]) -> bool:
    """Whether anything on the way to the handler, or in it, asks who is calling.

    Args:
        module: the file.
        route: one of its routes.
        guarded: what `guarded_objects` says of the file.
    """
    if _guarded_by_decorator(module, route) or _guarded_by_parameter(module, route.function):
        return True
    if _guarded_by_class(module, route.function) or asks_who(module, route.function):
        return True
    return "*" in guarded or route.receiver in guarded


# -- at the route --------------------------------------------------------------------------------


def _guarded_by_decorator(module: Module, route: Route) -> bool:
    for node in route.function.decorator_nodes:
        if isinstance(node, ast.Call) and (
            node is route.decorator or last_name_of(node.func) in ("api_view", "action")
        ):
            if any(_guarding_keyword(module, each) for each in node.keywords):
                return True
        elif _is_guarding_decorator(node):
            return True
    return False


def _is_guarding_decorator(node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    name = last_name_of(target)
    if name in ("permission_classes", "authentication_classes"):
        return isinstance(node, ast.Call) and bool(node.args) and _lists_guard(node.args[0])
    if name == "method_decorator" and isinstance(node, ast.Call) and node.args:
        return _GUARD.search(ast.unparse(node.args[0])) is not None
    # auth.login_required, jwt.required(), limiter.limit: the object counts as well.
    written = ast.unparse(target)
    return _GUARD.search(written) is not None and _NO_GUARD.search(written) is None


def _guarding_keyword(module: Module, keyword: ast.keyword) -> bool:
    """`dependencies=[Depends(verify_key)]`, `guards=[...]`, `permission_classes=[...]`."""
    if keyword.arg in ("guards", "permission_classes", "auth", "permission"):
        return _lists_guard(keyword.value)
    return keyword.arg == "dependencies" and _holds_guard(module, keyword.value)


def _lists_guard(node: ast.expr) -> bool:
    """Whether a list of permissions asks for more than nothing."""
    if isinstance(node, ast.List | ast.Tuple):
        return any("AllowAny" not in ast.unparse(each) for each in node.elts)
    return not (isinstance(node, ast.Constant) and not node.value) and (
        "AllowAny" not in ast.unparse(node)
    )


def _holds_guard(module: Module, node: ast.expr) -> bool:
    """Whether `Depends(...)` of something that authenticates is in an expression."""
    if isinstance(node, ast.Name):
        made = assigned(module, node)
        if made is not None and made is not node:
            return _holds_guard(module, made)
    return any(_is_guard(module, each) for each in ast.walk(node) if isinstance(each, ast.Call))


def _is_guard(module: Module, call: ast.Call) -> bool:
    name = module.name_of(call.func) or last_name_of(call.func)
    if name not in _DEPENDS and last_name_of(call.func) not in ("Depends", "Security"):
        return False
    if last_name_of(call.func) == "Security":
        return True
    target = (
        call.args[0]
        if call.args
        else next((each.value for each in call.keywords if each.arg == "dependency"), None)
    )
    if target is None:
        return False
    if module.value(target).type.startswith("fastapi.security."):
        return True
    if _GUARD.search(ast.unparse(target)):
        return True
    function = function_named(module, module.name_of(target))
    return function is not None and asks_who(module, function)


def _guarded_by_parameter(module: Module, function: Function) -> bool:
    """`user: User = Depends(current_user)`, `Annotated[...]`, a header for a key."""
    arguments = function.node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is not None and _asked_by_annotation(module, argument.annotation):
            return True
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if isinstance(default, ast.Call) and _is_guard(module, default):
            return True
    return any(_is_key_header(module, name, node) for name, node in _defaulted(function))


def _asked_by_annotation(module: Module, annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Name):
        # An alias of Annotated, made here or elsewhere, such as CurrentUser.
        if re.fullmatch(
            r"(?:Current|Auth|Authenticated|Active)\w*|\w+(?:Auth|UserDep)", annotation.id
        ):
            return True
        made = assigned(module, annotation)
        return made is not None and _holds_guard(module, made)
    return isinstance(annotation, ast.Subscript) and _holds_guard(module, annotation)


def _defaulted(function: Function) -> Iterator[tuple[str, ast.Call]]:
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
    pairs += [
        (argument, default)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    for argument, default in pairs:
        if isinstance(default, ast.Call):
            yield argument.arg, default


def _is_key_header(module: Module, name: str, default: ast.Call) -> bool:
    if last_name_of(default.func) not in ("Header", "Cookie"):
        return False
    alias = next((each.value for each in default.keywords if each.arg == "alias"), None)
    text = module.value(alias).literal if alias is not None else name.replace("_", "-")
    return isinstance(text, str) and _HEADER.search(text) is not None


# -- at its class --------------------------------------------------------------------------------


def _guarded_by_class(module: Module, function: Function) -> bool:
    owner = class_of(module, function)
    if owner is None:
        return False
    if any(_GUARD.search(last_name_of(base)) for base in owner.bases):
        return True
    if any(_is_guarding_decorator(each) for each in owner.decorator_list):
        return True
    for statement in owner.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = {last_name_of(target) for target in targets}
            if names & {"decorators", "method_decorators"}:
                if _GUARD.search(ast.unparse(statement.value)):
                    return True
            elif names & _CLASS_GUARDS and _lists_guard(statement.value):
                return True
    return any(
        isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and each.name in ("prepare", "dispatch", "initial", "get_current_user")
        and refuses(each)
        for each in owner.body
    )


# -- at its router or application ----------------------------------------------------------------


def guarded_objects(module: Module) -> frozenset[str]:
    """Routers whose routes are all guarded, as they are written; ``*`` for every route."""
    found: set[str] = set()
    for call in module.calls:
        found.update(_guarded_by_call(module, call.node, call.method))
    for function in module.functions:
        for node in function.decorator_nodes:
            target = node.func if isinstance(node, ast.Call) else node
            if not isinstance(target, ast.Attribute) or target.attr not in _BEFORE:
                continue
            if asks_who(module, function) or _GUARD_MIDDLEWARE.search(function.name):
                found.add(_reach(module, target))
    made_here: set[str] = set()
    for node in module.nodes(ast.Assign, ast.AnnAssign):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        made_here.add(ast.unparse(target))
        if node.value is not None and _guards_all(target, node.value):
            found.add("*")
    found |= _made_elsewhere(module, made_here)
    return frozenset(found | _included(module, found))


def _included(module: Module, guarded: set[str]) -> set[str]:
    """What a guarded router includes is behind its guard: ``secured.include_router(jobs)``."""
    calls = [
        call.node
        for call in module.method_calls("include_router", "register_blueprint")
        if isinstance(call.node.func, ast.Attribute) and call.node.args
    ]
    found: set[str] = set()
    # Routers in routers in routers.
    for _ in range(_NESTING):
        for node in calls:
            if isinstance(node.func, ast.Attribute):
                receiver = ast.unparse(node.func.value)
                if receiver in guarded or receiver in found:
                    found.add(ast.unparse(node.args[0]))
    return found


def _made_elsewhere(module: Module, made_here: set[str]) -> set[str]:
    """`from app.routers import secured`: what its constructor was given is known of it."""
    return {
        ast.unparse(target.value)
        for function in module.functions
        for node in function.decorator_nodes
        for target in [node.func if isinstance(node, ast.Call) else node]
        if isinstance(target, ast.Attribute)
        and not _DEPENDS.isdisjoint(module.value(target.value).through)
        and ast.unparse(target.value) not in made_here
    }


def _guarded_by_call(module: Module, node: ast.Call, method: str) -> Iterator[str]:
    if method in ("APIRouter", "FastAPI", "Blueprint", "Router", "Sanic"):
        if any(_guarding_keyword(module, each) for each in node.keywords):
            yield "*" if method == "FastAPI" else _assigned_to(module, node)
        for keyword in node.keywords:
            if keyword.arg == "middleware" and _names_guard(module, keyword.value):
                yield "*"
    elif method == "include_router":
        if node.args and any(_guarding_keyword(module, each) for each in node.keywords):
            yield ast.unparse(node.args[0])
    elif method == "add_middleware" and node.args:
        if _names_guard(module, node.args[0]):
            yield "*"
    elif method in _BEFORE and node.args and isinstance(node.func, ast.Attribute):
        function = function_named(module, module.name_of(node.args[0]))
        if _GUARD_MIDDLEWARE.search(ast.unparse(node.args[0])) or (
            function is not None and asks_who(module, function)
        ):
            yield _reach(module, node.func)
    elif method == "BasicAuth" and "BASIC_AUTH_FORCE" in module.text:
        yield "*"


def _reach(module: Module, target: ast.Attribute) -> str:
    """What a function that runs before requests guards: a blueprint's routes, or all."""
    kind = module.value(target.value).type
    local = target.attr != "before_app_request" and kind.endswith(("Blueprint", "APIRouter"))
    return ast.unparse(target.value) if local else "*"


def _names_guard(module: Module, node: ast.expr) -> bool:
    """Whether a middleware authenticates, by its name or by what its class does here."""
    for each in ast.walk(node):
        if not isinstance(each, ast.Name | ast.Attribute):
            continue
        name = last_name_of(each)
        if _GUARD_MIDDLEWARE.search(name):
            return True
        for declared in module.classes:
            if declared.node.name == name and any(
                asks_who(module, method) for method in declared.methods.values()
            ):
                return True
    return False


def _guards_all(target: ast.expr, value: ast.expr) -> bool:
    """`app.wsgi_app = AuthMiddleware(app.wsgi_app)` and the defaults of Django's REST framework."""
    if isinstance(target, ast.Attribute) and target.attr in ("wsgi_app", "asgi_app"):
        return _GUARD_MIDDLEWARE.search(ast.unparse(value)) is not None
    if isinstance(target, ast.Name) and target.id == "REST_FRAMEWORK":
        text = ast.unparse(value)
        return "DEFAULT_PERMISSION_CLASSES" in text and "AllowAny" not in text
    return False


def _assigned_to(module: Module, node: ast.Call) -> str:
    statement = module.statement_of(node)
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0])
    if isinstance(statement, ast.AnnAssign):
        return ast.unparse(statement.target)
    return ""
