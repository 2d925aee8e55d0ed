"""QSA804: every web site may call the job service, with the cookies of whoever visits it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.services import speaks_of_jobs

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Calls that set the policy up, by the last component of their name.
_POLICIES: Final = frozenset(
    {
        *("add_middleware", "Middleware", "CORSMiddleware", "CORSConfig", "CORS", "cors"),
        *("cross_origin", "init_app", "ResourceOptions", "crossdomain"),
    }
)
_CREDENTIALS: Final = ("allow_credentials", "supports_credentials", "credentials")
_ORIGINS: Final = ("allow_origins", "allow_origin", "origins", "origin")
_PATTERNS: Final = ("allow_origin_regex",)
_OPEN_PATTERNS: Final = frozenset({".*", "^.*$", ".+", "https?://.*", "^https?://.*$", "http.*"})
_ALLOW_ORIGIN: Final = "access-control-allow-origin"
_ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"
#: Variables of Django's settings, in the spellings of all versions of django-cors-headers.
_DJANGO_ORIGINS: Final = frozenset({"CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"})
_DEPTH = 4


def check(module: Module) -> Iterator[Hit]:
    """Policies of middleware and extensions, settings of Django, headers set by hand."""
    if module.is_test or not speaks_of_jobs(module):
        return
    for call in module.method_calls(*_POLICIES):
        if _is_policy(call) and _sends_credentials(module, call):
            origins = _open_origins(module, call)
            if origins:
                yield _hit(call.node, origins)
    yield from _django(module)
    yield from _by_hand(module)


def _hit(node: ast.AST, origins: str) -> Hit:
    return Hit(
        where=node,
        message=f"Every web site may call this service with its visitors' credentials: {origins}.",
    )


def _is_policy(call: Call) -> bool:
    if call.method in ("add_middleware", "Middleware"):
        return bool(call.node.args) and "CORS" in ast.unparse(call.node.args[0])
    if call.method == "init_app":
        func = call.node.func
        return isinstance(func, ast.Attribute) and "cors" in ast.unparse(func.value).lower()
    return True


def _sends_credentials(module: Module, call: Call) -> bool:
    if any(_keyword(call, name) is True for name in _CREDENTIALS):
        return True
    resources = call.argument_node(None, "resources")
    return resources is not None and any(
        isinstance(key, ast.Constant)
        and key.value in _CREDENTIALS
        and module.value(value).literal is True
        for display in ast.walk(resources)
        if isinstance(display, ast.Dict)
        for key, value in zip(display.keys, display.values, strict=True)
    )


def _keyword(call: Call, name: str) -> object:
    value = call.argument(None, name)
    return value.literal if value is not None else None


def _open_origins(module: Module, call: Call) -> str:
    """What opens the policy to every origin, in words; "" for a list of origins."""
    for name in _ORIGINS:
        node = call.argument_node(None, name)
        if node is not None:
            return f"`{name}` is `*`" if _holds_star(module, node) else ""
        value = call.argument(None, name)
        if value is not None:
            # Passed on with `**options`.
            listed = value.parts if isinstance(value.parts, tuple) else (value,)
            return f"`{name}` is `*`" if any(each.literal == "*" for each in listed) else ""
    for name in _PATTERNS:
        pattern = _keyword(call, name)
        if isinstance(pattern, str) and pattern in _OPEN_PATTERNS:
            return f"`{name}` fits every origin"
    if call.method not in ("CORS", "cross_origin", "cors", "init_app"):
        return ""
    resources = call.argument_node(None, "resources")
    if resources is None:
        # Flask-CORS answers every origin unless it is told others.
        return "" if call.has_star else "no origins are listed, which stands for `*`"
    return "`origins` is `*`" if _resources_star(module, resources) else ""


def _resources_star(module: Module, resources: ast.expr) -> bool:
    """`{r"/api/*": {"origins": "*"}}`: the star of a path is none of an origin."""
    if isinstance(resources, ast.Name):
        made = assigned(module, resources)
        return made is not None and not isinstance(made, ast.Name) and _resources_star(module, made)
    inner = [each for each in ast.walk(resources) if isinstance(each, ast.Dict)]
    listed = [
        value
        for display in inner
        for key, value in zip(display.keys, display.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "origins"
    ]
    if not listed:
        return bool(inner) or isinstance(resources, ast.Constant)
    return any(_holds_star(module, each) for each in listed)


def _holds_star(module: Module, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Whether a list of origins has the star in it, or is the star when nobody sets it."""
    if module.value(node).literal == "*":
        return True
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return any(_holds_star(module, each, depth) for each in node.elts)
    if depth == 0:
        return False
    if isinstance(node, ast.Name | ast.Attribute):
        made = assigned(module, node)
        return made is not None and _holds_star(module, made, depth - 1)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _holds_star(module, node.generators[0].iter, depth - 1)
    if isinstance(node, ast.IfExp):
        # `["*"] if debug else [...]` is for development.
        return _holds_star(module, node.orelse, depth - 1)
    if isinstance(node, ast.BoolOp):
        return _holds_star(module, node.values[-1], depth - 1)
    if isinstance(node, ast.Call):
        return _call_star(module, node, depth)
    return False


def _call_star(module: Module, node: ast.Call, depth: int) -> bool:
    """`os.getenv("ORIGINS", "*").split(",")`."""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name in ("get", "getenv", "config", "env") and len(node.args) > 1:
        return _holds_star(module, node.args[1], depth - 1)
    if name in ("split", "strip") and isinstance(func, ast.Attribute):
        return _holds_star(module, func.value, depth - 1)
    if name in ("list", "tuple", "set") and node.args:
        return _holds_star(module, node.args[0], depth - 1)
    return False


def _django(module: Module) -> Iterator[Hit]:
    if "CORS_ALLOW_CREDENTIALS" not in module.text:
        return
    on = {
        target.id: node
        for node in module.tree.body
        if isinstance(node, ast.Assign) and module.value(node.value).literal is True
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "CORS_ALLOW_CREDENTIALS" in on:
        for name in sorted(_DJANGO_ORIGINS & on.keys()):
            yield _hit(on[name], f"`{name}` is on")


# -- headers -------------------------------------------------------------------------------------


def _by_hand(module: Module) -> Iterator[Hit]:
    """Headers of both names in one function: the star, or the origin of the request given back."""
    if _ALLOW_CREDENTIALS not in module.text.lower():
        return
    origins: dict[object, ast.AST] = {}
    credentials: set[object] = set()
    for name, value, node in _headers(module):
        function = module.function_of(node)
        if name == _ALLOW_CREDENTIALS and str(module.value(value).literal).lower() == "true":
            credentials.add(function)
        elif name == _ALLOW_ORIGIN and _is_any_origin(module, value):
            origins.setdefault(function, node)
    for function, node in origins.items():
        if function in credentials:
            yield _hit(node, "`Access-Control-Allow-Origin` is any origin")


def _headers(module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """Headers that are set: name in lower case, value, and where."""
    for node in module.nodes(ast.Assign, ast.Call, ast.Dict):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            yield from _header(node.targets[0].slice, node.value, node)
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            yield from _header(node.args[0], node.args[1], node)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None:
                    yield from _header(key, value, key)


def _header(
    name: ast.expr, value: ast.expr, where: ast.AST
) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    text = name.value if isinstance(name, ast.Constant) else None
    if isinstance(text, str) and text.lower().startswith("access-control-allow-"):
        yield text.lower(), value, where


def _is_any_origin(module: Module, node: ast.expr) -> bool:
    if _holds_star(module, node):
        return True
    made = assigned(module, node) if isinstance(node, ast.Name) else node
    value = module.value(node)
    return (
        made is not None
        and "origin" in ast.unparse(made).lower()
        and value.comes_from("request")
        and "listed" not in value.marks
    )


_BAD = (
    Example(
        name="FastAPI with everything open",
        file="main.py",
        code="""
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from qiskit import QuantumCircuit

app = FastAPI()
app.add_middleware(  # <- here
    CORSMiddleware,
    allow_origins=["*"],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
""",
    ),
    Example(
        name="The list is a variable, or comes from the environment",
        file="app/main.py",
        code="""
import os

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
import pennylane as qml

origins = ["http://localhost:3000", "*"]
ALLOWED = os.getenv("ALLOWED_ORIGINS", "*").split(",")

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=origins, allow_credentials=True)  # <- here
other = FastAPI(
    middleware=[
        Middleware(CORSMiddleware, allow_origins=ALLOWED, allow_credentials=True)  # <- here
    ]
)
third = FastAPI()
third.add_middleware(  # <- here
    CORSMiddleware,
    allow_origins=[each.strip() for each in ALLOWED],
    allow_credentials=True,
)
options = {"allow_origins": ["*"], "allow_credentials": True}
third.add_middleware(CORSMiddleware, **options)  # <- here
fourth = CORSMiddleware(app, allow_origin_regex=".*", allow_credentials=True)  # <- here
""",
    ),
    Example(
        name="Flask-CORS, whose default is every origin",
        file="server.py",
        code="""
from flask import Flask
from flask_cors import CORS, cross_origin
from qiskit_aer import AerSimulator

app = Flask(__name__)
CORS(app, supports_credentials=True)  # <- here
CORS(app, origins="*", supports_credentials=True)  # <- here
CORS(app, resources={r"/*": {"origins": "*", "supports_credentials": True}})  # <- here


@app.route("/run", methods=["POST"])
@cross_origin(origins=["*"], supports_credentials=True)  # <- here
def run():
    return {}
""",
    ),
    Example(
        name="Headers by hand",
        file="headers.py",
        code="""
from flask import Flask, request
import qiskit

app = Flask(__name__)


@app.after_request
def allow(response):
    origin = request.headers.get("Origin")
    response.headers["Access-Control-Allow-Origin"] = origin  # <- here
    response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def allow_all(response):
    response.headers.add("Access-Control-Allow-Origin", "*")  # <- here
    response.headers.add("Access-Control-Allow-Credentials", "true")
    return response
""",
    ),
    Example(
        name="Settings of Django",
        file="qweb/settings.py",
        code="""
INSTALLED_APPS = ["corsheaders", "circuits"]
CORS_ALLOW_ALL_ORIGINS = True  # <- here
CORS_ALLOW_CREDENTIALS = True
""",
    ),
)

_GOOD = (
    Example(
        name="A list of origins",
        file="main.py",
        code="""
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from qiskit import QuantumCircuit

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://composer.example.org"],
    allow_credentials=True,
    allow_methods=["POST"],
)
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Every origin without credentials",
        file="main.py",
        code="""
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from flask import Flask
from flask_cors import CORS
from qiskit import QuantumCircuit

app = FastAPI(title="Circuits")
app.add_middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["*"],
    allow_headers=["*"],
)
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=False)
flask_app = Flask(__name__)
CORS(flask_app)
CORS(flask_app, resources={r"/api/*": {"origins": "*"}})


@flask_app.after_request
def allow(response):
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
""",
    ),
    Example(
        name="Lists for development",
        file="local.py",
        code="""
import os

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from flask import Flask
from flask_cors import CORS
from qiskit import QuantumCircuit

origins = [
    "http://localhost:3000",
    "http://127.0.0.1:5173",
]
app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=origins,
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
second = FastAPI()
second.add_middleware(
    CORSMiddleware,
    allow_origins=os.getenv("ORIGINS", "http://localhost:3000").split(","),
    allow_origin_regex=r"https://.*\\.example\\.org",
    allow_credentials=True,
)
server = Flask(__name__)
CORS(server, resources={r"/api/*": {"origins": "http://localhost:3000"}}, supports_credentials=True)
CORS(server, origins=["http://localhost:8080"], supports_credentials=True)
""",
    ),
    Example(
        name="Credentials only where the origins are listed",
        file="careful.py",
        code="""
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
import pennylane as qml
from settings import settings

ORIGINS = settings.origins
app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=ORIGINS,
    allow_credentials="*" not in ORIGINS,
)
second = FastAPI()
second.add_middleware(
    CORSMiddleware,
    allow_origins=["*"] if settings.debug else settings.origins,
    allow_credentials=True,
)
""",
    ),
    Example(
        name="A known origin is given back",
        file="known.py",
        code="""
from flask import Flask, request
import qiskit

app = Flask(__name__)
KNOWN = ["https://composer.example.org"]


@app.after_request
def allow(response):
    origin = request.headers.get("Origin")
    if origin in KNOWN:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response
""",
    ),
)

RULE = Rule(
    id="QSA804",
    title="Every origin may call the job service with credentials",
    severity="low",
    confidence="high",
    cwe=(942,),
    frameworks=("services",),
    why="""A browser sends the cookies of a job service along when a page of another site calls it,
if the service says so. With `allow_origins=["*"]` and `allow_credentials=True` Starlette answers
the origin of whoever asks, and so does Flask-CORS with `supports_credentials=True` and no list of
origins. Any page that a signed-in researcher opens can then submit circuits in their name, spend
their provider credit and read their results.

`*` without credentials is not reported: a browser then sends no cookies.""",
    remedy="List the origins of your own pages, or leave credentials off.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-942 <https://cwe.mitre.org/data/definitions/942.html>",
        "FastAPI: CORS <https://fastapi.tiangolo.com/tutorial/cors/>",
        "Flask-CORS: supports_credentials <https://flask-cors.readthedocs.io/en/latest/api.html>",
        "MDN: requests with credentials <https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CORS>",
    ),
    check=check,
    keywords=("CORS", "cors", "cross_origin", "Access-Control", "access-control"),
)
