"""QSA204: QPY from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Severity
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.round_trips import own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_LOADERS = frozenset({"qiskit.qpy.load", "qiskit_ibm_runtime.qpy.load", "qbraid.qpy.load"})
#: The first release without CVE-2025-2000, and a pre-release of 2.0 that still has it.
_FIXED = "1.4.2"
_VULNERABLE_RELEASE = "2.0.0rc1"


def check(module: Module) -> Iterator[Hit]:
    """Calls of `qpy.load` whose bytes the program has not just made itself."""
    for call in module.calls:
        if call.name not in _LOADERS:
            continue
        source = call.argument_node(0, "file_obj")
        if source is None or own_output(module, source) or is_verified(module, call.function):
            continue
        if module.is_test and not module.value(source).comes_from("request", "network"):
            # What the code under test has written, or a sample beside the tests.
            continue
        yield _hit(module, call, source)


def _hit(module: Module, call: Call, source: ast.expr) -> Hit:
    value = module.value(source)
    outside = value.comes_from("request", "network")
    text = f"`qpy.load` reads `{ast.unparse(source)[:60]}`"
    text += " from outside" if outside else ", which nothing has checked"
    severity, why = _state(module.project)
    if module.is_test:
        severity = "medium"
    return Hit(
        where=call.node,
        message=f"{text}{why}.",
        severity=severity,
        flow=module.flow(
            value, ("request", "network", "cli", "env", "file"), call.node, "read as QPY here"
        ),
    )


def _state(project: ProjectFacts) -> tuple[Severity | None, str]:
    """The severity by the project's Qiskit, and what to say of it."""
    wanted = project.requirements.get("qiskit", project.requirements.get("qiskit-terra"))
    if wanted is None:
        return None, f"; Qiskit before {_FIXED} runs code in it"
    if _VULNERABLE_RELEASE in wanted or _allows_below(wanted):
        return "critical", f", and the project allows Qiskit {wanted}, which runs code in it"
    if project.excludes_below("qiskit", _FIXED):
        return "medium", ""
    return None, f"; Qiskit before {_FIXED} runs code in it"


def _allows_below(specifiers: str) -> bool:
    """Whether a pin or an upper bound holds the project below the fixed release."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return any(
            part.operator in ("==", "===", "~=", "<", "<=")
            and Version(part.version.removesuffix(".*")) < Version(_FIXED)
            for part in SpecifierSet(specifiers)
        )
    except (InvalidSpecifier, InvalidVersion):
        return False


RULE = Rule(
    id="QSA204",
    title="QPY from outside, or read by a vulnerable Qiskit",
    severity="high",
    confidence="medium",
    cwe=(502,),
    frameworks=("qiskit",),
    why=(
        "QPY is Qiskit's own file format for circuits, and looks harmless because it is no "
        "pickle. Qiskit 0.18.0 to 1.4.1 and 2.0.0rc1 run code from a crafted file (CVE-2025-2000, "
        "9.8 of 10), and a small file can end the process in the symbolic part (CVE-2025-1403). "
        "Job services take circuits as QPY, and trained ansätze are shared as `.qpy`. Even a "
        "fixed release says nothing of who wrote the file: a changed circuit is a backdoor."
    ),
    remedy="Compare a SHA-256 or a signature before qpy.load, and require qiskit>=1.4.2.",
    bad=(
        Example(
            name="a file of circuits",
            code="""\
from qiskit import qpy

with open("ansatz.qpy", "rb") as handle:
    circuits = qpy.load(handle)  # <- here


def load_circuit(path):
    import qiskit.qpy

    with path.open("rb") as fd:
        return qiskit.qpy.load(fd)[0]  # <- here
""",
        ),
        Example(
            name="a job service",
            code="""\
import base64
import io

from fastapi import FastAPI
from pydantic import BaseModel
from qiskit.qpy import load as load_qpy

app = FastAPI()


class Job(BaseModel):
    circuit: str
    shots: int = 1024


@app.post("/jobs")
def submit(job: Job):
    blob = base64.b64decode(job.circuit)
    circuit = load_qpy(io.BytesIO(blob))[0]  # <- here
    return {"depth": circuit.depth()}
""",
        ),
        Example(
            name="the old module, in a notebook",
            file="transpiled.ipynb",
            code="""\
# %%
from qiskit.circuit import qpy_serialization
# %%
with open(f"circuits/{name}.qpy", "rb") as fd:
    circuit = qpy_serialization.load(fd)[0]  # <- here
""",
        ),
        Example(
            name="on a release that runs code",
            code="""\
import gzip

from qiskit import qpy

with gzip.open("kernel.qpy.gz") as fd:
    kernel = qpy.load(fd)  # <- here
# file: requirements.txt
qiskit==0.45.3
""",
        ),
    ),
    good=(
        Example(
            name="a digest first",
            code="""\
import hashlib
import io
from pathlib import Path

from qiskit import qpy

WANTED = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"


def published_ansatz(path):
    blob = Path(path).read_bytes()
    if hashlib.sha256(blob).hexdigest() != WANTED:
        raise ValueError("not the published circuit")
    return qpy.load(io.BytesIO(blob))[0]
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a round trip in memory",
            code="""\
import io

from qiskit import qpy


def copied(circuit):
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    buffer.seek(0)
    return qpy.load(buffer)[0]


def copied_again(circuit):
    with io.BytesIO() as stream:
        qpy.dump(circuit, stream)
        blob = stream.getvalue()
    return blob
""",
        ),
        Example(
            name="a file that the same function has written",
            code="""\
import os
import uuid

from qiskit import qpy


def without_metadata(circuit):
    name = uuid.uuid4().hex
    with open(f"{name}.qpy", "wb") as fd:
        qpy.dump(circuit, fd)
    with open(f"{name}.qpy", "rb") as fd:
        back = qpy.load(fd)[0]
    os.remove(f"{name}.qpy")
    return back
""",
        ),
        Example(
            name="writing, and other things called load",
            code="""\
import json

from qiskit import qasm3, qpy

with open("ansatz.qpy", "wb") as fd:
    qpy.dump(circuits, fd)
circuit = qasm3.load("ansatz.qasm")
settings = json.load(open("settings.json"))
# circuits = qpy.load(open("ansatz.qpy", "rb"))
""",
        ),
        Example(
            name="a test of the writer",
            file="tests/test_export.py",
            code="""\
import io

from qiskit import QuantumCircuit, qpy


def test_names_survive():
    stream = io.BytesIO()
    qpy.dump([QuantumCircuit(1, name="a")], stream)
    stream.seek(0)
    assert qpy.load(stream)[0].name == "a"
""",
        ),
        Example(
            name="a test of what the code under test has written",
            file="tests/test_store.py",
            code="""
import io

from qiskit import QuantumCircuit, qpy

from project.store import packed, run_and_save


def test_saved_circuit_is_the_one_that_ran(tmp_path):
    run_and_save(QuantumCircuit(2), tmp_path)
    with (tmp_path / "circuit.qpy").open("rb") as handle:
        assert qpy.load(handle)[0].num_qubits == 2


def test_packed():
    stream = io.BytesIO(packed(QuantumCircuit(1)))
    assert len(qpy.load(stream)) == 1
""",
        ),
    ),
    references=(
        "CVE-2025-2000 <https://nvd.nist.gov/vuln/detail/CVE-2025-2000>",
        "CVE-2025-1403 <https://nvd.nist.gov/vuln/detail/CVE-2025-1403>",
        "qiskit.qpy <https://quantum.cloud.ibm.com/docs/api/qiskit/qpy>",
    ),
    check=check,
    keywords=("qpy",),
    tags=("deserialisation",),
)
