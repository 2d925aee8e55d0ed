import io

import numpy as np
import pytest
from PIL import Image

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.autoencoder import Autoencoder
from bezoar.data.embedded import digits, iris
from bezoar.data.reconstruction import reconstruction_error, reconstruction_picture
from bezoar.data.reduce import PCA


class Shift:
    """Keeps everything, and gives it back moved by 1."""

    n_components = 192

    def transform(self, features):
        return features.reshape(len(features), -1)

    def decode(self, latent):
        return latent + 1


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_error_is_the_mean_square():
    features = np.random.default_rng(0).random((5000, 3))
    assert reconstruction_error(Shift(), features) == pytest.approx(1, abs=1e-12)
    with pytest.raises(InvalidData, match="at least one sample"):
        reconstruction_error(Shift(), features[:0])


def test_more_components_err_less():
    features = digits().features
    errors = [
        reconstruction_error(PCA(n_components=n).fit(features, seed=0), features)
        for n in (1, 8, 64)
    ]
    assert errors[0] > errors[1] > errors[2]
    # All components give everything back, up to rounding of numbers of size 16.
    assert errors[2] == pytest.approx(0, abs=1e-20)


def test_an_autoencoder_goes_back_in_the_units_of_the_data():
    rng = np.random.default_rng(0)
    hidden = rng.random((300, 1))
    train = np.hstack([hidden, 1e3 + 10 * hidden])
    reducer = Autoencoder(n_components=1, min_updates=600).fit(train, seed=0)
    decoded = reducer.decode(reducer.transform(train))
    # A tenth of each column's range; a network of one number got within a thirtieth.
    assert (np.abs(decoded - train) < np.array([0.1, 1.0])).all()
    with pytest.raises(InvalidData, match="1 per sample"):
        reducer.decode(np.zeros((3, 2)))
    assert reducer.decode(np.zeros((0, 1))).shape == (0, 2)


def test_originals_stand_above_their_reconstructions():
    data = Dataset(
        features=np.stack([np.zeros((3, 8, 8)), np.ones((3, 8, 8)), np.zeros((3, 8, 8))]),
        labels=np.array([0, 1, 1]),
        ids=np.arange(3),
        class_names=("a", "b", "never"),
    )
    picture = pixels_of(reconstruction_picture(Shift(), data, zoom=1))
    # Two classes of two rows, two columns; 2 pixels of paper around each tile, 2 more under each
    # class.
    assert picture.shape == (2 * (2 * 10 + 2), 2 * 10 + 2, 3)
    tiles = {
        (r, c): picture[2 + r : 10 + r, 2 + c : 10 + c] for r in (0, 10, 22, 32) for c in (0, 10)
    }
    levels = {where: (int(tile.min()), int(tile.max())) for where, tile in tiles.items()}
    assert levels == {
        (0, 0): (0, 0),
        (10, 0): (255, 255),
        (0, 10): (255, 255),  # paper, as class a has one sample
        (10, 10): (255, 255),
        (22, 0): (255, 255),
        (32, 0): (255, 255),  # 2, clipped
        (22, 10): (0, 0),
        (32, 10): (255, 255),
    }
    assert pixels_of(reconstruction_picture(Shift(), data, zoom=3)).shape == (132, 66, 3)
    assert pixels_of(reconstruction_picture(Shift(), data, n_per_class=1, zoom=1)).shape == (
        44,
        12,
        3,
    )


def test_flat_squares_are_pictures_too():
    data = digits()
    reducer = PCA(n_components=8).fit(data.features, seed=0)
    picture = reconstruction_picture(reducer, data)
    assert pixels_of(picture).shape == (2 * 10 * 22, 2 * (10 * 10 + 2))
    assert picture == reconstruction_picture(reducer, data)


def test_a_picture_of_one_colour():
    data = Dataset(
        features=np.full((1, 1, 8, 8), 0.5),
        labels=np.array([0]),
        ids=np.array([0]),
        class_names=("a",),
    )
    picture = pixels_of(reconstruction_picture(Shift(), data))
    assert picture.shape == (44, 24)


def test_what_is_no_picture_is_refused():
    reducer = PCA(n_components=2).fit(iris().features, seed=0)
    with pytest.raises(InvalidData, match=r"at least one grey or RGB image, got .*\(150, 4\)"):
        reconstruction_picture(reducer, iris())
    with pytest.raises(InvalidData, match="image"):
        reconstruction_picture(Shift(), digits().take([]))
    with pytest.raises(InvalidArgument, match="n_per_class"):
        reconstruction_picture(Shift(), digits(), n_per_class=0)
    with pytest.raises(InvalidArgument, match="zoom"):
        reconstruction_picture(Shift(), digits(), zoom=True)
