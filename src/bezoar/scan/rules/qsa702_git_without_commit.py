"""QSA702: code from a git branch or tag, which its owner can change at any time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Severity
from bezoar.scan.manifests.requirement import is_commit
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.installs import by_line, installs_of_document, installs_of_module

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module
    from bezoar.scan.documents import Document
    from bezoar.scan.manifests.requirement import Requirement

_VERSION = re.compile(r"[A-Za-z_-]{0,12}v?\d+(?:[._-]\d+)+[A-Za-z0-9._-]*\Z")
_SHORT_COMMIT = re.compile(r"(?=.*\d)[0-9a-f]{7,39}\Z")
#: Archives of a branch: what pip gets from them changes as well.
_ARCHIVE = re.compile(
    r"https?://(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)/.*?"
    r"(?:/archive/(?:refs/heads/)?|/zipball/|/tarball/|/-/archive/)(?P<branch>[^/]+?)"
    r"(?:/[^/]*)?(?:\.zip|\.tar\.gz)?\Z"
)
_MOVING = re.compile(r"(?:master|main|develop|dev|trunk|HEAD|nightly)\Z")
_RUNNERS = ("os.system", "os.popen", "subprocess.*")


def check_document(document: Document) -> Iterator[Hit]:
    """Requirement files, project files, images, scripts and CI steps."""
    if document.kind == "lock":
        return
    yield from _hits(installs_of_document(document))


def check(module: Module) -> Iterator[Hit]:
    """Notebooks, ``setup.py``, and commands that a program runs."""
    yield from _hits(installs_of_module(module))
    for call in module.calls_to(*_RUNNERS):
        for requirement in _run(call):
            fault = _fault(requirement)
            if fault is not None:
                yield Hit(where=call.node, message=fault[0], severity=fault[1])
                break


def _hits(requirements: Iterator[Requirement] | tuple[Requirement, ...]) -> Iterator[Hit]:
    for group in by_line(requirements):
        for requirement in group:
            fault = _fault(requirement)
            if fault is not None:
                yield Hit(where=requirement.where, message=fault[0], severity=fault[1])
                break


def _fault(requirement: Requirement) -> tuple[str, Severity | None] | None:
    """What is wrong with an address, and how bad it is; None where nothing is."""
    name = f"`{requirement.name}`" if requirement.name else "A package"
    if not requirement.is_git:
        archive = _ARCHIVE.match(requirement.url.partition("#")[0])
        if archive is None or not _is_branch(archive):
            return None
        return f"{name} comes from an archive of the branch `{archive['branch']}`.", None
    revision = requirement.revision
    if requirement.url.startswith("git+file:") or is_commit(revision):
        return None
    if "$" in revision or "{" in revision:
        return None
    if not revision:
        return f"{name} comes from the default branch of its repository, at no commit.", None
    if _SHORT_COMMIT.match(revision):
        return f"{name} comes from the shortened commit `{revision}`.", "low"
    if _VERSION.match(revision):
        return f"{name} comes from the tag `{revision}`, which can be moved.", None
    return f"{name} comes from `{revision}`, a branch or tag that can be moved.", None


def _is_branch(archive: re.Match[str]) -> bool:
    return "/refs/heads/" in archive[0] or _MOVING.match(archive["branch"]) is not None


def _run(call: Call) -> Iterator[Requirement]:
    """What a command of the program installs, from its constants."""
    from bezoar.scan.manifests.commands import requirements_in_command

    node = call.argument_node(0, "args", "command", "cmd")
    if node is None:
        return
    texts: list[str] = []
    for part in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            texts.append(part.value)
        elif isinstance(part, ast.JoinedStr):
            texts.append("".join(_text(piece) for piece in part.values))
    command = " ".join(texts)
    if "git+" in command or "/archive/" in command:
        yield from requirements_in_command(command)


def _text(piece: ast.expr) -> str:
    if isinstance(piece, ast.Constant):
        return str(piece.value)
    return "${VALUE}"


RULE = Rule(
    id="QSA702",
    title="Package installed from git without a commit",
    severity="medium",
    confidence="high",
    cwe=(494,),
    frameworks=("any",),
    why=(
        "Much of quantum machine learning is installed from repositories: development versions "
        "of PennyLane or Qiskit, plug-ins of one laboratory, the code of a paper. A branch or a "
        "tag is a name that the owner, or whoever takes over the account, can point elsewhere at "
        "any time; the next build then runs that code with the provider's token in its "
        "environment, and a trained circuit meets another library than the one it was trained "
        "with. A whole commit id fixes the content."
    ),
    remedy="Name the whole commit: `git+https://...@<40 hex digits>`.",
    bad=(
        Example(
            name="requirements",
            file="requirements.txt",
            code="""\
git+https://github.com/PennyLaneAI/pennylane.git  # <- here
pennylane-qulacs @ git+https://github.com/PennyLaneAI/pennylane-qulacs@master  # <- here
-e git+https://github.com/mit-han-lab/torchquantum.git@main#egg=torchquantum  # <- here
git+ssh://git@github.com/lab/private-ansatz.git@v0.3.1#egg=private-ansatz  # <- here
https://github.com/lab/noise-models/archive/refs/heads/main.zip  # <- here
""",
        ),
        Example(
            name="notebook",
            file="train.ipynb",
            code="""\
# %%
!pip install -q git+https://github.com/qiskit-community/qiskit-machine-learning.git  # <- here
%pip install --upgrade "mitiq @ git+https://github.com/unitaryfund/mitiq@main"  # <- here
# %%
import qiskit
""",
        ),
        Example(
            name="project file with sources",
            file="pyproject.toml",
            code="""\
[project]
name = "kernel-service"
version = "1.0"
dependencies = [
    "fastapi==0.115.6",
    "qml-extras @ git+https://github.com/lab/qml-extras.git@develop",  # <- here
    "torchquantum",
]

[tool.uv.sources]
torchquantum = { git = "https://github.com/mit-han-lab/torchquantum", branch = "main" }  # <- here
""",
        ),
        Example(
            name="poetry",
            file="pyproject.toml",
            code="""\
[tool.poetry]
name = "kernel-service"

[tool.poetry.dependencies]
python = "^3.11"
tensorcircuit = { git = "https://github.com/tencent-quantum-lab/tensorcircuit.git" }  # <- here
""",
        ),
        Example(
            name="image",
            file="Dockerfile",
            code="""\
FROM python:3.12-slim
ARG PENNYLANE_REF=master
RUN apt-get update && apt-get install -y git \\
    # the device needs the newest features
    && pip install --no-cache-dir \\
       git+https://github.com/PennyLaneAI/pennylane.git@${PENNYLANE_REF}
""",
            lines=(6,),
        ),
        Example(
            name="step of a workflow",
            file=".github/workflows/tests.yml",
            code="""\
on: push
jobs:
  test:
    runs-on: ubuntu-24.04
    steps:
      - run: pip install git+https://github.com/Qiskit/qiskit-aer  # <- here
      - name: plug-ins
        run: |
          # pip install git+https://github.com/Qiskit/qiskit
          python -m pip install --no-deps git+https://github.com/lab/ansatz@main
""",
            lines=(6, 10),
        ),
        Example(
            name="conda environment",
            file="environment.yml",
            code="""\
dependencies:
  - python=3.11
  - pip:
    - git+https://github.com/XanaduAI/qml-benchmarks.git@main  # <- here
""",
        ),
        Example(
            name="list of a setup file",
            file="setup.py",
            code="""\
from setuptools import find_packages, setup

requirements = [
    "pennylane @ git+https://github.com/PennyLaneAI/pennylane@master",  # <- here
    "jax==0.4.28",
]

setup(name="compiled-qnn", packages=find_packages(), install_requires=requirements)
""",
        ),
        Example(
            name="command of a program",
            file="bootstrap.py",
            code="""\
import subprocess
import sys


def install_backend():
    subprocess.check_call(  # <- here
        [sys.executable, "-m", "pip", "install", "git+https://github.com/lab/backend.git"]
    )
""",
        ),
    ),
    good=(
        Example(
            name="whole commits",
            file="requirements.txt",
            code="""\
git+https://github.com/lab/a.git@f7bba2b8a21319309b21250073492573f5ee967a#egg=ansatz
mitiq @ git+https://github.com/unitaryfund/mitiq@102d848cc4232afb181eed33c753efd4093467fb
https://github.com/lab/b/archive/102d848cc4232afb181eed33c753efd4093467fb.zip
""",
        ),
        Example(
            name="commit in a source table",
            file="pyproject.toml",
            code="""\
[tool.poetry]
name = "kernel-service"

[tool.poetry.dependencies]
ansatz = { git = "https://github.com/lab/a", rev = "f7bba2b8a21319309b21250073492573f5ee967a" }
""",
        ),
    ),
    look_alikes=(
        Example(
            name="comments",
            file="requirements.txt",
            code="""\
# git+https://github.com/PennyLaneAI/pennylane.git@master
pennylane==0.42.3  # not git+https://github.com/PennyLaneAI/pennylane.git
""",
        ),
        Example(
            name="advice in a message and a docstring",
            file="adapter.py",
            code='''\
"""Needs: pip install git+https://github.com/lab/mps-to-circuit.git"""

# pip install git+https://github.com/qiskit-community/qiskit-nature.git
try:
    import torchquantum
except ImportError:
    print("Run: pip install git+https://github.com/mit-han-lab/torchquantum.git")
''',
        ),
        Example(
            name="commented cell",
            file="train.ipynb",
            code="""\
# %%
# !pip install git+https://github.com/PennyLaneAI/pennylane.git
!pip install pennylane==0.42.3
# %%
url = "git+https://github.com/PennyLaneAI/pennylane.git"
""",
        ),
        Example(
            name="echo, clone and a commit from a variable",
            file="Dockerfile",
            code="""\
FROM python:3.12-slim
ARG AER_COMMIT
# RUN pip install git+https://github.com/Qiskit/qiskit-aer.git
RUN echo "pip install git+https://github.com/Qiskit/qiskit-aer.git" >> /etc/motd
RUN pip install git+https://github.com/Qiskit/qiskit-aer.git@${AER_COMMIT}
RUN pip install https://github.com/lab/b/releases/download/v1.0/b-1.0-py3-none-any.whl
""",
        ),
        Example(
            name="a lock file keeps the commit",
            file="uv.lock",
            code="""\
version = 1

[[package]]
name = "torchquantum"
version = "0.3.0"
source = { git = "https://github.com/lab/tq?rev=main#f7bba2b8a21319309b21250073492573f5ee967a" }
""",
        ),
    ),
    references=(
        "pip: VCS support <https://pip.pypa.io/en/stable/topics/vcs-support/>",
        "SLSA: source threats <https://slsa.dev/spec/v1.0/threats>",
    ),
    check=check,
    check_document=check_document,
    keywords=("git+", "/archive/", "/zipball/", "/tarball/"),
    tags=("supply-chain",),
)
