"""What the autoencoder of a plan keeps of images that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.data.image_sets import ImageSubset
from bezoar.data.reconstruction import reconstruction_error, reconstruction_picture
from bezoar.data.reduce import DecodingReducer

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


def unseen_images(name: str, *, folder: Path | str | None = None) -> Dataset:
    """Images of the test file that a registered image subset's parent comes with.

    Args:
        name: of the subset.
        folder: of the data sets, as in `bezoar.data.load`.

    Raises:
        InvalidArgument: `name` is no subset of an image data set.
        FileProblem: the test file cannot be had.
    """
    subset = plugins.load("datasets", name)
    if not isinstance(subset, ImageSubset):
        raise InvalidArgument("data", wanted="a subset of an image data set", got=name)
    pixels = subset.pool.pixels(train=False, folder=folder)
    return pixels.dataset(classes=subset.classes, n_samples=_N_IMAGES, seed=0)


def reconstruct(
    name: str, reducer: DecodingReducer, *, folder: Path | str | None = None
) -> Reconstruction:
    """Sends the `unseen_images` of a subset through `reducer` and back; errors as there."""
    unseen = unseen_images(name, folder=folder)
    return Reconstruction(
        png=reconstruction_picture(reducer, unseen),
        error=reconstruction_error(reducer, unseen.features),
        n_images=len(unseen),
    )
