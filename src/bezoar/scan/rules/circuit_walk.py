"""The gates of a circuit in the order of application, read off the code that builds it.

`gates_of` walks a function with its loops, and the functions of the same module that it calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from bezoar.scan.rules.gates import READOUTS, Gate, gate_of

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

#: Several rules walk the same module.
_CALLS: Final[WeakKeyDictionary[Module, dict[ast.AST | None, list[Call]]]] = WeakKeyDictionary()
_FUNCTIONS: Final[WeakKeyDictionary[Module, dict[str, list[Function]]]] = WeakKeyDictionary()
#: Functions that call functions that call functions: more is not followed.
_DEPTH: Final = 3
_MOST: Final = 2_000


def gates_of(module: Module, function: Function | None) -> list[Gate]:
    """The gates of a function (of the module's top level for None), in the order of application.

    A call to a function of the same module stands for that function's gates; a call that may
    apply gates we cannot see is one gate of kind ``unknown``. A circuit of more than `_MOST`
    gates in the code was written by a program and is not walked: the list is empty.
    """
    gates = list(islice(_walk(module, function, 0), _MOST + 1))
    return gates if len(gates) <= _MOST else []


def _walk(module: Module, function: Function | None, depth: int) -> Iterator[Gate]:
    for call in calls_of(module, function):
        if _is_observable(module, call.node):
            continue
        around = _surroundings(module, call.node)
        gate = gate_of(module, call)
        if gate is not None:
            yield replace(gate, **around)
            continue
        inner = _called(module, function, call)
        if inner is not None and depth < _DEPTH:
            for gate in _walk(module, inner, depth + 1):
                yield replace(
                    gate,
                    loops=(*around["loops"], *gate.loops),
                    conditional=around["conditional"] or gate.conditional,
                )
        elif _may_apply(module, call):
            yield Gate(name="", shown=call.method, kind="unknown", node=call.node, **around)


def calls_of(module: Module, function: Function | None) -> Sequence[Call]:
    """The calls right in a function (at the top level for None), in the order of evaluation."""
    known = _CALLS.get(module)
    if known is None:
        known = _CALLS[module] = {}
        # The end of a call is the order of evaluation, in chains and in nested calls too.
        for call in sorted(
            module.calls,
            key=lambda call: (call.node.end_lineno or 0, call.node.end_col_offset or 0),
        ):
            known.setdefault(None if call.function is None else call.function.node, []).append(call)
    return known.get(None if function is None else function.node, ())


def _surroundings(module: Module, node: ast.AST) -> dict:
    loops: list[ast.AST] = []
    conditional = False
    below: ast.AST = node
    for above in module.ancestors(node):
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        is_loop = isinstance(above, ast.For | ast.While) and below not in above.orelse
        if is_loop or isinstance(above, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            loops.append(above)
        elif isinstance(above, ast.If | ast.IfExp | ast.Try | ast.match_case):
            conditional = conditional or not _is_main(above)
        below = above
    return {"loops": tuple(reversed(loops)), "conditional": conditional}


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _is_observable(module: Module, node: ast.Call) -> bool:
    """Whether a call is the argument of a readout, or of a Hamiltonian: nothing is applied."""
    for above in module.ancestors(node):
        if isinstance(above, ast.stmt):
            # A QNode returns measurements; a function of Cirq may well return gates.
            return isinstance(above, ast.Return) and module.name_of(node.func).startswith(
                "pennylane."
            )
        if isinstance(above, ast.Call):
            name = module.name_of(above.func).rpartition(".")[2].lower()
            if name in READOUTS or name in ("hamiltonian", "dot", "linearcombination", "sum"):
                return True
    return False


def _called(module: Module, function: Function | None, call: Call) -> Function | None:
    """The function of this module that a call calls, where that is plain to see."""
    func = call.node.func
    if isinstance(func, ast.Name):
        wanted, of_class = func.id, None
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        if func.value.id not in ("self", "cls") or function is None:
            return None
        wanted, of_class = func.attr, function.class_name
    else:
        return None
    for candidate in _named(module).get(wanted, ()):
        if candidate is not function and of_class in (None, candidate.class_name):
            return candidate
    return None


def _named(module: Module) -> dict[str, list[Function]]:
    known = _FUNCTIONS.get(module)
    if known is None:
        known = _FUNCTIONS[module] = {}
        for function in module.functions:
            known.setdefault(function.name, []).append(function)
    return known


def _may_apply(module: Module, call: Call) -> bool:
    """Whether an unknown call may change the circuit: it stands alone as a statement."""
    func = call.node.func
    if isinstance(func, ast.Name) and func.id in ("print", "range", "len", "super", "enumerate"):
        return False
    if call.name.startswith(("numpy.", "torch.", "math.", "logging.", "jax.numpy.")):
        return False
    # qml.adjoint(encode)(x), layer(weights), self.ansatz(x): no value is kept.
    return isinstance(module.parent(call.node), ast.Expr) or (
        isinstance(func, ast.Call) and not call.name.startswith("cirq.")
    )


def shared_loops(first: Gate, second: Gate) -> tuple[ast.AST, ...]:
    """The loops that both gates stand in."""
    return tuple(loop for loop in first.loops if any(loop is other for other in second.loops))


def loop_names(loop: ast.AST) -> set[str]:
    """The variables that a loop sets."""
    targets: list[ast.AST] = []
    if isinstance(loop, ast.For):
        targets = [loop.target]
    elif isinstance(loop, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        targets = [generator.target for generator in loop.generators]
    return {
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }
