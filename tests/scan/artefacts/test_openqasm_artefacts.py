"""QSA905 and QSA906: statements, includes and what a file stands for."""

from __future__ import annotations

from pathlib import Path

import artefact_files as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.scan.artefacts.openqasm_expansion import expansion_issues
from bezoar.scan.artefacts.openqasm_includes import include_issues
from bezoar.scan.artefacts.openqasm_numbers import loop_length, whole_number
from bezoar.scan.artefacts.openqasm_source import read_source
from bezoar.scan.rules.qsa905_openqasm_include import RULE as INCLUDE
from bezoar.scan.rules.qsa906_openqasm_expansion import RULE as EXPANSION
from bezoar.scan.rules.qsa908_unreadable_artefact import RULE as UNREADABLE

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def large(text: str) -> list[str]:
    return [issue.message for issue in expansion_issues(read_source(HEAD + text))]


def test_statements_and_places() -> None:
    source = read_source('a;\n  b "x;y" /* ; */ c; // d;\ngate e q {\n f q;\n}\n@note\ng')
    found = [(s.code, s.depth, source.where(s.offset, s.end)) for s in source.every()]
    assert found == [
        ("a", 0, (1, 1, 1, 2)),
        ('b "x;y"  c', 0, (2, 3, 2, 20)),
        ("gate e q", 0, (3, 1, 3, 9)),
        ("f q", 1, (4, 2, 4, 5)),
        ("@note", 0, (6, 1, 6, 6)),
        ("g", 0, (7, 1, 7, 2)),
    ]


def test_sets_are_no_blocks() -> None:
    source = read_source("for int i in {1, 2} { x q; }\narray[int, 2] a = {1, 2};\nx q;")
    assert [s.code for s in source.statements] == [
        "for int i in {1, 2}",
        "array[int, 2] a = {1, 2}",
        "x q",
    ]


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("/etc/passwd", "high"),
        ("../gates.inc", "high"),
        ("gates/../../x.inc", "high"),
        ("C:/x.inc", "high"),
        ("..\\\\x.inc", "high"),
        ("~/x.inc", "high"),
        ("https://example.org/x.inc", "high"),
        ("missing.inc", "medium"),
        ("beside.inc", "low"),
        ("folder/../beside.inc", "low"),
    ],
)
def test_includes(name: str, severity: str, tmp_path: Path) -> None:
    (tmp_path / "beside.inc").write_text("gate g a { x a; }")
    (tmp_path / "folder").mkdir()
    file = tmp_path / "circuit.qasm"
    file.write_text(f'OPENQASM 2.0;\nqreg q[1]; include "{name}";\n')
    (hit,) = make.findings(INCLUDE, file)
    assert (hit.severity, hit.where) == (severity, (2, 12, 2, 22 + len(name)))


@pytest.mark.parametrize("name", ["x" * 5000, "\x01", "a\nb", ""])
def test_strange_names_of_includes(name: str, tmp_path: Path) -> None:
    source = read_source(f'include "{name}";')
    assert len(list(include_issues(source, tmp_path))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "qubit[10001] q;",
        "qreg a[6000]; qreg b[6000];",
        "const int n = 1 << 20; qubit[n] q;",
        "bit[2000000] c;",
        "array[int[8], 5000, 5000] a;",
        "int[99999999] huge;",
        "for uint i in [0:2000000] x q;",
        "for uint i in [0:2:4000000] { x q; }",
        "qubit[1000] q; for uint i in [1:2000] h q;",
        "gate g a { pow(10**7) @ x a; } g q;",
        "pow(2000000) @ x q;",
        "def f(qubit a) { for int i in [0:9999999] { x a; } } f(q);",
        "def f(qubit a) -> bit { for int i in [0:9999999] { x a; } return b; } bit c = f(q);",
        "gate a q { a q; }",
        "while (1) { x q; }",
        "if (true) {" * 200 + "x q;" + "}" * 200,
        "rx(" + "(" * 200 + "1" + ")" * 200 + ") q;",
    ],
)
def test_what_grows(text: str) -> None:
    assert len(large(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "qubit[5000] a; qubit[5000] b;",
        "qubit[n] q; input int n;",
        "for uint i in [0:n] x q;",
        "for uint i in [5:1] x q;",
        "for uint i in [0:0:9] x q;",
        "while (c == 0) { x q; c = measure q; }",
        "while (true) { x q; if (measure q) { break; } }",
        "gate b q { x q; } gate a q { b q; b q; }",
        "pow(0.5) @ x q; inv @ x q; ctrl(3) @ x a, b, c, q;",
        "x q;\n" * 3000,
        "if (c == 1) x q; else { y q; }",
        "box[100ns] { delay[10ns] q; }",
        "switch (c) { case 0 { x q; } default { y q; } }",
        "cal { waveform w = {1, 2, 3}; }",
        "barrier q;",
        "",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not large(text)


def test_deep_chains_and_cycles_do_not_recurse() -> None:
    chain = "gate g0 a { x a; }\n" + "\n".join(
        f"gate g{i} a {{ g{i - 1} a; }}" for i in range(1, 5000)
    )
    assert "101 deep" in large(chain)[0]
    ring = "\n".join(f"gate g{i} a {{ g{(i + 1) % 3000} a; }}" for i in range(3000))
    assert "uses itself" in large(ring)[0]


def test_counts_are_exact_until_they_are_huge() -> None:
    doubling = "gate g0 a { x a; x a; }\n" + "\n".join(
        f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 200)
    )
    assert large(doubling) == ["g19 stands for 1048576 operations"]
    loops = "for int i in [0:10**9] { for int j in [0:10**30] { x q; } }"
    assert large(loops) == ["written out, the file has more than 10^30 operations or more by here"]


def test_a_file_that_is_no_text_and_one_that_is_too_long(tmp_path: Path) -> None:
    file = tmp_path / "a.qasm"
    file.write_bytes(bytes(range(256)))
    assert make.findings(UNREADABLE, file)[0].severity == "low"
    file.write_bytes(b"OPENQASM 2.0;\n" + b"// padding\n" * 800_000)
    assert "8 MiB" in make.findings(UNREADABLE, file)[0].message


def test_other_encodings(tmp_path: Path) -> None:
    file = tmp_path / "a.qasm"
    file.write_bytes('\ufeffOPENQASM 2.0;\r\n// caf\xe9\r\ninclude "/etc/x";\r\n'.encode())
    assert "/etc/x" in make.findings(INCLUDE, file)[0].message
    file.write_bytes(b'OPENQASM 2.0;\n// caf\xe9\ninclude "/etc/x";\n')
    assert "/etc/x" in make.findings(INCLUDE, file)[0].message


@given(st.text(alphabet="{}()[];\"'/*@#:,ab1 \n=in", max_size=200))
def test_any_text_is_read(text: str) -> None:
    source = read_source(HEAD + text)
    for statement in source.every():
        line, column, end_line, end_column = source.where(statement.offset, statement.end)
        assert (1, 1) <= (line, column) <= (end_line, end_column)
    list(expansion_issues(source))


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_loops_run_as_often_as_the_specification_says(first: int, last: int, step: int) -> None:
    stop = last + (1 if step > 0 else -1)
    wanted = len(range(first, stop, step))
    assert loop_length(f"[{first}:{step}:{last}]", {}) == (wanted, "")


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.sampled_from(["+", "-", "*", "//", "%"]))
def test_numbers(left: int, right: int, operator: str) -> None:
    wanted = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "//": left // right,
        "%": left % right,
    }[operator]
    assert whole_number(f"({left} {operator} n)", {"n": right}) == wanted


@pytest.mark.parametrize(
    "text", ["f(1)", "1.5", "x", "'a'", "1 if 1 else 2", "", "1" * 300, "2**-1"]
)
def test_what_is_no_number(text: str) -> None:
    assert whole_number(text, {}) is None


def test_rules_read_circuits_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text('OPENQASM 2.0;\ninclude "/etc/passwd";\nqreg q[999999999];\n')
    assert not make.findings(INCLUDE, file)
    assert not make.findings(EXPANSION, file)
