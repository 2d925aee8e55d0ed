"""Latent features from a small autoencoder: convolutional for images, dense for the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.data.autoencoder_networks import initialised, networks
from bezoar.data.features import (
    ImageShape,
    check_count,
    check_seed,
    flat_features,
    image_shape,
    read_only,
    train_matrix,
)

_ENCODING_BATCH = 2048
_OUTERMOST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """Latent space of an autoencoder that minimises the squared reconstruction error.

    Images go through two convolutions of 3 x 3 with stride 2 (ReLU) and a
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
        channels: of the two convolutions; without effect on features that are no image.

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
    channels: tuple[int, int] = (8, 16)

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
        if len(self.channels) != 2 or any(
            isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.channels
        ):
            raise InvalidArgument("channels", wanted="two whole numbers", got=self.channels)

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
        shape = image_shape(np.shape(train_features)[1:])
        low, span = _input_range(matrix, per_feature=shape is None)
        return self._fit(_Scaled(matrix, low, span), shape, seed, progress)

    def fit_pixels(
        self, images: npt.NDArray[np.uint8], *, seed: int, progress: Progress = silent
    ) -> FittedAutoencoder:
        """Trains on images of 8-bit pixels, which become ``pixel / 255`` one batch at a time.

        The result transforms features in [0, 1], as `bezoar.data.load` gives images.

        Args:
            images: ``(sample, channel, height, width)``, uint8, of 8 x 8 pixels or more.
            seed: of the first weights and of the order of the samples, 0 or more.
            progress: told after each step.

        Raises:
            InvalidArgument: more components than pixels, or a negative seed.
            InvalidData: not such images, or all are the same.
        """
        array = np.asarray(images)
        if array.dtype != np.uint8 or array.ndim != 4 or image_shape(array.shape[1:]) is None:
            raise InvalidData(
                "images",
                wanted="8-bit images (sample, channel, height, width) of 8 x 8 pixels or more",
                got=f"{array.shape} of {array.dtype}",
            )
        matrix = array.reshape(len(array), int(np.prod(array.shape[1:])))
        if not len(matrix) or (matrix == matrix[0]).all():
            raise InvalidData("images", wanted="at least two different images", got=len(matrix))
        n_features = matrix.shape[1]
        scaled = _Scaled(matrix, np.zeros(n_features), np.ones(n_features))
        return self._fit(scaled, image_shape(array.shape[1:]), seed, progress)

    def _fit(
        self, scaled: _Scaled, shape: ImageShape | None, seed: int, progress: Progress
    ) -> FittedAutoencoder:
        n_features = scaled.matrix.shape[1]
        if self.n_components > n_features:
            raise InvalidArgument(
                "n_components",
                wanted=f"at most {n_features}, the number of features",
                got=self.n_components,
                mend="ask for fewer features",
            )
        check_seed(seed)
        encoder, decoder = networks(n_features, shape, self.n_components, self.channels)
        model = initialised(nn.Sequential(encoder, decoder), int(seed))
        with _one_thread(), torch.inference_mode(mode=False), torch.enable_grad():
            losses = self._train(model, scaled, np.random.default_rng(seed), progress)
        return FittedAutoencoder(
            n_components=self.n_components,
            low=read_only(scaled.low),
            span=read_only(scaled.span),
            encoder=encoder.requires_grad_(requires_grad=False).eval(),
            decoder=decoder.requires_grad_(requires_grad=False).eval(),
            shape=shape,
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
        decoder: and back.
        shape: channel, height and width that the features are seen as; None if not as an image.
        losses: mean squared error of each epoch, of inputs scaled to [0, 1].
    """

    n_components: int
    low: FloatArray
    span: FloatArray
    encoder: nn.Sequential
    decoder: nn.Sequential
    shape: ImageShape | None
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

    def decode(self, latent: FloatArray) -> FloatArray:
        """The features ``(sample, feature)`` that latent ones stand for, in the units of the fit.

        Args:
            latent: ``(sample, n_components)``, as `transform` gives them.

        Raises:
            InvalidData: another number of latent features, or not finite numbers.
        """
        matrix = flat_features(latent, n_features=self.n_components)
        features = np.empty((len(matrix), len(self.low)))
        with _one_thread(), torch.no_grad():
            for start in range(0, len(matrix), _ENCODING_BATCH):
                part = slice(start, start + _ENCODING_BATCH)
                inputs = torch.from_numpy(matrix[part].astype(np.float32))
                features[part] = self.decoder(inputs).numpy()
        features *= self.span
        features += self.low
        return features


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Rows scaled as they are asked for, so that no second copy of the data is held."""

    matrix: FloatArray | npt.NDArray[np.uint8]
    low: FloatArray
    span: FloatArray

    def batch(self, rows: np.ndarray | slice) -> Tensor:
        if self.matrix.dtype == np.uint8:
            return torch.from_numpy(self.matrix[rows].astype(np.float32)).div_(255)
        with np.errstate(over="ignore"):
            scaled = (self.matrix[rows] - self.low) / self.span
        # Train lies in [0, 1]; an unseen outlier must not overflow float32 on its way through.
        return torch.from_numpy(np.clip(scaled, -_OUTERMOST, _OUTERMOST).astype(np.float32))


def _input_range(matrix: FloatArray, *, per_feature: bool) -> tuple[FloatArray, FloatArray]:
    axis = 0 if per_feature else None
    n_features = matrix.shape[1]
    low = np.broadcast_to(matrix.min(axis=axis), n_features).copy()
    span = np.broadcast_to(matrix.max(axis=axis), n_features) - low
    return low, np.where(span > 0, span, 1.0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order whatever the machine's number of cores; restores the setting."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
