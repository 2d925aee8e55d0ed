"""Findings that are known: what stays known when lines move, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scan_projects import PICKLE, scanned, told, write

from bezoar.contracts.errors import FileProblem
from bezoar.scan.baseline import read_baseline, write_baseline

LOAD = "model = pickle.load(open('model.pkl', 'rb'))\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two findings of one text, and its baseline."""
    folder = write(tmp_path / "project", {"a.py": PICKLE + LOAD, "b.py": PICKLE})
    write_baseline(tmp_path / "known.json", scanned(folder, select=("QSA201",)).findings)
    return folder


def new(folder: Path) -> list[tuple[str, str, int]]:
    """What a scan with the baseline tells."""
    return told(scanned(folder, select=("QSA201",), baseline=str(folder.parent / "known.json")))


def test_what_is_known_is_not_told(project: Path) -> None:
    assert new(project) == []
    record = scanned(project, select=("QSA201",), baseline=str(project.parent / "known.json"))
    assert [each.by for each in record.suppressed] == ["baseline"] * 3


def test_lines_that_moved_and_spaces_stay_known(project: Path) -> None:
    write(project, {"a.py": "# more\n\n" + PICKLE + "if x:\n    " + LOAD.replace(" = ", "  =  ")})
    assert new(project) == []


def test_one_more_of_the_same_is_new(project: Path) -> None:
    write(project, {"a.py": PICKLE + LOAD + LOAD})
    assert new(project) == [("QSA201", "a.py", 4)]


def test_another_line_or_file_is_new(project: Path) -> None:
    write(project, {"b.py": PICKLE.replace("model", "other"), "c.py": PICKLE})
    assert new(project) == [("QSA201", "b.py", 2), ("QSA201", "c.py", 2)]


def test_it_is_sorted_and_whole(project: Path) -> None:
    text = (project.parent / "known.json").read_text()
    rows = json.loads(text)["findings"]
    assert [(row["path"], row["count"]) for row in rows] == [("a.py", 2), ("b.py", 1)]
    assert text.count("\n") == 4
    assert sum(read_baseline(project.parent / "known.json").values()) == 3


def test_an_empty_one(tmp_path: Path) -> None:
    write_baseline(tmp_path / "none.json", [])
    assert not read_baseline(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"kind": "scan-baseline", "format_version": 9, "findings": []}', "\xff"],
)
def test_what_is_no_baseline(tmp_path: Path, text: str) -> None:
    (tmp_path / "known.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileProblem, match="is not a baseline"):
        read_baseline(tmp_path / "known.json")
    with pytest.raises(FileProblem, match="cannot be read"):
        scanned(tmp_path, baseline=str(tmp_path / "missing.json"))


def test_fingerprints_stay_when_lines_move(tmp_path: Path) -> None:
    one = scanned(write(tmp_path / "one", {"a.py": PICKLE + LOAD})).findings
    two = scanned(write(tmp_path / "two", {"a.py": "# more\n" + PICKLE + LOAD})).findings
    assert [each.fingerprint for each in one] == [each.fingerprint for each in two]
    assert len({each.fingerprint for each in one}) == len(one)
    assert all(len(each.fingerprint) == 32 for each in one)
