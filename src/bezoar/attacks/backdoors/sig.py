"""A faint sinusoid over the whole image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinusoid:
    """Adds a horizontal wave, the same in all rows and channels.

    ``x'(i, j) = clip(x(i, j) + delta sin(2 pi j f / w), 0, 1)`` for column j of w, counted from 1.

    Attributes:
        delta: amplitude, in [0, 1]; 20 of 255 grey levels are about 0.08.
        f: periods across the image, 0 or more.

    Raises:
        InvalidArgument: a setting out of its range.

    Source: Barni, Kallas and Tondi 2019 (SIG), arXiv 1902.11237, the horizontal sinusoid; they
    poison samples of the target class under their own label (`clean_label`). The amplitude at test
    time may differ from that in training; for that make two triggers.

    Example:
        >>> wave = Sinusoid(delta=0.5, f=1).apply(np.full((1, 1, 1, 4), 0.5))
        >>> wave.ravel().round(3).tolist()
        [1.0, 0.5, 0.0, 0.5]
    """

    delta: float = 0.08
    f: float = 6.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", number("delta", self.delta, 0, 1))
        object.__setattr__(self, "f", number("f", self.f, 0, math.inf))

    @property
    def name(self) -> str:
        """The registered name."""
        return "sig"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=0, always=("delta", "f"))

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "Barni, Kallas and Tondi 2019 (SIG), arXiv 1902.11237, the horizontal sinusoid"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Activation Clustering and Spectral Signatures where labels are changed, hardly where "
            "they are clean; Fine-Pruning in part; Neural Cleanse seldom, as no small patch "
            "restores a wave over the whole image"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The images with the wave, ``(sample, channel, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
        """
        images = checked_images(self.name, images)
        width = images.shape[3]
        # Whole periods between neighbouring columns cancel; without them huge f stay exact.
        turns = np.arange(1, width + 1) * math.fmod(self.f, width) / width
        wave = self.delta * np.sin(2 * np.pi * turns)
        return clipped(images + wave.astype(images.dtype))
