"""QSA802: a job service that listens on every address, or runs with its debugger on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.code.declarations import defaults
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.frameworks import is_service
from bezoar.scan.rules.gates import QUANTUM_PACKAGES
from bezoar.scan.rules.literals import assigned, default_of
from bezoar.scan.rules.services import speaks_of_jobs

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.documents import Document

#: Addresses that mean every interface.
_EVERYWHERE: Final = ("0.0.0.0", "::", "[::]", "0:0:0:0:0:0:0:0")  # noqa: S104 - what is looked for
_APPS: Final = frozenset(
    "flask.Flask quart.Quart sanic.Sanic fastapi.FastAPI flask_socketio.SocketIO dash.Dash "
    "bottle.Bottle socketio.Server connexion.App connexion.FlaskApp "
    "mcp.server.fastmcp.FastMCP fastmcp.FastMCP flask_appbuilder.AppBuilder "
    "starlette.applications.Starlette".split()
)
#: Functions that serve, by canonical name: all of them take the address as `host`.
_SERVERS: Final = frozenset(
    "uvicorn.run uvicorn.Config hypercorn.run waitress.serve bottle.run aiohttp.web.run_app "
    "werkzeug.serving.run_simple werkzeug.run_simple eventlet.listen gevent.pywsgi.WSGIServer "
    "http.server.HTTPServer http.server.ThreadingHTTPServer socketserver.TCPServer "
    "wsgiref.simple_server.make_server tornado.httpserver.HTTPServer websockets.serve "
    "daphne.server.Server fastapi.run flask.run".split()
)
_RUNNERS: Final = frozenset(
    {"run", "run_server", "run_simple", "run_app", "serve", "listen", "launch"}
)
#: What people call an application that is made in another file.
_APP_NAME: Final = re.compile(
    r"(?:\w+\.)?(?:\w*app\w*|application|server|api|socketio|sio|dashboard|mcp|service|web)(?:\(\))?",
    re.IGNORECASE,
)
#: Fewer names where it is an attribute that is set: many objects have a `debug` of their own.
_WEB_NAME: Final = re.compile(
    r"(?:\w+\.)?(?:\w*app|application|flask\w*|socketio)(?:\(\))?", re.IGNORECASE
)
_LOCAL_SETTINGS: Final = re.compile(
    r"(?:^|[_/.-])(?:dev|develop|development|local|tests?|testing)(?:[_/.-]|$)"
)
_MAX_SHOWN: Final = 60
#: Functions that give a value from outside, with the place of what they give without one.
_DEFAULTS_AT: Final = {
    "os.getenv": 1,
    "os.environ.get": 1,
    "decouple.config": 1,
    "typer.Option": 0,
    "typer.Argument": 0,
}
_SHELL: Final = re.compile(
    r"(?:^|[\s\"'\[,=/])(?P<server>uvicorn|flask|gunicorn|hypercorn|daphne|waitress-serve|fastapi|"
    r"manage\.py|quart|sanic|granian)(?=[\s\"',])(?P<rest>.*)"
)
_SHELL_HOST: Final = re.compile(
    r"(?:--host|-h|--bind|-b|--listen|runserver)(?:[\s=\"',]+)(?P<host>0\.0\.0\.0|\[?::\]?(?=[:\s\"']|$))"
)
_SHELL_DEBUG: Final = re.compile(
    r"^\s*(?:export\s+|ENV\s+|set\s+)?(?:FLASK_DEBUG[=\s]+[\"']?(?:1|true|True|on)|"
    r"FLASK_ENV[=\s]+[\"']?development|DJANGO_DEBUG[=\s]+[\"']?(?:1|true|True))"
)


def check(module: Module) -> Iterator[Hit]:
    """Servers that are started here, and settings of the application."""
    if module.is_test or not speaks_of_jobs(module):
        return
    if _is_django_settings(module):
        yield from _django(module)
        return
    for call in module.calls:
        yield from _started(module, call)
    if is_service(module) or module.imports_any("dash", "flask_socketio"):
        yield from _switched_on(module)
        yield from _default_address(module)


# -- calls ---------------------------------------------------------------------------------------


def _started(module: Module, call: Call) -> Iterator[Hit]:
    """Calls that serve, or that make an application."""
    if _serves(module, call):
        host = _host(module, call)
        debug = _is_on(module, call, "debug", "use_debugger")
        if host or debug:
            yield _hit(call.node, host=host, debug=debug)
    elif call.name in _APPS:
        host, debug = _host(module, call), _is_on(module, call, "debug")
        if host or debug:
            yield _hit(call.node, host=host, debug=debug)
    elif call.method == "launch" and module.imports_any("gradio"):
        host = _host(module, call)
        if host or _is_on(module, call, "share"):
            yield _shared(call, host)


def _serves(module: Module, call: Call) -> bool:
    if call.name in _SERVERS:
        return True
    if call.method not in _RUNNERS or not isinstance(call.node.func, ast.Attribute):
        return False
    if call.method == "launch":
        return False
    owner = call.name.rpartition(".")[0]
    if owner in _APPS or owner.startswith(("flask.", "uvicorn", "dash.")):
        return True
    kind = call.receiver.type if call.receiver is not None else ""
    if (kind and ":" not in kind and kind not in _APPS) or owner.startswith(QUANTUM_PACKAGES):
        return False
    receiver = ast.unparse(call.node.func.value)
    if _WEB_NAME.fullmatch(receiver):
        return True
    return is_service(module) and _APP_NAME.fullmatch(receiver) is not None


def _host(module: Module, call: Call) -> str:
    """The address of every interface, where the call is given that, "" for any other."""
    nodes = [call.argument_node(None, "host", "server_name", "address", "listen", "hostname")]
    if call.method in ("run_simple", "make_server") or call.name == "flask.Flask.run":
        nodes.append(call.argument_node(0))
    if call.method.endswith(("HTTPServer", "TCPServer", "WSGIServer", "listen")):
        nodes.append(_first_of(call.argument_node(0, "server_address", "listener")))
    for node in nodes:
        if node is None:
            continue
        text = _default_text(module, node)
        if text is not None and (
            text.startswith(_EVERYWHERE) or (text == "" and "Server" in call.method)
        ):
            return text or "''"
    return ""


def _first_of(node: ast.expr | None) -> ast.expr | None:
    return node.elts[0] if isinstance(node, ast.Tuple) and node.elts else None


def _default_text(module: Module, node: ast.expr, depth: int = 3) -> str | None:
    """A text, or what it is when nobody sets it: `os.environ.get("HOST", "0.0.0.0")`."""
    literal = default_of(module, node)
    if isinstance(literal, str):
        return literal
    if isinstance(node, ast.Call):
        name = module.name_of(node.func)
        place = _DEFAULTS_AT.get(name)
        if place is not None and len(node.args) > place and depth:
            return _default_text(module, node.args[place], depth - 1)
        return None
    if isinstance(node, ast.BoolOp):
        return _default_text(module, node.values[-1], depth - 1) if depth else None
    if isinstance(node, ast.Name) and depth:
        function = module.function_of(node)
        given = defaults(function.node).get(node.id) if function is not None else None
        made = given or assigned(module, node)
        return _default_text(module, made, depth - 1) if made is not None else None
    return None


def _is_on(module: Module, call: Call, *names: str) -> bool:
    for name in names:
        node = call.argument_node(None, name)
        if node is not None and default_of(module, node) in (True, 1):
            return True
    return False


def _hit(node: ast.Call | ast.Assign, *, host: str = "", debug: bool = True) -> Hit:
    said = []
    if host:
        said.append(f"listens on every address (`{host}`)")
    if debug:
        said.append("has the debugger on")
    remedy = None
    if debug and not host:
        remedy = "Leave debug off; switch it on from the environment, on your own machine alone."
    return Hit(
        where=node,
        message=f"`{_written(node)}`: the service {' and '.join(said)}.",
        severity="high" if host and debug else None,
        confidence="high" if debug or host in _EVERYWHERE else None,
        remedy=remedy,
    )


def _written(node: ast.Call | ast.Assign) -> str:
    text = f"{ast.unparse(node.func)}()" if isinstance(node, ast.Call) else ast.unparse(node)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def _shared(call: Call, host: str) -> Hit:
    how = f"on every address (`{host}`)" if host else "under a public address (`share=True`)"
    return Hit(where=call.node, message=f"`launch()` offers the interface {how}.")


# -- settings ------------------------------------------------------------------------------------


def _switched_on(module: Module) -> Iterator[Hit]:
    """`app.debug = True`, `app.config["DEBUG"] = True`, `app.config.update(DEBUG=True)`."""
    for node in module.nodes(ast.Assign):
        if not isinstance(node, ast.Assign) or module.value(node.value).literal is not True:
            continue
        if _is_debug_switch(module, node.targets[0]):
            yield _hit(node)
    for call in module.method_calls("update", "from_mapping"):
        receiver = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        is_config = isinstance(receiver, ast.Attribute) and receiver.attr == "config"
        if is_config and _is_on(module, call, "DEBUG"):
            yield _hit(call.node)


def _is_debug_switch(module: Module, target: ast.expr) -> bool:
    if isinstance(target, ast.Attribute) and target.attr == "debug":
        kind = module.value(target.value).type
        return kind in _APPS or (not kind and bool(_WEB_NAME.fullmatch(ast.unparse(target.value))))
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return target.slice.value == "DEBUG" and ast.unparse(target.value).endswith(".config")
    return False


def _default_address(module: Module) -> Iterator[Hit]:
    """`parser.add_argument("--host", default="0.0.0.0")`."""
    for call in module.method_calls("add_argument", "option", "Option"):
        names = [value.literal for value in call.args]
        default = call.argument(None, "default")
        named = any(
            isinstance(name, str) and name.lstrip("-") in ("host", "bind") for name in names
        )
        if named and default is not None and default.literal in _EVERYWHERE:
            yield Hit(
                where=call.node,
                message=f"The service listens on every address (`{default.literal}`) unless "
                "`--host` is given.",
            )


def _is_django_settings(module: Module) -> bool:
    path = PurePosixPath(module.path)
    named = path.name.startswith("settings") or path.parent.name == "settings"
    if named and module.imports_any("django"):
        return True
    return any(
        isinstance(target, ast.Name) and target.id in ("INSTALLED_APPS", "ROOT_URLCONF")
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


def _django(module: Module) -> Iterator[Hit]:
    if _LOCAL_SETTINGS.search(module.path.lower().removesuffix(".py")):
        return
    for node in module.tree.body:
        if not isinstance(node, ast.Assign) or module.value(node.value).literal is not True:
            continue
        if any(isinstance(target, ast.Name) and target.id == "DEBUG" for target in node.targets):
            yield Hit(
                where=node,
                message="`DEBUG = True` shows settings and source code in every error page.",
                confidence="high",
                remedy='Read it from the environment: DEBUG = os.environ.get("DEBUG") == "1".',
            )


# -- scripts and containers ----------------------------------------------------------------------


def check_document(document: Document) -> Iterator[Hit]:
    """Commands that start a server in shell scripts, Procfiles and Dockerfiles."""
    if document.kind not in ("shell", "dockerfile"):
        return
    for number, line in enumerate(document.lines, 1):
        if line.lstrip().startswith("#"):
            continue
        found = _in_line(line)
        if found is not None:
            message, severity, confidence = found
            if document.kind == "dockerfile":
                # A container has an address of its own; who reaches it is decided outside.
                severity, confidence = "low", "low"
            column = len(line) - len(line.lstrip()) + 1
            yield Hit(
                where=(number, column, number, len(line) + 1),
                message=message,
                severity=severity,
                confidence=confidence,
            )


def _in_line(line: str) -> tuple[str, Severity, Confidence] | None:
    if _SHELL_DEBUG.match(line):
        return f"`{line.strip()[:60]}` switches the debugger on.", "medium", "medium"
    server = _SHELL.search(line)
    if server is None:
        return None
    name, rest = server["server"], server["rest"]
    if name in ("flask", "quart") and re.search(r"[\s\"']--debug\b", rest):
        return f"`{name}` starts the service with the debugger on.", "medium", "high"
    host = _SHELL_HOST.search(rest)
    if host is not None:
        return (
            f"`{name}` makes the service listen on every address (`{host['host']}`).",
            "medium",
            "medium",
        )
    return None


_BAD = (
    Example(
        name="Flask on every address",
        file="server.py",
        code="""
from flask import Flask, jsonify, request
from api import run_qasm

app = Flask(__name__)


@app.route("/run", methods=["POST"])
def run():
    return jsonify(run_qasm(request.json["qasm"]))


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8001)  # <- here
""",
    ),
    Example(
        name="The debugger, in four ways",
        file="webapp.py",
        code="""
from flask import Flask
from flask_socketio import SocketIO
import pennylane as qml

DEBUG = True
app = Flask(__name__)
app.debug = True  # <- here
app.config["DEBUG"] = True  # <- here
app.config.update(DEBUG=True, SECRET_KEY="")  # <- here
socketio = SocketIO(app)


def main():
    socketio.run(app, debug=DEBUG)  # <- here


if __name__ == "__main__":
    app.run(  # <- here
        port=5000,
        debug=True,
    )
""",
    ),
    Example(
        name="uvicorn: constant, default of a parameter, of the environment, of an option",
        file="serve.py",
        code="""
import argparse
import os

import uvicorn
from fastapi import FastAPI
from qiskit_aer import AerSimulator

app = FastAPI(debug=True)  # <- here
HOST = "0.0.0.0"
BIND = os.getenv("BIND", "0.0.0.0")


def start(host="0.0.0.0", port=8000):
    uvicorn.run(app, host=host, port=port)  # <- here


def start_constant():
    uvicorn.run("serve:app", host=HOST, port=8000, reload=True)  # <- here


def start_environment():
    uvicorn.run(app, host=BIND)  # <- here


def start_option():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", type=str, default="0.0.0.0")  # <- here
    uvicorn.run(app, host=parser.parse_args().host)
""",
    ),
    Example(
        name="Gradio, the standard library, an application of another file",
        file="demo.py",
        code="""
from http.server import BaseHTTPRequestHandler, HTTPServer

import gradio as gr
import qiskit
from service import create_app


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.wfile.write(qiskit.__version__.encode())


demo = gr.Interface(fn=print, inputs="text", outputs="text")
demo.launch(share=True)  # <- here
demo.launch(server_name="0.0.0.0", server_port=7860)  # <- here
server = HTTPServer(("", 8000), Handler)  # <- here
create_app().run(host="0.0.0.0")  # <- here
""",
    ),
    Example(
        name="A start file that imports the application",
        file="runserver.py",
        code="""
from quantum import create_app
from quantum.web import app as other

app = create_app()

if __name__ == "__main__":
    if app.debug:
        app.run(debug=True)  # <- here
    else:
        app.run(host="0.0.0.0")  # <- here
    other.app.run(host="::", port=80)  # <- here
""",
    ),
    Example(
        name="Settings of Django",
        file="qweb/settings.py",
        code="""
INSTALLED_APPS = ["django.contrib.admin", "quantum_jobs"]
DEBUG = True  # <- here
""",
    ),
    Example(
        name="A start script",
        file="start.sh",
        code="""
#!/bin/sh
# flask run --host=0.0.0.0
export FLASK_DEBUG=1
pip install qiskit
flask run --host=0.0.0.0
exec uvicorn main:app --host 127.0.0.1 --port 8000
gunicorn -w 4 -b 0.0.0.0:8000 main:app
""",
        lines=(3, 5, 7),
    ),
    Example(
        name="A container: low",
        file="Dockerfile",
        code="""
FROM python:3.12-slim
RUN pip install qiskit fastapi uvicorn
EXPOSE 8000
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]
""",
        lines=(4,),
    ),
)

_GOOD = (
    Example(
        name="Loopback, the debugger off",
        file="server.py",
        code="""
from flask import Flask
from api import run_qasm

app = Flask(__name__)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=5000, debug=False)
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Read from the environment, off and local without it",
        file="serve.py",
        code="""
import os

import uvicorn
from fastapi import FastAPI
from flask import Flask
import pennylane as qml

api = FastAPI()
app = Flask(__name__)
app.debug = os.environ.get("DEBUG") == "1"

if __name__ == "__main__":
    host = os.environ.get("QSIM_HOST", "127.0.0.1")
    uvicorn.run(api, host=host, port=8000, reload=False)
    app.run(debug=os.environ.get("FLASK_DEBUG", "0") == "1")
    app.run()
    app.run(host="localhost", debug=bool(os.getenv("DEBUG")))
""",
    ),
    Example(
        name="Other things that have a debug or a run",
        file="train.py",
        code="""
import logging

import pennylane as qml
from flask import Flask
from qiskit_aer import AerSimulator
from runner import Experiment, trainer

app = Flask(__name__)
logging.basicConfig(level=logging.DEBUG)
simulator = AerSimulator()
simulator.run([], shots=10, debug=True)
qml.draw(lambda: None)
trainer.run(debug=True)
experiment = Experiment(debug=True, host="0.0.0.0")
experiment.debug = True
print("open http://0.0.0.0:8000")
""",
    ),
    Example(
        name="Settings for development and tests",
        file="qweb/settings/dev.py",
        code="""
INSTALLED_APPS = ["django.contrib.admin", "quantum_jobs"]
DEBUG = True
""",
    ),
    Example(
        name="Settings from the environment",
        file="qweb/settings.py",
        code="""
import os

INSTALLED_APPS = ["django.contrib.admin", "quantum_jobs"]
DEBUG = os.environ.get("DJANGO_DEBUG", "") == "1"
ALLOWED_HOSTS = ["jobs.example.org"]
""",
    ),
    Example(
        name="A test server",
        file="tests/test_server.py",
        code="""
from flask import Flask
import qiskit

app = Flask(__name__)
app.run(host="0.0.0.0", debug=True)
""",
    ),
    Example(
        name="Requests to such an address",
        file="client.py",
        code="""
import requests
import qiskit

HOST = "0.0.0.0"
print(requests.post(f"http://{HOST}:8000/run", json={"qasm": ""}, timeout=5))
""",
    ),
)

RULE = Rule(
    id="QSA802",
    title="Job service on every address, or with the debugger on",
    severity="medium",
    confidence="medium",
    cwe=(489, 605),
    frameworks=("services",),
    why="""Services for quantum circuits are often written to be tried on one machine, and then left
running. With `host="0.0.0.0"` everybody in the same network can submit circuits, which cost
memory, queue positions and provider credit. With `debug=True` Werkzeug's debugger
answers an error with a traceback that shows source code, and with a console that runs Python in the
process that holds the provider's token, behind no more than a PIN; an unknown gate or malformed
OpenQASM is enough to cause that error. Gradio's `share=True` gives the interface a public address.

The default should be the loopback address; a deployment can choose another one. A container has an
address of its own, so a command in a Dockerfile is reported as low.""",
    remedy='Bind to "127.0.0.1" by default, and let the deployment set another address.',
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-489 <https://cwe.mitre.org/data/definitions/489.html>",
        "Flask: the debugger <https://flask.palletsprojects.com/en/stable/debugging/>",
        "Werkzeug: debugging applications <https://werkzeug.palletsprojects.com/en/stable/debug/>",
        "Django: DEBUG <https://docs.djangoproject.com/en/stable/ref/settings/#debug>",
    ),
    check=check,
    check_document=check_document,
    keywords=("0.0.0", "debug", "DEBUG", "share", "::", "Server"),
)
