import hashlib
import http.server
import io
import os
import tarfile
import threading
from dataclasses import replace

import numpy as np
import pytest
from photo_files import lay, levels
from PIL import Image

from bezoar.contracts.errors import BezoarWarning, FileProblem, InvalidArgument, UnknownName
from bezoar.data.imagenette import IMAGENETTE, PhotoSet, Release
from bezoar.data.official import Archive

shared_data = [
    pytest.mark.shared_data,
    pytest.mark.skipif("BEZOAR_DATA" not in os.environ, reason="BEZOAR_DATA is not set"),
]

SMALL = PhotoSet(
    title="Small",
    classes=(("n00000002", "cat"), ("n00000001", "dog")),
    n_train=4,
    n_test=2,
    releases=(
        Release(collection="small-16", side=16),
        Release(collection="small-32", side=32),
    ),
)


def laid(folder, collection="small-16", n_train=2, n_test=1):
    for part, count in (("train", n_train), ("val", n_test)):
        lay(folder, {"n00000001": count, "n00000002": count}, f"{collection}/{part}")
    return folder


def test_codes_follow_the_published_order_of_classes(tmp_path):
    data = SMALL(size=8, folder=laid(tmp_path))
    assert data.class_names == SMALL.class_names == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.features.dtype == np.float32
    assert levels(data.features) == [0, 1, 0, 1]
    assert len(SMALL(size=8, train=False, folder=tmp_path)) == 2


def test_the_smallest_version_that_is_large_enough_is_read(tmp_path):
    laid(laid(tmp_path), "small-32")
    for size, wanted in ((8, "small-16"), (16, "small-16"), (17, "small-32"), (64, "small-32")):
        photos = SMALL.photos(size, folder=tmp_path)
        assert photos.paths[0].relative_to(tmp_path).parts[0] == wanted


def test_fewer_images_than_published_are_told(tmp_path):
    with pytest.warns(BezoarWarning, match="Small train: 2 of the official 4 images, used as they"):
        assert len(SMALL(size=8, folder=laid(tmp_path, n_train=1))) == 2


def test_more_images_than_published_are_refused(tmp_path):
    with pytest.raises(FileProblem, match="is not the published part: 6 images"):
        SMALL(size=8, folder=laid(tmp_path, n_train=3))


def test_a_missing_class_is_named(tmp_path):
    lay(tmp_path, {"n00000001": 1}, "small-16/train")
    with pytest.raises(FileProblem, match="n00000002: cannot be read"):
        SMALL(size=8, folder=tmp_path)


def test_absent_files_say_where_they_are_had(tmp_path):
    with pytest.raises(
        FileProblem, match=r"does not exist; let folder name .*imagenette2-160\.tgz"
    ):
        IMAGENETTE(folder=tmp_path)


@pytest.mark.parametrize("size", [0, 5000, "64"])
def test_a_size_that_is_none_is_refused(tmp_path, size):
    with pytest.raises(InvalidArgument, match="size"):
        SMALL(size=size, folder=laid(tmp_path))


def test_classes_and_draws(tmp_path):
    data = SMALL(size=8, classes=["dog", "cat"], n_samples=2, seed=1, folder=laid(tmp_path))
    assert data.class_names == ("dog", "cat")
    assert data.labels.tolist() == [1, 0]
    with pytest.raises(UnknownName, match="class"):
        SMALL(size=8, classes=["dog", "owl"], folder=tmp_path)


def archive(extra: dict[str, bytes] | None = None) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (16, 16), (7, 7, 7)).save(picture, format="JPEG")
    files = {
        f"small-16/{part}/{wnid}/x_{k}.JPEG": picture.getvalue()
        for part, count in (("train", 2), ("val", 1))
        for wnid in ("n00000001", "n00000002")
        for k in range(count)
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in {**files, **(extra or {})}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("small-16/train/n00000001/link.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../../outside"
        tar.addfile(link)
    return packed.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Makes a set whose archive is served on the loopback interface, with an empty cache."""
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    servers = []

    def serve(content: bytes) -> PhotoSet:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        source = Archive(
            url=f"http://127.0.0.1:{server.server_port}/small-16.tgz",
            known_hash=f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
            inside="small-16",
        )
        return replace(SMALL, releases=(replace(SMALL.releases[0], source=source),))

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_download_is_unpacked_whole_and_used_again(tmp_path, served):
    evil = {
        "../outside.JPEG": b"x",
        "small-16/train/../../../up.JPEG": b"x",
        "small-16/run.py": b"x",
    }
    small = served(archive(evil))
    assert len(small(size=8)) == 4
    root = tmp_path / "cache" / "datasets"
    assert sorted(p.name for p in root.iterdir()) == ["small-16"]
    found = sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())
    assert len(found) == 6
    assert all(name.endswith(".JPEG") and "link" not in name for name in found)
    assert not list(tmp_path.glob("*.JPEG"))
    offline = replace(small.releases[0], source=replace(small.releases[0].source, url="http://x"))
    assert len(replace(small, releases=(offline,))(size=8)) == 4


def test_another_archive_than_the_published_one_leaves_nothing(tmp_path, served):
    small = served(archive())
    source = replace(small.releases[0].source, known_hash="md5:" + "0" * 32)
    with pytest.raises(FileProblem, match="sent another file than the published one"):
        replace(small, releases=(replace(small.releases[0], source=source),))(size=8)
    for content in (b"no archive", archive()[:-400]):
        with pytest.raises(FileProblem, match="is not the archive that was wanted"):
            served(content)(size=8)
    assert not list((tmp_path / "cache" / "datasets").iterdir())


@pytest.mark.parametrize("train", [pytest.param(part, marks=shared_data) for part in (True, False)])
def test_the_real_photographs(train):
    told = BezoarWarning if len(_shared(train)) < (9469 if train else 3925) else None
    if told is None:
        data = IMAGENETTE(train=train, n_samples=20)
    else:
        with pytest.warns(told, match="of the official"):
            data = IMAGENETTE(train=train, n_samples=20)
    assert data.features.shape == (20, 3, 64, 64)
    assert data.counts().tolist() == [2] * 10
    # Real photographs fill the range.
    assert data.features.min() < 0.05
    assert data.features.max() > 0.95


def _shared(train):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BezoarWarning)
        return IMAGENETTE.photos(train=train)
