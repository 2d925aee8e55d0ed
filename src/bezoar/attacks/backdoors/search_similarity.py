"""SSIM of many versions of the same images, fast."""

from __future__ import annotations

import torch

from bezoar.contracts.dataset import FloatArray

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


class SimilarityTo:
    """The mean SSIM of versions of some images to those images.

    Wang et al. 2004 with the usual window: Gaussian, 11 x 11 pixels (the largest odd one that fits
    into smaller images), standard deviation 1.5, population covariance, positions where the whole
    window lies in the image, mean over positions, channels and images. The window is separable, so
    blurring is a product with a band matrix from each side; what depends on the images alone is
    computed once.

    Args:
        images: ``(sample, channel, height, width)`` in [0, 1], at least 3 x 3 pixels.

    Example:
        >>> import numpy as np
        >>> black, white = np.zeros((1, 1, 16, 16)), np.ones((1, 1, 16, 16))
        >>> round(SimilarityTo(black).mean_of(white), 6)  # C1 / (1 + C1)
        0.0001
    """

    def __init__(self, images: FloatArray) -> None:
        height, width = images.shape[2:]
        side = min(_WINDOW, min(height, width) - 1 + min(height, width) % 2)
        self._rows, self._columns = _blur(height, side), _blur(width, side)
        self._images = _doubles(images)
        self._mean = self._blurred(self._images)
        self._variance = self._blurred(self._images**2) - self._mean**2

    def mean_of(self, versions: FloatArray) -> float:
        """The mean SSIM of versions of all images, same shape, at most 1."""
        other = _doubles(versions)
        mean = self._blurred(other)
        variance = self._blurred(other**2) - mean**2
        covariance = self._blurred(self._images * other) - self._mean * mean
        light = (2 * self._mean * mean + _C1) / (self._mean**2 + mean**2 + _C1)
        texture = (2 * covariance + _C2) / (self._variance + variance + _C2)
        return min(1.0, float((light * texture).mean()))

    def _blurred(self, maps: torch.Tensor) -> torch.Tensor:
        return self._rows @ maps @ self._columns.T


def _blur(length: int, side: int) -> torch.Tensor:
    """A Gaussian window at each place where it fits, ``(place, length)``."""
    offsets = torch.arange(side, dtype=torch.float64) - side // 2
    weights = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    matrix = torch.zeros(length - side + 1, length, dtype=torch.float64)
    for place in range(len(matrix)):
        matrix[place, place : place + side] = weights / weights.sum()
    return matrix


def _doubles(images: FloatArray) -> torch.Tensor:
    """Variances are differences of squares; single precision would lose the small ones."""
    return torch.from_numpy(images.astype("float64"))
