"""QSA103: OpenQASM from outside, parsed without limits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.frameworks import is_service
from bezoar.scan.rules.openqasm import (
    Parser,
    includes_are_off,
    is_about_qasm,
    is_export,
    parser_calls,
    size_is_limited,
)
from bezoar.scan.rules.origins import shown, told, worst_origin
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

_RATING: dict[str, tuple[Severity, Confidence]] = {
    "request": ("high", "high"),
    "network": ("high", "high"),
    "cli": ("medium", "medium"),
    "env": ("medium", "medium"),
    "parameter": ("medium", "low"),
    "store": ("medium", "low"),
}
_KINDS = ("request", "network", "cli", "env", "parameter")
_OUTPUT = re.compile(r"(?:.*_)?(?:results?|res|output|compiled|optimi[sz]ed)", re.IGNORECASE)


def check(module: Module) -> Iterator[Hit]:
    """Every parser call whose text comes from outside and is not limited."""
    if module.is_test:
        return
    for call, parser in parser_calls(module):
        node = call.argument_node(0, *parser.keywords)
        if node is None:
            continue
        value = module.value(node)
        kind = worst_origin(value, _KINDS) or _stored(module, node, value)
        if not kind or is_export(module, node):
            continue
        if kind == "parameter" and (
            _is_written_here(module, node) or not _asks_for_qasm(module, call, node, parser)
        ):
            continue
        hit = _judged(module, call, parser, node, kind)
        if hit is not None:
            yield hit


def _stored(module: Module, node: ast.expr, value: Value) -> str:
    """Of a service, `job.qasm` and `row["qasm"]`: text that some request has left in a store."""
    if value.fixed or value.origins or not isinstance(node, ast.Attribute | ast.Subscript):
        return ""
    return "store" if _serves(module) and is_about_qasm(ast.unparse(node)) else ""


def _is_written_here(module: Module, node: ast.expr) -> bool:
    """Whether a loop over a circuit adds line after line to a constant head."""
    if not isinstance(node, ast.Name):
        return False
    function = module.function_of(node)
    added = any(
        last_name(each.target) == node.id
        and module.function_of(each) is function
        and any(isinstance(outer, ast.For) for outer in module.ancestors(each))
        for each in module.nodes(ast.AugAssign)
        if isinstance(each, ast.AugAssign)
    )
    return added and any(
        isinstance(each.value, ast.Constant)
        and "OPENQASM" in str(each.value.value)
        and module.function_of(each) is function
        for each in module.assignments(node)
    )


def _asks_for_qasm(module: Module, call: Call, node: ast.expr, parser: Parser) -> bool:
    """Whether a function with that parameter is a way in for OpenQASM: it takes the text as it is,
    says so by its name, or serves.

    A path that is passed on is the user's own file, unless the function is part of a service.
    """
    if _serves(module):
        return True
    value = module.value(node)
    if parser.is_file or value.comes_from("file"):
        return False
    around = call.function
    root = _root(node)
    if around is not None and not around.name.startswith("_") and root in around.params:
        # What an own compiler or optimiser gives is not from outside.
        return not _OUTPUT.fullmatch(root)
    names = [around.name] if around is not None else []
    if "json.loads" in value.through:
        # A message that was taken from a queue: json.loads(body)["qasm"]
        names.append(ast.unparse(node))
    for origin in value.origins:
        if origin.kind == "parameter":
            names += [origin.name, origin.function.rpartition(":")[2]]
    return is_about_qasm(*names)


def _root(node: ast.expr) -> str:
    """The name that `text.strip()`, `job.circuit` and `data["qasm"]` begin with."""
    while True:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        else:
            return last_name(node)


def _serves(module: Module) -> bool:
    return is_service(module) or module.project.is_service


def _judged(module: Module, call: Call, parser: Parser, node: ast.expr, kind: str) -> Hit | None:
    value = module.value(node)
    checked = "checked" in value.marks
    open_includes = not checked and not includes_are_off(module, call, parser)
    unlimited = not checked and not size_is_limited(value)
    if not open_includes and not unlimited:
        return None
    if kind == "parameter" and not open_includes and not _serves(module):
        # A library cannot know which size is too much; whoever calls it can.
        return None
    missing = {
        (True, True): "with neither a limit of its size nor a ban on includes",
        (True, False): "and may include local files",
        (False, True): "with no limit of its size",
    }[open_includes, unlimited]
    severity, confidence = _RATING[kind]
    if not open_includes:
        severity = "medium"
    what = "The file" if parser.is_file else "OpenQASM"
    return Hit(
        where=call.node,
        message=(
            f"{what} `{shown(node)}` from {told(kind)} is parsed by `{call.method}()` {missing}."
        ),
        severity=severity,
        confidence=confidence,
        flow=module.flow(value, _KINDS, call.node, f"is parsed by {call.method}()"),
        source=value,
    )


_BAD = (
    Example(
        name="A field of the request body",
        file="server.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit

app = FastAPI()


class RunRequest(BaseModel):
    qasm: str
    shots: int = 1024


@app.post("/run")
def run(req: RunRequest):
    circuit = QuantumCircuit.from_qasm_str(req.qasm)  # <- here
    return {"depth": circuit.depth()}
""",
    ),
    Example(
        name="A Flask resource that reads the raw body",
        file="resources.py",
        code="""
from flask import request
from flask_restful import Resource
from qiskit import Aer, QuantumCircuit, execute


class CircuitRun(Resource):
    def post(self):
        text = request.get_data().decode("utf-8")
        circuit = QuantumCircuit.from_qasm_str(text)  # <- here
        return execute(circuit, Aer.get_backend("aer_simulator")).result().get_counts()
""",
    ),
    Example(
        name="A helper over two files, OpenQASM 2 and 3",
        file="api.py",
        code="""
from flask import Flask, jsonify, request
from parsing import parse

app = Flask(__name__)


@app.route("/depth", methods=["POST"])
def depth():
    source = request.json.get("qasm")
    return jsonify(depth=parse(source).depth())
# file: parsing.py
from qiskit import qasm2, qasm3


def parse(text):
    text = text.strip()
    if text.startswith("OPENQASM 3"):
        return qasm3.loads(text)  # <- here
    return qasm2.loads(text)  # <- here
""",
    ),
    Example(
        name="A wrapper that is made for OpenQASM text",
        file="backend/simulator.py",
        code="""
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator


class Simulator:
    def run_qasm(self, qasm_str: str, shots: int = 1000):
        circuit = QuantumCircuit.from_qasm_str(qasm_str)  # <- here
        circuit.measure_all()
        simulator = AerSimulator()
        return simulator.run(transpile(circuit, simulator), shots=shots).result().get_counts()
""",
    ),
    Example(
        name="A part of what a scheduler is given",
        file="scheduler.py",
        code="""
from mqt import qmap
from qiskit import QuantumCircuit


class Scheduler:
    def submit(self, job):
        circuit = QuantumCircuit.from_qasm_str(job.circuit)  # <- here
        return self.match(circuit)


def run_qmap(data, arch):
    circuit = QuantumCircuit.from_qasm_str(data["qasm_code"])  # <- here
    return qmap.compile(circuit, arch)
""",
    ),
    Example(
        name="A message of a queue",
        file="consumer.py",
        code="""
import json
import pika
from qiskit import QuantumCircuit


def on_message(channel, method, properties, body):
    task = json.loads(body)
    circuit = QuantumCircuit.from_qasm_str(task["qasm"])  # <- here
    channel.basic_ack(method.delivery_tag)
    return circuit.depth()
""",
    ),
    Example(
        name="The size is limited, includes are not",
        file="limited.py",
        code="""
from fastapi import FastAPI, HTTPException
from qiskit.qasm2 import loads as qasm2_loads
from pydantic import BaseModel

app = FastAPI()


class Job(BaseModel):
    program: str


@app.post("/jobs")
async def submit(job: Job):
    if len(job.program) > 10_000:
        raise HTTPException(413, "too long")
    circuit = qasm2_loads(job.program)  # <- here
    return {"qubits": circuit.num_qubits}
""",
    ),
    Example(
        name="PennyLane, Cirq, Braket and pytket",
        file="bridge.py",
        code="""
from flask import Flask, request
import pennylane as qml
from braket.circuits import Circuit
from braket.ir.openqasm import Program as OpenQASMProgram
from cirq.contrib.qasm_import import circuit_from_qasm
from pytket.qasm import circuit_from_qasm_str

app = Flask(__name__)


@app.post("/convert/<target>")
def convert(target):
    data = request.get_json()
    if target == "pennylane":
        return str(qml.from_qasm(data["qasm"]))  # <- here
    if target == "cirq":
        return str(circuit_from_qasm(data["qasm"]))  # <- here
    if target == "tket":
        return str(circuit_from_qasm_str(data["qasm"]))  # <- here
    if target == "task":
        return OpenQASMProgram(source=data["qasm"]).json()  # <- here
    return str(
        Circuit.from_ir(  # <- here
            data["qasm"],
        )
    )
""",
    ),
    Example(
        name="A download, with a lazy import",
        file="fetch.py",
        code="""
import requests


def benchmark(url):
    from qiskit import QuantumCircuit

    answer = requests.get(url, timeout=30)
    return QuantumCircuit.from_qasm_str(answer.text)  # <- here
""",
    ),
    Example(
        name="A file that the command line names",
        file="obfuscate.py",
        code="""
import argparse
from qiskit import *

parser = argparse.ArgumentParser()
parser.add_argument("circuit")
args = parser.parse_args()
qc = QuantumCircuit.from_qasm_file(args.circuit)  # <- here
print(qc.count_ops())
""",
    ),
    Example(
        name="An uploaded file",
        file="upload.py",
        code="""
from fastapi import FastAPI, File, UploadFile
from qiskit import qasm2

app = FastAPI()


@app.post("/upload")
async def upload(file: UploadFile = File(...)):
    content = await file.read()
    circuit = qasm2.loads(content.decode())  # <- here
    return {"size": circuit.size()}
""",
    ),
    Example(
        name="A worker that takes the text from where a request left it",
        file="worker.py",
        code="""
from flask import Flask
from models import Task
from qiskit import QuantumCircuit

app = Flask(__name__)


def work(session, number):
    with app.app_context():
        task = Task.query.get(number)
        return QuantumCircuit.from_qasm_str(task.qasm).depth()  # <- here
""",
    ),
    Example(
        name="A class that was imported by its name",
        file="tool.py",
        code="""
from mcp.server.fastmcp import FastMCP
import importlib

mcp = FastMCP("circuits")


@mcp.tool()
def count(qasm: str) -> dict:
    qiskit = importlib.import_module("qiskit")
    circuit = qiskit.QuantumCircuit.from_qasm_str(qasm)  # <- here
    return dict(circuit.count_ops())
""",
    ),
    Example(
        name="An import with a fallback",
        file="fallback.py",
        code="""
from flask import Flask, request

try:
    from qiskit_qasm3_import import loads
except ImportError:
    from qiskit.qasm3 import loads

app = Flask(__name__)


@app.post("/counts")
def counts():
    program = request.json.get("program", "")
    return {"qubits": loads(program).num_qubits}  # <- here
""",
    ),
)

_GOOD = (
    Example(
        name="Size, includes, and the size of what it stands for",
        file="server.py",
        code="""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2

app = FastAPI()
MAX_QUBITS = 20
MAX_GATES = 10_000


class RunRequest(BaseModel):
    qasm: str = Field(max_length=20_000)


@app.post("/run")
def run(req: RunRequest):
    circuit = qasm2.loads(req.qasm, include_path=())
    if circuit.num_qubits > MAX_QUBITS or circuit.size() > MAX_GATES:
        raise HTTPException(413, "the circuit is too large")
    return {"depth": circuit.depth()}
""",
    ),
    Example(
        name="A length that is compared, in a helper",
        file="parsing.py",
        code="""
from flask import Flask, abort, request
from qiskit import qasm2

app = Flask(__name__)


def parse(text):
    if len(text) > 20_000:
        abort(413)
    return qasm2.loads(text, include_path=())


@app.post("/depth")
def depth():
    return {"depth": parse(request.json["qasm"]).depth()}
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Constant OpenQASM",
        file="bell.py",
        code='''
import pennylane as qml
from qiskit import QuantumCircuit, qasm2, qasm3

BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
h q[0];
cx q[0], q[1];
"""
HEADER = 'OPENQASM 2.0;\\ninclude "qelib1.inc";\\n'
first = QuantumCircuit.from_qasm_str(BELL)
second = qasm2.loads(HEADER + "qreg q[1];")
third = qml.from_qasm(BELL)
fourth = qasm3.loads("OPENQASM 3; qubit q;")


def make(n=3):
    lines = [HEADER, f"qreg q[{n}];"]
    for wire in range(3):
        lines.append(f"h q[{wire}];")
    return QuantumCircuit.from_qasm_str("\\n".join(lines))
''',
    ),
    Example(
        name="Own export read back: conversions between frameworks",
        file="convert.py",
        code="""
import cirq
import pyzx as zx
from cirq.contrib.qasm_import import circuit_from_qasm
from pytket.qasm import circuit_to_qasm_str
from qiskit import QuantumCircuit, qasm2, qasm3


def cirq_to_qiskit(circuit: cirq.Circuit) -> QuantumCircuit:
    qasm_str = cirq.qasm(circuit)
    return QuantumCircuit.from_qasm_str(qasm_str)


def qiskit_to_cirq(qc):
    return circuit_from_qasm(qc.qasm())


def simplified(qc):
    graph = zx.Circuit.from_qasm(qasm2.dumps(qc)).to_graph()
    zx.full_reduce(graph)
    return qasm2.loads(zx.extract_circuit(graph).to_basic_gates().to_qasm())


def tket_to_qiskit(circuit):
    return QuantumCircuit.from_qasm_str(circuit_to_qasm_str(circuit))


def via_three(qc):
    text = qasm3.dumps(qc)
    return qasm3.loads(text)


def from_tape(tape):
    openqasm = tape.to_openqasm()
    return QuantumCircuit.from_qasm_str(str(openqasm))
""",
    ),
    Example(
        name="Export by an own function of another file",
        file="check.py",
        code="""
from qiskit import QuantumCircuit
from export import circuit_text


def same(qc):
    return QuantumCircuit.from_qasm_str(circuit_text(qc)) == qc
# file: export.py
from qiskit import qasm2


def circuit_text(qc):
    return qasm2.dumps(qc.decompose())
""",
    ),
    Example(
        name="A property of a circuit, and a data set of circuits",
        file="dataset.py",
        code="""
import pennylane as qml
from qiskit import QuantumCircuit


def converted(circuit):
    return QuantumCircuit.from_qasm_str(circuit.qasm)


def best(result):
    return QuantumCircuit.from_qasm_str(result.best_qasm)


def features(samples):
    return [qml.from_qasm(sample["text"]) for sample in samples]
""",
    ),
    Example(
        name="Files of the project",
        file="benchmark.py",
        code="""
import glob
import os
from pathlib import Path
from qiskit import QuantumCircuit, qasm2

ROOT = Path(__file__).parent
bell = QuantumCircuit.from_qasm_file("qasm/bell.qasm")
qaoa = qasm2.loads((ROOT / "circuits" / "qaoa.qasm").read_text())
with open("circuits/vqe.txt") as handle:
    vqe = QuantumCircuit.from_qasm_str(handle.read())
tests = [QuantumCircuit.from_qasm_file(f"cases/case_{i}.qasm") for i in range(29)]
for name in sorted(glob.glob("benchmarks/*.qasm")):
    print(QuantumCircuit.from_qasm_file(name).depth())
for name in os.listdir("suite"):
    print(QuantumCircuit.from_qasm_file(os.path.join("suite", name)).depth())
""",
    ),
    Example(
        name="A library function for a file of the user",
        file="qsuite/io.py",
        code="""
from qiskit import QuantumCircuit


def load_circuit(path):
    return QuantumCircuit.from_qasm_file(path)
""",
    ),
    Example(
        name="A library that converts text with a parser that opens no files",
        file="qsuite/conversions.py",
        code="""
import openqasm3
import pyqasm


def qasm3_to_module(qasm_str: str):
    openqasm3.parse(qasm_str)
    return pyqasm.loads(qasm_str)
""",
    ),
    Example(
        name="Callers pass constants alone",
        file="demo.py",
        code="""
from qiskit import QuantumCircuit

GHZ = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; h q[0]; cx q[0],q[1]; cx q[1],q[2];'


def _parsed(qasm):
    return QuantumCircuit.from_qasm_str(qasm)


print(_parsed(GHZ).draw())
""",
    ),
    Example(
        name="Tests",
        file="tests/test_parsing.py",
        code="""
import pytest
from qiskit import QuantumCircuit


@pytest.mark.parametrize("qasm", ["OPENQASM 2.0;", "OPENQASM 2.0; qreg q[1];"])
def test_parse(qasm):
    assert QuantumCircuit.from_qasm_str(qasm).num_clbits == 0
""",
    ),
    Example(
        name="Text that a loop writes from a circuit",
        file="writer.py",
        code="""
from qiskit import QuantumCircuit


def rewritten(circ):
    text = "OPENQASM 2.0;\\n"
    text += f"qreg q[{circ.num_qubits}];\\n"
    for step in circ.data:
        wires = ", ".join(f"q[{circ.find_bit(bit).index}]" for bit in step.qubits)
        text += f"{step.operation.name} {wires};\\n"
    assert QuantumCircuit.from_qasm_str(text) == circ
    return text
""",
    ),
)

RULE = Rule(
    id="QSA103",
    title="Untrusted OpenQASM is parsed without limits",
    severity="high",
    confidence="high",
    cwe=(22, 400, 409),
    frameworks=("qiskit", "pennylane", "cirq", "braket", "tensorcircuit"),
    why="""OpenQASM is a programming language with files and macros, so a parser that gets text from
outside needs three limits.

- *Includes.* `include "/any/file";` opens that file. Qiskit 2.6 answers with a parse error that
  carries its first word; we tried it with `QuantumCircuit.from_qasm_str` and `qasm2.loads`.
  `from_qasm_str` has no way to forbid it; `qasm2.loads(text, include_path=())` does, and still
  knows `qelib1.inc`. Braket's interpreter and `pyqasm.load` open files as well.
- *Length.* Compare the length of the text before it is parsed.
- *Expansion.* Gates defined by gates multiply: in our trial 359 characters gave a circuit of
  `size()` 1 that `decompose` turns into 65,536 gates. Limit qubits and gates **after** the
  decomposition.""",
    remedy="Limit the length, call qasm2.loads(text, include_path=()), limit qubits and gates.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "Qiskit: qasm2.loads and include_path <https://quantum.cloud.ibm.com/docs/api/qiskit/qasm2>",
        "OpenQASM: included files <https://openqasm.com/language/comments.html#included-files>",
        "pyqasm resolves includes <https://github.com/qBraid/pyqasm/issues/368>",
    ),
    check=check,
    keywords=("qasm", "QASM", "from_ir", "Program", "mqt.core", "bqskit"),
)
