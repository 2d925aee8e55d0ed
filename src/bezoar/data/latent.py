"""Latent features of a whole data set: one autoencoder for all its images, trained once."""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts import plugins
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import BezoarWarning, FileProblem
from bezoar.contracts.progress import Progress, silent
from bezoar.data.downloads import cache_folder
from bezoar.data.features import check_seed, image_shape
from bezoar.data.image_sets import ImageSet, ImageSubset
from bezoar.data.load import load

if TYPE_CHECKING:
    from bezoar.data.autoencoder import Autoencoder, FittedAutoencoder

# Part of the key: raise it when the layers or the training change, so that no old file is used.
_FORMAT = 1

_IMAGES_SEEN = 300_000
_MOST_PASSES = 20


def pool_reducer(
    source: str,
    n_components: int,
    *,
    label: str | None = None,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> FittedAutoencoder:
    """The autoencoder of the whole data set that `source` is drawn from, trained once.

    The pool of a subset such as ``mnist-4`` is its parent's whole train file, all classes, without
    labels; of a whole image set its train file; of any other data set all its samples. The result
    is kept in the cache folder under a key of the pool's content, the settings and the seed, so
    that the same call loads it in an instant.

    Source: QUID (arXiv 2411.14412, section 5.1) reduces each data set by a convolutional
    autoencoder to d = 8 or 16 and draws its 4-class sets from the reduced features. It tells
    neither layers nor training; ours are those of `pool_settings`. An attacker or victim of the
    paper therefore sees features that are shaped by images of the test part, though not by labels.

    Args:
        source: a registered name, or a file as `bezoar.data.load` takes it.
        n_components: latent features, at most the number of features.
        label: the label column of a file, which is no feature.
        seed: of the first weights and of the order of the samples.
        folder: where the files of a registered image set are, as in `bezoar.data.load`.
        cache: where fitted autoencoders are kept; None for ``autoencoders`` in the cache folder
            that BEZOAR_CACHE names, else the user's.
        progress: told of downloads and of each training step.

    Returns:
        The fitted autoencoder; `transform` wants features as `bezoar.data.load` gives them.

    Raises:
        UnknownName, FileProblem, InvalidData: as in `bezoar.data.load`.
        InvalidArgument: more components than features, or a negative seed.
    """
    features = _pool(source, label, folder, progress)
    return fit_once(features, n_components, seed=seed, cache=cache, progress=progress)


def fit_once(
    features: FloatArray | npt.NDArray[np.uint8],
    n_components: int,
    *,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> FittedAutoencoder:
    """Fits an autoencoder on `features`, or takes it from the cache if that was done before.

    8-bit images are trained on with the settings of `pool_settings`, other features as by
    ``make_reducer("autoencoder", n_components)``. A damaged file in the cache is trained again, and
    a cache that cannot be written is no failure; both are told by a `BezoarWarning`.

    Args:
        features: 8-bit images ``(sample, channel, height, width)``, or features as in
            `bezoar.data.autoencoder.Autoencoder.fit`.
        n_components, seed, cache, progress: as in `pool_reducer`.

    Raises:
        InvalidArgument, InvalidData: as in `bezoar.data.autoencoder.Autoencoder`.
    """
    # torch takes seconds to load, so only who trains an autoencoder waits for it.
    from bezoar.data.autoencoder import Autoencoder
    from bezoar.data.autoencoder_store import read_autoencoder, write_autoencoder

    check_seed(seed)
    array: npt.NDArray[Any] = np.asarray(features)
    is_pixels = array.dtype == np.uint8 and array.ndim == 4
    settings = (
        pool_settings(n_components, len(array))
        if is_pixels
        else Autoencoder(n_components=n_components)
    )
    folder = Path(cache) if cache is not None else cache_folder() / "autoencoders"
    path = folder / f"{_key(array, settings, seed)}.npz"
    if path.exists():
        try:
            return read_autoencoder(
                path,
                settings=settings,
                n_features=int(np.prod(array.shape[1:])),
                shape=image_shape(array.shape[1:]),
            )
        except FileProblem as error:
            warnings.warn(f"{error}; it is trained again", BezoarWarning, stacklevel=2)
    fit = settings.fit_pixels if is_pixels else settings.fit
    fitted = fit(array, seed=seed, progress=progress)
    try:
        write_autoencoder(path, fitted)
    except FileProblem as error:
        warnings.warn(
            f"{error}; the autoencoder is not kept for the next run", BezoarWarning, stacklevel=2
        )
    return fitted


def pool_settings(n_components: int, n_images: int) -> Autoencoder:
    """The settings for a whole image set, chosen by reconstruction error and time alone.

    8 and 32 channels, batches of 64, Adam at 0.003, and as many passes as show 300,000 images, but
    20 at most: 5 over the 60,000 images of MNIST, 3 over the 124,800 of EMNIST Letters. No label
    and no accuracy had a part in the choice.

    Args:
        n_components: latent features.
        n_images: how many images the pool has.
    """
    from bezoar.data.autoencoder import Autoencoder

    return Autoencoder(
        n_components=n_components,
        epochs=min(math.ceil(_IMAGES_SEEN / max(n_images, 1)), _MOST_PASSES),
        min_updates=1,
        batch_size=64,
        learning_rate=3e-3,
        channels=(8, 32),
    )


def _pool(
    source: str, label: str | None, folder: str | os.PathLike[str] | None, progress: Progress
) -> FloatArray | npt.NDArray[np.uint8]:
    if source in plugins.names("datasets"):
        loader = plugins.load("datasets", source)
        whole = loader.pool if isinstance(loader, ImageSubset) else loader
        if isinstance(whole, ImageSet):
            return whole.pixels(folder=folder, progress=progress).images
    return load(source, label=label, all_samples=True, folder=folder, progress=progress).features


def _key(array: npt.NDArray[Any], settings: Autoencoder, seed: int) -> str:
    told = {
        "format": _FORMAT,
        "settings": asdict(settings),
        "seed": int(seed),
        "shape": array.shape,
        "type": array.dtype.str,
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
