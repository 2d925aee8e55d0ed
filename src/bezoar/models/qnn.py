"""The variational classifier: an encoding, a trained circuit, a linear layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags

from bezoar.contracts.dataset import FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.seeds import generator
from bezoar.data.split import stratified_positions
from bezoar.models.archive import Arrays, array_of
from bezoar.models.circuits import build_ansatz, build_circuit, whole_number
from bezoar.models.estimator import QuantumClassifier
from bezoar.models.training import Job, Trained, TrainingSettings, predict_scores, train_many
from bezoar.models.watching import watched
from bezoar.quantum.ansatze.ansatz import Ansatz
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.engines.gradients import Gradient, gradient_named
from bezoar.quantum.engines.plan import Precision, compile_circuit
from bezoar.quantum.engines.sampling import SamplerKind
from bezoar.quantum.noise import NoiseModel

_SAMPLERS = ("auto", "joint", "marginal", "gaussian")


class QNNClassifier(QuantumClassifier):
    """A quantum neural network with scikit-learn's manners.

    ``p(class | x) = softmax(W^T z + b)`` with ``z_w = Tr(Z_w E_theta(rho(x)))``, the expectation
    of Z on each wire after the noisy encoding ``rho`` and the noisy trained circuit ``E_theta``;
    theta, W and b minimise the cross entropy. Defaults are those of the QUID paper,
    but the gradient, which is exact (there: SPSA with 1000 shots).

    `shots` make training noisy as on a device; predictions always come from exact expectations, in
    double precision. For many trainings at once see `bezoar.models.training.train_many`.

    Args:
        encoding: a name from ``bezoar list encodings``, or an object.
        axes: rotations of the angle encoding; ``HZX`` puts a layer of H before ZX.
        n_qubits: None for as few as hold the features.
        ansatz: a name from ``bezoar list ansatze``, or an object.
        n_layers: repetitions of the ansatz.
        noise: ``none``, a name such as ``ad-dep:0.05`` (see `parse_noise`), a `NoiseModel`, or
            None.
        gradient: ``exact``, ``parameter-shift``, ``spsa``, ``spsa-pennylane``, or an object.
        shots: measurements per circuit execution in training; None for exact expectations. The
            exact gradient takes none.
        sampler: ``auto``, ``joint``, ``marginal`` or ``gaussian``, see `ShotSampler`.
        epochs, batch_size, learning_rate: as usual; the last batch of an epoch takes what is left.
        optimizer: ``adam`` or ``sgd``.
        early_stopping: hold out a stratified `validation_fraction` (one sample of each class at
            least) and stop after `n_iter_no_change` epochs in which the loss on it did not improve
            by `tol`; the best epoch's weights are kept.
        validation_fraction: in (0, 1).
        n_iter_no_change: 1 or more.
        tol: 0 or more.
        scale: scale every feature to the encoding's range, from its extremes in training; an
            encoding without a range gets the features as they are. False: features are radians.
        dtype: of training, ``float32`` or ``float64``.
        device: a torch device.
        random_state: an integer is the seed itself, as in `Job`; None draws one.
        verbose: show progress with the time left on stderr.

    Attributes:
        classes_: the labels, in order, ``(class,)``.
        n_features_in_: features per sample.
        circuit_: the circuit; ``circuit_.draw()`` shows it.
        noise_: the `NoiseModel`, or None.
        theta_: circuit parameters, radians, ``(parameter,)``.
        weight_, bias_: the linear layer, ``(qubit, class)`` and ``(class,)``.
        loss_curve_: mean training loss of each epoch.
        n_iter_: epochs that ran.
        best_epoch_: the epoch whose weights these are, from 1.

    Source: Kundu and Ghosh, arXiv 2411.14412, section 5.1. It leaves open the scaling, the order of
    the noise channels and the gradient's step, which are settings here.

    Example:
        >>> import numpy as np
        >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [1.0, 0.9], [0.9, 1.0]])
        >>> y = np.array(["no", "no", "yes", "yes"])
        >>> model = QNNClassifier(epochs=60, learning_rate=0.1, random_state=0).fit(X, y)
        >>> model.predict([[0.0, 0.0], [1.0, 1.0]]).tolist()
        ['no', 'yes']
        >>> print(model.circuit_.draw())
        0: -RX(x0)-RZ(x1)-RX(t0)-RZ(t1)-
    """

    theta_: FloatArray
    weight_: FloatArray
    bias_: FloatArray
    loss_curve_: list[float]
    n_iter_: int
    best_epoch_: int

    def __init__(
        self,
        *,
        encoding: str | Encoding = "angle",
        axes: str = "XZ",
        n_qubits: int | None = None,
        ansatz: str | Ansatz = "sim-1",
        n_layers: int = 1,
        noise: str | NoiseModel | None = "none",
        gradient: str | Gradient = "exact",
        shots: int | None = None,
        sampler: SamplerKind = "auto",
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        optimizer: str = "adam",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        scale: bool = True,
        dtype: Precision = "float32",
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.encoding = encoding
        self.axes = axes
        self.n_qubits = n_qubits
        self.ansatz = ansatz
        self.n_layers = n_layers
        self.noise = noise
        self.gradient = gradient
        self.shots = shots
        self.sampler: SamplerKind = sampler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scale = scale
        self.dtype: Precision = dtype
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Class probabilities ``(sample, class)``, columns as in `classes_`.

        Raises:
            NotFittedError: before `fit`.
            InvalidData: features that are not finite numbers, or another number of them.
        """
        return self._in_batches(self._decide, self._angles(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # scikit-learn's bar is three clusters in a plane: on the default's one qubit the linear
        # layer sees one number, which parts three classes badly. With axes="X" the bar is met.
        tags.classifier_tags.poor_score = True
        return tags

    def _make_circuit(self, encoding: Encoding, n_features: int) -> Circuit:
        ansatz = build_ansatz(self.ansatz)
        return build_circuit(encoding, ansatz, n_features, self.n_qubits, self.n_layers)

    def _learn(self, angles: FloatArray, codes: IntArray, seed: int) -> None:
        settings = self._training_settings()
        job = self._job(codes, seed)
        program = compile_circuit(self.circuit_, self.noise_, dtype=self.dtype, device=self.device)
        with watched(bool(self.verbose)) as progress:
            (trained,) = train_many(program, angles, [job], settings, progress=progress)
        self.theta_, self.weight_, self.bias_ = trained.theta, trained.weight, trained.bias
        if not all(np.isfinite(a).all() for a in (self.theta_, self.weight_, self.bias_)):
            raise InvalidArgument(
                "learning_rate",
                wanted="one at which the weights stay finite",
                got=self.learning_rate,
                mend="lower it",
            )
        self.loss_curve_ = trained.losses.tolist()
        self.n_iter_ = len(self.loss_curve_)
        self.best_epoch_ = trained.epoch

    def _decide(self, angles: FloatArray) -> FloatArray:
        program = compile_circuit(self.circuit_, self.noise_, dtype="float64", device=self.device)
        trained = Trained(
            theta=self.theta_,
            weight=self.weight_,
            bias=self.bias_,
            losses=np.empty(0),
            epoch=self.best_epoch_,
        )
        return predict_scores(program, program.encode(angles), [trained])[0]

    def _learnt(self) -> Arrays:
        return {
            "theta": self.theta_,
            "weight": self.weight_,
            "bias": self.bias_,
            "losses": np.array(self.loss_curve_),
            "best_epoch": np.array(self.best_epoch_),
        }

    def _relearn(self, arrays: Arrays) -> None:
        n_classes = len(self.classes_)
        self.theta_ = array_of(arrays, "theta", (self.circuit_.n_parameters,))
        self.weight_ = array_of(arrays, "weight", (self.circuit_.n_qubits, n_classes))
        self.bias_ = array_of(arrays, "bias", (n_classes,))
        self.loss_curve_ = array_of(arrays, "losses", (None,)).tolist()
        self.n_iter_ = len(self.loss_curve_)
        self.best_epoch_ = int(array_of(arrays, "best_epoch", (), "iu"))

    def _training_settings(self) -> TrainingSettings:
        if self.sampler not in _SAMPLERS:
            raise UnknownName("sampler", self.sampler, _SAMPLERS)
        patience = whole_number("n_iter_no_change", self.n_iter_no_change)
        return TrainingSettings(
            epochs=whole_number("epochs", self.epochs),
            batch_size=whole_number("batch_size", self.batch_size),
            learning_rate=_number("learning_rate", self.learning_rate),
            optimizer=self.optimizer,
            gradient=_gradient_of(self.gradient),
            shots=None if self.shots is None else whole_number("shots", self.shots),
            sampler=self.sampler,
            patience=patience if self.early_stopping else None,
            tolerance=_number("tol", self.tol),
        )

    def _job(self, codes: IntArray, seed: int) -> Job:
        n_classes = len(self.classes_)
        everything = np.arange(len(codes))
        if not self.early_stopping:
            return Job(train=everything, labels=codes, n_classes=n_classes, seed=seed)
        held_out = self._held_out(codes, seed)
        train = np.delete(everything, held_out)
        return Job(
            train=train,
            labels=codes[train],
            n_classes=n_classes,
            seed=seed,
            validation=held_out,
            validation_labels=codes[held_out],
        )

    def _held_out(self, codes: IntArray, seed: int) -> IntArray:
        """Positions of the validation samples."""
        n_classes = len(self.classes_)
        fraction = _number("validation_fraction", self.validation_fraction)
        if not 0 < fraction < 1:
            raise InvalidArgument("validation_fraction", wanted="inside (0, 1)", got=fraction)
        n_held_out = min(max(round(fraction * len(codes)), n_classes), len(codes))
        held_out = stratified_positions(codes, n_held_out, rng=generator(seed, "validation"))
        left = np.bincount(np.delete(codes, held_out), minlength=n_classes)
        if not left.all():
            raise InvalidData(
                "y",
                wanted="two samples of each class or more, one of them to validate with",
                got=f"class {self.classes_[left.argmin()]!r} with none left to train on",
                mend="set early_stopping=False, lower validation_fraction or add samples",
            )
        return held_out


def _number(name: str, value: Any) -> float:
    """`value` as a float, if it is a finite number of 0 or more."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise InvalidArgument(name, wanted="a finite number, 0 or more", got=repr(value))
    return float(value)


def _gradient_of(gradient: Any) -> Gradient:
    if isinstance(gradient, str):
        return gradient_named(gradient)
    if isinstance(gradient, type) or not callable(getattr(gradient, "evaluate", None)):
        raise InvalidArgument("gradient", wanted="a name or a Gradient", got=repr(gradient))
    return gradient
