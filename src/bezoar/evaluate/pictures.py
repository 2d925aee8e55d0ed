"""Pictures for reports, as the content of PNG files: triggers, heat maps, restored masks."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData

CELL = 96

_GAP = 2
_PAPER = 255
_STEPS = (100, 50, 20, 10, 5, 2)
_MOST_CELLS = 1024

# A map of heat from dark blue over red to pale yellow, whose lightness rises evenly, so that it
# keeps its order in grey and for those who do not tell red from green.
_HEAT = np.array(
    [
        (4, 4, 30),
        (38, 12, 80),
        (84, 16, 110),
        (132, 30, 108),
        (180, 50, 88),
        (218, 82, 60),
        (242, 128, 36),
        (250, 182, 50),
        (252, 240, 165),
    ],
    dtype=np.float64,
)
_HEAT_SHARE = 0.55

Pixels8 = npt.NDArray[np.uint8]
_Reduction = Callable[[FloatArray, IntArray, int], FloatArray]


def amplification(clean: FloatArray, triggered: FloatArray) -> int:
    """The factor by which `trigger_sheet` makes differences larger, for its caption.

    The largest of 1, 2, 5, 10, 20, 50 and 100 with which the largest difference stays in range.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1].

    Raises:
        InvalidData: as in `trigger_sheet`.

    Example:
        >>> amplification(np.zeros((1, 3, 8, 8)), np.full((1, 3, 8, 8), 0.04))
        20
    """
    one, other = _images(clean, "clean"), _images(triggered, "triggered")
    _refuse_other_shape(one, other)
    largest = float(np.abs(other - one).max())
    # Rounded, so that 0.1 in single precision still allows 10.
    return next((step for step in _STEPS if 0 < round(largest * step, 6) <= 1), 1)


def trigger_sheet(clean: FloatArray, triggered: FloatArray, *, cell: int = CELL) -> bytes:
    """Three rows: clean images, the same with the trigger, and the difference made larger.

    The third row shows ``0.5 + a (triggered - clean) / 2``, so grey is no change; ``a`` is what
    `amplification` says. Where large images are averaged in blocks, this row takes the largest
    change of a block, so that a small patch is not lost.

    Args:
        clean, triggered: ``(sample, channel, height, width)`` in [0, 1], grey or RGB; one column
            for each.
        cell: about how many pixels wide an image becomes.

    Returns:
        The content of a PNG file.

    Raises:
        InvalidData: no images, other shapes, or values that are not in [0, 1].
        InvalidArgument: `cell` is not a whole number from 1 to 1024.

    Example:
        >>> clean = np.zeros((2, 3, 8, 8))
        >>> trigger_sheet(clean, clean + 0.1)[1:4]
        b'PNG'
    """
    factor = amplification(clean, triggered)
    one, other = _images(clean, "clean"), _images(triggered, "triggered")
    change = factor * (other - one)
    shown = np.clip(0.5 + _reduced(change, cell, _extremes) / 2, 0, 1)
    return _sheet([_tiles(one, cell), _tiles(other, cell), _tiles(shown, cell)])


def heat_sheet(images: FloatArray, maps: FloatArray, *, cell: int = CELL) -> bytes:
    """Two rows: images, and the same in grey under a map of heat.

    Heat runs from dark blue (0) over red to pale yellow (1), in steps of even lightness.

    Args:
        images: ``(sample, channel, height, width)`` in [0, 1], grey or RGB; one column for each.
        maps: ``(sample, height, width)`` in [0, 1], as `bezoar.evaluate.saliency.grad_cam` gives.
        cell: about how many pixels wide an image becomes.

    Returns:
        The content of a PNG file.

    Raises:
        InvalidData: no images, other shapes, or values that are not in [0, 1].
        InvalidArgument: `cell` is not a whole number from 1 to 1024.

    Example:
        >>> heat_sheet(np.zeros((2, 3, 8, 8)), np.ones((2, 8, 8)))[1:4]
        b'PNG'
    """
    pictures = _images(images, "images")
    heat = _maps(maps, "maps")
    _refuse_other_shape(pictures[:, 0], heat)
    grey = pictures.mean(axis=1, keepdims=True)
    overlay = _HEAT_SHARE * _coloured(heat) + (1 - _HEAT_SHARE) * grey
    return image_sheet(pictures, overlay, cell=cell)


def mask_sheet(masks: FloatArray, patterns: FloatArray, *, cell: int = CELL) -> bytes:
    """Three rows for triggers that a defence restored: mask, pattern, and pattern under the mask.

    Args:
        masks: ``(class, height, width)`` in [0, 1], white where the trigger replaces the image; one
            column for each class.
        patterns: ``(class, channel, height, width)`` in [0, 1], grey or RGB.
        cell: about how many pixels wide an image becomes.

    Returns:
        The content of a PNG file.

    Raises:
        InvalidData: no masks, other shapes, or values that are not in [0, 1].
        InvalidArgument: `cell` is not a whole number from 1 to 1024.

    Example:
        >>> mask_sheet(np.ones((2, 8, 8)), np.zeros((2, 3, 8, 8)))[1:4]
        b'PNG'
    """
    shares, colours = _maps(masks, "masks"), _images(patterns, "patterns")
    _refuse_other_shape(shares, colours[:, 0])
    mask = shares[:, np.newaxis]
    return image_sheet(np.broadcast_to(mask, colours.shape), colours, mask * colours, cell=cell)


def image_sheet(*rows: FloatArray, cell: int = CELL) -> bytes:
    """Rows of images on white.

    A pixel becomes a block of pixels where images are smaller than `cell`; images of more than
    twice `cell` are averaged in blocks. Nothing is smoothed.

    Args:
        rows: one row each, ``(sample, channel, height, width)`` in [0, 1], grey or RGB; all images
            of one height and width, the rows of any length.
        cell: about how many pixels wide an image becomes.

    Returns:
        The content of a PNG file, with a palette where 256 colours do.

    Raises:
        InvalidData: no images, other shapes, or values that are not in [0, 1].
        InvalidArgument: `cell` is not a whole number from 1 to 1024.

    Example:
        >>> image_sheet(np.zeros((3, 1, 8, 8)), np.ones((2, 1, 8, 8)))[1:4]
        b'PNG'
    """
    if not rows:
        raise InvalidData("rows", wanted="one row of images or more", got="none")
    images = [_images(row, f"row {i + 1}") for i, row in enumerate(rows)]
    for other in images[1:]:
        _refuse_other_shape(images[0][0, 0], other[0, 0])
    return _sheet([_tiles(row, cell) for row in images])


def thumbnails(images: FloatArray, *, cell: int = CELL) -> tuple[bytes, ...]:
    """Each image as a file of its own, scaled as by `image_sheet`; for points of a plot.

    Args:
        images: ``(sample, channel, height, width)`` in [0, 1], grey or RGB.
        cell: about how many pixels wide an image becomes.

    Returns:
        The content of one PNG file for each image.

    Raises:
        InvalidData: no images, or values that are not in [0, 1].
        InvalidArgument: `cell` is not a whole number from 1 to 1024.

    Example:
        >>> len(thumbnails(np.zeros((3, 1, 8, 8))))
        3
    """
    return tuple(_png(tile) for tile in _tiles(_images(images, "images"), cell))


def _coloured(heat: FloatArray) -> FloatArray:
    """Colours ``(sample, 3, height, width)`` in [0, 1] of heat ``(sample, height, width)``."""
    places = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(heat, places, channel) for channel in _HEAT.T / 255], axis=1)


def _sheet(tiles: list[Pixels8]) -> bytes:
    """Rows of tiles ``(sample, height, width, 3)`` on white."""
    height, width = tiles[0].shape[1:3]
    high, wide = height + _GAP, width + _GAP
    shape = (len(tiles) * high + _GAP, max(map(len, tiles)) * wide + _GAP, 3)
    sheet = np.full(shape, _PAPER, dtype=np.uint8)
    for row, line in enumerate(tiles):
        top = _GAP + row * high
        for column, tile in enumerate(line):
            left = _GAP + column * wide
            sheet[top : top + height, left : left + width] = tile
    return _png(sheet)


def _tiles(images: FloatArray, cell: int) -> Pixels8:
    """``(sample, height, width, 3)`` of 8 bits, about `cell` pixels wide."""
    images = _reduced(images, cell, _means)
    zoom = max(1, round(cell / max(images.shape[2:])))
    levels = np.rint(images * 255).astype(np.uint8)
    tiles = np.broadcast_to(levels, (len(levels), 3, *levels.shape[2:])).transpose(0, 2, 3, 1)
    return tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)


def _reduced(images: FloatArray, cell: int, reduce: _Reduction) -> FloatArray:
    """Images of more than twice `cell` in blocks of pixels, others as they are."""
    if (
        isinstance(cell, bool)
        or not isinstance(cell, int | np.integer)
        or not 1 <= cell <= _MOST_CELLS
    ):
        raise InvalidArgument(
            "cell", wanted=f"a whole number of pixels from 1 to {_MOST_CELLS}", got=repr(cell)
        )
    longest = max(images.shape[2:])
    step = longest // cell if longest > 2 * cell else 1
    for axis in (2, 3):
        starts = np.arange(0, images.shape[axis], step)
        images = images if step == 1 else reduce(images, starts, axis)
    return images


def _means(images: FloatArray, starts: IntArray, axis: int) -> FloatArray:
    sizes = np.diff([*starts, images.shape[axis]])
    shape = [1] * images.ndim
    shape[axis] = len(sizes)
    return np.clip(np.add.reduceat(images, starts, axis=axis) / sizes.reshape(shape), 0, 1)


def _extremes(change: FloatArray, starts: IntArray, axis: int) -> FloatArray:
    highest = np.maximum.reduceat(change, starts, axis=axis)
    lowest = np.minimum.reduceat(change, starts, axis=axis)
    return np.where(highest >= -lowest, highest, lowest)


def _png(pixels: Pixels8) -> bytes:
    from PIL import Image

    # One number for each colour; unique rows would be sorted as rows, which is slow.
    numbers = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    colours, codes = np.unique(numbers, return_inverse=True)
    if len(colours) <= 256:
        picture = Image.fromarray(codes.reshape(pixels.shape[:2]).astype(np.uint8))
        palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
        picture.putpalette(palette.astype(np.uint8).tobytes())
    else:
        picture = Image.fromarray(pixels)
    target = io.BytesIO()
    picture.save(target, format="PNG", optimize=True)
    return target.getvalue()


def _images(values: FloatArray, name: str) -> FloatArray:
    images = np.asarray(values)
    if images.ndim != 4 or not images.size or images.shape[1] not in (1, 3):
        raise InvalidData(
            name,
            wanted="one or more grey or RGB images (sample, channel, height, width)",
            got=f"shape {images.shape}",
        )
    return _in_range(images, name)


def _maps(values: FloatArray, name: str) -> FloatArray:
    maps = np.asarray(values)
    if maps.ndim != 3 or not maps.size:
        raise InvalidData(
            name, wanted="one or more maps (sample, height, width)", got=f"shape {maps.shape}"
        )
    return _in_range(maps, name)


def _in_range(values: FloatArray, name: str) -> FloatArray:
    # NaN fails both comparisons; single precision may leave the range by a rounding.
    if values.dtype.kind not in "biuf" or not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise InvalidData(name, wanted="numbers in [0, 1]", got="others")
    return np.clip(values, 0, 1).astype(np.float64)


def _refuse_other_shape(one: npt.NDArray, other: npt.NDArray) -> None:
    if one.shape != other.shape:
        raise InvalidData("shapes", wanted=f"the same, {one.shape}", got=other.shape)
