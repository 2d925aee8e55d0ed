"""QSA703: tar archives that may write anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence
from bezoar.scan.code.values import UNKNOWN_LITERAL
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.literals import leading_text
from bezoar.scan.rules.round_trips import own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: From this release on the filter is on unless something else is asked for.
_SAFE_PYTHON = "3.14"
#: Words of a test that looks at the members' names.
_MEMBER_TESTS = frozenset(
    {"is_relative_to", "commonpath", "commonprefix", "isabs", "is_absolute", "relative_to"}
)


def check(module: Module) -> Iterator[Hit]:
    """`extractall` of tar archives and `unpack_archive` without the data filter."""
    if module.project.python_at_least(_SAFE_PYTHON) or _default_filter(module):
        return
    for call in module.calls:
        confidence = _extracts(module, call)
        if confidence is None or _harmless(module, call):
            continue
        chosen = _filter(module, call)
        if chosen is UNKNOWN_LITERAL or chosen in ("data", "tar"):
            continue
        source = _archive(module, call)
        value = None if source is None else module.value(source)
        text = "`filter='fully_trusted'`" if chosen == "fully_trusted" else "No filter"
        what = f"`{ast.unparse(source)[:60]}`" if source is not None else "the archive"
        yield Hit(
            where=call.node,
            message=f"{text}: members of {what} may be written outside of the folder.",
            confidence=confidence,
            flow=()
            if value is None
            else module.flow(value, ("request", "network", "cli"), call.node, "extracted here"),
        )


def _filter(module: Module, call: Call) -> object:
    """The filter that the call gives: a text, None for none, unknown for a function."""
    node = call.argument_node(None, "filter")
    if node is None:
        starred = any(keyword.arg is None for keyword in call.node.keywords)
        return UNKNOWN_LITERAL if starred else None
    return module.value(node).literal


def _extracts(module: Module, call: Call) -> Confidence | None:
    """How sure it is that the call unpacks a tar archive."""
    if call.name == "shutil.unpack_archive":
        given = call.argument_node(2, "format")
        kind = module.value(given).literal if given is not None else None
        name = leading_text(module, call.argument_node(0, "filename"))
        return None if kind == "zip" or name.lower().endswith(".zip") else "medium"
    one = call.method == "extract" and bool(call.node.args) and _in_loop(module, call)
    if not (one or call.method == "extractall") or not isinstance(call.node.func, ast.Attribute):
        return None
    value = module.value(call.node.func.value)
    if value.type == "tarfile.TarFile" or value.made_by.startswith("tarfile."):
        return "high"
    # An opener chosen at run time, `opener(path) as archive`, or a parameter.
    if _uses_tar(module, call):
        return "medium"
    if value.type or value.made_by:
        return None
    name = ast.unparse(call.node.func.value).lower()
    return "medium" if "tar" in name and "target" not in name else None


def _uses_tar(module: Module, call: Call) -> bool:
    """Whether the function around the call names `tarfile.open` without calling it."""
    return any(
        module.function_of(node) is call.function and ast.unparse(node) == "tarfile.open"
        for node in module.nodes(ast.Attribute)
        if not isinstance(parent := module.parent(node), ast.Call) or parent.func is not node
    )


def _archive(module: Module, call: Call) -> ast.expr | None:
    if call.name == "shutil.unpack_archive":
        return call.argument_node(0, "filename")
    if not isinstance(call.node.func, ast.Attribute):
        return None
    receiver = call.node.func.value
    maker: ast.expr | None = receiver
    if isinstance(receiver, ast.Name):
        maker = None
        for outer in module.ancestors(call.node):
            for item in getattr(outer, "items", ()) if isinstance(outer, ast.With) else ():
                if ast.unparse(item.optional_vars or item.context_expr) == receiver.id:
                    maker = item.context_expr
    if isinstance(maker, ast.Call):
        given = {keyword.arg: keyword.value for keyword in maker.keywords}
        return given.get("fileobj") or next(iter(maker.args), given.get("name"))
    return None


def _harmless(module: Module, call: Call) -> bool:
    if _members_chosen(call) or _looks_at_members(module, call):
        return True
    if _asked_for_filter(module, call) or is_verified(module, call.function):
        return True
    return own_output(module, _archive(module, call))


def _members_chosen(call: Call) -> bool:
    """`members=safe_members(tar)`: a function of the project decides, not the archive."""
    node = call.argument_node(1, "members")
    return isinstance(node, ast.Call) and not ast.unparse(node.func).endswith("getmembers")


def _looks_at_members(module: Module, call: Call) -> bool:
    """A test of the members' names before, in the same function."""
    for other in module.calls:
        if other.function is call.function and other.node.lineno <= call.node.lineno:
            if other.method in _MEMBER_TESTS:
                return True
            if other.method in ("startswith", "abspath", "realpath") and _in_loop(module, other):
                return True
    return any(
        module.function_of(node) is call.function
        and node.lineno < call.node.lineno
        and any(isinstance(each, ast.Constant) and each.value == ".." for each in ast.walk(node))
        for node in module.nodes(ast.Compare)
        if isinstance(node, ast.Compare)
    )


def _in_loop(module: Module, call: Call) -> bool:
    """Whether the call is in a loop over the members of an archive."""
    for outer in module.ancestors(call.node):
        if isinstance(outer, ast.For):
            return any(word in ast.unparse(outer.iter) for word in ("getmembers", "getnames"))
    return False


def _asked_for_filter(module: Module, call: Call) -> bool:
    """The way of old Pythons in `if hasattr(tarfile, "data_filter")`, or `except TypeError`."""
    for outer in module.ancestors(call.node):
        if isinstance(outer, ast.If | ast.Try):
            text = ast.unparse(outer)
            if "data_filter" in text or "filter='data'" in text:
                return True
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
    return False


def _default_filter(module: Module) -> bool:
    """`tarfile.TarFile.extraction_filter = ...` anywhere in the module."""
    return any(
        isinstance(target, ast.Attribute) and target.attr == "extraction_filter"
        for statement in module.nodes(ast.Assign)
        if isinstance(statement, ast.Assign)
        for target in statement.targets
    )


RULE = Rule(
    id="QSA703",
    title="Tar archive unpacked without a filter",
    severity="high",
    confidence="high",
    cwe=(22,),
    frameworks=("any",),
    why=(
        "Data sets and trained models are downloaded as `.tar.gz`. Before Python 3.14 "
        "`extractall` follows `../` and absolute names and links inside the archive, so whoever "
        "serves the file writes to `~/.ssh`, to a start-up script or over the code that trains. "
        "`filter='data'` refuses that. Python's zip files clean the names by themselves and are "
        "not reported."
    ),
    remedy="Give extractall(..., filter='data'), and compare the archive's SHA-256 first.",
    bad=(
        Example(
            name="a downloaded data set",
            code="""\
import tarfile
import urllib.request

urllib.request.urlretrieve("https://host.org/qm9.tar.gz", "qm9.tar.gz")
tar = tarfile.open("qm9.tar.gz", "r:gz")
tar.extractall("data")  # <- here
tar.close()
""",
        ),
        Example(
            name="in a with block, and in one line",
            code="""\
import io
import tarfile as tf

import requests


def fetch(url, target):
    archive = requests.get(url, timeout=60).content
    with tf.open(fileobj=io.BytesIO(archive), mode="r:*") as bundle:
        bundle.extractall(path=target)  # <- here


def unpack(path):
    tf.open(path).extractall()  # <- here
""",
        ),
        Example(
            name="shutil, and the filter that trusts",
            file="download.ipynb",
            code="""\
# %%
import shutil
import tarfile
# %%
shutil.unpack_archive("mnist-c.tar", "data")  # <- here
with tarfile.open("weights.tgz") as archive:
    archive.extractall(  # <- here
        "weights",
        filter="fully_trusted",
    )
""",
        ),
        Example(
            name="tar or zip, chosen by name",
            code="""\
import tarfile
import zipfile


def extract(path, target):
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(target)
    elif path.endswith(".tar.gz"):
        with tarfile.open(path, "r:gz") as archive:
            archive.extractall(target)  # <- here
""",
        ),
        Example(
            name="an archive that is passed in",
            code="""\
import tarfile


def unpack(tar: tarfile.TarFile, folder: str) -> None:
    tar.extractall(folder, members=tar.getmembers())  # <- here
""",
        ),
        Example(
            name="member by member",
            code="""
import tarfile

archive = tarfile.open("downloads/qm9.tgz", "r:gz")
for member in archive.getmembers():
    archive.extract(member, "data")  # <- here
archive.close()
""",
        ),
    ),
    good=(
        Example(
            name="the data filter",
            code="""\
import tarfile

with tarfile.open("qm9.tar.gz") as archive:
    archive.extractall("data", filter="data")
""",
        ),
    ),
    look_alikes=(
        Example(
            name="zip files, which clean names themselves",
            code="""\
import io
import shutil
import zipfile

import requests

zipfile.ZipFile("data.zip").extractall("data")
with zipfile.ZipFile(io.BytesIO(requests.get(URL, timeout=9).content)) as z:
    z.extractall()
shutil.unpack_archive("data.zip", "data")
shutil.unpack_archive(path, "data", "zip")
""",
        ),
        Example(
            name="Python 3.14, where the filter is the default",
            code="""\
import tarfile

with tarfile.open("qm9.tar.gz") as archive:
    archive.extractall("data")
# file: pyproject.toml
[project]
name = "circuits"
version = "1.0"
requires-python = ">=3.14"
""",
        ),
        Example(
            name="members that were looked at",
            code="""\
import os
import tarfile


def safe_extract(path, folder):
    root = os.path.abspath(folder)
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            target = os.path.abspath(os.path.join(root, member.name))
            if os.path.commonpath([root, target]) != root:
                raise ValueError(member.name)
        tar.extractall(folder)


def extract_chosen(path, folder):
    with tarfile.open(path) as tar:
        tar.extractall(folder, members=inside(tar))
""",
        ),
        Example(
            name="the way that the Python manual gives for old releases",
            code="""\
import tarfile

with tarfile.open("qm9.tar.gz") as archive:
    if hasattr(tarfile, "data_filter"):
        archive.extractall("data", filter="data")
    else:
        archive.extractall("data")
""",
        ),
        Example(
            name="strings and archives of its own",
            code="""\
import tarfile


def repacked(folder):
    with tarfile.open("out.tar", "w") as archive:
        archive.add(folder)
    with tarfile.open("out.tar") as archive:
        archive.extractall("copy")


fields = table["name"].str.extractall("([a-z]+)")
""",
        ),
    ),
    references=(
        (
            "Python: extraction filters "
            "<https://docs.python.org/3/library/tarfile.html#extraction-filters>"
        ),
        "PEP 706 <https://peps.python.org/pep-0706/>",
    ),
    check=check,
    keywords=("extract", "unpack_archive"),
    tags=("supply chain",),
)
