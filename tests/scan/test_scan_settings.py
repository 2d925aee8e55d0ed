"""Options of a scan and the table that says them."""

from __future__ import annotations

from pathlib import Path

import pytest
from scan_projects import PICKLE, scanned, told, write

from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.scan.settings import ScanSettings, read_settings, settings_near


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"selct": ["QSA1"]}, "did you mean 'select'"),
        ({"select": 5}, "select: wanted a list of texts, got 5"),
        ({"select": [5]}, "select: wanted a list of texts"),
        ({"severity": "hihg"}, "did you mean 'high'"),
        ({"severity": 5}, "severity: wanted a text"),
        ({"jobs": -1}, "jobs: wanted an integer of 0 or more"),
        ({"jobs": "two"}, "jobs: wanted an integer"),
        ({"jobs": True}, "jobs: wanted an integer"),
        ({"cache": "yes"}, "cache: wanted true or false"),
        ({"per-file-ignores": ["a"]}, "per-file-ignores: wanted a table"),
        ({"per-file-ignores": {"a": 5}}, "per-file-ignores.a: wanted a list"),
        ({"baseline": ["x"]}, "baseline: wanted a text"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^[^\n]*$") as caught:
        ScanSettings.from_settings(given, source="pyproject.toml")
    assert words in str(caught.value)
    assert caught.value.exit_code == 4


def test_the_forms_of_lists() -> None:
    one = ScanSettings.from_settings({"select": "QSA1, QSA2,"}, source="")
    two = ScanSettings.from_settings({"select": ["QSA1", "QSA2"]}, source="")
    assert one.select == two.select == ("QSA1", "QSA2")
    assert one.but(jobs=3).jobs == 3


def test_the_nearest_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": "[tool.bezoar.scan]\nselect = ['QSA1']\n",
            "one/pyproject.toml": "[project]\nname = 'one'\n",
            "one/deep/a.py": "",
            "two/pyproject.toml": "[tool.bezoar.scan]\njobs = 1\n",
            "two/a.py": "",
            "three/.git/HEAD": "",
            "three/a.py": "",
        },
    )
    top = tmp_path / "pyproject.toml"
    assert settings_near(tmp_path / "one" / "deep" / "a.py") == ({"select": ["QSA1"]}, top)
    assert settings_near(tmp_path / "one" / "missing") == ({"select": ["QSA1"]}, top)
    assert settings_near(tmp_path / "two")[0] == {"jobs": 1}
    assert settings_near(tmp_path / "three" / "a.py") == ({}, None)


@pytest.mark.parametrize("text", ["[tool", "[tool.bezoar]\nscan = 5\n", "\xff"])
def test_a_table_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileProblem, match=r"pyproject\.toml"):
        read_settings(tmp_path / "pyproject.toml")


@pytest.mark.parametrize(
    "text", ["", "tool = 5\n", "[tool]\nbezoar = 5\n", "[tool.bezoar]\nx = 1\n"]
)
def test_a_file_without_the_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert read_settings(tmp_path / "pyproject.toml") is None


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({"select": ("QSA201",)}, {"QSA201"}),
        ({"select": ("qsa2",)}, {"QSA201"}),
        ({"select": ("QSA201", "QSA507"), "ignore": ("QSA2",)}, set()),
        ({"select": ("QSA1",)}, set()),
        ({"ignore": ("QSA201",)}, set()),
        ({"severity": "high"}, {"QSA201"}),
        ({"severity": "critical"}, set()),
        ({"per_file_ignores": {"*.py": ("QSA201",)}}, set()),
        ({"per_file_ignores": {"other/*": ("QSA201",)}}, {"QSA201"}),
    ],
)
def test_which_rules_are_told(tmp_path: Path, options: dict[str, object], rules: set[str]) -> None:
    record = scanned(write(tmp_path, {"a.py": PICKLE}), **options)
    assert {rule for rule, _, _ in told(record)} == rules


@pytest.mark.parametrize("option", ["select", "ignore"])
@pytest.mark.parametrize("entry", ["QSA999", "", "E501"])
def test_a_rule_that_does_not_exist(tmp_path: Path, option: str, entry: str) -> None:
    with pytest.raises(InvalidArgument, match="ids of rules"):
        scanned(tmp_path, **{option: (entry,)})


def test_the_record_says_which_rules_were_asked(tmp_path: Path) -> None:
    record = scanned(write(tmp_path, {"a.py": "x = 1\n"}), select=("QSA20",))
    assert [rule.id for rule in record.rules] == [f"QSA20{number}" for number in range(1, 7)]
    assert record.rule("QSA201") is not None
    assert record.rule("S301") is None
    with pytest.raises(UnknownName):
        ScanSettings(severity="none")  # type: ignore[arg-type]
