"""QSA706: CI that runs code by a movable name, or runs strangers' code with secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Severity
from bezoar.scan.manifests.requirement import is_commit
from bezoar.scan.manifests.yaml_nodes import (
    YamlProblem,
    documents,
    entries,
    items,
    mappings,
    scalar,
    value_of,
    where,
)
from bezoar.scan.rule import Example, Hit, Rule

if TYPE_CHECKING:
    from yaml.nodes import Node

    from bezoar.scan.documents import Document

#: Actions of the platform itself: who moves their tags could change the runner as well.
_FIRST_PARTY = frozenset({"actions", "github"})
_USES = re.compile(r"(?P<owner>[\w.-]+)/(?P<rest>[^@\s]+)@(?P<ref>\S+)\Z")
_HEAD = re.compile(
    r"github\.event\.pull_request\.head\.(?:sha|ref|repo)|github\.head_ref|refs/pull/"
)
_SECRET = re.compile(r"\$\{\{[^}]*\bsecrets\s*(?:\.\s*(\w+)|\[\s*'(\w+)'\s*\])")
#: The job's own token, and tokens that can do nothing but upload a coverage report.
_HARMLESS = frozenset({"GITHUB_TOKEN", "CODECOV_TOKEN", "COVERALLS_REPO_TOKEN"})
#: Conditions that keep a job or a step away from pull requests.
_NO_PULL_REQUEST = re.compile(
    r"event_name\s*==\s*'(?!pull_request)|event_name\s*!=\s*'pull_request"
    r"|github\.ref(?:_name)?\s*==|startsWith\(\s*github\.ref|github\.ref_type"
    r"|head\.repo\.(?:full_name|fork)|pull_request\.merged|event\.pull_request\s*==\s*null"
)
_LATEST = re.compile(r"(?P<name>[^\s@$]+?)(?::(?P<tag>[\w.-]+))?\Z")


def check_document(document: Document) -> Iterator[Hit]:
    """GitHub workflows and composite actions, and GitLab pipelines."""
    if document.kind not in ("github-workflow", "gitlab-ci"):
        return
    try:
        roots = documents(document.text)
    except YamlProblem:
        return  # told by the scan itself
    look = _github if document.kind == "github-workflow" else _gitlab
    told: set[int] = set()
    for hit in look(roots):
        line = hit.where[0] if isinstance(hit.where, tuple) else 0
        if line not in told:
            told.add(line)
            yield hit


def _github(roots: tuple[Node, ...]) -> Iterator[Hit]:
    for root in roots:
        triggers = _triggers(root)
        for job in entries(value_of(root, "jobs")):
            if "pull_request_target" in triggers:
                foreign = tuple(_foreign_code(job.value))
                yield from foreign
                if foreign:
                    yield from _secrets(job.value)
            if "pull_request" in triggers and not _keeps_out(job.value):
                yield from _secrets(job.value)
    for mapping in mappings(roots):
        for entry in entries(mapping):
            if entry.key == "uses":
                yield from _action(entry.value)


def _triggers(root: Node) -> frozenset[str]:
    """The events of a workflow; YAML 1.1 reads the key ``on`` as a truth value in some tools."""
    node = value_of(root, "on") or value_of(root, "true")
    found = {entry.key for entry in entries(node)}
    return frozenset(found | {scalar(item) for item in items(node)})


def _action(node: Node) -> Iterator[Hit]:
    text = scalar(node)
    if text.startswith("docker://"):
        if "@sha256:" not in text:
            yield _at(node, f"The image `{text}` is no fixed one: name its digest.", "low")
        return
    match = _USES.match(text)
    if text.startswith(("./", "../")) or match is None or is_commit(match["ref"]):
        return
    first = match["owner"] in _FIRST_PARTY
    yield _at(
        node,
        f"`{text}` is taken by the movable name `{match['ref']}`, not by a commit.",
        "low" if first else "medium",
    )


def _foreign_code(job: Node) -> Iterator[Hit]:
    """Checkout of the pull request's own code in a job that has the repository's secrets."""
    for step in items(value_of(job, "steps")):
        uses = scalar(value_of(step, "uses"))
        for key in ("ref", "repository"):
            node = value_of(step, "with", key)
            if node is None or not uses.startswith("actions/checkout"):
                continue
            if _HEAD.search(scalar(node)):
                yield _at(
                    node,
                    "`pull_request_target` gives this job the secrets of the repository, and "
                    "here it checks out the code of the pull request.",
                    "high",
                )
                break


def _secrets(job: Node) -> Iterator[Hit]:
    """Secrets other than the job's own token, outside of steps that leave pull requests out."""
    guarded = [step for step in items(value_of(job, "steps")) if _keeps_out(step)]
    left_out = {id(mapping) for step in guarded for mapping in mappings((step,))}
    for mapping in mappings((job,)):
        if id(mapping) in left_out:
            continue
        for entry in entries(mapping):
            if entry.key == "secrets" and scalar(entry.value) == "inherit":
                yield _at(entry.value, _told("all secrets"), "low")
                continue
            match = _SECRET.search(scalar(entry.value))
            name = (match[1] or match[2]) if match is not None else "GITHUB_TOKEN"
            if name.upper() not in _HARMLESS:
                yield _at(entry.value, _told(f"the secret `{name}`"), "low")


def _told(what: str) -> str:
    return f"A job that runs the code of pull requests gets {what}."


def _keeps_out(node: Node) -> bool:
    return _NO_PULL_REQUEST.search(scalar(value_of(node, "if"))) is not None


def _gitlab(roots: tuple[Node, ...]) -> Iterator[Hit]:
    for root in roots:
        for include in items(value_of(root, "include")):
            yield from _include(include)
    for mapping in mappings(roots):
        for entry in entries(mapping):
            if entry.key == "image":
                yield from _image(value_of(entry.value, "name") or entry.value)


def _include(node: Node) -> Iterator[Hit]:
    remote = value_of(node, "remote")
    address = scalar(remote) or scalar(node)
    if address.startswith(("http://", "https://")) and value_of(node, "integrity") is None:
        yield _at(
            remote or node,
            f"`{address}` is run as part of the pipeline without a digest.",
            "medium",
        )
    project, ref = value_of(node, "project"), value_of(node, "ref")
    if project is not None and not is_commit(scalar(ref)):
        name = scalar(ref) or "its default branch"
        told = f"`{scalar(project)}` is included from the movable `{name}`, not from a commit."
        yield _at(ref or project, told, "low")
    component = value_of(node, "component")
    version = scalar(component).rpartition("@")[2]
    if component is not None and version in ("~latest", "main", "master"):
        yield _at(component, f"The component is included from the movable `{version}`.", "low")


def _image(node: Node) -> Iterator[Hit]:
    match = _LATEST.match(scalar(node))
    if match is None or match["tag"] not in (None, "latest"):
        return
    yield _at(node, f"The image `{scalar(node)}` is whatever is newest: name a digest.", "low")


def _at(node: Node, message: str, severity: Severity) -> Hit:
    return Hit(where=where(node), message=message, severity=severity)


RULE = Rule(
    id="QSA706",
    title="CI step taken by a movable name, or secrets in jobs of pull requests",
    severity="low",
    confidence="high",
    cwe=(829,),
    frameworks=("any",),
    why=(
        "The CI of a quantum project holds the provider's token, so that it can run on hardware, "
        "and the right to publish the package. An action that is named by a tag or a branch runs "
        "there with whatever its owner, or who took over the account, points the name to; a "
        "commit cannot be moved. And a job that runs the code of a pull request must not have "
        "secrets: with `pull_request_target` and a checkout of the head, anyone who opens a pull "
        "request reads them."
    ),
    remedy="Name actions by a whole commit id; keep secrets out of jobs that run pull requests.",
    bad=(
        Example(
            name="tags and branches",
            file=".github/workflows/ci.yml",
            code="""\
name: tests
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4  # <- here
      - name: Python
        uses: "actions/setup-python@v5"  # <- here
        with:
          python-version: "3.12"
      - uses: codecov/codecov-action@v4  # <- here
      - uses: pypa/gh-action-pypi-publish@release/v1  # <- here
      - uses: lab/setup-simulator@main  # <- here
      - uses: docker://ghcr.io/lab/linter:latest  # <- here
""",
        ),
        Example(
            name="code of the pull request with secrets",
            file=".github/workflows/hardware.yaml",
            code="""\
on:
  pull_request_target:
    types: [opened, synchronize]
jobs:
  hardware:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with:
          ref: ${{ github.event.pull_request.head.sha }}  # <- here
      - run: pytest tests/hardware
        env:
          QISKIT_IBM_TOKEN: ${{ secrets.QISKIT_IBM_TOKEN }}  # <- here
""",
        ),
        Example(
            name="secret in a job of pull requests",
            file=".github/workflows/ci.yml",
            code="""\
on:
  push:
    branches: [main]
  pull_request:
jobs:
  test:
    runs-on: ubuntu-24.04
    env:
      IBM_TOKEN: ${{ secrets.IBM_TOKEN }}  # <- here
    steps:
      - run: pytest
  shared:
    uses: ./.github/workflows/shared.yml
    secrets: inherit  # <- here
""",
        ),
        Example(
            name="reusable workflow and composite action",
            file="action.yml",
            code="""\
name: set-up
runs:
  using: composite
  steps:
    - uses: actions/cache@v4  # <- here
    - run: pip install -r requirements.txt
      shell: bash
# file: .github/workflows/docs.yml
on: push
jobs:
  docs:
    uses: lab/workflows/.github/workflows/docs.yml@main  # <- here
""",
        ),
        Example(
            name="pipeline of GitLab",
            file=".gitlab-ci.yml",
            code="""\
include:
  - remote: "https://ci.example.org/templates/python.yml"  # <- here
  - project: lab/ci
    ref: main  # <- here
    file: /tests.yml

default:
  image: python:latest  # <- here

simulate:
  image:
    name: ghcr.io/lab/simulator  # <- here
  script:
    - pytest
""",
        ),
    ),
    good=(
        Example(
            name="commits and digests",
            file=".github/workflows/ci.yml",
            code="""\
on: [push, pull_request]
permissions: {contents: read}
jobs:
  test:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
      - uses: ./.github/actions/set-up
      - uses: docker://ghcr.io/lab/lint@sha256:{{hex-64}}
      - run: pytest
""",
        ),
        Example(
            name="pipeline with fixed parts",
            file=".gitlab-ci.yml",
            code="""\
include:
  - template: Jobs/SAST.gitlab-ci.yml
  - local: ci/tests.yml
  - project: lab/ci
    ref: 11bd71901bbe5b1630ceea73d27597364c9af683
    file: tests.yml

test:
  image: python:3.12-slim
  script: [pytest]
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the job's own token, and secrets for pushes alone",
            file=".github/workflows/release.yml",
            code="""\
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-24.04
    steps:
      - run: gh pr comment --body done
        env:
          GH_TOKEN: ${{ secrets.GITHUB_TOKEN }}
          CODECOV_TOKEN: ${{ secrets.CODECOV_TOKEN }}
      - if: github.event_name == 'push'
        run: twine upload dist/*
        env:
          TWINE_PASSWORD: ${{ secrets.PYPI_TOKEN }}
  hardware:
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-24.04
    env:
      IBM_TOKEN: ${{ secrets.IBM_TOKEN }}
    steps:
      - run: pytest tests/hardware
""",
        ),
        Example(
            name="labels for pull requests from the base",
            file=".github/workflows/label.yml",
            code="""\
on: pull_request_target
jobs:
  label:
    runs-on: ubuntu-24.04
    steps:
      # uses: actions/labeler@v5
      - uses: actions/labeler@8558fd74291d67161a8a78ce36a881fa63b766a9
        with:
          repo-token: ${{ secrets.LABEL_TOKEN }}
""",
        ),
        Example(
            name="head of a pull request without secrets",
            file=".github/workflows/lint.yml",
            code="""\
on:
  pull_request:
jobs:
  lint:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: |
          echo "uses: actions/checkout@v4"
""",
        ),
        Example(
            name="another file with the key uses",
            file="config/model.yml",
            code="""\
encoder:
  uses: lab/angle@v2
image: python:latest
""",
        ),
        Example(
            name="image from a variable",
            file=".gitlab-ci.yml",
            code="""\
variables:
  IMAGE: registry.example.org/qml@sha256:{{hex-64}}
test:
  image: $IMAGE
  script: [pytest]
broken:
  image: "$CI_REGISTRY_IMAGE/qml:${CI_COMMIT_SHA}"
  script: [pytest]
""",
        ),
    ),
    references=(
        (
            "GitHub: security hardening for actions "
            "<https://docs.github.com/en/actions/reference/security/secure-use>"
        ),
        (
            "GitHub security lab: preventing pwn requests "
            "<https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/>"
        ),
        "GitLab: include <https://docs.gitlab.com/ci/yaml/includes/>",
    ),
    check_document=check_document,
    tags=("supply-chain",),
)
