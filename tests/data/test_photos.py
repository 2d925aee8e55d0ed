import os

import numpy as np
import pytest
from photo_files import lay, levels, save

from bezoar.contracts.errors import BezoarWarning, FileProblem, InvalidArgument, UnknownName
from bezoar.data import photos
from bezoar.data.photos import folder_photos, has_parts


def test_classes_and_files_come_in_a_stable_order(tmp_path):
    folder = lay(tmp_path, {"class 10": 2, "class 9": 3})
    found = folder_photos(folder)
    assert found.class_names == ("class 9", "class 10")
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert [path.name for path in found.paths] == [f"{k:03}.png" for k in (0, 1, 2, 0, 1)]
    data = found.dataset(size=8)
    assert data.features.shape == (5, 3, 8, 8)
    assert data.features.dtype == np.float32
    assert data.ids.tolist() == [0, 1, 2, 3, 4]
    assert levels(data.features) == [0, 1, 2, 0, 1]


def test_only_drawn_files_are_opened(tmp_path, monkeypatch):
    found = folder_photos(lay(tmp_path, {"a": 10, "b": 10}))
    opened = []
    real = photos.read_square
    monkeypatch.setattr(photos, "read_square", lambda p, s: opened.append(p) or real(p, s))
    told = []

    def progress(task, done, total):
        told.append((task, done, total))

    data = found.dataset(size=8, n_samples=4, seed=3, progress=progress)
    assert [found.paths[i] for i in data.ids] == opened
    assert told == [("read images", k, 4) for k in (1, 2, 3, 4)]
    assert data.counts().tolist() == [2, 2]
    again = found.dataset(size=8, n_samples=4, seed=3)
    assert np.array_equal(again.ids, data.ids)
    draws = {tuple(found.dataset(size=8, n_samples=4, seed=s).ids) for s in range(5)}
    assert len(draws) > 1


def test_classes_are_chosen_and_coded_in_the_order_asked(tmp_path):
    found = folder_photos(lay(tmp_path, {"a": 1, "b": 2, "c": 1}))
    data = found.dataset(size=8, classes=["c", "b"])
    assert data.ids.tolist() == [1, 2, 3]
    assert data.labels.tolist() == [1, 1, 0]
    with pytest.raises(UnknownName, match="class: wanted one of a, b, c"):
        found.dataset(size=8, classes=["a", "d"])
    with pytest.raises(InvalidArgument, match="n_samples"):
        found.dataset(size=8, n_samples=5)


@pytest.mark.parametrize("test_name", ["test", "val", "Valid"])
def test_parts_are_found_inside(tmp_path, test_name):
    lay(tmp_path, {"a": 1, "b": 1, "c": 1}, "train")
    lay(tmp_path, {"c": 2, "a": 1}, test_name)
    (tmp_path / "readme.txt").write_text("what this is")
    assert has_parts(tmp_path)
    assert folder_photos(tmp_path).labels.tolist() == [0, 1, 2]
    test = folder_photos(tmp_path, train=False)
    assert test.class_names == ("a", "b", "c")
    assert test.labels.tolist() == [0, 2, 2]


def test_test_is_preferred_to_validation(tmp_path):
    for part, count in (("train", 1), ("val", 2), ("test", 3)):
        lay(tmp_path, {"a": count, "b": count}, part)
    assert len(folder_photos(tmp_path, train=False)) == 6


def test_a_class_may_be_called_train(tmp_path):
    found = folder_photos(lay(tmp_path, {"bus": 1, "train": 1}))
    assert found.class_names == ("bus", "train")
    assert not has_parts(tmp_path)


def test_a_train_part_alone_is_that(tmp_path):
    lay(tmp_path, {"a": 1, "b": 1}, "train")
    assert folder_photos(tmp_path).class_names == ("a", "b")
    with pytest.raises(FileProblem, match="has no test part"):
        folder_photos(tmp_path, train=False)


def test_a_test_class_without_training_is_refused(tmp_path):
    lay(tmp_path, {"a": 1, "b": 1}, "train")
    lay(tmp_path, {"a": 1, "z": 1}, "test")
    with pytest.raises(FileProblem, match="has the class 'z', which train does not have"):
        folder_photos(tmp_path, train=False)


def test_odd_files_are_left_out_by_name(tmp_path):
    lay(tmp_path, {"a": 1, "b": 1, ".thumbnails": 1})
    (tmp_path / "a" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "a" / "labels.csv").write_text("x")
    (tmp_path / "b" / "more.png").mkdir()
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "b" / "pipe.png")
    with pytest.warns(BezoarWarning) as told:
        found = folder_photos(tmp_path)
    assert len(found) == 2
    text = str(told[0].message)
    assert all(name in text for name in ("a/labels.csv", "b/gone.png", "b/more.png", "b/pipe.png"))
    assert "DS_Store" not in text
    assert len(told) == 1


def test_links_out_of_the_folder_are_followed(tmp_path):
    outside = save(tmp_path / "elsewhere" / "x.png", (9, 9, 9))
    folder = lay(tmp_path / "set", {"a": 1, "b": 1})
    (folder / "a" / "zz.png").symlink_to(outside)
    (folder / "c").symlink_to(outside.parent)
    data = folder_photos(folder).dataset(size=8)
    assert levels(data.features) == [0, 9, 0, 9]


def test_unreadable_files_are_all_named(tmp_path):
    folder = lay(tmp_path, {"a": 2, "b": 2})
    found = folder_photos(folder)
    (folder / "a" / "001.png").write_bytes(b"no image")
    with pytest.raises(FileProblem, match=r"001\.png: is no image that can be read"):
        found.dataset(size=8)
    (folder / "b" / "000.png").write_bytes((folder / "b" / "001.png").read_bytes()[:40])
    with pytest.raises(FileProblem, match=r"2 files: .*a/001\.png.*b/000\.png.*remove"):
        found.dataset(size=8)
    kept = {path.name: k for k, path in enumerate(found.paths) if path.parent.name == "a"}
    assert kept["000.png"] == 0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "has 0 sub-folders with images, at least two were wanted"),
        ({"a": 3}, "has 1 sub-folders"),
        ({"a": 3, "b": 0}, r"b: holds no image file"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(tmp_path, counts, message):
    for name in counts:
        (tmp_path / name).mkdir()
    lay(tmp_path, counts)
    with pytest.raises(FileProblem, match=message):
        folder_photos(tmp_path)


def test_no_folder_is_refused(tmp_path):
    file = save(tmp_path / "a.png")
    with pytest.raises(FileProblem, match="is no folder"):
        folder_photos(file)
    with pytest.raises(FileProblem, match="does not exist"):
        has_parts(tmp_path / "absent")
