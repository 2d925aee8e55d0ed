"""A hybrid network as a scikit-learn classifier of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.models.hybrid.archive import load_network, save_network
from bezoar.models.hybrid.fit_settings import FitSettings, History
from bezoar.models.hybrid.fitting import fit_network
from bezoar.models.hybrid.network import (
    Entangler,
    HeadKind,
    HybridNetwork,
    NetworkSettings,
    TrunkKind,
    build_network,
)
from bezoar.models.hybrid.scoring import logits_of

# Labels that a file can name and give back.
_LABEL_KINDS = {"i": "integer", "u": "integer", "b": "boolean", "U": "text"}


class HybridImageClassifier(ClassifierMixin, BaseEstimator):
    """A trunk and a head, trained on images ``(sample, channel, height, width)`` in [0, 1].

    With ``trunk="none"`` it takes features ``(sample, feature)`` instead. Images in a torch
    ``Dataset`` are read into arrays with `bezoar.data.torch_datasets.from_torch`.

    Args:
        trunk, stages, head, width, layers, entangler, noise, shots: see `NetworkSettings`.
        weights: of the trunk, see `bezoar.models.hybrid.weights.load_weights`.
        training: how to train; None for `FitSettings` where `weights` are given, and
            ``FitSettings.from_scratch()`` where there are none.
        random_state: None, a whole number or a ``RandomState``.

    Attributes:
        classes_: the labels that were seen, sorted.
        network_: the trained `HybridNetwork`.
        history_: losses of each sample in each epoch; not in a loaded one.
        n_features_in_: numbers per sample.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> X, y = load_digits(n_class=2, return_X_y=True)
        >>> images = X.reshape(-1, 1, 8, 8) / 16
        >>> model = HybridImageClassifier(head="tanh", random_state=0)
        >>> model.fit(images[:200], y[:200]).score(images[200:], y[200:]) > 0.95
        True
    """

    classes_: npt.NDArray[Any]
    network_: HybridNetwork
    history_: History
    n_features_in_: int

    def __init__(
        self,
        *,
        trunk: TrunkKind = "small",
        stages: int = 4,
        head: HeadKind = "quantum",
        width: int = 10,
        layers: int = 6,
        entangler: Entangler = "ring",
        noise: str = "none",
        shots: int | None = None,
        weights: str = "none",
        training: FitSettings | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.trunk: TrunkKind = trunk
        self.stages = stages
        self.head: HeadKind = head
        self.width = width
        self.layers = layers
        self.entangler: Entangler = entangler
        self.noise = noise
        self.shots = shots
        self.weights = weights
        self.training = training
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, *, progress: Progress = silent) -> Self:
        """Learns from images ``(sample, channel, height, width)`` and labels ``(sample,)``.

        An error or an interruption leaves the estimator without a fit.

        Raises:
            InvalidData: images of another shape, numbers outside [0, 1], NaN, fewer than two
                classes, labels that are no classes.
            InvalidArgument: a setting that cannot be used.
        """
        for name in ("classes_", "network_", "history_", "n_features_in_"):
            vars(self).pop(name, None)
        if not isinstance(self.training, FitSettings | None):
            raise InvalidArgument("training", wanted="FitSettings or None", got=repr(self.training))
        seed = _seed_of(self.random_state)
        images = np.asarray(X)
        classes, codes = _encoded(y)
        if images.ndim not in (2, 4) or len(images) != len(codes):
            raise InvalidData(
                "X and y",
                wanted="images (sample, channel, height, width) and a label for each",
                got=f"shapes {images.shape} and {codes.shape}",
            )
        settings = self._settings(images.shape, len(classes))
        network = build_network(settings, seed=seed, weights=self.weights)
        suited = FitSettings.from_scratch() if self.weights == "none" else FitSettings()
        history = fit_network(
            network, images, codes, self.training or suited, seed=seed, progress=progress
        )
        self.classes_, self.network_, self.history_ = classes, network, history
        self.n_features_in_ = int(np.prod(images.shape[1:]))
        return self

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Logits ``(sample, class)``.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: images that the network does not take.
        """
        check_is_fitted(self)
        return logits_of(self.network_, np.asarray(X))

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Class probabilities ``(sample, class)``: the softmax of the logits, not calibrated."""
        logits = self.decision_function(X).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class of each image, ``(sample,)``."""
        best = self.decision_function(X).argmax(axis=1)
        return self.classes_[best]

    def save(self, path: Path | str) -> Path:
        """Writes the trained network to one safetensors file; `load` reads it.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgument: labels that are neither whole numbers, booleans nor text.
            FileProblem: the file cannot be written.
        """
        check_is_fitted(self)
        kind = _LABEL_KINDS.get(self.classes_.dtype.kind)
        if kind is None:
            raise InvalidArgument(
                "classes_",
                wanted="labels that are whole numbers, booleans or text",
                got=self.classes_.dtype,
            )
        return save_network(path, self.network_, self.classes_.tolist(), {"labels": kind})

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The classifier that `save` wrote, without its history. Nothing in it is executed.

        Its settings of the network are those of the fit; those of the training are the defaults.

        Raises:
            FileProblem: no such file, a damaged one, or no network of Bezoar's.
        """
        loaded = load_network(path)
        settings = loaded.network.settings
        assert settings is not None  # noqa: S101 - what was loaded has them
        names = ("trunk", "stages", "head", "width", "layers", "entangler", "noise", "shots")
        model = cls(**{name: getattr(settings, name) for name in names})
        model.classes_ = _labels(path, loaded.class_names, loaded.facts.get("labels", "text"))
        model.network_ = loaded.network
        size = settings.channels * settings.image_size**2
        model.n_features_in_ = size if settings.n_features is None else settings.n_features
        return model

    def _settings(self, shape: tuple[int, ...], n_classes: int) -> NetworkSettings:
        tabular = self.trunk == "none"
        if tabular != (len(shape) == 2):
            wanted = "(sample, feature)" if tabular else "(sample, channel, height, width)"
            raise InvalidData("X", wanted=f"shape {wanted} for the trunk {self.trunk}", got=shape)
        if not tabular and shape[2] != shape[3]:
            raise InvalidData("X", wanted="square images", got=shape, mend="crop or resize them")
        return NetworkSettings(
            n_classes=n_classes,
            channels=3 if tabular else shape[1],
            image_size=32 if tabular else shape[2],
            n_features=shape[1] if tabular else None,
            trunk=self.trunk,
            stages=self.stages,
            head=self.head,
            width=self.width,
            layers=self.layers,
            entangler=self.entangler,
            noise=self.noise,
            shots=self.shots,
        )


def _encoded(y: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    labels = np.asarray(y)
    try:
        if labels.ndim != 1 or not len(labels):
            raise ValueError(f"an array of shape {labels.shape}")
        check_classification_targets(labels)
        if labels.dtype == object:
            labels = labels.astype(np.str_)
        classes, codes = np.unique(labels, return_inverse=True)
    except (ValueError, TypeError) as error:
        raise InvalidData("y", wanted="a class for each image", got=error) from error
    if len(classes) < 2:
        raise InvalidData("y", wanted="two classes or more", got="1 class in all samples")
    return classes, codes.astype(np.int64)


def _seed_of(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if random_state >= 0:
            return int(random_state)
    elif random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31))
    raise InvalidArgument(
        "random_state",
        wanted="None, a whole number of 0 or more, or a RandomState",
        got=repr(random_state),
    )


def _labels(path: Path | str, names: tuple[str, ...], kind: Any) -> npt.NDArray[Any]:
    try:
        if kind == "integer":
            return np.array([int(name) for name in names])
        if kind == "boolean":
            return np.array([name == "True" for name in names])
        return np.array(names, dtype=np.str_)
    except (ValueError, OverflowError) as error:
        raise FileProblem(path, f"names labels that are no {kind}s ({error})") from error
