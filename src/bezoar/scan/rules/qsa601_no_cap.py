"""QSA601: a client decides how many shots, qubits or gates a job has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.contracts.records import Confidence
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.circuit_sizes import (
    has_upper_bound,
    is_size_name,
    is_unbounded,
    size_name,
    sizes_given,
    sizes_of_loops,
)
from bezoar.scan.rules.openqasm import PARSERS
from bezoar.scan.rules.services import Route, routes, speaks_of_quantum

if TYPE_CHECKING:
    from bezoar.scan.code.declarations import ClassDeclaration
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

#: What runs a circuit, or computes its whole state.
_RUNNERS: Final = frozenset(
    {
        "qiskit.execute",
        "qiskit.quantum_info.Statevector",
        "qiskit.quantum_info.Statevector.from_instruction",
        "qiskit.quantum_info.DensityMatrix",
        "qiskit.quantum_info.Operator",
        "qiskit.assemble",
    }
)
_RUN_METHODS: Final = frozenset(
    {"run", "simulate", "sample", "execute", "run_circuit", "run_batch"}
)
#: Attributes and methods of a circuit that a cap compares.
_MEASURES: Final = frozenset(
    "num_qubits size depth width count_ops num_nonlocal_gates qubit_count n_qubits num_wires "
    "all_qubits all_operations qubits instructions data gates operations n_gates num_gates".split()
)
#: What a message says of a number, and what it costs.
_COSTS: Final = {
    "shots": "decides the number of shots",
    "qubits": "decides the number of qubits",
    "depth": "decides how many gates there are",
}


def check(module: Module) -> Iterator[Hit]:
    """Numbers of a client that reach a circuit or a backend, circuits of a client, models."""
    if module.is_test or module.imports_any("streamlit") or not speaks_of_quantum(module):
        return
    told: set[tuple[object, str]] = set()
    names: set[str] = set()
    for kind, node, where in _uses(module):
        value = module.value(node)
        key = (module.function_of(where), ast.unparse(node))
        if key in told or not is_unbounded(module, node, value):
            continue
        told.add(key)
        names.add(size_name(node))
        yield _hit(module, kind, node, where, value)
    yield from _circuits(module)
    yield from _fields(module, names)


def _uses(module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    for call in module.calls:
        for kind, node in sizes_given(call):
            yield kind, _counted(node), call.node
    yield from sizes_of_loops(module)


def _counted(node: ast.expr) -> ast.expr:
    """The number in `range(n)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return node.args[-1] if node.args else node
    return node


def _hit(module: Module, kind: str, node: ast.expr, where: ast.AST, value: Value) -> Hit:
    shown = ast.unparse(node)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Hit(
        where=where,
        message=f"`{shown}` from the request {_COSTS[kind]}, and nothing bounds it from above.",
        flow=module.flow(value, ("request",), where, _COSTS[kind]),
        source=value,
    )


# -- circuits of a client --------------------------------------------------------------------------


def _circuits(module: Module) -> Iterator[Hit]:
    """OpenQASM of a request that is run, in a file that measures no circuit."""
    if _measures_circuits(module):
        return
    done: set[object] = set()
    for call in module.calls:
        circuit = _circuit_run(call)
        if circuit is None or call.function in done:
            continue
        if not circuit.comes_from("request") or circuit.marks & {"checked", "listed", "size"}:
            continue
        if any(name in PARSERS for name in (circuit.made_by, *circuit.through)):
            done.add(call.function)
            yield Hit(
                where=call.node,
                message=f"`{call.method}()` gets a circuit of the request whose qubits and gates "
                "nobody counted.",
                confidence="medium",
                flow=module.flow(circuit, ("request",), call.node, "is run"),
                source=circuit,
            )


def _circuit_run(call: Call) -> Value | None:
    if call.name in _RUNNERS or (call.method in _RUN_METHODS and ":" not in call.name):
        return call.argument(0, "circuits", "experiments", "circuit", "pubs", "program")
    return None


def _measures_circuits(module: Module) -> bool:
    """Whether a size of a circuit is compared anywhere: `circuit.num_qubits > MAX`."""
    for node in module.nodes(ast.Compare):
        if not isinstance(node, ast.Compare):
            continue
        if isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE) and any(
            isinstance(each, ast.Attribute) and each.attr in _MEASURES for each in ast.walk(node)
        ):
            return True
    return False


# -- models ----------------------------------------------------------------------------------------


def _fields(module: Module, told: set[str]) -> Iterator[Hit]:
    """Fields of a route's data model without a bound, whose use is not seen in this file.

    A default such as ``shots: int = 1024`` looks like a limit and is none.
    """
    served = list(routes(module))
    for declared in module.classes:
        if not declared.facts.is_model or not served:
            continue
        name = declared.node.name
        using = [route for route in served if _takes(module, route, name)]
        if not using or all(_passes_on(module, route) for route in using):
            continue
        for statement in declared.node.body:
            field = _open_field(declared, statement)
            if field and field not in told and not has_upper_bound(module, field):
                confidence: Confidence = "medium"
                yield Hit(
                    where=statement,
                    message=f"`{name}.{field}` has no upper bound"
                    f"{_default(statement)}, and a route takes it from the request.",
                    confidence=confidence,
                    remedy=f"Declare a bound: {field}: int = Field(1024, ge=1, le=8192).",
                )


def _open_field(declared: ClassDeclaration, statement: ast.stmt) -> str:
    """The name of a whole-number field for a size with no bound, "" for any other."""
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        return ""
    name = statement.target.id
    fact = declared.facts.fields.get(name)
    if fact is None or not is_size_name(name) or fact.marks & {"range", "listed", "checked"}:
        return ""
    words = {each.id for each in ast.walk(statement.annotation) if isinstance(each, ast.Name)}
    return name if "int" in words and not words & {"List", "list", "dict", "Dict"} else ""


def _default(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.AnnAssign) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return f" (`{value.value}` is its default)"
    return ""


def _takes(module: Module, route: Route, name: str) -> bool:
    """Whether a route is called with the model, or with one that holds it."""
    arguments = route.function.node.args
    annotations = [
        each.annotation
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if each.annotation is not None
    ]
    written = {
        each.id for one in annotations for each in ast.walk(one) if isinstance(each, ast.Name)
    }
    if name in written:
        return True
    return any(
        isinstance(each, ast.Name) and each.id == name
        for declared in module.classes
        if declared.node.name in written
        for statement in declared.node.body
        if isinstance(statement, ast.AnnAssign)
        for each in ast.walk(statement.annotation)
    )


def _passes_on(module: Module, route: Route) -> bool:
    """Whether a function of the project gets the request, and is looked at for itself."""
    params = set(route.function.params)
    for node in ast.walk(route.function.node):
        call = module.call(node)
        if call is None or ":" not in call.name:
            continue
        inner = (*call.node.args, *(keyword.value for keyword in call.node.keywords))
        if any(
            isinstance(each, ast.Name) and each.id in params
            for one in inner
            for each in ast.walk(one)
        ):
            return True
    return False


_BAD = (
    Example(
        name="a circuit that is copied gate by gate: its width counts once",
        file="app.py",
        code="""\
from flask import Flask, request
from qiskit import QuantumCircuit

app = Flask(__name__)


def built(body):
    n_qubits = body.get("qubits", 2)
    circuit = QuantumCircuit(n_qubits, n_qubits)  # <- here
    for gate in body["gates"]:
        circuit.h(gate["target"])
    return circuit


@app.post("/state")
def state():
    given = built(request.get_json())
    bare = QuantumCircuit(8)
    for step in given.data:
        bare.append(step.operation, step.qubits, step.clbits)
    return {"depth": bare.depth()}
""",
    ),
    Example(
        name="Qubits of a model whose default looks like a limit",
        file="api.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class CircuitRequest(BaseModel):
    qubits: int = 2
    depth: int = 1
    shots: int = 1024


@app.post("/run_circuit")
async def run_circuit(request: CircuitRequest):
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(request.qubits, request.qubits)  # <- here
    for layer in range(request.depth):  # <- here
        circuit.h(range(request.qubits))
    circuit.measure_all()
    job = AerSimulator().run(  # <- here
        circuit,
        shots=request.shots,
    )
    return job.result().get_counts()
""",
    ),
    Example(
        name="Flask: form, JSON with a default, a lower bound alone",
        file="server.py",
        code="""
from flask import Flask, abort, jsonify, request
from qiskit import Aer, QuantumCircuit, execute
import pennylane as qml

app = Flask(__name__)


@app.route("/bell", methods=["POST"])
def bell():
    shots = 1024
    if request.form.get("shots"):
        shots = int(request.form.get("shots"))
    circuit = QuantumCircuit(2)
    job = execute(circuit, Aer.get_backend("qasm_simulator"), shots=shots)  # <- here
    return jsonify(job.result().get_counts())


@app.route("/vqc", methods=["POST"])
def vqc():
    data = request.get_json()
    n_qubits = data.get("n_qubits", 4)
    if n_qubits < 1:
        abort(400)
    dev = qml.device("default.qubit", wires=n_qubits)  # <- here
    return jsonify(str(dev))


@app.route("/ghz/<int:n>")
def ghz(n):
    circuit = QuantumCircuit(n)  # <- here
    return jsonify(circuit.depth())
""",
    ),
    Example(
        name="Through a class of another file, down to 2**n",
        file="routes.py",
        code="""
from fastapi import APIRouter
from pydantic import BaseModel
from simulator import Simulator

router = APIRouter(prefix="/quantum")


class Job(BaseModel):
    num_qubits: int
    shots: int = 100


@router.post("/simulate")
def simulate(job: Job):
    simulator = Simulator(job.num_qubits)
    return simulator.sample(job.shots)
# file: simulator.py
import numpy as np
from qiskit_aer import AerSimulator
from qiskit import QuantumCircuit


class Simulator:
    def __init__(self, num_qubits):
        self.state = np.zeros(2 ** num_qubits, dtype=complex)  # <- here

    def sample(self, shots):
        return AerSimulator().run(QuantumCircuit(1), shots=shots).result()  # <- here
""",
    ),
    Example(
        name="OpenQASM that is run as it comes",
        file="qasm_api.py",
        code="""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2, transpile
from qiskit_aer import AerSimulator

app = FastAPI()


class Program(BaseModel):
    qasm: str = Field(max_length=10_000)
    shots: int = Field(1024, ge=1, le=10_000)


@app.post("/run")
def run(program: Program):
    circuit = qasm2.loads(program.qasm, include_path=())
    simulator = AerSimulator()
    job = simulator.run(transpile(circuit, simulator), shots=program.shots)  # <- here
    return job.result().get_counts()
""",
    ),
    Example(
        name="A service of another package, keywords and a model that is handed over",
        file="gateway.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel, Field
from quantum_backend import queue, run_vqe, service

app = FastAPI()


class VqeRequest(BaseModel):
    n_qubits: int = Field(4, ge=1)
    layers: int = 2
    shots: int = 1000  # <- here
    seed: int = 7


@app.post("/vqe")
def vqe(req: VqeRequest):
    energy = service.minimise(n_qubits=req.n_qubits)  # <- here
    gradient = run_vqe(req.layers)  # <- here
    queue.publish(req)
    return {"energy": energy, "gradient": gradient}
""",
    ),
    Example(
        name="Cirq and Braket",
        file="others.py",
        code="""
import cirq
from braket.circuits import Circuit
from braket.devices import LocalSimulator
from flask import Flask, request

app = Flask(__name__)


@app.post("/cirq")
def with_cirq():
    qubits = cirq.LineQubit.range(int(request.args["qubits"]))  # <- here
    circuit = cirq.Circuit(cirq.H.on_each(*qubits), cirq.measure(*qubits))
    repetitions = request.json["repetitions"]
    return str(cirq.Simulator().run(circuit, repetitions=repetitions))  # <- here


@app.post("/braket")
def with_braket():
    task = LocalSimulator().run(Circuit().h(0), shots=request.json.get("shots", 100))  # <- here
    return task.result().measurement_counts
""",
    ),
    Example(
        name="Qubits of Cirq, one by one",
        file="app.py",
        code="""
from flask import Flask, jsonify, request
import cirq

app = Flask(__name__)


@app.route("/simulate", methods=["POST"])
def simulate():
    data = request.get_json()
    n_qubits = data.get("n_qubits", 3)
    qubits = [cirq.LineQubit(i) for i in range(n_qubits)]  # <- here
    circuit = cirq.Circuit(cirq.H(q) for q in qubits)
    circuit.append(cirq.measure(*qubits, key="m"))
    result = cirq.Simulator().run(circuit, repetitions=500)
    return jsonify(str(result))
""",
    ),
)

_GOOD = (
    Example(
        name="Bounds in the model, and a cap after the decomposition",
        file="api.py",
        code="""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2, transpile
from qiskit_aer import AerSimulator

app = FastAPI()
MAX_QUBITS = 20
MAX_GATES = 10_000
BASIS = ["rz", "sx", "x", "cx"]


class Program(BaseModel):
    qasm: str = Field(max_length=20_000)
    shots: int = Field(1024, ge=1, le=8192)


@app.post("/run")
def run(program: Program):
    circuit = qasm2.loads(program.qasm, include_path=())
    if circuit.num_qubits > MAX_QUBITS:
        raise HTTPException(413, "too many qubits")
    flat = transpile(circuit, basis_gates=BASIS, optimization_level=0)
    if flat.size() > MAX_GATES:
        raise HTTPException(413, "too many gates")
    return AerSimulator().run(flat, shots=program.shots).result().get_counts()
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Bounds of the model, of a query, of a path",
        file="bounded.py",
        code="""
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, Field, conint, field_validator
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

app = FastAPI()
simulator = AerSimulator()


class Request(BaseModel):
    num_qubits: int = Field(..., gt=0, le=20)
    shots: conint(ge=1, le=8192) = 1024
    layers: Annotated[int, Field(ge=1, le=8)] = 2
    reps: Literal[1, 2, 3] = 1
    depth: int = 3

    @field_validator("depth")
    @classmethod
    def shallow(cls, value):
        if value > 50:
            raise ValueError("too deep")
        return value


@app.post("/simulate")
def simulate(req: Request):
    circuit = QuantumCircuit(req.num_qubits)
    for _ in range(req.depth):
        circuit.h(range(req.num_qubits))
    for _ in range(req.layers * req.reps):
        circuit.x(0)
    return simulator.run(circuit, shots=req.shots).result().get_counts()


@app.get("/ghz/{n}")
def ghz(n: int = Path(..., ge=1, le=12), shots: int = Query(100, le=1000)):
    return simulator.run(QuantumCircuit(n), shots=shots).result().get_counts()
""",
    ),
    Example(
        name="Compared, clipped, looked up",
        file="compared.py",
        code="""
from fastapi import FastAPI, HTTPException
from flask import Flask, abort, jsonify, request
from pydantic import BaseModel
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

app = Flask(__name__)
api = FastAPI()
simulator = AerSimulator()
MAX_QUBITS = 16
SIZES = (2, 4, 8)


class Job(BaseModel):
    num_qubits: int = 2
    shots: int = 100


@app.route("/a", methods=["POST"])
def compared():
    n = int(request.json["n_qubits"])
    if not 1 <= n <= MAX_QUBITS:
        abort(400)
    shots = min(int(request.json.get("shots", 1024)), 8192)
    return jsonify(simulator.run(QuantumCircuit(n), shots=shots).result().get_counts())


@app.route("/b", methods=["POST"])
def listed():
    n = request.json["n_qubits"]
    if n not in SIZES:
        abort(400)
    return jsonify(QuantumCircuit(n).depth())


@api.post("/c")
def checked(job: Job):
    if job.num_qubits < 1 or job.num_qubits > MAX_QUBITS:
        raise HTTPException(400)
    if job.shots > 10_000:
        raise HTTPException(400)
    return simulator.run(QuantumCircuit(job.num_qubits), shots=job.shots).result().get_counts()
""",
    ),
    Example(
        name="Scripts: constants and the command line of one's own machine",
        file="script.py",
        code="""
import argparse

from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

parser = argparse.ArgumentParser()
parser.add_argument("--shots", type=int, default=1024)
parser.add_argument("--qubits", type=int, default=4)
args = parser.parse_args()
N_QUBITS = 4


def run(n, shots):
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    circuit.measure_all()
    simulator = AerSimulator()
    return simulator.run(transpile(circuit, simulator), shots=shots).result().get_counts()


run(N_QUBITS, 4096)
run(args.qubits, args.shots)
""",
    ),
    Example(
        name="A length of what came, and answers that name the numbers",
        file="answers.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit
import logging

app = FastAPI()
logger = logging.getLogger(__name__)


class Answer(BaseModel):
    shots: int
    n_qubits: int = 0


class Gates(BaseModel):
    wires: list[int]
    label: str = ""


@app.post("/count", response_model=Answer)
def count(body: Gates) -> Answer:
    circuit = QuantumCircuit(4)
    logger.info("gates %s", len(body.wires))
    return Answer(shots=0, n_qubits=circuit.num_qubits)
""",
    ),
    Example(
        name="A shop that counts layers",
        file="shop.py",
        code="""
from flask import Flask, jsonify, request
from bakery import bake

app = Flask(__name__)


@app.post("/cake")
def cake():
    return jsonify(bake(layers=request.json["layers"]))
""",
    ),
)

RULE = Rule(
    id="QSA601",
    title="No cap on shots, qubits, depth or gate expansion",
    severity="high",
    confidence="high",
    cwe=(770, 400),
    frameworks=("any",),
    why="""Every qubit doubles the memory of a state-vector simulation: 30 qubits need 16 GiB, and a
request of 50 bytes is enough to ask for them. Shots and gates cost time on a simulator and money on
hardware. A default such as `shots: int = 1024` looks like a limit and is none; neither is `ge=1`.

OpenQASM needs the same cap, **after** decomposition: gates that are defined by gates multiply, and
a few hundred characters can stand for many thousand gates while `circuit.size()` still says 1. So
the length of the text bounds nothing. Parse, count qubits, unroll to basis gates, count gates, then
run.""",
    remedy="Bound it in the model: Field(ge=1, le=MAX); count qubits and gates once decomposed.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-770 <https://cwe.mitre.org/data/definitions/770.html>",
        "Pydantic: numeric constraints <https://docs.pydantic.dev/latest/concepts/fields/>",
        "OWASP API4:2023 <https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/>",
    ),
    check=check,
    keywords=(
        "shots",
        "qubit",
        "wires",
        "depth",
        "reps",
        "layers",
        "repetitions",
        "qasm",
        "Circuit",
    ),
)
