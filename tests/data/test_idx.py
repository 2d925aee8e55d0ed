import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.errors import BezoarWarning, FileProblem, InvalidArgument
from bezoar.contracts.seeds import generator
from bezoar.data import load
from bezoar.data.idx import find_idx, mnist, mnist_4, read_idx, read_images

CODES = {">u1": 0x08, ">i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}

shared_data = [
    pytest.mark.shared_data,
    pytest.mark.skipif("BEZOAR_DATA" not in os.environ, reason="BEZOAR_DATA is not set"),
]


def idx_bytes(array: np.ndarray, kind: str = ">u1") -> bytes:
    header = struct.pack(">HBB", 0, CODES[kind], array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(kind).tobytes()


@pytest.fixture
def folder(tmp_path):
    """A folder laid out as torchvision's, with 40 small images of 10 classes, one file gzipped."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.arange(40 * 6).reshape(40, 2, 3) % 256
    (raw / "train-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.arange(40) % 10)))
    return tmp_path


@settings(deadline=None)  # files
@given(data=st.data(), packed=st.booleans())
def test_any_idx_file_reads_back(tmp_path_factory, data, packed):
    kind = data.draw(st.sampled_from(list(CODES)))
    shape = data.draw(hnp.array_shapes(max_dims=4, max_side=4))
    array = data.draw(hnp.arrays(np.dtype(kind), shape))
    path = tmp_path_factory.mktemp("idx") / "file"
    content = idx_bytes(array, kind)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert np.array_equal(read_idx(path), array, equal_nan=kind.startswith(">f"))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 3, 7, 12, 30])
def test_truncated_idx_is_named_and_refused(tmp_path, cut, packed):
    path = tmp_path / "images"
    content = idx_bytes(np.arange(20).reshape(5, 2, 2))
    path.write_bytes(gzip.compress(content[:cut]) if packed else content[:cut])
    with pytest.raises(FileProblem, match=r"images: is (cut short|empty|not an idx)"):
        read_idx(path)


def test_damaged_idx_is_refused(tmp_path):
    good = idx_bytes(np.arange(4))
    packed = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, 5000)))
    for content, words in [
        (good + b"\0", "holds more than the 4 bytes"),
        (b"\x80\x04" + good, "wrong magic number"),
        (b"\0\0\x07" + good[3:], "wrong magic number"),
        (b"\0\0\x08\0", "wrong magic number"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "cut short|beyond memory"),
        (packed[:-100], "damaged or cut short"),
        (packed[:2000] + b"\0\0\0\0" + packed[2004:], "damaged or cut short"),
    ]:
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(FileProblem, match=words):
            read_idx(path)
    for path in (tmp_path, tmp_path / "absent", Path("nul\0")):
        with pytest.raises(FileProblem, match="cannot be read"):
            read_idx(path)


def test_images_and_labels_must_belong_together(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    names = ("a", "b")
    for pixels, digits, words in [
        (np.zeros((3, 2, 2)), np.zeros(2), "3 labels, one for each image"),
        (np.zeros((3, 2)), np.zeros(3), "8-bit images"),
        (np.zeros((0, 2, 2)), np.zeros(0), "8-bit images"),
        (np.zeros((3, 2, 2)), np.full(3, 7), "labels from 0 to 1, got 7"),
    ]:
        images.write_bytes(idx_bytes(pixels))
        labels.write_bytes(idx_bytes(digits))
        with pytest.raises(FileProblem, match=words):
            read_images(images, labels, class_names=names, rng=np.random.default_rng(0))


def test_kept_classes_are_recoded_in_the_order_asked(folder):
    data = read_images(
        find_idx("MNIST", "train-images-idx3-ubyte", folder=folder),
        find_idx("MNIST", "train-labels-idx1-ubyte", folder=folder),
        class_names="abcdefghij",
        keep=[7, 2],
        rng=np.random.default_rng(0),
    )
    assert data.class_names == ("h", "c")
    assert data.ids.tolist() == [2, 7, 12, 17, 22, 27, 32, 37]
    assert data.labels.tolist() == [1, 0] * 4
    assert data.features.shape == (8, 1, 2, 3)
    # Bytes over 255; float64 division is exact to the last bit on both sides.
    assert np.array_equal(data.features[1].ravel(), np.arange(42, 48) / 255)


def test_other_files_under_the_name_of_mnist_are_read_with_a_warning(folder, monkeypatch):
    monkeypatch.setenv("BEZOAR_DATA", str(folder))
    with pytest.warns(BezoarWarning, match="is not the official file"):
        data = mnist_4(n_samples=8)
    assert data.class_names == ("0", "1", "2", "3")
    assert data.counts().tolist() == [2, 2, 2, 2]
    assert (data.ids % 10 == data.labels).all()
    with pytest.warns(BezoarWarning), pytest.raises(InvalidArgument, match="n_samples"):
        mnist_4(n_samples=17)


def test_absent_mnist_names_the_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    with pytest.raises(FileProblem, match=r"BEZOAR_DATA is not set.*MNIST/raw/train-images"):
        mnist_4()
    monkeypatch.setenv("BEZOAR_DATA", str(tmp_path))
    with pytest.raises(FileProblem, match=r"does not exist.*BEZOAR_DATA"):
        load("mnist-4")
    with pytest.raises(FileProblem, match=r"does not exist.*let folder name"):
        mnist(tmp_path)


class TestOnTheRealMnist:
    pytestmark = shared_data

    def test_mnist_4_is_a_fixed_draw_of_the_official_file(self):
        data = mnist_4()
        assert data.features.shape == (1000, 1, 28, 28)
        assert (data.features.min(), data.features.max()) == (0, 1)
        # The digits 0 to 3 occur 5923, 6742, 5958 and 6131 times in the train file.
        assert data.counts().tolist() == [239, 272, 241, 248]
        assert np.array_equal(load("mnist-4", n_samples=1000).ids, data.ids)
        assert not np.array_equal(mnist_4(seed=1).ids, data.ids)
        assert len(mnist_4(n_samples=None)) == 24_754

    def test_ids_are_positions_in_the_file(self):
        test = mnist(train=False)
        assert len(test) == 10_000
        assert np.array_equal(test.ids, np.arange(10_000))
        assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]

    def test_classes_are_chosen_before_samples_are_counted(self):
        data = load("mnist-4", classes=["3", "1"], n_samples=500)
        assert len(data) == 500
        assert data.class_names == ("3", "1")

    def test_autoencoder_keeps_the_classes_apart(self):
        from bezoar.data import make_reducer, split

        parts = split(mnist_4(), rng=generator(0, "split"))
        reducer = make_reducer("autoencoder", 8).fit(parts.train.features, seed=0)
        train = reducer.transform(parts.train.features)
        test = reducer.transform(parts.test.features)
        nearest = np.linalg.norm(test[:, None] - train[None], axis=2).argmin(axis=1)
        accuracy = (parts.train.labels[nearest] == parts.test.labels).mean()
        # 0.95 to 0.96 over four seeds, 0.97 to 0.98 in pixel space; 0.25 would be chance.
        assert accuracy > 0.92
