"""QSA602: what a client sends decides how a circuit is compiled."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

#: Compilers to where their first option is, after circuits and backend; None for keywords alone.
_COMPILERS: Final[dict[str, tuple[str, ...]]] = {
    "qiskit.transpile": (
        "",
        "",
        "basis_gates",
        "",
        "coupling_map",
        "backend_properties",
        "initial_layout",
    ),
    "qiskit.execute": ("", "", "basis_gates", "coupling_map"),
    "qiskit.transpiler.generate_preset_pass_manager": ("optimization_level",),
    "qiskit.transpiler.preset_passmanagers.generate_preset_pass_manager": ("optimization_level",),
    "qiskit.transpiler.PassManagerConfig": (),
    "qiskit.transpiler.passmanager_config.PassManagerConfig": (),
    "qiskit.utils.QuantumInstance": (),
    "pennylane.transforms.transpile": ("", "coupling_map"),
    "pytket.passes.DefaultMappingPass": ("coupling_map",),
    "qiskit_machine_learning.utils.QuantumInstance": (),
}
#: Methods that compile, whose receiver is hardly ever known.
_METHODS: Final = frozenset({"transpile", "get_compiled_circuit", "generate_preset_pass_manager"})
#: Options that change the compiled circuit, or how long the compiler takes.
_OPTIONS: Final = frozenset(
    (
        *("optimization_level", "coupling_map", "basis_gates", "initial_layout", "layout_method"),
        *("routing_method", "translation_method", "scheduling_method", "backend_properties"),
        *("instruction_durations", "approximation_degree", "timing_constraints", "target"),
        *("unitary_synthesis_method", "unitary_synthesis_plugin_config", "hls_config", "dt"),
        *("optimization_method", "init_method", "inst_map", "pass_manager", "transpile_options"),
    )
)
_CHECKED: Final = frozenset({"listed", "checked", "range"})


def check(module: Module) -> Iterator[Hit]:
    """Every compiler call with an option that a client sent and nobody checked."""
    if module.is_test:
        return
    for call in module.calls:
        positions = _positions(call)
        if positions is None:
            continue
        given = [
            (name, value)
            for name, value in _options(call, positions)
            if value.comes_from("request") and _CHECKED.isdisjoint(value.marks)
        ]
        if given:
            yield _hit(module, call, given)


def _positions(call: Call) -> tuple[str, ...] | None:
    """The names of a compiler's positional arguments, None for a call that compiles nothing."""
    if call.name in _COMPILERS:
        return _COMPILERS[call.name]
    if call.method == "generate_preset_pass_manager":
        return ("optimization_level",)
    if call.method in _METHODS and ":" not in call.name:
        # Anything that is called like it and takes its options.
        return () if _OPTIONS & call.keywords.keys() else None
    return None


def _options(call: Call, positions: tuple[str, ...]) -> Iterator[tuple[str, Value]]:
    for name, value in zip(positions, call.args, strict=False):
        if name:
            yield name, value
    for name, value in call.keywords.items():
        if name in _OPTIONS or name.startswith("**"):
            yield name, value


def _hit(module: Module, call: Call, given: list[tuple[str, Value]]) -> Hit:
    names = [f"`{name}`" if not name.startswith("**") else "every option" for name, _ in given]
    several = len(names) > 1 or names == ["every option"]
    value = given[0][1]
    shown = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    what = ast.unparse(call.node.func)
    verb = "come" if several and names != ["every option"] else "comes"
    return Hit(
        where=call.node,
        message=f"{shown[0].upper()}{shown[1:]} of `{what}()` {verb} from the request unchecked.",
        flow=module.flow(value, ("request",), call.node, f"is given to {call.method}()"),
        source=value,
    )


_BAD = (
    Example(
        name="Fields of the request body",
        file="compile.py",
        code="""
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit, transpile

app = FastAPI()


class CompileRequest(BaseModel):
    optimization_level: int = 1
    coupling_map: list[list[int]] | None = None
    basis_gates: list[str] | None = None


@app.post("/compile")
def compile_circuit(req: CompileRequest):
    circuit = QuantumCircuit(2)
    out = transpile(  # <- here
        circuit,
        basis_gates=req.basis_gates,
        coupling_map=req.coupling_map,
        optimization_level=req.optimization_level,
    )
    return {"depth": out.depth()}
""",
    ),
    Example(
        name="Flask: a level, a layout, a coupling map that is built first",
        file="server.py",
        code="""
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit, execute, transpile
from qiskit.transpiler import CouplingMap
from qiskit_aer import AerSimulator

app = Flask(__name__)
backend = AerSimulator()


@app.route("/transpile", methods=["POST"])
def transpiled():
    data = request.get_json()
    circuit = QuantumCircuit(3)
    level = int(data.get("optimization_level", 1))
    coupling = CouplingMap(data["coupling"])
    first = transpile(circuit, backend, optimization_level=level)  # <- here
    second = transpile(circuit, coupling_map=coupling)  # <- here
    job = execute(circuit, backend, initial_layout=request.json["layout"])  # <- here
    return jsonify([first.depth(), second.depth(), job.job_id()])
""",
    ),
    Example(
        name="A helper in another file, a pass manager, options as a dict",
        file="api.py",
        code="""
from fastapi import APIRouter
from compiler import compiled

router = APIRouter()


@router.post("/jobs")
async def submit(body: dict):
    return {"size": compiled(body["level"], body["options"]).size()}
# file: compiler.py
from qiskit import QuantumCircuit, transpile
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from qiskit_ibm_runtime.fake_provider import FakeManilaV2


def compiled(level, options):
    circuit = QuantumCircuit(2)
    manager = generate_preset_pass_manager(level, FakeManilaV2())  # <- here
    return transpile(manager.run(circuit), **options)  # <- here
""",
    ),
)

_GOOD = (
    Example(
        name="Limits in the model, the rest from the target",
        file="compile.py",
        code="""
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

app = FastAPI()
BACKEND = AerSimulator()


class CompileRequest(BaseModel):
    optimization_level: int = Field(1, ge=0, le=2)
    layout_method: Literal["trivial", "sabre"] = "sabre"


@app.post("/compile")
def compile_circuit(req: CompileRequest):
    out = transpile(
        QuantumCircuit(2),
        BACKEND,
        layout_method=req.layout_method,
        optimization_level=req.optimization_level,
    )
    return {"depth": out.depth()}
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="A local script",
        file="run.py",
        code="""
import argparse

from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

parser = argparse.ArgumentParser()
parser.add_argument("--level", type=int, default=1)
args = parser.parse_args()


def run_bell(backend, a, b):
    n = backend.num_qubits
    circuit = QuantumCircuit(n, 2)
    circuit.h(a)
    out = transpile(
        circuit,
        backend=backend,
        initial_layout=list(range(n)),
        optimization_level=args.level,
        seed_transpiler=1,
    )
    return backend.run(out, shots=100)


run_bell(AerSimulator(), 0, 1)
""",
    ),
    Example(
        name="A level that is checked, a gate set of a table",
        file="checked.py",
        code="""
from flask import Flask, abort, request
from qiskit import QuantumCircuit, transpile

app = Flask(__name__)
GATES = {"ibm": ["rz", "sx", "x", "cx"], "ion": ["rx", "ry", "rxx"]}
LEVELS = (0, 1, 2)


@app.post("/compile")
def compiled():
    level = request.json["level"]
    if level not in LEVELS:
        abort(400)
    effort = min(int(request.json["effort"]), 2)
    first = transpile(QuantumCircuit(1), basis_gates=GATES["ibm"], optimization_level=level)
    second = transpile(QuantumCircuit(1), optimization_level=effort)
    return {"depth": first.depth() + second.depth()}
""",
    ),
    Example(
        name="The circuit comes with the request, the options do not",
        file="fixed.py",
        code="""
from fastapi import FastAPI
from qiskit import qasm2, transpile
from qiskit_aer import AerSimulator

app = FastAPI()
SIMULATOR = AerSimulator()


@app.post("/run")
def run(body: dict):
    circuit = qasm2.loads(body["qasm"], include_path=())
    compiled = transpile(circuit, SIMULATOR, optimization_level=1, seed_transpiler=7)
    return {"depth": compiled.depth(), "label": body["label"]}
""",
    ),
    Example(
        name="A library function",
        file="qlib/compile.py",
        code="""
from qiskit import transpile


def compiled(circuit, coupling_map=None, optimization_level=1):
    return transpile(circuit, coupling_map=coupling_map, optimization_level=optimization_level)
""",
    ),
)

RULE = Rule(
    id="QSA602",
    title="Transpiler options come from the request",
    severity="low",
    confidence="high",
    cwe=(20, 400),
    frameworks=("qiskit", "pennylane"),
    why="""The options of a transpiler decide how long it works and what it gives. With Qiskit 2.6 a
quantum-volume circuit of 60 qubits and 60 layers on a line took 0.5 seconds at optimisation level 0
and 20 seconds at level 3 in our trial, so one small request can keep a core busy. A coupling map
with no path between two qubits, or a basis without an entangling gate, makes the call fail. A
layout that fits but was not chosen for the device gives a circuit on qubits whose calibration
nobody looked at: its result is not comparable with others, and no error says so.

Take gate set, coupling and layout from the target, and let a client choose from a short list.""",
    remedy="Take them from the backend's target; accept a level of 0 to 2 and named methods alone.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-20 <https://cwe.mitre.org/data/definitions/20.html>",
        "Qiskit: transpile <https://quantum.cloud.ibm.com/docs/api/qiskit/compiler>",
    ),
    check=check,
    keywords=(
        "transpile",
        "execute",
        "preset_pass_manager",
        "PassManagerConfig",
        "QuantumInstance",
    ),
)
