"""QSA904: QPY files, old ones that Qiskit wrote and hostile ones made from them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zlib
from pathlib import Path

import artefact_files as make
import pytest

from bezoar.scan.artefacts.qpy_files import is_expression
from bezoar.scan.rules.qsa904_qpy_payload import RULE as QPY
from bezoar.scan.rules.qsa907_malformed_model_file import RULE as MALFORMED
from bezoar.scan.rules.qsa908_unreadable_artefact import RULE as UNREADABLE


def with_text(content: bytes, text: bytes) -> bytes:
    """An old file with another text in place of its expression."""
    old = struct.pack("!Q", len(make.QPY_TEXT)) + make.QPY_TEXT
    assert old in content
    return content.replace(old, struct.pack("!Q", len(text)) + text)


def with_pickle() -> bytes:
    """A symengine archive with a symbol that is a pickle."""
    hostile = pickle.dumps(make.Reaches(os.system, "true"))
    symbol = struct.pack("<Q", 1) + b"t"
    at = make.QPY_12_SYMENGINE.index(symbol) + len(symbol)
    return (
        make.QPY_12_SYMENGINE[:at]
        + struct.pack("<Q", len(hostile))
        + hostile
        + make.QPY_12_SYMENGINE[at:]
    )


HOSTILE = {
    "import": with_text(make.QPY_12_SYMPY, b"__import__('os').system('true')"),
    "open": with_text(make.QPY_9, b"open('x', 'w')"),
    "attribute": with_text(make.QPY_12_SYMPY, b"Symbol('t').func.mro()"),
    "inside an expression": with_text(make.QPY_9, b"Add(Symbol('t'), exec('1'))"),
    "not Python, but SymPy": with_text(make.QPY_9, b"exec('1')!"),
    "lambda": with_text(make.QPY_9, b"(lambda: 1)()"),
    "list": with_text(make.QPY_9, b"[x for x in range(9)]"),
    "packed": make.QPY_12_SYMPY + zlib.compress(b"exec('1')"),
    "pickle": with_pickle(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_code_where_an_expression_is_expected(name: str, tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(HOSTILE[name])
    (hit,) = make.findings(QPY, file)
    assert hit.severity == "critical"
    (hit,) = make.findings(QPY, file, {"qiskit": ">=2.0"})
    assert hit.severity == "critical"


@pytest.mark.parametrize("content", [make.QPY_9, make.QPY_12_SYMPY])
def test_plain_sympy_texts_depend_on_the_version_in_use(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(content)
    for requirements in ({}, {"qiskit": ">=1.0"}, {"qiskit": "==1.4.1"}):
        (hit,) = make.findings(QPY, file, requirements)
        assert hit.severity == "medium"
        assert "1 SymPy text" in hit.message
    assert not make.findings(QPY, file, {"qiskit": ">=1.4.2"})
    assert not make.findings(QPY, file, {"qiskit": "==2.1.0"})


def test_symengine_archives_are_low(tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(make.QPY_12_SYMENGINE)
    (hit,) = make.findings(QPY, file, {"qiskit": ">=2.0"})
    assert hit.severity == "low"


def test_no_parameters_no_finding(tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(make.QPY_10_PLAIN)
    assert not make.findings(QPY, file)
    assert not make.findings(MALFORMED, file)
    assert not make.findings(UNREADABLE, file)


@pytest.mark.parametrize("version", range(13, 19))
def test_files_of_today_are_clean(version: int, tmp_path: Path) -> None:
    qiskit = pytest.importorskip("qiskit")
    from qiskit import qpy

    if version > qpy.QPY_VERSION:
        pytest.skip("this Qiskit does not write it")
    circuit = qiskit.QuantumCircuit(2, name="exec('1')", metadata={"note": "open('x')"})
    angles = qiskit.circuit.ParameterVector("x", 2)
    circuit.rx(angles[0] * angles[1].sin(), 0)
    circuit.measure_all()
    made = io.BytesIO()
    qpy.dump([circuit, circuit], made, version=version)
    file = tmp_path / "circuit.qpy"
    file.write_bytes(made.getvalue())
    for rule in (QPY, MALFORMED, UNREADABLE):
        assert not make.findings(rule, file)


@pytest.mark.parametrize(
    "content",
    [
        b"QISKIT\x0a",
        b"QISKIT\x00" + bytes(30),
        make.QPY_12_SYMPY[:18] + b"?" + make.QPY_12_SYMPY[19:],
        make.QPY_12_SYMPY[:10] + b"\x00\x00\x00\xff\x00\x00\x00\x00" + make.QPY_12_SYMPY[18:],
    ],
)
def test_headers_that_lie(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(content)
    assert make.findings(MALFORMED, file)
    assert not make.findings(QPY, file)


def test_a_version_from_the_future_is_not_examined(tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(b"QISKIT\x1f" + make.QPY_12_SYMPY[7:])
    (hit,) = make.findings(UNREADABLE, file)
    assert hit.severity == "low"


@pytest.mark.parametrize(
    "text",
    [
        "Mul(Rational(1, 2), Symbol('x(1)[0]'), sin(Symbol('x(1)[1]')))",
        "Add(Mul(Integer(3), Pow(Symbol('a'), Integer(2))), exp(Float('-1.5', precision=53)))",
        "Symbol('__class__')",
        "Piecewise(ExprCondPair(Symbol('t'), StrictLessThan(Symbol('t'), Integer(1))))",
        "pi",
        "a label, no call",
    ],
)
def test_expressions(text: str) -> None:
    assert is_expression(text)


@pytest.mark.parametrize("text", ["-" * 5000 + "1", "(" * 5000, "f'{1}'", "x.y", "(x := 1)"])
def test_no_expressions(text: str) -> None:
    assert not is_expression(text) or "(" not in text
