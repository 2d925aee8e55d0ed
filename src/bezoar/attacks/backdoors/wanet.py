"""A warp of the whole image, too small to be seen."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import number, whole_number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.seeds import generator

_CHUNK = 64
_LARGEST = 1e6
_FINEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WaNet:
    """Moves every pixel along one smooth random field.

    ``x'(p) = x(clip(rescale (p + s F(p) / size), -1, 1))`` with positions p in [-1, 1] across each
    side, bilinear in x. F is a field of k x k random directions, ``U[-1, 1] / mean|U|``, brought to
    the size of the image by bicubic interpolation. So s is the mean shift in half pixels.

    Attributes:
        k: side of the grid of directions, 2 to 1024.
        s: strength, 0 to a million; 0 changes nothing.
        rescale: factor on all positions, above 0, to a million; below 1 it enlarges the image a
            little, so that no pixel comes from outside.
        seed: of the field, 0 or more.

    Raises:
        InvalidArgument: a setting out of its range.

    Source: Nguyen and Tran 2021 (WaNet), arXiv 2102.10369, section 3, with the defaults of their
    code. They train the victim themselves and draw cover samples anew in each batch; here the data
    are poisoned once, so each cover sample has one random warp. Sides of unequal length each have
    their own unit; theirs are square.

    Example:
        >>> ramp = np.tile(np.linspace(0, 1, 8), (8, 1))[None, None]
        >>> moved = WaNet(s=1.0).apply(ramp)
        >>> moved.shape, bool(0 < np.abs(moved - ramp).max() < 0.3)
        ((1, 1, 8, 8), True)
    """

    k: int = 4
    s: float = 0.5
    rescale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", whole_number("k", self.k, 2))
        if self.k > _FINEST:
            raise InvalidArgument("k", wanted=f"at most {_FINEST}", got=self.k)
        object.__setattr__(self, "s", number("s", self.s, 0, _LARGEST))
        object.__setattr__(self, "rescale", number("rescale", self.rescale, 0, _LARGEST))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        if not self.rescale:
            raise InvalidArgument("rescale", wanted="a number above 0", got=self.rescale)

    @property
    def name(self) -> str:
        """The registered name."""
        return "wanet"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=0, always=("k", "s"))

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "Nguyen and Tran 2021 (WaNet), arXiv 2102.10369, section 3"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Activation Clustering and Spectral Signatures where enough samples are poisoned; its "
            "authors report that it passes Fine-Pruning, Neural Cleanse and STRIP"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The warped images, ``(sample, channel, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
        """
        images = checked_images(self.name, images)
        if self.s == 0 and self.rescale == 1:
            # Interpolating at the pixels themselves would still round.
            return clipped(np.array(images))
        return _sampled(images, self._grid(images)[None])

    def cover(self, images: FloatArray, *, seeds: Sequence[int]) -> FloatArray:
        """The images under the warp and a random shift of up to half a pixel at each place.

        Args:
            images: ``(sample, channel, height, width)`` in [0, 1].
            seeds: one for each image.

        Raises:
            InvalidData: not such images.
            InvalidArgument: not one seed for each image.
        """
        images = checked_images(self.name, images)
        if len(seeds) != len(images):
            raise InvalidArgument("seeds", wanted=f"{len(images)}, one for each", got=len(seeds))
        height, width = images.shape[2:]
        covers = np.empty_like(images)
        grid = self._grid(images)
        for where in range(0, len(images), _CHUNK):
            part = slice(where, where + _CHUNK)
            shifts = np.stack(
                [np.random.default_rng(s).uniform(-1, 1, (height, width, 2)) for s in seeds[part]]
            ) / (width, height)
            covers[part] = _sampled(images[part], np.clip(grid + shifts, -1, 1))
        return covers

    def _grid(self, images: FloatArray) -> FloatArray:
        """Where each pixel comes from: x and y in [-1, 1], ``(height, width, 2)``."""
        height, width = images.shape[2:]
        field = _field(self.k, self.seed, height, width)
        x, y = np.meshgrid(_positions(width), _positions(height))
        warped = np.stack([x, y], axis=-1) + self.s * field / (width, height)
        return np.clip(self.rescale * warped, -1, 1)


def _positions(n_pixels: int) -> FloatArray:
    return np.linspace(-1, 1, n_pixels) if n_pixels > 1 else np.zeros(1)


@functools.lru_cache(maxsize=8)
def _field(k: int, seed: int, height: int, width: int) -> FloatArray:
    """F, ``(height, width, 2)``."""
    import torch
    from torch.nn import functional

    directions = generator(seed, "wanet", "field").uniform(-1, 1, (1, 2, k, k))
    directions /= np.abs(directions).mean()
    smooth = functional.interpolate(
        torch.from_numpy(directions), size=(height, width), mode="bicubic", align_corners=True
    )
    field = smooth[0].permute(1, 2, 0).contiguous().numpy()
    field.setflags(write=False)
    return field


def _sampled(images: FloatArray, grid: FloatArray) -> FloatArray:
    """The images read at the positions of `grid`, ``(1 or sample, height, width, 2)``."""
    import torch
    from torch.nn import functional

    sampled = np.empty_like(images)
    for where in range(0, len(images), _CHUNK):
        part = slice(where, where + _CHUNK)
        # A copy, since torch does not take read-only arrays; in chunks, so that it stays small.
        inputs = torch.from_numpy(np.array(images[part]))
        places = torch.from_numpy(grid if len(grid) == 1 else grid[part]).to(inputs.dtype)
        sampled[part] = functional.grid_sample(
            inputs,
            places.expand(len(inputs), -1, -1, -1),
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
    return clipped(sampled)
