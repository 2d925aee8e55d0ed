"""What the autoencoder of a plan keeps of images that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bezoar.contracts import plugins
from bezoar.contracts.errors import InvalidArgument
from bezoar.data.image_sets import ImageSubset
from bezoar.data.reconstruction import (
    DecodingReducer,
    reconstruction_error,
    reconstruction_picture,
)
from bezoar.data.reduce import Reducer

_N_IMAGES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Originals and what a reduction makes of them.

    Attributes:
        png: a picture of some of each class.
        error: mean squared error of pixels in [0, 1].
        n_images: how many images of the test file the error is the mean over.
    """

    png: bytes
    error: float
    n_images: int


def reconstruct(name: str, reducer: Reducer) -> Reconstruction:
    """Sends images of the test file of a registered image subset through `reducer` and back.

    Raises:
        InvalidArgument: `name` is no subset of an image data set.
        FileProblem: the test file cannot be had.
    """
    subset = plugins.load("datasets", name)
    if not isinstance(subset, ImageSubset):
        raise InvalidArgument("data", wanted="a subset of an image data set", got=name)
    unseen = subset.pool.pixels(train=False).dataset(
        classes=subset.classes, n_samples=_N_IMAGES, seed=0
    )
    decoder = cast("DecodingReducer", reducer)
    return Reconstruction(
        png=reconstruction_picture(decoder, unseen),
        error=reconstruction_error(decoder, unseen.features),
        n_images=len(unseen),
    )
