"""Latent features from a small autoencoder: convolutional for images, dense for the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.data.features import check_count, flat_features, read_only, train_matrix

# A flat row is taken for an image from 8 x 8 pixels on; 16 or 25 columns are more likely a table.
_SMALLEST_SIDE = 8
_CHANNELS = (8, 16)
_HIDDEN = 64
_ENCODING_BATCH = 2048
_OUTERMOST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """Latent space of an autoencoder that minimises the squared reconstruction error.

    Images go through two convolutions of 3 x 3 with stride 2 (8 and 16 channels, ReLU) and a
    linear layer to `n_components`, and back the same way. Flat features are seen as one grey
    image if their number is a square from 8 x 8 up; others go through one hidden layer of 64.
    Inputs are scaled to [0, 1], images by one range for all pixels, other features each by its
    own. Adam, mean squared error, float32 on one CPU thread: the same seed gives the same result
    on the same machine, and up to rounding on another.

    Source: QUID (arXiv 2411.14412, section 5.1) uses a convolutional autoencoder with 8 latent
    features and tells neither its layers nor its training. Ours trains 5 epochs, or more where
    5 make fewer than `min_updates` steps, as 700 samples alone would leave it untrained.

    Attributes:
        n_components: latent features, at most the number of features.
        epochs: passes over the train part, at least.
        min_updates: optimiser steps, at least.
        batch_size: samples per step.
        learning_rate: of Adam.

    Raises:
        InvalidArgument: a setting out of range.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).random((64, 3))
        >>> x[:, 2] = x[:, 0]
        >>> reducer = Autoencoder(n_components=2, min_updates=400).fit(x, seed=0)
        >>> reducer.transform(x).shape, reducer.losses[-1] < reducer.losses[0]
        ((64, 2), True)
    """

    n_components: int
    epochs: int = 5
    min_updates: int = 1000
    batch_size: int = 32
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        check_count(self.n_components)
        for name in ("epochs", "min_updates", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(name, wanted="a whole number, 1 or more", got=repr(value))
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InvalidArgument(
                "learning_rate", wanted="a positive number", got=self.learning_rate
            )

    def fit(
        self, train_features: FloatArray, *, seed: int, progress: Progress = silent
    ) -> FittedAutoencoder:
        """Trains on ``(sample, feature)`` or ``(sample, channel, height, width)``.

        Args:
            train_features: the train part alone.
            seed: of the first weights and of the order of the samples, 0 or more.
            progress: told after each step.

        Raises:
            InvalidArgument: more components than features, or a negative seed.
            InvalidData: the features are not finite numbers, or all samples are the same.
        """
        matrix = train_matrix(train_features)
        if self.n_components > matrix.shape[1]:
            raise InvalidArgument(
                "n_components",
                wanted=f"at most {matrix.shape[1]}, the number of features",
                got=self.n_components,
                mend="ask for fewer features",
            )
        if seed < 0:
            raise InvalidArgument("seed", wanted="0 or more", got=seed)
        shape = _image_shape(np.shape(train_features)[1:])
        low, span = _input_range(matrix, per_feature=shape is None)
        encoder, decoder = _networks(matrix.shape[1], shape, self.n_components)
        model = _initialised(nn.Sequential(encoder, decoder), int(seed))
        scaled = _Scaled(matrix, low, span)
        with _one_thread(), torch.inference_mode(mode=False), torch.enable_grad():
            losses = self._train(model, scaled, np.random.default_rng(seed), progress)
        return FittedAutoencoder(
            n_components=self.n_components,
            low=read_only(low),
            span=read_only(span),
            encoder=encoder.requires_grad_(requires_grad=False).eval(),
            losses=losses,
        )

    def _train(
        self, model: nn.Module, scaled: _Scaled, rng: np.random.Generator, progress: Progress
    ) -> tuple[float, ...]:
        n_samples = len(scaled.matrix)
        n_batches = math.ceil(n_samples / self.batch_size)
        epochs = max(self.epochs, math.ceil(self.min_updates / n_batches))
        optimiser = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        losses = []
        for epoch in range(epochs):
            order = rng.permutation(n_samples)
            total = 0.0
            for i, batch in enumerate(np.array_split(order, n_batches)):
                inputs = scaled.batch(batch)
                loss = nn.functional.mse_loss(model(inputs), inputs)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += loss.item() * len(batch)
                progress("autoencoder", epoch * n_batches + i + 1, epochs * n_batches)
            losses.append(total / n_samples)
        return tuple(losses)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedAutoencoder:
    """What `Autoencoder.fit` learnt.

    Attributes:
        n_components: how many numbers per sample come out.
        low, span: what scales the inputs, ``(x - low) / span``, ``(feature,)``.
        encoder: from scaled inputs ``(sample, feature)`` to latent features.
        losses: mean squared error of each epoch, of inputs scaled to [0, 1].
    """

    n_components: int
    low: FloatArray
    span: FloatArray
    encoder: nn.Module
    losses: tuple[float, ...]

    def transform(self, features: FloatArray) -> FloatArray:
        """Latent features ``(sample, n_components)``, with the precision of float32.

        Raises:
            InvalidData: another number of features than in the fit, or not finite numbers.
        """
        matrix = flat_features(features, n_features=len(self.low))
        scaled = _Scaled(matrix, self.low, self.span)
        latent = np.empty((len(matrix), self.n_components))
        with _one_thread(), torch.no_grad():
            for start in range(0, len(matrix), _ENCODING_BATCH):
                part = slice(start, start + _ENCODING_BATCH)
                latent[part] = self.encoder(scaled.batch(part)).numpy()
        return latent


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Rows scaled as they are asked for, so that no second copy of the data is held."""

    matrix: FloatArray
    low: FloatArray
    span: FloatArray

    def batch(self, rows: np.ndarray | slice) -> Tensor:
        with np.errstate(over="ignore"):
            scaled = (self.matrix[rows] - self.low) / self.span
        # Train lies in [0, 1]; an unseen outlier must not overflow float32 on its way through.
        return torch.from_numpy(np.clip(scaled, -_OUTERMOST, _OUTERMOST).astype(np.float32))


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        shape = (1, side, side) if side * side == shape[0] else (1, 1, shape[0])
    channels, height, width = shape
    return (channels, height, width) if min(height, width) >= _SMALLEST_SIDE else None


def _input_range(matrix: FloatArray, *, per_feature: bool) -> tuple[FloatArray, FloatArray]:
    axis = 0 if per_feature else None
    n_features = matrix.shape[1]
    low = np.broadcast_to(matrix.min(axis=axis), n_features).copy()
    span = np.broadcast_to(matrix.max(axis=axis), n_features) - low
    return low, np.where(span > 0, span, 1.0)


def _networks(
    n_features: int, shape: tuple[int, int, int] | None, n_components: int
) -> tuple[nn.Sequential, nn.Sequential]:
    # On the meta device no weights are drawn, so torch's global random state stays untouched.
    with torch.device("meta"):
        if shape is None:
            return (
                nn.Sequential(
                    nn.Linear(n_features, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n_components)
                ),
                nn.Sequential(
                    nn.Linear(n_components, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n_features)
                ),
            )
        return _convolutional(shape, n_components)


def _convolutional(
    shape: tuple[int, int, int], n_components: int
) -> tuple[nn.Sequential, nn.Sequential]:
    few, many = _CHANNELS
    full = shape[1:]
    half = _halved(full)
    quarter = _halved(half)
    n_inner = many * quarter[0] * quarter[1]
    encoder = nn.Sequential(
        nn.Unflatten(1, shape),
        nn.Conv2d(shape[0], few, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(few, many, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(n_inner, n_components),
    )
    decoder = nn.Sequential(
        nn.Linear(n_components, n_inner),
        nn.ReLU(),
        nn.Unflatten(1, (many, *quarter)),
        _doubling(many, few, half),
        nn.ReLU(),
        _doubling(few, shape[0], full),
        nn.Flatten(),
    )
    return encoder, decoder


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def _doubling(inputs: int, outputs: int, size: tuple[int, int]) -> nn.ConvTranspose2d:
    # Undoes a stride of 2; an even side needs one more row than the transpose gives.
    extra = (1 - size[0] % 2, 1 - size[1] % 2)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=extra)


def _initialised(model: nn.Sequential, seed: int) -> nn.Sequential:
    """Weights as torch draws them by default, uniform in 1/sqrt(fan-in), but from `seed` alone."""
    generator = torch.Generator().manual_seed(seed)
    model.to_empty(device="cpu").to(torch.float32)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order whatever the machine's number of cores; restores the setting."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
