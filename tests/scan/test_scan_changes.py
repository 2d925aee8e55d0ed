"""Only what changed since a revision is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from scan_projects import PICKLE, scanned, told, write

from bezoar.contracts.errors import InvalidArgument
from bezoar.scan.changes import changed_lines

CALLS = "import pickle\na = pickle.load(f)\nb = pickle.load(g)\nc = pickle.load(h)\n"


def git(folder: Path, *words: str) -> None:
    """Runs git without the settings of whoever runs the tests."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(
        [
            "git",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
            *words,
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        env=clean | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = write(tmp_path / "repo", {"a.py": CALLS, "old.py": PICKLE, "sub/b.py": PICKLE})
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


def changed(folder: Path, revision: str = "HEAD") -> list[tuple[str, str, int]]:
    """What a scan of the changes tells."""
    return told(scanned(folder, diff=revision, select=("QSA201", "QSA001")))


def test_nothing_changed(repository: Path) -> None:
    assert changed(repository) == []
    record = scanned(repository, diff="HEAD")
    assert "only lines that changed since HEAD are told" in record.notes


def test_a_changed_line_alone(repository: Path) -> None:
    write(repository, {"a.py": CALLS.replace("g", "other")})
    assert changed(repository) == [("QSA201", "a.py", 3)]


def test_lines_that_only_moved_are_not_told(repository: Path) -> None:
    write(repository, {"a.py": CALLS.replace("\n", "\n# more\n", 1)})
    assert changed(repository) == []


@pytest.mark.parametrize("state", ["untracked", "staged", "committed"])
def test_a_new_file(repository: Path, state: str) -> None:
    write(repository, {"new.py": PICKLE})
    if state != "untracked":
        git(repository, "add", ".")
    if state == "committed":
        git(repository, "commit", "-m", "two")
    assert changed(repository, "HEAD~1" if state == "committed" else "HEAD") == [
        ("QSA201", "new.py", 2)
    ]


def test_a_renamed_file_is_not_new(repository: Path) -> None:
    git(repository, "mv", "old.py", "moved.py")
    assert changed(repository) == []


def test_a_deleted_file(repository: Path) -> None:
    (repository / "old.py").unlink()
    assert changed(repository) == []


def test_a_folder_below_the_top(repository: Path) -> None:
    write(repository, {"a.py": CALLS.replace("g", "other"), "sub/b.py": PICKLE + PICKLE})
    assert changed(repository / "sub") == [("QSA201", "b.py", 4)]


def test_through_a_link(repository: Path) -> None:
    write(repository, {"sub/b.py": PICKLE + PICKLE})
    link = repository.parent / "link"
    link.symlink_to(repository)
    assert changed(link / "sub") == [("QSA201", "b.py", 4)]


def test_a_file_that_broke_is_told_wherever_the_parser_stumbles(repository: Path) -> None:
    write(repository, {"a.py": CALLS.replace("pickle.load(f)", "pickle.load(f")})
    assert [rule for rule, _, _ in changed(repository)] == ["QSA001"]


@pytest.mark.parametrize(
    "name", ['quo"te.py', "tab\there.py", "büro.py", "with space.py", "new\nline.py"]
)
def test_names_that_git_writes_in_quotes(repository: Path, name: str) -> None:
    write(repository, {name: PICKLE})
    assert changed(repository) == [("QSA201", name, 2)]
    git(repository, "add", ".")
    git(repository, "commit", "-m", "two")
    write(repository, {name: PICKLE + "pickle.load(g)\n"})
    assert changed(repository) == [("QSA201", name, 3)]


def test_lines_that_look_like_headers_of_a_diff(repository: Path) -> None:
    text = "import pickle\nx = '''\n++ b/old.py\n-- a/old.py\n@@ -1 +1,9 @@\n'''\n"
    write(repository, {"a.py": text + "y = pickle.load(g)\n"})
    assert changed(repository) == [("QSA201", "a.py", 7)]


def test_the_users_own_settings_of_git_do_not_matter(repository: Path) -> None:
    settings = {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.relative": "true",
        "diff.external": "false",
        "diff.context": "9",
        "color.ui": "always",
        "diff.shout.textconv": "tr a-z A-Z <",
    }
    for name, value in settings.items():
        git(repository, "config", name, value)
    write(repository, {".gitattributes": "*.py diff=shout\n"})
    write(repository, {"a.py": CALLS.replace("g", "other"), "sub/b.py": PICKLE + PICKLE})
    assert changed(repository) == [("QSA201", "a.py", 3), ("QSA201", "sub/b.py", 4)]
    assert changed(repository / "sub") == [("QSA201", "b.py", 4)]


def test_a_flow_that_touches_a_changed_line_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.py": "import os\nx = os.environ['A']\n\neval(x)\n"})
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    write(folder, {"a.py": "import os\nx = os.environ['B']\n\neval(x)\n"})
    (finding,) = scanned(folder, diff="HEAD").findings
    assert finding.place.line == 4
    assert finding.flow[0].place.line == 2


@pytest.mark.parametrize(
    "revision", ["nonsense", "-x", "--output=/tmp/x", "HEAD:a.py", "HEAD..HEAD"]
)
def test_what_is_no_revision(repository: Path, revision: str) -> None:
    with pytest.raises(InvalidArgument, match="diff: wanted a"):
        changed_lines(repository, revision)


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InvalidArgument, match="repository"):
        changed_lines(tmp_path, "HEAD")


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidArgument, match="git to compare with"):
        changed_lines(tmp_path, "HEAD")
    write(tmp_path, {"a.py": PICKLE})
    assert scanned(tmp_path).commit == ""


def test_the_commit_of_the_record(repository: Path) -> None:
    clean = scanned(repository).commit
    assert len(clean) == 40
    write(repository, {"a.py": "x = 1\n"})
    assert scanned(repository).commit == f"{clean}-dirty"
