"""QSA101-QSA107 beyond their examples: how bad and how sure, the way of the data, odd code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.contracts.code_findings import CodeFinding
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.examination import examine_code
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rules.qsa101_exec_of_circuit_code import RULE as QSA101
from bezoar.scan.rules.qsa102_eval_of_text import RULE as QSA102
from bezoar.scan.rules.qsa103_untrusted_openqasm import RULE as QSA103
from bezoar.scan.rules.qsa104_parser_error_returned import RULE as QSA104
from bezoar.scan.rules.qsa105_gate_by_getattr import RULE as QSA105
from bezoar.scan.rules.qsa106_unchecked_circuit_parameter import RULE as QSA106
from bezoar.scan.rules.qsa107_name_in_path import RULE as QSA107

RULES = (QSA101, QSA102, QSA103, QSA104, QSA105, QSA106, QSA107)

HEAD = """
import os, sys, json, requests, tempfile
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit, qasm2
import pennylane as qml
app = Flask(__name__)
"""


def found(
    code: str, *, path: str = "app.py", facts: ProjectFacts | None = None
) -> list[CodeFinding]:
    """What the seven rules say of a file."""
    result = examine_code(
        path,
        code,
        RULES,
        project=facts or ProjectFacts(),
        index=ModuleIndex([path]),
        knowledge=Knowledge(),
    )
    return result.findings


def only(code: str, **options: object) -> CodeFinding:
    """The single finding in a file."""
    findings = found(HEAD + code, **options)  # type: ignore[arg-type]
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    ("code", "rule", "severity", "confidence"),
    [
        ("exec(requests.get('https://example.org/c').text)", "QSA101", "critical", "high"),
        ("exec(open(sys.argv[1]).read())", "QSA101", "high", "high"),
        ("def run(code):\n    exec(code)", "QSA101", "high", "medium"),
        ("n = eval(open('n.txt').read())", "QSA102", "high", "high"),
        ("n = eval(sys.argv[1])", "QSA102", "medium", "high"),
        ("def value(text):\n    return eval(text)", "QSA102", "medium", "medium"),
        ("def one(bits):\n    return [eval(bit) for bit in bits]", "QSA102", "low", "medium"),
        ("QuantumCircuit.from_qasm_file(sys.argv[1])", "QSA103", "medium", "medium"),
        ("def parse(qasm):\n    return qasm2.loads(qasm)", "QSA103", "medium", "low"),
        ("getattr(qml, os.environ['GATE'])(wires=0)", "QSA105", "medium", "medium"),
        ("def gate(name):\n    getattr(qml, name)(wires=0)", "QSA105", "medium", "low"),
        ("qml.RX(float(os.environ['THETA']), wires=0)", "QSA106", "medium", "medium"),
    ],
)
def test_how_bad_and_how_sure(code: str, rule: str, severity: str, confidence: str) -> None:
    finding = only(code)
    assert (finding.rule, finding.severity, finding.confidence) == (rule, severity, confidence)


def test_a_request_is_worse_than_a_parameter_and_shows_its_way() -> None:
    code = """
def parse(text):
    return QuantumCircuit.from_qasm_str(text)

@app.post("/run")
def run():
    body = request.get_json()
    return str(parse(body["qasm"]))
"""
    finding = only(code)
    assert (finding.rule, finding.severity, finding.confidence) == ("QSA103", "high", "high")
    assert [step.code for step in finding.flow][-1] == "return QuantumCircuit.from_qasm_str(text)"
    assert any("get_json" in step.code for step in finding.flow)


def test_one_limit_alone_is_not_enough() -> None:
    body = "@app.post('/r')\ndef r():\n    text = request.json['qasm']\n"
    both = "neither a limit of its size nor a ban on includes"
    assert both in only(body + "    return str(qasm2.loads(text))").message
    sized = body + "    if len(text) > 1000:\n        return ''\n"
    assert "may include local files" in only(sized + "    return str(qasm2.loads(text))").message
    closed = only(body + "    return str(qasm2.loads(text, include_path=()))")
    assert "no limit of its size" in closed.message
    assert closed.severity == "medium"
    assert not found(HEAD + sized + "    return str(qasm2.loads(text, include_path=()))")


def test_requirements_make_a_file_part_of_a_quantum_project() -> None:
    code = "from schemas import T\ndef run(source):\n    ns = {}\n    exec(source, ns)\n"
    assert not found(code)
    facts = ProjectFacts(requirements={"pennylane": ">=0.40"})
    assert [finding.rule for finding in found(code, facts=facts)] == ["QSA101"]


def test_tests_are_left_alone() -> None:
    code = HEAD + "def test_it(qasm, code, name):\n    exec(code)\n    eval(name)\n"
    code += "    getattr(qml, name)(0)\n    qasm2.loads(qasm)\n"
    assert not found(code, path="tests/test_it.py")
    assert {finding.rule for finding in found(code)} == {"QSA101", "QSA102", "QSA103", "QSA105"}


ODD = [
    "exec()",
    "eval(*sys.argv)",
    "exec(**json.loads('{}'))",
    "getattr()",
    "getattr(qml)",
    "getattr(*sys.argv)(1)",
    "vars()[sys.argv[1]]",
    "vars(qml)[:]",
    "open()",
    "open(*sys.argv)",
    "request.files['a'].save()",
    "QuantumCircuit.from_qasm_str()",
    "qasm2.loads(**{'string': sys.argv[1]})",
    "QuantumCircuit().rx()",
    "QuantumCircuit().rx(*json.load(open('a')))",
    "QuantumCircuit().assign_parameters()",
    "(lambda x: eval(x))(sys.argv[1])",
    "print(f'{eval(sys.argv[1])!r:>{10}}')",
    "exec(code := sys.argv[1])",
    "[eval(e) for e in (y for y in sys.argv)]",
    "try:\n    pass\nexcept* ValueError as e:\n    jsonify(e)",
    "@app.route('/')\ndef f(e=None, *a, **k):\n    return e, a, k, jsonify(), jsonify(*a, **k)",
    "class A(eval('object'), metaclass=type):\n    theta: float\n    (x): 'float'",
    "from pydantic import BaseModel\nclass Q(BaseModel):\n    theta: 'list[float'\n    a.b: float",
    "match sys.argv:\n    case [x, *_]:\n        exec(x)",
    "async def f():\n    async with open(sys.argv[1]) as g:\n        await eval(await g.read())",
]


@pytest.mark.parametrize("code", ODD)
def test_odd_code_is_read_without_a_failure(code: str) -> None:
    for finding in found(HEAD + code):
        assert finding.rule in {rule.id for rule in RULES}


@pytest.mark.parametrize("depth", [50, 800])
def test_deep_expressions(depth: int) -> None:
    text = " + ".join(["sys.argv[1]"] * depth)
    assert {finding.rule for finding in found(f"{HEAD}eval({text})")} == {"QSA102"}
    calls = "sys.argv[1]" + ".strip()" * depth
    assert {finding.rule for finding in found(f"{HEAD}qasm2.loads({calls})")} == {"QSA103"}


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.sampled_from(
            ["sys.argv[1]", "request.json['a']", "'x'", "(3)", "name", "os.environ['Q']"]
        ),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
            inner.map(lambda each: f"str({each})"),
            inner.map(lambda each: f"{each}.strip()"),
            inner.map(lambda each: f"[{each}][0]"),
            inner.map(lambda each: f"(lambda: {each})()"),
            inner.map(lambda each: f"({each} if name else 'y')"),
        ),
        max_leaves=6,
    ),
    st.sampled_from(
        [
            "exec({})",
            "eval({})",
            "qasm2.loads({})",
            "getattr(qml, {})(wires=0)",
            "qml.RX({}, wires=0)",
            "open('out/' + {}).read()",
            "jsonify({})",
        ]
    ),
)
def test_any_expression_can_be_judged(expression: str, sink: str) -> None:
    body = sink.format(expression)
    code = f"{HEAD}def f(name):\n    return {body}\n"
    for finding in found(code):
        assert finding.place.line == code.count("\n")
        assert finding.message.endswith(".")
