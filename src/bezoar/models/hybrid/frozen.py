"""What the frozen stages give, computed once: in memory while it fits, else in a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder
from bezoar.contracts.progress import Progress
from bezoar.data.downloads import CACHE_VARIABLE, cache_folder
from bezoar.models.hybrid.scoring import as_tensor, batches

# Beyond this, maps lie in a file that the system pages in: layer 1 of a ResNet at 224 pixels has
# 0.8 MB per image in float32.
MEMORY_LIMIT = 1 << 30
BATCH = 128

# Gives the rows with these positions as a batch.
Rows = Callable[[IntArray], Tensor]


@contextmanager
def frozen_maps(
    below: Callable[[Tensor], Tensor] | None, images: FloatArray, *, progress: Progress
) -> Iterator[Rows]:
    """Rows of what `below` makes of the images; the images themselves where it is None.

    The maps are kept in the precision that `below` gives. A file, if one is needed, lies in our
    cache folder for as long as the block runs.

    Args:
        below: the frozen stages, without gradients.
        images: ``(sample, channel, height, width)``.
        progress: told of images.

    Raises:
        FileProblem: a file is needed and its folder cannot be written.
    """
    if below is None:
        yield lambda positions: as_tensor(images[positions])
        return
    first = _rows_last(below(as_tensor(images[:2])))
    shape = (len(images), *first.shape[1:])
    n_bytes = int(np.prod(shape)) * first.element_size()
    if n_bytes <= MEMORY_LIMIT:
        yield _filled(torch.empty(shape, dtype=first.dtype), below, images, progress)
        return
    folder = make_folder(cache_folder() / "maps")
    with tempfile.TemporaryDirectory(prefix=".maps-", dir=folder) as temporary:
        file = Path(temporary, "maps")
        _reserve(file, n_bytes)
        size = int(np.prod(shape))
        store = torch.from_file(str(file), shared=True, size=size, dtype=first.dtype).view(shape)
        yield _filled(store, below, images, progress)


def _reserve(file: Path, n_bytes: int) -> None:
    """Takes the space at once: a disk that fills up under a mapped file ends the process."""
    with file.open("wb") as handle:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle.fileno(), 0, n_bytes)
            else:
                handle.truncate(n_bytes)
        except OSError as error:
            raise FileProblem(
                file.parent.parent,
                f"has no space for {n_bytes / 1e9:.1f} GB of maps ({error.strerror or error})",
                mend=f"let {CACHE_VARIABLE} name a folder with free space, or train from an "
                "earlier stage",
            ) from error


def _filled(
    store: Tensor, below: Callable[[Tensor], Tensor], images: FloatArray, progress: Progress
) -> Rows:
    done = 0
    for part in batches(images, BATCH):
        store[done : done + len(part)] = _rows_last(below(part))
        done += len(part)
        progress("frozen stages", done, len(images))

    def rows(positions: IntArray) -> Tensor:
        batch = store[torch.from_numpy(np.asarray(positions))]
        return batch.permute(0, 3, 1, 2) if batch.ndim == 4 else batch

    return rows


def _rows_last(maps: Tensor) -> Tensor:
    """Channels last, so that batches of rows are laid out as convolutions are fastest."""
    return maps.permute(0, 2, 3, 1).cpu() if maps.ndim == 4 else maps.cpu()
