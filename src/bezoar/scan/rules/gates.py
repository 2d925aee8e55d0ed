"""Gates of all frameworks: what a call applies, to which wires, and what that does to states."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: What a gate does to states of the computational basis: a phase, another basis state, or a
#: superposition. ``unknown`` is a call that may apply anything.
GateKind = Literal["diagonal", "permutation", "mixing", "readout", "unknown"]

QUANTUM_PACKAGES: Final = (
    *("pennylane", "qiskit", "qiskit_aer", "qiskit_ibm_runtime", "qiskit_machine_learning"),
    *("qiskit_algorithms", "cirq", "tensorflow_quantum", "torchquantum", "braket"),
    *("tensorcircuit", "qiskit_ibm_provider", "qulacs", "pyquil", "mindquantum"),
)

_DIAGONAL = frozenset(
    (
        *("rz", "phaseshift", "p", "u1", "z", "pauliz", "s", "t", "sdg", "tdg", "cz", "ccz"),
        *("crz", "cp", "cphase", "controlledphaseshift", "cphaseshift", "multirz", "isingzz"),
        *("rzz", "diagonalqubitunitary", "diagonal", "zpowgate", "zzpowgate", "zz", "cu1", "cs"),
        *("globalphase", "identity", "id", "i", "barrier", "snapshot", "delay", "wirecut", "phase"),
        *("rzgate", "phasegate", "u1gate", "sd", "td"),
    )
)
_PERMUTATION = frozenset(
    (
        *("x", "paulix", "y", "pauliy", "cnot", "cx", "cy", "ccx", "toffoli", "swap", "cswap"),
        *("fredkin", "mcx", "multicontrolledx", "ccnot", "basisembedding", "basisstate"),
    )
)
_MIXING = frozenset(
    (
        *("h", "hadamard", "rx", "ry", "r", "rot", "u", "u2", "u3", "sx", "sxdg", "crx", "cry"),
        *("crot", "rxx", "ryy", "isingxx", "isingyy", "isingxy", "ch", "cu", "cu3", "v", "iswap"),
        *("initialize", "prepare_state", "unitary", "rxgate", "rygate", "ugate", "hgate", "gpi"),
        *("gpi2", "any", "exp1", "append", "compose", "xx", "yy"),
    )
)
#: Rotations with an angle, diagonal ones included.
_ROTATIONS = frozenset(
    (
        *("rx", "ry", "rz", "rot", "u", "u1", "u2", "u3", "p", "phaseshift", "phase", "crx", "cry"),
        *("crz", "cp", "cphase", "controlledphaseshift", "multirz", "isingzz", "isingxx", "rzz"),
        *("rxx", "ryy", "isingyy", "r", "rxgate", "rygate", "rzgate", "phasegate", "crot"),
    )
)
#: What ends a circuit, or looks at it.
READOUTS: Final = frozenset(
    (
        *("measure", "measure_all", "measure_active", "measure_each", "expval", "probs", "sample"),
        *(
            "counts",
            "state",
            "var",
            "density_matrix",
            "expectation",
            "measurement",
            "expectation_ps",
        ),
    )
)
#: Members of pennylane that are called inside a circuit and apply nothing.
_PENNYLANE_NO_GATES = frozenset(
    ("Barrier", "Snapshot", "WireCut", "numpy", "math", "shape", "device", "QNode", "qnode", "draw")
)
_CIRCUITS: Final = {
    "qiskit.QuantumCircuit": "qiskit",
    "tensorcircuit.Circuit": "tensorcircuit",
    "tensorcircuit.DMCircuit": "tensorcircuit",
    "braket.circuits.Circuit": "braket",
}
_TORCHQUANTUM = ("torchquantum.functional.", "torchquantum.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate in a circuit's code.

    Attributes:
        name: in lower case, "rz"; an embedding as "angleembedding".
        shown: as it is written.
        kind: what it does to basis states.
        node: its call.
        angles: the arguments that are no wires.
        wires: the wires, as text.
        circuit: the text of the object that it is applied to, "" for PennyLane and Cirq.
        loops: the loops around it, the outermost first.
        conditional: it stands in a branch.
    """

    name: str
    shown: str
    kind: GateKind
    node: ast.Call
    angles: tuple[ast.expr, ...] = ()
    wires: str = ""
    circuit: str = ""
    loops: tuple[ast.AST, ...] = ()
    conditional: bool = False

    @property
    def is_rotation(self) -> bool:
        """Whether it turns by an angle."""
        return self.name in _ROTATIONS


def kind_of(name: str) -> GateKind | None:
    """The kind of a gate's name in lower case, None where it is no gate's.

    Example:
        >>> kind_of("rz"), kind_of("cnot"), kind_of("ry"), kind_of("fit")
        ('diagonal', 'permutation', 'mixing', None)
    """
    if name in _DIAGONAL:
        return "diagonal"
    if name in _PERMUTATION:
        return "permutation"
    if name in _MIXING:
        return "mixing"
    return "readout" if name in READOUTS else None


def gate_of(module: Module, call: Call) -> Gate | None:
    """The gate that a call applies, None where it applies none."""
    if call.name.startswith("pennylane."):
        return _pennylane(call)
    if call.name.startswith("cirq."):
        return _cirq(module, call)
    if call.name.startswith(_TORCHQUANTUM):
        return _torchquantum(call)
    return _method(module, call)


def _pennylane(call: Call) -> Gate | None:
    member = call.name.removeprefix("pennylane.")
    if "." in member or member in _PENNYLANE_NO_GATES:
        return None
    name = member.lower()
    kind = kind_of(name)
    if name == "angleembedding":
        axis = call.argument(None, "rotation")
        rotation = axis.literal if axis is not None else "X"
        kind = "diagonal" if rotation in ("Z", "z") else "mixing"
    elif kind is None:
        kind = "unknown"
    wires = call.argument_node(None, "wires")
    plain = list(call.node.args)
    if wires is None and len(plain) > 1:
        wires = plain.pop()
    angles = plain + [
        keyword.value
        for keyword in call.node.keywords
        if keyword.arg in ("phi", "theta", "omega", "delta", "features", "weights")
    ]
    return Gate(
        name=name,
        shown=f"qml.{member}",
        kind=kind,
        node=call.node,
        angles=tuple(angles),
        wires="" if wires is None else ast.unparse(wires),
    )


def _cirq(module: Module, call: Call) -> Gate | None:
    member = call.name.removeprefix("cirq.")
    name = member.lower()
    kind = kind_of(name)
    if kind is None or "." in member:
        return None
    node, wires = call.node, list(call.node.args)
    angles: list[ast.expr] = []
    # cirq.rz(angle)(qubit) and cirq.rz(angle).on(qubit): the wires come with the outer call.
    parent = module.parent(node)
    if isinstance(parent, ast.Attribute) and parent.attr in ("on", "on_each"):
        parent = module.parent(parent)
    if isinstance(parent, ast.Call) and parent is not node and node not in parent.args:
        angles = [*node.args, *(keyword.value for keyword in node.keywords)]
        wires = list(parent.args)
    return Gate(
        name=name,
        shown=call.name,
        kind=kind,
        node=node,
        angles=tuple(angles),
        wires=", ".join(map(ast.unparse, wires)),
    )


def _torchquantum(call: Call) -> Gate | None:
    head, _, member = call.name.rpartition(".")
    kind = kind_of(member.lower())
    # tq.RX(has_params=True) makes a gate; only functional ones and gates with a device apply it.
    if kind is None or (head != "torchquantum.functional" and not call.node.args):
        return None
    angle = call.argument_node(2, "params")
    wires = call.argument_node(1, "wires")
    return Gate(
        name=member.lower(),
        shown=member,
        kind=kind,
        node=call.node,
        angles=() if angle is None else (angle,),
        wires="" if wires is None else ast.unparse(wires),
    )


def _method(module: Module, call: Call) -> Gate | None:
    func = call.node.func
    if not isinstance(func, ast.Attribute):
        return None
    framework = _framework(module, call)
    if not framework:
        return None
    kind = kind_of(call.method.lower())
    if kind is None:
        return None
    arguments = list(call.node.args)
    angles, wires = _split(framework, call.method.lower(), arguments)
    for keyword in call.node.keywords:
        if keyword.arg in ("theta", "phi", "lam", "angle", "exponent", "alpha", "params"):
            angles.append(keyword.value)
        elif keyword.arg in ("qubit", "qubits", "qargs", "target", "index"):
            wires.append(keyword.value)
    return Gate(
        name=call.method.lower(),
        shown=f"{ast.unparse(_root(func.value))}.{call.method}",
        kind=kind,
        node=call.node,
        angles=tuple(angles),
        wires=", ".join(map(ast.unparse, wires)),
        circuit=ast.unparse(_root(func.value)),
    )


def _framework(module: Module, call: Call) -> str:
    head = call.name.rpartition(".")[0]
    known = _CIRCUITS.get(head)
    if known is not None:
        return known
    if head != "?":
        return ""
    for package in ("qiskit", "tensorcircuit", "braket"):
        if module.imports_any(package):
            return package
    return ""


def _split(
    framework: str, name: str, arguments: list[ast.expr]
) -> tuple[list[ast.expr], list[ast.expr]]:
    """The angles and the wires among positional arguments."""
    if name not in _ROTATIONS and name not in ("initialize", "prepare_state", "append"):
        return [], arguments
    if framework == "qiskit":
        count = {"u": 3, "u3": 3, "u2": 2, "r": 2}.get(name, 1)
        return arguments[:count], arguments[count:]
    return arguments[1:], arguments[:1]


def _root(node: ast.expr) -> ast.expr:
    # Circuit().h(0).rz(0, a): all of the chain is one circuit.
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if not isinstance(node.func.value, ast.Call | ast.Name):
            break
        node = node.func.value
    return node
