"""The Qcolor trigger: each colour channel multiplied by a factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class QColor:
    """Multiplies each colour channel by its factor.

    ``x' = clip((a_R R, a_G G, a_B B), 0, 1)``; factors of 1 change nothing.

    Attributes:
        red, green, blue: the factors a_R, a_G, a_B, 0 or more.

    Raises:
        InvalidArgument: a factor that is negative or not finite.

    Source: the Qcolor backdoor of arXiv 2407.16273, section 5.1. The paper says in words that the
    ratios of the three channels are adjusted by trigger factors; its equation is lost in the copy
    that we read, so the formula and the clipping are our reconstruction.

    Example:
        >>> grey = np.full((1, 3, 1, 1), 0.5)
        >>> QColor(red=1.5, green=1, blue=0.5).apply(grey).ravel().tolist()
        [0.75, 0.5, 0.25]
    """

    red: float
    green: float
    blue: float

    def __post_init__(self) -> None:
        for channel in ("red", "green", "blue"):
            object.__setattr__(self, channel, number(channel, getattr(self, channel), 0, math.inf))

    @property
    def name(self) -> str:
        """The registered name."""
        return "qcolor"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=3)

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "arXiv 2407.16273 (Qcolor backdoor), section 5.1, the equation reconstructed"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Activation Clustering and Spectral Signatures where enough samples are poisoned; its "
            "authors report that it passes Fine-Pruning, Neural Cleanse and STRIP"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The recoloured images, ``(sample, 3, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
        """
        images = checked_images(self.name, images, n_channels=3)
        # A factor beyond the range of float32 would make 0 * infinity out of black pixels.
        largest = float(np.finfo(images.dtype).max)
        factors = np.minimum([self.red, self.green, self.blue], largest).astype(images.dtype)
        with np.errstate(over="ignore"):
            return clipped(images * factors.reshape(3, 1, 1))
