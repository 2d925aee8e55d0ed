import os
from pathlib import Path

import numpy as np
import pytest
from photo_files import lay, levels

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import (
    BezoarError,
    FileProblem,
    InvalidArgument,
    InvalidData,
    UnknownName,
)
from bezoar.data import load
from bezoar.data.embedded import digits, digits_rgb
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.images import has_test_part, load_images
from bezoar.data.pixels import Pixels

shared_data = [
    pytest.mark.shared_data,
    pytest.mark.skipif("BEZOAR_DATA" not in os.environ, reason="BEZOAR_DATA is not set"),
]

N = 12


class GreyFiles:
    """A published set of 12 grey images of 8 x 8 pixels, image k of level 20 k."""

    title = "Grey"
    class_names = ("a", "b", "c")

    def read(self, *, train=True, **_):
        grey = np.arange(N if train else 3) * 20
        images = np.broadcast_to(grey[:, None, None, None], (len(grey), 1, 8, 8))
        return Pixels(
            images=images.astype(np.uint8),
            labels=np.arange(len(grey)) % 3,
            class_names=self.class_names,
        )


def dataset(features, n=2, first=0):
    """`n` samples of the classes x and y in turn, under ids from `first` up."""
    return Dataset(
        features=features,
        labels=np.arange(n) % 2,
        ids=first + np.arange(n),
        class_names=("x", "y"),
    )


def coloured(*, size=8):
    """A plug-in that takes a size alone."""
    features = np.linspace(0, 1, 6).reshape(6, 1, 1, 1) * np.ones((6, 3, size, size))
    return dataset(features, 6, first=10)


@pytest.fixture
def register(monkeypatch):
    parts = {"digits": digits, "digits-rgb": digits_rgb, "grey": ImageSet(files=GreyFiles())}
    parts["grey-2"] = ImageSubset(pool=parts["grey"], classes=("c", "a"))
    parts["coloured"] = coloured
    monkeypatch.setattr(plugins, "names", lambda _: tuple(parts))
    monkeypatch.setattr(plugins, "load", lambda _, name: parts[name])
    return parts


def test_digits_need_no_file(register):
    data = load_images("digits-rgb", size=16, n_samples=100, seed=2)
    assert data.features.shape == (100, 3, 16, 16)
    assert data.features.dtype == np.float32
    everything = load_images("digits-rgb")
    assert everything.features.shape == (1797, 3, 32, 32)
    assert np.array_equal(everything.features, load("digits-rgb").features)
    assert np.array_equal(data.labels, everything.take(data.ids).labels)
    assert (
        load_images("digits-rgb", seed=2, size=16, n_samples=100).ids.tolist() == data.ids.tolist()
    )


def test_published_sets_become_colour_of_one_size(register):
    data = load_images("grey")
    assert data.features.shape == (N, 3, 8, 8)
    assert data.features.dtype == np.float32
    assert levels(data.features) == [20 * k for k in range(N)]
    larger = load_images("grey", size=20, part="test")
    assert larger.features.shape == (3, 3, 20, 20)
    assert levels(larger.features) == [0, 20, 40]
    drawn = load_images("grey", n_samples=6, seed=1)
    assert levels(drawn.features) == (20 * drawn.ids).tolist()


def test_a_subset_has_all_samples_of_its_classes(register):
    data = load_images("grey-2")
    assert data.class_names == ("c", "a")
    assert data.ids.tolist() == [0, 2, 3, 5, 6, 8, 9, 11]
    assert data.labels.tolist() == [1, 0] * 4
    assert len(load_images("grey-2", part="test")) == 2
    assert load_images("grey-2", classes=["a", "c"]).labels.tolist() == [0, 1] * 4
    with pytest.raises(UnknownName, match="class: wanted one of c, a, got 'b'"):
        load_images("grey-2", classes=["b", "c"])


def test_a_plug_in_that_takes_a_size_is_drawn_from(register):
    data = load_images("coloured", size=16, n_samples=4, classes=["y", "x"])
    assert data.features.shape == (4, 3, 16, 16)
    assert data.features.dtype == np.float32
    assert set(data.ids.tolist()) <= set(range(10, 16))
    assert data.class_names == ("y", "x")
    assert np.allclose(data.features[:, 0, 0, 0], (data.ids - 10) / 5, atol=1e-7)
    assert load_images("coloured").features.shape == (6, 3, 8, 8)


def test_a_plug_in_may_draw_by_itself(register):
    asked = {}

    def lazy(*, size=8, train=True, n_samples=None, classes=None, seed=0):
        asked.update(size=size, train=train, n_samples=n_samples, classes=classes, seed=seed)
        return coloured(size=size)

    register["lazy"] = lazy
    load_images("lazy", part="test", n_samples=3, classes=[0, 1], seed=5, size=9)
    assert asked == {
        "size": 9,
        "train": False,
        "n_samples": 3,
        "classes": ("0", "1"),
        "seed": 5,
    }


def test_a_plug_in_that_draws_by_default_is_asked_for_all(register):
    def few(*, size=8, n_samples=2):
        data = coloured(size=size)
        return data if n_samples is None else data.take(data.ids[:n_samples])

    register["few"] = few
    assert len(load_images("few")) == 6
    assert len(load_images("few", n_samples=4)) == 4


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.zeros((2, 9)), BezoarError, "'bad' gave no images"),
        (np.zeros((2, 2, 8, 8)), BezoarError, "'bad' gave no images"),
        (np.full((2, 1, 8, 8), 255.0), InvalidData, r"images: wanted values in \[0, 1\], got 255"),
        (None, BezoarError, "'bad' gave no images"),
    ],
)
def test_a_plug_in_that_gives_no_images_is_told(register, features, error, message):
    def bad(*, size=8):
        if features is None:
            return "images"
        return dataset(features)

    register["bad"] = bad
    with pytest.raises(error, match=message):
        load_images("bad")


def test_a_plug_in_that_ignores_the_size_is_scaled(register):
    def stubborn(*, size=8):
        rows = np.random.default_rng(0).random((2, 1, 8, 12))
        return dataset(rows)

    register["stubborn"] = stubborn
    assert load_images("stubborn", size=20).features.shape == (2, 3, 20, 20)
    assert load_images("stubborn").features.shape == (2, 3, 8, 8)


def test_a_folder_is_read_by_its_path(register, tmp_path, monkeypatch):
    lay(tmp_path, {"a": 2, "b": 1}, "mine/train")
    lay(tmp_path, {"a": 1, "b": 1}, "mine/val")
    monkeypatch.chdir(tmp_path)
    for source in ("mine", "./mine", Path("mine"), str(tmp_path / "mine")):
        assert load_images(source).features.shape == (3, 3, 64, 64)
        assert has_test_part(source)
    data = load_images("mine", size=8, part="test")
    assert data.features.shape == (2, 3, 8, 8)
    Path("grey").mkdir()
    assert len(load_images("grey")) == N
    with pytest.raises(FileProblem, match="grey"):
        load_images("./grey")


def test_which_sources_have_a_test_part(register, tmp_path):
    assert [has_test_part(name) for name in ("grey", "grey-2", "digits-rgb", "coloured")] == [
        True,
        True,
        False,
        False,
    ]
    assert not has_test_part(lay(tmp_path, {"a": 1, "b": 1}))
    with pytest.raises(InvalidArgument, match="part: wanted train, got test; split the train part"):
        load_images("digits-rgb", part="test")
    with pytest.raises(FileProblem, match="has no test part"):
        load_images(tmp_path, part="test")


@pytest.mark.parametrize("source", ["digit", "", "digits", "a\0b", "x" * 5000, 7, None])
def test_what_is_no_image_source_lists_the_names(register, source):
    for ask in (load_images, has_test_part):
        with pytest.raises(
            UnknownName, match="wanted one of digits-rgb, grey, grey-2, coloured, or the path"
        ):
            ask(source)


def test_a_path_that_is_not_there_is_named(register, tmp_path):
    for ask in (load_images, has_test_part):
        with pytest.raises(FileProblem, match="nowhere: does not exist"):
            ask(tmp_path / "nowhere")
        with pytest.raises(FileProblem, match="does not exist"):
            ask("./nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 3}, "size: wanted a whole number of pixels from 4 to 1024, got 3"),
        ({"size": 10**9}, "size"),
        ({"size": 32.0}, "size"),
        ({"part": "validation"}, "part: wanted one of train, test"),
        ({"seed": -1}, "seed"),
        ({"n_samples": 0}, "n_samples"),
        ({"n_samples": 2.5}, "n_samples"),
        ({"n_samples": N + 1}, "n_samples"),
        ({"classes": "ab"}, "classes: wanted a sequence of class names"),
        ({"classes": ["a"]}, "classes: wanted at least two different classes"),
        ({"classes": ["a", "a"]}, "classes: wanted at least two"),
        ({"classes": ["a", "z"]}, "class: wanted one of a, b, c"),
    ],
)
def test_values_out_of_range_are_refused(register, settings, message):
    with pytest.raises(InvalidArgument, match=message):
        load_images("grey", **settings)


def test_the_registered_names_are_those_of_the_package():
    assert has_test_part("cifar-10")
    assert has_test_part("imagenette")
    assert not has_test_part("digits-rgb")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=shared_data)
        for name in ("mnist", "fashion-mnist", "emnist-letters")
    ],
)
def test_real_sets_in_colour(name):
    data = load_images(name, size=32, n_samples=52, part="test")
    assert data.features.shape == (52, 3, 32, 32)
    flat = load(name, n_samples=26).features
    assert flat.shape[1:] == (1, 28, 28)
    assert data.features.max() > 0.9
