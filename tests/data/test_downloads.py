import gzip
import hashlib
import io
import os
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from bezoar.contracts.errors import FileProblem
from bezoar.data.cifar import CifarFiles
from bezoar.data.downloads import cache_folder, data_folder, downloaded
from bezoar.data.idx_files import IdxFiles
from bezoar.data.image_sets import ImageSet
from bezoar.data.official import Archive, OfficialFile

IMAGES = np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([0, 1, 1, 0, 1], np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    return header + array.tobytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Site:
    """A web server of this machine's own; tells what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                content = site.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if self.path in site.cut else content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # A proxy of the machine's must not see what is asked of the machine itself.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()
    yield site
    site.close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def small_set(site: Site, source: str | Archive | None = None) -> ImageSet:
    pair = []
    for name, array in (("images", IMAGES), ("labels", LABELS)):
        content = idx_bytes(array)
        packed = gzip.compress(content, mtime=0)
        site.files[f"/set/{name}.gz"] = packed
        pair.append(
            OfficialFile(
                name=name,
                n_items=len(array),
                sha256=sha256(content),
                packed_sha256=sha256(packed),
            )
        )
    files = IdxFiles(
        title="Small",
        collection="small",
        class_names=("a", "b"),
        train=(pair[0], pair[1]),
        test=(pair[0], pair[1]),
        source=source or f"{site.url}/set",
        size=(2, 3),
    )
    return ImageSet(files=files)


def test_folders_are_chosen_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("BEZOAR_DATA", "named")
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path))
    assert data_folder("mine").path == Path("mine")
    assert data_folder().path == Path("named")
    assert not data_folder().may_download
    monkeypatch.setenv("BEZOAR_DATA", "")
    assert data_folder().path == tmp_path / "datasets"
    assert data_folder().may_download
    monkeypatch.delenv("BEZOAR_CACHE")
    assert cache_folder().name == "bezoar"


def test_missing_files_are_fetched_once_and_told(site, cache):
    told: list[tuple[str, int, int]] = []
    images = small_set(site)

    def listen(task: str, done: int, total: int) -> None:
        told.append((task, done, total))

    data = images(progress=listen)
    assert data.labels.tolist() == LABELS.tolist()
    assert left_in(cache) == ["small/raw/images.gz", "small/raw/labels.gz"]
    assert site.asked == ["/set/images.gz", "/set/labels.gz"]
    assert ("download Small/images", len(site.files["/set/images.gz"])) in {
        (task, total) for task, _, total in told
    }
    assert all(0 < done <= total for _, done, total in told)
    images()
    assert len(site.asked) == 2


def test_only_our_cache_is_filled(site, tmp_path, monkeypatch):
    images = small_set(site)
    monkeypatch.setenv("BEZOAR_DATA", str(tmp_path))
    with pytest.raises(FileProblem, match="does not exist"):
        images()
    with pytest.raises(FileProblem, match="does not exist"):
        images(folder=tmp_path)
    assert not site.asked


def test_another_file_than_the_published_one_is_not_kept(site, cache):
    images = small_set(site)
    site.files["/set/images.gz"] += b"more"
    with pytest.raises(FileProblem, match="sent another file than the published one"):
        images()
    assert left_in(cache) == []


def test_an_interrupted_download_leaves_nothing(site, cache):
    images = small_set(site)
    site.cut.add("/set/images.gz")
    with pytest.raises(FileProblem, match=r"Small/images: is not in .*BEZOAR_DATA"):
        images()
    assert left_in(cache) == []

    def interrupt(task: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    site.cut.clear()
    with pytest.raises(KeyboardInterrupt):
        images(progress=interrupt)
    assert left_in(cache) == []
    assert list(cache.iterdir()) == []
    assert len(images()) == 5


def test_no_network_is_one_line_with_both_mends(site, cache):
    images = small_set(site)
    site.files.clear()
    with pytest.raises(FileProblem, match=r"could not be reached \(it answered 404\)"):
        images()
    nobody = small_set(site, "http://127.0.0.1:1/set")
    with pytest.raises(FileProblem) as told:
        nobody()
    message = str(told.value)
    assert message.startswith(f"Small/images: is not in {cache}, and http://127.0.0.1:1/set/images")
    assert "(no connection); connect to the network" in message
    assert "as X/small/raw/images.gz in a folder X, and let BEZOAR_DATA name X" in message
    assert "\n" not in message


def test_a_cache_that_cannot_be_written_is_told(site, tmp_path, monkeypatch):
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileProblem, match="cannot be made as a folder"):
        small_set(site)()
    if os.geteuid():
        (tmp_path / "shut").mkdir(mode=0o500)
        monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "shut"))
        with pytest.raises(FileProblem, match="folder"):
            small_set(site)()


def test_what_goes_wrong_while_moving_into_place_is_told(site, tmp_path):
    site.files["/file"] = b"content"

    def move() -> None:
        with downloaded(
            f"{site.url}/file",
            f"sha256:{sha256(b'content')}",
            title="Small",
            layout="file",
            folder=tmp_path,
        ) as file:
            file.replace(tmp_path / "absent" / "file")

    with pytest.raises(FileProblem, match=r"cannot take the download of Small.*BEZOAR_CACHE"):
        move()
    assert left_in(tmp_path) == []


def zipped(site: Site, members: dict[str, bytes]) -> Archive:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    site.files["/all.zip"] = target.getvalue()
    return Archive(
        url=f"{site.url}/all.zip",
        known_hash=f"md5:{hashlib.md5(target.getvalue()).hexdigest()}",  # noqa: S324
        inside="gzip",
        suffix=".gz",
    )


def test_of_a_zip_only_the_wanted_files_are_kept(site, cache):
    small_set(site)
    members = {f"gzip/{n}.gz": site.files[f"/set/{n}.gz"] for n in ("images", "labels")}
    images = small_set(site, zipped(site, members | {"gzip/other.gz": b"", "../../out": b"x"}))
    assert len(images()) == 5
    assert left_in(cache.parent.parent) == [
        "cache/datasets/small/raw/images.gz",
        "cache/datasets/small/raw/labels.gz",
    ]
    assert site.asked == ["/all.zip"]


def test_an_archive_without_the_files_is_refused(site, cache):
    images = small_set(site, zipped(site, {"gzip/images.gz": b""}))
    with pytest.raises(FileProblem, match="is not the archive that was wanted"):
        images()


@pytest.mark.parametrize("is_whole", [True, False])
def test_of_a_tar_only_the_wanted_files_are_kept(site, cache, is_whole):
    content = bytes([1]) + bytes(3072)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as packed:
        for name in ("bin/one.bin", "bin/readme.html", *(["bin/test.bin"] if is_whole else [])):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    site.files["/all.tar.gz"] = target.getvalue()

    def file(name: str) -> OfficialFile:
        return OfficialFile(name=name, n_items=1, sha256=sha256(content))

    photos = ImageSet(
        files=CifarFiles(
            title="Photos",
            collection="photos",
            class_names=("a", "b"),
            train=(file("one.bin"),),
            test=(file("test.bin"),),
            source=Archive(
                url=f"{site.url}/all.tar.gz",
                known_hash=f"sha256:{sha256(target.getvalue())}",
                inside="bin",
            ),
        )
    )
    if not is_whole:
        with pytest.raises(FileProblem, match="is not the archive that was wanted"):
            photos()
        return
    assert photos().features.shape == (1, 3, 32, 32)
    assert left_in(cache) == ["photos/one.bin", "photos/test.bin"]
