"""Functions that parse and write OpenQASM, in all frameworks: what they read and what they open."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.code.values import Value


@dataclass(frozen=True, slots=True)
class Parser:
    """One parser.

    Attributes:
        keywords: the names of its argument, which otherwise comes first.
        is_file: the argument is the path of a file.
        opens_files: it opens files that the program includes.
    """

    keywords: tuple[str, ...]
    is_file: bool = False
    opens_files: bool = False


#: By canonical name. Measured with Qiskit 2.6: from_qasm_str and qasm2.loads open included files
#: unless include_path is empty; Braket's interpreter and pyqasm.load do so as well.
PARSERS: Final[dict[str, Parser]] = {
    "qiskit.QuantumCircuit.from_qasm_str": Parser(("qasm_str",), opens_files=True),
    "qiskit.QuantumCircuit.from_qasm_file": Parser(("path",), is_file=True, opens_files=True),
    "qiskit.qasm2.loads": Parser(("string",), opens_files=True),
    "qiskit.qasm2.load": Parser(("filename",), is_file=True, opens_files=True),
    "qiskit_qasm2.loads": Parser(("string",), opens_files=True),
    "qiskit_qasm2.load": Parser(("filename",), is_file=True, opens_files=True),
    "qiskit.qasm.Qasm": Parser(("data",), opens_files=True),
    "qiskit.qasm3.loads": Parser(("program",)),
    "qiskit.qasm3.loads_experimental": Parser(("source",)),
    "qiskit.qasm3.load": Parser(("filename",), is_file=True),
    "qiskit_qasm3_import.parse": Parser(("string",)),
    # Code for several releases imports this name and falls back on Qiskit's.
    "qiskit_qasm3_import.loads": Parser(("string",)),
    "qiskit_qasm3_import.convert": Parser(("node",)),
    "openqasm3.parse": Parser(("input_", "input")),
    "openqasm3.parser.parse": Parser(("input_", "input")),
    "pennylane.from_qasm": Parser(("quantum_circuit",), opens_files=True),
    "pennylane.from_qasm3": Parser(("quantum_circuit",)),
    "pennylane.to_openqasm.from_qasm": Parser(("quantum_circuit",)),
    "cirq.contrib.qasm_import.circuit_from_qasm": Parser(("qasm",)),
    "cirq.contrib.qasm_import.qasm.circuit_from_qasm": Parser(("qasm",)),
    "braket.circuits.Circuit.from_ir": Parser(("source",), opens_files=True),
    "braket.openqasm.Program": Parser(("source",), opens_files=True),
    "braket.default_simulator.openqasm.interpreter.Interpreter.run": Parser(
        ("source",), opens_files=True
    ),
    "braket.default_simulator.openqasm.interpreter.Interpreter.build_circuit": Parser(
        ("source",), opens_files=True
    ),
    "pyqasm.loads": Parser(("program",)),
    "pyqasm.load": Parser(("filename",), is_file=True, opens_files=True),
    "tensorcircuit.Circuit.from_openqasm": Parser(("qasmstr",), opens_files=True),
    "tensorcircuit.Circuit.from_openqasm_file": Parser(("file",), is_file=True, opens_files=True),
    "pytket.qasm.circuit_from_qasm_str": Parser(("qasm_str",)),
    "pytket.qasm.circuit_from_qasm": Parser(("input_file",), is_file=True),
    "mqt.core.load": Parser(("input_circuit", "circ"), is_file=True),
    "mqt.core.ir.QuantumComputation.from_qasm_str": Parser(("qasm",)),
    "mqt.core.ir.QuantumComputation.from_qasm": Parser(("filename",), is_file=True),
    "pyzx.Circuit.from_qasm": Parser(("s",)),
    "pyzx.Circuit.from_qasm_file": Parser(("fname",), is_file=True),
    "qibo.Circuit.from_qasm": Parser(("qasm_code",)),
    "qibo.models.Circuit.from_qasm": Parser(("qasm_code",)),
    "qulacs.converter.convert_QASM_to_qulacs_circuit": Parser(("input_strs",)),
    "qbraid.transpile": Parser(("program",)),
    "qbraid.load_program": Parser(("program",)),
    "qrisp.QuantumCircuit.from_qasm_str": Parser(("qasm_string",)),
    "tequila.import_open_qasm": Parser(("qasm_code",)),
    "qutip_qip.qasm.read_qasm": Parser(("qasm_input",)),
    "bqskit.Circuit.from_file": Parser(("filename",), is_file=True),
    "bqskit.ir.lang.qasm2.OPENQASM2Language.decode": Parser(("source",)),
    "mindquantum.io.OpenQASM.from_string": Parser(("string",)),
    "mindquantum.io.OpenQASM.from_file": Parser(("file_name",), is_file=True),
    "quimb.tensor.Circuit.from_openqasm2_str": Parser(("contents",)),
}
#: Methods that parse, by a name that nothing else has, whatever is known of the receiver's class.
_METHODS: Final = {
    "from_qasm_str": Parser(("qasm_str",), opens_files=True),
    "from_qasm_file": Parser(("path",), is_file=True, opens_files=True),
    "from_openqasm": Parser(("qasmstr",), opens_files=True),
    "from_openqasm_file": Parser(("file",), is_file=True, opens_files=True),
    "circuit_from_qasm": Parser(("qasm",)),
    "circuit_from_qasm_str": Parser(("qasm_str",)),
}
#: Functions and methods whose text was written by the program from a circuit of its own.
_EXPORTERS: Final = frozenset(
    (
        *(
            "qasm",
            "to_qasm",
            "to_openqasm",
            "dumps",
            "dump",
            "circuit_to_qasm",
            "to_ir",
            "to_openqasm2",
        ),
        *(
            "circuit_to_qasm_str",
            "qasm2_str",
            "qasm3_str",
            "QasmOutput",
            "to_openqasm3",
            "export_qasm",
        ),
        *(
            "to_qasm_str",
            "to_qasm2",
            "to_qasm3",
            "qasm_bytes",
            "generate_qasm",
            "dumps_experimental",
        ),
        *("unparse", "write_qasm", "circuit_to_qasm2", "circuit_to_qasm3", "as_qasm"),
    )
)
_EXPORTING_NAME: Final = re.compile(
    r"(?:to|as|export|dumps?|generate|build|make|create|emit|write|convert)_?.*qasm|.*_?to_?(?:open)?qasm.*|"
    r".*_as_qasm.*|qasm_?(?:of|from)_.*",
    re.IGNORECASE,
)
_CIRCUIT: Final = re.compile(r".*(?:circuit|circ|tape|qc|program)\d*", re.IGNORECASE)
_ABOUT_QASM: Final = re.compile(r"qasm", re.IGNORECASE)
_DEPTH = 4


def parser_calls(module: Module) -> Iterator[tuple[Call, Parser]]:
    """Every call of a parser."""
    for call in module.calls:
        parser = PARSERS.get(call.name)
        if parser is None and ":" not in call.name:
            # Where an import may fail, the class is often bound to something else as well.
            parser = _METHODS.get(call.method)
        if parser is not None:
            yield call, parser


def is_export(module: Module, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Whether a text is one that the program wrote from a circuit of its own."""
    value = module.value(node)
    if _exports(value.made_by):
        return True
    # What came through an exporter on one way may be a request's text on another.
    if not value.comes_from("request", "network") and any(map(_exports, value.through)):
        return True
    if depth == 0:
        return False
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if _exports(name):
            return True
        inner: list[ast.expr] = [*node.args[:1]]
        if isinstance(node.func, ast.Attribute):
            inner = [node.func.value] if not _is_module(module, node.func.value) else inner
        return any(is_export(module, each, depth - 1) for each in inner)
    if isinstance(node, ast.Attribute) and _CIRCUIT.fullmatch(last_name(node.value)):
        # A circuit's property that writes it: circuit.qasm
        return _exports(node.attr)
    if isinstance(node, ast.Subscript | ast.Attribute | ast.Await):
        return is_export(module, node.value, depth - 1)
    if isinstance(node, ast.BinOp):
        return any(is_export(module, side, depth - 1) for side in (node.left, node.right))
    if isinstance(node, ast.Name):
        source = assigned(module, node)
        return source is not None and is_export(module, source, depth - 1)
    return False


def _is_module(module: Module, node: ast.expr) -> bool:
    return bool(module.name_of(node))


def _exports(name: str) -> bool:
    last = re.split(r"[.:]", name)[-1]
    return last in _EXPORTERS or bool(_EXPORTING_NAME.fullmatch(last))


def is_about_qasm(*names: str) -> bool:
    """Whether one of the names says that it is about OpenQASM.

    Example:
        >>> is_about_qasm("load", "qasm_str"), is_about_qasm("load", "path")
        (True, False)
    """
    return any(_ABOUT_QASM.search(name) for name in names)


def includes_are_off(module: Module, call: Call, parser: Parser) -> bool:
    """Whether the program cannot make this call open a file.

    Either the parser opens none, or it is told to, or the code around it looks for include.
    """
    if not parser.opens_files:
        return True
    path = call.argument(None, "include_path")
    if path is not None and path.parts in ((), {}):
        return True
    function = call.function
    body = module.tree if function is None else function.node
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\binclude\b", node.value) is not None
        and "OPENQASM" not in node.value
        and len(node.value) < 80
        and not node.value.lstrip().startswith('include "')
        for node in ast.walk(body)
    )


def size_is_limited(value: Value) -> bool:
    """Whether the length of the text was compared with a bound."""
    return not {"size", "listed"}.isdisjoint(value.marks)


def is_parser(call: Call) -> bool:
    """Whether a call parses OpenQASM, by any framework or by a function that is named so."""
    if call.name in PARSERS or call.method in _METHODS:
        return True
    return (
        is_about_qasm(call.method)
        and re.search(r"parse|load|from|import|read|convert", call.method, re.IGNORECASE)
        is not None
    )
