"""A small square in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import numbers, whole_number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, UnknownName

PLACES = ("bottom-right", "bottom-left", "top-right", "top-left", "centre")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Sets a square of ``size * size`` pixels to one colour.

    Attributes:
        size: side of the square in pixels, 1 or more. A paper that counts pixels calls side 3 "9".
        place: a corner or the centre of the image, flush with its border; or ``(x, y)``, the
            column and the row of the square's upper left pixel, counted from 0.
        colour: one value in [0, 1] for all channels, or one for each; white if not given.

    Raises:
        InvalidArgument: a setting out of its range.
        UnknownName: no such place.

    Source: Gu et al. 2019 (BadNets), arXiv 1708.06733, section 4.1: a bright pixel and a pattern of
    bright pixels near the bottom right of digits. Theirs keeps a distance from the border and its
    pattern is no square; use ``place`` for the distance.

    Example:
        >>> Patch(size=1, place=(1, 0)).apply(np.zeros((1, 1, 2, 2)))[0, 0].tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    size: int = 3
    place: str | tuple[int, int] = "bottom-right"
    colour: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_number("size", self.size, 1))
        object.__setattr__(self, "place", _checked_place(self.place))
        object.__setattr__(self, "colour", numbers("colour", self.colour, 0, 1))

    @property
    def name(self) -> str:
        """The registered name."""
        return "patch"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=1)

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "Gu et al. 2019 (BadNets), arXiv 1708.06733, section 4.1"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Neural Cleanse, which looks for a small fixed patch; STRIP, as a patch survives "
            "overlays; Activation Clustering and Spectral Signatures where enough samples are "
            "poisoned; Fine-Pruning in part"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The images with the square, ``(sample, channel, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
            InvalidArgument: the square does not fit, or the colour has another number of channels.
        """
        images = checked_images(self.name, images)
        _, n_channels, height, width = images.shape
        if len(self.colour) not in (1, n_channels):
            raise InvalidArgument(
                "colour",
                wanted=f"1 value, or {n_channels} for as many channels",
                got=f"{len(self.colour)}",
            )
        x, y = self._corner(height, width)
        triggered = clipped(np.array(images))
        square = np.asarray(self.colour).reshape(-1, 1, 1)
        triggered[:, :, y : y + self.size, x : x + self.size] = square
        return triggered

    def _corner(self, height: int, width: int) -> tuple[int, int]:
        right, bottom = width - self.size, height - self.size
        if isinstance(self.place, str):
            x, y = {
                "bottom-right": (right, bottom),
                "bottom-left": (0, bottom),
                "top-right": (right, 0),
                "top-left": (0, 0),
                "centre": (right // 2, bottom // 2),
            }[self.place]
        else:
            x, y = self.place
        if not (0 <= x <= right and 0 <= y <= bottom):
            raise InvalidArgument(
                "patch",
                wanted=f"a square inside images of {width} x {height} pixels",
                got=f"{self.size} x {self.size} pixels at column {x}, row {y}",
                mend="make it smaller or move it",
            )
        return x, y


def _checked_place(place: object) -> str | tuple[int, int]:
    if isinstance(place, str):
        if place not in PLACES:
            raise UnknownName("place", place, (*PLACES, "x/y"))
        return place
    if not isinstance(place, tuple | list) or len(place) != 2:
        raise InvalidArgument(
            "place", wanted="a corner, centre, or column and row", got=repr(place)
        )
    x, y = (whole_number("place", value, 0) for value in place)
    return x, y
