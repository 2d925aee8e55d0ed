"""One training loop for many quantum neural networks at once.

A model is the circuit's expectations, one linear layer, softmax; the loss is cross entropy. Every
training is a row of the same tensors; its random draws come from its own seed, so the result does
not depend on which others it was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.models.circuits import whole_number
from bezoar.quantum.engines.gradients import Exact, Gradient, Runner
from bezoar.quantum.engines.plan import Inputs, Program
from bezoar.quantum.engines.sampling import SamplerKind, ShotSampler

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]

_MOST_CHUNK = 64
# As many numbers of a sweep as stay in a core's cache; beyond, a longer chunk only gets slower.
_CHUNK_NUMBERS = 1 << 19
_PREDICT_NUMBERS = 1 << 23
_MOST_LEARNING_RATE = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How to train; defaults are those of the QUID paper (arXiv 2411.14412, section 5.1).

    But for the gradient, which is exact by default (there: SPSA with 1000 shots).

    Attributes:
        epochs: passes over the training samples.
        batch_size: samples per step; the last step of an epoch takes what is left.
        learning_rate: of the optimiser.
        optimizer: ``adam`` (betas 0.9 and 0.999, epsilon 1e-8) or ``sgd``.
        gradient: how the circuit's gradient is made; the linear layer's is always exact.
        shots: measurements per circuit execution, None for exact expectations.
        sampler: see `ShotSampler`.
        patience: epochs without improvement of the validation loss by `tolerance` before a training
            keeps its best weights and counts as finished; None trains all epochs.
        tolerance: see `patience`.

    Raises:
        InvalidArgument: a number out of range; shots with an analytic gradient.
    """

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 0.01
    optimizer: str = "adam"
    gradient: Gradient = field(default_factory=Exact)
    shots: int | None = None
    sampler: SamplerKind = "auto"
    patience: int | None = None
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "shots", "patience"):
            value = getattr(self, name)
            if not (value is None and name in ("shots", "patience")):
                whole_number(name, value)
        if not 0 < self.learning_rate <= _MOST_LEARNING_RATE:
            raise InvalidArgument(
                "learning_rate",
                wanted=f"above 0, at most {_MOST_LEARNING_RATE:g}",
                got=self.learning_rate,
            )
        if not 0 <= self.tolerance < np.inf:
            raise InvalidArgument("tolerance", wanted="0 or more", got=self.tolerance)
        if self.optimizer not in ("adam", "sgd"):
            raise InvalidArgument("optimizer", wanted="adam or sgd", got=repr(self.optimizer))
        if self.shots is not None and not self.gradient.takes_shots:
            raise InvalidArgument(
                "shots",
                wanted="none with the exact gradient, which is analytic",
                got=self.shots,
                mend="use gradient spsa or parameter-shift",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One training.

    Attributes:
        train: which of the encoded samples to learn from, ``(sample,)``.
        labels: their class codes, ``(sample,)``.
        n_classes: width of the linear layer.
        seed: of weights, shuffling, shots and perturbations.
        validation, validation_labels: for early stopping; may be empty.
    """

    train: Integers
    labels: Integers
    n_classes: int
    seed: int
    validation: Integers | None = None
    validation_labels: Integers | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What a training learnt.

    Attributes:
        theta: circuit parameters in radians, ``(parameter,)``.
        weight, bias: of the linear layer, ``(observable, class)`` and ``(class,)``.
        losses: mean training loss of each epoch until it stopped, ``(epoch,)``.
        epoch: after which epoch these weights were taken, from 1.
    """

    theta: Floats
    weight: Floats
    bias: Floats
    losses: Floats
    epoch: int


# Told the positions of jobs, and what each has learnt so far.
EpochHook = Callable[[Sequence[int], Sequence[Trained]], None]


def train_many(
    program: Program,
    features: npt.ArrayLike,
    jobs: Sequence[Job],
    settings: TrainingSettings | None = None,
    *,
    inputs: Inputs | None = None,
    chunk: int | None = None,
    after_epoch: EpochHook | None = None,
    progress: Progress = silent,
) -> list[Trained]:
    """Trains all jobs; the result of each does not depend on the others or on `chunk`.

    Not a random draw depends on it; the last digits may, where the order of a sum does (in
    float32, after 30 epochs, 2e-5 of a weight at most; no predicted label of 25,600 changed).

    Args:
        program: from `compile_circuit`, observing Z on each wire.
        features: ``(sample, feature)``, radians; the pool that all jobs point into.
        jobs: what to train.
        settings: see `TrainingSettings`.
        inputs: the pool encoded by this program already, to save doing it again.
        chunk: how many trainings at most are one tensor; None for what suits the circuit.
        after_epoch: called after each epoch of each chunk with the positions of its jobs and their
            models as they stand (with early stopping, the best so far).
        progress: told after each epoch of each chunk.

    Raises:
        InvalidArgument: a chunk or a seed that is no whole number in range.
        InvalidData: a job without samples, or labels that do not fit it.
    """
    settings = settings or TrainingSettings()
    most = _suitable_chunk(program) if chunk is None else whole_number("chunk", chunk)
    x = np.asarray(features)
    runner = _runner(program, x, inputs or program.encode(x), settings)
    for job in jobs:
        _check_job(job, len(runner.inputs))
    results: list[Trained | None] = [None] * len(jobs)
    total = len(jobs) * settings.epochs
    done = 0
    for members in _chunks(jobs, most):
        state = _Training(runner, [jobs[i] for i in members], settings)
        for _ in range(settings.epochs):
            state.epoch()
            if after_epoch is not None:
                after_epoch(members, state.results())
            progress("train", done + len(members) * state.epochs_done, total)
            if state.all_stopped:
                break
        done += len(members) * settings.epochs
        progress("train", done, total)
        for member, trained in zip(members, state.results(), strict=True):
            results[member] = trained
    return [r for r in results if r is not None]


def predict_scores(
    program: Program, inputs: Inputs, trained: Sequence[Trained], index: Integers | None = None
) -> Floats:
    """Class probabilities ``(training, sample, class)`` from exact expectations.

    Args:
        program: the one that they were trained with.
        inputs: encoded samples.
        trained: models with the same number of classes.
        index: ``(training, sample)``, which samples each model looks at; None for all.
    """
    theta = _stack(program, [t.theta for t in trained])
    weight = _stack(program, [t.weight for t in trained])
    bias = _stack(program, [t.bias for t in trained])
    n_samples = len(inputs) if index is None else index.shape[1]
    width = n_samples * max(1, 4 ** min(program.circuit.n_qubits, 6))
    step = max(1, _PREDICT_NUMBERS // max(1, width))
    parts = []
    for start in range(0, len(trained), step):
        part = slice(start, start + step)
        where = None if index is None else torch.as_tensor(index[part], device=program.device)
        out, _ = program.forward(theta[part], inputs, where)
        parts.append(torch.softmax(torch.baddbmm(bias[part, None], out, weight[part]), dim=-1))
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def _runner(
    program: Program, features: Floats, inputs: Inputs, settings: TrainingSettings
) -> Runner:
    if settings.shots is None:
        return Runner(program, inputs)
    sampler = ShotSampler(
        program.circuit,
        program.noise,
        settings.shots,
        kind=settings.sampler,
        dtype="float64" if program.dtype == torch.float64 else "float32",
        device=str(program.device),
    )
    return Runner(program, inputs, sampler, sampler.program.encode(features))


class _Training:
    """The state of a chunk: all weights of a training are one row of `weights`."""

    def __init__(self, runner: Runner, jobs: Sequence[Job], settings: TrainingSettings) -> None:
        self._runner = runner
        self._settings = settings
        program = runner.program
        self._device, self._dtype = program.device, program.dtype
        self._n_parameters = program.n_parameters
        self._n_observables = len(program.observables)
        self._n_classes = jobs[0].n_classes
        self._index = self._integers([job.train for job in jobs])
        self._labels = self._integers([job.labels for job in jobs])
        self._shuffles = [generator(job.seed, "shuffle") for job in jobs]
        self._streams = [generator(job.seed, "gradient") for job in jobs]
        self._weights = _stack(program, [self._initial(job.seed) for job in jobs])
        # Updates are in place, so these views stay the weights.
        self._views = self._split(self._weights)
        self._minus_one = torch.tensor(-1.0, dtype=self._dtype, device=self._device)
        self._first = torch.zeros_like(self._weights)
        self._second = torch.zeros_like(self._weights)
        self._steps = 0
        self._losses: list[Tensor] = []
        self._validation = self._validation_of(jobs)
        self._best = self._weights.clone()
        self._best_loss = torch.full((len(jobs),), torch.inf, device=self._device)
        self._best_epoch = torch.zeros(len(jobs), dtype=torch.int64, device=self._device)
        self._stopped = torch.zeros(len(jobs), dtype=torch.bool, device=self._device)
        self._last_epoch = torch.zeros_like(self._best_epoch)

    @property
    def epochs_done(self) -> int:
        """Passes over the training samples so far."""
        return len(self._losses)

    @property
    def all_stopped(self) -> bool:
        """Whether early stopping has ended every training."""
        return bool(self._stopped.all())

    @torch.inference_mode()
    def epoch(self) -> None:
        """One pass over the training samples, and one look at the validation samples."""
        n_samples = self._index.shape[1]
        order = self._integers([rng.permutation(n_samples) for rng in self._shuffles])
        index, labels = self._index.gather(1, order), self._labels.gather(1, order)
        total = torch.zeros(len(index), device=self._device, dtype=self._dtype)
        size = self._settings.batch_size
        for part, answer in zip(index.split(size, 1), labels.split(size, 1), strict=True):
            total += self._step(part, answer[..., None])
        self._losses.append(total / -n_samples)
        if self._validation is not None:
            self._look_at_validation()

    def results(self) -> list[Trained]:
        """The weights of each training, its best ones where it was validated."""
        weights = self._weights if self._validation is None else self._best
        losses = torch.stack(self._losses, dim=1).cpu().numpy().astype(np.float64)
        theta, weight, bias = (part.cpu().numpy().copy() for part in self._split(weights))
        epochs = (
            np.full(len(weights), len(self._losses))
            if self._validation is None
            else self._best_epoch.cpu().numpy()
        )
        lasts = epochs if self._validation is None else self._last_epoch.cpu().numpy()
        return [
            Trained(
                theta=theta[t],
                weight=weight[t],
                bias=bias[t, 0],
                losses=losses[t, : lasts[t]],
                epoch=int(epochs[t]),
            )
            for t in range(len(weights))
        ]

    def _step(self, index: Tensor, labels: Tensor) -> Tensor:
        """One update; the log-likelihood of the batch before it, ``(T,)``.

        Args:
            index: ``(T, B)``.
            labels: ``(T, B, 1)``.
        """
        theta, weight, bias = self._views
        out, pull = self._settings.gradient.evaluate(self._runner, theta, index, self._streams)
        slope = torch.log_softmax(torch.baddbmm(bias, out, weight), dim=-1)
        likelihood = slope.gather(2, labels).sum((1, 2))
        slope.exp_().scatter_add_(2, labels, self._minus_one.expand(labels.shape))
        slope.div_(index.shape[1])
        grad = [
            pull(torch.bmm(slope, weight.transpose(1, 2))),
            torch.bmm(out.transpose(1, 2), slope).flatten(1),
            slope.sum(1),
        ]
        self._update(torch.cat(grad, dim=1))
        return likelihood

    def _update(self, grad: Tensor) -> None:
        rate = self._settings.learning_rate
        if self._settings.optimizer == "sgd":
            self._weights.sub_(grad, alpha=rate)
            return
        self._steps += 1
        self._first.lerp_(grad, 0.1)
        self._second.mul_(0.999).addcmul_(grad, grad, value=0.001)
        scale = (1 - 0.999**self._steps) ** 0.5
        spread = self._second.sqrt().add_(1e-8 * scale)
        self._weights.addcdiv_(self._first, spread, value=-rate * scale / (1 - 0.9**self._steps))

    def _look_at_validation(self) -> None:
        assert self._validation is not None  # noqa: S101 - the caller asked
        index, labels = self._validation
        theta, weight, bias = self._views
        out, _ = self._runner.program.forward(theta, self._runner.inputs, index)
        logs = torch.log_softmax(torch.baddbmm(bias, out, weight), dim=-1)
        loss = -logs.gather(2, labels[..., None]).mean((1, 2))
        now = len(self._losses)
        self._last_epoch = torch.where(self._stopped, self._last_epoch, now)
        better = (loss < self._best_loss - self._settings.tolerance) & ~self._stopped
        self._best[better] = self._weights[better]
        self._best_loss = torch.where(better, loss.to(self._best_loss.dtype), self._best_loss)
        self._best_epoch = torch.where(better, now, self._best_epoch)
        patience = self._settings.patience
        if patience is not None:
            self._stopped |= now - self._best_epoch >= patience

    def _validation_of(self, jobs: Sequence[Job]) -> tuple[Tensor, Tensor] | None:
        pairs = [(job.validation, job.validation_labels) for job in jobs]
        if self._settings.patience is None:
            return None
        index = [v for v, _ in pairs if v is not None and len(v)]
        labels = [y for _, y in pairs if y is not None and len(y)]
        if len(index) != len(jobs) or len(labels) != len(jobs):
            raise InvalidData(
                "validation",
                wanted="validation samples in every job when patience is set",
                got="a job without them",
            )
        return self._integers(index), self._integers(labels)

    def _split(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p, m, c = self._n_parameters, self._n_observables, self._n_classes
        theta, weight, bias = weights.split([p, m * c, c], dim=1)
        return theta, weight.view(-1, m, c), bias[:, None]

    def _initial(self, seed: int) -> Floats:
        """Angles uniform over the circle, the linear layer as torch initialises one."""
        rng = generator(seed, "weights")
        bound = 1 / np.sqrt(self._n_observables)
        theta = rng.uniform(0, 2 * np.pi, self._n_parameters)
        rest = rng.uniform(-bound, bound, (self._n_observables + 1) * self._n_classes)
        return np.concatenate([theta, rest])

    def _integers(self, rows: Sequence[Integers]) -> Tensor:
        return torch.as_tensor(np.stack(rows).astype(np.int64), device=self._device)


def _chunks(jobs: Sequence[Job], most: int) -> Iterator[list[int]]:
    """Positions of jobs that fit one tensor: same sizes, at most `most`."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for position, job in enumerate(jobs):
        size = 0 if job.validation is None else len(job.validation)
        alike.setdefault((len(job.train), size, job.n_classes), []).append(position)
    for members in alike.values():
        for start in range(0, len(members), most):
            yield members[start : start + most]


def _suitable_chunk(program: Program) -> int:
    """At most 64, in steps of 16 where there is room, which keep the order of sums on CPUs."""
    fitting = _CHUNK_NUMBERS // program.numbers_per_training
    return min(_MOST_CHUNK, fitting // 16 * 16 or max(1, fitting))


def _check_job(job: Job, n_samples: int) -> None:
    whole_number("seed", job.seed, least=0)
    whole_number("n_classes", job.n_classes)
    if len(job.train) == 0:
        raise InvalidData("train", wanted="one sample or more", got="none")
    _check_part("train", job.train, job.labels, n_samples, job.n_classes)
    if job.validation is not None and len(job.validation):
        labels = job.validation_labels
        if labels is None:
            raise InvalidData("validation_labels", wanted="a label for each sample", got="none")
        _check_part("validation", job.validation, labels, n_samples, job.n_classes)


def _check_part(
    name: str, positions: Integers, labels: Integers, n_samples: int, n_classes: int
) -> None:
    if len(positions) != len(labels):
        raise InvalidData(
            f"labels of {name}", wanted=f"{len(positions)}, one for each sample", got=len(labels)
        )
    for what, values, bound in (("positions", positions, n_samples), ("labels", labels, n_classes)):
        array = np.asarray(values)
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= bound:
            raise InvalidData(
                f"{what} of {name}",
                wanted=f"whole numbers from 0 to {bound - 1}",
                got=f"{array.dtype} from {array.min()} to {array.max()}",
            )


def _stack(program: Program, arrays: Sequence[Floats]) -> Tensor:
    return torch.as_tensor(np.stack(arrays), device=program.device).to(program.dtype)
