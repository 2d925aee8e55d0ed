"""Project files, environments, lock files and workflows, and files that cannot be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.scan.manifests.reading import read_manifest
from bezoar.scan.manifests.yaml_nodes import DEEPEST, YamlProblem, documents, mappings

COMMIT = "f7bba2b8a21319309b21250073492573f5ee967a"

PYPROJECT = """\
[build-system]
requires = ["hatchling"]

[project]
name = "qnn"
requires-python = ">=3.10"
dependencies = [
  "pennylane>=0.38",  # why
  'qiskit[visualization]==1.2.4',
]
optional-dependencies.gpu = ["torch==2.1.0"]

[dependency-groups]
dev = ["pytest", {include-group = "x"}]

[tool.poetry.dependencies]
python = "^3.9"
cirq = "^1.3"
ansatz = { git = "https://github.com/a/ansatz", branch = "main" }

[tool.poetry.group.dev.dependencies.mitiq]
version = "0.40.0"

[tool.pdm.dev-dependencies]
sim = ["qutip~=5.0"]

[tool.uv]
dev-dependencies = ["pyquil"]

[tool.uv.sources]
pennylane = { git = "https://github.com/PennyLaneAI/pennylane", tag = "v0.38.0" }
"""


def test_project_file_in_all_dialects() -> None:
    found = read_manifest("pyproject.toml", "pyproject", PYPROJECT)
    assert found.problem is None
    assert (found.name, found.python_requires, found.is_package) == ("qnn", ">=3.10", True)
    assert {(each.name, each.specifier, each.line) for each in found.requirements} == {
        ("pennylane", ">=0.38", 8),
        ("qiskit", "==1.2.4", 9),
        ("torch", "==2.1.0", 11),
        ("pytest", "", 14),
        ("cirq", ">=1.3,<2", 18),
        ("ansatz", "", 19),
        ("mitiq", "==0.40.0", 21),
        ("qutip", "~=5.0", 25),
        ("pyquil", "", 28),
        ("pennylane", "", 31),
    }
    lines = PYPROJECT.splitlines()
    qiskit = next(each for each in found.requirements if each.name == "qiskit")
    shown = lines[qiskit.line - 1][qiskit.column - 1 : qiskit.end_column - 1]
    assert shown == "'qiskit[visualization]==1.2.4'"
    revisions = {each.name: each.revision for each in found.requirements if each.is_git}
    assert revisions == {"ansatz": "main", "pennylane": "v0.38.0"}


def test_application_is_no_package() -> None:
    for text in (
        '[project]\nname = "x"\n',
        '[build-system]\n[project]\nname = "x"\nclassifiers = ["Private :: Do Not Upload"]\n',
        '[build-system]\n[tool.poetry]\nname = "x"\npackage-mode = false\n',
        '[build-system]\n[project]\nname = "x"\n[tool.uv]\npackage = false\n',
    ):
        assert not read_manifest("pyproject.toml", "pyproject", text).is_package


def test_equal_requirements_have_places_of_their_own() -> None:
    text = '[project]\nname="x"\ndependencies = ["torch<2"]\n[dependency-groups]\na = ["torch<2"]\n'
    found = read_manifest("pyproject.toml", "pyproject", text)
    assert [each.line for each in found.requirements] == [3, 5]


def test_pipfile_and_its_lock() -> None:
    text = '[packages]\nqiskit = "*"\ntq = {git = "https://x.org/tq.git", ref = "main"}\n'
    found = read_manifest("Pipfile", "pyproject", text + '[requires]\npython_version = "3.9"\n')
    assert found.python_requires == "==3.9.*"
    assert [(each.name, each.revision, each.line) for each in found.requirements] == [
        ("qiskit", "", 2),
        ("tq", "main", 3),
    ]
    lock = {
        "_meta": {"hash": {"sha256": "0"}, "requires": {"python_version": "3.9"}, "sources": []},
        "default": {
            "qiskit": {"hashes": ["sha256:0"], "index": "pypi", "version": "==0.45.0"},
            "tq": {"git": "https://x.org/tq.git", "ref": COMMIT},
        },
        "develop": {"pytest": {"version": "==8.0"}},
    }
    locked = read_manifest("Pipfile.lock", "lock", json.dumps(lock, indent=4)).requirements
    assert [(each.name, each.specifier) for each in locked] == [
        ("qiskit", "==0.45.0"),
        ("tq", ""),
        ("pytest", "==8.0"),
    ]
    assert locked[1].revision == COMMIT


def test_setup_py_by_its_constants() -> None:
    text = (
        "import os\n"
        "from setuptools import setup\n"
        "BASE = ['numpy', 'qiskit>=0.45']  # größer\n"
        "meta = dict(name='x')\n"
        "extra = {'für': ['torch==1.13']}\n"
        "options = {'name': 'qnn', 'python_requires': '>=3.9'}\n"
        "setup(version=os.environ['V'], install_requires=BASE + [\n"
        "    'cirq',\n"
        "    f'jax=={os.name}',\n"
        "], extras_require=extra, **options)\n"
    )
    found = read_manifest("setup.py", "setup-py", text)
    assert (found.name, found.python_requires, found.is_package) == ("qnn", ">=3.9", True)
    assert [(each.name, each.line, each.column) for each in found.requirements] == [
        ("numpy", 3, 9),
        ("qiskit", 3, 18),
        ("cirq", 8, 5),
        ("torch", 5, 18),
    ]


def test_setup_cfg() -> None:
    text = (
        "[metadata]\nname = qnn\n\n[options]\npython_requires = >=3.9\n"
        "install_requires =\n    # comment\n    qiskit>=0.45\n    cirq  # why\n"
        "packages = find:\n\n[options.extras_require]\ngpu = torch==1.13\n"
    )
    found = read_manifest("setup.cfg", "setup-cfg", text)
    assert (found.name, found.python_requires) == ("qnn", ">=3.9")
    assert [(each.name, each.line, each.column) for each in found.requirements] == [
        ("qiskit", 8, 5),
        ("cirq", 9, 5),
        ("torch", 13, 7),
    ]


def test_environment() -> None:
    text = (
        "name: q\ndependencies:\n  - python>=3.10\n  - pytorch=1.13  # why\n  - 'qiskit'\n"
        "  - pip:\n    - git+https://github.com/a/b@main\n    - -r requirements.txt\n"
    )
    found = read_manifest("environment.yml", "environment", text)
    assert found.python_requires == ">=3.10"
    assert [(each.name, each.specifier, each.where) for each in found.requirements] == [
        ("torch", "==1.13.*", (4, 5, 4, 17)),
        ("qiskit", "", (5, 5, 5, 13)),
        ("b", "", (7, 7, 7, 38)),
    ]


def test_lock_files() -> None:
    poetry = (
        '[[package]]\nname = "qiskit"\nversion = "1.2.4"\n\n[package.dependencies]\n'
        'name = "x"\n\n[package.source]\ntype = "legacy"\nurl = "https://x.org"\n\n'
        '[[package]]\nname = "tq"\nversion = "0.3"\n\n[package.source]\ntype = "git"\n'
        f'url = "https://x.org/tq.git"\nreference = "main"\nresolved_reference = "{COMMIT}"\n'
    )
    found = read_manifest("poetry.lock", "lock", poetry).requirements
    assert [(each.name, each.specifier, each.line) for each in found] == [
        ("qiskit", "==1.2.4", 3),
        ("tq", "", 14),
    ]
    assert found[1].revision == COMMIT
    uv = '[[package]]\nname = "tq"\nversion = "1"\n'
    uv += f'source = {{ git = "https://x.org/y?rev=a#{COMMIT}" }}\n'
    assert read_manifest("uv.lock", "lock", uv).requirements[0].revision == COMMIT
    conda = "package:\n- name: pytorch\n  version: 1.13.1\n  manager: conda\n" * 2
    once = read_manifest("conda-lock.yml", "lock", conda).requirements
    assert [(each.name, each.specifier) for each in once] == [("torch", "==1.13.1")]


def test_steps_of_workflows() -> None:
    text = (
        "jobs:\n  a:\n    steps:\n"
        "      - run: pip install qiskit==1.0 # why\n"
        "      - run: |\n          # pip install x\n\n          pip install \\\n            cirq\n"
        "      - name: pip install nothing\n"
        '      - run: "pip install mitiq"\n'
        "test:\n  script:\n    - pip install qutip\n"
    )
    found = read_manifest("ci.yml", "github-workflow", text).requirements
    assert [(each.name, each.line, each.column) for each in found] == [
        ("qiskit", 4, 26),
        ("cirq", 9, 13),
        ("mitiq", 11, 27),
        ("qutip", 14, 19),
    ]


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("pyproject.toml", "pyproject", "[project\n"),
        ("pyproject.toml", "pyproject", "a = " + "[" * 5000 + "]" * 5000),
        ("Pipfile", "pyproject", "\x00"),
        ("setup.py", "setup-py", "setup(\n"),
        ("setup.py", "setup-py", "a\x00b"),
        ("setup.py", "setup-py", "setup(install_requires=" + "+".join(["['a']"] * 5000) + ")"),
        ("setup.cfg", "setup-cfg", "no section\n"),
        ("environment.yml", "environment", "a:\n\t- b"),
        ("environment.yml", "environment", "[" * 100_000),
        ("ci.yml", "github-workflow", "[" * 900 + "]" * 900),
        ("ci.yml", "github-workflow", "a: \x01"),
        ("ci.yml", "gitlab-ci", "a: " + "x" * 2_000_001),
    ],
)
def test_unreadable_files_say_why(path: str, kind: str, text: str) -> None:
    found = read_manifest(path, kind, text)
    assert found.problem is not None
    assert found.problem.reason
    assert found.problem.line >= 1
    assert found.requirements == ()


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("pyproject.toml", "pyproject", "project = 3\ntool = 4\ndependency-groups = [1]\n"),
        ("pyproject.toml", "pyproject", "[project]\nname = 3\ndependencies = [1, {a = 1}]\n"),
        ("pyproject.toml", "pyproject", "[tool.poetry]\ngroup = {a = 1, b = {dependencies = 3}}\n"),
        ("environment.yml", "environment", "dependencies: {a: b, pip: {c: d}}"),
        ("environment.yml", "environment", "- 1\n---\n---\nx"),
        ("ci.yml", "github-workflow", "a: &a\n  b: *a\n  run: [1, {run: x}]\n"),
        ("setup.py", "setup-py", "a = a\nb = [b]\nsetup(install_requires=b, **a)\n"),
        ("requirements.txt", "requirements", ""),
        ("unknown.bin", "artefact", "x"),
    ],
)
def test_odd_files_say_nothing(path: str, kind: str, text: str) -> None:
    found = read_manifest(path, kind, text)
    assert found.problem is None
    assert found.requirements == ()


def test_aliases_are_not_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    roots = documents("\n".join(lines))
    assert len(list(mappings(roots))) == 1


def test_depth_is_limited() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    assert documents(text)
    with pytest.raises(YamlProblem, match="deeply"):
        documents(f"[{text}]")


KINDS = ["requirements", "pyproject", "setup-cfg", "environment", "lock", "dockerfile", "shell"]


@given(
    kind=st.sampled_from([*KINDS, "github-workflow", "gitlab-ci"]),
    text=st.text(alphabet='[]{}"=:-#&*\n |>abc.project dependencies', max_size=80),
)
def test_no_text_raises(kind: str, text: str) -> None:
    for path in ("x", "Pipfile", "setup.py", "Pipfile.lock", "conda-lock.yml"):
        read_manifest(path, kind, text)
