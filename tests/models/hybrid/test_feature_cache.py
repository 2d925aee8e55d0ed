import os

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.models.hybrid import feature_cache
from bezoar.models.hybrid.feature_cache import cached_features

IMAGES = np.random.default_rng(0).random((4, 1, 2, 2))


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return np.arange(8, dtype=np.float32).reshape(4, 2)


def trunk(value: float = 1.0) -> nn.Module:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, value)
    nn.init.zeros_(layer.bias)
    return layer


def test_features_are_computed_once_for_equal_content(tmp_path):
    compute = Counted()
    for images in (IMAGES, IMAGES.copy(), IMAGES.astype(np.float32)):
        found = cached_features(trunk(), images, compute, precision="a", folder=tmp_path)
        assert np.array_equal(found, compute())
        compute.calls -= 1
    assert compute.calls == 1


def test_each_thing_that_they_depend_on_makes_another_key(tmp_path):
    compute = Counted()
    changed = IMAGES.copy()
    changed[3, 0, 1, 1] += 1e-3
    for made, images, precision in [
        (trunk(), IMAGES, "a"),
        (trunk(2.0), IMAGES, "a"),
        (nn.Sequential(trunk()), IMAGES, "a"),
        (trunk(), changed, "a"),
        (trunk(), IMAGES.reshape(4, 4, 1, 1), "a"),
        (trunk(), IMAGES, "b"),
    ]:
        cached_features(made, images, compute, precision=precision, folder=tmp_path)
    assert compute.calls == 6


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 40])
def test_a_damaged_file_is_computed_again(tmp_path, content):
    compute = Counted()
    cached_features(trunk(), IMAGES, compute, precision="a", folder=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for broken in (content, whole[:-1], whole.replace(b"features", b"futurist")):
        file.write_bytes(broken)
        found = cached_features(trunk(), IMAGES, compute, precision="a", folder=tmp_path)
        assert found.shape == (4, 2)
        assert file.read_bytes() == whole
    assert compute.calls == 4


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    compute = Counted()
    for _ in range(2):
        cached_features(trunk(), IMAGES, compute, precision="a", folder=tmp_path / "file")
    assert compute.calls == 2


def test_the_oldest_files_make_room(tmp_path, monkeypatch):
    compute = Counted()
    for value in (1.0, 2.0, 3.0):
        cached_features(trunk(value), IMAGES, compute, precision="a", folder=tmp_path)
        for age, file in enumerate(sorted(tmp_path.iterdir(), key=os.path.getmtime)):
            os.utime(file, (age, age))
    monkeypatch.setattr(feature_cache, "CACHE_LIMIT", 300)
    cached_features(trunk(4.0), IMAGES, compute, precision="a", folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    cached_features(trunk(3.0), IMAGES, compute, precision="a", folder=tmp_path)
    cached_features(trunk(1.0), IMAGES, compute, precision="a", folder=tmp_path)
    assert compute.calls == 5


def test_bfloat16_weights_have_a_key(tmp_path):
    compute = Counted()
    made = trunk().to(torch.bfloat16)
    cached_features(made, IMAGES, compute, precision="a", folder=tmp_path)
    assert compute.calls == 1
