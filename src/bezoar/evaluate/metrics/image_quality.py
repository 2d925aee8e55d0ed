"""How far triggered images are from clean ones, as a person or a checker would notice it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidData

PSNR_CAP = 100.0

_WINDOW = 11
_SIGMA = 1.5
_SMALLEST = 3
_BATCH = 32
# Single precision may leave [0, 1] by a rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageQuality:
    """All measures of pairs of images, each ``(sample,)``; see the functions of these names."""

    ssim: FloatArray
    psnr: FloatArray
    l2: FloatArray
    linf: FloatArray

    def means(self) -> dict[str, float]:
        """The mean over images of each measure, all finite.

        PSNR is infinite for identical images and counts as 100 dB there, and for what lies above:
        one step of 8 bits in one of 224 x 224 x 3 values makes 99.9 dB.
        """
        return {
            "ssim": float(self.ssim.mean()),
            "psnr": float(np.minimum(self.psnr, PSNR_CAP).mean()),
            "l2": float(self.l2.mean()),
            "linf": float(self.linf.mean()),
        }


def image_quality(clean: FloatArray, triggered: FloatArray) -> ImageQuality:
    """SSIM, PSNR, L2 and L-infinity of pairs of images.

    LPIPS is not among them: the libraries that offer it fetch a trained network first.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1], at least 3 x 3 pixels.

    Raises:
        InvalidData: no images, other shapes, or values that are not in [0, 1].

    Example:
        >>> import numpy as np
        >>> clean = np.random.default_rng(0).random((2, 3, 16, 16))
        >>> image_quality(clean, clean).means()
        {'ssim': 1.0, 'psnr': 100.0, 'l2': 0.0, 'linf': 0.0}
    """
    return ImageQuality(
        ssim=ssim(clean, triggered),
        psnr=psnr(clean, triggered),
        l2=l2(clean, triggered),
        linf=linf(clean, triggered),
    )


def ssim(clean: FloatArray, triggered: FloatArray) -> FloatArray:
    """Structural similarity of pairs of images, ``(sample,)``, at most 1.

    ``SSIM = (2 m1 m2 + C1) (2 s12 + C2) / ((m1^2 + m2^2 + C1) (s1^2 + s2^2 + C2))``, averaged
    over pixels and channels; ``C1 = 0.01^2``, ``C2 = 0.03^2``, for a data range of 1. The means m,
    variances s^2 and the covariance s12 are weighted by a Gaussian window of 11 x 11 pixels with
    standard deviation 1.5, population covariance, at the positions alone where the whole window
    lies in the image. With these settings (``gaussian_weights``, ``use_sample_covariance=False``)
    scikit-image gives the same; libraries that pad the borders differ by up to 0.015. Where an
    image is under 11 pixels wide or high the window is the largest odd one that fits.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1], at least 3 x 3 pixels.

    Raises:
        InvalidData: as in `image_quality`.

    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13, 2004.

    Example:
        >>> import numpy as np
        >>> black, white = np.zeros((1, 1, 16, 16)), np.ones((1, 1, 16, 16))
        >>> float(ssim(black, white)[0].round(6))  # C1 / (1 + C1)
        0.0001
    """
    import torch
    from pytorch_msssim import ssim as ssim_of

    one, other = _checked(clean, triggered)
    shortest = min(one.shape[2:])
    if shortest < _SMALLEST:
        raise InvalidData(
            "images",
            wanted=f"at least {_SMALLEST} x {_SMALLEST} pixels",
            got=f"{one.shape[2]} x {one.shape[3]}",
        )
    side = min(_WINDOW, shortest - 1 + shortest % 2)
    offsets = np.arange(side) - side // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    window = torch.from_numpy(weights / weights.sum()).repeat(one.shape[1], 1, 1, 1)
    values = []
    for start in range(0, len(one), _BATCH):
        # Variances are differences of squares; single precision would lose the small ones.
        pair = [
            torch.from_numpy(images[start : start + _BATCH].astype(np.float64))
            for images in (one, other)
        ]
        with torch.no_grad():
            values.append(ssim_of(*pair, data_range=1.0, size_average=False, win=window).numpy())
    return np.concatenate(values)


def psnr(clean: FloatArray, triggered: FloatArray) -> FloatArray:
    """Peak signal-to-noise ratio of pairs of images in decibels, ``(sample,)``.

    ``PSNR = 10 log10(1 / mean((x - y)^2))``, over pixels and channels; infinite for images that are
    the same. `ImageQuality.means` counts those as 100 dB.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1].

    Raises:
        InvalidData: as in `image_quality`.

    Example:
        >>> import numpy as np
        >>> psnr(np.zeros((1, 3, 4, 4)), np.full((1, 3, 4, 4), 0.1)).round(6).tolist()
        [20.0]
    """
    error = (_difference(clean, triggered) ** 2).mean(axis=1)
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)


def l2(clean: FloatArray, triggered: FloatArray) -> FloatArray:
    """Euclidean distance of pairs of images, ``sqrt(sum((x - y)^2))``, ``(sample,)``.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1].

    Raises:
        InvalidData: as in `image_quality`.

    Example:
        >>> import numpy as np
        >>> l2(np.zeros((1, 1, 3, 3)), np.ones((1, 1, 3, 3))).tolist()
        [3.0]
    """
    return np.sqrt((_difference(clean, triggered) ** 2).sum(axis=1))


def linf(clean: FloatArray, triggered: FloatArray) -> FloatArray:
    """Largest change of a value of pairs of images, ``max(|x - y|)``, ``(sample,)``.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1].

    Raises:
        InvalidData: as in `image_quality`.

    Example:
        >>> import numpy as np
        >>> linf(np.zeros((1, 1, 3, 3)), np.full((1, 1, 3, 3), 0.25)).tolist()
        [0.25]
    """
    return np.abs(_difference(clean, triggered)).max(axis=1)


def _difference(clean: FloatArray, triggered: FloatArray) -> FloatArray:
    one, other = _checked(clean, triggered)
    return (other.astype(np.float64) - one).reshape(len(one), -1)


def _checked(clean: FloatArray, triggered: FloatArray) -> tuple[FloatArray, FloatArray]:
    arrays = np.asarray(clean), np.asarray(triggered)
    for name, images in zip(("clean", "triggered"), arrays, strict=True):
        if images.ndim != 4 or not images.size or images.dtype.kind not in "biuf":
            raise InvalidData(
                name,
                wanted="one or more images (sample, channel, height, width)",
                got=f"{images.dtype} of shape {images.shape}",
            )
        # NaN fails both comparisons.
        if not (images.min() >= -_ROUNDING and images.max() <= 1 + _ROUNDING):
            raise InvalidData(
                name,
                wanted="values in [0, 1]",
                got=f"{images.min():g} to {images.max():g}",
                mend="measure images before they are normalised for a network",
            )
    if arrays[0].shape != arrays[1].shape:
        raise InvalidData(
            "triggered", wanted=f"shape {arrays[0].shape}, as clean has", got=arrays[1].shape
        )
    return arrays
