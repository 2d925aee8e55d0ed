import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.errors import FileProblem
from bezoar.data.idx import find_idx, idx_sha256, read_idx, read_images

CODES = {">u1": 0x08, ">i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx_bytes(array: np.ndarray, kind: str = ">u1") -> bytes:
    header = struct.pack(">HBB", 0, CODES[kind], array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(kind).tobytes()


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
    for pixels, digits, words in [
        (np.zeros((3, 2, 2)), np.zeros(2), "3 labels of 8 bits, one for each image"),
        (np.zeros((3, 2)), np.zeros(3), "8-bit images"),
        (np.zeros((0, 2, 2)), np.zeros(0), "8-bit images"),
        (np.zeros((3, 2, 2)), np.full(3, 7), "labels from 1 to 2, got 7"),
        (np.zeros((3, 2, 2)), np.zeros(3), "labels from 1 to 2, got 0"),
    ]:
        images.write_bytes(idx_bytes(pixels))
        labels.write_bytes(idx_bytes(digits))
        with pytest.raises(FileProblem, match=words):
            read_images(images, labels, n_labels=2, first_label=1)
    labels.write_bytes(idx_bytes(np.zeros(3), ">i2"))
    with pytest.raises(FileProblem, match="labels of 8 bits"):
        read_images(images, labels, n_labels=2)


def test_a_pair_reads_back(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels.gz"
    pixels = np.arange(12).reshape(3, 2, 2)
    images.write_bytes(idx_bytes(pixels))
    labels.write_bytes(gzip.compress(idx_bytes(np.array([0, 1, 1]))))
    found, marks = read_images(images, labels, n_labels=2)
    assert np.array_equal(found, pixels)
    assert marks.tolist() == [0, 1, 1]


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=4)))
def test_the_hash_is_that_of_the_plain_file(array):
    assert idx_sha256(array) == hashlib.sha256(idx_bytes(array)).hexdigest()


def test_either_form_of_a_file_is_found(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    assert find_idx(tmp_path, "MNIST", "file") is None
    packed = raw / "file.gz"
    packed.touch()
    assert find_idx(tmp_path, "MNIST", "file") == packed
    (raw / "file").touch()
    assert find_idx(tmp_path, "MNIST", "file") == raw / "file"
    assert find_idx(tmp_path, "MNIST", "file", packed_first=True) == packed
