"""The real data sets that scikit-learn carries; no download, no file."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import datasets

from bezoar.contracts.dataset import Dataset
from bezoar.data.resizing import check_size, squares

_DIGIT_WHITE = 16


def digits() -> Dataset:
    """Handwritten digits: 1797 samples, 64 features (8 x 8 pixels, row by row, 0 to 16).

    Source: Alpaydin and Kaynak, UCI machine-learning repository, 1998 (the test half).

    Example:
        >>> data = digits()
        >>> data.features.shape, data.class_names[:3]
        ((1797, 64), ('0', '1', '2'))
    """
    return _dataset(datasets.load_digits())


def digits_rgb(*, size: int = 32) -> Dataset:
    """Handwritten digits as RGB images: the 1797 of `digits`, upscaled, for image models.

    Grey levels 0 to 16 become 8 bits, are scaled up by bicubic interpolation and repeated in three
    channels. No more detail is in them than in 8 x 8 pixels.

    Args:
        size: width and height, in pixels.

    Returns:
        Images ``(1797, 3, size, size)`` of float32 in [0, 1], with the ids of `digits`.

    Raises:
        InvalidArgument: `size` is not from 4 to 1024.

    Example:
        >>> data = digits_rgb()
        >>> data.features.shape, data.features.dtype, data.class_names[:3]
        ((1797, 3, 32, 32), dtype('float32'), ('0', '1', '2'))
    """
    data = digits()
    levels = np.rint(data.features.reshape(-1, 1, 8, 8) * (255 / _DIGIT_WHITE)).astype(np.uint8)
    images = squares(levels, check_size(size))
    return data.with_features(np.divide(images, 255, dtype=np.float32))


def iris() -> Dataset:
    """Iris flowers: 150 samples, 4 lengths in centimetres, 3 species.

    Source: Fisher, Annals of Eugenics 7, 1936.

    Example:
        >>> iris().class_names
        ('setosa', 'versicolor', 'virginica')
    """
    return _dataset(datasets.load_iris())


def wine() -> Dataset:
    """Italian wines: 178 samples, 13 chemical measurements, 3 growers.

    Source: Forina et al., UCI machine-learning repository, 1991.

    Example:
        >>> wine().counts().tolist()
        [59, 71, 48]
    """
    return _dataset(datasets.load_wine())


def breast_cancer() -> Dataset:
    """Breast-cancer biopsies (Wisconsin, diagnostic): 569 samples, 30 features of cell nuclei.

    Source: Wolberg, Mangasarian, Street and Street, UCI machine-learning repository, 1995.

    Example:
        >>> breast_cancer().class_names
        ('malignant', 'benign')
    """
    return _dataset(datasets.load_breast_cancer())


def _dataset(bunch: Any) -> Dataset:
    return Dataset(
        features=bunch.data,
        labels=bunch.target,
        ids=np.arange(len(bunch.target)),
        class_names=tuple(str(name) for name in bunch.target_names),
    )
