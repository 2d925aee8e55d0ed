import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.data import make_reducer
from bezoar.data.autoencoder import Autoencoder
from bezoar.data.embedded import digits
from bezoar.data.reduce import PCA


@pytest.fixture(scope="module")
def small():
    """120 handwritten digits, flat."""
    return digits().features[:120]


def quick(n_components: int, batch_size: int = 32) -> Autoencoder:
    return Autoencoder(n_components=n_components, min_updates=40, batch_size=batch_size)


def test_unknown_reductions_list_the_known():
    with pytest.raises(UnknownName, match=r"none, pca, autoencoder.*did you mean 'pca'"):
        make_reducer("pcb", 2)


@pytest.mark.parametrize("name", ["none", "pca", "autoencoder"])
@pytest.mark.parametrize("n_components", [0, -1, 2.0, True, "2"])
def test_bad_numbers_of_components_are_refused(name, n_components):
    with pytest.raises(InvalidArgument, match="n_components"):
        make_reducer(name, n_components)


@pytest.mark.parametrize("name", ["pca", "autoencoder"])
def test_a_number_of_components_is_needed(name):
    with pytest.raises(InvalidArgument, match="a number for"):
        make_reducer(name)


@pytest.mark.parametrize("reduction", [make_reducer("pca", 2), quick(2)])
@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros((0, 4)), "at least two different samples, got none"),
        (np.ones((3, 4)), "got 3, all the same"),
        (np.ones((1, 4)), "got 1, all the same"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "1 missing value in feature 1"),
        (np.array([[1.0, 1e200], [0.0, 1.0]]), "magnitudes"),
        (np.zeros(4), "shape"),
        (np.zeros((4, 0)), "shape"),
    ],
)
def test_bad_features_are_refused(reduction, features, words):
    with pytest.raises(InvalidData, match=words):
        reduction.fit(features, seed=0)


@pytest.mark.parametrize("reduction", [make_reducer("none"), make_reducer("pca", 2), quick(2)])
def test_transform_wants_the_features_of_the_fit(reduction, small):
    reducer = reduction.fit(small, seed=0)
    with pytest.raises(InvalidData, match="64 per sample, as in the fit, got 63"):
        reducer.transform(small[:, :63])
    assert reducer.transform(small[:0]).shape == (0, reducer.n_components)
    assert np.array_equal(
        reducer.transform(small[:5].reshape(5, 1, 8, 8)), reducer.transform(small[:5])
    )


# none


def test_none_flattens_and_checks_the_number():
    images = np.arange(12.0).reshape(3, 1, 2, 2)
    reducer = make_reducer("none", 4).fit(images, seed=0)
    assert reducer.n_components == 4
    assert np.array_equal(reducer.transform(images), images.reshape(3, 4))
    with pytest.raises(InvalidArgument, match=r"wanted 4.*got 3; reduce with pca"):
        make_reducer("none", 3).fit(images, seed=0)


# pca


@given(n_samples=st.integers(3, 12), n_features=st.integers(2, 12), seed=st.integers(0, 50))
def test_all_principal_components_keep_all_distances(n_samples, n_features, seed):
    train = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    reducer = PCA(n_components=min(n_samples, n_features)).fit(train, seed=0)
    latent = reducer.transform(train)
    gram = np.linalg.norm(train[:, None] - train, axis=2)
    # Centring loses one dimension at most, and distances not at all; 1e-9 is far above rounding.
    assert np.allclose(np.linalg.norm(latent[:, None] - latent, axis=2), gram, atol=1e-9)
    assert reducer.explained == pytest.approx(1, abs=1e-9)


def test_pca_finds_the_known_direction_with_a_fixed_sign():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(200, 1)) * np.array([[-3.0, 4.0]]) + 1
    reducer = PCA(n_components=1).fit(train, seed=0)
    # The data lie on one line, so the direction is exact; its larger entry is positive.
    assert np.allclose(reducer.components, [[-0.6, 0.8]], atol=1e-9)
    assert np.array_equal(PCA(n_components=1).fit(train, seed=9).components, reducer.components)


def test_pca_sees_the_train_part_alone(small):
    reducer = PCA(n_components=3).fit(small[:60], seed=0)
    before = reducer.transform(small[60:])
    assert np.allclose(reducer.transform(small[:60]).mean(axis=0), 0, atol=1e-9)
    assert np.array_equal(reducer.transform(small)[60:], before)
    with pytest.raises(ValueError, match="read-only"):
        reducer.mean[0] = 1


@pytest.mark.parametrize(
    ("shape", "words"),
    [((5, 9), "at most 5.*give more samples"), ((9, 5), "at most 5.*ask for fewer features$")],
)
def test_more_components_than_data_are_refused(shape, words):
    train = np.random.default_rng(0).normal(size=shape)
    make_reducer("pca", 5).fit(train, seed=0)
    with pytest.raises(InvalidArgument, match=words):
        make_reducer("pca", 6).fit(train, seed=0)


# autoencoder


@pytest.mark.parametrize(
    "shape", [(64,), (1, 28, 28), (3, 9, 11), (1, 8, 8), (5,), (16,), (1, 2, 9), (1,)]
)
def test_autoencoder_takes_images_and_tables_of_any_size(shape):
    train = np.random.default_rng(0).random((20, *shape))
    reducer = quick(1).fit(train, seed=0)
    latent = reducer.transform(train)
    assert latent.shape == (20, 1)
    assert np.isfinite(latent).all()


def test_autoencoder_repeats_with_its_seed_whatever_torch_was_doing(small):
    import torch

    torch.manual_seed(0)
    expected_draw = torch.rand(1)
    one = quick(3).fit(small, seed=4).transform(small)
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    with torch.no_grad():
        two = quick(3).fit(small, seed=4).transform(small)
    # Neither the global random state nor the number of threads was touched.
    assert torch.equal(torch.rand(1), expected_draw)
    assert torch.get_num_threads() == threads
    assert np.array_equal(one, two)
    assert not np.array_equal(quick(3).fit(small, seed=5).transform(small), one)


def test_autoencoder_learns_to_tell_the_digits_apart():
    data = digits()
    train, test = slice(0, 1200), slice(1200, None)
    reducer = Autoencoder(n_components=8).fit(data.features[train], seed=0)
    assert reducer.losses[-1] < 0.5 * reducer.losses[0]
    latent = reducer.transform(data.features)
    distance = np.linalg.norm(latent[test][:, None] - latent[train], axis=2)
    accuracy = (data.labels[train][distance.argmin(axis=1)] == data.labels[test]).mean()
    # 0.88 to 0.91 over six seeds, 0.96 with all 64 pixels; 0.1 would be chance.
    assert accuracy > 0.85


def test_autoencoder_scales_each_column_of_a_table():
    rng = np.random.default_rng(0)
    hidden = rng.random((300, 1))
    train = np.hstack([hidden, 1e6 * hidden, np.full((300, 1), 7.0)])
    reducer = Autoencoder(n_components=1, min_updates=600).fit(train, seed=0)
    # One number tells all three columns: 2e-6 to 3e-5 over five seeds. The variance of a uniform
    # number, 0.083, is what two unlearnt columns would leave.
    assert reducer.losses[-1] < 0.001


def test_autoencoder_tells_its_progress(small):
    told = []
    reducer = quick(2, batch_size=30).fit(
        small, seed=0, progress=lambda task, done, total: told.append((task, done, total))
    )
    # 120 samples make 4 steps an epoch: 10 epochs for 40 steps.
    assert told == [("autoencoder", step, 40) for step in range(1, 41)]
    assert len(reducer.losses) == 10


def test_autoencoder_refuses_more_components_than_features():
    with pytest.raises(InvalidArgument, match="at most 4"):
        quick(5).fit(np.random.default_rng(0).random((9, 4)), seed=0)


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 0}, {"batch_size": 1.5}, {"min_updates": True}, {"learning_rate": float("nan")}],
)
def test_autoencoder_refuses_bad_settings(settings):
    with pytest.raises(InvalidArgument, match=next(iter(settings))):
        Autoencoder(n_components=2, **settings)


def test_autoencoder_survives_an_outlier(small):
    train = np.random.default_rng(0).random((20, 3)) * 1e-200
    for reducer, outlier in [
        (quick(2).fit(small, seed=0), np.full((1, 64), 1e150)),
        (quick(2).fit(train, seed=0), np.full((1, 3), -1e150)),
    ]:
        assert np.isfinite(reducer.transform(outlier)).all()


def test_autoencoder_refuses_a_negative_seed(small):
    with pytest.raises(InvalidArgument, match="seed"):
        quick(2).fit(small, seed=-1)


def test_torch_is_loaded_by_the_autoencoder_alone(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b,label\n1,2,x\n3,5,y\n4,4,y\n")
    code = (
        "import sys; from bezoar.data import load, make_reducer\n"
        f"data = load({str(table)!r})\n"
        "make_reducer('pca', 1).fit(data.features, seed=0).transform(data.features)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
