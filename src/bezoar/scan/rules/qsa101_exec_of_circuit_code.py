"""QSA101: a circuit that is built by running text as Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.code_texts import builds_circuit, code_argument, is_own_code
from bezoar.scan.rules.frameworks import mentions_quantum
from bezoar.scan.rules.origins import HOSTILE, shown, told, worst_origin

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Methods of shells that run a text: IPython's and those of the module `code`.
_SHELLS = frozenset({"run_cell", "runsource", "runcode"})
#: Such calls are common with texts of the program; only those of others are reported.
_FROM_OTHERS = ("request", "network", "cli")
_CONFIDENCE: dict[str, Confidence] = {
    "request": "high",
    "network": "high",
    "cli": "high",
    "env": "high",
    "file": "high",
    "result": "medium",
    "parameter": "medium",
}


def check(module: Module) -> Iterator[Hit]:
    """exec of any text that is not the program's own, and eval of text that builds a circuit."""
    if module.is_test or not mentions_quantum(module):
        return
    for call in module.calls_to("exec", "eval"):
        node = code_argument(call)
        if node is None or is_own_code(module, node):
            continue
        if call.name == "eval" and not builds_circuit(call, node):
            continue
        yield _hit(module, call, node)
    for call in module.calls:
        node = _other_code(module, call)
        if node is not None and worst_origin(module.value(node), _FROM_OTHERS):
            yield _hit(module, call, node)


def _other_code(module: Module, call: Call) -> ast.expr | None:
    """The text that a new Python process or an interactive shell runs, None for other calls."""
    if call.method in _SHELLS and call.node.args:
        return call.node.args[0]
    if not call.name.startswith(("subprocess.", "asyncio.create_subprocess")):
        return None
    words = list(call.node.args)
    if words and isinstance(words[0], ast.List | ast.Tuple):
        words = words[0].elts
    for flag, text in pairwise(words):
        if module.value(flag).literal == "-c" and not isinstance(text, ast.Starred):
            return text
    return None


def _hit(module: Module, call: Call, node: ast.expr) -> Hit:
    value = module.value(node)
    kind = worst_origin(value)
    came = f"which comes from {told(kind)}" if kind else "which is put together at run time"
    return Hit(
        where=call.node,
        message=f"`{call.method}()` runs `{shown(node)}`, {came}, as Python code.",
        severity="critical" if kind in ("request", "network") else "high",
        confidence=_CONFIDENCE.get(kind, "low"),
        flow=module.flow(value, HOSTILE, call.node, f"is run by {call.method}()"),
        source=value,
    )


_BAD = (
    Example(
        name="A web service runs the circuit code of the request",
        file="server.py",
        code="""
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit
import numpy as np

app = Flask(__name__)


@app.route("/visualise", methods=["POST"])
def visualise():
    body = request.get_json()
    source = body["qiskit_code"]
    allowed = {"QuantumCircuit": QuantumCircuit, "np": np, "__builtins__": {}}
    names = {}
    exec(source, allowed, names)  # <- here
    made = [each for each in names.values() if isinstance(each, QuantumCircuit)]
    return jsonify({"qubits": made[0].num_qubits})
""",
    ),
    Example(
        name="Code written by a language model, run in a helper of a class",
        file="agent/validator.py",
        code="""
import re
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator


class CircuitValidator:
    def __init__(self):
        self.simulator = AerSimulator()

    def validate(self, answer: str) -> dict:
        found = re.search(r"```python(.*?)```", answer, re.DOTALL)
        program = found.group(1) if found else answer
        scope = {}
        try:
            exec(program, {"QuantumCircuit": QuantumCircuit}, scope)  # <- here
        except Exception:
            return {"valid": False}
        return {"valid": any(isinstance(v, QuantumCircuit) for v in scope.values())}
""",
    ),
    Example(
        name="A file that the command line names, compiled first",
        file="run_circuit.py",
        code="""
import sys
import qiskit


def load(path):
    with open(path) as handle:
        text = handle.read()
    scope = {}
    exec(compile(text, path, "exec"), scope)  # <- here
    return scope["circuit"]


if __name__ == "__main__":
    print(load(sys.argv[1]).draw())
""",
    ),
    Example(
        name="eval of a program that a job holds, lazy import of the framework",
        file="pilot.py",
        code="""
def transpile_all(job):
    from braket.circuits import Circuit
    from braket.ir.openqasm import Program

    ready = []
    for entry in job.deployment.programs:
        if entry.language == "openqasm":
            ready.append(Program(source=entry.quantum_circuit))
        else:
            ready.append(eval(entry.quantum_circuit))  # <- here
    return ready
""",
    ),
    Example(
        name="A gate put together as text from a JSON list",
        file="builder.py",
        code="""
import json
import pennylane as qml


def build(path):
    with open(path) as handle:
        gates = json.load(handle)
    for gate in gates:
        eval(f"qml.{gate['name']}(wires={gate['wires']})")  # <- here
""",
    ),
    Example(
        name="A text area of a Streamlit page",
        file="page.py",
        code="""
import streamlit as st
from qiskit import *

typed = st.text_area("Your circuit, as qc:", "qc = QuantumCircuit(2)")
if typed:
    exec(typed, globals())  # <- here
    st.write(qc.draw())
""",
    ),
    Example(
        name="A new process is no sandbox",
        file="runner.py",
        code="""
import subprocess
import sys
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Script(BaseModel):
    qiskit_code: str


@app.post("/execute")
def execute(script: Script):
    done = subprocess.run(  # <- here
        [sys.executable, "-c", script.qiskit_code], capture_output=True, timeout=30
    )
    return {"output": done.stdout.decode()}
""",
    ),
    Example(
        name="In a notebook, with the text from a download",
        file="challenge.ipynb",
        code="""
# %%
import requests
from qiskit import QuantumCircuit
# %%
answer = requests.get("https://example.org/solutions/3").text
space = {}
exec(answer, space)  # <- here
space["qc"].draw("mpl")
""",
    ),
    Example(
        name="Over two files, and multi-line",
        file="service.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel
from runner import simulate

app = FastAPI()


class Task(BaseModel):
    code: str
    shots: int = 1000


@app.post("/simulate")
def post(task: Task):
    return simulate(task.code, task.shots)
# file: runner.py
import cirq


def simulate(code, shots):
    scope = {"cirq": cirq}
    exec(  # <- here
        code,
        scope,
    )
    return cirq.Simulator().run(scope["circuit"], repetitions=min(shots, 1000)).data.to_dict()
""",
    ),
)

_GOOD = (
    Example(
        name="OpenQASM is accepted in place of Python, limited and without includes",
        file="server.py",
        code="""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from qiskit import qasm2

app = FastAPI()


class Task(BaseModel):
    qasm: str = Field(max_length=20_000)


@app.post("/visualise")
def visualise(task: Task):
    try:
        circuit = qasm2.loads(task.qasm, include_path=())
    except qasm2.QASM2ParseError:
        raise HTTPException(400, "not an OpenQASM 2 program") from None
    return {"qubits": circuit.num_qubits}
""",
    ),
    Example(
        name="A list of gates as JSON, with a table of what is allowed",
        file="builder.py",
        code="""
import json
import pennylane as qml

GATES = {"h": qml.Hadamard, "x": qml.PauliX, "cx": qml.CNOT}


def build(path):
    with open(path) as handle:
        gates = json.load(handle)
    for gate in gates:
        GATES[gate["name"]](wires=[int(wire) for wire in gate["wires"]])
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="The version of a package, in setup.py",
        file="setup.py",
        code="""
from setuptools import setup
import qiskit

version = {}
with open("qfeatures/_version.py") as handle:
    exec(handle.read(), version)
setup(name="qfeatures", version=version["__version__"], install_requires=["qiskit>=1.0"])
""",
    ),
    Example(
        name="The version of a package, elsewhere",
        file="tools/release.py",
        code="""
import pennylane as qml
from pathlib import Path

about = {}
exec((Path("src") / "qkernels" / "__about__.py").read_text(), about)
print(about["__version__"], qml.version())
""",
    ),
    Example(
        name="The examples of a README, in a test",
        file="tests/test_readme.py",
        code="""
import re
from pathlib import Path
import pennylane as qml


def test_readme():
    text = Path("README.md").read_text()
    for block in re.findall("```python(.*?)```", text, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {"qml": qml})
""",
    ),
    Example(
        name="A loop over constants",
        file="sweep.py",
        code="""
from qiskit import QuantumCircuit

qc = QuantumCircuit(3)
for gate in ["h", "x", "s"]:
    for wire in range(3):
        exec(f"qc.{gate}({wire})")
STEPS = ("qc.h(0)", "qc.cx(0, 1)")
for step in STEPS:
    exec(step)
    eval(step)
""",
    ),
    Example(
        name="Code in a comment and in a text",
        file="notes.py",
        code='''
"""Older versions did exec(code, {"QuantumCircuit": QuantumCircuit}); see the change log."""
from qiskit import QuantumCircuit

# exec(request.json["code"])
HELP = "never write exec(code)"
qc = QuantumCircuit(1)
''',
    ),
    Example(
        name="Methods that are called exec and eval",
        file="train.py",
        code="""
import torch
import torchquantum as tq


def run(model, window, engine, code):
    model.eval()
    window.exec()
    engine.exec(code)
    return model
""",
    ),
    Example(
        name="Numbered variables with a running index",
        file="layers.py",
        code="""
import pennylane as qml


def stack(n_layers):
    for index in range(n_layers):
        exec(f"weights_{index} = qml.numpy.zeros(3)")
    return [eval("weights_" + str(index)) for index in range(n_layers)]
""",
    ),
    Example(
        name="No quantum framework anywhere",
        file="plugin.py",
        code="""
def run(code):
    names = {}
    exec(code, names)
    return names
""",
    ),
)

RULE = Rule(
    id="QSA101",
    title="Circuit built by running text as Python",
    severity="critical",
    confidence="high",
    cwe=(95, 94),
    frameworks=("any",),
    why="""Services, chat agents and teaching tools take a circuit as Python text and call `exec` on
it to get hold of the `QuantumCircuit` in it. Whoever sends that text runs any code on the machine,
with the provider's token, the trained weights and the queue of other users' jobs. An empty
`__builtins__` does not help: every object leads back to all loaded classes, for example by
`QuantumCircuit.__init__.__globals__`. A circuit needs no programming language to be sent: OpenQASM,
QPY of a pinned version, or a list of gates in JSON carry it and can be checked.""",
    remedy="Accept OpenQASM or a JSON list of gates, look names up in a table, and check sizes.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "Python: exec <https://docs.python.org/3/library/functions.html#exec>",
        "Eval really is dangerous <https://nedbatchelder.com/blog/201206/eval_really_is_dangerous.html>",
        "Qiskit: OpenQASM 2 <https://quantum.cloud.ibm.com/docs/api/qiskit/qasm2>",
    ),
    check=check,
    keywords=("exec", "eval", "subprocess", "run_cell", "runsource", "runcode"),
)
