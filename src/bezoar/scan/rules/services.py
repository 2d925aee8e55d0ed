"""Routes of web services: their paths and methods, and whether they run or give back jobs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.frameworks import is_quantum
from bezoar.scan.rules.gates import QUANTUM_PACKAGES
from bezoar.scan.rules.literals import assigned

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

_VERBS: Final = frozenset("get post put patch delete head options".split())
_REGISTERING: Final = frozenset({*_VERBS, "route", "api_route", "websocket", "websocket_route"})
#: Calls that make a function a handler, with the place of the path and of the function.
_ADDING: Final = {
    "add_url_rule": (0, 2, ("view_func",)),
    "add_api_route": (0, 1, ("endpoint",)),
    "add_route": (0, 1, ("route", "handler")),
    "add_get": (0, 1, ("handler",)),
    "add_post": (0, 1, ("handler",)),
    "add_resource": (1, 0, ()),
    "Route": (0, 1, ("endpoint",)),
    "path": (0, 1, ("view",)),
    "re_path": (0, 1, ("view",)),
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WORD: Final = re.compile(r"[A-Za-z][a-z]+|[A-Z]+(?![a-z])|[a-z]+")
#: A service that never names its framework is known by these.
_QUANTUM_TEXT: Final = re.compile(
    r"quantum|qiskit|pennylane|qasm|qubit|\bcirq\b|braket|\bqml\b|\bvq[ce]\b|\bqaoa\b|\bqnn\b",
    re.IGNORECASE,
)
_JOB_TEXT: Final = re.compile(
    r"circuit|\bshots\b|simulat|\bjobs?\b|predict|inference|\btrain", re.IGNORECASE
)

#: What a path or a function is called that starts work.
_STARTING: Final = frozenset(
    "run runs execute execution exec submit submission simulate simulation simulator train "
    "training fit predict prediction infer inference classify transpile compile solve optimize "
    "optimise sample sampler estimate estimator vqe qaoa grover shor qasm teleport teleportation "
    "measure evolve".split()
)
#: What names the thing that is worked on: a request that changes it is a job.
_THINGS: Final = frozenset(
    "circuit circuits job jobs task tasks experiment experiments quantum bell ghz qft qubit qubits "
    "evaluate process calculate compute generate entangle entanglement encrypt key qkd random "
    "start launch cancel statevector counts expectation kernel qsvm qnn vqc".split()
)
#: What is looked up by its id: a route that gives it back reads results.
_KEPT: Final = frozenset(
    "job jobs task tasks result results experiment experiments run runs execution executions "
    "simulation simulations submission submissions status".split()
)
#: Routes that everybody may call.
_OPEN: Final = frozenset(
    "health healthz healthcheck ping docs openapi redoc version info about metrics login logout "
    "register signup signin token auth oauth static assets favicon ready readiness live liveness "
    "help hello welcome csrf webhook contact feedback".split()
)
#: Lists that say what there is: not a job, unless a request changes them.
_LISTS: Final = frozenset(
    "backends backend devices device examples example templates template gates algorithms presets "
    "providers options capabilities config configuration schema library".split()
)
#: Methods that show a circuit and run nothing.
_SHOWING: Final = frozenset(
    "draw depth size width qasm count_ops dumps dump to_qasm qasm3 circuit_drawer draw_mpl "
    "to_diagram version about num_nonlocal_gates".split()
)
_PAGES: Final = frozenset(
    "render_template render TemplateResponse FileResponse HTMLResponse send_file "
    "send_from_directory send_static_file redirect RedirectResponse render_template_string".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A function that a web framework calls for a request.

    Attributes:
        function: the handler.
        path: where it is served, its router's prefix before it, "" where that is not known.
        methods: of HTTP, in capitals; ``WEBSOCKET`` for one of those.
        receiver: the object that it is registered with as it is written: ``router``.
        decorator: what registers it, None for a call or a class.
    """

    function: Function
    path: str
    methods: frozenset[str]
    receiver: str = ""
    decorator: ast.expr | None = None

    @property
    def reads_only(self) -> bool:
        """Whether none of its methods is meant to change anything."""
        return self.methods <= _SAFE | {"WEBSOCKET"}

    @property
    def shown(self) -> str:
        """How a message calls it."""
        return (
            f"`{'/'.join(sorted(self.methods))} {self.path}`"
            if self.path
            else (f"`{self.function.qualname}`")
        )


def speaks_of_quantum(module: Module) -> bool:
    """Whether a file imports a quantum framework, is part of a project that does, or says so."""
    return is_quantum(module) or _QUANTUM_TEXT.search(module.text) is not None


def speaks_of_jobs(module: Module) -> bool:
    """Whether a file has to do with circuits, jobs or models, in any words."""
    return speaks_of_quantum(module) or _JOB_TEXT.search(module.text) is not None


# -- routes --------------------------------------------------------------------------------------


def routes(module: Module) -> Iterator[Route]:
    """Every handler of the file, once, with where it is served."""
    added = _added(module)
    prefixes: dict[str, str] = {}
    for function in module.functions:
        found = _decorated(module, function, prefixes) or _of_class(module, function, added)
        if found is None and function.name in added and not function.class_name:
            path, methods, receiver = added[function.name]
            found = Route(function=function, path=path, methods=methods, receiver=receiver)
        if found is None and function.is_route and not function.class_name:
            found = _plain_view(module, function)
        if found is not None:
            yield found


def _decorated(module: Module, function: Function, prefixes: dict[str, str]) -> Route | None:
    for node, name in zip(function.decorator_nodes, function.decorators, strict=True):
        method = name.rpartition(".")[2]
        if method not in _REGISTERING or not isinstance(node, ast.Call):
            continue
        path = _text(module, node, 0, "path", "rule", "uri")
        known = name.startswith(
            ("fastapi.", "flask.", "quart.", "sanic.", "starlette.", "aiohttp.")
        )
        if path is None or not (known or path.startswith("/")):
            continue
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        written = ast.unparse(receiver) if receiver is not None else ""
        if written not in prefixes:
            prefixes[written] = _prefix(module, receiver)
        return Route(
            function=function,
            path=prefixes[written] + path,
            methods=_methods(module, node, method),
            receiver=written,
            decorator=node,
        )
    return None


def _methods(module: Module, node: ast.Call, method: str) -> frozenset[str]:
    for keyword in node.keywords:
        if keyword.arg == "methods":
            parts = module.value(keyword.value).parts
            if isinstance(parts, tuple):
                return frozenset(str(each.literal).upper() for each in parts)
    if method in _VERBS:
        return frozenset({method.upper()})
    return frozenset({"WEBSOCKET" if method.startswith("websocket") else "GET"})


def _prefix(module: Module, receiver: ast.expr | None) -> str:
    """``/jobs`` of ``APIRouter(prefix="/jobs")``."""
    made = assigned(module, receiver) if isinstance(receiver, ast.Name) else None
    if not isinstance(made, ast.Call):
        return ""
    return _text(module, made, None, "prefix", "url_prefix") or ""


def _text(module: Module, call: ast.Call, position: int | None, *names: str) -> str | None:
    nodes = [keyword.value for keyword in call.keywords if keyword.arg in names]
    if position is not None:
        nodes += call.args[position : position + 1]
    for node in nodes:
        literal = module.value(node).literal
        if isinstance(literal, str):
            return literal
        if isinstance(node, ast.JoinedStr):
            # The end of the path says more than a prefix that is a variable.
            return "".join(str(e.value) for e in node.values if isinstance(e, ast.Constant))
    return None


def _added(module: Module) -> dict[str, tuple[str, frozenset[str], str]]:
    """Functions and classes that a call makes handlers: name to path, methods and receiver."""
    found: dict[str, tuple[str, frozenset[str], str]] = {}
    for call in module.method_calls(*_ADDING):
        path_at, target_at, names = _ADDING[call.method]
        target = call.argument_node(target_at, *names)
        if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
            target = target.func.value  # JobView.as_view()
        path = _text(module, call.node, path_at, "path", "rule")
        if path is None or not isinstance(target, ast.Name | ast.Attribute):
            continue
        name = target.id if isinstance(target, ast.Name) else target.attr
        func = call.node.func
        receiver = ast.unparse(func.value) if isinstance(func, ast.Attribute) else ""
        verb = call.method.removeprefix("add_")
        found[name] = path, _methods(module, call.node, verb), receiver
    return found


def _of_class(
    module: Module, function: Function, added: dict[str, tuple[str, frozenset[str], str]]
) -> Route | None:
    """A method of a `Resource`, `MethodView`, `APIView` or request handler."""
    if not function.class_name or not function.is_route:
        return None
    verb = function.name.removeprefix("do_").lower()
    if verb not in _VERBS:
        return None
    path, _, receiver = added.get(function.class_name, ("", frozenset(), ""))
    owner = class_of(module, function)
    for node in owner.decorator_list if owner is not None else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            path = _text(module, node, 0) or path
            receiver = ast.unparse(node.func.value)
    return Route(function=function, path=path, methods=frozenset({verb.upper()}), receiver=receiver)


def class_of(module: Module, function: Function) -> ast.ClassDef | None:
    """The class that a method belongs to."""
    parent = module.parent(function.node)
    return parent if isinstance(parent, ast.ClassDef) else None


def _plain_view(module: Module, function: Function) -> Route | None:
    """A view of Django: `def run(request)`. Its path is in another file."""
    if function.params[:1] != ("request",) or "context" in function.params:
        return None
    if not module.imports_any("django", "rest_framework"):
        return None
    posts = any(
        isinstance(node, ast.Constant) and node.value in ("POST", "PUT", "PATCH", "DELETE")
        for node in ast.walk(function.node)
    ) or any(
        isinstance(node, ast.Attribute) and node.attr in ("POST", "body", "FILES")
        for node in ast.walk(function.node)
    )
    required = any(name.endswith("require_POST") for name in function.decorators)
    return Route(
        function=function, path="", methods=frozenset({"POST" if posts or required else "GET"})
    )


# -- jobs ----------------------------------------------------------------------------------------


def job_reason(module: Module, route: Route) -> str:
    """What makes a route one for jobs, in words: "" for any other route.

    Either it calls a quantum framework, itself or through functions of the file, or its path and
    name say that it runs circuits or gives back what came of them.
    """
    name = route.function.qualname if route.function.class_name else route.function.name
    words = _words(route.path) | _words(name)
    last = _words(_last_segment(route.path)) or _words(name)
    if last & _OPEN or route.methods <= {"OPTIONS", "HEAD"}:
        return ""
    if route.reads_only and last & _LISTS:
        return ""
    if _runs_quantum(module, route.function):
        return "runs quantum circuits"
    if not (route.path or words & (_STARTING | _KEPT)) or _gives_page(route):
        return ""
    if not route.reads_only:
        return "takes jobs" if words & (_STARTING | _THINGS | _KEPT) else ""
    if words & _KEPT and _has_id(route):
        return "gives back jobs"
    if words & _STARTING and "status" not in last:
        return "runs jobs"
    return ""


def _words(text: str) -> set[str]:
    plain = re.sub(r"\{[^}]*\}|<[^>]*>", " ", text)
    return {word.lower() for word in _WORD.findall(plain)}


def _last_segment(path: str) -> str:
    parts = [part for part in path.split("/") if part and part[0] not in "{<"]
    return parts[-1] if parts else ""


def _has_id(route: Route) -> bool:
    if re.search(r"[{<][^}>]*[}>]", route.path):
        return True
    return any(re.fullmatch(r"(?:\w+_)?(?:id|uuid|key)|pk", name) for name in route.function.params)


def _gives_page(route: Route) -> bool:
    """Whether it answers GET with a page, a file or a constant, and does nothing else."""
    returned = [
        node.value
        for node in ast.walk(route.function.node)
        if isinstance(node, ast.Return) and node.value is not None
    ]
    return (
        route.reads_only
        and bool(returned)
        and all(
            (isinstance(node, ast.Call) and _called(node) in _PAGES) or _is_constant(node)
            for node in returned
        )
    )


def _is_constant(node: ast.expr) -> bool:
    return not any(isinstance(each, ast.Call | ast.Name) for each in ast.walk(node))


def _called(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _runs_quantum(module: Module, function: Function, depth: int = 3) -> bool:
    """Whether a function calls a quantum framework, itself or through functions of the file."""
    inside = {node for node in ast.walk(function.node) if isinstance(node, ast.Call)}
    for node in inside:
        call = module.call(node)
        if call is None:
            continue
        if call.name.partition(".")[0] in QUANTUM_PACKAGES and call.method not in _SHOWING:
            return True
        if depth and call.name.startswith(f"{module.path}:"):
            called = function_named(module, call.name)
            if called is None or called is function:
                continue
            if called.is_qnode or _runs_quantum(module, called, depth - 1):
                return True
    return False


def function_named(module: Module, canonical: str) -> Function | None:
    """The function of this file with a canonical name."""
    if ":" not in canonical:
        return None
    return next((each for each in module.functions if each.canonical == canonical), None)
