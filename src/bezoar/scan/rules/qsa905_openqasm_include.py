"""QSA905: an OpenQASM file that takes parts from outside itself."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports includes of files, and other ways out of a circuit file."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "include")


RULE = Rule(
    id="QSA905",
    title="OpenQASM file that reaches outside itself",
    severity="high",
    confidence="high",
    cwe=(22, 829),
    frameworks=("qiskit", "pennylane", "braket", "cirq"),
    why="""\
`include` makes a parser open a local file. `QuantumCircuit.from_qasm_str` opens it with the rights
of the process that parses, and the error message carries the first token of a file that is no
OpenQASM: a circuit that someone sends reads files of the service. `qelib1.inc` and `stdgates.inc`
come with every parser and are not reported.

- Absolute names, names with `..`, `~` or an address: high.
- Another name that is not there: medium, because any file of that name where the parser runs is
  taken.
- A file that lies beside the circuit: low.
- `extern` (functions of the machine), `defcal` (other pulses behind a gate) and compilers' pragmas
  other than Amazon Braket's: low, to be read before the file is run.""",
    remedy="write the gates into the file, and parse with qasm2.loads(text, include_path=())",
    bad=(
        Example(
            name="a file of the machine that parses",
            file="bell.qasm",
            code=('OPENQASM 2.0;\ninclude "/etc/passwd";\nqreg q[2];\nh q[0];\ncx q[0], q[1];\n'),
            lines=(2,),
        ),
        Example(
            name="up and out of the folder, behind the standard gates",
            file="ansatz.qasm",
            code=(
                'OPENQASM 2.0;\ninclude "qelib1.inc";\ninclude\n  "../../secrets/token.txt";\n'
                "qreg q[1];\nry(0.1) q[0];\n"
            ),
            lines=(3,),
        ),
        Example(
            name="OpenQASM 3 with the text in single quotes",
            file="layer.qasm3",
            code=("OPENQASM 3.0;\ninclude \"stdgates.inc\"; include '~/gates.inc';\nqubit[2] q;\n"),
            lines=(2,),
        ),
        Example(
            name="gates of another tool, which is not here",
            file="trapped_ion.qasm",
            code='OPENQASM 2.0;\ninclude "hqslib1.inc";\nqreg q[2];\nZZ q[0], q[1];\n',
            lines=(2,),
        ),
        Example(
            name="other pulses behind a gate",
            file="pulses.qasm3",
            code=(
                'OPENQASM 3.0;\ninclude "stdgates.inc";\ndefcal x $0 {\n  play(drive, wave);\n}\n'
                "qubit q;\nx q;\n"
            ),
            lines=(3,),
        ),
    ),
    good=(
        Example(
            name="the gates stand in the file",
            file="own_gates.qasm",
            code=(
                'OPENQASM 2.0;\ninclude "qelib1.inc";\ngate entangle a, b { h a; cx a, b; }\n'
                "qreg q[2];\nentangle q[0], q[1];\n"
            ),
        ),
    ),
    look_alikes=(
        Example(
            name="an include in comments",
            file="commented.qasm",
            code=(
                'OPENQASM 2.0;\n// include "/etc/passwd";\n/* include "../gates.inc";\n*/\n'
                'include "qelib1.inc"; // include "/tmp/x.inc";\nqreg q[1];\n'
            ),
        ),
        Example(
            name="standard gates, written tightly",
            file="tight.qasm",
            code='OPENQASM 3;include"stdgates.inc";qubit[2]q;h q[0];cx q[0],q[1];\n',
        ),
        Example(
            name="Amazon Braket's pragmas and an annotation",
            file="braket.qasm3",
            code=(
                "OPENQASM 3.0;\nqubit[2] q;\n#pragma braket verbatim\nbox {\n  h $0;\n}\n"
                "@reversible\ngate mine a { x a; }\n#pragma braket result expectation z(q[0])\n"
            ),
        ),
        Example(
            name="a register called include_q",
            file="register.qasm",
            code=(
                'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg include_q[2];\nh include_q[0];\n'
                "barrier include_q;\n"
            ),
        ),
    ),
    references=(
        "qiskit.qasm2, include_path <https://quantum.cloud.ibm.com/docs/api/qiskit/qasm2>",
        "OpenQASM 3, including source files <https://openqasm.com/language/comments.html>",
    ),
    check_document=check_document,
)
