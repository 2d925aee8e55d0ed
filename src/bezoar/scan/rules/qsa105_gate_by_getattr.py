"""QSA105: the name of a gate, operation or device comes from data and is looked up by getattr."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.code_texts import is_own_code
from bezoar.scan.rules.frameworks import is_quantum
from bezoar.scan.rules.origins import HOSTILE, shown, told, worst_origin
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

#: Modules whose members are gates, operations, devices and backends.
_MODULES = (
    *("pennylane", "cirq", "cirq_google", "torchquantum", "tensorcircuit", "qiskit", "qiskit_aer"),
    *("braket.circuits", "braket.devices", "qulacs", "qibo", "mindquantum", "cudaq"),
    *("qiskit_ibm_runtime", "pytket", "pyquil", "qutip_qip", "bloqade", "stim"),
)
#: Classes whose methods are gates.
_CIRCUITS = frozenset(
    {
        "qiskit.QuantumCircuit",
        "cirq.Circuit",
        "tensorcircuit.Circuit",
        "tensorcircuit.DMCircuit",
        "braket.circuits.Circuit",
        "torchquantum.QuantumDevice",
        "pytket.Circuit",
        "qibo.Circuit",
        "qulacs.QuantumCircuit",
    }
)
#: Variables that hold a circuit where the class is not known.
_CIRCUIT_NAME = re.compile(
    r"_?(?:qc|qcirc|circ|circuit|quantum_circuit|qcircuit|q_circuit|new_circuit|out_circuit|qdev|tc_circuit|"
    r"sub_circuit|subcircuit)\d*"
)
#: What a circuit calls the list of what it applies.
_OPERATIONS = frozenset({"operations", "ops", "instructions", "data", "queue"})
_CHECKS = frozenset({"listed", "checked", "number"})
#: No longer text says which family of gates is meant: the `c` of controlled gates does not.
_SHORT = 3
_RATING: dict[str, tuple[Severity, Confidence]] = {
    "request": ("high", "high"),
    "network": ("high", "high"),
    "cli": ("medium", "medium"),
    "env": ("medium", "medium"),
    "file": ("medium", "high"),
    "result": ("medium", "medium"),
    "parameter": ("medium", "low"),
}


def check(module: Module) -> Iterator[Hit]:
    """Look-ups by a name from outside, in a framework's module or a circuit, that are used."""
    if module.is_test or not is_quantum(module):
        return
    for node, owner, name in _look_ups(module):
        if not _is_target(module, owner):
            continue
        value = module.value(name)
        kind = worst_origin(value)
        if not kind or not _CHECKS.isdisjoint(value.marks) or is_own_code(module, name):
            continue
        if kind in ("parameter", "cli", "env") and _is_name_of_operation(module, name):
            continue
        if _begins_with_word(name):
            continue
        if not _module_name(module, owner) and not _is_called(module, node):
            continue
        severity, confidence = _RATING[kind]
        yield Hit(
            where=node,
            message=f"`{shown(node)}` takes what {told(kind)} names, be it a gate or not.",
            severity=severity,
            confidence=confidence,
            flow=module.flow(value, HOSTILE, node, "chooses what is looked up"),
            source=value,
        )


def _look_ups(module: Module) -> Iterator[tuple[ast.expr, ast.expr, ast.expr]]:
    """The whole expression, the object and the name: getattr(o, n), vars(o)[n], o.__dict__[n]."""
    for call in module.calls:
        arguments = call.node.args
        if call.name == "getattr" and len(arguments) >= 2:
            yield call.node, arguments[0], arguments[1]
        elif call.method in ("__getattribute__", "__getattr__") and arguments:
            func = call.node.func
            if isinstance(func, ast.Attribute):
                yield call.node, func.value, arguments[0]
    for node in module.nodes(ast.Subscript):
        if not isinstance(node, ast.Subscript):
            continue
        inner = node.value
        if isinstance(inner, ast.Attribute) and inner.attr == "__dict__":
            yield node, inner.value, node.slice
        elif isinstance(inner, ast.Call) and module.name_of(inner.func) == "vars" and inner.args:
            yield node, inner.args[0], node.slice


def _is_target(module: Module, owner: ast.expr) -> bool:
    """Whether an object is a framework's module or a circuit."""
    if isinstance(owner, ast.Call):
        return module.value(owner).type in _CIRCUITS
    name = _module_name(module, owner)
    if name:
        return any(name == each or name.startswith(f"{each}.") for each in _MODULES)
    value = module.value(owner)
    if value.type and ":" not in value.type:
        return value.type in _CIRCUITS
    return bool(_CIRCUIT_NAME.fullmatch(last_name(owner)))


def _module_name(module: Module, owner: ast.expr) -> str:
    """The name of an imported module or class, "" for an object."""
    value = module.value(owner)
    return module.name_of(owner) or (value.made_by if value.fixed and not value.type else "")


def _begins_with_word(node: ast.expr) -> bool:
    """`f"Pauli{letter}"`: a member of one family, whatever is put in."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    if isinstance(node, ast.BinOp):
        first = node.left
    literal = first.value if isinstance(first, ast.Constant) else ""
    return isinstance(literal, str) and len(literal) > _SHORT and literal.isidentifier()


def _is_name_of_operation(module: Module, node: ast.expr) -> bool:
    """`op.name`, `gate.base_name.upper()`, `for op in circuit.operations: op.gate`: the name of an
    operation of a circuit that exists."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in ("name", "base_name", "_name"):
        return True
    for outer in module.ancestors(node):
        loops = [outer] if isinstance(outer, ast.For) else getattr(outer, "generators", ())
        for loop in loops:
            if last_name(loop.target) == last_name(node.value):
                return last_name(loop.iter) in _OPERATIONS
    return False


def _is_called(module: Module, node: ast.expr) -> bool:
    """Whether what is looked up is called: at once, or by the name that it is given."""
    parent = module.parent(node)
    if isinstance(parent, ast.Call):
        return True
    if isinstance(parent, ast.NamedExpr):
        names = {last_name(parent.target)}
    elif isinstance(parent, ast.Assign | ast.AnnAssign):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        names = {last_name(each) for each in targets}
    else:
        return isinstance(parent, ast.Return | ast.Dict | ast.List | ast.Lambda)
    inside = module.function_of(node)
    return any(
        call.function is inside and last_name(call.node.func) in names for call in module.calls
    )


_BAD = (
    Example(
        name="A list of gates in a JSON file",
        file="build.py",
        code="""
import json
import pennylane as qml


def apply_all(path):
    with open(path) as handle:
        program = json.load(handle)
    for op in program["ops"]:
        getattr(qml, op["gate"])(*op["params"], wires=op["wires"])  # <- here
""",
    ),
    Example(
        name="The gates of a request, method looked up first and called later",
        file="server.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit

app = FastAPI()


class Gate(BaseModel):
    name: str
    qubits: list[int]
    params: list[float] = []


class Job(BaseModel):
    n_qubits: int
    gates: list[Gate]


@app.post("/simulate")
def simulate(job: Job):
    qc = QuantumCircuit(min(job.n_qubits, 12))
    for gate in job.gates:
        method = getattr(qc, gate.name, None)  # <- here
        if method is None:
            continue
        method(*gate.params, *gate.qubits)
    return {"depth": qc.depth()}
""",
    ),
    Example(
        name="In a helper over two files, with hasattr as the only test",
        file="app.py",
        code="""
from flask import Flask, request
from circuits import from_rows

app = Flask(__name__)


@app.post("/draw")
def draw():
    return {"text": str(from_rows(request.get_json()["rows"]))}
# file: circuits.py
import cirq


def from_rows(rows):
    qubits = cirq.LineQubit.range(5)
    circuit = cirq.Circuit()
    for row in rows:
        if hasattr(cirq, row["type"]):
            circuit.append(
                getattr(cirq, row["type"])(  # <- here
                    *[qubits[i] for i in row["targets"]]
                )
            )
    return circuit
""",
    ),
    Example(
        name="A noise channel by name, lazy import",
        file="noise.py",
        code="""
def noisy(moments, error_model="bit_flip", p=0.1):
    import cirq

    channel = getattr(cirq, error_model)  # <- here
    return [channel(p).on_each(*moment.qubits) for moment in moments]
""",
    ),
    Example(
        name="The gate of a layer, a parameter of the constructor",
        file="layers.py",
        code="""
import pennylane as qml
from torch import nn


class Encoder(nn.Module):
    def __init__(self, n_wires, base_gate="RY"):
        super().__init__()
        self.n_wires = n_wires
        self.base_gate = base_gate

    def apply(self, x):
        for wire in range(self.n_wires):
            getattr(qml, self.base_gate)(x[wire], wires=wire)  # <- here
""",
    ),
    Example(
        name="The other ways to look a name up",
        file="other.py",
        code="""
import sys
import torchquantum as tq
import torchquantum.functional as tqf
from qiskit import QuantumCircuit


def add(circuit: QuantumCircuit, operation):
    circuit.__getattribute__(operation["method"])(*operation["wires"])  # <- here


def layer(name, device):
    vars(tqf)[name](device, wires=0)  # <- here
    return tq.__dict__[sys.argv[1]](has_params=True)  # <- here
""",
    ),
    Example(
        name="A device from the environment, in a notebook",
        file="run.ipynb",
        code="""
# %%
import os
from qiskit_ibm_runtime import fake_provider
# %%
backend = getattr(fake_provider, os.environ["BACKEND"])()  # <- here
""",
    ),
)

_GOOD = (
    Example(
        name="A table of what is allowed",
        file="build.py",
        code="""
import json
import pennylane as qml

GATES = {"h": qml.Hadamard, "rx": qml.RX, "cnot": qml.CNOT}


def apply_all(path):
    with open(path) as handle:
        program = json.load(handle)
    for op in program["ops"]:
        GATES[op["gate"]](*op["params"], wires=op["wires"])
""",
    ),
    Example(
        name="The name is looked up in a list before",
        file="server.py",
        code="""
from fastapi import FastAPI, HTTPException
from qiskit import QuantumCircuit

app = FastAPI()
ALLOWED = {"h", "x", "cx", "rx"}


@app.post("/simulate")
def simulate(body: dict):
    qc = QuantumCircuit(4)
    for gate in body["gates"]:
        name = gate["name"].lower()
        if name not in ALLOWED:
            raise HTTPException(400, "unknown gate")
        getattr(qc, name)(*gate["qubits"])
    return {"depth": qc.depth()}
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="A constant list, a constant table, a random choice of one",
        file="random_circuit.py",
        code="""
import random
import numpy as np
import pennylane as qml
from qiskit import QuantumCircuit

ERRORS = {0: "PauliX", 1: "PauliY", 2: "PauliZ"}
rng = np.random.default_rng(1)
qc = QuantumCircuit(3)
for name in ["h", "s", "x"]:
    getattr(qc, name)(0)
getattr(qc, random.choice(["h", "t"]))(1)
getattr(qc, rng.choice(["h", "t"]))(1)


def error(key, wire):
    getattr(qml, ERRORS[key])(wires=wire)


def turn(axis, angle):
    getattr(qml, {"x": "RX", "y": "RY", "z": "RZ"}[axis])(angle, wires=0)
""",
    ),
    Example(
        name="Attributes that are read",
        file="info.py",
        code="""
import cirq
import pennylane as qml


def describe(qc, backend, key):
    version = getattr(qml, "__version__", "unknown")
    google = getattr(cirq, "google", None)
    layout = getattr(qc, "_layout", None)
    value = getattr(qc, key, None)
    return version, google, layout, str(value), getattr(backend, key)
""",
    ),
    Example(
        name="Classes of other libraries",
        file="train.py",
        code="""
import argparse
import pennylane as qml
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", default="Adam")
args = parser.parse_args()
optimizer = getattr(torch.optim, args.optimizer)([torch.zeros(1)], lr=0.1)
loss = getattr(torch.nn, "MSELoss")()
""",
    ),
    Example(
        name="Choices of the command line, and a name that was compared",
        file="choices.py",
        code="""
import pennylane as qml


def entangle(kind, wires):
    if kind not in ("CNOT", "CZ"):
        raise ValueError("CNOT or CZ")
    getattr(qml, kind)(wires=wires)


def rotate(axis, angle, wire):
    if axis in {"X", "Y", "Z"}:
        getattr(qml, f"R{axis}")(angle, wires=wire)
""",
    ),
    Example(
        name="Operations of a circuit that exists already",
        file="convert.py",
        code="""
import cirq
import pennylane as qml


def to_pennylane(circuit):
    for op in circuit.operations:
        getattr(qml, op.name)(*op.parameters, wires=op.wires)


def replayed(circuit, values):
    for operation in circuit.operations:
        getattr(qml, operation.gate)(values[operation.index], wires=operation.wires)
""",
    ),
    Example(
        name="Fields of the program's own objects",
        file="fields.py",
        code="""
import pennylane as qml


class Layers:
    def run(self, names):
        for name in names:
            getattr(self, name)()
        for index in range(3):
            getattr(self, f"layer_{index}")()
""",
    ),
    Example(
        name="The letter of a Pauli word, after a constant beginning",
        file="terms.py",
        code="""
import pennylane as qml


def hamiltonian(terms):
    observables = []
    for word in terms:
        factors = [getattr(qml, f"Pauli{letter}")(wire) for wire, letter in enumerate(word)]
        observables.append(qml.prod(*factors))
    return observables
""",
    ),
)

RULE = Rule(
    id="QSA105",
    title="Gate, operation or device chosen by getattr from data",
    severity="medium",
    confidence="medium",
    cwe=(470,),
    frameworks=("qiskit", "pennylane", "cirq", "torchquantum", "tensorcircuit"),
    why="""`getattr(qml, op["gate"])` finds every member of the package, not gates alone:
`qml.from_qasm`, `qml.draw_mpl`, modules that the package imported. A method of a Qiskit circuit can
be `from_qasm_file`, `draw` with a file name, or `clear`. Whoever writes the list of gates thus
calls functions that nobody meant to offer, with arguments of their choice. At best the program ends
with an AttributeError that the client sees. A dictionary from names to gates says what is allowed,
checks the spelling, and is shorter.""",
    remedy="Look the name up in a dictionary of allowed gates.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-470 <https://cwe.mitre.org/data/definitions/470.html>",
        "Python: getattr <https://docs.python.org/3/library/functions.html#getattr>",
    ),
    check=check,
    keywords=("getattr", "__dict__", "vars"),
)
