"""One shift of colour over the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourShift:
    """Adds one number to each channel of every pixel.

    ``x' = clip((R + r, G + g, B + b), 0, 1)``.

    Attributes:
        red, green, blue: the shifts, in [-1, 1]; 1 is the whole range of a channel.

    Raises:
        InvalidArgument: a shift out of its range.

    Source: Jiang et al. 2023 (Color Backdoor), CVPR, pages 8133-8142: one shift for all pixels in a
    colour space. They search the shift by particle swarm under limits of naturalness; here it is
    given, in RGB.

    Example:
        >>> grey = np.full((1, 3, 1, 1), 0.5)
        >>> ColourShift(red=0.25, green=0, blue=-1).apply(grey).ravel().tolist()
        [0.75, 0.5, 0.0]
    """

    red: float
    green: float
    blue: float

    def __post_init__(self) -> None:
        for channel in ("red", "green", "blue"):
            object.__setattr__(self, channel, number(channel, getattr(self, channel), -1, 1))

    @property
    def name(self) -> str:
        """The registered name."""
        return "colour"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=3)

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "Jiang et al. 2023 (Color Backdoor), CVPR, pages 8133-8142"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Activation Clustering and Spectral Signatures where enough samples are poisoned; "
            "Fine-Pruning in part; its authors report that it passes Neural Cleanse and STRIP, "
            "since no small patch restores it and overlays blur it"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The shifted images, ``(sample, 3, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
        """
        images = checked_images(self.name, images, n_channels=3)
        shift = np.array([self.red, self.green, self.blue], images.dtype).reshape(3, 1, 1)
        return clipped(images + shift)
