"""QSA305: jobs, data and models over plain http."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bezoar.scan.code.declarations import defaults
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.credentials import snake
from bezoar.scan.rules.links import FETCHERS, host_of, is_public_host
from bezoar.scan.rules.providers import is_provider_call
from bezoar.scan.rules.shell_commands import fetched_url, shell_commands

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_PLAIN = re.compile(r"(?:http|ws)://[^\s\"'<>]+\Z")
#: Methods of clients whose class is not known.
_METHODS = frozenset(
    "get post put patch delete head request urlopen urlretrieve retrieve download ws_connect "
    "stream fetch download_file download_url get_json post_json send_request fetch_url".split()
)
#: Names of what is fetched from or sent to.
_ENDPOINT = re.compile(
    r"(?:^|_)(?:\w*urls?|uris?|endpoints?|hosts?|servers?|mirrors?|base|api|address|origin|sources?"
    r"|links?|sites?|download\w*|remote|backend|gateway|broker|webhook|resources?|files?|datasets?"
    r"|addr|location|domain|service)(?:_|$)"
)
#: Names of links for people, of namespaces and of what is no endpoint.
_NO_ENDPOINT = re.compile(
    r"(?:^|_)(?:licen[cs]es?|home_?page|docs?|documentation|help|refs?|references?|schemas?"
    r"|namespaces?|xmlns|ns|nsmap|nss|citations?|papers?|doi|authors?|project_urls|repository"
    r"|repo|website|webpage|refer+er|user_agent|prox(?:y|ies)|https?_proxy|http|origins|text|message"
    r"|description|desc|title|label|about|credits?|readme|footer|href|badge|logo|icon|xsd|dtd|type"
    r"|vocab|ontology|context|prefix|prefixes|id|iri|bibtex|info|comment|note|version)(?:_|$)"
)
#: Hosts and paths that name things and are not fetched.
_NAMES = re.compile(
    r"(?:^|\.)(?:w3\.org|json-schema\.org|purl\.org|xmlns\.com|openxmlformats\.org|xmlsoap\.org"
    r"|adobe\.com|opensource\.org|creativecommons\.org|gnu\.org|microsoft\.com|dublincore\.org"
    r"|oasis-open\.org|opengis\.net|schema\.org|unlicense\.org|doi\.org|dx\.doi\.org|arxiv\.org)$"
)
_NAMING_PATH = re.compile(
    r"/licen[cs]es?/|\.(?:xsd|dtd|rdf|owl)\b|/(?:ns|schemas?)/|/license", re.IGNORECASE
)
_PACKAGES = (
    "requests httpx urllib urllib2 urllib3 aiohttp websocket websockets wget pandas tensorflow "
    "keras torchvision gdown pooch socketio http pycurl qiskit_ibm_runtime qiskit_ionq cirq_ionq "
    "suds zeep xmlrpc grpc tornado"
).split()
_SETTINGS_FILE = re.compile(r"(?:^|_)(?:config\w*|settings?|constants?|const|env|urls?)(?:_|$)")
#: Files whose links are package metadata or documentation.
_METADATA = frozenset({"setup.py", "conf.py", "__about__.py", "__version__.py", "noxfile.py"})


def check(module: Module) -> Iterator[Hit]:
    """Texts that begin with http:// and are fetched, sent to or named as an endpoint."""
    if module.is_test or PurePosixPath(module.path).name in _METADATA:
        return
    for node in module.nodes(ast.Constant):
        text = node.value
        if not isinstance(text, str) or not text.startswith(("http://", "ws://")):
            continue
        host = host_of(text)
        if not _PLAIN.match(text) or not is_public_host(host) or _names_something(text, host):
            continue
        if _is_endpoint(module, node):
            private = re.match(r"10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.", host)
            yield Hit(
                where=node,
                message=f"`{text[:80]}` goes over the network in clear.",
                confidence="low" if private else None,
            )
    yield from _connections(module)
    for where, command in shell_commands(module):
        url = fetched_url(command)
        if url.startswith("http://") and is_public_host(host_of(url)):
            yield Hit(where=where, message=f"`{url[:80]}` goes over the network in clear.")


def _names_something(text: str, host: str) -> bool:
    return bool(_NAMES.search(host) or _NAMING_PATH.search(text) or host.startswith("schemas."))


def _is_endpoint(module: Module, node: ast.Constant) -> bool:
    """Whether the text reaches a call that fetches or sends, or has the name of an endpoint."""
    names: list[str] = []
    child: ast.AST = node
    for outer in module.ancestors(node):
        if isinstance(outer, ast.Call):
            call = module.call(outer)
            if call is not None and child is not outer.func:
                verdict = _call_verdict(call, child, names)
                if verdict is not None:
                    return verdict
        names += _names_at(outer, child)
        function = module.parent(outer) if isinstance(outer, ast.arguments) else None
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            names += [name for name, value in defaults(function).items() if value is child]
        if isinstance(outer, ast.Compare):
            return False
        if isinstance(outer, ast.stmt):
            break
        child = outer
    return _named_endpoint(module, names)


def _call_verdict(call: Call, child: ast.AST, names: list[str]) -> bool | None:
    """What the call around a text says of it, None where it says nothing."""
    known = FETCHERS.get(call.name)
    given = call.argument_node(known[0], *known[1]) if known else None
    if given is (child.value if isinstance(child, ast.keyword) else child):
        return True
    named = [snake(name) for name in names]
    if is_provider_call(call) and any(_ENDPOINT.search(name) for name in named):
        return True
    # `self.session.get("http://...")`, but `settings.get("url", "http://...")` is a default.
    first = call.node.args[: 2 if call.method in ("request", "stream") else 1]
    client = call.name.startswith(("?", "requests", "httpx", "urllib", "aiohttp"))
    if known is None and client and call.method in _METHODS and child in first:
        return True
    if call.method in ("get", "getenv", "setdefault", "add_argument", "option", "Field", "field"):
        first = call.node.args[0] if call.node.args else None
        if isinstance(first, ast.Constant):
            names.append(str(first.value))
        return None
    if call.method in ("format", "rstrip", "strip", "join", "urljoin", "Request", "dict", "Path"):
        return None
    if call.method[:1].isupper() or ":" in call.name or call.name.startswith("?"):
        # A client or a function of the project: the keyword says what the text is for.
        return None if named else False
    return False


def _names_at(outer: ast.AST, child: ast.AST) -> list[str]:
    """The names that the node around a text gives to it."""
    if isinstance(outer, ast.keyword):
        return [outer.arg or ""]
    if isinstance(outer, ast.Dict):
        pairs = zip(outer.keys, outer.values, strict=True)
        return [
            str(key.value)
            for key, value in pairs
            if value is child and isinstance(key, ast.Constant)
        ]
    if isinstance(outer, ast.Assign):
        return [_last(target) for target in outer.targets]
    if isinstance(outer, ast.AnnAssign | ast.NamedExpr | ast.AugAssign):
        return [_last(outer.target)]
    if isinstance(outer, ast.For):
        return [_last(outer.target)] if child is outer.iter else []
    return []


def _last(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.id if isinstance(target, ast.Name) else ""


def _named_endpoint(module: Module, names: list[str]) -> bool:
    plain = [snake(name) for name in names if name]
    if any(_NO_ENDPOINT.search(name) for name in plain):
        return False
    if not any(_ENDPOINT.search(name) for name in plain):
        return False
    stem = snake(PurePosixPath(module.path).stem)
    return module.imports_any(*_PACKAGES) or bool(_SETTINGS_FILE.search(stem))


def _connections(module: Module) -> Iterator[Hit]:
    """`http.client.HTTPConnection("host")`."""
    for call in module.calls_to("http.client.HTTPConnection", "httplib.HTTPConnection"):
        node = call.argument_node(0, "host")
        host = module.value(node).literal if node is not None else None
        if isinstance(host, str) and is_public_host(host.partition(":")[0]):
            yield Hit(where=call.node, message=f"`{host}` is spoken to in clear.")


RULE = Rule(
    id="QSA305",
    title="Plain http to a job, data or model endpoint",
    severity="medium",
    confidence="medium",
    cwe=(319,),
    frameworks=("any",),
    why=(
        "Over plain http anybody on the way reads circuits and tokens and changes what comes "
        "back: labels and images before training, weights of a model, counts of a job. None of "
        "these has anything in it that shows the change. The classic pages of MNIST and the UCI "
        "repository are still copied with `http://`."
    ),
    remedy="Use https, and compare a SHA-256 of data and models (QSA507).",
    bad=(
        Example(
            name="a data set",
            code="""\
import urllib.request

import pandas as pd

BASE_URL = "http://yann.lecun.com/exdb/mnist/"  # <- here
urllib.request.urlretrieve(BASE_URL + "train-images-idx3-ubyte.gz", "train.gz")
frame = pd.read_csv("http://archive.ics.uci.edu/ml/wine.data", header=None)  # <- here
""",
        ),
        Example(
            name="a job service",
            code="""\
import requests


class RemoteBackend:
    def __init__(self, url="http://qpu.lab.org/api"):  # <- here
        self.url = url

    def run(self, qasm):
        return requests.post(f"{self.url}/jobs", json={"qasm": qasm}, timeout=9).json()


def status(job):
    return requests.get(f"http://qpu.lab.org/api/jobs/{job}", timeout=9).json()  # <- here
""",
        ),
        Example(
            name="URLs in a dict and a session, in a notebook",
            file="download.ipynb",
            code="""\
# %%
import requests
FILES = {
    "train_url": "http://data.lab.org/train.npz",  # <- here
    "test_url": "http://data.lab.org/test.npz",  # <- here
}
# %%
session = requests.Session()
labels = session.get("http://data.lab.org/labels.txt").text  # <- here
""",
        ),
        Example(
            name="a program of the shell",
            file="fetch.ipynb",
            code="""\
# %%
!wget -q http://data.lab.org/train.npz  # <- here
import numpy as np
""",
        ),
        Example(
            name="a provider, Keras and a web socket",
            code="""\
import websocket
from qiskit_ibm_runtime import QiskitRuntimeService
from tensorflow import keras

service = QiskitRuntimeService(token=token, url="http://quantum.lab.org/api")  # <- here
path = keras.utils.get_file("x.npz", origin="http://data.lab.org/x.npz")  # <- here
socket = websocket.create_connection("ws://qpu.lab.org/stream")  # <- here
""",
        ),
        Example(
            name="a default of the environment and of the command line",
            file="settings.py",
            code="""\
import argparse
import os

ENDPOINT = os.environ.get("QPU_ENDPOINT", "http://qpu.lab.org:8000")  # <- here
parser = argparse.ArgumentParser()
parser.add_argument("--server-url", default="http://qpu.lab.org:8000")  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="https",
            code="""\
import requests

BASE_URL = "https://qpu.lab.org/api"
answer = requests.post(f"{BASE_URL}/jobs", json=job, timeout=9)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="namespaces, schemas and licences",
            code='''\
"""Reads circuits drawn as SVG.

Licensed under the Apache License, http://www.apache.org/licenses/LICENSE-2.0
"""
import xml.etree.ElementTree as ET

import requests

# See http://qpu.lab.org/docs for more.
NS = {"svg": "http://www.w3.org/2000/svg"}
SCHEMA_URL = "http://json-schema.org/draft-07/schema#"
XMLNS = "http://graphml.graphdrawing.org/xmlns"
ET.register_namespace("", "http://www.w3.org/2000/svg")
root = ET.fromstring(text).find("{http://www.w3.org/1999/xlink}href")
LICENSE_URL = "http://qpu.lab.org/licence"
''',
        ),
        Example(
            name="package metadata",
            file="setup.py",
            code="""\
from setuptools import setup

setup(
    name="circuits",
    url="http://circuits.lab.org",
    download_url="http://circuits.lab.org/circuits.tar.gz",
    project_urls={"Documentation": "http://circuits.readthedocs.io"},
)
""",
        ),
        Example(
            name="this machine, the cluster, names for tests",
            code="""\
import requests

API_URL = "http://localhost:8000"
WORKER_URL = "http://127.0.0.1:5000/run"
QUEUE_URL = "http://job-queue:8080"
SIM_URL = "http://simulator.quantum.svc.cluster.local/run"
EXAMPLE_URL = "http://api.example.com/jobs"
requests.get("http://0.0.0.0:8000/health", timeout=1)
requests.get(f"http://{host}:{port}/jobs", timeout=1)
""",
        ),
        Example(
            name="in tests",
            file="tests/test_client.py",
            code="""\
import requests

URL = "http://qpu.fake-provider.org/api"


def test_jobs(requests_mock):
    requests_mock.get(URL, json={})
    assert requests.get(URL).json() == {}
""",
        ),
        Example(
            name="links for people",
            code="""\
import requests

HELP_TEXT = "See http://qpu.lab.org/help for the queue"
print("http://qpu.lab.org/docs")
homepage = "http://qpu.lab.org"
paper = {"title": "Kernels", "link": "http://arxiv.org/abs/1803.07128"}
if url.startswith("http://"):
    url = url.replace("http://", "https://")
allowed = origin == "http://dashboard.lab.org"
proxies = {"http": "http://proxy.lab.org:3128"}
headers = {"Referer": "http://qpu.lab.org/"}
""",
        ),
    ),
    references=("CWE-319 <https://cwe.mitre.org/data/definitions/319.html>",),
    check=check,
    keywords=("http://", "ws://", "HTTPConnection"),
    tags=("transport",),
)
