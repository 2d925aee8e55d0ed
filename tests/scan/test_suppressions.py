"""Comments that silence findings, and what is said about those comments."""

from __future__ import annotations

from pathlib import Path

import pytest
from scan_projects import notebook, scanned, told, write

from bezoar.contracts.code_findings import ScanRecord
from bezoar.scan.examples import filled

WHY = "reason=a file of this very test"
SELECT = ("QSA0", "QSA201", "QSA301")


def record_of(folder: Path, text: str, name: str = "a.py") -> ScanRecord:
    """The record of a project of one file."""
    return scanned(write(folder, {name: text}), select=SELECT)


@pytest.mark.parametrize(
    "text",
    [
        f"import pickle\npickle.load(f)  # qsa: ignore[QSA201] {WHY}\n",
        f"import pickle\n# qsa: ignore[QSA201] {WHY}\npickle.load(f)\n",
        f"import pickle\n# qsa: ignore[QSA201] {WHY}\n\n# more words\npickle.load(f)\n",
        f"# qsa: ignore-file[QSA201] {WHY}\nimport pickle\npickle.load(f)\npickle.load(g)\n",
        f"import pickle\npickle.load(f)\n# qsa: ignore-file[QSA201] {WHY}\n",
        "import pickle\npickle.load(f)  # QSA: Ignore[qsa201], reason: a file of this very test\n",
        f"import pickle\npickle.load(f)  # noqa: S301  # qsa: ignore[QSA201,QSA202] {WHY}\n",
        f"import pickle\npickle.load(f)  # qsa:ignore[QSA201 QSA202] {WHY}\n",
        f"import pickle\nx = '\x0c'\npickle.load(f)  # qsa: ignore[QSA201] {WHY}\n",
    ],
)
def test_a_comment_with_a_reason_silences(tmp_path: Path, text: str) -> None:
    record = record_of(tmp_path, text)
    assert "QSA201" not in {rule for rule, _, _ in told(record)}
    assert record.suppressed
    for each in record.suppressed:
        assert (each.by, each.reason) == ("comment", "a file of this very test")
        assert each.finding.rule == "QSA201"
        assert each.finding.fingerprint


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("import pickle\npickle.load(f)  # qsa: ignore[QSA201]\n", ["QSA002", "QSA201"]),
        ("import pickle\npickle.load(f)  # qsa: ignore[QSA201] reason=\n", ["QSA002", "QSA201"]),
        (f"import pickle\npickle.load(f)  # qsa: ignore {WHY}\n", ["QSA002", "QSA201"]),
        (f"import pickle\npickle.load(f)  # qsa: ignore[] {WHY}\n", ["QSA002", "QSA201"]),
        (f"x = 1  # qsa: ignore[QSA201] {WHY}\n", ["QSA003"]),
        (f"import pickle\npickle.load(f)  # qsa: ignore[QSA301] {WHY}\n", ["QSA003", "QSA201"]),
        (f"import pickle  # qsa: ignore[QSA201] {WHY}\npickle.load(f)\n", ["QSA003", "QSA201"]),
        (f"x = '# qsa: ignore[QSA201] {WHY}'\nimport pickle\npickle.load(f)\n", ["QSA201"]),
        (
            f'"""\n# qsa: ignore-file[QSA201] {WHY}\n"""\nimport pickle\npickle.load(f)\n',
            ["QSA201"],
        ),
        # Of a rule that was not asked nobody knows.
        (f"x = 1  # qsa: ignore[QSA103] {WHY}\n", []),
    ],
)
def test_comments_that_silence_nothing(tmp_path: Path, text: str, rules: list[str]) -> None:
    record = record_of(tmp_path, text)
    assert sorted(rule for rule, _, _ in told(record)) == rules
    assert record.suppressed == ()


def test_an_unused_comment_is_told_where_it_is(tmp_path: Path) -> None:
    (finding,) = record_of(tmp_path, f"x = 1\ny = 2  # qsa: ignore[QSA201] {WHY}\n").findings
    assert (finding.rule, finding.place.line, finding.place.column) == ("QSA003", 2, 8)
    assert "QSA201" in finding.message


def test_in_a_notebook(tmp_path: Path) -> None:
    text = notebook(
        "import pickle\npickle.load(f)",
        f"# qsa: ignore[QSA201] {WHY}\npickle.load(g)",
        f"pickle.load(h)  # qsa: ignore[QSA201] {WHY}",
        f"!ls  # qsa: ignore[QSA201] {WHY}\ny = 1  # qsa: ignore[QSA201] {WHY}",
    )
    record = record_of(tmp_path, text, "a.ipynb")
    assert told(record) == [("QSA201", "a.ipynb", 2), ("QSA003", "a.ipynb", 2)]
    assert [each.place.cell for each in record.findings] == [1, 4]
    assert [each.finding.place.cell for each in record.suppressed] == [2, 3]


def test_a_broken_cell_leaves_the_comments_of_the_others(tmp_path: Path) -> None:
    text = notebook(f"import pickle\npickle.load(f)  # qsa: ignore[QSA201] {WHY}", "def (")
    record = record_of(tmp_path, text, "a.ipynb")
    assert [rule for rule, _, _ in told(record)] == ["QSA001"]
    assert len(record.suppressed) == 1


def test_in_files_that_are_not_python(tmp_path: Path) -> None:
    text = f"ibm_token: {filled('{{ibm-token}}')}  # qsa: ignore[QSA301] {WHY}\n"
    record = record_of(tmp_path, text, "config.yml")
    assert told(record) == []
    assert [each.finding.rule for each in record.suppressed] == ["QSA301"]


def test_a_suppression_is_not_lost_with_the_severity(tmp_path: Path) -> None:
    text = f"import pickle\npickle.load(f)  # qsa: ignore[QSA201] {WHY}\n"
    record = scanned(write(tmp_path, {"a.py": text}), severity="critical")
    assert told(record) == []
