"""Fitted autoencoders in files: npz archives of their weights, never a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import write_whole
from bezoar.data.autoencoder import Autoencoder, FittedAutoencoder
from bezoar.data.autoencoder_networks import networks
from bezoar.data.features import ImageShape, read_only
from bezoar.data.npz import read_arrays


def write_autoencoder(path: Path, fitted: FittedAutoencoder) -> Path:
    """Writes weights, scaling and losses; the file appears whole or not at all.

    Raises:
        FileProblem: it cannot be written there.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        "low": fitted.low,
        "span": fitted.span,
        "losses": np.array(fitted.losses),
    }
    for part, network in (("encoder", fitted.encoder), ("decoder", fitted.decoder)):
        for name, weights in network.state_dict().items():
            arrays[f"{part}.{name}"] = weights.numpy()

    def write(handle: IO[bytes]) -> None:
        np.savez(handle, allow_pickle=False, **arrays)

    return write_whole(path, write)


def read_autoencoder(
    path: Path, *, settings: Autoencoder, n_features: int, shape: ImageShape | None
) -> FittedAutoencoder:
    """Reads what `write_autoencoder` wrote for these settings and features of this kind.

    Args:
        path: the file.
        settings: of the fit.
        n_features: numbers per sample.
        shape: of the image that they are; None if they are none.

    Raises:
        FileProblem: missing, damaged, or of another make.
    """
    own = read_arrays(path, ["low", "span", "losses"])
    for name, wanted in (("low", (n_features,)), ("span", (n_features,)), ("losses", None)):
        array = own[name]
        good = array.dtype == np.float64 and array.ndim == 1 and wanted in (None, array.shape)
        if not good or not np.isfinite(array).all() or (name == "span" and (array <= 0).any()):
            raise FileProblem(path, f"holds no usable {name} of a fitted autoencoder")
    encoder, decoder = networks(n_features, shape, settings.n_components, settings.channels)
    for part, network in (("encoder", encoder), ("decoder", decoder)):
        network.to_empty(device="cpu").to(torch.float32).requires_grad_(requires_grad=False)
        _fill(path, part, network)
    return FittedAutoencoder(
        n_components=settings.n_components,
        low=read_only(own["low"]),
        span=read_only(own["span"]),
        encoder=encoder.eval(),
        decoder=decoder.eval(),
        shape=shape,
        losses=tuple(own["losses"].tolist()),
    )


def _fill(path: Path, part: str, network: nn.Sequential) -> None:
    wanted = network.state_dict()
    found = read_arrays(path, [f"{part}.{name}" for name in wanted])
    for name, weights in wanted.items():
        array = found[f"{part}.{name}"]
        good = array.dtype == np.float32 and array.shape == tuple(weights.shape)
        if not good or not np.isfinite(array).all():
            raise FileProblem(path, f"holds no usable weights {part}.{name}")
        weights.copy_(torch.from_numpy(array))
