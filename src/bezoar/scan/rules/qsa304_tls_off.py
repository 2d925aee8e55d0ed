"""QSA304: TLS without the check of who is on the other side."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.documents import Document
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.links import host_of, is_local_host
from bezoar.scan.rules.literals import default_of, leading_text
from bezoar.scan.rules.providers import is_provider_call
from bezoar.scan.rules.shell_commands import shell_commands

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Roots of HTTP clients whose calls take `verify`.
_CLIENTS = ("requests.", "httpx.", "boto3.", "botocore.", "hvac.", "cloudscraper.", "curl_cffi.")
#: Methods of sessions and clients whose class is not known.
_METHODS = frozenset(
    "get post put patch delete head options request send stream Client AsyncClient Session client "
    "resource".split()
)
#: Those of them that other objects have as well, and what a call of HTTP gives beside `verify`.
_VERBS = frozenset("get post put patch delete head options request send stream".split())
_HTTP_KEYWORDS = frozenset("url timeout params headers json data files auth cookies".split())
#: Keyword to the value with which it switches the check off.
_SWITCHES: dict[str, tuple[object, ...]] = {
    "verify": (False,),
    "verify_ssl": (False,),
    "ssl_verify": (False,),
    "verify_certs": (False,),
    "check_hostname": (False,),
    "validate_cert": (False,),
    "validate_certs": (False,),
    "disable_ssl_certificate_validation": (True,),
    "tlsInsecure": (True,),
    "tlsAllowInvalidCertificates": (True,),
    "allow_insecure": (True,),
}
_AIOHTTP = ("aiohttp.",)
#: Functions and classes of the project that are called like a client.
_WRAPPER = re.compile(
    r"http|request|fetch|download|client|session|connect|login|api", re.IGNORECASE
)
#: The same switches of programs.
_COMMAND = re.compile(
    r"\bwget\b.*?\s(--no-check-certificate)\b|\bcurl\b.*?\s(?=(--insecure|-[a-zA-Z]*k[a-zA-Z]*)\b)"
    r"|\b(GIT_SSL_NO_VERIFY=(?:1|true))\b|\b(http\.sslVerify[= ]false)\b"
)
#: Environment variables with which clients stop looking at certificates.
_VARIABLES: dict[str, tuple[str, ...]] = {
    "PYTHONHTTPSVERIFY": ("0",),
    "CURL_CA_BUNDLE": ("",),
    "REQUESTS_CA_BUNDLE": ("",),
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
    "GIT_SSL_NO_VERIFY": ("1", "true"),
}
#: A condition on such a name is a switch that somebody has to turn.
_TOGGLE = re.compile(r"verif|insecure|ssl|tls|cert|secure|self_signed|trust", re.IGNORECASE)


def check(module: Module) -> Iterator[Hit]:
    """Switches of clients, contexts without verification, variables of the environment."""
    for call in module.calls:
        what = _switched_off(module, call) or _unverified(module, call)
        if what and not _is_toggle(module, call.node) and not _is_local(module, call):
            yield Hit(where=call.node, message=f"{what}: anybody on the way can read and answer.")
    yield from _assignments(module)
    for where, command in shell_commands(module):
        match = _COMMAND.search(command)
        if match:
            yield Hit(
                where=where,
                message=f"`{_switch(match)}`: anybody on the way can read and answer.",
            )


def check_document(document: Document) -> Iterator[Hit]:
    """Downloads of scripts, images and workflows without the check."""
    if document.kind not in ("shell", "dockerfile", "github-workflow", "gitlab-ci"):
        return
    for number, line in enumerate(document.lines, 1):
        match = _COMMAND.search(line)
        if match and not line.lstrip().startswith("#"):
            yield Hit(
                where=(number, match.start() + 1, number, match.end() + 1),
                message=f"`{_switch(match)}`: anybody on the way can read and answer.",
            )


def _switch(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group)


def _switched_off(module: Module, call: Call) -> str:
    """The switch that the call turns, "" for none."""
    http = (
        call.name.startswith((*_CLIENTS, *_AIOHTTP))
        or (":" in call.name and bool(_WRAPPER.search(call.method)))
        or is_provider_call(call)
    )
    for keyword in call.node.keywords:
        name = keyword.arg or ""
        if name == "ssl" and call.name.startswith(_AIOHTTP) and _is_false(module, keyword.value):
            return "`ssl=False`"
        if name == "cert_reqs" and _is_none(module, keyword.value):
            return "`cert_reqs=CERT_NONE`"
        off = _SWITCHES.get(name)
        if off is None or not _equals(default_of(module, keyword.value), off):
            continue
        if name == "verify" and not (http or _looks_like_http(call)):
            continue
        if name == "check_hostname" and "ssl" not in call.name.lower():
            continue
        return f"`{name}={ast.unparse(keyword.value)}`"
    return ""


def _is_false(module: Module, node: ast.expr) -> bool:
    return module.value(node).literal is False


def _equals(literal: object, wanted: tuple[object, ...]) -> bool:
    return any(literal is each for each in wanted)


def _looks_like_http(call: Call) -> bool:
    """A method of an object of unknown class that is called with a URL or a path."""
    if call.method not in _METHODS or "jwt" in call.name:
        return False
    if call.method not in _VERBS or call.node.args or call.has_star:
        return True
    # `register.delete(verify=False)` is no HTTP: it says neither where to nor what to send.
    return any(keyword.arg in _HTTP_KEYWORDS for keyword in call.node.keywords)


def _unverified(module: Module, call: Call) -> str:
    if call.name == "ssl._create_unverified_context":
        return "`ssl._create_unverified_context()`"
    if call.name in ("ssl.wrap_socket", "ssl.SSLContext.wrap_socket"):
        return ""
    if call.name in ("os.environ.setdefault", "os.putenv") and len(call.node.args) == 2:
        return _variable(module, call.node.args[0], call.node.args[1])
    return ""


def _variable(module: Module, name: ast.expr, value: ast.expr) -> str:
    key, text = module.value(name).literal, module.value(value).literal
    if isinstance(key, str) and str(text).lower() in _VARIABLES.get(key, ()):
        return f"`{key}={text}`"
    return ""


def _assignments(module: Module) -> Iterator[Hit]:
    """`context.verify_mode = ssl.CERT_NONE`, `session.verify = False`, the default context."""
    for statement in module.nodes(ast.Assign, ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if statement.value is None:
            continue
        for target in targets:
            what = _assigned_off(module, target, statement.value)
            if what and not _is_toggle(module, statement):
                yield Hit(
                    where=statement, message=f"{what}: anybody on the way can read and answer."
                )


def _assigned_off(module: Module, target: ast.expr, value: ast.expr) -> str:
    if isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith("environ"):
        return _variable(module, target.slice, value)
    if not isinstance(target, ast.Attribute):
        return ""
    shown = ast.unparse(target)
    if target.attr == "verify_mode" and _is_none(module, value) and shown != "self.verify_mode":
        return f"`{shown} = CERT_NONE`"
    if target.attr == "_create_default_https_context" and _is_unverified(module, value):
        return "Certificates are checked nowhere in this process"
    if target.attr == "verify" and isinstance(value, ast.Constant) and value.value is False:
        owner = module.value(target.value)
        session = owner.type.startswith(("requests", "httpx")) or "session" in shown.lower()
        if session or "client" in shown.lower() or shown in ("s.verify", "r.verify"):
            return f"`{shown} = False`"
    if target.attr == "verify_ssl" and isinstance(value, ast.Constant) and value.value is False:
        owner = ast.unparse(target.value)
        return "" if owner == "self" else f"`{shown} = False`"
    return ""


def _is_none(module: Module, node: ast.expr) -> bool:
    return (
        ast.unparse(node).rpartition(".")[2] == "CERT_NONE"
        or module.value(node).literal == "CERT_NONE"
    )


def _is_unverified(module: Module, node: ast.expr) -> bool:
    """`ssl._create_unverified_context`, under its name or one that was given to it before."""
    if isinstance(node, ast.Lambda):
        return "_create_unverified_context" in ast.unparse(node)
    name = module.name_of(node) or ast.unparse(node)
    return "unverified" in name


def _is_toggle(module: Module, node: ast.AST) -> bool:
    """Whether a setting decides, as in clients that a generator wrote."""
    child = node
    for outer in module.ancestors(node):
        test = outer.test if isinstance(outer, ast.If | ast.IfExp) else None
        decides = test is not None and child is not test and not _tests_feature(test)
        if decides and test is not None and _names_switch(test):
            return True
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return False
        child = outer
    return False


def _names_switch(test: ast.expr) -> bool:
    return any(
        _TOGGLE.search(each.id if isinstance(each, ast.Name) else each.attr)
        for each in ast.walk(test)
        if isinstance(each, ast.Name | ast.Attribute)
    )


def _tests_feature(test: ast.expr) -> bool:
    """`if hasattr(ssl, "_create_unverified_context")`: nobody decides anything."""
    text = ast.unparse(test)
    return "getattr(ssl" in text or "hasattr(ssl" in text or "PYTHONHTTPSVERIFY" in text


def _is_local(module: Module, call: Call) -> bool:
    """Whether the call goes to this machine."""
    return any(
        is_local_host(host_of(leading_text(module, argument))) for argument in call.node.args[:2]
    )


RULE = Rule(
    id="QSA304",
    title="TLS certificates are not checked",
    severity="high",
    confidence="high",
    cwe=(295,),
    frameworks=("qiskit", "braket", "any"),
    why=(
        "Without the check of the certificate anybody between the user and the provider reads "
        "the token, sees the circuits and changes the counts that come back; a result of a "
        "quantum computer has nothing else that shows it is genuine. The switch is usually left "
        "from a day behind a company proxy, and one of these lines switches it off for the whole "
        "process."
    ),
    remedy=(
        "Leave verification on; give the proxy's certificate as verify='ca.pem' or "
        "ssl.create_default_context(cafile=...)."
    ),
    bad=(
        Example(
            name="accounts of IBM",
            code="""\
from qiskit import IBMQ
from qiskit_ibm_runtime import QiskitRuntimeService

IBMQ.enable_account(token, verify=False)  # <- here
QiskitRuntimeService.save_account(  # <- here
    channel="ibm_cloud",
    token=token,
    verify=False,
)
service = QiskitRuntimeService(token=token, verify=False)  # <- here
""",
        ),
        Example(
            name="HTTP clients",
            code="""\
import boto3
import httpx
import requests

answer = requests.post(URL, json=job, verify=False, timeout=9)  # <- here
client = httpx.Client(verify=False)  # <- here
braket = boto3.client("braket", verify=False)  # <- here


class Backend:
    def __init__(self):
        self.session = requests.Session()
        self.session.verify = False  # <- here

    def counts(self, job):
        return self.session.get(f"{self.url}/{job}", verify=False).json()  # <- here
""",
        ),
        Example(
            name="the whole process, in a notebook",
            file="mnist.ipynb",
            code="""\
# %%
import ssl
ssl._create_default_https_context = ssl._create_unverified_context  # <- here
# %%
from torchvision import datasets
mnist = datasets.MNIST("data", download=True)
""",
        ),
        Example(
            name="the same for old Pythons",
            code="""\
import os
import ssl

try:
    _create_unverified_https_context = ssl._create_unverified_context
except AttributeError:
    pass
else:
    ssl._create_default_https_context = _create_unverified_https_context  # <- here

if not os.environ.get("PYTHONHTTPSVERIFY", "") and getattr(ssl, "_create_unverified_context", None):
    ssl._create_default_https_context = ssl._create_unverified_context  # <- here
""",
        ),
        Example(
            name="programs of the shell",
            file="fetch.ipynb",
            code="""\
# %%
!wget --no-check-certificate https://data.lab.org/train.npz  # <- here
import os
os.system("curl -kLO https://data.lab.org/test.npz")  # <- here
""",
        ),
        Example(
            name="an image",
            file="Dockerfile",
            code="""\
FROM python:3.12
RUN curl --insecure -O https://data.lab.org/train.npz
""",
            lines=(2,),
        ),
        Example(
            name="contexts, pools and the environment",
            code="""\
import os
import ssl
import urllib.request

import aiohttp
import urllib3

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE  # <- here
page = urllib.request.urlopen(URL, context=ssl._create_unverified_context())  # <- here
pool = urllib3.PoolManager(cert_reqs="CERT_NONE")  # <- here
connector = aiohttp.TCPConnector(ssl=False)  # <- here
os.environ["CURL_CA_BUNDLE"] = ""  # <- here
""",
        ),
        Example(
            name="a wrapper whose default is off",
            code="""
import requests


class Simulator:
    def __init__(self, host):
        self.host = host

    def run(self, program, verify_tls=False):
        return requests.post(  # <- here
            self.host + "/run", json=program, verify=verify_tls, timeout=30
        ).json()
""",
        ),
    ),
    good=(
        Example(
            name="the certificate of the proxy",
            code="""\
import ssl

import requests
from qiskit_ibm_runtime import QiskitRuntimeService

requests.post(URL, json=job, verify="/etc/ssl/company.pem", timeout=9)
service = QiskitRuntimeService(token=token, verify=True)
context = ssl.create_default_context(cafile="/etc/ssl/company.pem")
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the toggle of a generated client",
            file="client/rest.py",
            code="""\
import ssl

import urllib3


class RESTClientObject:
    def __init__(self, configuration):
        if configuration.verify_ssl:
            cert_reqs = ssl.CERT_REQUIRED
        else:
            cert_reqs = ssl.CERT_NONE
        self.pool_manager = urllib3.PoolManager(cert_reqs=cert_reqs)


def context_for(settings):
    context = ssl.create_default_context()
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
""",
        ),
        Example(
            name="a parameter that is passed on",
            code="""\
import requests


class Api:
    def __init__(self, url, verify=True):
        self.url = url
        self.verify = verify

    def get(self, path):
        return requests.get(self.url + path, verify=self.verify, timeout=9)
""",
        ),
        Example(
            name="other things that can be verified",
            code="""\
import jwt
from project.circuits import simplify

claims = jwt.decode(text, KEY, algorithms=["HS256"], verify=False)
smaller = simplify(circuit, verify=False)
optimiser.step(verify=False)
page.click("Run", verify=False)
""",
        ),
        Example(
            name="registers that are given back without a proof",
            code="""\
def compare(left, right):
    carry = QuantumVariable(2)
    adder(left, right, carry)
    carry.delete(verify=False)


def multiply(factor):
    ancilla = factor.duplicate()
    try:
        ancilla.delete(verify=False)
    except NameError:
        pass
""",
        ),
        Example(
            name="this machine, comments and texts",
            code='''\
import requests

health = requests.get("https://localhost:8443/health", verify=False, timeout=1)
# requests.get(URL, verify=False)


def connect(url):
    """Never call this with verify=False or ssl.CERT_NONE."""
    return requests.get(url, timeout=9)
''',
        ),
    ),
    references=(
        "requests: SSL <https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification>",
        "Python: ssl <https://docs.python.org/3/library/ssl.html#ssl-security>",
    ),
    check=check,
    check_document=check_document,
    keywords=(
        "verify",
        "CERT_NONE",
        "_create_unverified",
        "ssl",
        "CA_BUNDLE",
        "HTTPSVERIFY",
        "tlsInsecure",
        "tlsAllow",
        "wget",
        "curl",
    ),
    tags=("transport",),
)
