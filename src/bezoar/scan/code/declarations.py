"""Functions and classes as they are declared: handlers, data models, annotations."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bezoar.scan.code.project import ClassFacts, FieldFacts
from bezoar.scan.code.sources import REQUEST_TYPES
from bezoar.scan.code.values import Value

Definition = ast.FunctionDef | ast.AsyncFunctionDef

_ROUTE_METHODS = frozenset(
    [
        "get",
        "post",
        "put",
        "delete",
        "patch",
        "head",
        "options",
        "route",
        "api_route",
        "websocket",
        "websocket_route",
    ]
)
_APPS = frozenset(
    {
        "fastapi.FastAPI",
        "fastapi.APIRouter",
        "flask.Flask",
        "flask.Blueprint",
        "quart.Quart",
        "quart.Blueprint",
        "sanic.Sanic",
        "bottle.Bottle",
        "starlette.applications.Starlette",
        "aiohttp.web.RouteTableDef",
        "litestar.Router",
    }
)
_ROUTE_DECORATORS = frozenset(
    {
        "bottle.route",
        "bottle.get",
        "bottle.post",
        "rest_framework.decorators.api_view",
        "rest_framework.decorators.action",
        "django.views.decorators.http.require_http_methods",
        "django.views.decorators.http.require_POST",
        "django.views.decorators.csrf.csrf_exempt",
        "litestar.get",
        "litestar.post",
    }
)
_HANDLER_BASES = frozenset(
    {
        "flask_restful.Resource",
        "flask_restx.Resource",
        "flask.views.MethodView",
        "rest_framework.views.APIView",
        "django.views.View",
        "django.views.generic.View",
        "tornado.web.RequestHandler",
        "http.server.BaseHTTPRequestHandler",
        "http.server.SimpleHTTPRequestHandler",
        "aiohttp.web.View",
    }
)
#: What a handler's object holds of the request.
HANDLER_ATTRIBUTES = frozenset({"request", "rfile", "headers", "path", "kwargs"})
_HTTP_VERBS = frozenset(
    ["get", "post", "put", "delete", "patch", "do_GET", "do_POST", "do_PUT", "do_DELETE"]
)
_COMMANDS = frozenset({"click.command", "click.group", "typer.Typer.command", "typer.command"})
#: Parameters that a framework fills in itself.
_INJECTED_DEFAULTS = frozenset({"fastapi.Depends", "fastapi.Security"})
_INJECTED_TYPES = frozenset(
    {"fastapi.BackgroundTasks", "fastapi.Response", "fastapi.responses.Response"}
)
_PARAMETER_FIELDS = frozenset(
    f"fastapi.{name}" for name in ("Query", "Path", "Body", "Form", "Header", "Cookie", "File")
)
_FINITE_TYPES = frozenset({"pydantic.FiniteFloat", "pydantic.StrictInt"})
_LISTED_TYPES = frozenset({"uuid.UUID", "pydantic.UUID4", "pydantic.UUID1", "bool"})
_SMALL_TYPES = frozenset({"float", "int", "str", "bytes", "bool", "complex"})
_PLAIN_TYPES = frozenset({"", "float", "int", "bool", "complex", "None", "list", "dict", "object"})
_VALIDATORS = frozenset(
    {"pydantic.validator", "pydantic.field_validator", "pydantic.functional_validators"}
)
_MODEL_VALIDATORS = frozenset({"pydantic.root_validator", "pydantic.model_validator"})

Namer = Callable[[ast.AST], str]


@dataclass(slots=True, eq=False)
class Function:
    """A function of the module that is read.

    Attributes:
        node: its definition.
        name, qualname: ``fit`` and ``Trainer.fit``.
        canonical: ``train.py:Trainer.fit``.
        params: names of all parameters in order, without ``self`` and ``cls`` of methods.
        decorators: canonical names of its decorators, without their calls.
        class_name: the class that it is a method of, "" for none.
        bases: canonical names of that class's bases.
        is_route: a framework calls it with what a client sent.
        is_command: a framework calls it with what stands on the command line.
        is_qnode: it describes a quantum circuit.
        returns: each returned expression with its value.
    """

    node: Definition
    name: str
    qualname: str
    canonical: str
    params: tuple[str, ...]
    decorators: tuple[str, ...] = ()
    class_name: str = ""
    bases: tuple[str, ...] = ()
    is_route: bool = False
    is_command: bool = False
    is_qnode: bool = False
    returns: tuple[tuple[ast.expr, Value], ...] = ()

    @property
    def decorator_nodes(self) -> list[ast.expr]:
        """The decorators as written, first the outermost."""
        return self.node.decorator_list

    @property
    def first_line(self) -> int:
        """The line of the ``def`` itself."""
        return self.node.lineno


@dataclass(slots=True, eq=False)
class ClassDeclaration:
    """A class of the module that is read, and what its objects hold."""

    node: ast.ClassDef
    facts: ClassFacts
    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)


def parameters(node: Definition | ast.Lambda, *, is_method: bool = False) -> list[ast.arg]:
    """All parameters in order; the receiver of a method is left out."""
    arguments = node.args
    found = [*arguments.posonlyargs, *arguments.args]
    if is_method and found and not _is_static(node):
        found = found[1:]
    return [*found, *arguments.kwonlyargs]


def defaults(node: Definition | ast.Lambda) -> dict[str, ast.expr]:
    """Parameter to its default."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    pairs += [
        (name, value)
        for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if value is not None
    ]
    return {argument.arg: value for argument, value in pairs if value is not None}


def _is_static(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "staticmethod"
        for each in getattr(node, "decorator_list", ())
    )


def decorator_names(node: Definition | ast.ClassDef, name_of: Namer) -> tuple[str, ...]:
    """Canonical names of the decorators, calls taken off."""
    found = []
    for each in node.decorator_list:
        target = each.func if isinstance(each, ast.Call) else each
        name = name_of(target)
        if not name and isinstance(target, ast.Attribute):
            name = f"?.{target.attr}"
        found.append(name)
    return tuple(found)


def is_route(function: Function, imports: frozenset[str]) -> bool:
    """Whether a web framework, a cloud or a tool server calls the function with a client's data."""
    for decorator, name in zip(function.node.decorator_list, function.decorators, strict=True):
        if name in _ROUTE_DECORATORS:
            return True
        head, _, method = name.rpartition(".")
        if method in _ROUTE_METHODS and (head in _APPS or _serves_path(decorator)):
            return True
        if method == "tool" and ("mcp" in head.lower() or "mcp" in ast.dump(decorator).lower()):
            return True
    if function.class_name and function.name in _HTTP_VERBS:
        if any(base in _HANDLER_BASES for base in function.bases):
            return True
        return any(base.endswith(("Resource", "APIView", "Handler")) for base in function.bases)
    names = function.params
    if names[:1] == ("request",) and any(root.startswith("django") for root in imports):
        return not function.class_name
    if function.name in ("lambda_handler", "handler") and names[:2] == ("event", "context"):
        return True
    return names == ("request", "context") and bool(function.class_name)


def _serves_path(decorator: ast.expr) -> bool:
    """`@something.get("/jobs")`: the receiver's class is not known, the path says it."""
    if not isinstance(decorator, ast.Call) or not decorator.args:
        return False
    first = decorator.args[0]
    return isinstance(first, ast.Constant) and str(first.value).startswith("/")


def is_handler(bases: Iterable[str]) -> bool:
    """Whether a class with these bases handles requests."""
    return any(base in _HANDLER_BASES or base.endswith("APIView") for base in bases)


def is_command(function: Function) -> bool:
    """Whether a command-line framework fills its parameters."""
    return any(
        name in _COMMANDS or name.endswith((".command", "click.option", "click.argument"))
        for name in function.decorators
    )


def request_parameters(function: Function, name_of: Namer) -> Iterator[tuple[str, frozenset[str]]]:
    """Parameters of a handler that a client fills, with the marks that their declaration gives."""
    given = defaults(function.node)
    is_method = bool(function.class_name)
    for argument in parameters(function.node, is_method=is_method):
        default = given.get(argument.arg)
        default_name = name_of(default.func) if isinstance(default, ast.Call) else ""
        if default_name in _INJECTED_DEFAULTS:
            continue
        type_name, marks = annotated(argument.annotation, name_of)
        if type_name in _INJECTED_TYPES or _injected(argument.annotation, name_of):
            continue
        if isinstance(default, ast.Call) and default_name in _PARAMETER_FIELDS:
            marks |= _limits(default, type_name)
        yield argument.arg, marks


def _injected(annotation: ast.expr | None, name_of: Namer) -> bool:
    """`Annotated[User, Depends(current_user)]`."""
    return annotation is not None and any(
        isinstance(node, ast.Call) and name_of(node.func) in _INJECTED_DEFAULTS
        for node in ast.walk(annotation)
    )


def is_request_type(annotation: ast.expr | None, name_of: Namer) -> bool:
    """Whether the annotation names a request object of a web framework."""
    return annotated(annotation, name_of)[0] in REQUEST_TYPES


def annotated(annotation: ast.expr | None, name_of: Namer) -> tuple[str, frozenset[str]]:
    """The class that an annotation names, and the marks that it stands for."""
    if annotation is None:
        return "", frozenset()
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return annotated(ast.parse(annotation.value, mode="eval").body, name_of)
        except (SyntaxError, ValueError):
            return "", frozenset()
    if isinstance(annotation, ast.BinOp):
        left = annotated(annotation.left, name_of)
        return left if left[0] not in ("", "None") else annotated(annotation.right, name_of)
    if isinstance(annotation, ast.Subscript):
        return _subscripted(annotation, name_of)
    if isinstance(annotation, ast.Call):
        # conint, confloat and constr are classes made by a call.
        name = name_of(annotation.func)
        kind = {"conint": "int", "confloat": "float", "constr": "str"}.get(
            name.rpartition(".")[2], ""
        )
        return kind, _type_marks(kind) | _limits(annotation, kind)
    name = name_of(annotation)
    return name, _type_marks(name)


def _subscripted(annotation: ast.Subscript, name_of: Namer) -> tuple[str, frozenset[str]]:
    outer = name_of(annotation.value).rpartition(".")[2]
    inner = annotation.slice
    if outer == "Literal":
        return "str", frozenset({"listed", "path", "size"})
    elements = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if not elements:
        return name_of(annotation.value), frozenset()
    if outer == "Annotated":
        name, marks = annotated(elements[0], name_of)
        for extra in elements[1:]:
            if isinstance(extra, ast.Call):
                marks |= _limits(extra, name)
        return name, marks
    if outer in ("Optional", "Final", "ClassVar", "Required"):
        return annotated(elements[0], name_of)
    if outer == "Union":
        for each in elements:
            name, marks = annotated(each, name_of)
            if name not in ("", "None"):
                return name, marks
    if outer.lower() in ("list", "sequence", "tuple", "set", "iterable"):
        # A list of bounded numbers is bounded; its own length is not.
        return "list", annotated(elements[0], name_of)[1] - {"size"}
    return name_of(annotation.value), frozenset()


def _type_marks(name: str) -> frozenset[str]:
    if name == "float":
        return frozenset({"number"})
    if name == "int" or name in _FINITE_TYPES:
        return frozenset({"number", "finite"})
    if name in _LISTED_TYPES:
        return frozenset({"listed", "path", "size", "finite", "range", "number"})
    return frozenset()


def _limits(call: ast.Call, type_name: str) -> frozenset[str]:
    """The marks of `Field(ge=0, le=4096)`, `Query(..., max_length=64)` and their kin."""
    marks: set[str] = set()
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if given.keys() & {"le", "lt"} or {"ge", "gt"} <= given.keys():
        marks.add("range")
    if given.keys() & {"max_length", "max_items"}:
        marks.add("size")
    if given.keys() & {"pattern", "regex"}:
        marks |= {"listed", "path"}
    infinite = given.get("allow_inf_nan")
    if isinstance(infinite, ast.Constant) and infinite.value is False:
        marks.add("finite")
    return frozenset(marks | _type_marks(type_name))


def class_type(name: str) -> str:
    """An annotation as the class of a value: small types say nothing worth keeping.

    Example:
        >>> class_type("qiskit.QuantumCircuit"), class_type("float")
        ('qiskit.QuantumCircuit', '')
    """
    if name in _PLAIN_TYPES or name.startswith("typing."):
        return ""
    return name


def class_facts(node: ast.ClassDef, canonical: str, name_of: Namer) -> ClassFacts:
    """What a class declares."""
    bases = tuple(name_of(base) for base in node.bases)
    plain = [base.rpartition(".")[2] for base in bases]
    is_enum = any(base in ("Enum", "StrEnum", "IntEnum", "Flag") for base in plain)
    is_model = any(base.startswith(("pydantic.", "sqlmodel.")) for base in bases) or any(
        base in ("BaseModel", "SQLModel", "BaseSettings") for base in plain
    )
    checked = _validated(node, name_of)
    finite = _finite_model(node)
    fields: dict[str, FieldFacts] = {}
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        type_name, marks = annotated(statement.annotation, name_of)
        if isinstance(statement.value, ast.Call):
            marks |= _limits(statement.value, type_name)
        name = statement.target.id
        if name in checked or "*" in checked:
            marks |= {"checked"}
        if finite:
            marks |= {"finite"}
        kind = "" if type_name in _SMALL_TYPES else type_name
        fields[name] = FieldFacts(type=kind, marks=marks)
    return ClassFacts(
        name=canonical,
        bases=bases,
        fields=fields,
        is_model=is_model,
        is_enum=is_enum,
        methods=frozenset(
            each.name
            for each in node.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
    )


def _validated(node: ast.ClassDef, name_of: Namer) -> set[str]:
    """The fields that a validator of the model checks; ``*`` for all."""
    found: set[str] = set()
    for method in node.body:
        if not isinstance(method, ast.FunctionDef):
            continue
        for decorator in method.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = name_of(target)
            if name in _MODEL_VALIDATORS:
                found.add("*")
            elif name in _VALIDATORS and isinstance(decorator, ast.Call):
                found.update(
                    str(each.value) for each in decorator.args if isinstance(each, ast.Constant)
                )
        if method.name == "__post_init__":
            found.add("*")
    return found


def _finite_model(node: ast.ClassDef) -> bool:
    return any(
        isinstance(each, ast.keyword)
        and each.arg == "allow_inf_nan"
        and isinstance(each.value, ast.Constant)
        and each.value.value is False
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for each in ast.walk(statement)
    )
