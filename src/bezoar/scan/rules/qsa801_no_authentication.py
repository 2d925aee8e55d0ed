"""QSA801: a route that runs circuits, or gives back what came of them, for anybody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.authentication import guarded_objects, is_authenticated
from bezoar.scan.rules.services import job_reason, routes, speaks_of_quantum

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module


def check(module: Module) -> Iterator[Hit]:
    """Every route for jobs that nothing guards, at the `def` of its handler."""
    if module.is_test or not speaks_of_quantum(module):
        return
    guarded: frozenset[str] | None = None
    for route in routes(module):
        reason = job_reason(module, route)
        if not reason:
            continue
        if guarded is None:
            guarded = guarded_objects(module)
        if is_authenticated(module, route, guarded):
            continue
        yield Hit(
            where=route.function.node,
            message=f"{route.shown} {reason}, and neither it nor its router asks who is calling.",
            confidence="high" if reason.endswith("circuits") else "medium",
            unless=(_guarded(f"{module.path}:{route.receiver}"), _guarded("*")),
        )


def states(module: Module) -> Iterator[str]:
    """The routers of other files that this one serves behind authentication."""
    guarded = guarded_objects(module)
    if not guarded:
        return
    if "*" in guarded and module.path.rpartition("/")[2].startswith("settings"):
        yield _guarded("*")
    for call in module.method_calls("include_router", "register_blueprint", "mount"):
        for argument in call.node.args:
            name = module.name_of(argument)
            if name and ("*" in guarded or ast.unparse(argument) in guarded):
                yield _guarded(name)


def _guarded(name: str) -> str:
    return f"QSA801 guarded {name}"


_BAD = (
    Example(
        name="FastAPI, circuits in the handler",
        file="main.py",
        code="""
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator
from settings import Settings, get_settings

app = FastAPI()
simulator = AerSimulator()


class BellRequest(BaseModel):
    shots: int = 100


@app.get("/health")
def health():
    return {"ok": True}


@app.post("/bell")
async def bell(request: BellRequest, settings: Settings = Depends(get_settings)):  # <- here
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.measure_all()
    job = simulator.run(transpile(circuit, simulator), shots=request.shots)
    return job.result().get_counts()
""",
    ),
    Example(
        name="Flask, the work is in another file",
        file="server.py",
        code="""
from flask import Flask, jsonify, render_template, request
from runner import run_program

app = Flask(__name__)


@app.route("/")
def index():
    return render_template("index.html")


@app.route("/api/run/qasm", methods=["POST"])
def qasm():  # <- here
    data = request.get_json()
    return jsonify({"result": run_program(data["qasm"], data["backend"])})


@app.route("/api/result/<job_id>")
def fetch(job_id):  # <- here
    return jsonify(run_program.results[job_id])
""",
    ),
    Example(
        name="Routers with a prefix, a database and a queue",
        file="routers/jobs.py",
        code='''
"""Quantum jobs."""
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from sqlalchemy.orm import Session

from database import get_db
from queueing import enqueue
from schemas import CircuitJob

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])


@router.post("/", status_code=202)
async def create(  # <- here
    job: CircuitJob,
    tasks: BackgroundTasks,
    db: Annotated[Session, Depends(get_db)],
):
    tasks.add_task(enqueue, db, job)
    return {"status": "queued"}


@router.get("/{job_id}")
async def read(job_id: str, db: Session = Depends(get_db)):  # <- here
    found = db.get(CircuitJob, job_id)
    if found is None:
        raise HTTPException(status_code=404, detail="no such job")
    return found
''',
    ),
    Example(
        name="A resource of flask_restful, QNode in the file",
        file="resources.py",
        code="""
import pennylane as qml
from flask import Flask, request
from flask_restful import Api, Resource

app = Flask(__name__)
api = Api(app)
dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def classify(x):
    qml.AngleEmbedding(x, wires=range(2))
    return qml.expval(qml.PauliZ(0))


class Predict(Resource):
    def post(self):  # <- here
        return {"label": float(classify(request.json["x"]))}


api.add_resource(Predict, "/predict")
""",
    ),
    Example(
        name="Django REST framework that allows anybody",
        file="qapi/views.py",
        code="""
from django.views.decorators.csrf import csrf_exempt
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from .quantum import simulate


@api_view(["POST"])
@permission_classes([AllowAny])
def run_circuit(request):  # <- here
    return Response(simulate(request.data["circuit"]))


class SimulationView(APIView):
    permission_classes = []

    def post(self, request):  # <- here
        return Response(simulate(request.data["circuit"]))
""",
    ),
    Example(
        name="The token of the request is for the provider, 401 is the provider's",
        file="gateway.py",
        code="""
from fastapi import FastAPI, HTTPException
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError
import requests

app = FastAPI()


@app.middleware("http")
async def timing(request, call_next):
    return await call_next(request)


@app.post("/execute")
def execute(payload: dict):  # <- here
    try:
        service = QiskitRuntimeService()
        backend = service.least_busy()
    except IBMNotAuthorizedError:
        raise HTTPException(status_code=401, detail="the provider refuses")
    requests.post(HOOK, headers={"Authorization": f"Bearer {HOOK_TOKEN}"})
    return {"backend": backend.name}
""",
    ),
    Example(
        name="One router is guarded, the other is not",
        file="app.py",
        code="""
from fastapi import APIRouter, Depends, FastAPI
from qiskit_aer import AerSimulator
from security import require_key
from work import bell_counts

app = FastAPI(title="Quantum service")
private = APIRouter(dependencies=[Depends(require_key)])
public = APIRouter()


@private.post("/jobs")
def submit(job: dict):
    return bell_counts(job)


@public.post("/simulate")
def simulate(job: dict):  # <- here
    return bell_counts(job)


app.include_router(private)
app.include_router(public, prefix="/public")
""",
    ),
)

_GOOD = (
    Example(
        name="A key for the whole router",
        file="main.py",
        code="""
import secrets

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import APIKeyHeader
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from settings import KEY

header = APIKeyHeader(name="X-API-Key")


def asked(key: str = Depends(header)) -> None:
    if not secrets.compare_digest(key, KEY):
        raise HTTPException(status_code=401)


router = APIRouter(prefix="/jobs", dependencies=[Depends(asked)])


@router.post("/bell")
def bell():
    circuit = QuantumCircuit(2)
    circuit.measure_all()
    return AerSimulator().run(circuit, shots=100).result().get_counts()


app = FastAPI()
app.include_router(router)
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="The file that serves the router guards it",
        file="routers/jobs.py",
        code="""
from fastapi import APIRouter
from qiskit import QuantumCircuit

router = APIRouter(prefix="/jobs")


@router.post("/run")
def run(depth: int):
    return QuantumCircuit(1).depth()
# file: main.py
from auth import verify_token
from fastapi import Depends, FastAPI
from routers import jobs

app = FastAPI()
app.include_router(jobs.router, dependencies=[Depends(verify_token)])
""",
    ),
    Example(
        name="The application asks before every request, a blueprint in another file is under it",
        file="service/circuits.py",
        code="""
from flask import Blueprint, jsonify, request
from qiskit import QuantumCircuit

circuits = Blueprint("circuits", __name__)


@circuits.route("/run", methods=["POST"])
def run():
    return jsonify(depth=QuantumCircuit(2).depth())
# file: service/__init__.py
from flask import Flask, abort, request

from .circuits import circuits

app = Flask(__name__)


@app.before_request
def authenticate():
    if request.headers.get("Authorization") != app.config["KEY"]:
        abort(401)


app.register_blueprint(circuits)
""",
    ),
    Example(
        name="Dependencies of the route, in all their forms",
        file="secured.py",
        code="""
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Security
from fastapi.security import HTTPBearer, OAuth2PasswordBearer
from qiskit_aer import AerSimulator

from auth import CurrentUser, User, get_current_active_user, verify_api_key
from work import run

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
bearer = HTTPBearer()
Caller = Annotated[User, Depends(get_current_active_user)]


@app.post("/run/1")
def run_1(circuit: dict, token: str = Depends(oauth2_scheme)):
    return run(circuit)


@app.post("/run/2")
def run_2(circuit: dict, user: Annotated[User, Depends(get_current_active_user)]):
    return run(circuit)


@app.post("/run/3", dependencies=[Depends(verify_api_key)])
def run_3(circuit: dict):
    return run(circuit)


@app.post("/run/4")
def run_4(circuit: dict, user: CurrentUser):
    return run(circuit)


@app.post("/run/5")
def run_5(circuit: dict, who=Security(bearer, scopes=["run"])):
    return run(circuit)


@app.post("/run/6")
def run_6(circuit: dict, user: Caller):
    return run(circuit)


@app.post("/run/7")
def run_7(circuit: dict, x_api_key: str = Header(...)):
    if x_api_key != KEY:
        raise HTTPException(401)
    return run(circuit)
""",
    ),
    Example(
        name="Flask: decorators, before_request, header, session",
        file="flask_app.py",
        code="""
from flask import Blueprint, Flask, abort, jsonify, request, session
from flask_jwt_extended import jwt_required
from flask_login import current_user, login_required
from functools import wraps
from qiskit import QuantumCircuit
from work import run_circuit, simulate

app = Flask(__name__)
jobs = Blueprint("jobs", __name__, url_prefix="/jobs")
training = Blueprint("training", __name__)


def token_required(f):
    @wraps(f)
    def inner(*args, **kwargs):
        if not request.headers.get("x-access-token"):
            return jsonify({"message": "missing"}), 401
        return f(*args, **kwargs)

    return inner


@app.route("/run", methods=["POST"])
@login_required
def run():
    return jsonify(run_circuit(QuantumCircuit(1)))


@app.post("/simulate")
@jwt_required()
def simulated():
    return jsonify(simulate(request.json))


@app.route("/qasm", methods=["POST"])
@token_required
def qasm():
    return jsonify(simulate(request.json))


@app.route("/execute", methods=["POST"])
def execute():
    if request.headers.get("Authorization") != f"Bearer {app.config['KEY']}":
        abort(401)
    return jsonify(simulate(request.json))


@app.route("/history/<job_id>")
def job(job_id):
    if "user_id" not in session:
        return jsonify([])
    return jsonify(simulate(job_id))


@jobs.before_request
def authenticate():
    if not current_user.is_authenticated:
        abort(401)


@jobs.route("/submit", methods=["POST"])
def submit():
    return jsonify(simulate(request.json))


def _check_key():
    if request.headers.get("X-API-Key") not in KEYS:
        abort(403)


training.before_request(_check_key)


@training.post("/train")
def train():
    return jsonify(simulate(request.json))
""",
    ),
    Example(
        name="The application or include_router asks",
        file="main.py",
        code="""
from fastapi import APIRouter, Depends, FastAPI
from qiskit import QuantumCircuit
from starlette.middleware.authentication import AuthenticationMiddleware
from auth import verify_token
from backend import TokenBackend
from work import bell_counts

app = FastAPI()
router = APIRouter(prefix="/circuits")


@router.post("/run")
def run(circuit: dict):
    return bell_counts(circuit)


app.include_router(router, dependencies=[Depends(verify_token)])
app.add_middleware(AuthenticationMiddleware, backend=TokenBackend())
""",
    ),
    Example(
        name="A router of another file that was made with a dependency",
        file="jobs.py",
        code="""
from qiskit import QuantumCircuit
from work import bell_counts
from api import router


@router.post("/run")
def run(circuit: dict):
    return bell_counts(circuit)
# file: api.py
from fastapi import APIRouter, Depends
from auth import verify_token

router = APIRouter(prefix="/jobs", dependencies=[Depends(verify_token)])
""",
    ),
    Example(
        name="Classes of Django and Flask that ask",
        file="views.py",
        code="""
import pennylane as qml
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView
from flask.views import MethodView
from work import simulate


@login_required
def run_circuit(request):
    return JsonResponse(simulate(request.POST["circuit"]))


class Run(LoginRequiredMixin, View):
    def post(self, request):
        return JsonResponse(simulate(request.POST["circuit"]))


@method_decorator(login_required, name="dispatch")
class Train(View):
    def post(self, request):
        return JsonResponse(simulate(request.POST["circuit"]))


class Simulate(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request):
        return JsonResponse(simulate(request.data))


class Predict(MethodView):
    decorators = [login_required]

    def post(self):
        return simulate({})
""",
    ),
    Example(
        name="Routes for everybody",
        file="open.py",
        code="""
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.templating import Jinja2Templates
import qiskit

app = FastAPI()
templates = Jinja2Templates(directory="templates")


@app.get("/")
async def root():
    return {"message": "Quantum simulator", "qiskit": qiskit.__version__}


@app.get("/health")
async def health_check():
    return {"status": "healthy"}


@app.get("/simulate")
def page(request: Request):
    return templates.TemplateResponse("simulate.html", {"request": request})


@app.get("/api/quantum/gates")
def gates():
    return {"gates": ["h", "cx"]}


@app.get("/static/{name}")
def static(name: str):
    return FileResponse(f"static/{name}")


@app.post("/auth/login")
def login(form: dict):
    return {"token": ""}
""",
    ),
    Example(
        name="A web shop is no job service",
        file="shop.py",
        code="""
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/run", methods=["POST"])
def run():
    return jsonify(request.json)
""",
    ),
    Example(
        name="A guarded router includes the router of another file",
        file="circuits.py",
        code="""
from fastapi import APIRouter
from qiskit import QuantumCircuit

router = APIRouter(prefix="/circuits")


@router.post("/run")
def run(depth: int):
    return QuantumCircuit(1).depth()
# file: api.py
from circuits import router as circuits_router
from fastapi import APIRouter, Depends
from security import verify_api_key

router = APIRouter(dependencies=[Depends(verify_api_key)])
router.include_router(circuits_router)
""",
    ),
)

RULE = Rule(
    id="QSA801",
    title="Job endpoint without authentication",
    severity="high",
    confidence="medium",
    cwe=(306,),
    frameworks=("services",),
    why="""A route that runs circuits or trains models spends what the owner pays for: minutes on a
quantum processor, the queue position of an account, or a simulator's memory, which doubles with
every qubit. A route that gives back results gives away what others computed. Many services for
quantum circuits begin as a demonstration on one machine, call the provider with a token that the
*server* holds, and are then reachable from the network with no question asked.

The rule looks for a check at the route (`Depends`, `Security`, a decorator), in the handler (a
header that is read, 401 or 403), at the class, at the router (`APIRouter(dependencies=...)`,
`include_router(..., dependencies=...)`, `before_request`) and at the application (middleware).
Routes for health, documentation, pages and lists of gates are left out. Where a gateway in front
of the service authenticates, say so in a suppression.""",
    remedy="Ask for a key or token at the router: APIRouter(dependencies=[Depends(verify_key)]).",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "CWE-306 <https://cwe.mitre.org/data/definitions/306.html>",
        "FastAPI: security <https://fastapi.tiangolo.com/tutorial/security/>",
        "FastAPI: dependencies of a router <https://fastapi.tiangolo.com/tutorial/bigger-applications/>",
        "OWASP API2:2023 <https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/>",
    ),
    check=check,
    states=states,
    keywords=(
        *("fastapi", "flask", "django", "rest_framework", "starlette", "aiohttp", "sanic", "quart"),
        *("bottle", "tornado", "http.server", "litestar", ".post(", ".route(", "falcon"),
    ),
)
