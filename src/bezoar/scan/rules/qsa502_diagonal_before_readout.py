"""QSA502: parameters of diagonal gates right before a readout in Z change nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.circuit_walk import gates_of
from bezoar.scan.rules.gates import Gate
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

_MEASUREMENTS: Final = frozenset(("expval", "probs", "sample", "counts", "var"))
_Z: Final = frozenset(("PauliZ", "Z", "Identity", "Projector"))
#: Measurements of qiskit and cirq that end a circuit.
_READS_OUT: Final = frozenset(("measure_all", "measure", "measure_active"))


def check(module: Module) -> Iterator[Hit]:
    """Reports diagonal gates with parameters after which nothing but Z is measured."""
    if module.is_test:
        return
    seen: set[int] = set()
    for function in (None, *module.functions):
        for gate, parameter in _dead(module, function):
            if id(gate.node) in seen:
                continue
            seen.add(id(gate.node))
            what = ast.unparse(parameter)
            yield Hit(
                where=gate.node,
                message=(
                    f"`{gate.shown}` by `{what}` has no effect: it commutes with everything up to "
                    "the measurement in Z"
                ),
            )


def _dead(module: Module, function: Function | None) -> Iterator[tuple[Gate, ast.expr]]:
    if function is not None and _measures_z(function):
        gates = gates_of(module, function)
        yield from _last_diagonals([gate for gate in gates if gate.kind != "readout"])
        return
    gates = gates_of(module, function)
    for circuit in {gate.circuit for gate in gates if gate.name in _READS_OUT}:
        mine = [gate for gate in gates if gate.circuit == circuit]
        ends = [index for index, gate in enumerate(mine) if gate.name in _READS_OUT]
        # A measurement in the middle, or in a branch, ends nothing.
        first = ends[0]
        last = all(gate.kind == "readout" for gate in mine[first:]) and not mine[first].conditional
        if last and _is_made_in(module, function, circuit):
            yield from _last_diagonals(mine[:first])


def _last_diagonals(gates: list[Gate]) -> Iterator[tuple[Gate, ast.expr]]:
    for gate in reversed(gates):
        if gate.kind not in ("diagonal", "permutation"):
            return
        if gate.is_rotation and gate.kind == "diagonal" and not gate.conditional:
            parameter = _parameter(gate)
            if parameter is not None:
                yield gate, parameter


def _parameter(gate: Gate) -> ast.expr | None:
    """The angle that is a parameter, None where all angles are numbers."""
    for angle in gate.angles:
        names = {last_name(node) for node in ast.walk(angle)} - {"", "np", "math", "pi", "pnp"}
        if names:
            return angle
    return None


def _is_made_in(module: Module, function: Function | None, circuit: str) -> bool:
    """Whether the circuit is made here, so that all of it is seen."""
    if circuit == "":
        return any(
            call.name == "cirq.Circuit" and call.function is function for call in module.calls
        )
    return any(
        module.function_of(assign) is function
        and isinstance(assign, ast.Assign)
        and any(ast.unparse(target) == circuit for target in assign.targets)
        and isinstance(assign.value, ast.Call)
        and last_name(assign.value.func) in ("QuantumCircuit", "Circuit")
        for assign in module.nodes(ast.Assign)
    )


def _measures_z(function: Function) -> bool:
    """Whether all that a QNode returns is measured in the computational basis."""
    if not (function.is_qnode or any(name.endswith("qnode") for name in function.decorators)):
        return False
    returned = [node for node, _ in function.returns]
    return bool(returned) and all(_is_z(node) for node in returned)


def _is_z(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and all(_is_z(part) for part in node.elts)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _is_z(node.elt)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_z(node.left) and _is_z(node.right)
    if not isinstance(node, ast.Call):
        return False
    called = last_name(node.func)
    if called in ("tuple", "list") and len(node.args) == 1:
        return _is_z(node.args[0])
    if called not in _MEASUREMENTS:
        return False
    observable = node.args[0] if node.args else None
    for keyword in node.keywords:
        if keyword.arg == "op":
            observable = keyword.value
    if called in ("probs", "sample", "counts") and (
        observable is None or not isinstance(observable, ast.Call | ast.BinOp | ast.Name)
    ):
        return True
    if called == "probs":
        # probs(range(4)), probs(wires): wires, not an observable.
        return not (isinstance(observable, ast.Call) and _has_observable(observable))
    return observable is not None and _is_z_observable(observable)


def _has_observable(node: ast.Call) -> bool:
    return last_name(node.func) not in ("range", "list", "tuple")


def _is_z_observable(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Add | ast.Sub):
        return _is_z_observable(node.left) and _is_z_observable(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _is_z_observable(node.right) or _is_z_observable(node.left)
    if not isinstance(node, ast.Call):
        return False
    if last_name(node.func) == "prod":
        return all(_is_z_observable(argument) for argument in node.args)
    return last_name(node.func) in _Z


RULE = Rule(
    id="QSA502",
    title="Diagonal gate right before a readout in Z: dead parameters",
    severity="low",
    confidence="high",
    cwe=(563,),
    frameworks=("pennylane", "qiskit", "cirq", "braket"),
    why=(
        "RZ, phase shifts and their controlled forms are diagonal, CNOT and CZ keep them so, and "
        "a measurement in Z does not see them. The angles of such gates in the last layer have "
        "gradient 0: they are counted, stored and transferred as trained parameters, they make "
        "gradients look flatter than they are, and a watermark or a secret can be kept in them "
        "that no test of the model's behaviour finds.\n\n"
        "The rule walks a circuit backwards from its measurements, through loops, to the first "
        "gate that is neither diagonal nor a permutation. In a loop over layers it is the last "
        "layer's angles that are dead."
    ),
    remedy="Leave the last diagonal gates out, end with RY, or measure X and Y too.",
    bad=(
        Example(
            name="RZ last, then a ring of CNOTs and PauliZ",
            code="""\
import pennylane as qml

n = 4
dev = qml.device("default.qubit", wires=n)


@qml.qnode(dev)
def circuit(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(n))
    for layer in range(3):
        for i in range(n):
            qml.RY(weights[layer, i, 0], wires=i)
            qml.RZ(weights[layer, i, 1], wires=i)  # <- here
        for i in range(n):
            qml.CNOT(wires=[i, (i + 1) % n])
    return [qml.expval(qml.PauliZ(i)) for i in range(n)]
""",
        ),
        Example(
            name="a phase shift before probabilities",
            file="phase.ipynb",
            code="""\
# %%
import pennylane as qml
dev = qml.device("default.qubit", wires=2)
# %%
@qml.qnode(dev)
def circuit(theta):
    qml.Hadamard(wires=0)
    qml.CNOT(wires=[0, 1])
    qml.PhaseShift(theta[0], wires=0)  # <- here
    qml.CRZ(theta[1], wires=[0, 1])  # <- here
    return qml.probs(wires=[0, 1])
""",
        ),
        Example(
            name="Qiskit, with measure_all",
            file="ansatz.py",
            code="""\
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector


def ansatz(n):
    theta = ParameterVector("t", 2 * n)
    qc = QuantumCircuit(n)
    for i in range(n):
        qc.ry(theta[i], i)
    for i in range(n):
        qc.rz(theta[n + i], i)  # <- here
    qc.barrier()
    for i in range(n - 1):
        qc.cz(i, i + 1)
    qc.measure_all()
    return qc
""",
        ),
        Example(
            name="the layer is a function of its own",
            file="layers.py",
            code="""\
import pennylane as qml

dev = qml.device("lightning.qubit", wires=2)


def entangle():
    qml.CNOT(wires=[0, 1])


def layer(w):
    qml.RX(w[0], wires=0)
    qml.RX(w[1], wires=1)
    qml.RZ(w[2], wires=0)  # <- here
    entangle()


@qml.qnode(dev)
def model(x, weights):
    qml.AngleEmbedding(x, wires=[0, 1])
    for w in weights:
        layer(w)
    return qml.expval(qml.PauliZ(0) @ qml.PauliZ(1))
""",
        ),
    ),
    good=(
        Example(
            name="the last rotation is RY",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(weights):
    for w in weights:
        for i in range(2):
            qml.RZ(w[i, 0], wires=i)
            qml.RY(w[i, 1], wires=i)
        qml.CNOT(wires=[0, 1])
    return qml.expval(qml.PauliZ(0))
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a Hamiltonian with X and Y terms, or another basis",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)
H = qml.Hamiltonian([1.0, 0.5], [qml.PauliZ(0), qml.PauliX(1)])


@qml.qnode(dev)
def energy(params):
    qml.RY(params[0], wires=0)
    qml.RZ(params[1], wires=0)
    return qml.expval(H)


@qml.qnode(dev)
def in_x(params):
    qml.RY(params[0], wires=0)
    qml.RZ(params[1], wires=0)
    return qml.expval(qml.PauliX(0)), qml.expval(qml.PauliZ(0))


@qml.qnode(dev)
def whole_state(params):
    qml.RY(params[0], wires=0)
    qml.RZ(params[1], wires=0)
    return qml.state()
""",
        ),
        Example(
            name="a Hadamard between the phase and the readout",
            code="""\
from qiskit import QuantumCircuit


def ramsey(phi):
    qc = QuantumCircuit(1, 1)
    qc.h(0)
    qc.rz(phi, 0)
    qc.h(0)
    qc.measure(0, 0)
    return qc


def qaoa_layer(gamma, beta, n):
    qc = QuantumCircuit(n)
    for i in range(n - 1):
        qc.rzz(2 * gamma, i, i + 1)
    for i in range(n):
        qc.rx(2 * beta, i)
    qc.measure_all()
    return qc
""",
        ),
        Example(
            name="constant phases, and a fragment that is measured elsewhere",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def toffoli_tail():
    qc = QuantumCircuit(2, 2)
    qc.h(0)
    qc.p(np.pi / 4, 1)
    qc.rz(0.5, 0)
    qc.measure([0, 1], [0, 1])
    return qc


def fragment(theta):
    qc = QuantumCircuit(2)
    qc.ry(theta, 0)
    qc.rz(theta, 0)
    return qc
""",
        ),
        Example(
            name="a template follows whose gates are not seen",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(x, weights):
    qml.RZ(x[0], wires=0)
    qml.StronglyEntanglingLayers(weights, wires=range(2))
    return qml.expval(qml.PauliZ(0))


@qml.qnode(dev)
def inverse(x, undo):
    qml.RZ(x[0], wires=0)
    undo(x)
    return qml.expval(qml.PauliZ(0))
""",
        ),
    ),
    references=(
        (
            "Expressibility and entangling capability of parameterized quantum circuits "
            "<https://arxiv.org/abs/1905.10876>"
        ),
    ),
    check=check,
    keywords=(
        *("RZ(", "rz(", "PhaseShift(", "CRZ(", "crz(", ".p(", ".cp(", "MultiRZ(", "IsingZZ("),
        *("rzz(", "ControlledPhaseShift(", "U1(", "u1("),
    ),
)
