import numpy as np
import pytest

from bezoar.contracts.errors import InvalidArgument
from bezoar.data import embedded


@pytest.mark.parametrize(
    ("loader", "n_samples", "n_features", "names"),
    [
        (embedded.digits, 1797, 64, tuple("0123456789")),
        (embedded.iris, 150, 4, ("setosa", "versicolor", "virginica")),
        (embedded.wine, 178, 13, ("class_0", "class_1", "class_2")),
        (embedded.breast_cancer, 569, 30, ("malignant", "benign")),
    ],
)
def test_embedded_data_have_their_published_shape_and_names(loader, n_samples, n_features, names):
    data = loader()
    assert data.features.shape == (n_samples, n_features)
    assert data.class_names == names
    assert np.array_equal(data.ids, np.arange(n_samples))
    assert data.counts().min() > 0


def test_digits_in_colour_are_the_digits_upscaled():
    grey, colour = embedded.digits(), embedded.digits_rgb(size=8)
    assert colour.features.dtype == np.float32
    assert np.array_equal(colour.ids, grey.ids)
    assert np.array_equal(colour.labels, grey.labels)
    levels = grey.features.reshape(-1, 1, 8, 8) / 16
    # At 8 pixels nothing is scaled; 8 bits round by half a step.
    assert np.abs(colour.features - levels).max() <= 0.5 / 255 + 1e-7
    large = embedded.digits_rgb(size=32).features
    assert large.shape == (1797, 3, 32, 32)
    assert np.array_equal(large[:, 0], large[:, 2])
    assert large.min() >= 0
    assert large.max() <= 1
    # Blocks of 4 x 4 have about the mean of their pixel; bicubic overshoot is cut at the ends.
    means = large[:, 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    assert np.corrcoef(means.ravel(), levels.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("size", [0, 3, -8, 2000, 8.0, True, "8"])
def test_digits_in_colour_refuse_a_size_that_is_none(size):
    with pytest.raises(InvalidArgument, match="size: wanted a whole number of pixels"):
        embedded.digits_rgb(size=size)
