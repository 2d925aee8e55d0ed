import numpy as np
import pytest

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
