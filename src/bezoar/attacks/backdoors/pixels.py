"""What image triggers take and return."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidData

# Resizing in single precision may leave [0, 1] by a few units in the last place.
_OVERSHOOT = 1e-5


def checked_images(
    trigger: str, images: npt.ArrayLike, *, n_channels: int | None = None
) -> FloatArray:
    """The images as float32 or float64, refused where a trigger cannot work on them.

    Args:
        trigger: its name, for the message.
        images: ``(sample, channel, height, width)`` in [0, 1]; may hold no sample.
        n_channels: how many channels there must be, or None for any number.

    Returns:
        The same array where it is float32 or float64 already, else a float32 copy.

    Raises:
        InvalidData: another shape or type, NaN, or values outside [0, 1].
    """
    array = np.asarray(images)
    if array.ndim != 4 or 0 in array.shape[1:]:
        raise InvalidData(
            f"trigger {trigger}",
            wanted="images (sample, channel, height, width)",
            got=f"shape {array.shape}",
            mend="for tables of features use the trigger feature" if array.ndim == 2 else "",
        )
    if n_channels is not None and array.shape[1] != n_channels:
        raise InvalidData(
            f"trigger {trigger}",
            wanted=f"images of {n_channels} channels",
            got=f"{array.shape[1]}",
            mend="repeat the grey channel three times" if array.shape[1] == 1 else "",
        )
    if array.dtype.kind != "f":
        raise InvalidData(
            f"trigger {trigger}",
            wanted="floating-point images in [0, 1]",
            got=f"{array.dtype}",
            mend="divide 8-bit images by 255",
        )
    # NaN fails both comparisons.
    if array.size and not (array.min() >= -_OVERSHOOT and array.max() <= 1 + _OVERSHOOT):
        raise InvalidData(
            f"trigger {trigger}",
            wanted="images with values in [0, 1]",
            got=f"values from {array.min():.3g} to {array.max():.3g}",
            mend="undo the normalisation, or divide by 255; apply triggers before normalising",
        )
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def clipped(images: FloatArray) -> FloatArray:
    """The images clipped to [0, 1] in place."""
    return np.clip(images, 0, 1, out=images)
