"""The cache changes how long a scan takes and nothing else, whatever becomes of its file."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from scan_projects import PICKLE, notebook, scanned, told, write

from bezoar.contracts.code_findings import ScanRecord
from bezoar.scan import examination, workload
from bezoar.scan.cache import Cache, key_of
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.examination import Examined, examine_code
from bezoar.scan.examples import filled
from bezoar.scan.packing import HoldsSecret, packed, unpacked
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rules.qsa201_pickle import RULE

FILES = {
    "a.py": PICKLE,
    "store.py": "import os\nLIMIT = 4\nNOTHING = None\n\n\ndef read(path, *, deep=False):\n"
    "    return open(path).read()\n\n\nclass Store:\n    size: float = 1.5\n\n"
    "    def get(self, name):\n        return {'a': b'x', 'b': ...}[name]\n",
    "app.py": "from flask import Flask, request\nfrom store import Store, read\n"
    "app = Flask(__name__)\n\n\n@app.route('/a')\ndef run():\n"
    "    return eval(read(request.args['path']))\n",
    "n.ipynb": notebook(PICKLE, "def (", "x = 1  # qsa: ignore[QSA201]"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a bit of everything."""
    return write(tmp_path / "project", FILES)


def same(one: ScanRecord, two: ScanRecord) -> bool:
    """Whether two scans say the same, but for when."""
    neither = {"started": "", "wall_seconds": 0.0, "command": ""}
    return dataclasses.replace(one, **neither) == dataclasses.replace(two, **neither)


def cache_file(folder: Path) -> Path:
    """The one file of a cache."""
    (file,) = folder.rglob("*.sqlite")
    return file


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of code that is really examined."""
    paths: list[str] = []

    def spied(path: str, *arguments: object, **more: object) -> Examined:
        paths.append(path)
        return examination.examine_code(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(workload, "examine_code", spied)
    return paths


def test_the_same_with_and_without(project: Path, own_cache: Path, examined: list[str]) -> None:
    without = scanned(project)
    assert without.findings
    assert not list(own_cache.iterdir())
    first = scanned(project, cache=True)
    examined.clear()
    second = scanned(project, cache=True)
    assert examined == []
    assert same(without, first)
    assert same(first, second)


def test_a_changed_file_is_examined_again(
    project: Path, own_cache: Path, examined: list[str]
) -> None:
    scanned(project, cache=True)
    examined.clear()
    write(project, {"a.py": PICKLE + "pickle.load(g)\n"})
    record = scanned(project, cache=True)
    assert set(examined) == {"a.py"}
    assert ("QSA201", "a.py", 3) in told(record)
    assert cache_file(own_cache).is_file()


def test_what_depends_on_a_changed_file_is_examined_again(
    project: Path, examined: list[str]
) -> None:
    before = scanned(project, cache=True)
    examined.clear()
    write(project, {"store.py": FILES["store.py"].replace("open(path).read()", "'1'")})
    after = scanned(project, cache=True)
    assert "app.py" in examined
    assert same(after, scanned(project))
    assert before.findings != after.findings


def test_other_rules_are_other_results(project: Path) -> None:
    scanned(project, cache=True, select=("QSA1",))
    assert same(scanned(project, cache=True, select=("QSA2",)), scanned(project, select=("QSA2",)))


def test_a_scanner_that_changed_forgets(
    project: Path, examined: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned(project, cache=True)
    examined.clear()
    monkeypatch.setattr(workload, "_state_of_code", lambda _: (("rule.py", 1, 2),))
    scanned(project, cache=True)
    assert set(examined) == {"a.py", "app.py", "n.ipynb", "store.py"}


@pytest.mark.parametrize(
    "damage", [b"", b"not a database", b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_damaged_file_is_no_failure(project: Path, own_cache: Path, damage: bytes) -> None:
    scanned(project, cache=True)
    cache_file(own_cache).write_bytes(damage)
    for other in own_cache.rglob("*.sqlite-*"):
        other.unlink()
    assert same(scanned(project, cache=True), scanned(project))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"~": "Examined", "v": {}}', '{"~": "os"}'])
def test_damaged_entries_are_not_believed(project: Path, own_cache: Path, text: str) -> None:
    scanned(project, cache=True)
    database = sqlite3.connect(cache_file(own_cache))
    database.execute("UPDATE results SET text = ?", (text,))
    database.commit()
    database.close()
    assert same(scanned(project, cache=True), scanned(project))


def test_a_file_of_other_tables(project: Path, own_cache: Path) -> None:
    scanned(project, cache=True)
    file = cache_file(own_cache)
    file.unlink()
    for other in own_cache.rglob("*.sqlite-*"):
        other.unlink()
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE results (other TEXT)")
    database.commit()
    database.close()
    assert same(scanned(project, cache=True), scanned(project))


def test_a_folder_that_cannot_be_written(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert same(scanned(project, cache=True), scanned(project))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    assert same(scanned(project, cache=True), scanned(project))


def test_a_database_that_may_only_be_read(
    project: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned(project, cache=True)
    file = cache_file(own_cache)
    real = sqlite3.connect

    def read_only(database: object, **more: object) -> sqlite3.Connection:
        return real(f"file:{database}?mode=ro", uri=True, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", read_only)
    write(project, {"a.py": PICKLE * 2})
    assert same(scanned(project, cache=True), scanned(project))
    assert file.is_file()


def test_two_scans_at_once(project: Path, own_cache: Path) -> None:
    records: list[ScanRecord] = []
    cache = Cache(own_cache / "at-once.sqlite")
    results = [(key_of(number), Examined(path=f"{number}.py")) for number in range(200)]

    def work() -> None:
        mine = Cache(own_cache / "at-once.sqlite")
        for key, result in results:
            mine.put([(key, result)])
            known = mine.get(key)
            assert known is None or known.path == result.path
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get(key_of(7)) == Examined(path="7.py")
    cache.close()
    records += [scanned(project, cache=True), scanned(project)]
    assert same(*records)


def test_it_is_below_the_users_cache_folder(project: Path, own_cache: Path) -> None:
    scanned(project, cache=True)
    assert cache_file(own_cache).relative_to(own_cache) == Path("bezoar", "scan.sqlite")
    assert os.environ["XDG_CACHE_HOME"] == str(own_cache)


def test_packing_gives_back_what_it_was_given() -> None:
    text = FILES["store.py"] + PICKLE + "X = 1j\nY = float('inf')\nZ = 1e999\n"
    result = examine_code(
        "store.py",
        text,
        [RULE],
        project=ProjectFacts(),
        index=ModuleIndex(["store.py"]),
        knowledge=Knowledge(),
    )
    assert result.findings
    assert result.exports.constants
    again = unpacked(packed(result))
    assert packed(again) == packed(result)
    assert again.findings == result.findings
    assert again.references == result.references


def test_what_holds_a_token_is_not_packed() -> None:
    token = filled("{{ibm-token}}")
    for text in (f"KEY = '{token}'\n", f"def f():\n    return '{token}'\n", f"K = b'{token}'\n"):
        result = examine_code(
            "a.py",
            text,
            [],
            project=ProjectFacts(),
            index=ModuleIndex(["a.py"]),
            knowledge=Knowledge(),
        )
        with pytest.raises(HoldsSecret):
            packed(result)
