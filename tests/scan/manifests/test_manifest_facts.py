"""Kinds of files, facts of a project, and the table of known-vulnerable versions."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bezoar.scan.manifests.advisories import (
    advisories_for,
    mended_version,
    read_table,
    shipped_table,
)
from bezoar.scan.manifests.facts import project_facts
from bezoar.scan.manifests.kinds import document_kind
from bezoar.scan.manifests.quantum_packages import is_quantum_package

TOOL = Path(__file__).resolve().parents[3] / "tools" / "update_advisories.py"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("requirements.txt", "requirements"),
        ("dev-requirements.in", "requirements"),
        ("requirements/base.txt", "requirements"),
        ("constraints-3.9.txt", "requirements"),
        ("pyproject.toml", "pyproject"),
        ("Pipfile", "pyproject"),
        ("setup.cfg", "setup-cfg"),
        ("environment-gpu.yaml", "environment"),
        ("env.yml", "environment"),
        ("uv.lock", "lock"),
        ("conda-lock.yml", "lock"),
        ("docker/Dockerfile.gpu", "dockerfile"),
        ("qnn.dockerfile", "dockerfile"),
        ("run.sh", "shell"),
        ("Makefile", "shell"),
        ("sub/.github/workflows/ci.yml", "github-workflow"),
        ("action.yml", "github-workflow"),
        (".gitlab-ci.yml", "gitlab-ci"),
        (".gitlab/ci/test.yml", "gitlab-ci"),
        ("config.json", "settings"),
        (".env.local", "settings"),
        ("env_prod.yml", "settings"),
        ("workflows/ci.yml", "settings"),
        ("package-lock.json", None),
        ("notes.txt", None),
        ("setup.py", None),
        ("model.pt", None),
        ("requests.txt", None),
    ],
)
def test_kind_by_path_and_by_parts(path: str, kind: str | None) -> None:
    parts = Path(path).parts
    assert document_kind(path) == kind
    assert document_kind(parts[-1], parts[:-1]) == kind
    assert document_kind(parts[-1], parts) == kind


def test_lock_files_win_over_pins_and_pins_over_ranges() -> None:
    facts = project_facts(
        [
            ("pyproject.toml", "pyproject", '[project]\nname="x"\ndependencies=["qiskit>=1"]\n'),
            ("requirements.txt", "requirements", "qiskit<2\ntorch>=2.4\ntorch<3\nscipy"),
            ("requirements-dev.txt", "requirements", "torch==2.5.1\ncirq==1.3\ncirq==1.2"),
            ("uv.lock", "lock", '[[package]]\nname = "cirq"\nversion = "1.5"\n'),
            (".github/workflows/a.yml", "github-workflow", "a:\n  run: pip install scipy==1.0\n"),
        ]
    )
    assert dict(facts.requirements) == {
        "qiskit": ">=1,<2",
        "torch": "==2.5.1",
        "scipy": "",
        "cirq": "==1.5",
    }
    assert facts.excludes_below("qiskit", "1.0")


def test_library_or_service() -> None:
    library = ("pyproject.toml", "pyproject", '[build-system]\n[project]\nname = "x"\n')
    image = ("Dockerfile", "dockerfile", "FROM python:3.11-slim\n")
    assert project_facts([library]).is_library
    assert not project_facts([library]).is_service
    served = project_facts([library, image])
    assert (served.is_library, served.is_service) == (False, True)
    assert served.python_requires == "==3.11.*"
    deep = project_facts([library, ("tests/images/Dockerfile", "dockerfile", "FROM x\n")])
    assert (deep.is_library, deep.is_service) == (True, False)
    web = project_facts([("requirements.txt", "requirements", "Flask==3.1")])
    assert web.is_service
    setup = project_facts([("setup.py", "setup-py", "setup(name='x', python_requires='>=3.9')")])
    assert (setup.is_library, setup.python_requires) == (True, ">=3.9")
    assert project_facts([]).requirements == {}
    assert not project_facts([("pyproject.toml", "pyproject", "[broken")]).is_library


def test_quantum_packages() -> None:
    yes = ("qiskit", "qiskit-ibm-runtime", "pennylane-lightning", "amazon-braket-sdk", "cirq-core")
    assert all(is_quantum_package(name) for name in yes)
    assert not any(is_quantum_package(name) for name in ("torch", "numpy", "tensorflow", ""))


def test_every_entry_of_the_table_can_be_read() -> None:
    table = shipped_table()
    assert len(table.date) == len("2026-11-21")
    entries = [each for all_ in table.advisories.values() for each in all_]
    assert len({each.id for each in entries}) >= 60
    for each in entries:
        assert each.id.startswith(("CVE-", "GHSA-", "PYSEC-"))
        assert each.severity in ("low", "medium", "high", "critical")
        assert each.summary
        assert each.source.startswith("https://")
        for affected in each.affected:
            assert len(SpecifierSet(affected)) >= 1
        for fixed in each.fixed:
            inside = (SpecifierSet(one).contains(fixed) for one in each.affected)
            assert not any(inside), f"{each.id}: {fixed} is affected itself"


@pytest.mark.parametrize(
    ("package", "specifier", "first"),
    [
        ("qiskit", "==0.45.0", "CVE-2025-2000"),
        ("qiskit", "==1.4.1", "CVE-2025-2000"),
        ("qiskit", "==2.0.0rc1", "CVE-2025-2000"),
        ("qiskit", "<1.0", "CVE-2025-2000"),
        ("qiskit", "~=1.3.0", "CVE-2025-2000"),
        ("qiskit-terra", ">=0.20", "CVE-2025-2000"),
        ("torch", "==2.5.1+cu121", "CVE-2025-32434"),
        ("torch", "==1.13.*", "CVE-2025-32434"),
        ("torch", ">=1.9,<2.6,!=2.0", "CVE-2025-32434"),
        ("tensorflow-gpu", "==2.4.1", "CVE-2021-37678"),
        ("pyarrow", "==14.0.0", "CVE-2023-47248"),
    ],
)
def test_vulnerable_alone(package: str, specifier: str, first: str) -> None:
    assert first in {each.id for each in advisories_for(package, specifier)}


@pytest.mark.parametrize(
    ("package", "specifier"),
    [
        ("qiskit", ""),
        ("qiskit", ">=0.45"),
        ("qiskit", "==1.4.2"),
        ("qiskit", "<=1.4.2"),
        ("qiskit", "!=0.45.0"),
        ("qiskit", "~=1.3"),
        ("qiskit", ">=2,<1"),
        ("qiskit", "==2.0.0rc2"),
        ("qiskit-terra", ""),
        ("torch", "==2.10.0"),
        ("tensorflow", "<2.12"),
        ("no-such-package", "==1.0"),
        ("torch", "=>1"),
    ],
)
def test_mended_versions_are_admitted(package: str, specifier: str) -> None:
    assert advisories_for(package, specifier) == ()


@given(
    lower=st.sampled_from(["", ">=0.9", ">1.0", ">=1.4.1", ">=2.0"]),
    upper=st.sampled_from(["", "<1.0", "<=1.4.1", "<1.4.2", "<=1.4.2", "<3"]),
    version=st.sampled_from(["0.5", "0.9", "1.0", "1.2.4", "1.4.1", "1.4.2", "2.0", "2.9"]),
)
def test_whatever_is_reported_admits_nothing_mended(lower: str, upper: str, version: str) -> None:
    specifier = ",".join(filter(None, (lower, upper)))
    if SpecifierSet(specifier).contains(version) and Version(version) >= Version("1.4.2"):
        assert advisories_for("qiskit", specifier) == ()


def test_mended_version_is_free_of_all() -> None:
    found = advisories_for("torch", "==1.12.0")
    assert len(found) >= 3
    mended = mended_version("==1.12.0", found)
    assert advisories_for("torch", f"=={mended}") == ()
    assert mended_version("==0.25", advisories_for("qiskit-terra", "==0.25")) == ""


def test_table_of_another_format_is_refused() -> None:
    for text in ("[]", '{"format": 99}'):
        with pytest.raises(ValueError, match="format"):
            read_table(text)


def test_table_is_renewed_from_an_export(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    old = {
        "id": "CVE-1",
        "aliases": ["GHSA-1"],
        "affected": {"qiskit": ["<1.0"]},
        "fixed": {"qiskit": ["1.0"]},
        "severity": "high",
        "summary": "our words",
        "source": "https://example.org",
    }
    table.write_text(
        json.dumps({"format": 1, "date": "2020-01-01", "origin": "x", "advisories": [old]})
    )
    export = tmp_path / "export"
    export.mkdir()
    package = {"ecosystem": "PyPI", "name": "Qiskit"}
    events = [
        {"introduced": "0"},
        {"fixed": "1.1"},
        {"introduced": "2.0"},
        {"last_affected": "2.1"},
    ]
    known = {
        "id": "PYSEC-9",
        "aliases": ["GHSA-1"],
        "summary": "their words",
        "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
    }
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    other = {
        "id": "GHSA-2",
        "aliases": ["CVE-2"],
        "details": "x " * 300,
        "severity": [{"type": "CVSS_V3", "score": vector}],
        "affected": [{"package": {**package, "name": "cirq"}, "versions": ["1.0"]}],
    }
    gone = {**other, "id": "GHSA-3", "aliases": [], "withdrawn": "2021"}
    for record in (known, other, gone):
        (export / f"{record['id']}.json").write_text(json.dumps(record))
    (export / "broken.json").write_text("{")
    main = runpy.run_path(str(TOOL))["main"]
    arguments = [str(export), "--table", str(table), "--date", "2026-01-01", "--package", "cirq"]
    assert main([*arguments, "--check"]) == 1
    assert main(arguments) == 0
    assert main([*arguments, "--check"]) == 0
    renewed = read_table(table.read_text())
    assert renewed.date == "2026-01-01"
    (qiskit,), (cirq,) = renewed.advisories["qiskit"], renewed.advisories["cirq"]
    assert (qiskit.id, qiskit.summary, qiskit.severity) == ("CVE-1", "our words", "high")
    assert qiskit.affected == ("<1.1", ">=2.0,<=2.1")
    assert qiskit.aliases == ("GHSA-1", "PYSEC-9")
    assert (cirq.id, cirq.severity, cirq.affected) == ("CVE-2", "critical", ("==1.0",))
    assert len(cirq.summary) <= 160
    assert main([str(tmp_path / "none")]) == 4
