"""QSA605: a job's result is taken by its id alone, whatever circuit it belongs to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import is_in_quantum_project
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module

_OUTSIDE: Final = ("request", "network", "cli", "env", "file", "parameter")
#: Methods that fetch a job by its id, whatever the provider.
_FETCHES: Final = frozenset(("retrieve_job", "get_job", "load_job", "fetch_job"))
#: Of `service.job(id)`: what the service is called, or its class.
_SERVICES: Final = re.compile(r"service|provider|runtime|workspace|backend|account", re.IGNORECASE)
_TASKS: Final = frozenset(("braket.aws.AwsQuantumTask", "braket.aws.AwsQuantumJob"))
_RESULTS: Final = frozenset(
    ("result", "results", "get_counts", "get_results", "get_memory", "download_result")
)
#: Keys of a result that somebody else sends.
_RESULT_KEYS: Final = frozenset(
    (
        *("counts", "quasi_dists", "measurements", "measurement_counts", "bitstrings", "histogram"),
        *("expectation_values", "expvals", "probabilities"),
    )
)
#: Names that bind a result to what was sent.
_BINDS: Final = re.compile(
    r"hash|digest|sha256|fingerprint|checksum|manifest|job_?id|task_?id|circuit_?id|signature|nonce",
    re.IGNORECASE,
)
_BINDING_CALLS: Final = frozenset(("compare_digest", "sha256", "blake2b", "verify", "hmac"))
#: What a result tells of the job, not of the circuit.
_ABOUT: Final = re.compile(r"metadata|status|usage|cost|price|duration|time|date|metrics")
#: What a job tells of the circuits that it ran.
_INPUTS: Final = frozenset(("inputs", "circuits", "qobj", "input_params"))


def check(module: Module) -> Iterator[Hit]:
    """Reports results that are fetched or received without a comparison with what was sent."""
    if module.is_test or not is_in_quantum_project(module):
        return
    for call in module.calls:
        job = _fetched_id(module, call)
        if job is None or _is_bound(module, call.function):
            continue
        accepted = _acceptance(module, call)
        yield Hit(
            where=accepted,
            message=(
                f"the result of job `{ast.unparse(job)}` is accepted, and nothing compares the "
                "job with the circuit that was sent"
            ),
            flow=module.flow(module.value(job), _OUTSIDE, accepted, "is accepted"),
        )
    yield from _received(module)


def _acceptance(module: Module, fetch: Call) -> ast.Call:
    """Where the result of the fetched job is taken: `job.result()`, or the call that fetches it."""
    statement = module.statement_of(fetch.node)
    names = {
        target.id
        for target in (statement.targets if isinstance(statement, ast.Assign) else ())
        if isinstance(target, ast.Name)
    }
    for call in module.calls_in(fetch.function):
        func = call.node.func
        if call.node.lineno < fetch.node.lineno or not isinstance(func, ast.Attribute):
            continue
        if func.attr in _RESULTS and isinstance(func.value, ast.Name) and func.value.id in names:
            return call.node
    return fetch.node


def _fetched_id(module: Module, call: Call) -> ast.expr | None:
    """The id of a job that a call fetches for its result, None for any other call."""
    if not _is_fetch(call):
        return None
    job = call.argument_node(0, "job_id", "arn", "job", "task_arn")
    if job is None or not _uses_result(module, call) or _reads_metadata_alone(module, call):
        return None
    value = module.value(job)
    # A job that this program submitted itself is known by its own id.
    if value.fixed or not value.comes_from(*_OUTSIDE) or _is_own(module, call, job):
        return None
    return job


def _is_fetch(call: Call) -> bool:
    if call.name in _TASKS:
        return True
    if call.name.startswith(("qiskit_ibm_runtime.QiskitRuntimeService.job", "qiskit.IBMQ.")):
        return call.method in ("job", *_FETCHES)
    if not isinstance(call.node.func, ast.Attribute) or not call.name.startswith(("?.", "qiskit")):
        return False
    if call.method in ("job", "get_job", "load_job", "fetch_job"):
        return bool(_SERVICES.search(ast.unparse(call.node.func.value)))
    return call.method in _FETCHES


def _reads_metadata_alone(module: Module, call: Call) -> bool:
    """Whether the result is asked for its cost, its time or its status, not for its values."""
    statement = module.statement_of(call.node)
    if not isinstance(statement, ast.Assign) or call.function is None:
        return False
    names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    taken = statement.value
    if not (
        isinstance(taken, ast.Call)
        and isinstance(taken.func, ast.Attribute)
        and taken.func.attr in _RESULTS
    ):
        return False
    uses = [
        module.parent(part)
        for part in ast.walk(call.function.node)
        if isinstance(part, ast.Name) and part.id in names and isinstance(part.ctx, ast.Load)
    ]
    return bool(uses) and all(
        isinstance(use, ast.Attribute) and bool(_ABOUT.search(use.attr)) for use in uses
    )


def _uses_result(module: Module, call: Call) -> bool:
    """Whether the result is read where the job is fetched, or by who gets the job."""
    if call.function is None:
        return _reads_result(module.tree)
    if _reads_result(call.function.node):
        return True
    return _is_returned(module, call, call.function) and _reads_result(module.tree)


def _is_returned(module: Module, call: Call, function: Function) -> bool:
    """Whether the function gives the job itself to its caller."""
    statement = module.statement_of(call.node)
    names: set[str] = set()
    if isinstance(statement, ast.Assign):
        names = {last_name(target) for target in statement.targets} - {""}
    for value, _ in function.returns:
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        if any(part is call.node or last_name(part) in names for part in parts):
            return True
    return False


def _reads_result(scope: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr in _RESULTS
        for part in ast.walk(scope)
    )


def _is_own(module: Module, call: Call, job: ast.expr) -> bool:
    """Whether the id was just given by `job.job_id()` in this program."""
    if _gives_id(job):
        return True
    name = last_name(job)
    for assign in module.nodes(ast.Assign):
        if not isinstance(assign, ast.Assign) or not _gives_id(assign.value):
            continue
        same = module.function_of(assign) is call.function or isinstance(job, ast.Attribute)
        if same and any(last_name(target) == name for target in assign.targets):
            return not module.value(job).comes_from("file", "request", "cli")
    return False


def _gives_id(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call) and last_name(part.func) in ("job_id", "get_id")
        for part in ast.walk(node)
    )


def _is_bound(module: Module, function: Function | None) -> bool:
    """Whether the function (or a script's whole file) compares an id, digest or manifest."""
    scope = function.node if function is not None else module.tree
    for part in ast.walk(scope):
        if isinstance(part, ast.Compare) and _compares_identity(part):
            return True
        if isinstance(part, ast.Call):
            called = last_name(part.func)
            if called in _BINDING_CALLS or (
                called.lower().startswith(("verify", "validate", "check", "assert"))
                and len(part.args) > 0
            ):
                return True
        if isinstance(part, ast.Attribute) and part.attr in _INPUTS:
            return True
    return False


def _compares_identity(compare: ast.Compare) -> bool:
    """``record["circuit_hash"] != digest``, but not ``job_id is None`` and ``job_id == ""``."""
    sides = [compare.left, *compare.comparators]
    if any(isinstance(side, ast.Constant) for side in sides):
        return False
    return any(_BINDS.search(ast.unparse(side)) for side in sides)


def _received(module: Module) -> Iterator[Hit]:
    """``request.json["counts"]``: a result that somebody sends."""
    seen: set[int] = set()
    for node in module.nodes(ast.Subscript, ast.Call):
        holder = _result_holder(node)
        if holder is None:
            continue
        value = module.value(holder)
        function = module.function_of(node)
        # What a provider's own service answers over HTTPS is its client's business; what was
        # measured here was not sent by anybody.
        if not value.comes_from("request") or value.comes_from("result"):
            continue
        if _is_bound(module, function):
            continue
        scope = id(function.node) if function is not None else 0
        if scope in seen:
            continue
        seen.add(scope)
        yield Hit(
            where=node,
            message=(
                f"`{ast.unparse(node)}` is accepted as a result, and nothing compares it with the "
                "circuit or job that was sent"
            ),
            flow=module.flow(value, ("request",), node, "accepted as a result"),
        )


def _result_holder(node: ast.AST) -> ast.expr | None:
    """What a result's key is read from, None where the key is no result's."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        key, holder = node.slice, node.value
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and node.args
    ):
        key, holder = node.args[0], node.func.value
    else:
        return None
    return holder if isinstance(key, ast.Constant) and key.value in _RESULT_KEYS else None


RULE = Rule(
    id="QSA605",
    title="Result is accepted without binding it to the circuit that was sent",
    severity="low",
    confidence="medium",
    cwe=(345,),
    frameworks=("any",),
    why=(
        "A job id in a file, a request or a command line is an invitation to swap results: "
        "whoever can change it has the program read the counts of another circuit, or of one that "
        "a compiler changed on the way. QDoor shows a backdoor that appears only after synthesis; "
        "nothing in a table of counts tells it from the honest circuit. The result of a job "
        "should be accepted only if the job ran the circuit that was sent.\n\n"
        "The rule is quiet for ids that are written in the program, for jobs that the same "
        "program has just submitted, and where a digest, an id or the job's inputs are compared."
    ),
    remedy=(
        "Store the circuit's digest with the job id when it is sent, and compare it with the "
        "job's inputs before the result is used."
    ),
    bad=(
        Example(
            name="a job id from the command line",
            code="""\
import sys
from qiskit_ibm_runtime import QiskitRuntimeService


def main(job_id):
    service = QiskitRuntimeService()
    job = service.job(job_id)
    result = job.result()  # <- here
    print(result[0].data.meas.get_counts())


main(sys.argv[1])
""",
        ),
        Example(
            name="ids from a file that was written earlier",
            file="collect.ipynb",
            code="""\
# %%
import json
from qiskit import IBMQ
provider = IBMQ.load_account()
backend = provider.get_backend("ibmq_lima")
# %%
with open("jobs.json") as f:
    ids = json.load(f)
# %%
counts = []
for entry in ids:
    job = backend.retrieve_job(entry["id"])
    counts.append(job.result().get_counts())  # <- here
""",
        ),
        Example(
            name="a service that takes counts from whoever sends them",
            file="service.py",
            code="""\
from flask import Flask, request
from qiskit.quantum_info import SparsePauliOp

app = Flask(__name__)


@app.post("/callback")
def callback():
    body = request.get_json()
    counts = body["counts"]  # <- here
    return {"shots": sum(counts.values())}
""",
        ),
        Example(
            name="Braket, by the task's name",
            file="task.py",
            code="""\
from braket.aws import AwsQuantumTask


def measured(arn):
    task = AwsQuantumTask(arn=arn)
    return task.result().measurement_counts  # <- here
""",
        ),
        Example(
            name="the jobs of a record, one by one",
            file="collect.py",
            code="""\
import json
from pathlib import Path

from qiskit_ionq import IonQProvider


def collect(record_path, name):
    record = json.loads(Path(record_path).read_text())
    backend = IonQProvider().get_backend(name)
    counts = {}
    for entry in record["jobs"]:
        job = backend.retrieve_job(entry["id"])
        counts[entry["name"]] = job.result().get_counts()  # <- here
    return counts
""",
        ),
    ),
    good=(
        Example(
            name="the digest of the job's circuit is compared",
            code="""\
import hashlib
import json
from qiskit import qasm3
from qiskit_ibm_runtime import QiskitRuntimeService


def collect(path):
    with open(path) as f:
        record = json.load(f)
    job = QiskitRuntimeService().job(record["job_id"])
    circuit = job.inputs["pubs"][0][0]
    digest = hashlib.sha256(qasm3.dumps(circuit).encode()).hexdigest()
    if digest != record["circuit_sha256"]:
        raise ValueError("the job ran another circuit")
    return job.result()
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the program's own job",
            code="""\
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator


def run(backend, qc):
    job = backend.run(qc)
    job_id = job.job_id()
    again = backend.retrieve_job(job_id)
    return again.result().get_counts()


def submit(backend, qc):
    return backend.retrieve_job(backend.run(qc).job_id()).result()
""",
        ),
        Example(
            name="only the status is asked, or an id that is written in the program",
            code="""\
import sys
from qiskit_ibm_runtime import QiskitRuntimeService

service = QiskitRuntimeService()
JOB_ID = "a-job-of-mine"


def status(job_id):
    return service.job(job_id).status()


def mine():
    return service.job(JOB_ID).result()
""",
        ),
        Example(
            name="the bill of a job, not its counts",
            code="""\
from braket.aws import AwsQuantumTask
from qiskit_ibm_runtime import QiskitRuntimeService


def seconds_of(task_arn, session=None):
    answer = AwsQuantumTask(task_arn, aws_session=session).result()
    try:
        return answer.additional_metadata.simulatorMetadata.executionDuration
    except AttributeError:
        return None


def spent(job_id):
    answer = QiskitRuntimeService().job(job_id).result()
    return answer.metadata
""",
        ),
        Example(
            name="counts that were measured here, of a circuit that somebody sent",
            code="""\
from flask import Flask, jsonify, request
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

app = Flask(__name__)


def simulated(body):
    circuit = QuantumCircuit(body["qubits"], body["qubits"])
    circuit.h(0)
    circuit.measure_all()
    result = AerSimulator().run(circuit, shots=body.get("shots", 100)).result()
    return {"counts": dict(result.get_counts()), "shots": body.get("shots", 100)}


@app.post("/simulate")
def simulate():
    outcome = simulated(request.json)
    return jsonify({"counts": outcome["counts"]})
""",
        ),
        Example(
            name="jobs of another kind",
            code="""\
import qiskit


def wait(queue, job_id):
    job = queue.job(job_id)
    return job.result()


def lookup(db, job_id):
    return db.retrieve(job_id).results()
""",
        ),
        Example(
            name="a service's answer that is compared with the id",
            code="""\
import requests
import pennylane as qml


def fetch(url, job_id):
    body = requests.get(url, timeout=5).json()
    if body["job_id"] != job_id:
        raise ValueError("answer to another job")
    return body["counts"]
""",
        ),
    ),
    references=(
        (
            "QDoor: approximate synthesis for backdoor attacks in quantum neural networks "
            "<https://arxiv.org/abs/2307.09529>"
        ),
        "CWE-345 <https://cwe.mitre.org/data/definitions/345.html>",
    ),
    check=check,
    keywords=("job", "AwsQuantum", *sorted(_RESULT_KEYS)),
)
