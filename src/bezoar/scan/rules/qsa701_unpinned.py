"""QSA701: an application that installs whatever version of a quantum package is newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.manifests.quantum_packages import is_quantum_package
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.installs import by_line, installs_of_document, named

if TYPE_CHECKING:
    from bezoar.scan.documents import Document
    from bezoar.scan.manifests.requirement import Requirement

#: Files that say what an application runs with.
_APPLICATION = frozenset({"requirements", "environment", "dockerfile"})
#: Folders and names of requirement files for pages, which no model runs with.
_PAGES = ("docs/", "doc/", "site/")
_PAGE_WORDS = frozenset({"doc", "docs", "sphinx", "mkdocs", "rtd", "readthedocs"})
#: Names of requirement files that a library has beside its own ranges.
_TOOL_WORDS = _PAGE_WORDS | {"dev", "develop", "test", "tests", "testing", "lint", "ci", "typing"}


def check_document(document: Document) -> Iterator[Hit]:
    """Quantum packages without an upper end, one finding for each line."""
    if not _is_application(document):
        return
    for group in by_line(installs_of_document(document)):
        loose = [each for each in group if _is_loose(each, document)]
        if loose:
            yield Hit(
                where=loose[0].where,
                message=_message(loose),
                confidence="low" if document.project.is_library else None,
            )


def _message(loose: list[Requirement]) -> str:
    bounds = {each.specifier for each in loose}
    verb = "is" if len({each.name for each in loose}) == 1 else "are"
    if bounds == {""}:
        return f"{named(loose)} {verb} installed without a version, so every build may differ."
    shown = ", ".join(f"`{each.name}{each.specifier}`" for each in loose if each.specifier)
    return f"{named(loose)} {verb} bounded below alone ({shown}), so every build may differ."


def _is_application(document: Document) -> bool:
    path = document.path.lower()
    name = path.rpartition("/")[2]
    facts = document.project
    if document.kind == "shell":
        return not facts.is_library and name.endswith((".sh", "postbuild"))
    if document.kind == "pyproject":
        return name == "pipfile" or (facts.is_service and not facts.is_library)
    if document.kind not in _APPLICATION or path.startswith(_PAGES) or "/docs/" in path:
        return False
    words = _TOOL_WORDS if facts.is_library else _PAGE_WORDS
    return words.isdisjoint(name.replace("_", "-").replace(".", "-").split("-"))


def _is_loose(requirement: Requirement, document: Document) -> bool:
    """No version, or a lower bound alone, and no lock or constraints file that says more."""
    if requirement.url or requirement.filled_in or requirement.group == "constraint":
        return False
    if not is_quantum_package(requirement.name) or _has_upper_end(requirement.specifier):
        return False
    known = document.project.requirements.get(requirement.name, "")
    return not known.startswith("==") or known.endswith("*")


def _has_upper_end(specifier: str) -> bool:
    clauses = [clause for clause in specifier.split(",") if clause]
    return any(clause.startswith(("==", "~=", "<")) for clause in clauses)


RULE = Rule(
    id="QSA701",
    title="Quantum dependency without a pinned version",
    severity="low",
    confidence="high",
    cwe=(1357,),
    frameworks=("any",),
    why=(
        "Quantum frameworks change how gates are decomposed, which simulator is the default and "
        "what a result looks like from one minor release to the next. An application that "
        "installs `qiskit` or `pennylane>=0.30` runs its trained parameters on a circuit library "
        "that nobody tested them with, and takes over a compromised release on the day it "
        "appears. Libraries must name ranges, so their `pyproject.toml` and `setup.py` are left "
        "alone; what an application or an image installs is not."
    ),
    remedy="Pin the exact version, or install from a lock file with hashes.",
    bad=(
        Example(
            name="requirements of an application",
            file="requirements.txt",
            code="""\
numpy
pennylane  # <- here
pennylane-lightning>=0.33  # <- here
qiskit[visualization] >= 1.0, != 1.1.0  # <- here
torch==2.10.0
""",
        ),
        Example(
            name="image",
            file="Dockerfile",
            code="""\
FROM python:3.12-slim
WORKDIR /srv
RUN pip install --no-cache-dir fastapi==0.115.6 \\
    qiskit qiskit-aer \\
    uvicorn==0.34.0
CMD ["uvicorn", "service:app"]
""",
            lines=(4,),
        ),
        Example(
            name="conda environment with a pip part",
            file="environment.yml",
            code="""\
name: vqc
channels: [conda-forge]
dependencies:
  - python=3.11
  - qiskit-aer  # <- here
  - numpy
  - pip
  - pip:
      - cirq>=1.3  # <- here
      - tensorflow-quantum==0.7.3
""",
        ),
        Example(
            name="Pipfile",
            file="Pipfile",
            code="""\
[packages]
amazon-braket-sdk = "*"  # <- here
flask = "*"
qiskit = {version = ">=1.2", extras = ["visualization"]}  # <- here
""",
        ),
        Example(
            name="start script of a workspace",
            file="setup_env.sh",
            code="""\
#!/usr/bin/env bash
set -e
python -m venv .venv
.venv/bin/pip install torchquantum jupyterlab  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="exact versions",
            file="requirements.txt",
            code="""\
pennylane==0.42.3
pennylane-lightning==0.42.0
qiskit[visualization]==2.1.2
""",
        ),
        Example(
            name="constraints beside",
            file="requirements.txt",
            code="""\
-c constraints.txt
qiskit
qiskit-aer>=0.15
# file: constraints.txt
qiskit==2.1.2
qiskit-aer==0.17.1
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a library names ranges",
            file="pyproject.toml",
            code="""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "noisy-kernels"
version = "0.3.0"
dependencies = ["pennylane>=0.38", "qiskit>=1.0"]
""",
        ),
        Example(
            name="setup.cfg of a library",
            file="setup.cfg",
            code="""\
[metadata]
name = noisy-kernels

[options]
install_requires =
    cirq
    qiskit>=0.45
""",
        ),
        Example(
            name="lock file beside",
            file="requirements.txt",
            code="""\
pennylane>=0.38
# file: uv.lock
version = 1

[[package]]
name = "pennylane"
version = "0.42.3"
source = { registry = "https://pypi.org/simple" }
""",
        ),
        Example(
            name="an upper end",
            file="requirements.txt",
            code="""\
qiskit>=1.0,<2
cirq~=1.4.0
pennylane==0.42.*
numpy>=1.26
# qiskit-aer
""",
        ),
        Example(
            name="requirements of the pages",
            file="docs/requirements.txt",
            code="""\
sphinx
pennylane
""",
        ),
        Example(
            name="version from a build argument",
            file="Dockerfile",
            code="""\
FROM python:3.12-slim
ARG QISKIT_VERSION
RUN pip install qiskit==${QISKIT_VERSION}
RUN echo "pip install qiskit"
""",
        ),
        Example(
            name="constraints alone",
            file="constraints.txt",
            code="qiskit>=1.2\n",
        ),
    ),
    references=(
        "pip: repeatable installs <https://pip.pypa.io/en/stable/topics/repeatable-installs/>",
        (
            "Python packaging guide: install_requires against requirements files "
            "<https://packaging.python.org/en/latest/discussions/install-requires-vs-requirements/>"
        ),
    ),
    check_document=check_document,
    tags=("supply-chain",),
)
