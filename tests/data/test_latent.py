import os

import numpy as np
import pytest

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import (
    BezoarWarning,
    FileProblem,
    InvalidArgument,
    InvalidData,
    UnknownName,
)
from bezoar.data import image_sets, latent
from bezoar.data.autoencoder import Autoencoder
from bezoar.data.autoencoder_store import read_autoencoder, write_autoencoder
from bezoar.data.embedded import digits
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.latent import fit_once, pool_reducer, pool_settings
from bezoar.data.pixels import Pixels
from bezoar.data.reconstruction import reconstruction_error

shared_data = [
    pytest.mark.shared_data,
    pytest.mark.skipif("BEZOAR_DATA" not in os.environ, reason="BEZOAR_DATA is not set"),
]


@pytest.fixture(scope="module")
def images():
    """300 handwritten digits of 8 x 8 pixels, 8 bits each."""
    return (digits().features[:300].reshape(-1, 1, 8, 8) * 15).astype(np.uint8)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(latent, "_IMAGES_SEEN", 900)


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_same_pool_is_trained_once(images, tmp_path):
    steps = []

    def listen(task, done, total):
        steps.append(done)

    first = fit_once(images, 3, seed=1, cache=tmp_path, progress=listen)
    # 300 images in batches of 64, 3 times.
    assert steps == list(range(1, 16))
    again = fit_once(images, 3, seed=1, cache=tmp_path, progress=listen)
    assert len(steps) == 15
    features = images / 255
    assert np.array_equal(first.transform(features), again.transform(features))
    assert np.array_equal(first.decode(np.eye(3)), again.decode(np.eye(3)))
    assert (again.losses, again.shape) == (first.losses, (1, 8, 8))
    assert len(kept(tmp_path)) == 1


def test_other_pixels_settings_or_seeds_are_other_files(images, tmp_path, monkeypatch):
    changed = images.copy()
    changed[0, 0, 0, 0] ^= 1
    fit_once(images, 2, cache=tmp_path)
    fit_once(changed, 2, cache=tmp_path)
    fit_once(images, 3, cache=tmp_path)
    fit_once(images, 2, seed=1, cache=tmp_path)
    fit_once(images.reshape(150, 2, 8, 8), 2, cache=tmp_path)
    monkeypatch.setattr(latent, "_FORMAT", 0)
    fit_once(images, 2, cache=tmp_path)
    assert len(kept(tmp_path)) == 6


def test_pixels_are_trained_on_as_their_share_of_255(images):
    settings = pool_settings(2, len(images))
    of_pixels = settings.fit_pixels(images, seed=0)
    assert of_pixels.low.max() == 0
    assert of_pixels.span.min() == of_pixels.span.max() == 1
    features = images / 255
    latents = of_pixels.transform(features)
    assert latents.shape == (300, 2)
    # The error after training is at most that of the last pass, which it ends; the constant
    # picture leaves the variance.
    error = reconstruction_error(of_pixels, features)
    assert error < 1.02 * of_pixels.losses[-1] < 2 * features.var(axis=0).mean()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\x80\x04garbage", None, "half", "nan", "wrong"],
    ids=["empty", "start", "pickle", "other arrays", "half", "nan", "wrong shape"],
)
def test_a_damaged_file_is_trained_again(images, tmp_path, content):
    first = fit_once(images, 2, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is None:
        np.savez(path, low=np.zeros(2))
    elif content == "half":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        with np.load(path) as archive:
            arrays = dict(archive)
        name = "encoder.1.weight" if content == "nan" else "span"
        arrays[name] = np.full_like(arrays[name], np.nan) if content == "nan" else np.ones(3)
        np.savez(path, allow_pickle=False, **arrays)
    with pytest.warns(BezoarWarning, match="it is trained again"):
        again = fit_once(images, 2, cache=tmp_path)
    assert np.array_equal(first.transform(images / 255), again.transform(images / 255))
    assert path.read_bytes() == whole
    fit_once(images, 2, cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_no_failure(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(BezoarWarning, match="is not kept for the next run"):
        fitted = fit_once(images, 2, cache=tmp_path / "file")
    assert fitted.n_components == 2


def test_the_cache_folder_is_that_of_the_variable(images, tmp_path, monkeypatch):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path))
    fit_once(images, 2)
    assert len(kept(tmp_path / "autoencoders")) == 1


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros((0, 1, 8, 8), np.uint8), "at least two different images, got 0"),
        (np.zeros((3, 1, 8, 8), np.uint8), "at least two different images"),
        (np.zeros((3, 1, 2, 2), np.uint8), "of 8 x 8 pixels or more"),
        (np.full((3, 9), np.nan), "missing value"),
    ],
)
def test_pools_that_cannot_be_learnt_are_refused(features, words, tmp_path):
    with pytest.raises(InvalidData, match=words):
        fit_once(features, 1, cache=tmp_path)
    assert kept(tmp_path) == []


def test_impossible_settings_are_refused(images, tmp_path):
    with pytest.raises(InvalidArgument, match="at most 64"):
        fit_once(images, 65, cache=tmp_path)
    with pytest.raises(InvalidArgument, match="n_components"):
        fit_once(images, 0, cache=tmp_path)
    with pytest.raises(InvalidArgument, match="channels"):
        Autoencoder(n_components=1, channels=(8, 0))


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True])
def test_impossible_seeds_are_refused(images, tmp_path, seed):
    with pytest.raises(InvalidArgument, match="seed"):
        fit_once(images, 2, seed=seed, cache=tmp_path)


def test_the_pool_of_a_subset_is_its_parent(images, tmp_path, monkeypatch):
    class Files:
        title = "Small"
        class_names = tuple("0123456789")

        def read(self, *, train=True, folder=None, progress=None):
            assert (train, folder) == (True, tmp_path)
            assert progress is not None
            return Pixels(images=images, labels=digits().labels[:300], class_names=self.class_names)

    whole = ImageSet(files=Files())
    sets = {"whole": whole, "part": ImageSubset(pool=whole, classes=("3", "8"))}
    monkeypatch.setattr(plugins, "names", lambda _: tuple(sets))
    monkeypatch.setattr(plugins, "load", lambda _, name: sets[name])
    one = pool_reducer("whole", 2, cache=tmp_path / "cache", folder=tmp_path)
    two = pool_reducer("part", 2, cache=tmp_path / "cache", folder=tmp_path)
    assert np.array_equal(one.transform(images / 255), two.transform(images / 255))
    assert len(kept(tmp_path / "cache")) == 1
    assert two.transform(sets["part"](n_samples=None, folder=tmp_path).features).shape == (60, 2)


def test_the_pool_of_any_other_data_is_the_data(tmp_path):
    reducer = pool_reducer("iris", 2, cache=tmp_path)
    assert reducer.shape is None
    assert reducer.transform(np.ones((1, 4))).shape == (1, 2)
    assert pool_reducer("iris", 2, cache=tmp_path).losses == reducer.losses
    with pytest.raises(UnknownName, match="iris"):
        pool_reducer("irus", 2, cache=tmp_path)


def test_passes_fall_with_the_size_of_the_pool(monkeypatch):
    monkeypatch.undo()
    assert [pool_settings(8, n).epochs for n in (0, 6_284, 60_000, 124_800)] == [20, 20, 5, 3]


def test_an_autoencoder_reads_back(tmp_path):
    settings = Autoencoder(n_components=1, min_updates=5, epochs=1)
    fitted = settings.fit(np.random.default_rng(0).random((20, 5)), seed=0)
    path = write_autoencoder(tmp_path / "a.npz", fitted)
    again = read_autoencoder(path, settings=settings, n_features=5, shape=None)
    x = np.random.default_rng(1).random((4, 5))
    assert np.array_equal(again.transform(x), fitted.transform(x))
    assert np.array_equal(again.decode(fitted.transform(x)), fitted.decode(fitted.transform(x)))
    for n_features, shape in ((6, None), (64, (1, 8, 8))):
        with pytest.raises(FileProblem, match="no usable low"):
            read_autoencoder(path, settings=settings, n_features=n_features, shape=shape)


class TestOnTheRealMnist:
    pytestmark = shared_data

    def test_few_passes_already_show_digits(self, tmp_path, monkeypatch):
        monkeypatch.setattr(latent, "_IMAGES_SEEN", 1)
        pool = image_sets.MNIST.pixels(train=False)
        reducer = fit_once(pool.images, 8, cache=tmp_path)
        unseen: Dataset = image_sets.MNIST_10()
        # 0.044 over one pass of 10,000; 0.068 is the variance, which the mean picture leaves.
        assert reconstruction_error(reducer, unseen.features) < 0.055
