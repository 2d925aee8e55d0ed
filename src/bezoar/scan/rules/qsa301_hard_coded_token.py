"""QSA301: tokens of providers in code, notebooks and settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.code.declarations import defaults
from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.credentials import (
    CRN,
    described,
    holds_provider_token,
    holds_token,
    looks_random,
    snake,
    tokens_in,
)
from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.providers import CREDENTIAL_KEYWORDS, credential_position, is_provider_call

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

Place = tuple[int, int, int, int]

#: Nothing shorter is a token; most texts are left out by this alone.
_LONG = re.compile(r"[A-Za-z0-9_\-+/=.~]{20}")
#: `token = "..."` and `save_account('...')` in comments, Markdown and printed text.
_WRITTEN = re.compile(
    r"(?P<name>[A-Za-z_][\w.\-]*)[\"']?\]?\s*(?:=|:|\()\s*[\"']?(?P<value>[A-Za-z0-9_\-+/=.~]{20,})"
)
_CALLED = re.compile(r"(?:save_account|enable_account|store_account|Provider|set_api)\Z")
#: Packages of quantum and cloud providers: a name like `token` means theirs in such a file.
_PACKAGES = (
    "qiskit",
    "qiskit_ibm_runtime",
    "qiskit_ibm_provider",
    "qiskit_ionq",
    "pennylane",
    "cirq",
    "cirq_ionq",
    "braket",
    "boto3",
    "azure",
    "dwave",
    "strawberryfields",
    "xcc",
    "qbraid",
    "pyqpanda",
    "quafu",
    "tensorcircuit",
    "torchquantum",
    "pytket",
    "qiskit_aer",
    "quantuminspire",
    "IBMQuantumExperience",
)
_DOCUMENTS = frozenset({"settings", "shell", "dockerfile", "github-workflow", "gitlab-ci"})
_SCHEMES = re.compile(r"(?:bearer|apikey|token|basic)\s+(\S+)\Z", re.IGNORECASE)


def check(module: Module) -> Iterator[Hit]:
    """Tokens in texts, comments, notebook outputs, and in what is passed to a provider."""
    lines: set[int] = set()
    for hit in (*_in_constants(module), *_passed(module), *_around(module)):
        line = _line(hit)
        if line not in lines:
            lines.add(line)
            yield hit
    yield from _instances(module, lines)


def _line(hit: Hit) -> int:
    where = hit.where
    return where[0] if isinstance(where, tuple) else getattr(where, "lineno", 1)


def _in_constants(module: Module) -> Iterator[Hit]:
    """Texts of the code that are, or hold, a token."""
    quantum = module.imports_any(*_PACKAGES)
    for node in module.nodes(ast.Constant):
        text = node.value
        if not isinstance(text, str) or not _LONG.search(text):
            continue
        role, is_key = _role(module, node)
        line = module.lines[node.lineno - 1] if "\n" not in text else ""
        known = [
            (name, token, offset)
            for name, token, offset in tokens_in(text, f"{role} {line}")
            if not is_key or len(token) == 128
        ]
        if known:
            for name, token, offset in known:
                yield _hit(_within(node, text, offset), name, token, role)
        elif not (is_key or module.is_test) and _is_token(text, role, quantum):
            token = _bare(text)
            yield _hit(node, "a token", token, role, sure=holds_provider_token(role))


def _is_token(text: str, role: str, quantum: bool) -> bool:
    """Whether a text in such a role is a token of no known format."""
    named = holds_provider_token(role) or (quantum and holds_token(role))
    known = named or snake(role) in ("authorization", "provider_call")
    return known and looks_random(_bare(text))


def _bare(text: str) -> str:
    """A token without the scheme before it: `Bearer ...`."""
    match = _SCHEMES.match(text.strip())
    return match.group(1) if match else text.strip()


def _within(node: ast.Constant, text: str, offset: int) -> ast.AST | Place:
    """The line of a text in which a token is; of one line, the text itself."""
    below = text.count("\n", 0, offset)
    if not below or (node.end_lineno or node.lineno) - node.lineno < below:
        return node
    line = node.lineno + below
    return line, 1, line, 2


def _role(module: Module, node: ast.expr) -> tuple[str, bool]:
    """The name that a text is given to, "" for none, and whether it is a key of a dict."""
    child: ast.AST = node
    for outer in module.ancestors(node):
        if isinstance(outer, ast.keyword):
            return outer.arg or "", False
        if isinstance(outer, ast.Dict):
            return _dict_role(outer, child)
        if isinstance(outer, ast.Subscript) and outer.slice is child:
            return "", True
        if isinstance(outer, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            return _target_role(outer), False
        if isinstance(outer, ast.Call):
            return _call_role(module, outer, child), False
        if isinstance(outer, ast.arguments):
            return _default_role(module.parent(outer), child), False
        if isinstance(outer, ast.stmt):
            return "", False
        child = outer
    return "", False


def _dict_role(outer: ast.Dict, child: ast.AST) -> tuple[str, bool]:
    for key, value in zip(outer.keys, outer.values, strict=True):
        if key is child:
            return "", True
        if value is child and isinstance(key, ast.Constant):
            return str(key.value), False
    return "", False


def _target_role(outer: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> str:
    target = outer.targets[-1] if isinstance(outer, ast.Assign) else outer.target
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _call_role(module: Module, outer: ast.Call, child: ast.AST) -> str:
    """The role of a positional argument: of a provider, or of `getenv(name, default)`."""
    call = module.call(outer)
    if call is None:
        return ""
    position = credential_position(call)
    if is_provider_call(call) and child in outer.args:
        return "provider_call" if outer.args.index(child) == (position or 0) else ""  # type: ignore[arg-type]
    if call.method in ("getenv", "get", "setdefault", "setenv", "add_header", "putenv"):
        first = outer.args[0] if outer.args else None
        if child is not first and isinstance(first, ast.Constant):
            return str(first.value)
    return ""


def _default_role(outer: ast.AST | None, child: ast.AST) -> str:
    """The parameter whose default `child` is."""
    if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return ""
    return next((name for name, value in defaults(outer).items() if value is child), "")


def _passed(module: Module) -> Iterator[Hit]:
    """Constants of neutral names that are handed to a provider."""
    for call in module.calls:
        if not is_provider_call(call) or module.is_test:
            continue
        node = _credential(call)
        literal = module.value(node).literal if node is not None else None
        if node is None or not isinstance(literal, str) or not looks_random(literal):
            continue
        source = assigned(module, node) if isinstance(node, ast.Name | ast.Attribute) else node
        where = source if isinstance(source, ast.Constant) else call.node
        yield _hit(where, "a token", literal, ast.unparse(node) if where is not node else "")


def _credential(call: Call) -> ast.expr | None:
    return call.argument_node(credential_position(call), *CREDENTIAL_KEYWORDS)


def _around(module: Module) -> Iterator[Hit]:
    """Tokens in comments, in blanked magics, and in outputs and Markdown of notebooks."""
    for number, line in enumerate(module.lines, 1):
        start = line.find("#")
        if start >= 0 and _LONG.search(line, start):
            for name, token in _in_line(line[start:]):
                yield _hit((number, start + 1, number, len(line) + 1), name, token, "a comment")
    for number, text in (*module.magics, *module.outputs):
        for line in text.splitlines() if _LONG.search(text) else ():
            if _LONG.search(line):
                for name, token in _in_line(line):
                    place = (number, 1, number, 2)
                    yield _hit(place, name, token, "text or output of the notebook")


def _in_line(line: str) -> Iterator[tuple[str, str]]:
    """Tokens in a line that is no code: formats, and texts after the name of a token."""
    found = False
    for name, token, _ in tokens_in(line, line):
        found = True
        yield name, token
    for match in _WRITTEN.finditer(line) if not found else ():
        name, value = match.group("name"), match.group("value")
        named = holds_token(name.rpartition(".")[2]) or _CALLED.search(name)
        if named and looks_random(value):
            yield "a token", value


def _instances(module: Module, lines: set[int]) -> Iterator[Hit]:
    """Names of service instances, where no token stands beside them."""
    if "crn:v1:bluemix:public:quantum-computing:" not in module.text:
        return
    for node in module.nodes(ast.Constant):
        if not isinstance(node.value, str) or not CRN.search(node.value):
            continue
        if lines.isdisjoint(range(node.lineno - 3, node.lineno + 4)):
            yield Hit(
                where=node,
                message="The name of an instance of IBM's service (CRN) is in the code.",
                severity="low",
                confidence="medium",
                remedy="Read it from QISKIT_IBM_INSTANCE.",
            )


def _hit(where: ast.AST | Place, name: str, token: str, role: str, *, sure: bool = True) -> Hit:
    generic = name == "a token"
    place = f" as `{role}`" if role and role.isidentifier() and role != "provider_call" else ""
    if role.startswith(("a comment", "text or")):
        place = f" in {role}"
    return Hit(
        where=where,
        message=f"{name[0].upper()}{name[1:]} is written here{place}: {described(token)}.",
        confidence="medium" if generic and not sure else None,
        secret=token,
    )


def check_document(document: Document) -> Iterator[Hit]:
    """Tokens in settings, shell scripts, images and workflows."""
    if document.kind not in _DOCUMENTS or _is_example_file(document.path):
        return
    for number, line in enumerate(document.lines, 1):
        if not _LONG.search(line) or len(line) > 5000:
            continue
        for name, token in _in_line(line):
            start = line.find(token) + 1
            yield _hit((number, start, number, start + len(token)), name, token, "")
            break


def _is_example_file(path: str) -> bool:
    """Lock files and lists of digests of other tools, kept as settings."""
    return bool(re.search(r"(?:lock|manifest|checksums?|\.ipynb)\.(?:json|ya?ml|txt)\Z", path))


RULE = Rule(
    id="QSA301",
    title="Provider token in the code",
    severity="critical",
    confidence="high",
    cwe=(798,),
    frameworks=("qiskit", "pennylane", "braket", "any"),
    why=(
        "Whoever reads the repository, its history, a notebook that was mailed or the log of a "
        "build runs jobs on the owner's account, spends the quota, reads results and replaces "
        "them. Most leaks are positional `save_account` calls in notebooks, often commented out "
        "afterwards: the token is still there. Reports show its length, its first four "
        "characters and a fingerprint, never the token."
    ),
    remedy=(
        "Revoke the token now, then read it from the environment (QISKIT_IBM_TOKEN, "
        "IONQ_API_KEY) or a secret store, and clean the history."
    ),
    bad=(
        Example(
            name="the classic, in a notebook",
            file="vqe.ipynb",
            code="""\
# %%
from qiskit import IBMQ
IBMQ.save_account('{{ibm-token}}', overwrite=True)  # <- here
# %%
# IBMQ.enable_account('{{ibm-token}}')  # <- here
provider = IBMQ.load_account()
""",
        ),
        Example(
            name="keywords, in one line and in many",
            code="""\
from qiskit_ibm_runtime import QiskitRuntimeService

service = QiskitRuntimeService(channel="ibm_quantum", token="{{ibm-token}}")  # <- here
QiskitRuntimeService.save_account(
    channel="ibm_quantum_platform",
    token="{{ibm-cloud-key}}",  # <- here
    overwrite=True,
)
""",
        ),
        Example(
            name="PennyLane's device and settings",
            code="""\
import pennylane as qml

dev = qml.device(
    "qiskit.ibmq",
    wires=4,
    backend="ibmq_manila",
    ibmqx_token="{{ibm-token}}",  # <- here
)
qml.default_config["qiskit.ibmq.ibmqx_token"] = "{{ibm-token}}"  # <- here
""",
        ),
        Example(
            name="environment, constants and defaults",
            code="""\
import os

from qiskit_ibm_runtime import QiskitRuntimeService

os.environ["QISKIT_IBM_TOKEN"] = "{{ibm-cloud-key}}"  # <- here
API_TOKEN = "{{ibm-cloud-key}}"  # <- here
KEY = os.getenv("IBM_KEY", "{{ibm-cloud-key}}")  # <- here
pieces = (
    "{{ibm-token}}"  # <- here
)


def connect(token="{{ibm-token}}"):  # <- here
    return QiskitRuntimeService(token=token)


class Settings:
    ibm_api_key: str = "{{ibm-cloud-key}}"  # <- here
""",
        ),
        Example(
            name="IonQ, by position, by a neutral name, and in a header",
            code="""\
import requests
from qiskit_ionq import IonQProvider

provider = IonQProvider("{{ibm-cloud-key}}")  # <- here
mine = "{{ibm-cloud-key}}"  # <- here
other = IonQProvider(mine)
headers = {
    "Authorization": "apiKey {{ibm-cloud-key}}",  # <- here
    "Content-Type": "application/json",
}
requests.get("https://api.ionq.co/v0.3/jobs", headers=headers, timeout=9)
""",
        ),
        Example(
            name="AWS for Braket",
            code="""\
import boto3
from braket.aws import AwsSession

session = boto3.Session(
    aws_access_key_id="{{aws-key}}",  # <- here
    aws_secret_access_key="{{aws-secret}}",  # <- here
    region_name="us-east-1",
)
braket = AwsSession(boto_session=session)
""",
        ),
        Example(
            name="settings that are committed",
            file=".env",
            code="""\
BACKEND=ibm_brisbane
QISKIT_IBM_TOKEN={{ibm-cloud-key}}
IBMQ_TOKEN="{{ibm-token}}"
""",
            lines=(2, 3),
        ),
        Example(
            name="in a docstring, a comment and a dict",
            code='''\
"""Runs on hardware.

Set it up with IBMQ.save_account("{{ibm-token}}")  # <- here
"""
CONFIG = {
    "hub": "ibm-q",
    "token": "{{ibm-token}}",  # <- here
}
backend = None  # old account: {{ibm-token}}  # <- here
''',
        ),
        Example(
            name="the text cell of a notebook and a magic",
            file="setup.ipynb",
            code="""\
# %%
%env QISKIT_IBM_TOKEN={{ibm-cloud-key}}  # <- here
import qiskit
""",
        ),
    ),
    good=(
        Example(
            name="from the environment",
            code="""\
import os

from qiskit_ibm_runtime import QiskitRuntimeService

service = QiskitRuntimeService(channel="ibm_cloud", token=os.environ["QISKIT_IBM_TOKEN"])
""",
        ),
    ),
    look_alikes=(
        Example(
            name="placeholders and empty texts",
            code="""\
from qiskit import IBMQ
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ionq import IonQProvider

IBMQ.save_account("YOUR_API_TOKEN")
IBMQ.save_account("<paste the token of your IBM Quantum dashboard here>")
IBMQ.save_account("TOKEN HERE", overwrite=True)
QiskitRuntimeService.save_account(token="YOUR_IBM_QUANTUM_API_TOKEN_GOES_HERE_44_CHARS")
service = QiskitRuntimeService(token="")
service = QiskitRuntimeService(token="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
service = QiskitRuntimeService(token="bdce79a1....2e9a2bdf0000")
provider = IonQProvider("MY_TOKEN")
API_TOKEN = None
TOKEN = "0" * 128
""",
        ),
        Example(
            name="dummies in tests",
            file="tests/test_service.py",
            code="""\
from project.service import connect


def test_token_is_kept():
    service = connect(token="my_token")
    assert service.token == "my_token"
    assert connect(token="dummy-token-0123456789-abcdef").active
    assert connect(api_key="k" * 44)
    assert connect(token="9b2d1c7e5a")
""",
        ),
        Example(
            name="digests, commits and identifiers",
            code="""\
import qiskit

SHA512 = (
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)
EXPECTED = {"data.npz": "sha512:" + SHA512}
COMMIT = "86b5e0934494bd15c9632b12f734a8a67f723594"
job_id = "cx5t7v2k3p9g008hq1m0"
run_id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
counts = {"0" * 128: 12, "01" * 64: 3}
""",
        ),
        Example(
            name="long keys of dicts and words that are no tokens",
            code="""\
import pennylane as qml

NAMES = {
    "AngleEmbedding2_StronglyEntanglingLayers4_X1": 0.91,
    "qA8sK2mZ7pL0wX5vB3nC9rT1yU4iO6eD-hF_gJqWzEbM": 0.88,
}
API_KEY_NAME = "QISKIT_IBM_RUNTIME_API_KEY_2024"
tokenizer = "bert-base-multilingual-cased-v2"
pad_token = "<|endoftext|>"
token_url = "https://auth.quantum.ibm.com/api/users/loginWithToken"
max_tokens = 4096
""",
        ),
        Example(
            name="names of variables and secrets of CI",
            file="deploy.yml",
            code="""\
env:
  QISKIT_IBM_TOKEN: ${{ secrets.QISKIT_IBM_TOKEN }}
  IONQ_API_KEY: $(IONQ_API_KEY_FROM_VAULT_2024)
  TOKEN_FILE: /run/secrets/qiskit_ibm_token_2024
""",
        ),
    ),
    references=(
        (
            "Qiskit: save and manage credentials "
            "<https://quantum.cloud.ibm.com/docs/guides/save-credentials>"
        ),
        "CWE-798 <https://cwe.mitre.org/data/definitions/798.html>",
    ),
    check=check,
    check_document=check_document,
    tags=("credentials",),
)
