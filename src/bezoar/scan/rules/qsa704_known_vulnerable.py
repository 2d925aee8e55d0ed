"""QSA704: versions with published weaknesses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bezoar.contracts.code_findings import SEVERITIES
from bezoar.contracts.records import Severity
from bezoar.scan.manifests.advisories import Advisory, advisories_for, mended_version
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.installs import (
    by_line,
    installs_of_calls,
    installs_of_document,
    installs_of_module,
)

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module
    from bezoar.scan.documents import Document
    from bezoar.scan.manifests.requirement import Requirement

#: CI installs old versions on purpose, to test against them.
_LEFT_OUT = frozenset({"github-workflow", "gitlab-ci"})
#: So many advisories are named; the others are counted.
_NAMED = 2


def check_document(document: Document) -> Iterator[Hit]:
    """Requirements, project files, environments, images, scripts and lock files."""
    if document.kind not in _LEFT_OUT:
        yield from _hits(installs_of_document(document))


def check(module: Module) -> Iterator[Hit]:
    """Notebooks, ``setup.py``, and commands that a program runs."""
    yield from _hits(installs_of_module(module))
    if module.is_test:
        return
    for where, installed in installs_of_calls(module):
        hit = _worst(installed)
        if hit is not None:
            yield replace(hit, where=where)


def _hits(requirements: Iterable[Requirement]) -> Iterator[Hit]:
    for group in by_line(requirements):
        hit = _worst(group)
        if hit is not None:
            yield hit


def _worst(requirements: Sequence[Requirement]) -> Hit | None:
    """The requirement with the worst advisory, None where none has any."""
    found = [(each, _advisories(each)) for each in requirements]
    worst = max(found, key=lambda pair: _rank(pair[1]), default=None)
    return _hit(*worst) if worst is not None and worst[1] else None


def _advisories(requirement: Requirement) -> tuple[Advisory, ...]:
    if requirement.url or requirement.filled_in:
        return ()
    return advisories_for(requirement.name, requirement.specifier)


def _hit(requirement: Requirement, advisories: tuple[Advisory, ...]) -> Hit:
    ordered = sorted(advisories, key=lambda each: -SEVERITIES.index(each.severity))
    told = "; ".join(f"{each.id}, {each.summary}" for each in ordered[:_NAMED])
    more = len(ordered) - _NAMED
    rest = f"; and {more} more" if more > 0 else ""
    mended = mended_version(requirement.specifier, advisories)
    remedy = (
        f"Require `{requirement.name}>={mended}`, or pin a version from there on."
        if mended
        else f"`{requirement.name}` has no mended version: replace it."
    )
    return Hit(
        where=requirement.where,
        message=(
            f"`{requirement.name}{requirement.specifier}` admits vulnerable versions alone: "
            f"{told}{rest}."
        ),
        severity=_severity(ordered[0]),
        remedy=remedy,
    )


def _severity(advisory: Advisory) -> Severity:
    """A critical weakness of a package is not yet one of the program that uses it."""
    return "high" if advisory.severity == "critical" else advisory.severity


def _rank(advisories: tuple[Advisory, ...]) -> int:
    return max((SEVERITIES.index(each.severity) + 1 for each in advisories), default=0)


RULE = Rule(
    id="QSA704",
    title="Version with a known weakness",
    severity="high",
    confidence="high",
    cwe=(1395, 1104),
    frameworks=("any",),
    why=(
        "A circuit or model file is enough to take over a process that reads it with an old "
        "framework: `qpy.load` of Qiskit before 1.4.2 runs code of the file (CVE-2025-2000), "
        "`torch.load` before 2.6 does so even with `weights_only=True` (CVE-2025-32434), and the "
        "IBM runtime client before 0.21.2 when it decodes JSON (CVE-2024-29032). Requirements of "
        "research code often still pin the versions of the year of the paper. A requirement is "
        "reported when every version it admits is vulnerable; one that also admits a mended "
        "version, such as `qiskit>=0.45`, is not. The table comes with Bezoar and says its date; "
        "`tools/update_advisories.py` renews it from an export of osv.dev."
    ),
    remedy="Require the mended version.",
    bad=(
        Example(
            name="versions of the year of the paper",
            file="requirements.txt",
            code="""\
numpy==1.23.5
qiskit==0.45.1  # <- here
qiskit-ibm-runtime>=0.15,<0.20  # <- here
torch==2.1.2+cu121 ; sys_platform == "linux"  # <- here
tensorflow~=2.7.0  # <- here
PyYAML==5.3.1  # <- here
""",
        ),
        Example(
            name="project file",
            file="pyproject.toml",
            code="""\
[project]
name = "qnn-service"
version = "0.1"
dependencies = [
    "pennylane>=0.38",
    "torch<2.6",  # <- here
    "fastapi>=0.115",
]

[project.optional-dependencies]
hardware = ["qiskit>=1.0,<1.3", "qiskit-aer"]  # <- here
""",
        ),
        Example(
            name="poetry",
            file="pyproject.toml",
            code="""\
[tool.poetry]
name = "qnn-service"

[tool.poetry.dependencies]
python = "^3.10"
qiskit = "^0.46"  # <- here
torch = {version = "~2.2", source = "pytorch"}  # <- here
pennylane = "^0.38"
""",
        ),
        Example(
            name="conda environment",
            file="environment.yml",
            code="""\
channels: [pytorch, conda-forge]
dependencies:
  - python=3.9
  - pytorch=1.13  # <- here
  - pip:
      - qiskit==1.2.4  # <- here
      - qiskit-terra==0.25.3  # <- here
""",
        ),
        Example(
            name="lock file",
            file="poetry.lock",
            code="""\
[[package]]
name = "qiskit"
version = "1.1.0"  # <- here
description = "Circuits"
optional = false

[package.dependencies]
numpy = ">=1.17,<3"

[[package]]
name = "pennylane"
version = "0.38.0"
""",
        ),
        Example(
            name="image and notebook",
            file="Dockerfile",
            code="""\
FROM python:3.9
RUN pip install pennylane==0.30.0 torch==1.13.1  # <- here
# file: demo.ipynb
# %%
!pip install -q qiskit==0.39.0 pylatexenc  # <- here
from qiskit import QuantumCircuit
""",
        ),
        Example(
            name="pre-release",
            file="requirements.txt",
            code="qiskit==2.0.0rc1  # <- here\n",
        ),
        Example(
            name="an install that a script runs",
            file="job.py",
            code="""
import os
import subprocess
import sys

os.system("pip install qiskit==0.45.1 -q")  # <- here
subprocess.check_call([sys.executable, "-m", "pip", "install", "torch==2.0.0"])  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="mended versions",
            file="requirements.txt",
            code="""\
qiskit==1.4.2
qiskit-ibm-runtime==0.40.1
torch==2.10.0
pyyaml==6.0.3
""",
        ),
    ),
    look_alikes=(
        Example(
            name="ranges that admit mended versions",
            file="requirements.txt",
            code="""\
qiskit>=0.45
qiskit-ibm-runtime>=0.15
torch>=1.9
tensorflow>=2.7,<2.16
keras
""",
        ),
        Example(
            name="comments and other packages of like names",
            file="requirements.txt",
            code="""\
# qiskit==0.45.1
qiskit-aer==0.13.1  # works with qiskit==0.45.1
torchvision==0.14.1
pytorch-msssim==1.0.0
""",
        ),
        Example(
            name="first version with the mend",
            file="pyproject.toml",
            code="""\
[project]
name = "qnn"
version = "0.1"
dependencies = ["qiskit~=1.4.2", "qiskit-ibm-runtime>=0.21.2", "jinja2>=3.1.6,<4"]
""",
        ),
        Example(
            name="versions that CI tests against",
            file=".github/workflows/tests.yml",
            code="""\
on: push
jobs:
  old:
    runs-on: ubuntu-24.04
    steps:
      - run: pip install qiskit==0.45.1
""",
        ),
        Example(
            name="version from a variable",
            file="Dockerfile",
            code="""\
FROM python:3.12
ARG TORCH
RUN pip install torch==${TORCH} "qiskit!=0.45.1"
""",
        ),
    ),
    references=(
        "CVE-2025-2000 <https://www.cve.org/CVERecord?id=CVE-2025-2000>",
        "CVE-2025-1403 <https://www.cve.org/CVERecord?id=CVE-2025-1403>",
        "CVE-2024-29032 <https://www.cve.org/CVERecord?id=CVE-2024-29032>",
        "CVE-2025-32434 <https://www.cve.org/CVERecord?id=CVE-2025-32434>",
        "OSV, the open list of weaknesses <https://osv.dev>",
    ),
    check=check,
    check_document=check_document,
    tags=("supply-chain",),
)
