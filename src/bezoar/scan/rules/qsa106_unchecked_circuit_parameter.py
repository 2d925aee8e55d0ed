"""QSA106: an angle from a request, JSON or the environment reaches a gate unchecked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.frameworks import is_quantum
from bezoar.scan.rules.gates import gate_of
from bezoar.scan.rules.origins import shown, told, worst_origin

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

#: What makes a number harmless: it is finite, in a range, one of a list, or a function says so.
_CHECKS = frozenset({"finite", "range", "listed", "checked"})
#: Readers of settings and of JSON; a table of features is read by others and is QSA401's.
_SETTINGS = re.compile(
    r"(?:json|yaml|toml|tomllib|orjson|ujson|configparser|dotenv)\b.*", re.IGNORECASE
)
_RATING: dict[str, tuple[Severity, Confidence]] = {
    "request": ("high", "high"),
    "network": ("high", "medium"),
    "env": ("medium", "medium"),
    "file": ("medium", "medium"),
}
#: Methods and functions that put numbers in place of parameters.
_BINDING = frozenset(
    {
        "assign_parameters",
        "bind_parameters",
        "resolve_parameters",
        "ParamResolver",
        "make_bound_circuit",
    }
)
_ENCODERS = (
    "pennylane.AngleEmbedding",
    "pennylane.IQPEmbedding",
    "pennylane.AmplitudeEmbedding",
    "pennylane.StronglyEntanglingLayers",
    "pennylane.BasicEntanglerLayers",
)
#: Gates by class, of frameworks in which they are appended.
_GATE_CLASSES = re.compile(
    r"qiskit\.circuit\.library\.(?:.*\.)?C?(?:R[XYZ]|RXX|RYY|RZZ|Phase|U[123]?)Gate|"
    r"braket\.circuits\.Gate\.(?:Rx|Ry|Rz|PhaseShift|CPhaseShift|XX|YY|ZZ)|"
    r"cirq\.(?:[XYZ]PowGate|PhasedXPowGate|CZPowGate|ZZPowGate|Rx|Ry|Rz)|"
    r"pytket\.Circuit\.(?:R[xyz]|U[123])"
)
_ANGLE_FIELD = re.compile(
    r"(?:.*_)?(?:theta|thetas|phi|phis|lam|lambda_?|omega|angle|angles|rotation|rotations|phase|"
    r"phases|params|parameters|param|gamma|gammas|beta|betas|weights|rot_x|rot_y|rot_z|rx|ry|rz)"
    r"(?:_(?:values?|x|y|z|rad|radians|\d+))?|theta\d+|phi\d+|angle\d+",
    re.IGNORECASE,
)
_FLOATS = re.compile(r"\bfloat\b|\bconfloat\b|\bNonNegativeFloat\b|\bPositiveFloat\b")
_INTO_CIRCUIT = re.compile(
    r"qubit|circuit|gate|wires|shots|qasm|ansatz|qaoa|vqe|pauli|quantum|rotation", re.IGNORECASE
)
_ANSWER = re.compile(r".*(?:Response|Result|Results|Out|Output|Read|Reply|Metrics|Status)")


def check(module: Module) -> Iterator[Hit]:
    """Angles of gates and bound parameters from outside, and fields of requests without limits."""
    if module.is_test:
        return
    if is_quantum(module):
        yield from _angles(module)
    yield from _fields(module)


def _angles(module: Module) -> Iterator[Hit]:
    for call in module.calls:
        for node in _numbers(module, call):
            value = module.value(node)
            kind = _unchecked(module, value)
            if not kind or not _CHECKS.isdisjoint(value.marks):
                continue
            severity, confidence = _RATING[kind]
            yield Hit(
                where=call.node,
                message=(
                    f"`{shown(node)}` from {told(kind)} reaches `{call.method}()` with neither a "
                    "finite check nor a range."
                ),
                severity=severity,
                confidence=confidence,
                flow=module.flow(value, (kind,), call.node, f"is an angle of {call.method}()"),
                source=value,
            )
            break


def _unchecked(module: Module, value: Value) -> str:
    """The kind of its source, "" where it is none that this rule is about."""
    kind = worst_origin(value, tuple(_RATING))
    if kind != "file":
        # A number field of a page sends numbers within its limits alone.
        form = any(name.endswith(".number_input") for name in (value.made_by, *value.through))
        return "" if form else kind
    if "__file__" in module.text:
        # A file that lies beside the program: Path(__file__).parent / "angles.json".
        return ""
    names = (value.made_by, *value.through)
    steps = [step.code for origin in value.origins for step in origin.steps]
    read = any(_SETTINGS.match(name) for name in names) or any(
        re.search(r"\b(?:json|yaml|toml|tomllib)\.(?:safe_)?load", code) for code in steps
    )
    return kind if read else ""


def _numbers(module: Module, call: Call) -> tuple[ast.expr, ...]:
    """The arguments of a call that are angles of a circuit."""
    if call.method in _BINDING:
        return tuple(call.node.args[-1:]) + tuple(
            each.value for each in call.node.keywords if each.arg in ("parameters", "param_dict")
        )
    if call.name in _ENCODERS:
        return tuple(call.node.args[:1]) + tuple(
            each.value for each in call.node.keywords if each.arg in ("features", "weights")
        )
    if _GATE_CLASSES.fullmatch(call.name):
        return tuple(call.node.args)
    if call.name in ("cirq.rx", "cirq.ry", "cirq.rz"):
        return tuple(call.node.args[:1])
    gate = gate_of(module, call)
    if gate is None or not gate.is_rotation:
        return ()
    return gate.angles


def _fields(module: Module) -> Iterator[Hit]:
    """`theta: float` in a data model of a circuit's request."""
    for declared in module.classes:
        if not declared.facts.is_model or _ANSWER.fullmatch(declared.node.name):
            continue
        text = ast.unparse(declared.node)
        if not (is_quantum(module) or _INTO_CIRCUIT.search(text)):
            continue
        for statement in declared.node.body:
            if not isinstance(statement, ast.AnnAssign):
                continue
            name = ast.unparse(statement.target)
            fact = declared.facts.fields.get(name)
            if fact is None or not _CHECKS.isdisjoint(fact.marks):
                continue
            if not _ANGLE_FIELD.fullmatch(name):
                continue
            if not _FLOATS.search(ast.unparse(statement.annotation)) or _is_guarded(module, name):
                continue
            yield Hit(
                where=statement,
                message=(
                    f"The field `{name}` of `{declared.node.name}` accepts NaN, infinity and "
                    "numbers of any size."
                ),
                confidence="medium",
            )


def _is_guarded(module: Module, name: str) -> bool:
    """Whether `isfinite(body.theta)` stands in the same file."""
    return any(
        isinstance(each, ast.Attribute) and each.attr == name
        for call in module.calls
        if call.method in ("isfinite", "isnan", "clip")
        for argument in call.node.args
        for each in ast.walk(argument)
    )


_BAD = (
    Example(
        name="An angle of the request's JSON reaches a QNode",
        file="app.py",
        code="""
from flask import Flask, jsonify, request
import pennylane as qml

app = Flask(__name__)
dev = qml.device("default.qubit", wires=1, shots=1000)


@qml.qnode(dev)
def circuit(theta):
    qml.RX(theta, wires=0)  # <- here
    return qml.expval(qml.PauliZ(0))


@app.route("/run", methods=["POST"])
def run():
    data = request.json
    theta = data.get("theta", 0.5)
    return jsonify({"result": float(circuit(theta))})
""",
    ),
    Example(
        name="A data model without limits",
        file="service.py",
        code="""
from typing import List, Optional
from fastapi import FastAPI
from pydantic import BaseModel, Field
from qiskit import QuantumCircuit

app = FastAPI()


class GateRequest(BaseModel):
    qubit: int = Field(ge=0, le=9)
    theta: float  # <- here
    phi: Optional[float] = None  # <- here
    params: List[float] = Field(default_factory=list, max_length=3)  # <- here


@app.post("/rotate")
def rotate(gate: GateRequest):
    qc = QuantumCircuit(10)
    qc.ry(gate.theta, gate.qubit)  # <- here
    return {"depth": qc.depth()}
""",
    ),
    Example(
        name="float() accepts nan, in a query",
        file="query.py",
        code="""
from flask import Flask, request
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

app = Flask(__name__)
angle = Parameter("angle")
template = QuantumCircuit(1)
template.rx(angle, 0)


@app.get("/bound")
def bound():
    value = float(request.args.get("angle", "0"))
    ready = template.assign_parameters({angle: value})  # <- here
    return {"ops": ready.size()}
""",
    ),
    Example(
        name="A JSON file and the environment",
        file="replay.py",
        code="""
import json
import os
import cirq

with open("parameters.json") as handle:
    stored = json.load(handle)
qubit = cirq.LineQubit(0)
circuit = cirq.Circuit(
    cirq.rx(stored["theta"])(qubit),  # <- here
    cirq.rz(float(os.environ["PHASE"]))(qubit),  # <- here
)
""",
    ),
    Example(
        name="Over two files, braket",
        file="routes.py",
        code="""
from fastapi import APIRouter
from engine import expectation

router = APIRouter()


@router.get("/expectation")
def get(alpha: float, qubit: int = 0):
    return {"value": expectation(alpha)}
# file: engine.py
from braket.circuits import Circuit
from braket.devices import LocalSimulator


def expectation(alpha):
    program = Circuit().h(0).rx(0, alpha)  # <- here
    return LocalSimulator().run(program, shots=100).result().measurement_probabilities
""",
    ),
    Example(
        name="Parameters over the network, in a notebook",
        file="vqe.ipynb",
        code="""
# %%
import requests
from qiskit.circuit.library import RealAmplitudes
# %%
point = requests.get("https://example.org/best.json").json()["point"]
ansatz = RealAmplitudes(4)
bound = ansatz.assign_parameters(point)  # <- here
""",
    ),
)

_GOOD = (
    Example(
        name="A field with a range and without infinities",
        file="service.py",
        code="""
import math
from fastapi import FastAPI
from pydantic import BaseModel, Field
from qiskit import QuantumCircuit

app = FastAPI()
LIMIT = 4 * math.pi


class GateRequest(BaseModel):
    qubit: int = Field(ge=0, le=9)
    theta: float = Field(allow_inf_nan=False, ge=-LIMIT, le=LIMIT)


@app.post("/rotate")
def rotate(gate: GateRequest):
    qc = QuantumCircuit(10)
    qc.ry(gate.theta, gate.qubit)
    return {"depth": qc.depth()}
""",
    ),
    Example(
        name="isfinite and a comparison",
        file="query.py",
        code="""
import math
from flask import Flask, abort, request
from qiskit import QuantumCircuit

app = Flask(__name__)


@app.get("/bound")
def bound():
    value = float(request.args.get("angle", "0"))
    if not math.isfinite(value) or abs(value) > 4 * math.pi:
        abort(400)
    qc = QuantumCircuit(1)
    qc.rx(value, 0)
    return {"ops": qc.size()}
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Bounded before it gets there",
        file="bounded.py",
        code="""
import numpy as np
import pennylane as qml
from fastapi import FastAPI
from sklearn.preprocessing import MinMaxScaler

app = FastAPI()
dev = qml.device("default.qubit", wires=2)
scaler = MinMaxScaler((0, np.pi))


@qml.qnode(dev)
def circuit(a, b):
    qml.RX(a, wires=0)
    qml.RY(b, wires=1)
    return qml.expval(qml.PauliZ(0))


@app.post("/predict")
def predict(body: dict):
    first = np.tanh(body["x"]) * np.pi / 2
    second = scaler.transform([[body["y"]]])[0, 0]
    return {"y": float(circuit(first, second)), "z": float(circuit(np.clip(body["z"], 0, 3), 0.1))}
""",
    ),
    Example(
        name="Trained weights and constants",
        file="train.py",
        code="""
import pennylane as qml
from pennylane import numpy as np
from qiskit import QuantumCircuit

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(weights, x):
    qml.AngleEmbedding(x, wires=range(2))
    qml.RY(weights[0], wires=0)
    return qml.expval(qml.PauliZ(0))


weights = np.random.uniform(0, np.pi, 2)
print(circuit(weights, np.array([0.1, 0.2])))
qc = QuantumCircuit(1)
qc.rx(np.pi / 3, 0)
""",
    ),
    Example(
        name="Data models that have nothing to do with circuits, and answers",
        file="schemas.py",
        code="""
from pydantic import BaseModel


class Pose(BaseModel):
    x: float
    theta: float


class CircuitResponse(BaseModel):
    theta: float
    qubits: int


class JobRequest(BaseModel):
    qubits: int
    tolerance: float
    parameters: dict
""",
    ),
    Example(
        name="A validator of the data model",
        file="validated.py",
        code="""
import math
from pydantic import BaseModel, FiniteFloat, field_validator


class Rotation(BaseModel):
    qubit: int
    theta: float
    phi: FiniteFloat

    @field_validator("theta")
    @classmethod
    def finite(cls, value):
        if not math.isfinite(value):
            raise ValueError("theta must be finite")
        return value
""",
    ),
    Example(
        name="A number field of a page, and weights that the package ships",
        file="page.py",
        code="""
import json
import os
import streamlit as st
from qiskit import QuantumCircuit

qc = QuantumCircuit(1)
qc.rx(st.number_input("theta", 0.0, 6.3), 0)


def shipped(circuit):
    path = os.path.join(os.path.dirname(__file__), "models", "four.json")
    with open(path) as handle:
        return circuit.assign_parameters(json.load(handle))
""",
    ),
    Example(
        name="Whole numbers: wires, shots, layers",
        file="counts.py",
        code="""
from flask import Flask, request
from qiskit import QuantumCircuit

app = Flask(__name__)


@app.post("/ghz")
def ghz():
    n = min(int(request.form["n"]), 10)
    qc = QuantumCircuit(n)
    qc.h(0)
    for i in range(n - 1):
        qc.cx(i, i + 1)
    qc.rz(0.5, n - 1)
    return {"depth": qc.depth()}
""",
    ),
    Example(
        name="Reduced to one turn",
        file="turn.py",
        code="""
import math
from fastapi import FastAPI, HTTPException
import cirq

app = FastAPI()


@app.get("/z")
def z(angle: float):
    reduced = angle % (2 * math.pi)
    return {"gate": str(cirq.rz(reduced)(cirq.LineQubit(0)))}


@app.get("/y")
def y(angle: float):
    if not -10 <= angle <= 10:
        raise HTTPException(400, "angle: between -10 and 10")
    return {"gate": str(cirq.ry(angle)(cirq.LineQubit(0)))}
""",
    ),
    Example(
        name="A field that the handler checks",
        file="checked.py",
        code="""
import math
import pennylane as qml
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
dev = qml.device("default.qubit", wires=1)


class Turn(BaseModel):
    phi: float


@qml.qnode(dev)
def circuit(phi):
    qml.RX(phi, wires=0)
    return qml.expval(qml.PauliZ(0))


@app.post("/turn")
def turn(body: Turn):
    if not math.isfinite(body.phi) or abs(body.phi) > 4 * math.pi:
        raise HTTPException(422, "phi")
    return {"z": float(circuit(body.phi))}
""",
    ),
)

RULE = Rule(
    id="QSA106",
    title="Circuit parameter from outside without a finite and range check",
    severity="high",
    confidence="high",
    cwe=(20, 1284),
    frameworks=("any",),
    why="""A NaN in an angle becomes an answer, not an error. We measured: a PennyLane circuit with
shots returns the expectation value 1.0 for a NaN angle, and Aer returns the counts `{"1": 100}`.
Infinity and very large numbers do the same more quietly: sine and cosine of 1e16 are noise of the
floating point format, and a transpiler that adds angles changes them. JSON as Python reads it knows
`NaN` and `Infinity`, and `float("nan")` is a number. So a request can choose what a classifier
answers, and leave no trace in the log.""",
    remedy="Declare Field(allow_inf_nan=False, ge=-4*pi, le=4*pi), or test isfinite and a range.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "Pydantic: allow_inf_nan <https://docs.pydantic.dev/latest/api/fields/#pydantic.fields.Field>",
        "Python: json accepts NaN <https://docs.python.org/3/library/json.html#infinite-and-nan-number-values>",
    ),
    check=check,
)
