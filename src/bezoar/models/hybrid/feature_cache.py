"""Features of a frozen trunk on disk, under a key of all that they depend on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import write_whole
from bezoar.data.downloads import cache_folder

# Of all files together; the ones that were not read for the longest time go first.
CACHE_LIMIT = 2 << 30

_FORMAT = 1


def cached_features(
    trunk: nn.Module,
    images: FloatArray,
    compute: Callable[[], FloatArray],
    *,
    precision: str,
    folder: Path | None = None,
) -> FloatArray:
    """What `compute` gives, from disk if it was computed before.

    A file that is damaged is computed again; a folder that cannot be written is done without.

    Args:
        trunk: whose class, weights and precision the key holds.
        images: whose numbers the key holds.
        compute: gives ``(sample, feature)`` float32.
        precision: that `compute` uses in fact.
        folder: of the cache; None for ``features`` in our cache folder.
    """
    from safetensors.numpy import save

    folder = cache_folder() / "features" if folder is None else folder
    path = folder / f"{_key(trunk, images, precision)}.safetensors"
    found = _read(path, len(images))
    if found is not None:
        return found
    features = compute()
    try:
        write_whole(path, lambda handle: handle.write(save({"features": features})))
        _make_room(folder, path)
    except FileProblem:
        pass
    return features


def _key(trunk: nn.Module, images: FloatArray, precision: str) -> str:
    """A hash of the trunk's class and weights, the images and the precision."""
    made_by = type(trunk)
    words = (_FORMAT, made_by.__module__, made_by.__qualname__, precision, images.shape)
    digest = hashlib.sha256(repr(words).encode())
    for name, weights in trunk.state_dict().items():
        digest.update(f"{name} {tuple(weights.shape)} {weights.dtype}".encode())
        digest.update(weights.detach().cpu().flatten().view(torch.uint8).numpy().data)
    # As they go in: float64 images that round to the same float32 are the same.
    digest.update(np.ascontiguousarray(images, dtype=np.float32).data)
    return digest.hexdigest()


def _read(path: Path, n_samples: int) -> FloatArray | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        features = load_file(path)["features"]
        os.utime(path)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        return None
    good = features.dtype == np.float32 and features.ndim == 2 and len(features) == n_samples
    return features if good and np.isfinite(features).all() else None


def _make_room(folder: Path, keep: Path) -> None:
    files = []
    for path in folder.glob("*.safetensors"):
        try:
            status = path.stat()
        except OSError:
            continue  # another process removed it
        files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= CACHE_LIMIT:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            total -= size
