"""QSA803: job ids that can be guessed, in a service that asks for nothing but the id."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.guessable_ids import counters, weakness
from bezoar.scan.rules.services import Route, routes, speaks_of_jobs

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

_JOB_ID: Final = re.compile(
    r"(?:\w*_)?(?:job|task|run|experiment|exp|circuit|simulation|sim|execution|submission|training|result|"
    r"session|exec|batch|model)_?(?:id|key|uuid|name|number)|(?:job|task)key|jid|uid|new_id|next_id",
    re.IGNORECASE,
)
#: Keys of a record, or keywords of its class: an `id` alone is that of the record.
_FIELD: Final = re.compile(rf"{_JOB_ID.pattern}|_?id|pk|uuid", re.IGNORECASE)
#: Ids of a request, a trace or a log line are looked up by nobody.
_TRACING: Final = re.compile(
    r"trace|tracing|span|correlation|request|log|client_order", re.IGNORECASE
)
_PARAMETER: Final = re.compile(
    r"(?:\w+_)?(?:id|key|uuid)|\w*(?:job|task)\w*id\w*|jid|pk", re.IGNORECASE
)
_OWNER: Final = re.compile(
    r"\w*owner\w*|user_?id|current_user\w*|user(?:name)?|created_by|submitted_by|tenant\w*|"
    r"account_id|belongs\w*|get_jwt_identity|principal|customer\w*|session_user",
    re.IGNORECASE,
)
_OWNER_FIELD: Final = re.compile(r"owner\w*|user_?id|created_by|submitted_by|tenant\w*")
_STORES: Final = frozenset(
    "append add put insert insert_one set setex hset save create submit add_task update setdefault "
    "enqueue store put_nowait execute write add_job create_job register".split()
)


def check(module: Module) -> Iterator[Hit]:
    """Every guessable id under which a service keeps a job for whoever asks for it."""
    if module.is_test or not speaks_of_jobs(module):
        return
    served = tuple(routes(module))
    looked_up = [route for route in served if _looks_up(route)]
    if not served and not _is_store(module):
        return
    if looked_up and all(_asks_owner(route) for route in looked_up):
        return
    counted = counters(module)
    told: set[str] = set()
    for where, name, value in _ids(module):
        found = weakness(module, value, counted)
        if not found or _notes_owner(module, where):
            continue
        # job_id = new_job(): reported where new_job makes it.
        if isinstance(value, ast.Call) and _method(value) in told:
            continue
        if looked_up or _is_kept(module, where, name):
            function = module.function_of(where)
            if function is not None:
                told.add(function.name)
            yield Hit(
                where=where,
                message=f"The job id `{name}` is made of {found}, and who knows it gets the job.",
                confidence="high" if looked_up else "medium",
            )


# -- ids -----------------------------------------------------------------------------------------


def _ids(module: Module) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    """Ids that are made: where, what they are called, and from what."""
    for node in module.nodes(ast.Assign, ast.AnnAssign, ast.Dict, ast.Call):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            if node.value is not None:
                yield from _assigned_ids(node, node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = key.value if isinstance(key, ast.Constant) else None
                if key is not None and isinstance(name, str) and _is_made(name, value):
                    yield key, name, value
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg and _is_made(keyword.arg, keyword.value):
                    yield keyword.value, keyword.arg, keyword.value


def _is_made(name: str, value: ast.expr) -> bool:
    """Whether an id is made on the spot; one that has a name is seen where it gets it."""
    return _FIELD.fullmatch(name) is not None and not isinstance(value, ast.Name)


def _assigned_ids(
    node: ast.Assign | ast.AnnAssign, value: ast.expr
) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name | ast.Attribute):
            name = target.id if isinstance(target, ast.Name) else target.attr
            if _JOB_ID.fullmatch(name) and not _TRACING.search(name):
                yield node, name, value
        elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Name):
            # A list that is kept as a dict: the key is its length.
            name = ast.unparse(target.value)
            if re.search(r"job|task|run|result|circuit|experiment", name, re.IGNORECASE):
                yield node, name, target.slice


# -- what is kept under them ---------------------------------------------------------------------


def _looks_up(route: Route) -> bool:
    """Whether a route takes an id: of its path, its query or its body."""
    for name in re.findall(r"[{<](?:\w+:)?(\w+)", route.path):
        if _PARAMETER.fullmatch(name) and not _TRACING.search(name):
            return True
    if any(_JOB_ID.fullmatch(name) for name in route.function.params):
        return True
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "pop")
        and re.search(
            r"args|json|form|values|data|query_params|GET|POST", ast.unparse(node.func.value)
        )
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and _JOB_ID.fullmatch(str(node.args[0].value)) is not None
        for node in ast.walk(route.function.node)
    )


def _is_store(module: Module) -> bool:
    """Whether a class of a service's other file keeps jobs and gives them back by their id."""
    if not module.project.is_service:
        return False
    return any(
        function.class_name and any(_JOB_ID.fullmatch(name) for name in function.params)
        for function in module.functions
    )


def _asks_owner(route: Route) -> bool:
    """Whether the handler compares or filters by whom the job belongs to."""
    return any(_OWNER.fullmatch(name) for name in _names_of(route.function.node))


def _names_of(function: ast.AST) -> Iterator[str]:
    """Variables, attributes, parameters, keywords and short texts in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _notes_owner(module: Module, where: ast.AST) -> bool:
    """Whether the job is stored with its owner: whoever notes that also asks for it."""
    function = module.function_of(where)
    return function is not None and any(
        _OWNER_FIELD.fullmatch(node.arg or "")
        if isinstance(node, ast.keyword)
        else isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _OWNER_FIELD.fullmatch(node.value)
        for node in ast.walk(function.node)
    )


def _is_kept(module: Module, where: ast.AST, name: str) -> bool:
    """Whether something is stored under the id: `jobs[job_id] = ...`, `store.put(job_id, ...)`."""
    if isinstance(where, ast.Constant) or not isinstance(where, ast.stmt):
        return any(
            isinstance(each, ast.Call) and _method(each) in _STORES
            for each in module.ancestors(where)
        )
    if isinstance(where, ast.Assign) and isinstance(where.targets[0], ast.Subscript):
        return True
    function = module.function_of(where)
    body = function.node if function is not None else module.tree
    for node in ast.walk(body):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if _names(node.slice, name):
                return True
        elif isinstance(node, ast.Call) and _method(node) in _STORES:
            given = (*node.args, *(keyword.value for keyword in node.keywords))
            if any(_names(each, name) for each in given):
                return True
    return False


def _method(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _names(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(each, ast.Name) and each.id == name)
        or (isinstance(each, ast.Attribute) and each.attr == name)
        for each in ast.walk(node)
    )


_BAD = (
    Example(
        name="A time stamp, with a route that looks it up",
        file="router.py",
        code="""
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter()
JOBS = {}


class CircuitRequest(BaseModel):
    circuit: str


@router.post("/submit-job")
async def submit(request: CircuitRequest):
    job_id = f"qjob_{datetime.now().strftime('%Y%m%d_%H%M%S')}"  # <- here
    JOBS[job_id] = {"status": "submitted", "circuit": request.circuit}
    return {"job_id": job_id}


@router.get("/job/{job_id}")
async def job(job_id: str):
    return JOBS[job_id]
""",
    ),
    Example(
        name="Counters in four forms",
        file="server.py",
        code="""
import itertools

from flask import Flask, jsonify, request
from qiskit import QuantumCircuit

app = Flask(__name__)
jobs = {}
runs = []
job_counter = 0
numbers = itertools.count(1)


@app.route("/jobs", methods=["POST"])
def submit():
    global job_counter
    job_counter += 1
    job_id = str(job_counter)  # <- here
    jobs[job_id] = {"circuit": request.json["circuit"]}
    return jsonify({"job_id": job_id})


@app.route("/tasks", methods=["POST"])
def submit_task():
    task_id = f"task-{next(numbers)}"  # <- here
    jobs[task_id] = {"circuit": request.json["circuit"]}
    return jsonify({"task_id": task_id})


@app.route("/runs", methods=["POST"])
def submit_run():
    run = {
        "id": len(runs) + 1,  # <- here
        "circuit": request.json["circuit"],
    }
    runs.append(run)
    return jsonify(run)


@app.route("/more", methods=["POST"])
def submit_more():
    jobs[len(jobs)] = request.json  # <- here
    return jsonify({})


@app.route("/jobs/<job_id>")
def status(job_id):
    return jsonify(jobs[job_id])
""",
    ),
    Example(
        name="Random numbers, uuid1, a hash of the time",
        file="service.py",
        code="""
import hashlib
import random
import time
import uuid
from datetime import datetime

from fastapi import FastAPI
import pennylane as qml

app = FastAPI()
results = {}


@app.post("/execute")
def execute(circuit: dict):
    job_id = random.randint(1000, 9999)  # <- here
    results[job_id] = circuit
    return job_id


@app.post("/train")
def train(circuit: dict):
    stamp = int(time.time() * 1000)
    training_id = hashlib.md5(str(stamp).encode()).hexdigest()[:8]  # <- here
    results[training_id] = circuit
    return training_id


@app.post("/simulate")
def simulate(circuit: dict):
    simulation_id = str(uuid.uuid1())  # <- here
    results[simulation_id] = circuit
    return simulation_id


def short_id():
    return "".join(random.choices("abcdef", k=6))


@app.post("/short")
def short(circuit: dict):
    run_id = short_id()  # <- here
    results[run_id] = circuit
    return run_id


@app.post("/optimise")
def optimise(circuit: dict):
    exp_id = f"exp_{datetime.utcnow().timestamp()}"  # <- here
    results[exp_id] = circuit
    return exp_id


@app.get("/results/{job_id}")
def result(job_id: str):
    return results.get(job_id)
""",
    ),
    Example(
        name="A counter in a class of the service",
        file="manager.py",
        code="""
from fastapi import FastAPI
from qiskit_aer import AerSimulator

app = FastAPI()


class Manager:
    def __init__(self):
        self.jobs = {}
        self.job_counter = 0

    def submit(self, circuit):
        job_id = f"job_{self.job_counter}"  # <- here
        self.job_counter += 1
        self.jobs[job_id] = AerSimulator().run(circuit)
        return job_id


manager = Manager()


@app.post("/jobs")
def submit(circuit: dict):
    return manager.submit(circuit)


@app.get("/jobs/{job_id}")
def read(job_id: str):
    return manager.jobs[job_id].status()
""",
    ),
    Example(
        name="A function makes the id and keeps the job",
        file="app.py",
        code="""
import time

from flask import Flask, jsonify
from qiskit_aer import AerSimulator

app = Flask(__name__)
jobs = {}


def new_job():
    job_id = f"job_{int(time.time() * 1000)}"  # <- here
    jobs[job_id] = {"status": "queued"}
    return job_id


@app.route("/run", methods=["POST"])
def run():
    job_id = new_job()
    jobs[job_id]["simulator"] = AerSimulator().name
    return jsonify(job_id)


@app.route("/jobs/<job_id>")
def status(job_id):
    return jsonify(jobs[job_id])
""",
    ),
)

_GOOD = (
    Example(
        name="A random id and the owner",
        file="service.py",
        code="""
import uuid

from fastapi import Depends, FastAPI, HTTPException
from auth import current_user
import pennylane as qml

app = FastAPI()
jobs = {}


@app.post("/jobs")
def submit(circuit: dict, user=Depends(current_user)):
    job_id = str(uuid.uuid4())
    jobs[job_id] = {"owner": user.id, "circuit": circuit}
    return {"job_id": job_id}


@app.get("/jobs/{job_id}")
def read(job_id: str, user=Depends(current_user)):
    job = jobs.get(job_id)
    if job is None or job["owner"] != user.id:
        raise HTTPException(404)
    return job
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Random ids, time stamps beside them",
        file="service.py",
        code="""
import secrets
import time
import uuid
from datetime import datetime

from fastapi import FastAPI
from qiskit import QuantumCircuit

app = FastAPI()
jobs = {}


@app.post("/circuits/execute")
async def execute(circuit: dict):
    job_id = str(uuid.uuid4())
    jobs[job_id] = {"status": "QUEUED", "created": time.time(), "count": len(jobs)}
    return {"job_id": job_id, "at": datetime.now().isoformat()}


@app.post("/other")
async def other(circuit: dict):
    job_id = f"job_{int(time.time())}_{secrets.token_hex(8)}"
    task_id = f"{datetime.now():%Y%m%d}-{uuid.uuid4().hex[:12]}"
    jobs[job_id] = jobs[task_id] = circuit
    return {"job_id": job_id}


@app.get("/jobs/{job_id}")
async def read(job_id: str):
    return jobs[job_id]
""",
    ),
    Example(
        name="uuid1 as a tracing id",
        file="tracing.py",
        code="""
import uuid

from flask import Flask, g, jsonify
from runner import submit
import qiskit

app = Flask(__name__)


@app.before_request
def trace():
    g.trace_id = uuid.uuid1()
    g.request_id = str(uuid.uuid1())


@app.route("/jobs/<job_id>")
def read(job_id):
    return jsonify({"job": submit(job_id), "trace_id": str(uuid.uuid1())})
""",
    ),
    Example(
        name="Counters and time stamps of a script",
        file="experiment.py",
        code="""
import time
from datetime import datetime

from qiskit_aer import AerSimulator

run_id = datetime.now().strftime("%Y%m%d-%H%M%S")
results = {}
for number in range(3):
    job_id = f"run_{number}_{int(time.time())}"
    results[job_id] = AerSimulator().run([])
print(run_id, results)
""",
    ),
    Example(
        name="The provider's own id",
        file="ibm.py",
        code="""
from fastapi import FastAPI
from qiskit_ibm_runtime import QiskitRuntimeService

app = FastAPI()
jobs = {}


@app.post("/jobs")
def submit(circuit: dict):
    job = QiskitRuntimeService().least_busy().run(circuit)
    job_id = job.job_id()
    jobs[job_id] = job
    return {"job_id": job_id}


@app.get("/jobs/{job_id}")
def read(job_id: str):
    return jobs[job_id].status()
""",
    ),
    Example(
        name="The owner is asked for",
        file="owned.py",
        code="""
from flask import Flask, abort, jsonify, request
from flask_login import current_user, login_required
import pennylane as qml

app = Flask(__name__)
jobs = {}


@app.post("/jobs")
@login_required
def submit():
    job_id = len(jobs) + 1
    jobs[job_id] = {"owner": current_user.id, "circuit": request.json}
    return jsonify(job_id)


@app.get("/jobs/<int:job_id>")
@login_required
def read(job_id):
    if jobs[job_id]["owner"] != current_user.id:
        abort(404)
    return jsonify(jobs[job_id])
""",
    ),
)

RULE = Rule(
    id="QSA803",
    title="Guessable job id and no check of the owner",
    severity="high",
    confidence="medium",
    cwe=(639, 340),
    frameworks=("services",),
    why="""A service that gives a job to whoever names its id relies on the id alone. Counters, time
stamps, `len(jobs)`, numbers of the `random` module and `uuid1` can be counted through in minutes.
What is found there is worth reading: circuits hold an encoding of the training data or a trained
ansatz, and counts are the answers that somebody paid a provider for. Where the same id also cancels
or overwrites a job, results can be exchanged as well.

A random id (`uuid4`, `secrets`) makes guessing hopeless; that the id belongs to the caller must be
asked all the same, because ids end up in logs and links.""",
    remedy="Make the id with uuid.uuid4(), keep the owner with the job, compare it on each access.",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-639 <https://cwe.mitre.org/data/definitions/639.html>",
        "CWE-340 <https://cwe.mitre.org/data/definitions/340.html>",
        "Python: secrets <https://docs.python.org/3/library/secrets.html>",
        "RFC 9562, security of UUIDs <https://www.rfc-editor.org/rfc/rfc9562#section-8>",
    ),
    check=check,
    keywords=("id", "ID", "Id", "jobs", "tasks", "runs", "key"),
)
