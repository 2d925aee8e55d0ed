import gzip
import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bezoar.contracts import plugins
from bezoar.contracts.errors import (
    BezoarWarning,
    FileProblem,
    InvalidArgument,
    InvalidData,
    UnknownName,
)
from bezoar.contracts.seeds import generator
from bezoar.data import image_sets, load
from bezoar.data.cifar import CifarFiles
from bezoar.data.idx_files import IdxFiles
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.official import Archive, OfficialFile

N = 40

shared_data = [
    pytest.mark.shared_data,
    pytest.mark.skipif("BEZOAR_DATA" not in os.environ, reason="BEZOAR_DATA is not set"),
]

IMAGES = (np.arange(N * 6).reshape(N, 2, 3) % 256).astype(np.uint8)
LABELS = (np.arange(N) % 10).astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    return header + array.tobytes()


def official(name: str, content: bytes, n_items: int = N) -> OfficialFile:
    return OfficialFile(
        name=name,
        n_items=n_items,
        sha256=hashlib.sha256(content).hexdigest(),
        packed_sha256=hashlib.sha256(packed(content)).hexdigest(),
    )


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def small_set(**changes: object) -> ImageSet:
    """A set of 40 images of 2 x 3 pixels in 10 classes, published on paper only."""
    pair = (official("images", idx_bytes(IMAGES)), official("labels", idx_bytes(LABELS)))
    files = IdxFiles(
        title="Small",
        collection="small",
        class_names=tuple("abcdefghij"),
        train=pair,
        test=pair,
        source="http://127.0.0.1:9",
        size=(2, 3),
    )
    return ImageSet(files=replace(files, **changes))


def lay(folder: Path, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> Path:
    raw = folder / "small" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "images").write_bytes(idx_bytes(images))
    (raw / "labels.gz").write_bytes(packed(idx_bytes(labels)))
    return folder


def test_kept_classes_are_recoded_in_the_order_asked(tmp_path):
    subset = ImageSubset(pool=small_set(), classes=("h", "c"))
    data = subset(n_samples=None, folder=lay(tmp_path))
    assert data.class_names == subset.class_names == ("h", "c")
    assert data.ids.tolist() == [2, 7, 12, 17, 22, 27, 32, 37]
    assert data.labels.tolist() == [1, 0] * 4
    assert data.features.shape == (8, 1, 2, 3)
    # Bytes over 255; float64 division is exact to the last bit on both sides.
    assert np.array_equal(data.features[1].ravel(), np.arange(42, 48) / 255)


def test_the_draw_is_that_of_the_seed_and_of_load(tmp_path, monkeypatch):
    subset = ImageSubset(pool=small_set(), classes=("a", "b"))
    folder = lay(tmp_path)
    draws = [subset(n_samples=4, folder=folder, seed=seed).ids.tolist() for seed in range(6)]
    assert draws[0] == subset(n_samples=4, folder=folder).ids.tolist()
    assert len(set(map(tuple, draws))) > 1
    monkeypatch.setattr(plugins, "names", lambda _: ("theirs",))
    monkeypatch.setattr(plugins, "load", lambda *_: subset)
    assert load("theirs", n_samples=4, folder=folder).ids.tolist() == draws[0]
    assert len(load("theirs", all_samples=True, folder=folder)) == 8
    assert len(load("theirs", all_samples=True, classes=["b", "a"], folder=folder)) == 8
    with pytest.raises(InvalidArgument, match="n_samples: wanted none, as all_samples is set"):
        load("theirs", n_samples=4, all_samples=True)
    with pytest.raises(InvalidArgument, match="n_samples"):
        load("theirs", folder=folder)  # 1000 of 8


def test_all_samples_of_what_draws_none_is_all(tmp_path):
    assert len(load("iris", all_samples=True, folder=tmp_path)) == 150


def test_transposed_images_stand_upright_and_labels_start_where_they_start(tmp_path):
    labels = LABELS % 3 + 1
    images = IMAGES.transpose(0, 2, 1)
    pair = (official("images", idx_bytes(images)), official("labels", idx_bytes(labels)))
    letters = small_set(train=pair, transposed=True, first_label=1, size=(3, 2))
    pixels = letters.pixels(folder=lay(tmp_path, images, labels))
    assert np.array_equal(pixels.images[:, 0], IMAGES)
    assert pixels.labels.tolist() == (LABELS % 3).tolist()
    assert pixels.images.flags.c_contiguous


def test_a_smaller_pair_is_used_as_what_it_is(tmp_path):
    with pytest.warns(
        BezoarWarning, match="Small train: 30 of the official 40 images, used as they are"
    ) as told:
        pixels = small_set().pixels(folder=lay(tmp_path, IMAGES[:30], LABELS[:30]))
    assert len(told) == 1
    assert len(pixels) == 30


@pytest.mark.parametrize("changed", ["images", "labels"])
def test_an_altered_file_is_named_and_refused(tmp_path, changed):
    arrays = {"images": IMAGES.copy(), "labels": LABELS.copy()}
    arrays[changed].flat[7] = 1
    with pytest.raises(FileProblem, match=f"{changed}.*: is altered: as long as Small train's"):
        small_set().pixels(folder=lay(tmp_path, **arrays))


def test_more_than_the_official_number_is_refused(tmp_path):
    twice = lay(tmp_path, np.tile(IMAGES, (2, 1, 1)), np.tile(LABELS, 2))
    with pytest.raises(FileProblem, match="is not the official file: 80 items, where Small train"):
        small_set().pixels(folder=twice)


def test_a_truncated_file_is_named_and_refused(tmp_path):
    lay(tmp_path)
    for name in ("images", "labels.gz"):
        path = tmp_path / "small" / "raw" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        with pytest.raises(FileProblem, match=rf"{name}: is (cut short|damaged)"):
            small_set().pixels(folder=tmp_path)
        path.write_bytes(whole)


def test_images_of_another_size_and_absent_classes_are_refused(tmp_path):
    with pytest.raises(FileProblem, match="wanted images of 2 x 3 pixels, got 3 x 2"):
        small_set().pixels(folder=lay(tmp_path, IMAGES.reshape(N, 3, 2)))
    lay(tmp_path, IMAGES[:2], LABELS[:2])
    with (
        pytest.warns(BezoarWarning),
        pytest.raises(InvalidData, match="classes c, d, got none among 2"),
    ):
        ImageSubset(pool=small_set(), classes=("c", "d"))(folder=tmp_path)
    with pytest.warns(BezoarWarning), pytest.raises(UnknownName, match="class: wanted one of a, b"):
        ImageSubset(pool=small_set(), classes=("c", "x"))(folder=tmp_path)


def test_without_an_unpacked_hash_the_gz_is_checked(tmp_path):
    pair = tuple(
        replace(official(name, idx_bytes(array)), sha256="")
        for name, array in (("images", IMAGES), ("labels", LABELS))
    )
    unhashed = small_set(train=pair)
    raw = lay(tmp_path) / "small" / "raw"
    with pytest.warns(BezoarWarning, match="images: used unchecked"):
        unhashed.pixels(folder=tmp_path)
    (raw / "images.gz").write_bytes(packed(idx_bytes(IMAGES)))
    unhashed.pixels(folder=tmp_path)
    (raw / "images.gz").write_bytes(packed(idx_bytes(IMAGES[::-1])))
    with pytest.raises(FileProblem, match=r"images\.gz: is altered"):
        unhashed.pixels(folder=tmp_path)


def test_absent_files_name_what_told_the_folder(tmp_path, monkeypatch):
    wanted = r"small/raw/images: does not exist.*let {} name the folder that holds small/raw/images"
    with pytest.raises(FileProblem, match=wanted.format("folder")):
        small_set()(folder=tmp_path)
    monkeypatch.setenv("BEZOAR_DATA", str(tmp_path))
    with pytest.raises(FileProblem, match=wanted.format("BEZOAR_DATA")):
        small_set()()
    assert not list(tmp_path.iterdir())


# CIFAR-10


def cifar_bytes(n: int, first: int = 0) -> bytes:
    return b"".join(bytes([(first + i) % 10]) + bytes([first + i]) * 3072 for i in range(n))


def cifar() -> ImageSet:
    files = CifarFiles(
        title="Photos",
        collection="bin",
        class_names=tuple("abcdefghij"),
        train=(
            official("one.bin", cifar_bytes(10), 10),
            official("two.bin", cifar_bytes(10, 10), 10),
        ),
        test=(official("test.bin", cifar_bytes(10, 20), 10),),
        source=Archive(url="http://127.0.0.1:9/a.tar.gz", known_hash="", inside="bin"),
    )
    return ImageSet(files=files)


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, first in (("one", 0), ("two", 10), ("test", 20)):
        (tmp_path / "bin" / f"{name}.bin").write_bytes(cifar_bytes(10, first))
    return tmp_path


def test_cifar_records_become_images_of_three_planes(photos):
    pixels = cifar().pixels(folder=photos)
    assert pixels.images.shape == (20, 3, 32, 32)
    assert pixels.images[13].max() == pixels.images[13].min() == 13
    assert pixels.labels.tolist() == [i % 10 for i in range(20)]
    assert cifar()(folder=photos, train=False).features.shape == (10, 3, 32, 32)


def test_cifar_files_are_checked(photos):
    two = photos / "bin" / "two.bin"
    for content, words in [
        (cifar_bytes(10, 11), "two.bin: is altered"),
        (cifar_bytes(11, 10), "two.bin: is not the official file: 11 items"),
        (cifar_bytes(10, 10)[:-1], "two.bin: is cut short: 30,729 bytes"),
        (b"", "two.bin: is empty"),
        (b"\xff" + bytes(3072), "holds the label 255"),
    ]:
        two.write_bytes(content)
        with pytest.raises(FileProblem, match=words):
            cifar().pixels(folder=photos)
    two.write_bytes(cifar_bytes(4, 10))
    with pytest.warns(BezoarWarning, match="Photos train: 14 of the official 20 images"):
        assert len(cifar().pixels(folder=photos)) == 14
    two.unlink()
    with pytest.raises(FileProblem, match=r"two\.bin: does not exist.*the pickled version is not"):
        cifar().pixels(folder=photos)


def test_a_cifar_subset_is_used_as_what_it_is(tmp_path):
    path = tmp_path / "cifar10" / "cifar10_subset.npz"
    path.parent.mkdir()
    images = np.arange(2 * 3072).reshape(2, 32, 32, 3).astype(np.uint8)
    good = {"x_train": images, "y_train": np.array([3, 1], np.uint8)}
    np.savez(path, **good)
    with pytest.warns(BezoarWarning, match="Photos train: 2 of the official 20 images"):
        pixels = cifar().pixels(folder=tmp_path)
    assert np.array_equal(pixels.images.transpose(0, 2, 3, 1), images)
    assert pixels.labels.tolist() == [3, 1]
    with pytest.raises(FileProblem, match="has no array 'x_test', but 'x_train', 'y_train'"):
        cifar().pixels(train=False, folder=tmp_path)
    for name, array in [
        ("x_train", images / 255),
        ("x_train", images[:, :16]),
        ("x_train", images[:0]),
        ("y_train", np.array([3], np.uint8)),
    ]:
        np.savez(path, allow_pickle=True, **(good | {name: array}))
        with pytest.raises(FileProblem, match="wanted 8-bit images"):
            cifar().pixels(folder=tmp_path)
    np.savez(path, allow_pickle=True, **(good | {"x_train": np.array([object()])}))
    with pytest.raises(FileProblem, match="never unpickles"):
        cifar().pixels(folder=tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileProblem, match="damaged"):
        cifar().pixels(folder=tmp_path)


def test_the_papers_subsets_have_their_classes():
    codes = {
        name: [subset.pool.class_names.index(label) for label in subset.classes]
        for name, subset in vars(image_sets).items()
        if isinstance(subset, ImageSubset)
    }
    assert codes == {
        "MNIST_4": [0, 1, 2, 3],
        "MNIST_10": list(range(10)),
        "FASHION_4": [6, 7, 8, 9],
        "KUZUSHIJI_4": [3, 5, 6, 9],
        # EMNIST counts its labels from 1.
        "LETTERS_4": [0, 1, 2, 3],
    }


class TestOnTheRealFiles:
    pytestmark = shared_data

    def test_mnist_4_is_a_fixed_draw_of_the_official_file(self):
        data = image_sets.MNIST_4()
        assert data.features.shape == (1000, 1, 28, 28)
        assert (data.features.min(), data.features.max()) == (0, 1)
        # The digits 0 to 3 occur 5923, 6742, 5958 and 6131 times in the train file.
        assert data.counts().tolist() == [239, 272, 241, 248]
        assert np.array_equal(load("mnist-4", n_samples=1000).ids, data.ids)
        assert not np.array_equal(image_sets.MNIST_4(seed=1).ids, data.ids)
        assert len(load("mnist-4", all_samples=True)) == 24_754

    def test_ids_are_positions_in_the_file(self):
        test = image_sets.MNIST(train=False)
        assert len(test) == 10_000
        assert np.array_equal(test.ids, np.arange(10_000))
        assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]

    def test_classes_are_chosen_before_samples_are_counted(self):
        data = load("mnist-4", classes=["3", "1"], n_samples=500)
        assert len(data) == 500
        assert data.class_names == ("3", "1")

    @pytest.mark.parametrize(
        ("images", "shape", "per_class"),
        [
            (image_sets.FASHION_MNIST, (10_000, 1, 28, 28), 1000),
            (image_sets.KUZUSHIJI_MNIST, (10_000, 1, 28, 28), 1000),
            (image_sets.EMNIST_LETTERS, (20_800, 1, 28, 28), 800),
        ],
    )
    def test_official_test_files_pass_their_checks(self, images, shape, per_class):
        pixels = images.pixels(train=False)
        assert pixels.images.shape == shape
        assert (np.bincount(pixels.labels) == per_class).all()

    def test_letters_stand_upright(self):
        pixels = image_sets.EMNIST_LETTERS.pixels(train=False)
        mean = pixels.images[:, 0].mean(axis=0, where=(pixels.labels == 11)[:, None, None])
        # An l is taller than wide.
        assert (mean.max(axis=1) > 60).sum() > (mean.max(axis=0) > 60).sum() + 5

    def test_the_train_files_that_are_whole_pass(self):
        for images in (image_sets.FASHION_MNIST, image_sets.EMNIST_LETTERS):
            assert len(images.pixels()) in (60_000, 124_800)

    def test_partial_sets_say_so(self):
        folder = Path(os.environ["BEZOAR_DATA"])
        if not (folder / "cifar10").is_dir():
            pytest.skip("the folder holds the whole of CIFAR-10, or none of it")
        with pytest.warns(BezoarWarning, match=r"CIFAR-10 test: 3,000 of the official 10,000"):
            pixels = image_sets.CIFAR_10.pixels(train=False)
        assert (np.bincount(pixels.labels) == 300).all()

    def test_autoencoder_keeps_the_classes_apart(self):
        from bezoar.data import make_reducer, split

        parts = split(image_sets.MNIST_4(), rng=generator(0, "split"))
        reducer = make_reducer("autoencoder", 8).fit(parts.train.features, seed=0)
        train = reducer.transform(parts.train.features)
        test = reducer.transform(parts.test.features)
        nearest = np.linalg.norm(test[:, None] - train[None], axis=2).argmin(axis=1)
        accuracy = (parts.train.labels[nearest] == parts.test.labels).mean()
        # 0.95 to 0.96 over four seeds, 0.97 to 0.98 in pixel space; 0.25 would be chance.
        assert accuracy > 0.92
