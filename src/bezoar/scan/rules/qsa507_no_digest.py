"""QSA507: data, labels and models that are fetched and used as they come."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.links import FETCHERS, host_of, is_local_host, is_remote, is_shared_path
from bezoar.scan.rules.literals import leading_text
from bezoar.scan.rules.shell_commands import checks_sums, fetched_url, shell_commands

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Calls that write what they fetch to a file: nobody would fetch a page this way.
_DOWNLOADS = frozenset(
    {
        "urllib.request.urlretrieve",
        "urllib.urlretrieve",
        "urllib.request.URLopener.retrieve",
        "wget.download",
        "torch.hub.load_state_dict_from_url",
        "torch.hub.download_url_to_file",
        "torchvision.datasets.utils.download_url",
        "torchvision.datasets.utils.download_and_extract_archive",
        "tensorflow.keras.utils.get_file",
        "pooch.retrieve",
    }
)
#: Arguments that make a call compare a digest by itself, and where they are by position.
_DIGESTS = ("known_hash", "file_hash", "md5_hash", "md5", "hash_prefix", "check_hash", "checksum")
_DIGEST_POSITIONS = {
    "pooch.retrieve": 1,
    "torch.hub.download_url_to_file": 2,
    "torch.hub.load_state_dict_from_url": 4,
    "torchvision.datasets.utils.download_url": 3,
    "torchvision.datasets.utils.download_and_extract_archive": 4,
}
#: Readers that take a URL or a shared path as well as a file.
_READERS = frozenset(name for name in FETCHERS if name.startswith(("pandas.read_", "numpy.")))
_SHARED_READERS = (
    _READERS
    | {
        "numpy.load": None,
        "torch.load": None,
        "joblib.load": None,
        "h5py.File": None,
    }.keys()
)
#: Fetches whose answer may be anything: what is done with it says whether it is data.
_ANSWERS = frozenset(
    {
        "requests.get",
        "requests.request",
        "requests.post",
        "requests.Session.get",
        "httpx.get",
        "httpx.stream",
        "urllib.request.urlopen",
        "urllib.urlopen",
        "aiohttp.ClientSession.get",
        "urllib3.PoolManager.request",
    }
)
#: What answers are given to when they are data: files, archives, arrays, tables, models.
_SINK_METHODS = frozenset(
    {
        "write",
        "write_bytes",
        "write_text",
        "copyfileobj",
        "ZipFile",
        "GzipFile",
        "read_csv",
        "read_table",
        "read_excel",
        "read_parquet",
        "loadtxt",
        "genfromtxt",
        "frombuffer",
        "fromstring",
        "extractall",
        "load_state_dict",
        "imdecode",
    }
)
_SINK_CALLS = frozenset(
    {"numpy.load", "torch.load", "pickle.loads", "pickle.load", "joblib.load", "h5py.File"}
    | {"tarfile.open", "scipy.io.loadmat", "gzip.decompress", "qiskit.qpy.load"}
)
#: File names of pictures that are shown to people.
_PICTURE = re.compile(
    r"\b(logo|icon|favicon|avatar|badge|banner|thumbnail)[\w.{}-]*\.(png|jpe?g|svg|gif|ico)\b",
    re.IGNORECASE,
)
_RAW = frozenset({"content", "iter_content", "raw", "iter_bytes", "read", "text", "data"})


def check(module: Module) -> Iterator[Hit]:
    """Downloads and remote reads without a comparison of a digest in the same function."""
    if module.is_test:
        return
    for call in module.calls:
        what = _fetched(module, call)
        if not what or is_verified(module, call.function) or _compared_later(module, call):
            continue
        yield Hit(where=call.node, message=f"{what} is used as it comes: no digest is compared.")
    yield from _by_shell(module)


def _by_shell(module: Module) -> Iterator[Hit]:
    """`!wget URL` and `os.system("curl -O URL")`."""
    for where, command in shell_commands(module):
        url = fetched_url(command)
        if url and not is_local_host(host_of(url)):
            inside = module.function_of(where) if isinstance(where, ast.AST) else None
            if not checks_sums(module) and not is_verified(module, inside):
                yield Hit(
                    where=where,
                    message=f"`{url[:80]}` is used as it comes: no digest is compared.",
                )


def _fetched(module: Module, call: Call) -> str:
    """What the call fetches as data, "" for nothing or what is compared by the call itself."""
    if call.name not in FETCHERS and call.name not in _SHARED_READERS:
        return ""
    position, names = FETCHERS.get(call.name, (0, ("file", "f", "filename", "name")))
    node = call.argument_node(position, *names)
    if node is None or _digest_given(module, call):
        return ""
    text = leading_text(module, node)
    shown = f"`{(text or ast.unparse(node))[:80]}`"
    if call.name in _DOWNLOADS:
        return "" if is_local_host(host_of(text)) or text.startswith("file:") else shown
    if call.name in _SHARED_READERS and is_shared_path(text):
        return f"{shown} on a shared folder"
    if call.name in _READERS:
        return shown if is_remote(text) else ""
    if call.name in _ANSWERS and not is_local_host(host_of(text)):
        return shown if _kept_as_data(module, call) and not _is_picture(module, call) else ""
    return ""


def _is_picture(module: Module, call: Call) -> bool:
    """Whether the answer is kept as a logo or an icon, which no model learns from."""
    scope = call.function.node if call.function is not None else module.statement_of(call.node)
    return bool(_PICTURE.search(ast.unparse(scope)))


def _digest_given(module: Module, call: Call) -> bool:
    node = call.argument_node(_DIGEST_POSITIONS.get(call.name), *_DIGESTS)
    # A variable counts as given, whatever its value.
    return node is not None and module.value(node).literal not in (None, False, "")


def _kept_as_data(module: Module, call: Call) -> bool:
    """Whether the answer is written to a file or parsed as an array, a table or an archive."""
    names = _names_of(module, call.node)
    for other in module.calls:
        if other.function is not call.function:
            continue
        if other.method not in _SINK_METHODS and other.name not in _SINK_CALLS:
            continue
        for argument in (*other.node.args, *(k.value for k in other.node.keywords)):
            if _mentions(argument, call.node, names):
                return True
    return False


def _names_of(module: Module, node: ast.Call) -> set[str]:
    """The names that stand for an answer, its body or a piece of it, in its function."""
    inside = module.function_of(node)
    names: set[str] = set()
    # Twice, for `r = get(url)`, `body = r.content`, `stream = BytesIO(body)`.
    for _ in range(3):
        for target, source in _bindings(module):
            if module.function_of(source) is inside and _mentions(source, node, names):
                names.update(each.id for each in ast.walk(target) if isinstance(each, ast.Name))
    return names


def _bindings(module: Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Pairs of a target and what it is bound to."""
    for node in module.nodes(ast.Assign, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield target, node.value
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    yield item.optional_vars, item.context_expr
        elif isinstance(node, ast.For | ast.AsyncFor):
            yield node.target, node.iter


def _mentions(node: ast.expr, fetch: ast.Call, names: set[str]) -> bool:
    """Whether an expression holds the raw body of the answer, not a field of parsed JSON."""
    if node is fetch:
        return True
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute):
        return node.attr in _RAW and _mentions(node.value, fetch, names)
    if isinstance(node, ast.Call):
        inner = [*node.args]
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in ("json", "get", "raise_for_status", "status"):
                return False
            inner.append(node.func.value)
        return any(_mentions(each, fetch, names) for each in inner)
    if isinstance(node, ast.Await | ast.Starred | ast.Subscript):
        return _mentions(node.value, fetch, names)
    return False


def _compared_later(module: Module, call: Call) -> bool:
    """At the top level: what was written is handed to a function that compares."""
    position = 1 if call.name in _DOWNLOADS else None
    target = call.argument_node(position, "filename", "dst", "out")
    if target is None:
        return False
    path = ast.unparse(target)
    return any(
        other.method.lower().startswith(("verify", "check", "assert", "validate"))
        and any(ast.unparse(argument) == path for argument in other.node.args)
        for other in module.calls
        if other.function is call.function and other.node.lineno > call.node.lineno
    )


RULE = Rule(
    id="QSA507",
    title="Data, labels or model fetched without comparing a digest",
    severity="medium",
    confidence="medium",
    cwe=(345, 494),
    frameworks=("any",),
    why=(
        "Whoever controls the server, the name, the cache or the shared folder chooses what a "
        "model learns. A handful of changed labels or a trigger in a few images is enough for a "
        "backdoor, and a small quantum model, trained on a few hundred samples, follows them "
        "readily. A digest in the code makes such a change visible. One that is computed and only "
        "printed does not."
    ),
    remedy=(
        "Write the SHA-256 into the code and raise when hashlib.sha256(data).hexdigest() differs, "
        "or use pooch.retrieve(url, known_hash=...)."
    ),
    bad=(
        Example(
            name="a download",
            code="""\
from urllib.request import urlretrieve

URL = "https://host.org/mnist/"


def download(name):
    urlretrieve(URL + name, f"data/{name}")  # <- here
""",
        ),
        Example(
            name="a table by its URL, in a notebook",
            file="iris.ipynb",
            code="""\
# %%
import numpy as np
import pandas as pd
# %%
frame = pd.read_csv("https://host.org/iris.data", header=None)  # <- here
labels = np.loadtxt(  # <- here
    "https://host.org/labels.txt",
)
bucket = pd.read_parquet(f"s3://lab-bucket/{run}/features.parquet")  # <- here
shared = pd.read_csv("/mnt/team/molecules.csv")  # <- here
""",
        ),
        Example(
            name="an answer that is written or parsed",
            code="""\
import io
import zipfile

import numpy as np
import requests


def fetch(url, path):
    answer = requests.get(url, stream=True, timeout=60)  # <- here
    answer.raise_for_status()
    with open(path, "wb") as f:
        for chunk in answer.iter_content(8192):
            f.write(chunk)


def weights():
    body = requests.get("https://host.org/theta.npz", timeout=60).content  # <- here
    return np.load(io.BytesIO(body))


archive = requests.get("https://host.org/data.zip", timeout=60)  # <- here
zipfile.ZipFile(io.BytesIO(archive.content)).extractall("data")
""",
        ),
        Example(
            name="a program of the shell",
            file="fetch.ipynb",
            code="""\
# %%
!wget -nc https://data.lab.org/train.npz -P data  # <- here
import subprocess
subprocess.run(["curl", "-L", "-o", "test.npz", "https://data.lab.org/test.npz"])  # <- here
""",
        ),
        Example(
            name="a digest that is computed and not compared",
            code="""\
import hashlib
import urllib.request


def download(url, path):
    with urllib.request.urlopen(url) as response, open(path, "wb") as out:  # <- here
        out.write(response.read())
    with open(path, "rb") as f:
        print("sha256", hashlib.sha256(f.read()).hexdigest())
""",
        ),
        Example(
            name="downloads of the libraries without their hash",
            code="""\
import torch
from tensorflow.keras.utils import get_file
from torch.hub import load_state_dict_from_url
from torchvision.datasets.utils import download_url

path = get_file("qm9.npz", "https://host.org/qm9.npz")  # <- here
state = load_state_dict_from_url("https://host.org/head.pth", map_location="cpu")  # <- here
download_url("https://host.org/x.npz", root="data")  # <- here
torch.hub.download_url_to_file("https://host.org/y.npz", "y.npz")  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="a digest that is compared",
            code="""\
import hashlib
import urllib.request

import pooch

SHA256 = "6f52a2b1f3e2c1d4a5b6978812345f6e7d8c9b0a1f2e3d4c5b6a798081726354"


def download(url, path):
    urllib.request.urlretrieve(url, path)
    with open(path, "rb") as f:
        if hashlib.sha256(f.read()).hexdigest() != SHA256:
            raise ValueError(f"{path} is not the published file")


path = pooch.retrieve("https://host.org/x.npz", known_hash="sha256:" + SHA256)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="local files",
            code="""\
import numpy as np
import pandas as pd

frame = pd.read_csv("data/iris.csv")
other = pd.read_csv(path)
points = np.load("points.npy")
labels = np.loadtxt(args.labels)
""",
        ),
        Example(
            name="an API whose answers are no data set",
            code="""\
import requests


def status(job_id):
    answer = requests.get(f"https://api.host.org/jobs/{job_id}", timeout=9)
    answer.raise_for_status()
    return answer.json()["status"]


def submit(circuit):
    return requests.post("https://api.host.org/jobs", json={"qasm": circuit}, timeout=9).json()
""",
        ),
        Example(
            name="a logo for people to look at",
            code="""\
import requests


def brand(folder, link):
    answer = requests.get(link, timeout=5)
    answer.raise_for_status()
    for size in ("32x32", "64x64"):
        with open(folder / f"logo-{size}.png", "wb") as handle:
            handle.write(answer.content)
""",
        ),
        Example(
            name="libraries that compare by themselves",
            code="""\
import torch
import torchvision
from sklearn.datasets import fetch_openml, load_iris
from tensorflow import keras

mnist = torchvision.datasets.MNIST("data", download=True)
x, y = fetch_openml("mnist_784", version=1, return_X_y=True)
(a, b), (c, d) = keras.datasets.mnist.load_data()
state = torch.hub.load_state_dict_from_url("https://host.org/h-1a2b.pth", check_hash=True)
path = keras.utils.get_file("x.npz", "https://host.org/x.npz", file_hash="ab" * 32)
""",
        ),
        Example(
            name="check sums of the shell",
            file="fetch.ipynb",
            code="""\
# %%
!wget -nc https://data.lab.org/train.npz
!sha256sum -c train.sha256
# %%
!curl https://api.lab.org/status
""",
        ),
        Example(
            name="a digest that the caller compares",
            code="""\
import hashlib
import os
from urllib.request import urlretrieve


def _fetch(url, path):
    if not os.path.exists(path):
        urlretrieve(url, path)


def dataset(url, path, md5):
    _fetch(url, path)
    with open(path, "rb") as f:
        if hashlib.md5(f.read()).hexdigest() != md5:
            raise ValueError(path)
    return path
""",
        ),
        Example(
            name="this machine, and a check by a function",
            code="""\
from urllib.request import urlretrieve

import pandas as pd

from project.integrity import verify_sha256

urlretrieve("http://localhost:8000/x.npz", "x.npz")
urlretrieve("https://host.org/y.npz", "y.npz")
verify_sha256("y.npz", "ab12")
""",
        ),
    ),
    references=(
        "CWE-494 <https://cwe.mitre.org/data/definitions/494.html>",
        "pooch <https://www.fatiando.org/pooch/latest/hashes.html>",
    ),
    check=check,
    keywords=(
        "urlretrieve",
        "urlopen",
        "requests",
        "httpx",
        "wget",
        "curl",
        "read_",
        "get_file",
        "_from_url",
        "download_url",
        "retrieve",
        "aiohttp",
        "urllib3",
        "loadtxt",
        "genfromtxt",
        "/mnt/",
    ),
    tags=("integrity",),
)
