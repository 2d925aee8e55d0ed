from pathlib import Path

import numpy as np
import pytest

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
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.imagenette import PhotoSet

WITH_FILES = ImageSet | ImageSubset | PhotoSet


def test_every_registered_set_but_downloaded_ones_loads():
    for name in plugins.names("datasets"):
        if not isinstance(plugins.load("datasets", name), WITH_FILES):
            assert isinstance(load(name), Dataset)


def test_every_image_set_looks_in_the_folder_alone(tmp_path):
    for name in plugins.names("datasets"):
        if isinstance(plugins.load("datasets", name), WITH_FILES):
            with pytest.raises(FileProblem, match=r"does not exist.*let folder name the folder"):
                load(name, folder=tmp_path)


def test_a_file_may_share_the_name_of_a_registered_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("iris").write_text("a,label\n1,x\n2,y\n")
    assert len(load("iris")) == 150
    assert len(load("./iris")) == 2
    assert len(load(Path("iris"))) == 2
    with pytest.raises(InvalidArgument, match=r"label.*give \./iris"):
        load("iris", label="label")
    assert len(load("./iris", label="label")) == 2


def test_a_file_without_ending_in_the_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text("a,label\n1,x\n2,y\n")
    assert load("mine").class_names == ("x", "y")


@pytest.mark.parametrize("source", ["digit", "", "nowhere", "a\0b", "x" * 5000])
def test_neither_name_nor_file_lists_the_names(source):
    with pytest.raises(UnknownName, match=r"breast-cancer, .*iris, .*mnist-4, .*wine.*file"):
        load(source)


@pytest.mark.parametrize("source", ["absent.csv", "./digits", "folder/absent"])
def test_what_can_only_be_a_path_is_looked_for_as_a_file(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileProblem, match="does not exist"):
        load(source)


def test_classes_get_codes_in_the_order_asked_and_keep_their_ids():
    whole = load("digits")
    data = load("digits", classes=[8, "3"])
    assert data.class_names == ("8", "3")
    original = whole.take(data.ids)
    assert np.array_equal(original.features, data.features)
    assert np.array_equal(original.labels, np.array([8, 3])[data.labels])
    assert len(data) == whole.counts()[[3, 8]].sum()


@pytest.mark.parametrize("classes", [[], ["3"], ["3", "3"], "38"])
def test_fewer_than_two_classes_are_refused(classes):
    with pytest.raises(InvalidArgument, match="classes"):
        load("digits", classes=classes)


def test_an_unknown_class_lists_the_known():
    with pytest.raises(UnknownName, match=r"setosa, versicolor, virginica.*did you mean 'setosa'"):
        load("iris", classes=["setosas", "virginica"])


def test_n_samples_draws_the_same_proportional_samples_each_time():
    data = load("wine", n_samples=30)
    # 59, 71 and 48 of 178, as 30 of them: 9.94, 11.97 and 8.09.
    assert data.counts().tolist() == [10, 12, 8]
    assert np.array_equal(load("wine", n_samples=30).ids, data.ids)
    assert np.array_equal(load("wine", n_samples=178).ids, np.arange(178))


@pytest.mark.parametrize("n_samples", [0, 2, -5, 179, 2.5, True, "9"])
def test_impossible_n_samples_is_refused(n_samples):
    with pytest.raises(InvalidArgument, match="n_samples"):
        load("wine", n_samples=n_samples)


def test_a_file_takes_classes_and_n_samples_too(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,label\n" + "".join(f"{i},{'xyz'[i % 3]}\n" for i in range(30)))
    data = load(path, classes=["z", "x"], n_samples=10)
    assert data.counts().tolist() == [5, 5]
    assert all("zx"[label] == "xyz"[i % 3] for i, label in zip(data.ids, data.labels, strict=True))


def registered(monkeypatch, loader):
    monkeypatch.setattr(plugins, "names", lambda _: ("theirs",))
    monkeypatch.setattr(plugins, "load", lambda *_: loader)


def test_a_registered_set_is_told_the_size_if_it_asks(monkeypatch):
    asked = []

    def theirs(n_samples=4):
        asked.append(n_samples)
        n = 40 if n_samples is None else n_samples
        return Dataset(
            features=np.zeros((n, 1)),
            labels=np.arange(n) % 2,
            ids=np.arange(n),
            class_names=("a", "b"),
        )

    registered(monkeypatch, theirs)
    assert [len(load("theirs")), len(load("theirs", n_samples=8))] == [4, 8]
    assert len(load("theirs", classes=["b", "a"], n_samples=6)) == 6
    assert asked == [4, 8, None]


def test_a_registered_set_that_gives_something_else_is_named(monkeypatch):
    registered(monkeypatch, lambda: [1, 2])
    with pytest.raises(BezoarError, match="'theirs' gave a list"):
        load("theirs")


def test_errors_of_the_file_come_through(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,label\nred,x\n")
    with pytest.raises(InvalidData, match="'red'"):
        load(str(path))
