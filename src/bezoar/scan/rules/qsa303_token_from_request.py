"""QSA303: provider tokens that clients send along."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bezoar.contracts.code_findings import Step
from bezoar.scan.code.declarations import defaults
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.credentials import holds_provider_token, holds_token, snake
from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.providers import CREDENTIAL_KEYWORDS, credential_position, is_provider_call

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

Place = tuple[int, int, int, int]

_MODELS = ("pydantic.BaseModel", "sqlmodel.SQLModel")
#: Names that mean a provider's token in a file that takes circuits.
_LIKELY = frozenset({"api_token", "apitoken", "api_key", "apikey"})
_CIRCUITS = re.compile(r"qasm|qiskit|qubit|shots|ibmq|pennylane|braket|ionq", re.IGNORECASE)
_READING = re.compile(r"^(?!\s*(?:async\s+)?def\b).*(?:request|\.get\w*\(|\[)")
#: Parameters that the framework takes from elsewhere than body, query or form.
_NOT_BODY = frozenset({"Header", "Depends", "Security", "Cookie"})


def check(module: Module) -> Iterator[Hit]:
    """Fields and parameters of requests that hold a provider's token; calls that they reach."""
    if module.is_test:
        return
    taken = [*_reads(module), *_parameters(module)]
    fields = [*_fields(module)]
    yield from taken
    yield from fields
    if not taken:
        # A field alone takes nothing: the call that is given it does.
        yield from _sinks(module)


def _reads(module: Module) -> Iterator[Hit]:
    """`request.form["ibm_token"]`, `data.get("ibm_api_key")`."""
    circuits = bool(_CIRCUITS.search(module.text))
    for node in module.nodes(ast.Subscript, ast.Call):
        key, holder = _read(node)
        if not key or not (holds_provider_token(key) or (snake(key) in _LIKELY and circuits)):
            continue
        value = module.value(holder)
        if not value.comes_from("request") or _is_header(holder):
            continue
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            continue
        if _only_asked_for(module, node):
            continue
        yield Hit(
            where=node,
            message=f"The provider's token `{key}` is taken from the request.",
            flow=module.flow(value, ("request",), node, f"`{key}` is taken out here"),
        )


def _read(node: ast.AST) -> tuple[str, ast.expr]:
    """The constant key that is read, and of what."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value), node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        first = node.args[0]
        if node.func.attr in ("get", "pop", "getlist") and isinstance(first, ast.Constant):
            return str(first.value), node.func.value
    return "", ast.Constant(None)


def _only_asked_for(module: Module, node: ast.AST) -> bool:
    """Whether a condition asks if the token is there; where it is taken says more."""
    parent = module.parent(node)
    while isinstance(parent, ast.UnaryOp | ast.BoolOp | ast.Compare):
        node, parent = parent, module.parent(parent)
    return isinstance(parent, ast.If | ast.While | ast.Assert | ast.IfExp) and parent.test is node


def _is_header(holder: ast.expr) -> bool:
    return isinstance(holder, ast.Attribute) and holder.attr in ("headers", "cookies", "session")


def _parameters(module: Module) -> Iterator[Hit]:
    """Parameters of handlers: form fields, query parameters."""
    for function in module.functions:
        if not function.is_route:
            continue
        given = defaults(function.node)
        arguments = function.node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.arg not in function.params or not holds_provider_token(argument.arg):
                continue
            if _from_elsewhere(argument, given.get(argument.arg)):
                continue
            yield Hit(
                where=argument,
                message=(
                    f"The provider's token `{argument.arg}` is a parameter of `{function.name}`."
                ),
            )


def _from_elsewhere(argument: ast.arg, default: ast.expr | None) -> bool:
    """Whether a header, a cookie or a dependency fills the parameter."""
    return any(
        isinstance(each, ast.Name) and each.id in _NOT_BODY
        for part in (argument.annotation, default)
        if part is not None
        for each in ast.walk(part)
    )


def _fields(module: Module) -> Iterator[Hit]:
    """Fields of data models of requests."""
    for declaration in module.classes:
        if not declaration.facts.is_model or any(
            "Settings" in base or "Config" in base for base in declaration.facts.bases
        ):
            continue
        if not any(
            base in _MODELS or base.endswith("BaseModel") for base in declaration.facts.bases
        ):
            continue
        if _names_settings(declaration.node.name):
            continue
        for statement in declaration.node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(
                statement.target, ast.Name
            ):
                continue
            name = statement.target.id
            if holds_provider_token(name) or (name in ("token", "api_token") and _reaches(module)):
                yield Hit(
                    where=statement,
                    message=(
                        f"The provider's token `{name}` is a field of the request "
                        f"`{declaration.node.name}`."
                    ),
                )


def _names_settings(name: str) -> bool:
    return name.endswith(("Settings", "Config", "Configuration", "Response", "Result", "Options"))


def _reaches(module: Module) -> bool:
    """Whether a request's data reach the credential of a provider in this file."""
    return any(True for _ in _sinks(module))


def _sinks(module: Module) -> Iterator[Hit]:
    """Calls that hand a provider what came with a request, under whatever name."""
    for call in module.calls:
        if not is_provider_call(call):
            continue
        for node in _credentials(call):
            value = module.value(node)
            if value.comes_from("request"):
                flow = module.flow(value, ("request",), call.node, "used as the token here")
                yield Hit(
                    where=_taken(module, node, flow) or call.node,
                    message=(
                        f"`{call.method}` uses a token that a client sent, "
                        f"`{ast.unparse(node)[:60]}`."
                    ),
                    flow=flow,
                )
                break


def _taken(module: Module, node: ast.expr, flow: Sequence[Step]) -> ast.expr | Place | None:
    """Where the token is taken out of the request, None for another file."""
    source = assigned(module, node) if isinstance(node, ast.Name) else None
    if source is not None and _read(source)[0]:
        return source
    if len(flow) < 2 or flow[0].place.path != module.path or module.is_notebook:
        return None
    place = flow[0].place
    if not _READING.search(module.lines[place.line - 1]):
        # A parameter of the handler: the call says more.
        return None
    return place.line, place.column, place.end_line, place.end_column


def _credentials(call: Call) -> Iterator[ast.expr]:
    node = call.argument_node(credential_position(call), *CREDENTIAL_KEYWORDS)
    if node is not None:
        yield node
    for keyword in call.node.keywords:
        if keyword.arg is not None and holds_token(keyword.arg) and keyword.value is not node:
            yield keyword.value


RULE = Rule(
    id="QSA303",
    title="Provider token taken from the request",
    severity="medium",
    confidence="medium",
    cwe=(522,),
    frameworks=("services",),
    why=(
        "A service that takes the user's provider token in a form or a JSON body holds a key to "
        "the user's account: it passes through logs, error reports, job stores and whatever "
        "stands in front, and every client learns to type it into pages that ask. A stolen "
        "request is a stolen account, long after the job has ended."
    ),
    remedy=(
        "Keep one account on the server, by profile or secret store, or use the provider's OAuth "
        "with short-lived tokens."
    ),
    bad=(
        Example(
            name="a form field",
            code="""\
from flask import Flask, request
from qiskit import IBMQ

app = Flask(__name__)


@app.route("/run", methods=["POST"])
def run():
    ibm_token = request.form["ibm_token"]  # <- here
    provider = IBMQ.enable_account(ibm_token)
    return provider.backends()[0].name()
""",
        ),
        Example(
            name="a JSON body",
            code="""\
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/submit")
async def submit(request: Request):
    data = await request.json()
    token = data.get("ibm_api_key")  # <- here
    return start(data["qasm"], token)
""",
        ),
        Example(
            name="a field of a model and a form parameter",
            code="""\
from typing import Optional

from fastapi import FastAPI, Form
from pydantic import BaseModel

app = FastAPI()


class Job(BaseModel):
    qasm: str
    ionq_api_key: Optional[str] = None  # <- here


@app.post("/jobs")
def jobs(job: Job):
    return queue(job)


@app.post("/form")
def form(qasm: str = Form(...), ibm_token: str = Form(...)):  # <- here
    return queue(qasm, ibm_token)
""",
        ),
        Example(
            name="a plain name that reaches the provider",
            code="""\
from flask import Flask, request
from qiskit_ibm_runtime import QiskitRuntimeService

app = Flask(__name__)


def service_for(token):
    return QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=token,
    )


@app.post("/backends")
def backends():
    key = request.get_json()["key"]  # <- here
    return {"names": [each.name for each in service_for(key).backends()]}
""",
        ),
        Example(
            name="a service in two files",
            code="""\
from flask import Flask, request

from runs import run_qasm

app = Flask(__name__)


@app.route("/api/run", methods=["POST"])
def run():
    secret = request.form.get("key")
    return run_qasm(request.form["qasm"], secret)


@app.route("/api/other", methods=["POST"])
def other():
    api_token = request.form.get("api_token")  # <- here
    return run_qasm(request.form["qasm"], api_token)
# file: runs.py
from qiskit import IBMQ


def run_qasm(qasm, api_token=None):
    IBMQ.enable_account(api_token)  # <- here
    return {}
""",
        ),
        Example(
            name="a query parameter of Django",
            code="""\
from django.http import JsonResponse


def devices(request):
    token = request.GET.get("qiskit_token", "")  # <- here
    return JsonResponse({"devices": list_devices(token)})
""",
        ),
        Example(
            name="a field of a model, and the call that it is given to",
            code="""
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit_ibm_runtime import QiskitRuntimeService

app = FastAPI()


class Optimise(BaseModel):
    assets: list[str]
    ibm_api_key: str = ""  # <- here


@app.post("/optimise")
def optimise(body: Optimise):
    service = QiskitRuntimeService(channel="ibm_cloud", token=body.ibm_api_key)  # <- here
    return {"backends": [each.name for each in service.backends()]}
""",
        ),
        Example(
            name="taken out of the body, under a plain name",
            code="""
from flask import Blueprint, jsonify, request
from qiskit import IBMQ

routes = Blueprint("routes", __name__)


@routes.route("/execute", methods=["POST"])
def execute_on_device():
    body = request.get_json()
    token = body["token"]  # <- here
    IBMQ.enable_account(token)
    return jsonify(backends=len(IBMQ.get_provider().backends()))
""",
        ),
    ),
    good=(
        Example(
            name="an account of the server",
            code="""\
import os

from fastapi import FastAPI
from pydantic import BaseModel
from qiskit_ibm_runtime import QiskitRuntimeService

app = FastAPI()
service = QiskitRuntimeService(token=os.environ["QISKIT_IBM_TOKEN"])


class Job(BaseModel):
    qasm: str
    shots: int = 1024


@app.post("/jobs")
def jobs(job: Job):
    return {"pending": service.least_busy().status().pending_jobs}
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the service's own tokens",
            code="""\
import hmac

from flask import Flask, abort, request

app = Flask(__name__)


@app.post("/jobs")
def jobs():
    if not hmac.compare_digest(request.form.get("token", ""), app.config["TOKEN"]):
        abort(403)
    csrf = request.form["csrf_token"]
    return submit(request.form["qasm"], csrf)
""",
        ),
        Example(
            name="settings of the server",
            code="""\
import os

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings

app = FastAPI()


class Settings(BaseSettings):
    qiskit_ibm_token: str = ""


class ProviderConfig(BaseModel):
    ibm_token: str


@app.get("/")
def index():
    token = os.environ.get("IBM_TOKEN")
    return {"ready": bool(token)}
""",
        ),
        Example(
            name="a file of settings, a command line",
            code="""\
import argparse
import json

from qiskit_ibm_runtime import QiskitRuntimeService

parser = argparse.ArgumentParser()
parser.add_argument("--ibm-token")
args = parser.parse_args()
with open("account.json") as handle:
    account = json.load(handle)
service = QiskitRuntimeService(token=account.get("ibm_token") or args.ibm_token)
""",
        ),
        Example(
            name="a condition that asks whether a token was sent",
            code="""\
from flask import Flask, abort, request

app = Flask(__name__)


@app.post("/run")
def run():
    if request.form.get("ibm_token"):
        abort(400, "tokens are kept on the server")
    if not request.form.get("qasm") or request.form.get("ibmq_token") is not None:
        abort(400)
    return submit(request.form["qasm"])
""",
        ),
        Example(
            name="counts of tokens and keys of results",
            code="""\
from flask import Flask, request

app = Flask(__name__)


@app.post("/generate")
def generate():
    body = request.get_json()
    limit = body.get("max_tokens", 10)
    return {"text": model(body["prompt"], limit), "key": body["key"]}
""",
        ),
    ),
    references=("CWE-522 <https://cwe.mitre.org/data/definitions/522.html>",),
    check=check,
    keywords=("token", "Token", "key", "Key", "credential"),
    tags=("credentials",),
)
