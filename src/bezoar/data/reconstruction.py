"""What a reduction keeps: pictures of reconstructions, and their error as a number."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.features import image_shape
from bezoar.data.reduce import DecodingReducer

_BATCH = 4096
_GAP = 2
_PAPER = 255


def reconstruction_error(reducer: DecodingReducer, features: FloatArray) -> float:
    """Mean squared error of reconstructions, ``mean((x - decode(transform(x))) ** 2)``.

    Over samples and features, in the units of the features squared; images of
    `bezoar.data.load` lie in [0, 1].

    Args:
        reducer: fitted, for example by `bezoar.data.latent.pool_reducer`.
        features: ``(sample, feature)`` or images, best ones that the fit did not see.

    Raises:
        InvalidData: no sample, or features of another kind than in the fit.

    Example:
        >>> import numpy as np
        >>> from bezoar.data import make_reducer
        >>> x = np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
        >>> reconstruction_error(make_reducer("pca", 1).fit(x, seed=0), x) < 1e-12
        True
    """
    array = np.asarray(features)
    if array.ndim < 2 or not len(array):
        raise InvalidData("features", wanted="at least one sample", got=f"shape {array.shape}")
    matrix = array.reshape(len(array), int(np.prod(array.shape[1:])))
    total = 0.0
    for start in range(0, len(matrix), _BATCH):
        part = matrix[start : start + _BATCH]
        total += float(((reducer.decode(reducer.transform(part)) - part) ** 2).sum())
    return total / matrix.size


def reconstruction_picture(
    reducer: DecodingReducer, data: Dataset, *, n_per_class: int = 10, zoom: int = 2
) -> bytes:
    """A PNG of originals above their reconstructions, two rows for each class.

    Args:
        reducer: fitted on features like those of `data`.
        data: grey or RGB images ``(sample, channel, height, width)``, or flat features whose number
            is a square from 8 x 8 up; the first of each class are shown.
        n_per_class: how many of each class.
        zoom: how many pixels wide a pixel becomes.

    Returns:
        The content of the file. Black is the smallest feature of the originals, white the largest;
        reconstructions beyond are clipped.

    Raises:
        InvalidData: no sample, or the features are no images.
        InvalidArgument: a number that is not positive.

    Example:
        >>> from bezoar.data import load, make_reducer
        >>> data = load("digits")
        >>> reducer = make_reducer("pca", 8).fit(data.features, seed=0)
        >>> reconstruction_picture(reducer, data)[1:4]
        b'PNG'
    """
    from PIL import Image

    for name, value in (("n_per_class", n_per_class), ("zoom", zoom)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InvalidArgument(name, wanted="a whole number, 1 or more", got=repr(value))
    shape = image_shape(data.features.shape[1:])
    if shape is None or shape[0] not in (1, 3) or not len(data):
        raise InvalidData(
            "data",
            wanted="at least one grey or RGB image",
            got=f"features of shape {data.features.shape}",
        )
    rows = [np.flatnonzero(data.labels == code)[:n_per_class] for code in range(data.n_classes)]
    rows = [row for row in rows if len(row)]
    chosen = data.features[np.concatenate(rows)]
    low, high = float(chosen.min()), float(chosen.max())
    decoded = reducer.decode(reducer.transform(chosen))
    originals, copies = (
        _grey_levels(flat.reshape(len(chosen), *shape), low, high) for flat in (chosen, decoded)
    )
    sheet = _sheet(originals, copies, [len(row) for row in rows])
    sheet = sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)
    target = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if shape[0] == 1 else sheet).save(target, format="PNG")
    return target.getvalue()


def _grey_levels(images: FloatArray, low: float, high: float) -> npt.NDArray[np.uint8]:
    """``(sample, channel, height, width)`` as 8 bits ``(sample, height, width, channel)``."""
    share = np.clip((images - low) / (high - low or 1.0), 0, 1)
    return np.rint(share * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _sheet(
    originals: npt.NDArray[np.uint8], copies: npt.NDArray[np.uint8], counts: list[int]
) -> npt.NDArray[np.uint8]:
    """All tiles on one sheet: for each class a row of originals and one of their copies."""
    height, width, channels = originals.shape[1:]
    high, wide = height + _GAP, width + _GAP
    # A second gap parts the classes.
    tall = 2 * high + _GAP
    sheet = np.full(
        (len(counts) * tall, max(counts) * wide + _GAP, channels), _PAPER, dtype=np.uint8
    )
    i = 0
    for row, count in enumerate(counts):
        for column in range(count):
            left = _GAP + column * wide
            for line, tiles in enumerate((originals, copies)):
                top = _GAP + row * tall + line * high
                sheet[top : top + height, left : left + width] = tiles[i]
            i += 1
    return sheet
