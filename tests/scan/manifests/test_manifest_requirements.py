"""Requirements files, shell text and conda entries: what is found, and exactly where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.scan.manifests.commands import requirements_in_command, requirements_in_script
from bezoar.scan.manifests.conda_specs import conda_requirement
from bezoar.scan.manifests.pip_files import read_pip_file
from bezoar.scan.manifests.requirement import Requirement, is_commit, requirement

COMMIT = "f7bba2b8a21319309b21250073492573f5ee967a"


def shown(text: str, found: Requirement) -> str:
    """What stands at the place of a requirement of one line."""
    assert found.line == found.end_line
    return text.splitlines()[found.line - 1][found.column - 1 : found.end_column - 1]


@pytest.mark.parametrize(
    ("text", "name", "specifier"),
    [
        ("Qiskit_Aer", "qiskit-aer", ""),
        ("qiskit [visualization, all] >= 1.0 , != 1.1", "qiskit", ">=1.0,!=1.1"),
        ("qiskit (>=1.0,<2)", "qiskit", ">=1.0,<2"),
        ("torch==2.1.2+cu121 ; sys_platform == 'linux'", "torch", "==2.1.2+cu121"),
        ("tensorflow~=2.7.0", "tensorflow", "~=2.7.0"),
        ("numpy===1.26.4", "numpy", "===1.26.4"),
    ],
)
def test_requirement_is_read(text: str, name: str, specifier: str) -> None:
    found = requirement(text)
    assert found is not None
    assert (found.name, found.specifier) == (name, specifier)


@pytest.mark.parametrize(
    "text", ["", ".", "./plugins", "../lib[extra]", "a b c", "dist/x-1.0.whl", "==1.0", "x.tar.gz"]
)
def test_what_is_no_requirement(text: str) -> None:
    assert requirement(text) is None


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("git+https://github.com/a/b.git", "b", ""),
        ("git+https://github.com/a/b.git@main#egg=c", "c", "main"),
        ("git+ssh://git@github.com/a/b@v1.0", "b", "v1.0"),
        ("git+https://${TOKEN}@github.com/a/b.git", "b", ""),
        (f"c @ git+https://github.com/a/b@{COMMIT}", "c", COMMIT),
        ("git+https://github.com/a/b@feature/x#subdirectory=p", "x", "feature/x"),
    ],
)
def test_git_address(text: str, name: str, revision: str) -> None:
    found = requirement(text)
    assert found is not None
    assert found.is_git
    assert (found.name, found.revision) == (name, revision)


def test_commits_are_whole() -> None:
    assert is_commit(COMMIT)
    assert is_commit("a" * 64)
    assert not is_commit(COMMIT[:12])
    assert not is_commit("v1.0.0")


def test_requirements_file_with_everything() -> None:
    text = (
        "\ufeff# comment\n"
        "-r base.txt\n"
        "--constraint=constraints.txt\n"
        "--extra-index-url https://example.org/simple\n"
        "  qiskit==1.2.4 \\\n"
        "    --hash=sha256:aa \\\n"
        "    --hash=sha256:bb\n"
        "-e git+https://github.com/a/b.git@main#egg=b\n"
        "pennylane>=0.38 ; python_version < '3.12'  # why\n"
        "./local\n"
        "https://example.org/cirq-1.4.0-py3-none-any.whl\n"
        "not a requirement\n"
    )
    found = read_pip_file(text)
    assert [(each.path, each.constraint) for each in found.includes] == [
        ("base.txt", False),
        ("constraints.txt", True),
    ]
    assert [(each.name, each.line) for each in found.requirements] == [
        ("qiskit", 5),
        ("b", 8),
        ("pennylane", 9),
        ("cirq", 11),
    ]
    qiskit, editable, pennylane, _ = found.requirements
    assert qiskit.hashes == ("sha256:aa", "sha256:bb")
    assert qiskit.where == (5, 3, 5, 16)
    assert editable.editable
    assert pennylane.marker == "python_version < '3.12'"
    assert shown(text, pennylane) == "pennylane>=0.38 ; python_version < '3.12'"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("!pip install qiskit", ["qiskit"]),
        ("%pip install -q --upgrade 'qiskit[all]>=1' pennylane  # cirq", ["qiskit", "pennylane"]),
        ("RUN --mount=type=cache,target=/c pip3 install -r req.txt cirq", ["cirq"]),
        ("sudo -H python3.11 -m pip install torch", ["torch"]),
        ("!{sys.executable} -m pip install mitiq", ["mitiq"]),
        (".venv/bin/pip install -i https://x.org/simple qutip", ["qutip"]),
        ("uv pip install --system pyquil && uv add cirq", ["pyquil", "cirq"]),
        ("poetry add qiskit@latest", ["qiskit"]),
        ("conda install -y -c conda-forge qiskit=0.45 pytorch::pytorch", ["qiskit", "torch"]),
        ("bash -c 'pip install qiskit'", ["qiskit"]),
        ("@$(PYTHON) -m pip install qiskit", ["qiskit"]),
        ("pip install . -e .[dev] ../x dist/x.whl", []),
        ("pip uninstall qiskit", []),
        ("echo pip install qiskit", []),
        ('echo "pip install qiskit"', []),
        ("# pip install qiskit", []),
        ("apt-get install -y python3-pip git", []),
        ("npm install left-pad", []),
        ("pip install $PACKAGE", []),
    ],
)
def test_install_commands(line: str, names: list[str]) -> None:
    assert [each.name for each in requirements_in_command(line)] == names


def test_places_in_a_dockerfile() -> None:
    text = (
        "FROM python:3.12\n"
        "ARG REF=main\n"
        "RUN apt-get update \\\n"
        "    # with the device\n"
        "    && pip install \\\n"
        "      qiskit==1.2.4 \\\n"
        "      'git+https://github.com/a/b@${REF}'\n"
        'RUN ["pip", "install", "cirq"]\n'
    )
    found = requirements_in_script(text, dockerfile=True)
    assert [(each.name, each.line, each.column) for each in found] == [
        ("qiskit", 6, 7),
        ("b", 7, 7),
        ("cirq", 8, 24),
    ]
    assert found[1].revision == "main"


def test_apostrophe_hides_nothing() -> None:
    image = "LABEL author=O'Brien\nRUN pip install qiskit\nLABEL note=it's\n"
    assert [r.name for r in requirements_in_script(image, dockerfile=True)] == ["qiskit"]
    script = "python -c 'import a\npip install b\n'\npip install qiskit\necho don't\npip install c"
    assert [r.name for r in requirements_in_script(script)] == ["qiskit", "c"]


def test_version_from_a_variable() -> None:
    unknown = requirements_in_command("pip install torch==${TORCH}")
    assert unknown[0].filled_in
    known = requirements_in_script("TORCH=2.1.0\npip install torch==$TORCH\n")
    assert (known[0].specifier, known[0].filled_in) == ("==2.1.0", False)
    matrix = requirements_in_command("pip install qiskit==${{ matrix.qiskit }} cirq")
    assert [(each.name, each.filled_in) for each in matrix] == [("qiskit", True), ("cirq", False)]


def test_comment_in_a_script_ends_the_command() -> None:
    assert [r.name for r in requirements_in_script("pip install a \\\n# b\nc\n")] == ["a"]


@pytest.mark.parametrize(
    ("text", "name", "specifier"),
    [
        ("python=3.11", "python", "==3.11.*"),
        ("qiskit", "qiskit", ""),
        ("conda-forge::numpy=1.26.4=py311h_0", "numpy", "==1.26.4"),
        ("pytorch >=2.1,<3", "torch", ">=2.1,<3"),
        ("numpy 1.26.*", "numpy", "==1.26.*"),
        ("scipy==1.11", "scipy", "==1.11"),
        ("cirq=*", "cirq", ""),
    ],
)
def test_conda_entries(text: str, name: str, specifier: str) -> None:
    found = conda_requirement(text)
    assert found is not None
    assert (found.name, found.specifier) == (name, specifier)


@given(st.text(alphabet="pip install -'\"\\#\n$(){}&;qiskit=", max_size=60))
def test_no_shell_text_raises_and_places_hold(text: str) -> None:
    lines = text.split("\n")
    for each in requirements_in_script(text):
        assert 1 <= each.line <= each.end_line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1


@given(st.text(max_size=80))
def test_no_requirements_text_raises(text: str) -> None:
    for each in read_pip_file(text).requirements:
        assert 1 <= each.line <= len(text.splitlines())
