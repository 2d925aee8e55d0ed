"""What costs: shots, qubits, depth. How they are called, where they go, and what bounds them."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.gates import QUANTUM_PACKAGES

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value

#: What people call a number that makes a job longer or wider.
_SIZE_NAME: Final = re.compile(
    r"(?:n|num|nr|number|no|total|requested|max)?_?(?:of_)?"
    r"(?:shots?|qubits?|qbits?|wires|reps|repetitions|layers?|depth|circuit_depth|circuit_width|"
    r"trotter_steps|ansatz_(?:reps|layers|depth)|measurements)(?:_count)?|qubit_?(?:count|num)|"
    r"shot_?count|(?:n|num|no)(?:Shots|Qubits|Wires|Layers)|numberOf(?:Shots|Qubits)|nb_?(?:shots|qubits)",
    re.IGNORECASE,
)
_SHOTS: Final = frozenset(
    "shots n_shots num_shots nshots repetitions default_shots number_of_shots set_shots".split()
)
#: Keywords of functions that build or run circuits.
_SIZES: Final = _SHOTS | frozenset(
    "num_qubits n_qubits nqubits n_wires num_wires wires qubits qubit_count reps depth n_layers "
    "num_layers layers circuit_depth feature_dimension num_state_qubits num_ancilla".split()
)
#: Functions whose leading arguments are numbers of qubits, layers or shots: how many of them.
_LEADING: Final[dict[str, int]] = {
    "qiskit.QuantumCircuit": 1,
    "qiskit.QuantumRegister": 1,
    "qiskit.circuit.random.random_circuit": 2,
    "qiskit.circuit.random.random_clifford_circuit": 2,
    "qiskit.quantum_info.random_statevector": 1,
    "qiskit.quantum_info.random_clifford": 1,
    "cirq.LineQubit.range": 3,
    "cirq.GridQubit.square": 1,
    "cirq.GridQubit.rect": 2,
    "cirq.NamedQubit.range": 2,
    "cirq.testing.random_circuit": 2,
    "tensorcircuit.Circuit": 1,
    "torchquantum.QuantumDevice": 1,
    "qulacs.QuantumCircuit": 1,
    "qulacs.QuantumState": 1,
    "pennylane.set_shots": 2,
    "pyquil.get_qc": 0,
    "mindquantum.simulator.Simulator": 2,
}
_QUBITS: Final = frozenset({"cirq.LineQubit", "cirq.GridQubit", "cirq.NamedQubit", "cirq.q"})
#: Methods of circuits whose arguments say which qubits, not how many.
_PLACING: Final = frozenset("append compose barrier measure initialize unitary".split())
_LIBRARY: Final = "qiskit.circuit.library."
#: Calls of other packages that only show, store or convert what they are given.
_HARMLESS: Final = frozenset(dir(builtins)) | frozenset(
    "append extend get pop setdefault update format join info debug warning error exception log "
    "critical jsonify dumps render_template dict encode isoformat add_task put send emit write "
    "HTTPException abort validate uniform array asarray log2 sqrt ceil floor json "
    "model_dump".split()
)
_UPPER: Final = frozenset({"min", "clip", "clamp", "minimum", "clip_by_value"})
_BOUND_KEYWORDS: Final = frozenset({"le", "lt", "max_value", "max"})
#: Numbers that nobody means as an upper bound of shots or qubits.
_SMALL = 2


def is_size_name(name: str) -> bool:
    """Whether a name is one for shots, qubits, layers or depth.

    Example:
        >>> [is_size_name(name) for name in ("shots", "num_qubits", "n_layers", "snapshots", "job")]
        [True, True, True, False, False]
    """
    return _SIZE_NAME.fullmatch(name) is not None


def size_name(node: ast.AST | None) -> str:
    """What an expression is called: `shots` for ``req.shots`` and ``int(form.get("shots", 100))``.

    Example:
        >>> size_name(ast.parse('int(data["n_qubits"])', mode="eval").body)
        'n_qubits'
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call) and node.args:
        first = node.args[0]
        if isinstance(node.func, ast.Attribute):
            return str(first.value) if isinstance(first, ast.Constant) else ""
        return size_name(first)
    if isinstance(node, ast.BoolOp):
        return size_name(node.values[0])
    return ""


def sizes_given(call: Call) -> Iterator[tuple[str, ast.expr]]:
    """Arguments of a call that decide how long or wide a circuit is: what they are, and where.

    A function of the project is none: what it does with them is looked at there.
    """
    if ":" in call.name:
        return
    quantum = call.name.partition(".")[0] in QUANTUM_PACKAGES
    if not quantum and (call.method in _HARMLESS or call.method[:1].isupper()):
        return
    for keyword in call.node.keywords:
        if keyword.arg in _SIZES:
            yield _kind(keyword.arg), keyword.value
    leading = _LEADING.get(call.name, 1 if call.name.startswith(_LIBRARY) else 0)
    for place, node in enumerate(call.node.args):
        if isinstance(node, ast.Starred) or call.method in _PLACING:
            return
        if place < leading:
            yield "qubits" if place == 0 else "depth", node
        elif is_size_name(size_name(node)) and call.method != "range":
            yield _kind(size_name(node)), node


def _kind(name: str) -> str:
    lower = name.lower()
    if "shot" in lower or lower in ("repetitions", "measurements"):
        return "shots"
    return "qubits" if re.search(r"q(?:u)?bit|wires|dimension|width", lower) else "depth"


def sizes_of_loops(module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """`for layer in range(depth)` around gates, and `2**n`: what it is, its number, and where."""
    for node in module.nodes(ast.For):
        count = node.iter if isinstance(node, ast.For) else None
        if isinstance(count, ast.Call) and module.name_of(count.func) == "range" and count.args:
            number = count.args[min(1, len(count.args) - 1)]
            if _applies_gates(module, node):
                yield "depth", number, node
    for node in module.nodes(ast.ListComp, ast.GeneratorExp):
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            yield from _made_qubits(module, node)
    for node in module.nodes(ast.BinOp):
        if not isinstance(node, ast.BinOp):
            continue
        base = {ast.Pow: 2, ast.LShift: 1}.get(type(node.op))
        if base and isinstance(node.left, ast.Constant) and node.left.value == base:
            yield "qubits", node.right, node


def _made_qubits(
    module: Module, node: ast.ListComp | ast.GeneratorExp
) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """``[cirq.LineQubit(i) for i in range(n)]``."""
    made = {module.name_of(each.func) for each in ast.walk(node.elt) if isinstance(each, ast.Call)}
    if made.isdisjoint(_QUBITS):
        return
    for generator in node.generators:
        count = generator.iter
        if isinstance(count, ast.Call) and module.name_of(count.func) == "range" and count.args:
            yield "qubits", count.args[min(1, len(count.args) - 1)], node


def _applies_gates(module: Module, loop: ast.AST) -> bool:
    for node in ast.walk(loop):
        call = module.call(node)
        if call is not None and call.name.partition(".")[0] in QUANTUM_PACKAGES:
            return True
    return False


# -- bounds --------------------------------------------------------------------------------------


def is_unbounded(module: Module, node: ast.expr, value: Value) -> bool:
    """Whether a number of a client gets here with no upper bound.

    `if shots < 1: raise` is a bound from below alone.
    """
    if not value.comes_from("request") or value.marks & {"listed", "checked"}:
        return False
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mod):
        sides = (node.left, node.right)
        return any(is_unbounded(module, side, module.value(side)) for side in sides)
    if value.type and value.type not in ("int", "float", "str"):
        return False
    return "range" not in value.marks or only_from_below(module, size_name(node))


def only_from_below(module: Module, name: str) -> bool:
    """Whether every test of what is called `name` in this file asks for a minimum."""
    found = False
    for node in module.nodes(ast.Compare, ast.Call, ast.AnnAssign, ast.arg):
        bounded = _bounds(node, name) if name else None
        if bounded == "above":
            return False
        found = found or bounded == "below"
    return found


def has_upper_bound(module: Module, name: str) -> bool:
    """Whether something in this file bounds what is called `name` from above."""
    return any(
        _bounds(node, name) == "above"
        for node in module.nodes(ast.Compare, ast.Call, ast.AnnAssign, ast.arg)
    )


def _bounds(node: ast.AST, name: str) -> str | None:
    """``above``, ``below`` or None: what one expression says of a number."""
    if isinstance(node, ast.Compare):
        return _compared(node, name)
    if isinstance(node, ast.Call):
        called = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        about = any(_mentions(each, name) for each in node.args)
        if about and called in _UPPER:
            return "above"
        return "below" if about and called == "max" and len(node.args) > 1 else None
    if isinstance(node, ast.AnnAssign):
        declared = isinstance(node.target, ast.Name) and node.target.id == name
        return "above" if declared and _limits(node.annotation, node.value) else None
    if isinstance(node, ast.arg) and node.arg == name and node.annotation is not None:
        return "above" if _limits(node.annotation, None) else None
    return None


def _compared(node: ast.Compare, name: str) -> str | None:
    operands = [node.left, *node.comparators]
    found = None
    for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
        for side, other in ((left, right), (right, left)):
            if not _mentions(side, name):
                continue
            if isinstance(operator, ast.In | ast.NotIn) and side is left:
                return "above"
            if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                if not _is_small(other):
                    return "above"
                found = "below"
    return found


def _is_small(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return True
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and (node.value <= _SMALL)
    )


def _mentions(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(each, ast.Name) and each.id == name)
        or (isinstance(each, ast.Attribute) and each.attr == name)
        or (isinstance(each, ast.Constant) and each.value == name)
        for each in ast.walk(node)
    )


def _limits(annotation: ast.expr, default: ast.expr | None) -> bool:
    """Whether a declaration has an upper bound: `Field(le=20)`, `conint(lt=30)`, `Literal[...]`."""
    for part in (annotation, default):
        for each in ast.walk(part) if part is not None else ():
            if isinstance(each, ast.keyword) and each.arg in _BOUND_KEYWORDS:
                return True
            if isinstance(each, ast.Name) and each.id == "Literal":
                return True
    return False
