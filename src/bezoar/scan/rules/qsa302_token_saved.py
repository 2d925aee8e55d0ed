"""QSA302: tokens that a script or a service leaves on the disk."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_SAVERS = frozenset(
    {
        "qiskit.IBMQ.save_account",
        "qiskit.IBMQ.update_account",
        "qiskit_ibm_runtime.QiskitRuntimeService.save_account",
        "qiskit_ibm_runtime.IBMRuntimeService.save_account",
        "qiskit_ibm_provider.IBMProvider.save_account",
        "qiskit_ibm.IBMProvider.save_account",
        "quantuminspire.credentials.save_account",
        "strawberryfields.store_account",
        "quafu.User.save_apitoken",
    }
)
#: A script or function called like this is a set-up helper that a person runs once.
_SET_UP = re.compile(
    r"(?:^|_)(?:set_?up|config\w*|log_?in|sign_?in|save\w*|store\w*|auth\w*|credential\w*"
    r"|account\w*|register|onboard\w*|init_account|install|token\w*|first_?time)(?:_|$)"
)
_ASKING = frozenset({"input", "getpass.getpass", "click.prompt", "typer.prompt", "raw_input"})
_ASKING_METHODS = frozenset({"getpass", "prompt", "text_input", "ask"})
#: Work that a script which only sets up an account does not do.
_WORK = frozenset(
    "run QuantumCircuit transpile execute Sampler SamplerV2 Estimator EstimatorV2 Session measure "
    "fit train submit generate_preset_pass_manager QNode device Circuit".split()
)
_RUNNERS = frozenset({"github-workflow", "gitlab-ci", "dockerfile", "shell"})
_IN_SCRIPT = re.compile(r"\b(?:save_account|store_account)\s*\(")


def check(module: Module) -> Iterator[Hit]:
    """Calls that save an account in what runs more than once, or for others."""
    if module.is_test:
        return
    for call in module.calls:
        if call.name not in _SAVERS and not (
            call.method == "save_account" and module.imports_any("qiskit", "qiskit_ibm_runtime")
        ):
            continue
        where = _context(module, call)
        if where:
            yield Hit(
                where=call.node,
                message=f"`{call.method}` leaves the token in clear on the disk of {where}.",
            )


def _context(module: Module, call: Call) -> str:
    """Whose disk the token is left on, "" for that of somebody who sets up an account."""
    function = call.function
    if function is not None and function.is_route:
        return "the server"
    if module.is_notebook:
        # People keep the cell with the call; only `overwrite` shows that it runs every time.
        return "whatever runs the notebook" if _overwrites(module, call) else ""
    if _is_set_up(module, call) or _asks(module, call) or call.has_star:
        return ""
    if function is None and not _works(module):
        # Nothing but the account: a script that is run once.
        return ""
    if module.project.is_service and function is not None:
        return "the service"
    return "every machine that runs this"


def _works(module: Module) -> bool:
    """Whether the script runs circuits, or imports what it takes to do so."""
    called = any(other.method in _WORK for other in module.calls)
    return called or any(name.rpartition(".")[2] in _WORK for name in module.imports)


def _overwrites(module: Module, call: Call) -> bool:
    node = call.argument_node(None, "overwrite")
    return node is not None and module.value(node).literal is True


def _is_set_up(module: Module, call: Call) -> bool:
    names = [PurePosixPath(module.path).stem]
    names += [
        outer.name
        for outer in module.ancestors(call.node)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    plain = (re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^a-zA-Z0-9]+", "_", name).lower() for name in names)
    return any(_SET_UP.search(name) for name in plain)


def _asks(module: Module, call: Call) -> bool:
    """Whether a person types the token, or is asked before it is saved."""
    return any(
        other.name in _ASKING or other.method in _ASKING_METHODS
        for other in module.calls
        if other.function is call.function or other.function is None
    )


def check_document(document: Document) -> Iterator[Hit]:
    """Accounts saved by build steps and images."""
    if document.kind not in _RUNNERS:
        return
    for number, line in enumerate(document.lines, 1):
        match = _IN_SCRIPT.search(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        where = "the image" if document.kind == "dockerfile" else "the machine that builds"
        yield Hit(
            where=(number, match.start() + 1, number, match.end() + 1),
            message=f"`{match.group().rstrip('(').strip()}` leaves the token in clear on {where}.",
        )


RULE = Rule(
    id="QSA302",
    title="Token left on the disk by save_account",
    severity="low",
    confidence="medium",
    cwe=(312,),
    frameworks=("qiskit",),
    why=(
        "`save_account` writes the token in clear to `~/.qiskit/qiskit-ibm.json` of whoever runs "
        "the code. On a laptop, once, that is what it is for. In a script, a service, an image "
        "or a CI job it leaves the token on shared machines, in layers and caches, where the "
        "next job or user finds it; `overwrite=True` is the sign that it happens on every run."
    ),
    remedy="Pass the token to QiskitRuntimeService(token=os.environ[...]) for each run instead.",
    bad=(
        Example(
            name="a training script",
            code="""\
import os

from qiskit import IBMQ

IBMQ.save_account(os.environ["IBMQ_TOKEN"], overwrite=True)  # <- here
provider = IBMQ.load_account()
backend = provider.get_backend("ibmq_manila")
counts = backend.run(circuit, shots=1024).result().get_counts()
""",
        ),
        Example(
            name="a service",
            code="""\
from fastapi import FastAPI
from qiskit_ibm_runtime import QiskitRuntimeService

app = FastAPI()


@app.post("/account")
def account(token: str):
    QiskitRuntimeService.save_account(  # <- here
        channel="ibm_quantum_platform",
        token=token,
        overwrite=True,
    )
    return {"ok": True}
""",
        ),
        Example(
            name="in the run of an experiment",
            code="""\
from qiskit_ibm_provider import IBMProvider


def run(circuit, token, shots):
    IBMProvider.save_account(token=token, overwrite=True)  # <- here
    backend = IBMProvider().get_backend("ibm_perth")
    return backend.run(circuit, shots=shots).result()
""",
        ),
        Example(
            name="a step of a workflow",
            file=".github/workflows/hardware.yml",
            code="""\
on: push
jobs:
  run:
    runs-on: ubuntu-latest
    steps:
      - run: python -c "from qiskit import IBMQ; IBMQ.save_account('$TOKEN')"
""",
            lines=(6,),
        ),
        Example(
            name="a notebook that does it on every run",
            file="hardware.ipynb",
            code="""\
# %%
from qiskit_ibm_runtime import QiskitRuntimeService
QiskitRuntimeService.save_account(token=TOKEN, overwrite=True, set_as_default=True)  # <- here
""",
        ),
        Example(
            name="a script that goes on to a sampler",
            code="""
import os

from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

KEY = os.environ["IBM_KEY"]
QiskitRuntimeService.save_account(channel="ibm_cloud", token=KEY, overwrite=True)  # <- here
service = QiskitRuntimeService(channel="ibm_cloud")
backend = service.least_busy(operational=True, simulator=False)
print(backend.name)
""",
        ),
    ),
    good=(
        Example(
            name="a session for this run",
            code="""\
import os

from qiskit_ibm_runtime import QiskitRuntimeService

service = QiskitRuntimeService(channel="ibm_cloud", token=os.environ["QISKIT_IBM_TOKEN"])
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a set-up helper that asks",
            code="""\
import getpass

from qiskit_ibm_runtime import QiskitRuntimeService

if __name__ == "__main__":
    token = getpass.getpass("IBM Quantum API key: ")
    QiskitRuntimeService.save_account(channel="ibm_cloud", token=token, overwrite=True)
""",
        ),
        Example(
            name="a command that configures",
            code="""\
import click
from qiskit_ibm_runtime import QiskitRuntimeService


@click.command()
@click.option("--token", prompt=True, hide_input=True)
def configure(token):
    QiskitRuntimeService.save_account(token=token, overwrite=True)
""",
        ),
        Example(
            name="a script that does nothing else",
            file="00_first_steps.py",
            code="""\
import os

from dotenv import load_dotenv
from qiskit_ibm_runtime import QiskitRuntimeService

load_dotenv()
QiskitRuntimeService.save_account(
    channel="ibm_quantum_platform",
    token=os.getenv("IBM_RUNTIME_TOKEN"),
    overwrite=True,
)
service = QiskitRuntimeService()
print(service.backends())
""",
        ),
        Example(
            name="a script for it, and loading",
            file="save_ibm_token.py",
            code="""\
import sys

from qiskit import IBMQ

IBMQ.save_account(sys.argv[1])
""",
        ),
        Example(
            name="other accounts, comments and notebooks that set up once",
            file="intro.ipynb",
            code="""\
# %%
from qiskit import IBMQ
# IBMQ.save_account(TOKEN, overwrite=True)
IBMQ.save_account(TOKEN)
provider = IBMQ.load_account()
bank.save_account(customer)
""",
        ),
    ),
    references=(
        (
            "Qiskit: save and manage credentials "
            "<https://quantum.cloud.ibm.com/docs/guides/save-credentials>"
        ),
    ),
    check=check,
    check_document=check_document,
    keywords=("save_account", "store_account", "update_account", "save_apitoken"),
    tags=("credentials",),
)
