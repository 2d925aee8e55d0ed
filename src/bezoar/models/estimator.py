"""What the classifiers share: checked data, labels of any type, angles, files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.data.scale import AngleScaler, FittedAngleScaler
from bezoar.models.archive import Arrays, array_of, read_model, reading, write_model
from bezoar.models.circuits import build_encoding
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.noise import NoiseModel, parse_noise

# Numbers of one encoded batch, 128 MiB in float64: prediction goes through data in such pieces.
_BATCH_NUMBERS = 1 << 24


class QuantumClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A scikit-learn classifier whose samples are encoded in qubits.

    A subclass learns from angles and integer codes in `_learn`; this class does what comes before.
    """

    encoding: str | Encoding
    axes: str
    n_qubits: int | None
    noise: str | NoiseModel | None
    scale: bool
    random_state: int | np.random.RandomState | None

    classes_: npt.NDArray[Any]
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]
    circuit_: Circuit
    encoding_: Encoding
    noise_: NoiseModel | None
    scaler_: FittedAngleScaler | None
    settings_: dict[str, Any]

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from features ``(sample, feature)`` and labels ``(sample,)`` of any type.

        An error or Ctrl-C leaves the estimator as it was before its first fit.

        Raises:
            InvalidData: features that are not finite numbers; fewer than two classes; labels that
                are not classes.
            InvalidArgument: a setting that cannot be used.
        """
        self._forget()
        try:
            seed = _seed_of(self.random_state)
            features, codes = self._checked(X, y)
            self.settings_ = self.get_params(deep=False) | {"random_state": seed}
            self._build()
            self.scaler_ = self._fit_scaler(features)
            self._learn(self._to_angles(features), codes, seed)
        except BaseException:
            self._forget()
            raise
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class of each sample, ``(sample,)``.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        best = self._in_batches(self._decide, self._angles(X)).argmax(axis=1)
        return self.classes_[best]

    def save(self, path: Path | str) -> Path:
        """Writes the fitted model to one npz file without pickle; `load` reads it.

        The settings are those of the fit, with the seed that was used as ``random_state``.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgument: a setting is an object that is no registered part.
            FileProblem: the file cannot be written.
        """
        check_is_fitted(self)
        arrays: Arrays = {"classes": self.classes_, **self._learnt()}
        if hasattr(self, "feature_names_in_"):
            arrays["feature_names"] = self.feature_names_in_
        if self.scaler_ is not None:
            arrays["scaler"] = np.stack([self.scaler_.minimum, self.scaler_.maximum])
        arrays["n_features"] = np.array(self.n_features_in_)
        return write_model(path, type(self).__name__, self.settings_, arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The model that `save` wrote. Nothing in the file is executed.

        Raises:
            FileProblem: no such file, a damaged one, or one of another kind of model.
        """
        settings, arrays = read_model(path, cls.__name__)
        with reading(path):
            model = cls(**settings)
            model.settings_ = settings
            model.classes_ = array_of(arrays, "classes", (None,), "biufUMO")
            if len(model.classes_) < 2 or not (model.classes_[:-1] < model.classes_[1:]).all():
                raise InvalidData("classes", wanted="two or more, in order", got=model.classes_)
            model.n_features_in_ = int(array_of(arrays, "n_features", (), "iu"))
            if "feature_names" in arrays:
                names = array_of(arrays, "feature_names", (model.n_features_in_,), "O")
                model.feature_names_in_ = names
            model._build()
            model.scaler_ = model._read_scaler(arrays)
            model._relearn(arrays)
        return model

    @abstractmethod
    def _make_circuit(self, encoding: Encoding, n_features: int) -> Circuit:
        """The circuit that settings and data ask for."""

    @abstractmethod
    def _learn(self, angles: FloatArray, codes: IntArray, seed: int) -> None:
        """Sets what is learnt from ``(sample, feature)`` and ``(sample,)``."""

    @abstractmethod
    def _decide(self, angles: FloatArray) -> FloatArray:
        """Scores ``(sample, class)``; the highest is predicted."""

    @abstractmethod
    def _learnt(self) -> Arrays:
        """What `_relearn` needs."""

    @abstractmethod
    def _relearn(self, arrays: Arrays) -> None:
        """Sets what `_learn` had learnt, or raises InvalidData."""

    def _build(self) -> None:
        self.encoding_ = build_encoding(self.encoding, self.axes)
        self.noise_ = _noise_of(self.noise)
        self.circuit_ = self._make_circuit(self.encoding_, self.n_features_in_)

    def _checked(self, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
        with _refusals("X and y"):
            features, labels = self._validated(X, y, ensure_min_samples=2)
            check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InvalidData("y", wanted="two classes or more", got="1 class in all samples")
        return features, codes

    def _angles(self, X: npt.ArrayLike) -> FloatArray:
        check_is_fitted(self)
        with _refusals("X"):
            features = self._validated(X, reset=False)
        return self._to_angles(features)

    def _validated(self, *data: Any, **options: Any) -> Any:
        return validate_data(self, *data, dtype=np.float64, **options)

    def _fit_scaler(self, features: FloatArray) -> FittedAngleScaler | None:
        scaler = self._scaler()
        return None if scaler is None else scaler.fit(features)

    def _read_scaler(self, arrays: Arrays) -> FittedAngleScaler | None:
        scaler = self._scaler()
        if scaler is None:
            return None
        minimum, maximum = array_of(arrays, "scaler", (2, self.n_features_in_))
        if not (minimum <= maximum).all():
            raise InvalidData("scaler", wanted="minimum <= maximum", got="the reverse")
        return FittedAngleScaler(low=scaler.low, high=scaler.high, minimum=minimum, maximum=maximum)

    def _scaler(self) -> AngleScaler | None:
        wanted = self.encoding_.feature_range
        return AngleScaler(*wanted) if self.scale and wanted is not None else None

    def _to_angles(self, features: FloatArray) -> FloatArray:
        angles = features if self.scaler_ is None else self.scaler_.transform(features)
        self.encoding_.check(angles)
        return angles

    def _in_batches(self, run: Any, angles: FloatArray) -> FloatArray:
        """``run(angles)`` piece by piece, so that memory stays bounded."""
        step = max(1, _BATCH_NUMBERS // self._numbers_per_sample())
        return np.concatenate(
            [run(angles[start : start + step]) for start in range(0, len(angles), step)]
        )

    def _numbers_per_sample(self) -> int:
        """What prediction holds of each sample, at most."""
        n_qubits = self.circuit_.n_qubits
        return 4 * n_qubits if self.circuit_.is_product else 4 ** min(n_qubits, 10)

    def _forget(self) -> None:
        for name in [n for n in vars(self) if n.endswith("_") and not n.startswith("__")]:
            delattr(self, name)


@contextmanager
def _refusals(subject: str) -> Iterator[None]:
    """Tells scikit-learn's refusal of data as ours; the text is theirs, which its users know."""
    try:
        yield
    except InvalidData:
        raise
    except ValueError as error:
        raise InvalidData(
            subject, wanted="a finite matrix (sample, feature) and a class per sample", got=error
        ) from error


def _seed_of(random_state: Any) -> int:
    """The integer itself, or one that is drawn from what scikit-learn takes it to mean."""
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if 0 <= random_state < 2**63:
            return int(random_state)
    elif random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31))
    raise InvalidArgument(
        "random_state",
        wanted="None, a whole number of 0 or more, or a RandomState",
        got=repr(random_state),
    )


def _noise_of(noise: Any) -> NoiseModel | None:
    if noise is None or isinstance(noise, NoiseModel):
        return noise
    if isinstance(noise, str):
        return parse_noise(noise)
    raise InvalidArgument(
        "noise", wanted="a name such as ad-dep:0.05, a NoiseModel or None", got=repr(noise)
    )
