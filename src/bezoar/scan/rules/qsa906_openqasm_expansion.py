"""QSA906: a small OpenQASM file that becomes a huge circuit."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports registers, definitions, loops and nesting beyond what machines have."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "expansion")


_DOUBLING = "\n".join(
    (
        "OPENQASM 2.0;",
        'include "qelib1.inc";',
        "gate l0 a { x a; x a; }",
        *(f"gate l{i} a {{ l{i - 1} a; l{i - 1} a; }}" for i in range(1, 30)),
        "qreg q[1];",
        "l29 q[0];",
        "",
    )
)

_LAYERS = "\n".join(
    (
        "OPENQASM 2.0;",
        'include "qelib1.inc";',
        "gate layer(t) a, b { ry(t) a; ry(t) b; cx a, b; }",
        "gate block(t) a, b, c { layer(t) a, b; layer(t) b, c; }",
        "qreg q[3];",
        *(f"block({0.1 * i:.1f}) q[0], q[1], q[2];" for i in range(1, 60)),
        "",
    )
)

RULE = Rule(
    id="QSA906",
    title="OpenQASM file that grows beyond measure when it is parsed",
    severity="high",
    confidence="high",
    cwe=(770, 400),
    frameworks=("qiskit", "pennylane", "braket", "cirq"),
    why="""\
A limit on the length of a circuit file limits nothing: thirty gate definitions, each of which uses
the one before it twice, stand for a thousand million operations in a text of one kilobyte. The
file is written out when it is decomposed, transpiled or simulated. The same holds for loops of
OpenQASM 3 over large ranges, for registers (each quantum bit doubles a simulator's memory), and for
definitions that use themselves.

Counted here, without writing anything out: operations after all definitions, loops, powers and
operations on whole registers (more than 1,000,000 and a hundred times what the file itself holds),
quantum bits (more than 10,000; the largest machine announced by IBM has 1,121), classical bits
(1,000,000), and how deep definitions, blocks and parentheses lie in each other (100). A long file
is not reported for its length.""",
    remedy="refuse the file; set limits on bits and on operations after decomposition, not on text",
    bad=(
        Example(
            name="each gate uses the one before twice",
            file="doubling.qasm",
            code=_DOUBLING,
            lines=(22,),
        ),
        Example(
            name="a register that no machine has",
            file="wide.qasm",
            code='OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[100000000];\ncreg c[1];\nh q;\n',
            lines=(3,),
        ),
        Example(
            name="loops over a large range",
            file="loops.qasm3",
            code=(
                'OPENQASM 3.0;\ninclude "stdgates.inc";\nconst int n = 2 ** 20;\nqubit[2] q;\n'
                "for uint i in [0:n] {\n  for uint j in [0:n - 1] {\n    cx q[0], q[1];\n  }\n}\n"
            ),
            lines=(5,),
        ),
        Example(
            name="gates that use each other",
            file="recursive.qasm3",
            code=(
                "OPENQASM 3.0;\ngate even a { odd a; }\ngate odd a { even a; }\nqubit q;\neven q;\n"
            ),
            lines=(2,),
        ),
        Example(
            name="a loop without an end",
            file="forever.qasm3",
            code=('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nwhile (true) {\n  x q;\n}\n'),
            lines=(4,),
        ),
    ),
    good=(
        Example(
            name="a layered ansatz, each layer written once",
            file="ansatz.qasm",
            code=_LAYERS,
        ),
    ),
    look_alikes=(
        Example(
            name="many gates, all written out",
            file="long.qasm",
            code='OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\n' + "cx q[0], q[1];\n" * 400,
        ),
        Example(
            name="a loop of a usual length over a usual register",
            file="trotter.qasm3",
            code=(
                'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[20] q;\nbit[20] c;\n'
                "for uint step in [1:1000] {\n  for uint i in [0:18] { cx q[i], q[i + 1]; }\n}\n"
                "for int i in {0, 5, 19} h q[i];\nc = measure q;\n"
            ),
        ),
        Example(
            name="a loop that ends by a measurement",
            file="repeat.qasm3",
            code=(
                'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nbit c;\nwhile (true) {\n'
                "  h q;\n  c = measure q;\n  if (c == 1) { break; }\n}\n"
            ),
        ),
        Example(
            name="the largest machines there are",
            file="large.qasm",
            code='OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1121];\ncreg c[1121];\nh q;\n',
        ),
    ),
    references=(
        "OpenQASM 2 <https://arxiv.org/abs/1707.03429>",
        "OpenQASM 3, gates <https://openqasm.com/language/gates.html>",
    ),
    check_document=check_document,
)
