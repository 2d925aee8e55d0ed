"""``bezoar scan`` as a user runs it: exit codes, options, streams."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, Terminal, finished, python, refused, start

from bezoar.cli import slow_progress
from bezoar.contracts.code_findings import ScanRecord
from bezoar.contracts.progress import Progress
from bezoar.models import watching

PICKLE = "import pickle\nmodel = pickle.load(open('model.pkl', 'rb'))\n"
FORMATS = ("text", "concise", "json", "sarif", "gitlab", "junit", "html")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is not the user's, for children too."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The current folder, with one finding."""
    (tmp_path / "app.py").write_text(PICKLE)
    (tmp_path / "clean.py").write_text("x = 1\n")
    return tmp_path


def test_exit_codes(bezoar: Terminal, project: Path) -> None:
    (project / "empty").mkdir()
    assert bezoar("scan .").code == 1
    assert bezoar("scan clean.py").code == 0
    assert bezoar("scan empty").code == 3
    assert "cannot be scanned" in refused(bezoar("scan missing.py"), 2)
    assert "PATH: wanted files or folders" in refused(bezoar("scan"), 4)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scan . --format yaml", "format: wanted one of text, concise, json"),
        ("scan . --format jsn", "did you mean 'json'"),
        ("scan . --select QSA999", "ids of rules"),
        ("scan . --severity worst", "severity: wanted one of low"),
        ("scan . --jobs two", "invalid int value"),
        ("scan . --jobs -1", "jobs: wanted an integer"),
        ("scan . --diff HEAD", "diff: wanted a revision"),
        ("scan . --diff=--help", "diff: wanted a git revision"),
        ("scan . --explain QSA999", "explain: wanted one of"),
        ("scan . --colour mauve", "invalid choice"),
        ("scan . --no-such-option", "unrecognized"),
    ],
)
def test_what_is_asked_wrongly(
    bezoar: Terminal, project: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert words in refused(bezoar(line), 4)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scan . --baseline missing.json", "cannot be read as a baseline"),
        ("scan . --baseline app.py", "is not a baseline"),
        ("scan . --import-sarif missing.sarif", "cannot be read as SARIF"),
        ("scan . --import-sarif app.py", "is not SARIF"),
        ("scan . --config missing.toml", "cannot be read as TOML"),
        ("scan . --config empty.toml", "has no table"),
        ("scan . --format json --out app.py/report.json", "cannot be made as a folder"),
        ("scan . --out folder", "is a folder"),
        ("scan . --write-baseline folder", "is a folder"),
    ],
)
def test_what_cannot_be_done(bezoar: Terminal, project: Path, line: str, words: str) -> None:
    (project / "folder").mkdir()
    (project / "empty.toml").write_text("")
    assert words in refused(bezoar(line), 2)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_on_screen_and_in_a_file(bezoar: Terminal, project: Path, form: str) -> None:
    shown = subprocess.run(
        [sys.executable, COMMAND, "scan", ".", "--format", form, "--jobs", "1"],
        cwd=project,
        capture_output=True,
        check=False,
    )
    assert shown.returncode == 1, shown.stderr
    assert shown.stderr == b""
    assert b"QSA201" in shown.stdout
    assert bezoar(f"scan . --format {form} --out out/report").code == 1
    written = (project / "out" / "report").read_bytes()
    assert b"QSA201" in written
    if form in ("json", "sarif", "gitlab"):
        json.loads(written)


def test_the_record_repeats_its_command(bezoar: Terminal, project: Path) -> None:
    line = "scan app.py --select QSA2 --severity high --jobs 1 --no-cache --exclude 'a b'"
    assert bezoar(f"{line} --format json --out record.json").code == 1
    record = ScanRecord.from_json((project / "record.json").read_text())
    assert record.command == (
        "bezoar scan app.py --select QSA2 --severity high --exclude 'a b' --jobs 1 --no-cache"
    )
    assert record.root == str(project)


def test_settings_of_the_project(bezoar: Terminal, project: Path) -> None:
    table = "[tool.bezoar.scan]\nignore = ['QSA201']\nper-file-ignores = {'a*' = ['QSA5']}\n"
    (project / "pyproject.toml").write_text(table)
    assert bezoar("scan .").code == 0
    assert bezoar("scan . --ignore QSA1").code == 1
    (project / "pyproject.toml").write_text("[tool.bezoar.scan]\nignor = ['QSA201']\n")
    assert "did you mean 'ignore'" in refused(bezoar("scan ."), 4)
    (project / "pyproject.toml").write_text("[tool.bezoar\n")
    assert "cannot be read as TOML" in refused(bezoar("scan ."), 2)


def test_files_in_the_settings_are_beside_them(
    bezoar: Terminal, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "pyproject.toml").write_text("[tool.bezoar.scan]\nbaseline = 'known.json'\n")
    (project / "sub").mkdir()
    (project / "sub" / "b.py").write_text(PICKLE)
    monkeypatch.chdir(project / "sub")
    answer = bezoar("scan . --write-baseline ../known.json")
    assert answer.code == 0
    assert bezoar("scan .").code == 0


def test_a_baseline_is_written_anew_with_what_was_known(bezoar: Terminal, project: Path) -> None:
    assert bezoar("scan . --write-baseline known.json").code == 0
    first = (project / "known.json").read_bytes()
    assert bezoar("scan . --baseline known.json").code == 0
    assert bezoar("scan . --baseline known.json --write-baseline known.json").code == 0
    assert (project / "known.json").read_bytes() == first
    (project / "more.py").write_text(PICKLE)
    assert bezoar("scan . --baseline known.json").code == 1


def test_findings_of_other_tools(bezoar: Terminal, project: Path) -> None:
    where = {"artifactLocation": {"uri": "clean.py"}, "region": {"startLine": 1}}
    result = {
        "ruleId": "B101",
        "message": {"text": "told"},
        "locations": [{"physicalLocation": where}],
    }
    run = {"tool": {"driver": {"name": "Bandit"}}, "results": [result]}
    (project / "b.sarif").write_text(json.dumps({"runs": [run]}))
    line = "scan clean.py --import-sarif b.sarif --import-sarif b.sarif --format json --out r.json"
    assert bezoar(line).code == 1
    record = ScanRecord.from_json((project / "r.json").read_text())
    assert [(each.tool, each.rule) for each in record.findings] == [("Bandit", "B101")]


@pytest.mark.parametrize("rule", ["QSA103", "qsa201", "QSA001", "QSA003", "QSA901"])
def test_a_rule_is_explained(project: Path, rule: str) -> None:
    answer = finished(start("scan", "--explain", rule, folder=project))
    assert (answer.code, answer.error) == (0, "")
    assert rule.upper() in answer.out
    assert "CWE-" in answer.out


def test_names_and_code_that_no_terminal_likes(bezoar: Terminal, project: Path) -> None:
    (project / "new\nline\x1b[31m.py").write_text(PICKLE + "# \x1b]0;title\x07 \u202e\n")
    (project / os.fsdecode(b"\xff.py")).write_text(PICKLE)
    (project / "n.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": "\ud83d\n" + PICKLE}]})
    )
    for form in FORMATS:
        answer = bezoar(f"scan . --format {form} --out report")
        assert (answer.code, answer.error) == (1, "")
        text = (project / "report").read_text(encoding="utf-8")
        assert "\x1b" not in text
    shown = finished(start("scan", ".", folder=project, PYTHONIOENCODING="ascii"))
    assert (shown.code, shown.error) == (1, "")


def test_colours_only_where_they_are_wanted(project: Path) -> None:
    def shown(*words: str, **environment: str) -> str:
        return finished(start("scan", ".", *words, folder=project, **environment)).out

    assert "\x1b[" not in shown()
    assert "\x1b[" in shown("--colour", "always")
    assert "\x1b[" in shown("--color=always", NO_COLOR="1")


def test_a_reader_that_goes_away(project: Path) -> None:
    for number in range(60):
        (project / f"m{number}.py").write_text(PICKLE * 20)
    done = subprocess.run(
        ["sh", "-c", '"$0" "$1" scan . --jobs 1 | head -n 1', sys.executable, COMMAND],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_output_that_cannot_be_written(project: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" "$1" scan . > /dev/full', sys.executable, COMMAND],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    assert done.returncode == 2
    assert done.stderr == "bezoar: the system refused: [Errno 28] No space left on device\n"


def test_an_old_result_stays_when_the_new_one_fails(bezoar: Terminal, project: Path) -> None:
    (project / "report.json").write_text("old")
    refused(bezoar("scan missing --format json --out report.json"), 2)
    assert (project / "report.json").read_text() == "old"


_LOADED = """
import sys
from bezoar.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as error:
    code = error.code
heavy = ("torch numpy scipy sklearn pandas pyarrow jinja2 rich requests yaml packaging markupsafe"
    " multiprocessing concurrent.futures.process asyncio").split()
print(code, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def test_a_scan_loads_little(project: Path) -> None:
    answer = python(_LOADED, "scan", "app.py", folder=project)
    assert answer.error == "1 []\n"


def test_no_scan_loads_arrays(project: Path) -> None:
    (project / "requirements.txt").write_text("qiskit==0.45.0\n")
    (project / "environment.yml").write_text("dependencies: [python]\n")
    (project / "c.qasm").write_text('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\n')
    (project / "m.pkl").write_bytes(b"\x80\x04N.")
    (project / "m.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (project / "n.ipynb").write_text('{"cells": []}')
    told = [python(_LOADED, "scan", ".", f"--format={f}", folder=project).error for f in FORMATS]
    for error in told:
        code, _, loaded = error.strip().rpartition("\n")[2].partition(" ")
        assert code == "1", error
        for name in ("torch", "numpy", "scipy"):
            assert f"'{name}'" not in loaded


def test_the_users_cache_is_used_and_can_be_left_alone(project: Path, own_cache: Path) -> None:
    assert finished(start("scan", ".", "--no-cache", folder=project)).code == 1
    assert not list(own_cache.iterdir())
    assert finished(start("scan", ".", folder=project)).code == 1
    assert (own_cache / "bezoar" / "scan.sqlite").is_file()


def test_paths_that_begin_with_a_dash_or_are_elsewhere(project: Path, tmp_path: Path) -> None:
    (project / "-x.py").write_text(PICKLE)
    (project / "deep").mkdir()
    answer = finished(start("scan", "--", "-x.py", folder=project))
    assert answer.code == 1
    assert "-x.py:2" in answer.out
    answer = finished(start("scan", "../app.py", "../clean.py", folder=project / "deep"))
    assert answer.code == 1
    assert "app.py:2" in answer.out


def test_no_bar_for_a_short_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(watching, "watched", lambda **_: contextlib.nullcontext(remember(told)))
    for visible, patience, wanted in ((True, 99.0, []), (False, 0.0, []), (True, 0.0, [1, 2])):
        told.clear()
        monkeypatch.setattr(slow_progress, "_PATIENCE", patience)
        with slow_progress.slow_progress(visible) as progress:
            progress("files", 1, 2)
            progress("files", 2, 2)
        assert [done for _, done, _ in told] == wanted


def remember(told: list[tuple[str, int, int]]) -> Progress:
    """A progress that can be looked at."""

    def tell(task: str, done: int, total: int) -> None:
        told.append((task, done, total))

    return tell
