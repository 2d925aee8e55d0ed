"""Encoder state similarity: how well an encoding keeps classes apart, before any training."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.quantum.distances import (
    class_distances,
    is_available,
    needs_decomposition,
    overlap_moments,
)
from bezoar.quantum.states import EncodedStates

PAPER_METRICS = ("hilbert-schmidt", "frobenius", "trace")

_ROUNDING = 1e-6
"""Spread of a constant kernel in single precision, with some room."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateSimilarity:
    """What the states of an encoding say about its classes.

    Attributes:
        class_names: C names.
        n: samples.
        nearest_class_accuracy: for each metric, the share of samples in [0, 1] whose nearest class
            by mean distance is their own.
        class_distance: for each metric, ``(C, C)``: the mean distance of samples of class i to
            samples of class j, without self-pairs on the diagonal; NaN where there is no pair.
        references: for each metric, the cap on references per class, or None where all were used.
        kernel_mean, kernel_variance: of ``Tr(rho sigma)`` over all pairs of different samples.
        shots: circuit runs per kernel entry that `is_concentrated` supposes.
        seconds: wall time of each metric.
    """

    class_names: tuple[str, ...]
    n: int
    nearest_class_accuracy: Mapping[str, float]
    class_distance: Mapping[str, npt.NDArray[np.float64]]
    references: Mapping[str, int | None]
    kernel_mean: float
    kernel_variance: float
    shots: int
    seconds: Mapping[str, float]

    @property
    def kernel_std(self) -> float:
        """The spread of kernel entries between pairs of samples."""
        return math.sqrt(self.kernel_variance)

    @property
    def shot_noise(self) -> float:
        """The standard error of one typical kernel entry k estimated with `shots` runs.

        Each run of an overlap test says yes with probability k: ``sqrt(k (1 - k) / shots)``, at
        the mean entry.
        """
        mean = min(1.0, max(0.0, self.kernel_mean))
        return math.sqrt(mean * (1 - mean) / self.shots)

    @property
    def is_concentrated(self) -> bool:
        """Whether the kernel's spread drowns in the shot noise of its entries.

        Then hardware cannot tell most pairs of samples from each other with that many shots, and
        neither detection nor poisoning by state distance should be claimed to work. The rule,
        ``kernel_std <= shot_noise``, is ours; the reason is in Thanasilp et al., Nature
        Communications 15, 5200 (2024). A kernel that is constant counts as concentrated.
        """
        return self.kernel_std <= max(self.shot_noise, _ROUNDING)


def state_similarity(
    states: EncodedStates,
    labels: npt.ArrayLike,
    class_names: Sequence[str],
    *,
    metrics: Sequence[str] | None = None,
    max_references: int | None = None,
    shots: int = 1000,
    rng: np.random.Generator | None = None,
    dtype: npt.DTypeLike = np.float32,
    progress: Progress = silent,
) -> StateSimilarity:
    """Measures nearest-class accuracy, distances between classes and kernel concentration.

    A sample is given the class whose samples are nearest to it on average; the accuracy is how
    often that is its label. A sample is not compared with itself (the paper does not say): with
    it, small classes would look nearer to their own samples than they are. So a sample alone in
    its class is counted as wrong, as leaving it out of the references makes it. A tie goes to
    the class named first.

    Args:
        states: n encoded samples, three or more.
        labels: ``(n,)`` integers in [0, C).
        class_names: C names.
        metrics: of `bezoar.quantum.distances.METRICS`; None takes the three of the paper that
            these states have a form for.
        max_references: cap of two or more on the references per class, for metrics that
            decompose every pair (trace and fidelities of general mixed states); the others
            always use all.
        shots: see `StateSimilarity.is_concentrated`; 1000 as in the paper's experiments.
        rng: draws the references; needed where a class is larger than the cap.
        dtype: float32 or float64.
        progress: told of rows done.

    Raises:
        UnknownName: there is no such metric.
        InvalidArgument: as `bezoar.quantum.distances.class_distances`, or `shots` below 1 or
            `max_references` below 2.
        InvalidData: fewer than three samples.

    Source: Kundu and Ghosh, arXiv 2411.14412, section 4.1 and Table 2. The paper shows accuracy
    only; the matrix and the kernel's moments are ours.

    Example:
        >>> import numpy as np
        >>> up, down = [0, 0, 1.0], [0, 0, -1.0]
        >>> states = EncodedStates(n_qubits=1, bloch=np.array([[up], [up], [down], [down]]))
        >>> found = state_similarity(states, [0, 0, 1, 1], ["up", "down"])
        >>> found.nearest_class_accuracy["frobenius"], found.is_concentrated
        (1.0, False)
    """
    if shots < 1:
        raise InvalidArgument("shots", wanted="1 or more", got=shots)
    if max_references is not None and max_references < 2:
        raise InvalidArgument(
            "max_references",
            wanted="2 or more, so that one is left for a reference itself",
            got=max_references,
        )
    if len(states) < 3:
        raise InvalidData("states", wanted="three samples or more", got=len(states))
    if metrics is None:
        metrics = [metric for metric in PAPER_METRICS if is_available(states, metric)]
    accuracy: dict[str, float] = {}
    matrices: dict[str, npt.NDArray[np.float64]] = {}
    references: dict[str, int | None] = {}
    seconds: dict[str, float] = {}
    for metric in metrics:
        start = time.perf_counter()
        references[metric] = max_references if needs_decomposition(states, metric) else None
        distances = class_distances(
            states,
            states,
            labels,
            len(class_names),
            metric,
            exclude_self=True,
            max_references=references[metric],
            rng=rng,
            dtype=dtype,
            progress=_named(metric, progress),
        )
        accuracy[metric] = _nearest_class_accuracy(distances, np.asarray(labels))
        matrices[metric] = _by_class(distances, np.asarray(labels))
        seconds[metric] = time.perf_counter() - start
    mean, variance = overlap_moments(states, dtype=dtype, progress=_named("kernel", progress))
    return StateSimilarity(
        class_names=tuple(class_names),
        n=len(states),
        nearest_class_accuracy=accuracy,
        class_distance=matrices,
        references=references,
        kernel_mean=mean,
        kernel_variance=variance,
        shots=shots,
        seconds=seconds,
    )


def _named(name: str, progress: Progress) -> Progress:
    """Tells `progress` of the work under another name."""

    def tell(task: str, done: int, total: int) -> None:  # noqa: ARG001
        progress(name, done, total)

    return tell


def _nearest_class_accuracy(
    distances: npt.NDArray[np.float64], labels: npt.NDArray[np.integer]
) -> float:
    nearest = np.argmin(np.where(np.isnan(distances), np.inf, distances), axis=1)
    known = ~np.isnan(distances[np.arange(len(labels)), labels])
    return float(np.mean(known & (nearest == labels)))


def _by_class(
    distances: npt.NDArray[np.float64], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """Means the rows of each class, leaving out what is NaN."""
    n_classes = distances.shape[1]
    matrix = np.full((n_classes, n_classes), np.nan)
    for label in range(n_classes):
        own = distances[labels == label]
        known = ~np.isnan(own)
        count = known.sum(axis=0)
        np.divide(np.where(known, own, 0).sum(axis=0), count, out=matrix[label], where=count > 0)
    matrix.flags.writeable = False
    return matrix
