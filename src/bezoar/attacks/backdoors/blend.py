"""A faint picture over the whole image."""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bezoar.attacks.backdoors.pixels import checked_images, clipped
from bezoar.attacks.backdoors.settings import number, whole_number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.contracts.seeds import generator

PATTERNS = ("noise", "checker")
_SQUARES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Blends every image with one pattern.

    ``x' = (1 - ratio) x + ratio p``.

    Attributes:
        ratio: share of the pattern, in [0, 1].
        pattern: ``noise`` (each value of p uniform in [0, 1], drawn from `seed` at the size of the
            images), ``checker`` (8 x 8 squares, black at the upper left), or the path of a picture,
            which is read once and resized to the images.
        seed: of the noise, 0 or more.
        digest: SHA-256 of the picture, "" without one; not a setting.

    Raises:
        InvalidArgument: a setting out of its range.
        FileProblem: the picture cannot be read.

    Source: Chen et al. 2017, arXiv 1712.05526, the blended injection strategy, with a cartoon and a
    random pattern; the checker is ours.

    Example:
        >>> Blend(ratio=0.5, pattern="checker").apply(np.ones((1, 1, 8, 8)))[0, 0, 0, :3].tolist()
        [0.5, 1.0, 0.5]
    """

    ratio: float = 0.1
    pattern: str = "noise"
    seed: int = 0
    digest: str = field(init=False)
    # The picture is kept so that a file that changes later does not change the trigger.
    _content: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", number("ratio", self.ratio, 0, 1))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        if not isinstance(self.pattern, str | Path) or not str(self.pattern):
            raise InvalidArgument(
                "pattern", wanted="noise, checker, or the path of a picture", got=repr(self.pattern)
            )
        object.__setattr__(self, "pattern", str(self.pattern))
        content = b"" if self.pattern in PATTERNS else _read(self.pattern)
        object.__setattr__(self, "_content", content)
        object.__setattr__(self, "digest", hashlib.sha256(content).hexdigest() if content else "")

    @property
    def name(self) -> str:
        """The registered name."""
        return "blend"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=1)

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "Chen et al. 2017, arXiv 1712.05526, the blended injection strategy"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "Activation Clustering and Spectral Signatures where enough samples are poisoned; "
            "STRIP where the ratio is large; Fine-Pruning in part; Neural Cleanse less, as the "
            "pattern covers the whole image"
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The blended images, ``(sample, channel, height, width)`` in [0, 1].

        Raises:
            InvalidData: not such images.
            InvalidArgument: a picture as pattern, and images that are neither grey nor RGB.
        """
        images = checked_images(self.name, images)
        pattern = self._pattern(*images.shape[1:]).astype(images.dtype)
        blended = images * images.dtype.type(1 - self.ratio)
        blended += images.dtype.type(self.ratio) * pattern
        return clipped(blended)

    def _pattern(self, n_channels: int, height: int, width: int) -> FloatArray:
        """p, ``(channel, height, width)`` in [0, 1]."""
        if self.pattern == "noise":
            return _noise(self.seed, n_channels, height, width)
        if self.pattern == "checker":
            rows = np.arange(height) * _SQUARES // height
            columns = np.arange(width) * _SQUARES // width
            squares = (rows[:, None] + columns) % 2
            return np.broadcast_to(squares.astype(float), (n_channels, height, width))
        return _picture(self._content, self.pattern, n_channels, height, width)


@functools.lru_cache(maxsize=8)
def _noise(seed: int, n_channels: int, height: int, width: int) -> FloatArray:
    noise = generator(seed, "blend", "noise").random((n_channels, height, width))
    noise.setflags(write=False)
    return noise


def _read(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise FileProblem(
            path,
            f"cannot be read as the pattern of a blend ({getattr(error, 'strerror', '') or error})",
            mend="name noise, checker, or the path of a picture",
        ) from error
    _picture(content, path, 3, 1, 1)
    return content


@functools.lru_cache(maxsize=8)
def _picture(content: bytes, path: str, n_channels: int, height: int, width: int) -> FloatArray:
    from PIL import Image

    modes = {1: "L", 3: "RGB"}
    if n_channels not in modes:
        raise InvalidArgument(
            "pattern",
            wanted=f"noise or checker for images of {n_channels} channels",
            got=path,
            mend="a picture fits grey or RGB images",
        )
    try:
        with Image.open(io.BytesIO(content)) as picture:
            resized = picture.convert(modes[n_channels]).resize(
                (width, height), Image.Resampling.BILINEAR
            )
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FileProblem(
            path, "is not a picture that can be read", mend="save it as PNG or JPEG"
        ) from error
    values = np.asarray(resized, dtype=float).reshape(height, width, n_channels) / 255
    values.setflags(write=False)
    return values.transpose(2, 0, 1)
