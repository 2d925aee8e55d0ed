"""Scan records as `bezoar scan` would write them, with everything that a format must bear."""

from __future__ import annotations

import dataclasses
from typing import Any

from bezoar.contracts.code_findings import (
    CodeFinding,
    Place,
    RuleFacts,
    ScanRecord,
    Skipped,
    Step,
    Suppressed,
)

#: What a hostile file name, line of code or reason may hold.
HOSTILE = (
    "</script><script>alert(1)</script>",
    'a"onload="x',
    "pipe|`tick` **b** [link](https://example.org)",
    "\x1b[31mred\x1b[0m\x00\x07",
    "]]><failure/>&amp;",
    "\u202egnp.exe\udcff\ufffe",
)


def make_rule(rule_id: str, title: str, **changes: Any) -> RuleFacts:
    """The facts of a rule."""
    facts = RuleFacts(
        id=rule_id,
        title=title,
        severity="high",
        confidence="high",
        cwe=(502,),
        frameworks=("any",),
        why=(
            "A parameter file is **code** when it is a pickle: whoever can change it runs commands"
            " where the circuit is trained.\n\nShared folders and caches are where that happens."
        ),
        remedy="Store arrays with numpy.savez and read them with allow_pickle=False.",
        help_uri="https://cwe.mitre.org/data/definitions/502.html",
        tags=("deserialisation",),
    )
    return dataclasses.replace(facts, **changes)


RULES = (
    make_rule(
        "QSA103",
        "Untrusted OpenQASM reaches a parser without include and size limits",
        cwe=(22, 400),
        frameworks=("qiskit", "pennylane"),
        why="Qiskit opens the local files that `include` names, and its error shows their start.",
        remedy="Bound the length, then call qasm2.loads(text, include_path=()).",
        help_uri="https://cwe.mitre.org/data/definitions/22.html",
        tags=("parsing", "owasp-qs03"),
    ),
    make_rule("QSA201", "Pickle of parameters, models or data sets"),
    make_rule(
        "QSA301",
        "Hard-coded provider token",
        severity="critical",
        cwe=(798,),
        remedy="Read the token from the environment and revoke this one.",
        help_uri="https://cwe.mitre.org/data/definitions/798.html",
        tags=("credentials",),
    ),
    make_rule(
        "QSA402",
        "Angle range aliasing",
        severity="medium",
        confidence="medium",
        cwe=(20,),
        remedy="Scale features to [0, pi] and clip at inference.",
        help_uri="https://cwe.mitre.org/data/definitions/20.html",
        tags=(),
    ),
    make_rule(
        "QSA503",
        "Unseeded shots where a result is stored",
        severity="low",
        confidence="low",
        cwe=(330,),
        remedy="Give the simulator a seed and record it.",
        help_uri="https://cwe.mitre.org/data/definitions/330.html",
    ),
)


def make_finding(**changes: Any) -> CodeFinding:
    """A pickle read in a training script."""
    code = (
        "import pickle",
        "",
        "def restore(path):",
        '    with open(path, "rb") as file:',
        "        return pickle.load(file)",
        "",
        "weights = restore(ARGS.weights)",
    )
    finding = CodeFinding(
        rule="QSA201",
        severity="high",
        confidence="high",
        subject="train.py:5",
        message="pickle.load runs the code in a file that the command line names.",
        remedy="Store arrays with numpy.savez and read them with allow_pickle=False.",
        references=("Python documentation <https://docs.python.org/3/library/pickle.html>",),
        place=Place(
            path="train.py",
            line=5,
            column=16,
            end_line=5,
            end_column=33,
            file_line=5,
            symbol="restore",
        ),
        code=code,
        code_line=1,
        fingerprint="0123456789abcdef0123456789abcdef",
    )
    return dataclasses.replace(finding, **changes)


def make_flow() -> CodeFinding:
    """A circuit from a request: four steps over two files."""
    api, parser = "service/api.py", "service/circuits.py"
    steps = (
        (api, 12, 20, "the request body comes in", "    payload = await request.json()"),
        (api, 13, 22, 'the field "qasm" is taken', '    text = payload["qasm"]'),
        (api, 14, 12, "handed to circuits.parse", "    return parse(text)"),
        (parser, 8, 12, "read as OpenQASM", "    return QuantumCircuit.from_qasm_str(source)"),
    )
    return make_finding(
        rule="QSA103",
        subject="service/circuits.py:8",
        message="OpenQASM from a request reaches QuantumCircuit.from_qasm_str unbounded.",
        remedy="Bound the length, then call qasm2.loads(text, include_path=()).",
        references=("CWE-22 <https://cwe.mitre.org/data/definitions/22.html>", "arXiv 2310.00718"),
        place=Place(
            path=parser,
            line=8,
            column=12,
            end_line=8,
            end_column=48,
            file_line=8,
            symbol="parse",
        ),
        code=(
            "def parse(source: str) -> QuantumCircuit:",
            '    """The circuit of a job."""',
            "    return QuantumCircuit.from_qasm_str(source)",
        ),
        code_line=6,
        flow=tuple(
            Step(
                place=Place(
                    path=path,
                    line=line,
                    column=column,
                    end_line=line,
                    end_column=column + 8,
                    file_line=line,
                ),
                message=message,
                code=code,
            )
            for path, line, column, message, code in steps
        ),
        fingerprint="103" + "a" * 29,
    )


def make_notebook() -> CodeFinding:
    """A token in a cell; the line is masked as the scanner masks it."""
    return make_finding(
        rule="QSA301",
        severity="critical",
        subject="notebooks/Überblick.ipynb:2",
        message="A provider token of 128 characters stands in the code (fingerprint 5f2c9a01).",
        remedy="Read the token from the environment and revoke this one.",
        references=(),
        place=Place(
            path="notebooks/Überblick 量子.ipynb",
            line=2,
            column=20,
            end_line=2,
            end_column=34,
            cell=3,
            file_line=57,
        ),
        code=("from qiskit import IBMQ", 'IBMQ.save_account("abcd**********")'),
        code_line=1,
        fingerprint="301" + "b" * 29,
    )


def make_long() -> CodeFinding:
    """A finding far to the right of a very long line with tabs and wide characters."""
    left = "\tangles = [" + ", ".join(str(n) for n in range(400)) + '] + ["量子é"] + '
    call = "qml.AngleEmbedding(pixels)"
    return make_finding(
        rule="QSA402",
        severity="medium",
        confidence="medium",
        subject="model.py:41",
        message="Pixels from 0 to 255 become angles without scaling.",
        remedy="Scale features to [0, pi] and clip at inference.",
        references=(),
        place=Place(
            path="model.py",
            line=41,
            column=len(left) + 1,
            end_line=41,
            end_column=len(left) + len(call) + 1,
            file_line=41,
        ),
        code=("def layer(pixels):", left + call + " + tail" * 200, "\treturn angles"),
        code_line=40,
        fingerprint="402" + "c" * 29,
    )


def make_spread() -> CodeFinding:
    """A call over several lines."""
    return make_finding(
        rule="QSA503",
        severity="low",
        confidence="low",
        subject="model.py:60",
        message="The simulator draws shots without a seed and the result is saved.",
        remedy="Give the simulator a seed and record it.",
        references=(),
        place=Place(
            path="model.py",
            line=60,
            column=10,
            end_line=70,
            end_column=2,
            file_line=60,
            symbol="Trainer.run",
        ),
        code=(
            "result = AerSimulator().run(",
            *(f"    option_{n}={n}," for n in range(9)),
            ")",
            "save(result)",
        ),
        code_line=60,
        fingerprint="503" + "d" * 29,
    )


def make_imported() -> CodeFinding:
    """A result of another tool, without lines of code."""
    return make_finding(
        rule="S113",
        severity="medium",
        confidence="medium",
        subject="client.py:3",
        message="Probable use of requests call without timeout",
        remedy="",
        references=("https://docs.astral.sh/ruff/rules/request-without-timeout/",),
        place=Place(path="client.py", line=3, column=1, end_line=3, end_column=13, file_line=3),
        code=(),
        fingerprint="",
        tool="ruff",
    )


def make_scan(**changes: Any) -> ScanRecord:
    """A scan with findings of every kind."""
    record = ScanRecord(
        findings=(
            make_imported(),
            make_long(),
            make_spread(),
            make_notebook(),
            make_flow(),
            make_finding(),
        ),
        suppressed=(
            Suppressed(
                finding=make_finding(
                    place=dataclasses.replace(make_finding().place, path="tests/test_train.py"),
                    fingerprint="201" + "e" * 29,
                ),
                reason="round trip within the test",
                by="comment",
            ),
            Suppressed(
                finding=make_finding(
                    place=dataclasses.replace(make_finding().place, path="legacy/old.py"),
                    fingerprint="201" + "f" * 29,
                ),
                reason="known since 2024, ticket 12",
                by="baseline",
            ),
        ),
        rules=RULES,
        root="/srv/qml project",
        n_files=42,
        n_lines=5310,
        skipped=(
            Skipped(path="notebooks/huge.ipynb", reason="larger than 50 MB"),
            Skipped(path="vendor/old.py", reason="neither UTF-8 nor another declared encoding"),
        ),
        notes=("The table of vulnerable versions is from 2025-06-01.",),
        version="0.5.0",
        commit="817d1f5c",
        started="2025-06-05T09:12:44+00:00",
        wall_seconds=0.8123,
        command="bezoar scan . --format html",
    )
    return dataclasses.replace(record, **changes)


def make_empty(**changes: Any) -> ScanRecord:
    """A scan that found nothing."""
    return make_scan(findings=(), suppressed=(), skipped=(), notes=(), **changes)


def make_hostile() -> ScanRecord:
    """A scan of files whose every text is hostile."""
    findings = tuple(
        make_finding(
            rule=rule,
            tool=tool,
            subject=text,
            message=text,
            remedy=text,
            references=(text, f"{text} <javascript:alert(1)>", f"https://example.org/{text}"),
            place=Place(path=text, line=1, column=2, end_line=1, end_column=9, symbol=text),
            code=(text, text * 40),
            flow=(Step(place=Place(path=text), message=text, code=text),),
            fingerprint=text,
        )
        for text in HOSTILE
        for rule, tool in (("QSA201", "bezoar"), (text, text))
    )
    text = " ".join(HOSTILE)
    return make_scan(
        findings=findings,
        suppressed=tuple(Suppressed(finding=f, reason=f.message, by=f.tool) for f in findings),
        rules=tuple(
            make_rule("QSA201", text, why=text, remedy=text, help_uri=text, tags=(text,))
            for text in HOSTILE[:1]
        ),
        skipped=tuple(Skipped(path=text, reason=text) for text in HOSTILE),
        notes=HOSTILE,
        root=text,
        version=text,
        commit=text,
        started=text,
        wall_seconds=-1.0,
        command=text,
    )
