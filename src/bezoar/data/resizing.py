"""Images of any kind and size as RGB squares of 8 bits."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import FileProblem, InvalidArgument

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow decodes by itself. Others it would hand to programs (EPS to Ghostscript), or they hold
# no pictures that one trains on.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# A small file may unpack to gigabytes; no camera for a training set makes more pixels than this.
MOST_PIXELS = 100_000_000

_SMALLEST, _LARGEST = 4, 1024
_WHITE = (255, 255, 255)


def check_size(size: int) -> int:
    """Refuses a side of an image that is not a whole number from 4 to 1024.

    Raises:
        InvalidArgument: it is not.
    """
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or not _SMALLEST <= size <= _LARGEST:
        raise InvalidArgument(
            "size", wanted=f"a whole number of pixels from {_SMALLEST} to {_LARGEST}", got=size
        )
    return int(size)


def read_square(path: str | os.PathLike[str], size: int) -> npt.NDArray[np.uint8]:
    """The image in a file as an RGB square, ``(3, size, size)``.

    JPEG, PNG, WebP, BMP, GIF, TIFF and PPM; of moving pictures the first frame. It is turned as
    its Exif data say; transparent parts become white; 16-bit grey becomes 8-bit. Then as `square`.

    Args:
        path: the file; a symbolic link is followed.
        size: width and height to return, in pixels.

    Raises:
        FileProblem: no image, a damaged one, one of more than 100 million pixels, or of pixels
            that have no range (32-bit or floating-point grey).
    """
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow's remarks on metadata name no file; what matters is raised below.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise FileProblem(
                        path, f"is too large: {width:,} x {height:,} pixels", mend="shrink it"
                    )
                return square(_rgb(image), size)
        except FileProblem:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise FileProblem(path, "is too large: it unpacks to hundreds of megabytes") from error
        except OSError as error:
            raise FileProblem(path, f"is no image that can be read ({_reason(error)})") from error
        except Exception as error:  # decoders raise many kinds for damaged files
            raise FileProblem(
                path, f"is a damaged image ({type(error).__name__}: {error})"
            ) from error


def square(image: Image, size: int) -> npt.NDArray[np.uint8]:
    """The central square of an RGB image, scaled to ``(3, size, size)``.

    Bicubic, and when shrinking with a support as wide as the step, so that fine structure is
    averaged and not sampled (antialiasing).

    Args:
        image: mode RGB, any size.
        size: width and height to return, in pixels.
    """
    from PIL import Image

    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    if (width, height) != (size, size):
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def squares(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """8-bit images as RGB squares ``(sample, 3, size, size)``, each as by `square`.

    Args:
        images: ``(sample, channel, height, width)`` with 1 channel, which is repeated, or 3.
        size: width and height to return, in pixels.

    Example:
        >>> import numpy as np
        >>> squares(np.full((2, 1, 8, 8), 7, np.uint8), 32).shape
        (2, 3, 32, 32)
    """
    from PIL import Image

    n_samples, n_channels, height, width = images.shape
    if (height, width) == (size, size):
        return np.ascontiguousarray(np.broadcast_to(images, (n_samples, 3, size, size)))
    result = np.empty((n_samples, 3, size, size), np.uint8)
    for i, channels in enumerate(images):
        rows = np.broadcast_to(channels, (3, height, width)) if n_channels == 1 else channels
        picture = Image.fromarray(np.ascontiguousarray(rows.transpose(1, 2, 0)))
        result[i] = square(picture, size)
    return result


def _rgb(image: Image) -> Image:
    from PIL import Image, ImageOps

    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    if not deep and (image.mode == "F" or image.mode.startswith("I")):
        raise FileProblem(
            getattr(image, "filename", "image"),
            "has grey values without a range (32-bit or floating point)",
            mend="save it with 8 or 16 bits",
        )
    # Orientation is read from the file's metadata, which a conversion would drop.
    image = ImageOps.exif_transpose(image)
    if deep:
        # Pillow's own conversion clips at 255, which leaves a white picture.
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, _WHITE)
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def _reason(error: OSError) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"none of {', '.join(FORMATS)}"
    return error.strerror or str(error) or type(error).__name__
