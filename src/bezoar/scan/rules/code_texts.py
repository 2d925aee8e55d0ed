"""Text that is run as Python: what may be in it, and whether it builds a circuit."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.roles import names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Words in the name of a variable that holds a program or a part of a circuit.
_CIRCUIT_WORDS: Final = frozenset(
    (
        "code circuit circ circuits qc program ansatz gate gates qnode operation operations "
        "unitary hamiltonian snippet qasm oracle implementation"
    ).split()
)
#: How such text looks where a part of it is constant: ``qml.``, ``qc.h(``, ``RXGate(``.
_CIRCUIT_TEXT: Final = re.compile(
    r"\b(?:qml|pennylane|cirq|qiskit|tq|tqf|braket|qc|circ|circuit|QuantumCircuit|self\.circuit|"
    r"self\.qc)\s*\.|Gate\(|QuantumCircuit\(|\bimport (?:qiskit|pennylane|cirq)"
)
#: Files that run a version file, as packaging tools have long told people to do.
_PACKAGING: Final = frozenset({"setup.py", "conf.py", "noxfile.py", "versioneer.py", "fabfile.py"})
_DEPTH = 4


def code_argument(call: Call) -> ast.expr | None:
    """The text that `exec` or `eval` runs, `compile(text, ...)` being taken off."""
    node = call.argument_node(0, "source", "object", "expression")
    while isinstance(node, ast.Call) and _is_compile(node) and node.args:
        node = node.args[0]
    return node


def _is_compile(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "compile"


def is_own_code(module: Module, node: ast.expr) -> bool:
    """Whether the text is part of the program: constants, its own files, its own functions.

    Numbers and names that were looked up in a list count as constant.
    """
    value = module.value(node)
    if value.fixed and not value.origins:
        return True
    if "listed" in value.marks or "number" in value.marks:
        return True
    if isinstance(node, ast.JoinedStr):
        inserted = [each.value for each in node.values if isinstance(each, ast.FormattedValue)]
        return all(is_own_code(module, each) or _is_index(module, each) for each in inserted)
    if isinstance(node, ast.BinOp):
        return all(is_own_code(module, each) for each in (node.left, node.right))
    if isinstance(node, ast.Tuple):
        return all(is_own_code(module, each) for each in node.elts)
    if isinstance(node, ast.Call) and node.args:
        called = module.name_of(node.func)
        if called == "repr":
            return True
        if called == "str":
            return is_own_code(module, node.args[0]) or _is_index(module, node.args[0])
    if value.through & {"inspect.getsource", "ast.unparse", "textwrap.dedent"} and not (
        value.comes_from("request", "network", "cli", "file")
    ):
        return True
    return _is_program_file(module, node)


def _is_index(module: Module, node: ast.expr) -> bool:
    """Whether a name counts: it runs over range() or is the first of enumerate()."""
    if isinstance(node, ast.BinOp):
        return all(_is_index(module, side) for side in (node.left, node.right))
    if isinstance(node, ast.Constant):
        return True
    if not isinstance(node, ast.Name):
        return False
    for outer in module.ancestors(node):
        loops = [outer] if isinstance(outer, ast.For) else getattr(outer, "generators", ())
        for loop in loops:
            target, iterated = loop.target, loop.iter
            if not isinstance(iterated, ast.Call):
                continue
            name = module.name_of(iterated.func)
            if name == "enumerate" and isinstance(target, ast.Tuple):
                target = target.elts[0]
            elif name != "range":
                continue
            if isinstance(target, ast.Name) and target.id == node.id:
                return True
    return False


def _is_program_file(module: Module, node: ast.expr) -> bool:
    """Whether it is the text of a Python file that the program itself names, as its version."""
    if module.path.rpartition("/")[2] in _PACKAGING:
        return True
    text = ast.unparse(_followed(module, node))
    return bool(
        re.search(r"\b(?:_version|version|__about__|__init__|__version__)\b", text)
    ) or bool(
        re.search(r"(?:open|Path|read_text)\(.*\.py['\"]", text)
        and not module.value(node).comes_from("request", "network", "cli", "parameter")
    )


def _followed(module: Module, node: ast.expr) -> ast.expr:
    """What a name was assigned or opened as, where that is plain to see."""
    for _ in range(_DEPTH):
        inner = node
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            inner = inner.func.value
        if isinstance(inner, ast.Call | ast.Attribute) or not isinstance(inner, ast.Name):
            return node
        found = opened_as(module, inner) or assigned(module, inner)
        if found is None:
            return node
        node = found
    return node


def opened_as(module: Module, node: ast.Name) -> ast.expr | None:
    """What the ``with`` statement around a name binds it to, None for none."""
    for outer in module.ancestors(node):
        if isinstance(outer, ast.With):
            for item in outer.items:
                target = item.optional_vars
                if isinstance(target, ast.Name) and target.id == node.id:
                    return item.context_expr
    return None


def builds_circuit(call: Call, node: ast.expr) -> bool:
    """Whether the text that is run makes a circuit or a part of one, told by what is seen of it:
    its constant parts, the names that it is made of, and the names that it is given."""
    if any(_CIRCUIT_TEXT.search(text) for text in _constants(node)):
        return True
    if any(_words(name) & _CIRCUIT_WORDS for name in names_in(node)) or any(
        _words(each.attr) & _CIRCUIT_WORDS
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
    ):
        return True
    return any(_CIRCUIT_TEXT.search(ast.unparse(each) + ".") for each in call.node.args[1:])


def _words(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[_\d]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))


def _constants(node: ast.expr) -> list[str]:
    return [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
