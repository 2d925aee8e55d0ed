"""What other tools found is merged, once."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from scan_projects import scanned, write

from bezoar.contracts.errors import FileProblem
from bezoar.scan.imported import read_sarif

APP = """\
import pickle
import subprocess
password = "hunter2hunter2"
model = pickle.load(open("model.pkl", "rb"))
subprocess.call("ls", shell=True)
"""


def result(rule: str, line: int, text: str = "told", **more: Any) -> dict[str, Any]:
    """A result as bandit writes it, with a path relative to where it ran."""
    region = {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 5}
    where = {"artifactLocation": {"uri": "app.py"}, "region": region}
    return {
        "ruleId": rule,
        "level": "warning",
        "message": {"text": text},
        "locations": [{"physicalLocation": where}],
    } | more


def sarif(folder: Path, *results: dict[str, Any], tool: str = "Bandit", **driver: Any) -> str:
    """A file with such results."""
    run = {"tool": {"driver": {"name": tool} | driver}, "results": list(results)}
    file = folder / f"{tool}.sarif"
    file.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    return str(file)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one finding of ours."""
    return write(tmp_path / "project", {"app.py": APP})


def told(folder: Path, *files: str, **options: Any) -> list[tuple[str, str, int]]:
    """Tool, rule and line of each finding."""
    record = scanned(folder, import_sarif=files, **{"select": ("QSA201",)} | options)
    return [(each.tool, each.rule, each.place.line) for each in record.findings]


def test_what_ruff_itself_writes(project: Path, tmp_path: Path) -> None:
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    done = subprocess.run(
        [ruff, "check", "--isolated", "--no-cache", "--output-format=sarif", "--select=S", "."],
        cwd=project,
        capture_output=True,
        check=False,
    )
    (tmp_path / "ruff.sarif").write_bytes(done.stdout)
    assert told(project, str(tmp_path / "ruff.sarif")) == [
        ("ruff", "S105", 3),
        ("bezoar", "QSA201", 4),
        ("ruff", "S602", 5),
        ("ruff", "S607", 5),
    ]
    record = scanned(project, import_sarif=(str(tmp_path / "ruff.sarif"),))
    assert {each.severity for each in record.findings if each.tool == "ruff"} == {"medium"}


def test_what_bandit_writes_holds_no_password(project: Path, tmp_path: Path) -> None:
    file = sarif(
        tmp_path,
        result("B301", 4, "Pickle and modules that wrap it can be unsafe"),
        result("B105", 3, "Possible hardcoded password: 'hunter2hunter2'"),
        result("B602", 5, level="error"),
    )
    record = scanned(project, select=("QSA201",), import_sarif=(file,))
    assert [(each.rule, each.severity) for each in record.findings] == [
        ("B105", "medium"),
        ("QSA201", "high"),
        ("B602", "high"),
    ]
    assert record.findings[0].message == "Possible hardcoded password: 'hunt**********'"


def test_ruff_and_bandit_say_the_same_once(project: Path, tmp_path: Path) -> None:
    one = sarif(tmp_path, result("B602", 5))
    two = sarif(tmp_path, result("S602", 5), result("S603", 5), tool="ruff")
    assert told(project, one, two) == [
        ("bezoar", "QSA201", 4),
        ("Bandit", "B602", 5),
        ("ruff", "S603", 5),
    ]


def test_the_same_weakness_on_the_same_line_is_ours(project: Path, tmp_path: Path) -> None:
    rules = [{"id": "X1", "properties": {"tags": ["external/cwe/cwe-502"]}}]
    file = sarif(tmp_path, result("X1", 4), result("X1", 5), tool="other", rules=rules)
    assert told(project, file) == [("bezoar", "QSA201", 4), ("other", "X1", 5)]


def test_a_suppressed_finding_of_ours_silences_the_same_of_others(
    project: Path, tmp_path: Path
) -> None:
    line = 'model = pickle.load(open("model.pkl", "rb"))'
    text = APP.replace(line, f"{line}  # qsa: ignore[QSA201] reason=ours")
    write(project, {"app.py": text})
    assert told(project, sarif(tmp_path, result("B301", 4))) == []


def test_severity_and_baseline_hold_for_imported_ones(project: Path, tmp_path: Path) -> None:
    file = sarif(tmp_path, result("B602", 5, level="note"), result("B603", 5, level="error"))
    assert told(project, file, severity="high") == [("bezoar", "QSA201", 4), ("Bandit", "B603", 5)]
    assert told(project, file, per_file_ignores={"app.py": ("B6", "QSA")}) == []


def test_absolute_addresses_and_suppressed_results(project: Path, tmp_path: Path) -> None:
    one = result("B602", 5)
    address = (project / "app.py").as_uri()
    one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = address
    two = result("B603", 5, suppressions=[{"kind": "inSource"}])
    (finding,) = read_sarif(sarif(tmp_path, one, two), project)
    assert finding.place.path == "app.py"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"runs": 5}',
        '{"runs": [5]}',
        '{"runs": [{"results": [5]}]}',
        "[" * 99999,
        '{"runs": [{"tool": {"driver": {}}, "results": [{"locations": [5]}]}]}',
    ],
    ids=range(9),
)
def test_what_is_no_sarif(tmp_path: Path, text: str) -> None:
    (tmp_path / "no.sarif").write_text(text)
    with pytest.raises(FileProblem, match="is not SARIF"):
        read_sarif(tmp_path / "no.sarif", tmp_path)


def test_a_file_that_is_not_there_costs_no_scan(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot be read as SARIF"):
        scanned(tmp_path, import_sarif=(str(tmp_path / "missing"),))
