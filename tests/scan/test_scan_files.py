"""Which files are examined, and what hostile or broken ones do to a scan."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scan_projects import PICKLE, scanned, told, write

from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.scan import workload
from bezoar.scan.files import read_text
from bezoar.scan.scanner import scan
from bezoar.scan.settings import ScanSettings

QUIET = ScanSettings(cache=False, jobs=1)


def test_other_peoples_folders_are_left_out(tmp_path: Path) -> None:
    folders = (".git", ".venv", "node_modules", "__pycache__", "build", "site-packages")
    write(tmp_path, {f"{name}/a.py": PICKLE for name in folders} | {"own/a.py": PICKLE})
    assert told(scanned(tmp_path)) == [("QSA201", "own/a.py", 2)]


def test_a_folder_or_file_that_is_named_is_examined(tmp_path: Path) -> None:
    write(tmp_path, {"build/a.py": PICKLE, "venv/deep/b.py": PICKLE})
    assert told(scan([tmp_path / "build"], QUIET, root=tmp_path)) == [("QSA201", "build/a.py", 2)]
    file = tmp_path / "venv" / "deep" / "b.py"
    assert told(scan([file], QUIET, root=tmp_path)) == [("QSA201", "venv/deep/b.py", 2)]


@pytest.mark.parametrize(
    "pattern", ["gen", "gen/", "./gen", "gen/*", "gen/**", "*/c.py", "g?n", "gen/deep/c.py", "c.py"]
)
def test_excluded_patterns(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, {"gen/deep/c.py": PICKLE, "own/b.py": PICKLE})
    assert told(scanned(tmp_path, exclude=(pattern,))) == [("QSA201", "own/b.py", 2)]


def test_a_file_is_examined_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": PICKLE})
    (tmp_path / "link.py").symlink_to("a.py")
    (tmp_path / "hard.py").hardlink_to(tmp_path / "a.py")
    record = scan([tmp_path, tmp_path / "a.py", tmp_path], QUIET, root=tmp_path)
    assert record.n_files == 1
    assert told(record) == [("QSA201", "a.py", 2)]


def test_links_that_lead_nowhere_or_in_circles(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": PICKLE, "deep/b.py": PICKLE})
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "self.py").symlink_to("self.py")
    (tmp_path / "one.py").symlink_to("two.py")
    (tmp_path / "two.py").symlink_to("one.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    record = scanned(tmp_path)
    assert told(record) == [("QSA201", "a.py", 2), ("QSA201", "deep/b.py", 2)]
    assert [each.path for each in record.skipped] == ["gone.py", "one.py", "self.py", "two.py"]
    assert all("cannot be opened" in each.reason for each in record.skipped)


def test_a_link_to_a_folder_that_is_named_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {"real/a.py": PICKLE})
    (tmp_path / "link").symlink_to("real")
    record = scan([tmp_path / "link"], QUIET, root=tmp_path)
    assert told(record) == [("QSA201", "link/a.py", 2)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": PICKLE})
    os.mkfifo(tmp_path / "x.py")
    record = scanned(tmp_path)
    assert record.n_files == 1
    assert [(each.path, each.reason) for each in record.skipped] == [("x.py", "is no regular file")]


@pytest.mark.parametrize(
    ("name", "data", "n"),
    [
        ("latin.py", "# caf\xe9\n".encode("latin-1") + PICKLE.encode(), 3),
        ("coding.py", "# coding: latin-1\n# caf\xe9\n".encode("latin-1") + PICKLE.encode(), 4),
        ("vim.py", b"# vim: set fileencoding=cp1252 :\n" + PICKLE.encode(), 3),
        ("powershell.py", ("\ufeff" + PICKLE).encode("utf-16-le"), 2),
        ("big.py", ("\ufeff" + PICKLE).encode("utf-16-be"), 2),
        ("bom.py", b"\xef\xbb\xbf" + PICKLE.encode(), 2),
        ("crlf.py", PICKLE.replace("\n", "\r\n").encode(), 2),
        ("cr.py", PICKLE.replace("\n", "\r").encode(), 2),
        ("feed.py", b"\x0c\n" + PICKLE.replace("\n", "\n\x0c", 1).encode(), 3),
        ("separator.py", "x = 'a\u2028b'\n".encode() + PICKLE.encode(), 3),
        ("escape.py", b"x = '\\d'\n" + PICKLE.encode(), 3),
        ("end.py", PICKLE.rstrip().encode(), 2),
        ("tabs.py", b"if 1:\n\timport pickle\n\tpickle.load(f)\n", 3),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_encodings_and_line_ends(tmp_path: Path, name: str, data: bytes, n: int) -> None:
    write(tmp_path, {name: data})
    record = scanned(tmp_path, select=("QSA201", "QSA0"))
    assert told(record) == [("QSA201", name, n)]
    (finding,) = record.findings
    assert "pickle.load" in finding.code[finding.place.line - finding.code_line]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"def broken(:\n", "not valid Python"),
        (b"print 'two'\n", "not valid Python"),
        (b"\x7fELF\x00\x00\x01" + b"\x00" * 99, "is binary"),
        (b"x = 1\n\x00", "is binary"),
        (b"x = 1\n" * 900 + b"\x00", "not valid Python"),
        (b"# coding: no-such-code\n", "'no-such-code', which is not known"),
        (b"# coding: ascii\nx = '\xff'\n", "not text in ascii"),
        (b"\xff\xfe\x00", "not text in utf-16"),
        (b"x = (\n" * 3, "not valid Python"),
        (b"(" * 2000 + b")" * 2000, ""),
        (b"x = " + b"-" * 60000 + b"1\n", ""),
        (bytes(range(256)) * 20, ""),
        (b"\n".join(b" " * depth + b"if x:" for depth in range(150)), "not valid Python"),
        (b"x = " + b"9" * 10000, ""),
        (b"\xef\xbb\xbf\xff", ""),
    ],
)
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, data: bytes, reason: str) -> None:
    write(tmp_path, {"bad.py": data, "good.py": PICKLE})
    record = scanned(tmp_path)
    (bad,) = [finding for finding in record.findings if finding.place.path == "bad.py"]
    assert bad.rule == "QSA001"
    assert reason in bad.message
    assert ("QSA201", "good.py", 2) in told(record)


def test_a_syntax_error_is_told_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"bad.py": "x = 1\ny = 2\ndef broken(:\n    pass\n"})
    (finding,) = scanned(tmp_path).findings
    assert finding.place.line == 3
    assert finding.code[finding.place.line - finding.code_line] == "def broken(:"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# nothing\n",
        "x = " + "1 + " * 1_000 + "1\n",
        "x = '" + "a" * 1_000_000 + "'\n",
        "x = [" + "1, " * 100_000 + "]\n",
        "x = " + "[" * 80 + "]" * 80 + "\n",
        "".join(" " * depth + f"def f{depth}():\n" for depth in range(80)) + " " * 80 + "pass\n",
        "x.a" + ".b" * 300 + "\n",
        "x" + "()" * 300 + "\n",
        "if a:\n    pass\n" + "elif b:\n    pass\n" * 1_000,
        "x = 1\n" * 20_000,
        "".join(f"def f{n}(a):\n    return f{n + 1}(a)\n" for n in range(500)),
        "def f(a):\n    return f(f(f(a)))\nf(f(1))\n",
        "class A(A):\n    pass\nA().b()\n",
        "class A(B):\n    pass\nclass B(A):\n    pass\nA().c()\nB().x = A()\n",
        "import a as a\nfrom . import a\nfrom .... import b\nfrom a import *\n",
        "lambda: (yield)\n",
        "async def f():\n    async for a in b:\n        yield [c async for c in a]\n",
        "x = f'{a!r:>{width}} {b:{c}}'\n",
        (
            "match x:\n    case [1, *rest] | {'a': rest}:\n        pass\n"
            "    case A(b=c):\n        pass\n"
        ),
        "try:\n    pass\nexcept* E as e:\n    pass\n",
        "global x\nx = x\nx.x = x\nx[x] = x\ndel x, x.x, x[x]\n",
        "a = a.b = a.b[0] = a\nfor a.b in a: pass\nwith a as (b, c.d): pass\n",
        "(lambda *a, **k: a(*a, **k))(*x, **y)\n",
    ],
    ids=range(25),
)
def test_strange_but_valid_python(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"a.py": text})
    record = scanned(tmp_path)
    assert [each.message for each in record.findings if each.rule == "QSA001"] == []


def test_an_expression_of_ten_thousand_terms_stops_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = " + "1 + " * 10_000 + "1\n", "b.py": PICKLE})
    assert ("QSA201", "b.py", 2) in told(scanned(tmp_path))


def test_a_place_far_to_the_right_of_a_long_line(tmp_path: Path) -> None:
    filler = "x = 1; " * 15_000
    write(tmp_path, {"a.py": f"import pickle; {filler}pickle.load(f); {filler}\n"})
    record = scanned(tmp_path, select=("QSA201",))
    (finding,) = record.findings
    start = finding.place.column - finding.code_column
    assert finding.place.column == 16 + len(filler)
    assert finding.code[0][start:].startswith("pickle.load(f)")
    assert len(record.to_json()) < 20_000


def test_a_file_that_vanishes_or_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.py": PICKLE, "b.py": PICKLE, "c.py": PICKLE})
    real = workload.read_text

    def meanwhile(file: Path, limit: int) -> str:
        if file.name == "a.py":
            file.unlink(missing_ok=True)
        if file.name == "b.py":
            file.write_text("def (")
        return real(file, limit)

    monkeypatch.setattr(workload, "read_text", meanwhile)
    record = scanned(tmp_path)
    assert told(record) == [("QSA001", "a.py", 1), ("QSA001", "b.py", 1), ("QSA201", "c.py", 2)]
    assert "cannot be read" in record.findings[0].message


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": PICKLE, "b.py": PICKLE, "model.pt": b"x"})
    real = Path.open

    def refused(self: Path, *arguments: object, **more: object) -> object:
        if self.name in ("a.py", "model.pt"):
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refused)
    record = scanned(tmp_path)
    assert told(record) == [("QSA001", "a.py", 1), ("QSA201", "b.py", 2)]
    assert "Permission denied" in record.findings[0].message
    assert [(each.path, each.reason) for each in record.skipped] == [
        ("model.pt", "cannot be read: Permission denied")
    ]


def test_names_that_no_report_expects(tmp_path: Path) -> None:
    names = [
        "new\nline.py",
        "tab\there.py",
        "quote'\"<>&.py",
        "\u202egnp.py",
        "\U0001f40d.py",
        " .py",
    ]
    write(tmp_path, dict.fromkeys(names, PICKLE))
    (tmp_path / os.fsdecode(b"not-utf-8-\xff.py")).write_text(PICKLE)
    record = scanned(tmp_path)
    assert {each.place.path for each in record.findings} == {*names, "not-utf-8-\\udcff.py"}
    record.to_json().encode()


def test_what_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n" * 10)
    with pytest.raises(ValueError, match="larger than 0 MiB"):
        read_text(tmp_path / "a.py", 20)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot be scanned"):
        scan([tmp_path / "missing"], QUIET)
    with pytest.raises(InvalidArgument, match="paths"):
        scan([], QUIET)


def test_paths_are_told_relative_to_what_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"one/a.py": PICKLE, "two/b.py": PICKLE, "here/c.py": ""})
    monkeypatch.chdir(tmp_path / "here")
    record = scan(["../one", tmp_path / "two" / "b.py"], QUIET)
    assert record.root == str(tmp_path)
    assert [path for _, path, _ in told(record)] == ["one/a.py", "two/b.py"]
    monkeypatch.chdir(tmp_path)
    record = scan(["one/a.py"], QUIET)
    assert (record.root, [path for _, path, _ in told(record)]) == (str(tmp_path), ["one/a.py"])


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    record = scanned(tmp_path)
    assert (record.n_files, record.findings) == (0, ())
    assert "nothing was examined" in record.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("pyproject.toml", "[project\n", "cannot be parsed"),
        ("environment.yml", "a: [\n", "cannot be parsed"),
        ("setup.cfg", "no section\n", "cannot be parsed"),
        (".github/workflows/ci.yml", "jobs: {\n", "cannot be parsed"),
    ],
)
def test_a_manifest_that_cannot_be_parsed(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    write(tmp_path, {name: text})
    (finding,) = scanned(tmp_path, select=("QSA001",)).findings
    assert (finding.rule, finding.place.path) == ("QSA001", name)
    assert reason in finding.message


def test_a_folder_of_tests_that_is_named_itself_is_examined_as_code(tmp_path: Path) -> None:
    text = "from fastapi import FastAPI\nimport qiskit\napp = FastAPI()\n\n\n@app.post('/run')\n"
    text += "def run(n: int):\n    return qiskit.QuantumCircuit(n).depth()\n"
    write(tmp_path, {"tests/fixtures/app.py": text})
    settings = ScanSettings(select=("QSA801",), cache=False)
    assert not scan([tmp_path], settings, root=tmp_path).findings
    (finding,) = scan([tmp_path / "tests" / "fixtures"], settings, root=tmp_path).findings
    assert finding.place.path == "tests/fixtures/app.py"
