"""The quantum-kernel classifier: fidelities of encoded states in a support vector machine."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.seeds import generator
from bezoar.models.archive import Arrays, array_of
from bezoar.models.circuits import encoding_circuit, whole_number
from bezoar.models.estimator import QuantumClassifier
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.distances import gram
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.engines.encoder import encode
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.states import EncodedStates

_LOG_TEMPERATURES = (-7.0, 7.0)


class QuantumKernelClassifier(QuantumClassifier):
    """A support vector machine whose kernel is the overlap of encoded states.

    ``k(x, y) = Tr(rho(x) rho(y))``, for pure states the fidelity ``|<psi(x)|psi(y)>|**2``, exact:
    no shots. Nothing of the circuit is trained.

    Probabilities are ``softmax(d / T)`` of the decision values ``d``. The temperature T minimises
    the cross entropy on decision values of `calibration_folds` folds that were left out, with
    targets smoothed by one count per class as Platt does. So the most probable class is always the
    predicted one, which is not so with ``SVC(probability=True)``.

    Args:
        encoding: a name from ``bezoar list encodings``, or an object.
        axes: rotations of the angle encoding; ``HZX`` puts a layer of H before ZX.
        n_qubits: None for as few as hold the features.
        noise: of the encoding: ``none``, a name such as ``ad-dep:0.05`` (see `parse_noise`), a
            `NoiseModel`, or None.
        C: penalty of the support vector machine, above 0.
        calibration_folds: 2 or more, or 0 for T = 1. A class with fewer samples lowers it; with
            one sample T is 1.
        scale: scale every feature to the encoding's range, from its extremes in training; an
            encoding without a range gets the features as they are. False: features are radians.
        random_state: shuffles the folds; an integer is the seed itself, None draws one.

    Attributes:
        classes_: the labels, in order, ``(class,)``.
        n_features_in_: features per sample.
        circuit_: the encoding.
        noise_: the `NoiseModel`, or None.
        support_: positions of the support vectors in the training data, ``(vector,)``.
        support_features_: their angles, ``(vector, feature)``, sorted by class.
        n_support_: how many each class has, ``(class,)``.
        dual_coef_, intercept_: ``(class - 1, vector)`` and ``(pair of classes,)``, as in `SVC`.
        temperature_: T.

    Source: Havlicek et al., Nature 567, 209 (2019); Schuld and Killoran, Phys. Rev. Lett. 122,
    040504 (2019). Temperature: Guo et al., arXiv 1706.04599. Noisy states overlap as
    ``Tr(rho sigma)``, which is the swap test's kernel, not the mixed-state fidelity.

    Example:
        >>> import numpy as np
        >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [1.0, 0.9], [0.9, 1.0]])
        >>> model = QuantumKernelClassifier(random_state=0).fit(X, ["no", "no", "yes", "yes"])
        >>> model.predict([[0.0, 0.0], [1.0, 1.0]]).tolist()
        ['no', 'yes']
    """

    support_: IntArray
    support_features_: FloatArray
    n_support_: IntArray
    dual_coef_: FloatArray
    intercept_: FloatArray
    temperature_: float

    def __init__(
        self,
        *,
        encoding: str | Encoding = "angle",
        axes: str = "XZ",
        n_qubits: int | None = None,
        noise: str | NoiseModel | None = "none",
        C: float = 1.0,
        calibration_folds: int = 5,
        scale: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoding = encoding
        self.axes = axes
        self.n_qubits = n_qubits
        self.noise = noise
        self.C = C
        self.calibration_folds = calibration_folds
        self.scale = scale
        self.random_state = random_state

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Decision values as `SVC` gives them.

        Returns:
            ``(sample, class)``, the votes of the pairs of classes plus a share below 1/2 by their
            margins; for two classes ``(sample,)``, positive for the second.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        values = self._in_batches(self._decide, self._angles(X))
        return 2 * values[:, 1] if values.shape[1] == 2 else values

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Class probabilities ``(sample, class)``, columns as in `classes_`.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        values = self._in_batches(self._decide, self._angles(X))
        return softmax(values / self.temperature_, axis=1)

    def _make_circuit(self, encoding: Encoding, n_features: int) -> Circuit:
        return encoding_circuit(encoding, n_features, self.n_qubits)

    def _learn(self, angles: FloatArray, codes: IntArray, seed: int) -> None:
        machine = SVC(kernel="precomputed", C=self._checked_penalty(), break_ties=True)
        states = self._encode(angles)
        kernel = gram(states, states)
        self.temperature_ = self._calibrated(machine, kernel, codes, seed)
        machine.fit(kernel, codes)
        self.support_ = machine.support_
        self.support_features_ = angles[machine.support_]
        self.n_support_ = machine.n_support_
        self.dual_coef_ = np.asarray(machine.dual_coef_)
        self.intercept_ = machine.intercept_

    def _decide(self, angles: FloatArray) -> FloatArray:
        """``(sample, class)``; for two classes minus and plus half the decision value."""
        kernel = gram(self._encode(angles), self._encode(self.support_features_))
        if len(self.classes_) == 2:
            return _both_sides(kernel @ self.dual_coef_[0] + self.intercept_[0])
        return self._votes(kernel)

    def _votes(self, kernel: FloatArray) -> FloatArray:
        """One vote for each pair of classes, and a bounded share of the margins to break ties."""
        ends = np.cumsum(self.n_support_)
        parts = [slice(end - n, end) for end, n in zip(ends, self.n_support_, strict=True)]
        votes = np.zeros((len(kernel), len(self.classes_)))
        margins = np.zeros_like(votes)
        pairs = itertools.combinations(range(len(self.classes_)), 2)
        for (i, j), intercept in zip(pairs, self.intercept_, strict=True):
            margin = kernel[:, parts[i]] @ self.dual_coef_[j - 1, parts[i]] + intercept
            margin += kernel[:, parts[j]] @ self.dual_coef_[i, parts[j]]
            votes[:, i] += margin >= 0
            votes[:, j] += margin < 0
            margins[:, i] += margin
            margins[:, j] -= margin
        return votes + margins / (3 * (np.abs(margins) + 1))

    def _calibrated(self, machine: SVC, kernel: FloatArray, codes: IntArray, seed: int) -> float:
        folds = whole_number("calibration_folds", self.calibration_folds, least=0)
        if folds == 1:
            raise InvalidArgument("calibration_folds", wanted="0, or 2 or more", got=folds)
        folds = min(folds, int(np.bincount(codes).min()))
        if folds < 2:
            return 1.0
        shuffle = int(generator(seed, "folds").integers(2**32))
        split = StratifiedKFold(folds, shuffle=True, random_state=shuffle)
        values = np.asarray(
            cross_val_predict(machine, kernel, codes, cv=split, method="decision_function")
        )
        return _temperature(_both_sides(values) if values.ndim == 1 else values, codes)

    def _numbers_per_sample(self) -> int:
        return max(super()._numbers_per_sample(), len(self.support_))

    def _encode(self, angles: FloatArray) -> EncodedStates:
        return encode(self.circuit_, angles, self.noise_)

    def _checked_penalty(self) -> float:
        is_number = isinstance(self.C, int | float | np.number) and not isinstance(self.C, bool)
        if not is_number or not math.isfinite(self.C) or self.C <= 0:
            raise InvalidArgument("C", wanted="a finite number above 0", got=repr(self.C))
        return float(self.C)

    def _learnt(self) -> Arrays:
        return {
            "support": self.support_,
            "support_features": self.support_features_,
            "n_support": self.n_support_,
            "dual_coef": self.dual_coef_,
            "intercept": self.intercept_,
            "temperature": np.array(self.temperature_),
        }

    def _relearn(self, arrays: Arrays) -> None:
        n_classes = len(self.classes_)
        self.support_ = array_of(arrays, "support", (None,), "iu")
        n_vectors = len(self.support_)
        self.support_features_ = array_of(
            arrays, "support_features", (n_vectors, self.n_features_in_)
        )
        self.n_support_ = array_of(arrays, "n_support", (n_classes,), "iu")
        self.dual_coef_ = array_of(arrays, "dual_coef", (n_classes - 1, n_vectors))
        n_pairs = n_classes * (n_classes - 1) // 2
        self.intercept_ = array_of(arrays, "intercept", (n_pairs,))
        self.temperature_ = float(array_of(arrays, "temperature", ()))
        if self.n_support_.min() < 0 or self.n_support_.sum() != n_vectors:
            raise InvalidData("n_support", wanted=f"a sum of {n_vectors}", got=self.n_support_)
        if self.temperature_ <= 0:
            raise InvalidData("temperature", wanted="above 0", got=self.temperature_)


def _both_sides(values: FloatArray) -> FloatArray:
    """Decision values ``(sample,)`` of two classes as scores of both, ``(sample, 2)``."""
    return np.stack([-values, values], axis=1) / 2


def _temperature(values: FloatArray, codes: IntArray) -> float:
    """The T at which ``softmax(values / T)`` fits the smoothed targets best."""
    n_samples, n_classes = values.shape
    targets = np.full(values.shape, 1 / (n_samples + n_classes))
    targets[np.arange(n_samples), codes] += n_samples / (n_samples + n_classes)

    def cross_entropy(log_temperature: Any) -> float:
        return -float((targets * log_softmax(values / np.exp(log_temperature), axis=1)).mean())

    return math.exp(minimize_scalar(cross_entropy, bounds=_LOG_TEMPERATURES, method="bounded").x)
