"""QSA107: the name of a circuit or job from outside becomes part of a path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence, Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.code_texts import opened_as
from bezoar.scan.rules.frameworks import is_quantum, is_service
from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.origins import shown, told
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Function, Module
    from bezoar.scan.code.values import Value

#: What opens, writes or removes a file, and the position and names of its path.
_OPENERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "open": (0, ("file",)),
    "aiofiles.open": (0, ("file",)),
    "os.remove": (0, ("path",)),
    "os.unlink": (0, ("path",)),
    "os.makedirs": (0, ("name",)),
    "os.mkdir": (0, ("path",)),
    "os.rename": (1, ("dst",)),
    "os.replace": (1, ("dst",)),
    "os.listdir": (0, ("path",)),
    "shutil.rmtree": (0, ("path",)),
    "shutil.copy": (1, ("dst",)),
    "shutil.move": (1, ("dst",)),
    "shutil.copyfile": (1, ("dst",)),
    "flask.send_file": (0, ("path_or_file", "filename_or_fp")),
    "fastapi.responses.FileResponse": (0, ("path",)),
    "django.http.FileResponse": (0, ("streaming_content",)),
    "numpy.save": (0, ("file",)),
    "numpy.savez": (0, ("file",)),
    "numpy.load": (0, ("file",)),
    "numpy.savetxt": (0, ("fname",)),
    "numpy.loadtxt": (0, ("fname",)),
    "torch.save": (1, ("f",)),
    "torch.load": (0, ("f",)),
    "joblib.dump": (1, ("filename",)),
    "joblib.load": (0, ("filename",)),
    "pandas.read_csv": (0, ("filepath_or_buffer",)),
    "matplotlib.pyplot.savefig": (0, ("fname",)),
    "h5py.File": (0, ("name",)),
    "zipfile.ZipFile": (0, ("file",)),
    "tarfile.open": (0, ("name",)),
    "sqlite3.connect": (0, ("database",)),
    "qiskit.QuantumCircuit.from_qasm_file": (0, ("path",)),
    "qiskit.qasm2.load": (0, ("filename",)),
    "qiskit.qasm3.load": (0, ("filename",)),
}
#: Methods of paths and uploads; the receiver of the first, the argument of the second is the path.
_PATH_METHODS = frozenset(
    (
        *(
            "open",
            "read_text",
            "read_bytes",
            "write_text",
            "write_bytes",
            "unlink",
            "mkdir",
            "touch",
        ),
        *("rename", "replace", "rmdir", "iterdir", "glob"),
    )
)
_SAVING_METHODS = {
    "save": 0,
    "savefig": 0,
    "to_csv": 0,
    "to_json": 0,
    "save_to_file": 0,
    "draw": None,
}
#: Those that take nothing but paths; the others take open files and data as well.
_TAKE_PATHS = frozenset(
    {"open", "aiofiles.open", "flask.send_file", "fastapi.responses.FileResponse"}
)
#: Classes of what was read or sent, which names no file.
_CONTENTS = frozenset({"file", "fastapi.UploadFile", "PIL.Image.Image", "fastapi.Request"})
#: A name that was tested, made safe or made anew.
_CHECKS = frozenset({"path", "listed", "number", "checked"})
#: Names that people give to what names a circuit, job, model or run.
_NAMES = re.compile(
    r"(?:.*_)?(?:circuit|job|task|experiment|run|model|benchmark|program|file|project|session|result|device|"
    r"backend|dataset|user|algorithm)?_?(?:name|id|uuid|key|label|filename|title|slug)",
    re.IGNORECASE,
)
_CIRCUIT_WORDS = re.compile(
    r"qasm|qpy|circuit|qubit|quantum|pennylane|qiskit|cirq|braket", re.IGNORECASE
)
_RATING: dict[str, tuple[Severity, Confidence]] = {
    "request": ("high", "high"),
    "parameter": ("medium", "low"),
    "file": ("medium", "medium"),
}


def check(module: Module) -> Iterator[Hit]:
    """Files whose path holds a name from outside that was neither checked nor made anew."""
    if module.is_test or not (is_quantum(module) or _CIRCUIT_WORDS.search(module.text)):
        return
    served = is_service(module) or module.project.is_service
    seen: set[tuple[Function | None, str, str]] = set()
    for call in module.calls:
        node = _path(module, call)
        # One path is told once for each thing that is done with it: written, sent, removed.
        if node is None or (call.function, call.method, ast.unparse(node)) in seen:
            continue
        value = module.value(node)
        kind = _kind(module, call, node, value, served)
        if not kind or not _CHECKS.isdisjoint(value.marks) or _refuses_dots(module, node):
            continue
        if _is_temporary(module, node):
            continue
        seen.add((call.function, call.method, ast.unparse(node)))
        severity, confidence = _RATING[kind]
        yield Hit(
            where=call.node,
            message=(
                f"The path `{shown(node)}` holds a name from {told(kind)}, and `../` in it is "
                "not refused."
            ),
            severity=severity,
            confidence=confidence,
            flow=module.flow(value, (kind,), call.node, f"is a path of {call.method}()"),
            source=value,
        )


def _is_temporary(module: Module, node: ast.expr) -> bool:
    """`handle.name` of a temporary file: tempfile chooses it, whatever is written there."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    made = opened_as(module, node.value) or assigned(module, node.value)
    if not isinstance(made, ast.Call):
        # Outside of its with statement: any of the function will do.
        function = module.function_of(node)
        return any(
            call.name.startswith("tempfile.") and call.function is function for call in module.calls
        )
    return module.name_of(made.func).startswith("tempfile.")


def _refuses_dots(module: Module, node: ast.expr) -> bool:
    """Whether the function tests `".." in name` or `"/" in name`."""
    function = module.function_of(node)
    return function is not None and any(
        isinstance(each, ast.Compare)
        and isinstance(each.left, ast.Constant)
        and each.left.value in ("..", "../", "/", "\\")
        and isinstance(each.ops[0], ast.In | ast.NotIn)
        for each in ast.walk(function.node)
    )


def _path(module: Module, call: Call) -> ast.expr | None:
    """The path that a call uses, None where it uses none."""
    where = _OPENERS.get(call.name)
    if where is not None:
        return call.argument_node(where[0], *where[1])
    func = call.node.func
    if not isinstance(func, ast.Attribute) or call.receiver is None:
        return None
    if call.method in _PATH_METHODS and call.receiver.type.startswith("pathlib."):
        return func.value
    if call.method in _PATH_METHODS and isinstance(func.value, ast.Call | ast.BinOp):
        # Path(...) and DIR / name where the class of DIR is not known.
        return func.value if _is_path(module, func.value) else None
    if call.method in _SAVING_METHODS:
        position = _SAVING_METHODS[call.method]
        return call.argument_node(position, "filename", "fname", "path", "dst", "path_or_buf")
    return None


def _is_path(module: Module, node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div)
    return isinstance(node, ast.Call) and module.name_of(node.func).startswith("pathlib.")


def _kind(module: Module, call: Call, node: ast.expr, value: Value, served: bool) -> str:
    if value.type.startswith("io.") or value.type in _CONTENTS:
        return ""
    if value.comes_from("request"):
        plain = call.name in _TAKE_PATHS or call.name.startswith(("os.", "shutil.", "pathlib."))
        return "request" if plain or _is_put_together(module, node) else ""
    if _holds_name_of_circuit(module, node):
        return "file"
    if value.comes_from("network", "cli", "env", "file", "result"):
        return ""
    if not served or not value.comes_from("parameter"):
        return ""
    named = any(
        origin.kind == "parameter" and _NAMES.fullmatch(origin.name) for origin in value.origins
    )
    return "parameter" if named and _is_put_together(module, node) else ""


def _is_put_together(module: Module, node: ast.expr) -> bool:
    """Whether the path is made here of a folder and a name; a whole path is the caller's matter."""
    if isinstance(node, ast.Name):
        source = assigned(module, node)
        return source is not None and _is_put_together(module, source)
    if isinstance(node, ast.Call):
        if last_name(node.func) in ("join", "joinpath", "format"):
            return True
        if module.name_of(node.func).startswith("pathlib.") and len(node.args) > 1:
            return True
        return any(_is_put_together(module, each) for each in node.args[:1])
    if isinstance(node, ast.Attribute):
        return node.attr in ("filename", "parent") or (
            node.attr != "name" and _is_put_together(module, node.value)
        )
    return isinstance(node, ast.JoinedStr | ast.BinOp)


def _holds_name_of_circuit(module: Module, node: ast.expr) -> bool:
    """`f"{circuit.name}.png"` of a circuit that was loaded: its name is part of the file."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and each.attr == "name":
            owner = module.value(each.value)
            if owner.comes_from("file", "network", "request") and owner.type in (
                "qiskit.QuantumCircuit",
                "qiskit.qpy.load",
            ):
                return True
            if owner.made_by == "qiskit.qpy.load" or "qiskit.qpy.load" in owner.through:
                return True
    return False


_BAD = (
    Example(
        name="The name of a circuit, in a request",
        file="server.py",
        code="""
from pathlib import Path
from fastapi import FastAPI
from pydantic import BaseModel
from qiskit import QuantumCircuit, qpy

app = FastAPI()
STORE = Path("circuits")


class SaveRequest(BaseModel):
    name: str
    n_qubits: int


@app.post("/circuits")
def save(req: SaveRequest):
    circuit = QuantumCircuit(min(req.n_qubits, 20))
    path = STORE / f"{req.name}.qpy"
    with open(path, "wb") as handle:  # <- here
        qpy.dump(circuit, handle)
    return {"saved": req.name}
""",
    ),
    Example(
        name="The number of a job, in the address",
        file="results.py",
        code="""
import json
import os
from flask import Flask, jsonify, send_file
import pennylane as qml

app = Flask(__name__)
RESULTS = "results"


@app.route("/jobs/<path:job_id>")
def job(job_id):
    with open(os.path.join(RESULTS, job_id + ".json")) as f:  # <- here
        return jsonify(json.load(f))


@app.route("/plots/<path:job_id>")
def plot(job_id):
    return send_file(f"{RESULTS}/{job_id}.png")  # <- here
""",
    ),
    Example(
        name="A storage class of a service, in another file",
        file="api.py",
        code="""
from fastapi import APIRouter
from storage import Storage

router = APIRouter()
storage = Storage("/data/models")


@router.get("/models/{model_name}")
def model(model_name: str):
    return {"weights": storage.weights(model_name).tolist()}


@router.delete("/models/{model_name}")
def delete(model_name: str):
    storage.delete(model_name)
# file: storage.py
import numpy as np
import pennylane as qml
from pathlib import Path


class Storage:
    def __init__(self, root):
        self.root = Path(root)

    def weights(self, name):
        return np.load(self.root / f"{name}.npy")  # <- here

    def delete(self, name):
        (self.root / f"{name}.npy").unlink()  # <- here
""",
    ),
    Example(
        name="The file name of an upload",
        file="upload.py",
        code="""
import os
from flask import Flask, request
from qiskit import QuantumCircuit

app = Flask(__name__)


@app.post("/upload")
def upload():
    sent = request.files["circuit"]
    target = os.path.join("uploads", sent.filename)
    sent.save(target)  # <- here
    return {"qubits": QuantumCircuit.from_qasm_file(target).num_qubits}  # <- here
""",
    ),
    Example(
        name="The name that a loaded circuit carries",
        file="export.py",
        code="""
from qiskit import qpy


def export(path, out):
    with open(path, "rb") as handle:
        circuits = qpy.load(handle)
    for circuit in circuits:
        with open(f"{out}/{circuit.name}.txt", "w") as target:  # <- here
            target.write(str(circuit.draw()))
""",
    ),
    Example(
        name="A store of a service, with whatever name it is given",
        file="store.py",
        code="""
import os
from flask import Flask
from qiskit import qpy

app = Flask(__name__)


class JobStore:
    def __init__(self, root):
        self.root = root

    def save(self, job_id, circuit):
        with open(os.path.join(self.root, f"{job_id}.qpy"), "wb") as handle:  # <- here
            qpy.dump(circuit, handle)
""",
    ),
    Example(
        name="Multi-line, write_text of a path",
        file="jobs.py",
        code="""
import json
from pathlib import Path
from fastapi import FastAPI, Request
import cirq

app = FastAPI()


@app.post("/jobs/{project}/{job}")
async def put(project: str, job: str, request: Request):
    body = await request.json()
    (
        Path("/srv/jobs") / project / f"{job}.json"
    ).write_text(json.dumps(cirq.read_json(json_text=body["circuit"]).to_text_diagram()))
    return {"ok": True}
""".replace("    (\n", "    (  # <- here\n"),
    ),
)

_GOOD = (
    Example(
        name="Resolved, and compared with the folder",
        file="server.py",
        code="""
from pathlib import Path
from fastapi import FastAPI, HTTPException
from qiskit import QuantumCircuit, qpy

app = FastAPI()
STORE = Path("circuits").resolve()


@app.post("/circuits/{name}")
def save(name: str):
    path = (STORE / f"{name}.qpy").resolve()
    if not path.is_relative_to(STORE):
        raise HTTPException(400, "name: letters and digits")
    with open(path, "wb") as handle:
        qpy.dump(QuantumCircuit(2), handle)
""",
    ),
    Example(
        name="A number that the service chooses",
        file="jobs.py",
        code="""
import uuid
from fastapi import FastAPI
from pydantic import BaseModel, Field
import pennylane as qml

app = FastAPI()


class Job(BaseModel):
    circuit: str = Field(max_length=20_000)


@app.post("/jobs")
def submit(job: Job):
    job_id = str(uuid.uuid4())
    with open(f"circuits/{job_id}.qasm", "w") as handle:
        handle.write(job.circuit)
    return {"job_id": job_id}
""",
    ),
)

_LOOK_ALIKES = (
    Example(
        name="Constant names, and names of the program",
        file="bench.py",
        code="""
import json
from pathlib import Path
from flask import Flask
from qiskit import QuantumCircuit, qpy

app = Flask(__name__)
OUT = Path("out")
for name in ("ghz", "qft", "grover"):
    circuit = QuantumCircuit(3, name=name)
    with open(OUT / f"{name}.qpy", "wb") as handle:
        qpy.dump(circuit, handle)
    (OUT / f"{circuit.name}.txt").write_text(str(circuit))


@app.get("/summary")
def summary():
    return json.loads((OUT / "summary.json").read_text())
""",
    ),
    Example(
        name="secure_filename, basename, a pattern, a list",
        file="checked.py",
        code="""
import os
import re
from flask import Flask, abort, request, send_file
from werkzeug.utils import secure_filename
import pennylane as qml

app = Flask(__name__)
KNOWN = {"vqe", "qaoa"}


@app.post("/upload")
def upload():
    sent = request.files["circuit"]
    sent.save(os.path.join("uploads", secure_filename(sent.filename)))
    return {"ok": True}


@app.get("/jobs/<name>")
def job(name):
    if not re.fullmatch(r"[a-z0-9_-]{1,40}", name):
        abort(404)
    return send_file(f"results/{name}.json")


@app.get("/plots/<name>")
def plot(name):
    if name not in KNOWN:
        abort(404)
    return send_file(f"plots/{name}.png")


@app.get("/logs/<name>")
def log(name):
    return send_file("logs/" + os.path.basename(name))
""",
    ),
    Example(
        name="Dots and slashes are refused by hand",
        file="by_hand.py",
        code="""
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
import cirq

app = FastAPI()


@app.get("/plots/{name}")
def plot(name: str):
    if ".." in name or "/" in name:
        raise HTTPException(400)
    return FileResponse(f"plots/{name}.png")
""",
    ),
    Example(
        name="A number, a UUID, an enumeration",
        file="typed.py",
        code="""
import enum
import uuid
from fastapi import FastAPI
from fastapi.responses import FileResponse
import cirq

app = FastAPI()


class Kind(str, enum.Enum):
    png = "png"
    svg = "svg"


@app.get("/runs/{number}")
def run(number: int):
    return FileResponse(f"runs/{number}.json")


@app.get("/jobs/{job_id}")
def job(job_id: uuid.UUID):
    return FileResponse(f"jobs/{job_id}.json")


@app.get("/plots/{kind}")
def plot(kind: Kind):
    return FileResponse(f"plots/circuit.{kind}")
""",
    ),
    Example(
        name="A script for the user's own files",
        file="convert.py",
        code="""
import argparse
from pathlib import Path
from qiskit import QuantumCircuit

parser = argparse.ArgumentParser()
parser.add_argument("source", type=Path)
parser.add_argument("--name", default="circuit")
args = parser.parse_args()
circuit = QuantumCircuit.from_qasm_file(args.source)
Path(f"{args.name}.txt").write_text(str(circuit))


def save(circuit, name):
    with open(f"out/{name}.txt", "w") as handle:
        handle.write(str(circuit))
""",
    ),
    Example(
        name="Contents that are read, objects that are saved",
        file="contents.py",
        code="""
import io
import numpy as np
from fastapi import FastAPI, UploadFile
from flask import request, send_file
from pydantic import BaseModel
from repository import repository
import pennylane as qml

app = FastAPI()


class Job(BaseModel):
    circuit: str


@app.post("/features")
async def features(file: UploadFile):
    return np.load(io.BytesIO(await file.read()), allow_pickle=False).shape


@app.post("/jobs")
def put(job: Job):
    repository.save(job)
    return {"ok": True}


def download():
    return send_file(io.BytesIO(request.data), download_name="circuit.qasm")
""",
    ),
    Example(
        name="The request fills the file, not its name",
        file="fills.py",
        code="""
import json
import tempfile
from pathlib import Path
from flask import Flask, request
from qiskit import QuantumCircuit

app = Flask(__name__)


@app.post("/notes")
def notes():
    Path("notes.json").write_text(json.dumps(request.json))
    with open("circuit.qasm", "w") as handle:
        handle.write(request.json["qasm"])
    with tempfile.NamedTemporaryFile("w", suffix=".qasm", delete=False) as scratch:
        scratch.write(request.json["qasm"])
    return {"qubits": QuantumCircuit.from_qasm_file(scratch.name).num_qubits}
""",
    ),
)

RULE = Rule(
    id="QSA107",
    title="Name of a circuit or job from outside becomes part of a path",
    severity="high",
    confidence="high",
    cwe=(22, 73),
    frameworks=("any",),
    why="""Services keep circuits, results and trained weights in files named after the job. A name
such as `../../home/app/.qiskit/qiskit-ibm` then reads the file with the provider's token, or puts a
poisoned circuit or model in the place of one that the next user loads. `pathlib` and `os.path.join`
do not help: an absolute name replaces the folder. The name of a circuit is part of a QPY file and
of a job, so it comes from whoever made that file.""",
    remedy="Name files by uuid4, or resolve the path and require is_relative_to(folder).",
    bad=_BAD,
    good=_GOOD,
    look_alikes=_LOOK_ALIKES,
    references=(
        "OWASP: path traversal <https://owasp.org/www-community/attacks/Path_Traversal>",
        "Python: is_relative_to <https://docs.python.org/3/library/pathlib.html#pathlib.PurePath.is_relative_to>",
        "Werkzeug: secure_filename <https://werkzeug.palletsprojects.com/en/stable/utils/#werkzeug.utils.secure_filename>",
    ),
    check=check,
)
