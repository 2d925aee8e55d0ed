"""Exhibits as images that a page can show without a request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from bezoar.contracts.records import Exhibit

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Images with sides of up to so many pixels are enlarged, each pixel to a square.
_SMALL = 400
#: How wide an image becomes, at most, by enlarging it: small multiples, and a large one.
NARROW, WIDE = 330, 720
_LARGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a page.

    Attributes:
        address: a ``data:`` address.
        title: what it shows.
        width, height: at which it is shown, in pixels, where there is room.
        small: whether its pixels are enlarged to squares.
    """

    address: str
    title: str
    width: int
    height: int
    small: bool


def image_of(exhibit: Exhibit, *, widest: int = NARROW) -> Image | None:
    """The exhibit as an image; None where it is no PNG, so that nothing else gets into a page.

    Args:
        exhibit: the image.
        widest: enlarged images become no wider than this.
    """
    try:
        raw = base64.b64decode(exhibit.png, validate=True)
    except (binascii.Error, ValueError):
        return None
    # A PNG begins with its signature and the header chunk, which holds width and height.
    if not raw.startswith(_SIGNATURE) or raw[12:16] != b"IHDR" or len(raw) < 24:
        return None
    width, height = (int.from_bytes(raw[at : at + 4], "big") for at in (16, 20))
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        return None
    times = max(1, widest // width) if max(width, height) <= _SMALL else 1
    return Image(
        address=f"data:image/png;base64,{base64.b64encode(raw).decode()}",
        title=exhibit.title or exhibit.name,
        width=times * width,
        height=times * height,
        small=times > 1,
    )


def images_of(exhibits: Iterable[Exhibit], *, widest: int = NARROW) -> list[Image]:
    """Those that can be shown."""
    found = (image_of(exhibit, widest=widest) for exhibit in exhibits)
    return [image for image in found if image is not None]
