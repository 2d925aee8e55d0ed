"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pytest

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder, write_text, write_whole


def test_writes_and_replaces_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    assert write_text(path, "eins") == path
    write_text(str(path), "zwei, größer")
    assert path.read_text(encoding="utf-8") == "zwei, größer"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_is_as_readable_as_any_file_of_this_user(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "whole", "x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), FileProblem("x", "y")])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = write_text(tmp_path / "file", "old")

    def fail(handle: IO[bytes]) -> None:
        handle.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_whole(path, fail)
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def fill(handle: IO[bytes]) -> None:
        raise OSError(28, os.strerror(28))

    with pytest.raises(FileProblem, match=r"No space left on device.*free space"):
        write_whole(tmp_path / "file", fill)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_folder_in_the_files_place_and_a_file_in_the_folders(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="is a folder"):
        write_text(tmp_path, "x")
    write_text(tmp_path / "file", "x")
    with pytest.raises(FileProblem, match="cannot be made as a folder"):
        write_text(tmp_path / "file" / "inner", "x")
    with pytest.raises(FileProblem, match="cannot be made as a folder"):
        make_folder(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_refuses_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileProblem, match="cannot be written"):
        write_text(tmp_path / "file", "x")
