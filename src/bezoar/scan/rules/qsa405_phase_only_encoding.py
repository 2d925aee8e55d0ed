"""QSA405: features become phases of basis states, which no measurement sees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.circuit_walk import calls_of, gates_of, loop_names, shared_loops
from bezoar.scan.rules.encoders import is_feature
from bezoar.scan.rules.gates import Gate
from bezoar.scan.rules.roles import holds_features, is_weights, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: Calls that make a circuit whose wires are all in |0>.
_NEW_CIRCUITS: Final = frozenset(
    (
        *("qiskit.QuantumCircuit", "cirq.Circuit", "tensorcircuit.Circuit"),
        *("braket.circuits.Circuit", "torchquantum.QuantumDevice"),
    )
)
#: An argument of a new circuit that puts it into another state.
_STATE_ARGUMENTS: Final = ("inputs", "mps_inputs", "initial_state")
#: Kinds of gates after which phases are seen.
_MIXES: Final = ("mixing", "unknown")
_ENCODES: Final = re.compile(r"encod|embed|feature_?map", re.IGNORECASE)
_Z_LIST: Final = re.compile(r"\d+(?:x|_)r?z\Z|\d+xrz\Z", re.IGNORECASE)


def check(module: Module) -> Iterator[Hit]:
    """Reports diagonal gates that encode features before anything mixes the wires."""
    if module.is_test:
        return
    seen: set[int] = set()
    for function in (None, *module.functions):
        for circuit in _circuits(module, function):
            gates = [gate for gate in gates_of(module, function) if _is_of(gate, circuit)]
            for gate in _lost(module, gates):
                if id(gate.node) not in seen:
                    seen.add(id(gate.node))
                    yield _hit(gate.node, gate.shown, _features(module, gate))
    for call in module.calls_to("torchquantum.GeneralEncoder"):
        yield from _torchquantum(module, call)


def _hit(node: ast.Call, shown: str, what: str) -> Hit:
    return Hit(
        where=node,
        message=(
            f"`{shown}` puts `{what}` into the phase of a basis state: every input gives the same "
            "probabilities"
        ),
    )


def _circuits(module: Module, function: Function | None) -> Iterator[str]:
    """The circuits that begin in this function: "" for a QNode or Cirq, else their names."""
    if function is not None and function.is_qnode and _is_circuit(function):
        yield ""
        return
    names: set[str] = set()
    for call in calls_of(module, function):
        if call.name not in _NEW_CIRCUITS:
            continue
        if any(call.argument_node(None, name) is not None for name in _STATE_ARGUMENTS):
            continue
        names.add(
            "" if call.name.startswith(("cirq.", "torchquantum.")) else _assigned_to(module, call)
        )
    yield from sorted(names)


def _is_circuit(function: Function) -> bool:
    """Whether a function is a QNode itself: it returns measurements, or is decorated."""
    if any(name.endswith("qnode") for name in function.decorators):
        return True
    returned = [ast.unparse(node) for node, _ in function.returns]
    return any(
        word in text
        for text in returned
        for word in ("expval(", "probs(", "sample(", "counts(", ".var(", "state()")
    )


def _assigned_to(module: Module, call: Call) -> str:
    statement = module.statement_of(call.node)
    if isinstance(statement, ast.Assign) and statement.value is call.node:
        return ast.unparse(statement.targets[0])
    # Circuit().rz(0, x): the chain is its own circuit.
    return ast.unparse(call.node)


def _is_of(gate: Gate, circuit: str) -> bool:
    return gate.circuit in ("", circuit) if circuit == "" else gate.circuit == circuit


def _lost(module: Module, gates: list[Gate]) -> Iterator[Gate]:
    """The gates that encode features into nothing."""
    first = next((i for i, gate in enumerate(gates) if gate.kind in _MIXES), len(gates))
    later = gates[first:]
    seen_later = {_plain(angle) for gate in later for angle in gate.angles}
    for gate in gates[:first]:
        if gate.kind != "diagonal" or gate.conditional or not _features(module, gate):
            continue
        # A gate after the first superposition is seen; it may encode the same features.
        if any(_plain(angle) in seen_later for angle in gate.angles):
            continue
        if not _is_uploaded_again(gate, later):
            yield gate


def _features(module: Module, gate: Gate) -> str:
    """The features in a gate's angle, as text; "" where they are weights or constants."""
    for angle in gate.angles:
        names = list(names_in(angle))
        if not names or any(is_weights(name) for name in names):
            continue
        call = module.call(gate.node)
        if call is not None and is_feature(module, call, angle):
            return ast.unparse(angle)
        function = module.function_of(gate.node)
        encodes = function is not None and _ENCODES.search(function.name)
        if holds_features(angle) or (encodes and not module.value(angle).fixed):
            return ast.unparse(angle)
    return ""


def _is_uploaded_again(gate: Gate, later: list[Gate]) -> bool:
    """Whether a loop around the gate mixes the wires before the gate comes again."""
    for other in later:
        if other.kind not in _MIXES:
            continue
        for loop in shared_loops(gate, other):
            # In a loop over wires each turn is about another wire, which is still in |0>.
            over_wires = bool(loop_names(loop) & _words(gate.wires))
            if not over_wires or (other.wires != gate.wires and _names_wire(loop, other)):
                return True
    return False


def _names_wire(loop: ast.AST, other: Gate) -> bool:
    return bool(loop_names(loop) & _words(other.wires))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))


def _plain(angle: ast.expr) -> str:
    """The feature in an angle, without factors: ``2 * np.pi * x[i]`` is about ``x[i]``."""
    for node in ast.walk(angle):
        if isinstance(node, ast.Subscript) and holds_features(node):
            return ast.unparse(node)
    return ",".join(sorted(set(names_in(angle))))


def _torchquantum(module: Module, call: Call) -> Iterator[Hit]:
    """``tq.GeneralEncoder([{"func": "rz", ...}, ...])``: the list is the circuit."""
    argument = call.argument_node(0, "func_list")
    if argument is None:
        return
    if isinstance(argument, ast.Subscript) and isinstance(argument.slice, ast.Constant):
        # One of the lists that TorchQuantum ships, by its name.
        name = str(argument.slice.value)
        if "encoder_op_list" in ast.unparse(argument.value) and _Z_LIST.fullmatch(name):
            yield _hit(call.node, "GeneralEncoder", name)
        return
    functions = [
        value.value
        for node in ast.walk(argument)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "func" and isinstance(value, ast.Constant)
    ]
    # Gates before the encoder, in `forward`, may have mixed the wires.
    mixed = any(each.name.startswith("torchquantum.functional.") for each in module.calls)
    if functions and not mixed and set(functions) <= {"rz", "phaseshift", "u1"}:
        yield _hit(call.node, "GeneralEncoder", f"{functions[0]} of all features")


RULE = Rule(
    id="QSA405",
    title="Features are encoded as phases of |0> and dropped in silence",
    severity="medium",
    confidence="high",
    cwe=(682,),
    frameworks=("pennylane", "qiskit", "cirq", "torchquantum", "braket", "tensorcircuit"),
    why=(
        "RZ, a phase shift and every other diagonal gate give a basis state nothing but a phase, "
        "which no measurement sees. Features that are encoded so on wires in |0> are dropped: the "
        "model gives identical probabilities for every input (measured), trains on noise, and "
        "any input passes as any other. The code looks right because the same line after a "
        "Hadamard gate is the usual feature map.\n\n"
        "The rule follows the gates of a circuit from its beginning, through loops and functions "
        "of the same file, and stops at the first gate that makes superpositions."
    ),
    remedy="Put a Hadamard or RY gate before the phase, or encode with RX or RY.",
    bad=(
        Example(
            name='rotation="Z" as the first gate',
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev, interface="torch")
def qlayer(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(4), rotation="Z")  # <- here
    qml.BasicEntanglerLayers(weights, wires=range(4))
    return [qml.expval(qml.PauliZ(i)) for i in range(4)]
""",
        ),
        Example(
            name="a loop over wires, in Qiskit, with the Hadamards after it",
            file="kernel.py",
            code="""\
import numpy as np
from qiskit import QuantumCircuit


def feature_circuit(x):
    n = len(x)
    qc = QuantumCircuit(n)
    for i in range(n):
        qc.rz(np.pi * x[i], i)  # <- here
    for i in range(n - 1):
        qc.cx(i, i + 1)
    qc.measure_all()
    return qc
""",
        ),
        Example(
            name="the encoder is a function of its own",
            file="vqc.py",
            code="""\
import pennylane as qml
from pennylane import numpy as np

n_qubits = 2
dev = qml.device("default.qubit", wires=n_qubits)


def encode(data):
    for wire in range(n_qubits):
        qml.PhaseShift(data[wire], wires=wire)  # <- here


def ansatz(weights):
    qml.StronglyEntanglingLayers(weights, wires=range(n_qubits))


@qml.qnode(dev)
def classifier(weights, data):
    encode(data)
    ansatz(weights)
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="different features by Z and by Y: the first half is dropped",
            file="two.ipynb",
            code="""\
# %%
import pennylane as qml
dev = qml.device("default.qubit", wires=2)
# %%
@qml.qnode(dev)
def circuit(x, weights):
    qml.AngleEmbedding(x[:2], wires=range(2), rotation='Z')  # <- here
    qml.AngleEmbedding(x[2:], wires=range(2), rotation='Y')
    qml.BasicEntanglerLayers(weights, wires=range(2))
    return qml.probs(wires=range(2))
""",
        ),
        Example(
            name="Cirq and TorchQuantum",
            file="others.py",
            code="""\
import cirq
import torchquantum as tq


def encode(sample, qubits):
    circuit = cirq.Circuit()
    for i, qubit in enumerate(qubits):
        circuit.append(cirq.rz(sample[i])(qubit))  # <- here
    circuit.append(cirq.measure(*qubits))
    return circuit


class Model(tq.QuantumModule):
    def __init__(self):
        super().__init__()
        self.encoder = tq.GeneralEncoder(  # <- here
            [{"input_idx": [i], "func": "rz", "wires": [i]} for i in range(4)]
        )
# file: forward.py
import torchquantum as tq
import torchquantum.functional as tqf


class Layer(tq.QuantumModule):
    def forward(self, x):
        device = tq.QuantumDevice(n_wires=2, bsz=x.shape[0])
        for i in range(2):
            tqf.rz(device, wires=i, params=x[:, i])  # <- here
        self.ansatz(device)
        return self.measure(device)
""",
        ),
    ),
    good=(
        Example(
            name="Hadamards first",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev, interface="torch")
def qlayer(inputs, weights):
    for wire in range(4):
        qml.Hadamard(wires=wire)
    qml.AngleEmbedding(inputs, wires=range(4), rotation="Z")
    qml.BasicEntanglerLayers(weights, wires=range(4))
    return [qml.expval(qml.PauliZ(i)) for i in range(4)]
""",
        ),
    ),
    look_alikes=(
        Example(
            name="RZ after RY on the same wire, in one loop",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=4)


@qml.qnode(dev)
def circuit(x):
    for i in range(4):
        qml.RY(x[i], wires=i)
        qml.RZ(x[i], wires=i)
    return qml.probs(wires=range(4))
""",
        ),
        Example(
            name="data re-uploading: the second layer sees the features",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=3)


@qml.qnode(dev)
def circuit(weights, x):
    for w in weights:
        qml.AngleEmbedding(x, wires=range(3), rotation="Z")
        qml.StronglyEntanglingLayers(w, wires=range(3))
    return qml.expval(qml.PauliZ(0))
""",
        ),
        Example(
            name="the superposition is made in another function, or by broadcast",
            code="""\
import pennylane as qml

n = 3
dev = qml.device("default.qubit", wires=n)


def superpose():
    for i in range(n):
        qml.Hadamard(wires=i)


@qml.qnode(dev)
def one(x):
    superpose()
    qml.AngleEmbedding(x, wires=range(n), rotation="Z")
    return qml.expval(qml.PauliX(0))


@qml.qnode(dev)
def two(x):
    qml.broadcast(unitary=qml.Hadamard, wires=range(n), pattern="single")
    qml.AngleEmbedding(x, wires=range(n), rotation="Z")
    return qml.expval(qml.PauliX(0))


def layer(x, wires):
    for i, wire in enumerate(wires):
        qml.Hadamard(wires=[wire])
        qml.RZ(x[i], wires=[wire])
""",
        ),
        Example(
            name="a helper that gets a circuit it did not make",
            file="map.py",
            code="""\
from qiskit import QuantumCircuit


def add_phases(qc, x):
    for i in range(qc.num_qubits):
        qc.rz(2 * x[i], i)
    return qc


def build(x):
    qc = QuantumCircuit(len(x))
    qc.h(range(len(x)))
    for i in range(len(x)):
        qc.p(2 * x[i], i)
    return qc
""",
        ),
        Example(
            name="a weight's RZ, a constant RZ",
            code="""\
import pennylane as qml

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(params, x):
    qml.RZ(params[0], wires=0)
    qml.RZ(0.3, wires=1)
    qml.AngleEmbedding(x, wires=range(2), rotation="Y")
    return qml.expval(qml.PauliZ(0))
""",
        ),
    ),
    references=(
        "AngleEmbedding <https://docs.pennylane.ai/en/stable/code/api/pennylane.AngleEmbedding.html>",
        "Supervised learning with quantum-enhanced feature spaces <https://arxiv.org/abs/1804.11326>",
    ),
    check=check,
    keywords=(
        *("AngleEmbedding", "RZ", "rz", "PhaseShift", ".p(", ".u1(", "GeneralEncoder", "ZPow"),
        *("MultiRZ", "U1("),
    ),
)
