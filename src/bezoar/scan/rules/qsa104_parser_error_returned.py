"""QSA104: the text of a parser's error is sent to the client."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.frameworks import is_quantum, is_service
from bezoar.scan.rules.openqasm import is_parser

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: Calls that make an answer, or end the request with one; by the last component of their name.
_ANSWERS = frozenset(
    (
        *("HTTPException", "jsonify", "make_response", "Response", "abort", "JSONResponse"),
        *("PlainTextResponse", "HTMLResponse", "ORJSONResponse", "JsonResponse", "HttpResponse"),
        *("HttpResponseBadRequest", "HttpResponseServerError", "json_response", "HTTPBadRequest"),
        *("HTTPInternalServerError", "BadRequest", "InternalServerError", "UnprocessableEntity"),
        *("APIException", "SanicException", "HTTPError", "render_template", "render", "flash"),
    )
)
_ANSWERING_PACKAGES = (
    *("fastapi.", "starlette.", "flask.", "flask_restful.", "flask_restx.", "flask_smorest."),
    *("django.", "rest_framework.", "aiohttp.web", "werkzeug.", "quart.", "sanic.", "tornado."),
    *("bottle.", "litestar.", "falcon.", "azure.functions.", "?."),
)
#: Methods that send something to a client.
_SENDING = frozenset({"send_json", "send_text", "set_details", "send_error", "emit", "write_error"})
_TRACEBACKS = frozenset({"traceback.format_exc", "traceback.format_exception", "sys.exc_info"})
#: Keys under which the text of an error lies.
_ERROR_KEY = re.compile(r"err|mess|msg|detail|reason|trace|exc|text|info|output|warn|status|body")
#: Words of calls and messages that have to do with circuits.
_ABOUT_CIRCUITS = re.compile(
    r"qasm|qpy|circuit|qubit|quantum|qnode|transpil|simulat|pauli|hamiltonian|ansatz|parse_gate|"
    r"build_gate|gates?\b",
    re.IGNORECASE,
)
_BROAD = frozenset({"Exception", "BaseException", ""})
#: Errors whose text the program writes itself, or that say no more than the request did.
_OWN = frozenset(
    (
        *("HTTPException", "ValidationError", "RequestValidationError", "JSONDecodeError"),
        *("KeyError", "TimeoutError", "NotFoundError", "PermissionError", "WebSocketDisconnect"),
    )
)


def check(module: Module) -> Iterator[Hit]:
    """Answers with the text of a caught exception, where circuits are parsed or built."""
    if module.is_test or not is_service(module):
        return
    reported: set[ast.AST] = set()
    for call in module.calls:
        if not _is_answer(call) or not _carries_error(module, call.node):
            continue
        if any(outer in reported for outer in module.ancestors(call.node)):
            continue
        confidence = _confidence(module, call.node)
        if confidence is not None:
            reported.add(call.node)
            yield _hit(module, call.node, call.method, confidence)
    if any(function.is_route for function in module.functions):
        for function in module.functions:
            yield from _returned(module, function, reported)


def _returned(module: Module, function: Function, reported: set[ast.AST]) -> Iterator[Hit]:
    """`return {"error": str(e)}` of a handler, or of a function beside handlers."""
    if any(name.endswith(".tool") for name in function.decorators):
        return
    for node, _ in function.returns:
        statement = module.parent(node)
        if not isinstance(statement, ast.Return) or not _carries_error(module, node):
            continue
        if any(inner in reported for inner in ast.walk(statement)):
            continue
        if not function.is_route and not isinstance(node, ast.Dict | ast.Tuple):
            continue
        confidence = _confidence(module, statement)
        if confidence is not None:
            yield _hit(module, statement, "return", confidence)


def _is_answer(call: Call) -> bool:
    if call.method in _SENDING:
        return True
    if call.method == "write" and call.name.endswith("RequestHandler.write"):
        return True
    if call.method not in _ANSWERS:
        return False
    return not call.name or ":" in call.name or call.name.startswith(_ANSWERING_PACKAGES)


def _carries_error(module: Module, node: ast.AST) -> bool:
    """Whether the text of a caught exception is part of what is sent."""
    caught = _caught(module, node) | _registered(module, node).keys()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            text = inner.id in caught or (
                module.value(inner).comes_from("error") and not _takes_other_key(module, inner)
            )
            if text and not _is_type(module, inner):
                return True
        elif isinstance(inner, ast.Call):
            call = module.call(inner)
            if call is not None and (call.name in _TRACEBACKS or _answers_error(module, call)):
                return True
    return False


def _takes_other_key(module: Module, node: ast.Name) -> bool:
    """`result["counts"]` of a result that holds a text under "error" as well."""
    parent = module.parent(node)
    if not isinstance(parent, ast.Subscript) or parent.value is not node:
        return False
    key = module.value(parent.slice).literal
    return isinstance(key, str) and not _ERROR_KEY.search(key)


def _answers_error(module: Module, call: Call) -> bool:
    """Whether a function of another file gives the text of an error that it caught."""
    path, colon, _ = call.name.partition(":")
    return bool(colon) and path != module.path and call.result.comes_from("error")


def _is_type(module: Module, node: ast.Name) -> bool:
    """`type(e).__name__`, `e.status_code` and `isinstance(e, X)` say nothing of the text."""
    parent = module.parent(node)
    if isinstance(parent, ast.Call) and parent.func is not node:
        return module.name_of(parent.func) in ("type", "isinstance", "hash", "id")
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("__class__", "status_code", "code", "lineno", "line", "errno")
    return isinstance(parent, ast.Raise)


def _handlers(module: Module, node: ast.AST) -> Iterator[tuple[ast.ExceptHandler, ast.Try]]:
    for outer in module.ancestors(node):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(outer, ast.ExceptHandler):
            around = module.parent(outer)
            if isinstance(around, ast.Try):
                yield outer, around


def _caught(module: Module, node: ast.AST) -> set[str]:
    return {handler.name for handler, _ in _handlers(module, node) if handler.name}


def _registered(module: Module, node: ast.AST) -> dict[str, str]:
    """The error that the function around is given, by name, where it is registered for one:
    `@app.exception_handler(QASM2ParseError)`, `@app.errorhandler(Exception)`."""
    function = module.function_of(node)
    for decorator in function.node.decorator_list if function is not None else ():
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr in ("exception_handler", "errorhandler")
            and decorator.args
            and not isinstance(decorator.args[0], ast.Constant)
            and function is not None
            and function.params
        ):
            return {function.params[-1]: ast.unparse(decorator.args[0])}
    return {}


def _confidence(module: Module, node: ast.AST) -> Confidence | None:
    """How sure it is that a parser's words are sent, None where they are not."""
    around = list(_handlers(module, node))
    if around and _types(around[0][0]) <= _OWN:
        return None
    for kind in _registered(module, node).values() if not around else ():
        if kind.rpartition(".")[2] in _OWN:
            return None
        if _ABOUT_CIRCUITS.search(kind):
            return "high"
    calls = [
        module.call(each)
        for _, attempt in around[:1]
        for statement in attempt.body
        for each in ast.walk(statement)
        if isinstance(each, ast.Call)
    ]
    known = [call for call in calls if call is not None]
    if any(is_parser(call) for call in known):
        return "high"
    said = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    words = [*(str(text) for text in said), *(call.name for call in known)]
    words += [ast.unparse(call.node.func) for call in known]
    words += [ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)]
    if any(_ABOUT_CIRCUITS.search(word) for word in words):
        return "medium"
    broad = not around or _types(around[0][0]) <= _BROAD
    return "low" if broad and is_quantum(module) else None


def _types(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {""}
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(each).rpartition(".")[2] for each in nodes}


def _hit(module: Module, node: ast.AST, through: str, confidence: Confidence) -> Hit:
    handlers = list(_handlers(module, node))
    name = handlers[0][0].name if handlers and handlers[0][0].name else "the exception"
    shown = f"`{name}`" if name != "the exception" else name
    steps = ()
    if handlers:
        steps = (
            module.step(handlers[0][0], f"{name} is caught"),
            module.step(node, f"its text is sent by {through}"),
        )
    return Hit(
        where=node,
        message=f"The text of {shown} goes to the client by `{through}`.",
        confidence=confidence,
        flow=steps,
    )


_BAD = (
    Example(
        name="HTTPException with the words of the parser",
        file="server.py",
        code="""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2

app = FastAPI()


class Task(BaseModel):
    qasm: str = Field(max_length=20_000)


@app.post("/run")
def run(task: Task):
    try:
        circuit = qasm2.loads(task.qasm, include_path=())
    except qasm2.QASM2ParseError as error:
        raise HTTPException(status_code=400, detail=f"Invalid QASM: {error}") from error  # <- here
    return {"qubits": circuit.num_qubits}
""",
    ),
    Example(
        name="jsonify with str(e), for all errors at once",
        file="api.py",
        code="""
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

app = Flask(__name__)


@app.route("/run-circuit", methods=["POST"])
def run_circuit():
    try:
        circuit = QuantumCircuit.from_qasm_str(request.json["qasm"])
        simulator = AerSimulator()
        counts = simulator.run(transpile(circuit, simulator)).result().get_counts()
        return jsonify({"success": True, "counts": counts})
    except Exception as e:
        return jsonify({"success": False, "error": str(e)}), 400  # <- here
""",
    ),
    Example(
        name="A helper that parses and raises, and a plain dictionary",
        file="visualiser.py",
        code="""
from fastapi import FastAPI, HTTPException
from qiskit import QuantumCircuit
from simulation import simulate

app = FastAPI()


def parse(qasm_str: str) -> QuantumCircuit:
    try:
        return QuantumCircuit.from_qasm_str(qasm_str.strip())
    except Exception as exc:
        raise HTTPException(  # <- here
            status_code=400,
            detail="Error parsing circuit: " + str(exc),
        )


@app.post("/simulate")
async def run(body: dict):
    try:
        return simulate(parse(body["qasm"]))
    except HTTPException:
        raise
    except Exception as exc:
        return {"error": f"Simulation failed: {exc}"}  # <- here
""",
    ),
    Example(
        name="The arguments of the exception, and the whole traceback",
        file="resources.py",
        code="""
import traceback
from flask import request
from flask_restful import Resource
import pennylane as qml


class Draw(Resource):
    def post(self):
        try:
            return {"text": qml.draw(qml.from_qasm(request.get_data().decode()))()}
        except Exception as e:
            return e.args[0], 400  # <- here

    def put(self):
        try:
            return {"text": str(qml.from_qasm(request.get_data().decode()))}
        except Exception:
            return {"error": traceback.format_exc()}, 500  # <- here
""",
    ),
    Example(
        name="The service layer parses in another file",
        file="routes.py",
        code="""
from fastapi import APIRouter, HTTPException
from .engine import from_qasm

router = APIRouter(prefix="/circuits")


@router.post("/import")
def import_qasm(body: dict):
    try:
        return {"circuit": from_qasm(body["qasm"])}
    except Exception as exc:
        message = f"could not import: {exc}"
        raise HTTPException(status_code=400, detail=message)  # <- here
""",
    ),
    Example(
        name="A runner in another file catches, the handler sends what it gives",
        file="main.py",
        code="""
from fastapi import FastAPI
from runner import run_circuit

app = FastAPI()


@app.post("/execute")
def execute(body: dict):
    return run_circuit(body["qasm"])  # <- here
# file: runner.py
from qiskit import QuantumCircuit


def run_circuit(qasm):
    try:
        circuit = QuantumCircuit.from_qasm_str(qasm)
    except Exception as e:
        return {"success": False, "error": str(e)}
    return {"success": True, "depth": circuit.depth()}
""",
    ),
    Example(
        name="A websocket and Django",
        file="live.py",
        code="""
from django.http import JsonResponse
from fastapi import FastAPI, WebSocket
from cirq.contrib.qasm_import import circuit_from_qasm

app = FastAPI()


@app.websocket("/live")
async def live(websocket: WebSocket):
    await websocket.accept()
    text = await websocket.receive_text()
    try:
        circuit = circuit_from_qasm(text)
    except Exception as e:
        await websocket.send_json({"type": "error", "message": repr(e)})  # <- here
        return
    await websocket.send_json({"type": "ok", "depth": len(circuit)})


def depth(request):
    try:
        circuit = circuit_from_qasm(request.body.decode())
    except Exception as error:
        return JsonResponse({"error": str(error)}, status=400)  # <- here
    return JsonResponse({"depth": len(circuit)})
""",
    ),
    Example(
        name="A handler of errors for the whole service",
        file="handlers.py",
        code="""
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from qiskit import qasm2

app = FastAPI()


@app.exception_handler(qasm2.QASM2ParseError)
async def on_parse_error(request: Request, error: qasm2.QASM2ParseError):
    return JSONResponse(status_code=400, content={"detail": str(error)})  # <- here


@app.exception_handler(HTTPException)
async def on_http_error(request: Request, error: HTTPException):
    return JSONResponse(status_code=error.status_code, content={"detail": str(error.detail)})


@app.post("/depth")
async def depth(request: Request):
    return {"depth": qasm2.loads((await request.body()).decode(), include_path=()).depth()}
""",
    ),
)

_GOOD = (
    Example(
        name="A constant message and the number of a log line",
        file="server.py",
        code="""
import logging
import uuid
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2

app = FastAPI()
log = logging.getLogger(__name__)


class Task(BaseModel):
    qasm: str = Field(max_length=20_000)


@app.post("/run")
def run(task: Task):
    try:
        circuit = qasm2.loads(task.qasm, include_path=())
    except qasm2.QASM2ParseError as error:
        number = uuid.uuid4().hex
        log.warning("parse error %s: %s", number, error)
        raise HTTPException(400, f"not a valid OpenQASM 2 program (log {number})") from error
    return {"qubits": circuit.num_qubits}
""",
    ),
    Example(
        name="Only the class of the error",
        file="api.py",
        code="""
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit

app = Flask(__name__)


@app.post("/depth")
def depth():
    try:
        circuit = QuantumCircuit.from_qasm_str(request.json["qasm"])
    except Exception as e:
        return jsonify(error="the circuit could not be read", kind=type(e).__name__), 400
    return jsonify(depth=circuit.depth())
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="the counts of a result that may hold an error as well",
        file="app.py",
        code="""\
from flask import Flask, jsonify, request

from engine import simulate_circuit

app = Flask(__name__)


@app.post("/simulate")
def run():
    circuit_data = request.get_json()
    if not circuit_data:
        return jsonify({"error": "no circuit"}), 400
    outcome = simulate_circuit(circuit_data)
    return jsonify({
        "counts": outcome["counts"],
        "seconds": outcome["seconds"],
        "qubits": circuit_data["qubits"],
    })


@app.post("/again")
def again():
    try:
        outcome = simulate_circuit(request.json)
        return jsonify({"counts": outcome["counts"], "circuit": outcome["seconds"]})
    except Exception:
        return jsonify({"error": "the circuit cannot be simulated"}), 500
# file: engine.py
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator


def simulate_circuit(data):
    try:
        circuit = build_circuit(data["gates"])
        counts = AerSimulator().run(circuit).result().get_counts()
        return {"counts": dict(counts), "seconds": 1}
    except Exception as error:
        return {"counts": {}, "seconds": 0, "error": str(error)}
""",
    ),
    Example(
        name="A command-line tool",
        file="tool.py",
        code="""
import sys
from qiskit import QuantumCircuit


def main():
    try:
        circuit = QuantumCircuit.from_qasm_file(sys.argv[1])
    except Exception as e:
        print(f"Error parsing QASM: {e}")
        sys.exit(f"invalid QASM: {e}")
    print(circuit)


if __name__ == "__main__":
    main()
""",
    ),
    Example(
        name="A library that raises its own error or answers with a dictionary",
        file="qlib/parsing.py",
        code="""
from qiskit import qasm3


def parsed(text):
    try:
        return qasm3.loads(text)
    except Exception as e:
        raise ValueError(f"Invalid QASM3 syntax: {e}") from e


def check(text):
    try:
        qasm3.loads(text)
    except Exception as e:
        return {"valid": False, "error": str(e)}
    return {"valid": True}
""",
    ),
    Example(
        name="Errors of the request itself",
        file="fields.py",
        code="""
from flask import Flask, jsonify, request
from pydantic import ValidationError
from qiskit import QuantumCircuit
from schemas import Job

app = Flask(__name__)


@app.post("/jobs")
def jobs():
    try:
        job = Job(**request.json)
    except ValidationError as e:
        return jsonify({"errors": e.errors()}), 422
    try:
        shots = request.json["shots"]
    except KeyError as e:
        return jsonify({"error": f"missing {e}"}), 400
    return jsonify({"qubits": QuantumCircuit(job.qubits).num_qubits, "shots": shots})
""",
    ),
    Example(
        name="The text goes to the log alone",
        file="logged.py",
        code="""
import logging
from fastapi import FastAPI, HTTPException
from qiskit import qasm2

app = FastAPI()
logger = logging.getLogger("jobs")


@app.post("/run")
def run(body: dict):
    try:
        circuit = qasm2.loads(body["qasm"][:20_000], include_path=())
    except Exception as e:
        logger.error(f"Circuit error: {str(e)}")
        raise HTTPException(status_code=400, detail="Invalid circuit") from e
    return {"depth": circuit.depth()}
""",
    ),
    Example(
        name="A service that has nothing to do with circuits",
        file="mail.py",
        code="""
from flask import Flask, jsonify, request
from mailer import send

app = Flask(__name__)


@app.post("/mail")
def mail():
    try:
        send(request.json["to"])
    except Exception as e:
        return jsonify({"error": str(e)}), 500
    return jsonify({"ok": True})
""",
    ),
    Example(
        name="A notebook that shows what went wrong",
        file="lab.ipynb",
        code="""
# %%
import qiskit
def attempt(text):
    try:
        return qiskit.qasm2.loads(text)
    except Exception as e:
        return f"failed: {e}"
# %%
print(attempt("OPENQASM 2.0; qreg q[1]"))
""",
    ),
)

RULE = Rule(
    id="QSA104",
    title="Error text of a circuit parser is sent to the client",
    severity="medium",
    confidence="high",
    cwe=(209,),
    frameworks=("services",),
    why="""The words of a parser's error are more than a hint where the mistake is. With an OpenQASM
program that includes a local file, Qiskit's error names the file and quotes its first word:
`"token.txt:1,0: 'abc123' is not defined in this scope"`. A service that answers with `str(e)` thus
reads files out, one request each, and tells which files exist; other errors carry paths, versions
and names of backends. Log the text, and answer with a constant sentence and a number by which the
log line is found.""",
    remedy="Answer with a constant message and a log number; write the error's text to the log.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-209 <https://cwe.mitre.org/data/definitions/209.html>",
        "OWASP: improper error handling <https://owasp.org/www-community/Improper_Error_Handling>",
    ),
    check=check,
)
