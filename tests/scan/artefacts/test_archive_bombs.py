"""QSA903: archives that grow, nest or lead elsewhere; and what hides in them."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import artefact_files as make
import pytest

from bezoar.scan.artefacts import archives, limits, zip_table
from bezoar.scan.rules.qsa901_dangerous_pickle import RULE as DANGEROUS
from bezoar.scan.rules.qsa903_archive_bomb import RULE as BOMB
from bezoar.scan.rules.qsa907_malformed_model_file import RULE as MALFORMED
from bezoar.scan.rules.qsa908_unreadable_artefact import RULE as UNREADABLE


def growing_zip(mib: int) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("weights", "w") as member,
    ):
        for _ in range(mib):
            member.write(bytes(limits.MIB))
    return made.getvalue()


def nested_zip(depth: int) -> bytes:
    content = b"inside"
    for level in range(depth):
        content = make.zip_of({f"level{level}.zip" if level else "file": content})
    return content


def overlapping_zip() -> bytes:
    """Many entries of the table that all name the same bytes."""
    content = make.zip_of({"a": bytes(2000)})
    table, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[table:end]
    many = entry * 40
    tail = bytearray(content[end:])
    tail[8:10] = tail[10:12] = (40).to_bytes(2, "little")
    tail[12:16] = len(many).to_bytes(4, "little")
    return content[:table] + many + bytes(tail)


def packed_otherwise(content: bytes) -> bytes:
    """A ZIP archive that names a packing nobody knows."""
    table = content.index(b"PK\x01\x02")
    return content[: table + 10] + b"\x63\x00" + content[table + 12 :]


def linked_zip(target: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("folder/link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, target)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npz", make.zip_of({"../x.npy": b""}), "leads out"),
        ("a.zip", make.zip_of({"/etc/cron.d/x": b""}), "leads out"),
        ("a.zip", make.zip_of({"C:\\x.py": b""}), "leads out"),
        ("a.zip", linked_zip("../../etc/passwd"), "symbolic link"),
        ("a.zip", overlapping_zip(), "overlap"),
        ("a.zip", nested_zip(5), "archives lie in archives"),
        ("a.tar.gz", make.tar_of({"../x": b""}), "leads out"),
        ("a.tar.gz", make.tar_of({}, {"link": "/etc"}), "a link"),
        ("a.tgz", make.tar_of({}, {"folder/link": "../../etc"}), "a link"),
    ],
)
def test_bad_archives(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    (hit,) = make.findings(BOMB, file)
    assert hit.severity == "high"
    assert words in hit.message.lower()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", make.zip_of({"folder/..x/file": b"", "a..b": b""})),
        ("a.zip", make.zip_of({"folder/": b"", "folder/file": b"x"})),
        ("a.zip", linked_zip("../other/file")),
        ("a.zip", nested_zip(2)),
        ("a.tar.gz", make.tar_of({"a/b": b"x"}, {"a/link": "../c", "a/same": "b"})),
        ("zeros.npz", growing_zip(64)),
        ("empty.zip", make.zip_of({})),
    ],
)
def test_good_archives(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert not make.findings(BOMB, file)
    assert not make.findings(UNREADABLE, file)


def test_a_bomb_is_told_by_its_table(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(growing_zip(300))
    (hit,) = make.findings(BOMB, file)
    assert "unpack to 314572800" in hit.message


def test_a_packed_pickle_can_be_a_bomb(tmp_path: Path) -> None:
    file = tmp_path / "a.pkl.gz"
    machine = zlib.compressobj(9, wbits=31)
    with file.open("wb") as handle:
        handle.write(machine.compress(b"\x80\x04\x8e" + (400 * limits.MIB).to_bytes(8, "little")))
        for _ in range(300):
            handle.write(machine.compress(bytes(limits.MIB)))
        handle.write(machine.flush())
    (hit,) = make.findings(BOMB, file)
    assert hit.severity == "high"


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_table, "ARCHIVE_MEMBERS", 3)
    monkeypatch.setattr(archives, "ARCHIVE_MEMBERS", 3)
    members = {str(number): b"" for number in range(4)}
    for name, content in (("a.zip", make.zip_of(members)), ("a.tgz", make.tar_of(members))):
        (tmp_path / name).write_bytes(content)
        (hit,) = make.findings(BOMB, tmp_path / name)
        assert "members" in hit.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tar.gz", make.tar_of({"model.pkl": make.runs_command()})),
        ("a.zip", make.zip_of({"inner.zip": make.zip_of({"a.pkl": make.runs_command()})})),
        ("a.zip", make.zip_of({"params": make.runs_command()}, zipfile.ZIP_BZIP2)),
        ("a.zip", make.zip_of({"params": make.runs_command()}, zipfile.ZIP_LZMA)),
        ("a.npz", make.zip_of({"x.pkl": make.runs_command()}, zipfile.ZIP_DEFLATED)),
        ("a.pt", make.zip_of({"a/b/data.pkl": make.runs_command()})),
    ],
)
def test_pickles_in_archives_are_followed(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    (hit,) = make.findings(DANGEROUS, file)
    assert "member" in hit.message


def test_numbers_of_tensors_are_no_pickles(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(make.zip_of({"net/data/0": make.runs_command()}))
    assert not make.findings(DANGEROUS, file)


def test_members_that_readers_see_differently(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x04N.")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("net/data.pkl", make.runs_command())
    file.write_bytes(made.getvalue())
    (hit,) = make.findings(MALFORMED, file)
    assert "twice" in hit.message
    assert make.findings(DANGEROUS, file)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", make.zip_of({"a": b"x" * 100})[:-10]),
        ("a.npz", b"PK\x03\x04" + bytes(200)),
        ("a.pt", packed_otherwise(make.zip_of({"net/data.pkl": b"\x80\x04N."}))),
        ("a.tar.gz", make.tar_of({"a": bytes(5000)})[:-40]),
        ("a.tgz", gzip.compress(b"no tar at all" * 100)),
        ("a.joblib", b"\x04\x22\x4d\x18" + bytes(20)),
        ("a.pkl.gz", gzip.compress(b"\x80\x04N" * 50)[:20]),
    ],
)
def test_what_cannot_be_read_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    (hit,) = make.findings(UNREADABLE, file)
    assert hit.severity == "medium"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pkl", b"\x80\x04N."),
        ("a.pkl", b"\x80\x04N.\r\n"),
        ("a.npz", make.zip_of({"x.npy": make.npy_with("{}")})),
        ("a.pkl.gz", gzip.compress(b"\x80\x04N.")),
    ],
)
def test_what_can_be_read_is_not(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert not make.findings(UNREADABLE, file)
