"""White-box access to a model that the attacker can train again: weights, gradients, trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.derivatives import CircuitDerivatives
from bezoar.models.training import Job, Trained, TrainingSettings, predict_scores, train_many
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import Precision, compile_circuit
from bezoar.quantum.noise import NoiseModel, describe

# Losses of samples that a model is sure to get wrong stay finite.
_LEAST_PROBABILITY = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteBoxVictim:
    """All that is to know of a victim but its random seed: circuit, device, training procedure.

    Attributes:
        circuit: encoding and ansatz, see `bezoar.models.circuits.build_circuit`.
        noise: of the device that the attacker trains on, None for a perfect one.
        training: how the victim learns.
        dtype: of trainings; derivatives are always float64.
        device: a torch device.

    Raises:
        InvalidArgument: a part of another type, a circuit that uses no data, or early stopping.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=4)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 40).reshape(10, 4), labels=[0, 1] * 5,
        ...                ids=range(10), class_names=("cat", "dog"))
        >>> access = victim.access()
        >>> models = access.fit(data, seeds=[1, 2, 3])
        >>> access.losses(models, data.features, data.labels).shape, access.trainings
        ((3, 10), 3)
    """

    circuit: Circuit
    noise: NoiseModel | None = None
    training: TrainingSettings = field(default_factory=TrainingSettings)
    dtype: Precision = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, kind in (("circuit", Circuit), ("training", TrainingSettings)):
            if not isinstance(getattr(self, name), kind):
                raise InvalidArgument(
                    name, wanted=f"a {kind.__name__}", got=type(getattr(self, name)).__name__
                )
        if not isinstance(self.noise, NoiseModel | None):
            raise InvalidArgument(
                "noise", wanted="a NoiseModel or None", got=type(self.noise).__name__
            )
        if not self.circuit.n_features:
            raise InvalidArgument("circuit", wanted="one that uses the data", got="no feature")
        if self.training.patience is not None:
            raise InvalidArgument(
                "training",
                wanted="no early stopping: the attacker's trainings hold no samples out",
                got=f"patience {self.training.patience}",
                mend="set patience to None",
            )

    def access(self) -> WhiteBox:
        """A new account of what is spent, with compiled circuits."""
        return WhiteBox(self)

    def describe(self) -> dict[str, object]:
        """Everything as JSON values."""
        training = asdict(self.training)
        training["gradient"] = repr(self.training.gradient)
        return {
            "circuit": self.circuit.draw(),
            "noise": describe(self.noise),
            "training": training,
            "dtype": self.dtype,
        }


class WhiteBox:
    """What an attacker does with a `WhiteBoxVictim`; it counts the trainings.

    Axes: N samples, F features, C classes, W weights. A model's weights in a row are its circuit
    parameters, its linear layer ``(observable, class)`` flat, its bias ``(class,)``. The loss is
    cross entropy.

    Attributes:
        victim: the settings.
        trainings: how many whole trainings were run so far.
    """

    def __init__(self, victim: WhiteBoxVictim) -> None:
        self.victim = victim
        self.trainings = 0
        self._program = compile_circuit(
            victim.circuit, victim.noise, dtype=victim.dtype, device=victim.device
        )
        self._slopes = CircuitDerivatives(victim.circuit, victim.noise, device=victim.device)

    def fit(self, data: Dataset, seeds: Sequence[int]) -> list[Trained]:
        """A model of `data` for each seed, all trained at once.

        Raises:
            InvalidArgument, InvalidData: as `train_many`.
        """
        return self.train(data.features, [job_of(data, seed) for seed in seeds])

    def train(self, features: FloatArray, jobs: Sequence[Job]) -> list[Trained]:
        """Any trainings on samples of one pool, all at once.

        Args:
            features: the pool, ``(N, F)``.
            jobs: what to train, each on samples and labels of its own.

        Raises:
            InvalidArgument, InvalidData: as `train_many`; or the weights do not stay finite.
        """
        trained = train_many(self._program, features, jobs, self.victim.training)
        self.trainings += len(jobs)
        if not all(np.isfinite(weights_of(model)).all() for model in trained):
            raise InvalidArgument(
                "learning_rate",
                wanted="one at which the weights stay finite",
                got=self.victim.training.learning_rate,
                mend="lower it",
            )
        return trained

    def losses(
        self, models: Sequence[Trained], features: FloatArray, labels: IntArray
    ) -> FloatArray:
        """``(model, N)``, in the precision of the trainings.

        Args:
            models: with the same number of classes.
            features: ``(N, F)``.
            labels: ``(N,)`` for all models, or ``(model, N)``.

        Raises:
            InvalidData: a label beyond the models' classes, or not one for each sample.
        """
        if not models:
            return np.zeros((0, len(features)))
        codes = np.broadcast_to(
            _checked(labels, len(features), len(models[0].bias)), (len(models), len(features))
        )
        scores = predict_scores(self._program, self._program.encode(features), models)
        picked = np.take_along_axis(scores, codes[:, :, None], axis=2)[:, :, 0]
        return -np.log(np.maximum(picked, _LEAST_PROBABILITY))

    def errors(
        self, models: Sequence[Trained], features: FloatArray, labels: IntArray
    ) -> FloatArray:
        """The share of samples that each model gets wrong, ``(model,)``.

        Args:
            models, features: as in `losses`.
            labels: ``(N,)``.

        Raises:
            InvalidData: no samples, or labels as in `losses`.
        """
        if not len(features):
            raise InvalidData("features", wanted="one sample or more", got="none")
        if not models:
            return np.zeros(0)
        codes = _checked(labels, len(features), len(models[0].bias))
        scores = predict_scores(self._program, self._program.encode(features), models)
        return (scores.argmax(axis=2) != codes).mean(axis=1)

    def gradients(self, model: Trained, features: FloatArray, labels: IntArray) -> FloatArray:
        """Each sample's gradient by the weights, ``(N, W)``.

        Args:
            model: where.
            features: ``(N, F)``.
            labels: ``(N,)``.
        """
        theta, weight, bias = _parts(model)
        out, by_theta = self._slopes.by_parameters(theta, features)
        slope = _slope(out @ weight + bias, labels)
        circuit = np.einsum("nc,mc,nmp->np", slope, weight, by_theta, optimize=True)
        layer = (out[:, :, None] * slope[:, None, :]).reshape(len(out), weight.size)
        return np.concatenate([circuit, layer, slope], axis=1)

    def hessian(self, model: Trained, features: FloatArray, labels: IntArray) -> FloatArray:
        """Second derivative of the mean loss by the weights, ``(W, W)``.

        With logits l and probabilities p it is the mean of ``A^T (diag p - p p^T) A`` with
        ``A = dl/dw``, plus ``sum_c (p_c - 1[c = y]) d2 l_c``.

        Raises:
            InvalidData: no samples, or labels as in `losses`.
        """
        if not len(features):
            raise InvalidData("features", wanted="one sample or more", got="none")
        theta, weight, bias = _parts(model)
        n_parameters, (m, c) = len(theta), weight.shape
        out, by_theta = self._slopes.by_parameters(theta, features)
        logits = out @ weight + bias
        slope, p = _slope(logits, labels), _softmax(logits)
        jacobian = np.zeros((len(out), c, n_parameters + m * c + c))
        jacobian[:, :, :n_parameters] = np.einsum("mc,nmp->ncp", weight, by_theta)
        for k in range(c):
            jacobian[:, k, n_parameters + k : n_parameters + m * c : c] = out
            jacobian[:, k, n_parameters + m * c + k] = 1
        mean = np.einsum("nc,ncw->nw", p, jacobian)
        total = np.einsum("nc,ncv,ncw->vw", p, jacobian, jacobian, optimize=True) - mean.T @ mean
        total[:n_parameters, :n_parameters] += self._slopes.parameter_curvature(
            theta, features, slope @ weight.T
        )
        mixed = np.einsum("nc,nmp->pmc", slope, by_theta).reshape(n_parameters, m * c)
        layer = slice(n_parameters, n_parameters + m * c)
        total[:n_parameters, layer] += mixed
        total[layer, :n_parameters] += mixed.T
        # Both halves come from sums in another order.
        return (total + total.T) / (2 * len(out))

    def feature_gradients(
        self, model: Trained, features: FloatArray, labels: IntArray
    ) -> FloatArray:
        """Each sample's gradient by its own features, ``(N, F)``.

        Raises:
            InvalidArgument: the encoding loads amplitudes.
        """
        theta, weight, bias = _parts(model)
        out, by_x = self._slopes.by_features(theta, features)
        slope = _slope(out @ weight + bias, labels)
        return np.einsum("nm,nmf->nf", slope @ weight.T, by_x)

    def mixed_gradients(
        self, model: Trained, features: FloatArray, labels: IntArray, direction: FloatArray
    ) -> FloatArray:
        """``d/dx (v . dL(x, y)/dw)`` of each sample, ``(N, F)``: how x turns its pull along v.

        Args:
            model: where.
            features: ``(N, F)``.
            labels: ``(N,)``.
            direction: v, ``(W,)``.

        Raises:
            InvalidArgument: the encoding loads amplitudes, or v has another length.
        """
        theta, weight, bias = _parts(model)
        if direction.shape != weights_of(model).shape:
            raise InvalidArgument(
                "direction", wanted=f"shape {weights_of(model).shape}", got=direction.shape
            )
        v_theta, v_weight, v_bias = _split(direction, weight.shape)
        out, moved, by_x, moved_by_x = self._slopes.along(theta, features, v_theta)
        logits = out @ weight + bias
        slope, p = _slope(logits, labels), _softmax(logits)
        # v . dL/dw is slope . change, where change is how the logits move along v.
        change = moved @ weight + out @ v_weight + v_bias
        through_p = p * (change - (p * change).sum(axis=1, keepdims=True))
        by_out = through_p @ weight.T + slope @ v_weight.T
        return np.einsum("nm,nmf->nf", by_out, by_x) + np.einsum(
            "nm,nmf->nf", slope @ weight.T, moved_by_x
        )


def job_of(data: Dataset, seed: int) -> Job:
    """A training on the whole of `data`."""
    return Job(train=np.arange(len(data)), labels=data.labels, n_classes=data.n_classes, seed=seed)


def weights_of(model: Trained) -> FloatArray:
    """All weights in a row, ``(W,)``, float64."""
    return np.concatenate([part.ravel() for part in _parts(model)])


def model_at(model: Trained, weights: FloatArray) -> Trained:
    """The model with other weights ``(W,)``."""
    theta, weight, bias = _split(weights, model.weight.shape)
    return Trained(theta=theta, weight=weight, bias=bias, losses=model.losses, epoch=model.epoch)


def _split(
    weights: FloatArray, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    m, c = shape
    n_parameters = len(weights) - m * c - c
    theta, weight, bias = np.split(weights, [n_parameters, n_parameters + m * c])
    return theta, weight.reshape(m, c), bias


def _parts(model: Trained) -> tuple[FloatArray, FloatArray, FloatArray]:
    return (
        model.theta.astype(np.float64),
        model.weight.astype(np.float64),
        model.bias.astype(np.float64),
    )


def _softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _slope(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Gradient of the cross entropy by the logits, ``(N, C)``: ``p_c - 1[c = y]``."""
    codes = _checked(labels, *logits.shape)
    slope = _softmax(logits)
    slope[np.arange(len(codes)), codes] -= 1
    return slope


def _checked(labels: IntArray, n_samples: int, n_classes: int) -> IntArray:
    codes = np.asarray(labels)
    good = codes.shape[-1:] == (n_samples,) and codes.dtype.kind in "iu"
    if not good or (codes.size and not 0 <= codes.min() <= codes.max() < n_classes):
        raise InvalidData(
            "labels",
            wanted=f"{n_samples} codes from 0 to {n_classes - 1}",
            got=f"{codes.dtype} of shape {codes.shape}",
        )
    return codes
