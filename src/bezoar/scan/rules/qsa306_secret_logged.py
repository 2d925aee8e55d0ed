"""QSA306: tokens and whole requests in logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.credentials import holds_provider_token, holds_token, snake
from bezoar.scan.rules.literals import assigned

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_PRINTERS = frozenset(
    {
        "print",
        "pprint.pprint",
        "pprint.pp",
        "rich.print",
        "click.echo",
        "typer.echo",
        "sys.stdout.write",
        "sys.stderr.write",
        "streamlit.write",
        "warnings.warn",
        "IPython.display.display",
        "display",
        "loguru.logger.info",
        "loguru.logger.debug",
    }
)
_LOG_METHODS = frozenset(
    "debug info warning warn error exception critical log success trace notice".split()
)
_LOGGERS = ("logging.", "loguru.", "structlog.", "flask.Flask.logger")
#: Parts of a request that hold everything a client sent.
_WHOLE = frozenset(
    {
        "form",
        "json",
        "headers",
        "data",
        "values",
        "body",
        "POST",
        "META",
        "cookies",
        "environ",
        "__dict__",
    }
)
_WHOLE_METHODS = frozenset(
    {"get_json", "get_data", "json", "form", "body", "to_dict", "dict", "model_dump", "items"}
)
#: What gives the saved accounts of a provider, tokens in them.
_ACCOUNTS = frozenset(
    {
        "qiskit.IBMQ.stored_account",
        "qiskit.IBMQ.active_account",
        "qiskit_ibm_runtime.QiskitRuntimeService.saved_accounts",
        "qiskit_ibm_runtime.QiskitRuntimeService.active_account",
        "qiskit_ibm_provider.IBMProvider.saved_accounts",
        "qiskit_ibm_provider.IBMProvider.active_account",
        "qiskit_ibm.IBMProvider.saved_accounts",
        "os.environ.items",
    }
)
#: Functions that change how a text is written, not what it says.
_FORMATTING = frozenset({"str", "repr", "format", "dict", "list", "json.dumps", "pprint.pformat"})
_PASSWORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "client_secret"})
#: Headers that hold the token of a client.
_HEADERS = frozenset({"authorization", "x_api_key", "x_auth_token", "api_key", "x_access_token"})
#: Names of settings and of providers: their entry `token` is no piece of a text.
_SETTINGS = re.compile(
    r"(?:^|_)(?:cfg|conf|config\w*|settings?|credentials?|secrets?|accounts?|profile|ibmq?|ionq"
    r"|originq|origin|dwave|braket|azure|qiskit|rigetti|quantinuum|xanadu|iqm|pasqal|quandela|quafu"
    r"|qbraid)(?:_|$)"
)
#: Libraries in whose files a token is a piece of text.
_LANGUAGE = ("transformers", "tokenizers", "nltk", "spacy", "tiktoken", "sentencepiece", "lambeq")
_SURE = frozenset(
    {
        "api_token",
        "apitoken",
        "api_key",
        "apikey",
        "access_token",
        "auth_token",
        "refresh_token",
        "access_key",
        "secret_access_key",
        "bearer_token",
    }
)


def check(module: Module) -> Iterator[Hit]:
    """Printed and logged tokens, requests and accounts; accounts shown by a notebook cell."""
    if module.is_test:
        return
    for call in module.calls:
        if not _is_log(call):
            continue
        for node in _printed(module, call):
            what = _secret(module, node)
            if what:
                yield Hit(
                    where=call.node,
                    message=f"`{_shown(call)}` writes {what} to the log or screen.",
                )
                break
    if module.is_notebook:
        yield from _displayed(module)


def _is_log(call: Call) -> bool:
    if call.name in _PRINTERS:
        return True
    if call.method not in _LOG_METHODS:
        return False
    func = call.node.func
    if call.name.startswith(_LOGGERS) or not isinstance(func, ast.Attribute):
        return call.name.startswith(_LOGGERS)
    receiver = ast.unparse(func.value).lower()
    return receiver.endswith(("log", "logger", "logging", "_log"))


def _shown(call: Call) -> str:
    return ast.unparse(call.node.func)


def _printed(module: Module, call: Call) -> Iterator[ast.expr]:
    """The expressions whose text is written, out of formats and joins."""
    waiting = [*call.node.args, *(k.value for k in call.node.keywords if k.arg in ("extra", "msg"))]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.JoinedStr):
            waiting += [each.value for each in node.values if isinstance(each, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp):
            waiting += [node.left, node.right]
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            waiting += node.elts
        elif isinstance(node, ast.Dict):
            waiting += node.values
        elif isinstance(node, ast.IfExp):
            waiting += [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            waiting += node.values
        elif isinstance(node, ast.Starred | ast.Await):
            waiting.append(node.value)
        elif isinstance(node, ast.Call) and _only_formats(module, node):
            waiting += [*node.args, *(keyword.value for keyword in node.keywords)]
        else:
            yield node


def _only_formats(module: Module, node: ast.Call) -> bool:
    name = module.name_of(node.func) or ast.unparse(node.func)
    if name in _FORMATTING:
        return True
    func = node.func
    return isinstance(func, ast.Attribute) and func.attr in ("format", "format_map", "join")


def _secret(module: Module, node: ast.expr) -> str:
    """What of a token, a request or an account an expression is, "" for nothing."""
    return _account(module, node) or _request(module, node) or _token(module, node)


def _account(module: Module, node: ast.expr) -> str:
    value = module.value(node)
    if isinstance(node, ast.Call | ast.Name) and value.made_by in _ACCOUNTS:
        return "saved accounts with their tokens"
    if isinstance(node, ast.Call) and module.name_of(node.func) in _ACCOUNTS:
        return "saved accounts with their tokens"
    if isinstance(node, ast.Attribute) and module.name_of(node) == "os.environ":
        return "the whole environment"
    return ""


def _request(module: Module, node: ast.expr) -> str:
    """Whether an expression is all that a client sent."""
    value = module.value(node)
    if not value.comes_from("request"):
        return ""
    if isinstance(node, ast.Attribute) and node.attr in _WHOLE and _is_request(module, node.value):
        return f"the whole `{ast.unparse(node)}`"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        func = node.func
        whole = func.attr in _WHOLE_METHODS and not node.args
        if whole and (_is_request(module, func.value) or _request(module, func.value)):
            return f"the whole `{ast.unparse(func)}`"
        return ""
    if isinstance(node, ast.Name):
        if _is_body(module, node):
            return f"the whole request, `{node.id}`"
        source = _source_of(module, node)
        return _request(module, source) if source is not None else ""
    return ""


def _is_request(module: Module, node: ast.expr) -> bool:
    """Whether an expression is the request itself, by name, class or framework."""
    text = ast.unparse(node)
    if text.rpartition(".")[2] in ("request", "req", "flask_request"):
        return True
    value = module.value(node)
    return value.type.endswith((".Request", ".HttpRequest")) or value.made_by == "flask.request"


def _is_body(module: Module, node: ast.Name) -> bool:
    """Whether a name is a parameter of a handler that holds the body: a model or a dict."""
    function = module.function_of(node)
    if function is None or not function.is_route or node.id not in function.params:
        return False
    for argument in (*function.node.args.args, *function.node.args.kwonlyargs):
        if argument.arg == node.id and argument.annotation is not None:
            kind = ast.unparse(argument.annotation).lower()
            if kind.startswith("dict") or kind.rpartition(".")[2] == "request":
                return True
            return any(
                declaration.facts.is_model and declaration.node.name.lower() == kind
                for declaration in module.classes
            )
    return False


def _source_of(module: Module, node: ast.Name) -> ast.expr | None:
    """What the name was last assigned before, in the same function."""
    inside = module.function_of(node)
    best: ast.expr | None = None
    for statement in module.nodes(ast.Assign):
        if statement.lineno >= node.lineno or module.function_of(statement) is not inside:
            continue
        if any(isinstance(each, ast.Name) and each.id == node.id for each in statement.targets):
            best = statement.value
    while isinstance(best, ast.Await):
        best = best.value
    if isinstance(best, ast.BoolOp):
        best = best.values[0]
    return best


def _token(module: Module, node: ast.expr) -> str:
    """Whether an expression is a token or a password, as a whole."""
    name = _name(node)
    if not name:
        return ""
    if isinstance(node, ast.Name) and _holds_header(module, node):
        return f"`{node.id}` with the token in it"
    plain = snake(name)
    known = holds_provider_token(name) or plain in _SURE or plain in _PASSWORDS
    if not known and holds_token(name):
        known = plain.endswith(("_api_key", "_apikey")) or _means_secret(module, node)
        known = known and not module.imports_any(*_LANGUAGE)
    if not known or _is_environment_name(module, node):
        return ""
    if plain in _PASSWORDS and not module.value(node).origins and module.value(node).fixed:
        return ""
    return f"`{ast.unparse(node)[:60]}`"


def _holds_header(module: Module, node: ast.Name) -> bool:
    """`headers = {"Authorization": f"apiKey {key}"}`, printed as a whole."""
    made = assigned(module, node)
    return isinstance(made, ast.Dict) and any(
        isinstance(key, ast.Constant)
        and (snake(str(key.value)) in _HEADERS or holds_provider_token(str(key.value)))
        and not module.value(value).fixed
        for key, value in zip(made.keys, made.values, strict=True)
    )


def _name(node: ast.expr) -> str:
    """The name that says what an expression holds."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value) if isinstance(node.slice.value, str) else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if called in ("get", "getenv", "pop") and isinstance(node.args[0], ast.Constant):
            return str(node.args[0].value)
    return ""


def _means_secret(module: Module, node: ast.expr) -> bool:
    """Whether a plain `token` is a credential: by where it comes from, or what the file uses."""
    value = module.value(node)
    if isinstance(node, ast.Name) and _is_looped(module, node):
        return False
    if value.comes_from("env", "request", "cli", "network") or _is_entry_of_settings(module, node):
        return True
    return module.imports_any(
        "qiskit_ibm_runtime", "qiskit_ibm_provider", "qiskit_ionq", "dwave", "xcc", "quantuminspire"
    )


def _is_entry_of_settings(module: Module, node: ast.expr) -> bool:
    """`ibm["token"]`, `config.get("token")`, an entry that is printed after a provider's name."""
    if not isinstance(node, ast.Subscript | ast.Call):
        return False
    statement = module.statement_of(node)
    told = [
        str(each.value)
        for each in ast.walk(statement)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return any(_SETTINGS.search(snake(text)) for text in (*told, ast.unparse(node)))


def _is_looped(module: Module, node: ast.Name) -> bool:
    """`for token in line.split()`: a piece of a text."""
    inside = module.function_of(node)
    return any(
        isinstance(each, ast.Name) and each.id == node.id
        for loop in module.nodes(ast.For)
        if module.function_of(loop) is inside
        for each in ast.walk(loop.target)
    )


def _is_environment_name(module: Module, node: ast.expr) -> bool:
    """`TOKEN_VARIABLE = "QISKIT_IBM_TOKEN"`: the name of a variable and no token."""
    literal = module.value(node).literal
    return isinstance(literal, str) and (len(literal) < 8 or literal.replace("_", "").isupper())


def _displayed(module: Module) -> Iterator[Hit]:
    """`QiskitRuntimeService.saved_accounts()` alone in a cell: the output is kept in the file."""
    for statement in module.nodes(ast.Expr):
        if not isinstance(statement.value, ast.Call) or module.function_of(statement) is not None:
            continue
        if _account(module, statement.value):
            yield Hit(
                where=statement,
                message="The cell shows saved accounts with their tokens, and keeps them.",
            )


RULE = Rule(
    id="QSA306",
    title="Token or whole request in the log",
    severity="medium",
    confidence="medium",
    cwe=(532,),
    frameworks=("any",),
    why=(
        "Logs are copied, searched and kept by people and systems that nobody trusts with a "
        "token: CI output is public, a notebook's output is committed with it. A request holds "
        "the tokens and circuits of whoever sent it. `saved_accounts()` gives every saved token "
        "in clear, and a cell that ends with it stores them in the notebook."
    ),
    remedy=(
        "Log names and lengths, or the last four characters; pick the harmless fields of a request."
    ),
    bad=(
        Example(
            name="a form, headers, a body",
            code="""\
import logging

from flask import Flask, request

app = Flask(__name__)
logger = logging.getLogger(__name__)


@app.route("/run", methods=["POST"])
def run():
    print(request.form)  # <- here
    logger.info("headers: %s", request.headers)  # <- here
    body = request.get_json()
    app.logger.debug(f"got {body}")  # <- here
    return {}
""",
        ),
        Example(
            name="tokens",
            code="""\
import logging
import os

from qiskit_ibm_runtime import QiskitRuntimeService

token = os.environ["QISKIT_IBM_TOKEN"]
print("Using token:", token)  # <- here
print(f"IBM: {os.getenv('IBM_API_KEY')}")  # <- here


class Client:
    def __init__(self, api_token):
        self.api_token = api_token
        logging.warning("connecting with {}".format(self.api_token))  # <- here
""",
        ),
        Example(
            name="saved accounts, in a notebook",
            file="account.ipynb",
            code="""\
# %%
from qiskit import IBMQ
from qiskit_ibm_runtime import QiskitRuntimeService
QiskitRuntimeService.saved_accounts()  # <- here
# %%
print(IBMQ.stored_account())  # <- here
accounts = QiskitRuntimeService.saved_accounts()
print(accounts)  # <- here
""",
        ),
        Example(
            name="a job with everything in it",
            code="""\
import logging

from fastapi import FastAPI, Request
from pydantic import BaseModel

log = logging.getLogger("jobs")
app = FastAPI()


class Job(BaseModel):
    qasm: str
    ibm_token: str


@app.post("/jobs")
async def jobs(job: Job):
    log.info(f"new job {job}")  # <- here
    return {}


@app.post("/raw")
async def raw(request: Request):
    data = await request.json()
    print("request", data)  # <- here
    log.debug(  # <- here
        "token %s",
        data["ibm_token"],
    )
    return {}
""",
        ),
        Example(
            name="a header with the key in it, and entries of settings",
            code="""
import logging

import requests
import yaml

logger = logging.getLogger(__name__)


class Client:
    def __init__(self, key):
        self.key = key

    def jobs(self):
        headers = {"Authorization": f"apiKey {self.key}", "Accept": "application/json"}
        logger.info(f"GET /jobs {headers}")  # <- here
        return requests.get("https://api.ionq.co/v0.3/jobs", headers=headers, timeout=9).json()


with open("providers.yaml") as handle:
    config = yaml.safe_load(handle)
print("token = {}".format(config["vendor"]["token"]))  # <- here
vendor = config["originq"]
print(f"OriginQ token: {vendor.get('token', 'not set')}")  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="what helps and harms nobody",
            code="""\
import logging
import os

from flask import Flask, request

app = Flask(__name__)
token = os.environ.get("QISKIT_IBM_TOKEN", "")
logging.info("token is set: %s, %d characters", bool(token), len(token))


@app.post("/run")
def run():
    logging.info("%s from %s", request.method, request.remote_addr)
    return {}
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the name of a variable, its presence, a masked token",
            code="""\
import os

from qiskit_ibm_runtime import QiskitRuntimeService

TOKEN_VAR = "QISKIT_IBM_TOKEN"
token = os.environ.get(TOKEN_VAR)
print("Set QISKIT_IBM_TOKEN to your token")
print(f"{TOKEN_VAR} is not set")
print("token found" if token else "no token")
print(f"token {token[:4]}...{token[-4:]}")
print("token", mask(token), len(token))
print(f"missing: {token is None}")
""",
        ),
        Example(
            name="tokens of a language",
            code="""\
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("./model")
for token in tokenizer.tokenize(text):
    print(f"Token: {token}")
print("tokens", tokens, max_tokens)
""",
        ),
        Example(
            name="pieces of a program",
            code="""\
from qiskit_ibm_runtime import QiskitRuntimeService


def gates(program):
    for token in program.split(";"):
        print("token", token)


service = QiskitRuntimeService()
print(service.backends())
""",
        ),
        Example(
            name="single harmless fields of a request",
            code="""\
import logging

from flask import Flask, request

app = Flask(__name__)


@app.post("/run")
def run():
    body = request.get_json()
    logging.info("shots %s, %s", body["shots"], request.path)
    print(request.method, request.args.get("page"), len(request.data))
    logging.info("backend %s", request.form["backend"])
    return {}
""",
        ),
        Example(
            name="results, parsers and messages",
            code="""\
import requests

answer = requests.get("https://api.lab.org/jobs", timeout=9)
print(answer.json())
print(answer.status_code, answer.headers["content-type"])
for token in program.split():
    print(token)
logger.error("invalid token")
print(key, keys, data, params)
""",
        ),
        Example(
            name="a dict that says whether a token is set",
            code="""
import os

token = os.getenv("QISKIT_IBM_TOKEN")
found = {"QISKIT_IBM_TOKEN": "set" if token else "not set"}
print(found)
headers = {"Accept": "application/json", "X-Client": "notebook"}
print(headers)
""",
        ),
        Example(
            name="what is known of a token",
            code="""
import os

status = {"ibm_token_configured": bool(os.environ.get("QISKIT_IBM_TOKEN"))}
print(f"token configured: {status['ibm_token_configured']}")
has_ibm_token = "QISKIT_IBM_TOKEN" in os.environ
print("has a token:", has_ibm_token)
""",
        ),
    ),
    references=("CWE-532 <https://cwe.mitre.org/data/definitions/532.html>",),
    check=check,
    keywords=("print", "log", "display", "echo", "saved_accounts", "stdout", "pprint", "write"),
    tags=("credentials",),
)
