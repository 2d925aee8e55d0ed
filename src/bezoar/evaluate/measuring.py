"""What is kept of a cell: counts, from which every rate follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import BezoarError, InvalidData
from bezoar.contracts.protocols import Detector
from bezoar.contracts.truth import Poisoned
from bezoar.evaluate.metrics.classification import confusion_counts
from bezoar.evaluate.metrics.detection import auroc
from bezoar.evaluate.victim import Repetition


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How a model did on the test part after each epoch.

    Attributes:
        loss: mean cross entropy by epoch, in nats.
        accuracy: by epoch.
    """

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]

    @classmethod
    def of(cls, scores: FloatArray, true: IntArray) -> Self:
        """From class probabilities ``(epoch, sample, class)`` and labels ``(sample,)``."""
        right = scores[:, np.arange(len(true)), true]
        loss = -np.log(np.maximum(right, np.finfo(np.float32).tiny)).mean(axis=1)
        accuracy = (scores.argmax(axis=2) == true).mean(axis=1)
        return cls(loss=tuple(loss.tolist()), accuracy=tuple(accuracy.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a trained model says of the test part.

    Attributes:
        predicted: class codes ``(sample,)``.
        radius: the certificate of each answer ``(sample,)``; None for a model that gives none.
        curve: by epoch, where it was asked for.
    """

    predicted: IntArray
    radius: IntArray | None = None
    curve: Curve | None = None


def measure(
    answers: Answers,
    repetition: Repetition,
    poisoned: Poisoned | None,
    *,
    poison_seconds: float,
    detectors: Mapping[str, Callable[[], Detector]],
    exact: IntArray | None,
) -> dict[str, Any]:
    """The JSON values that are stored for a cell.

    Args:
        answers: of the model.
        repetition: the clean data.
        poisoned: what the model was trained on instead, and what was done; None for a clean cell.
        poison_seconds: what the attack took.
        detectors: makers of those that look at the poisoned data.
        exact: labels that the attack gives with exact knowledge of the states, ``(sample,)``; None
            where it has it.
    """
    true, n = repetition.test.labels, repetition.test.n_classes
    result: dict[str, Any] = {"confusion": confusion_counts(true, answers.predicted, n).tolist()}
    if answers.curve is not None:
        result["curve"] = {
            "loss": list(answers.curve.loss), "accuracy": list(answers.curve.accuracy),
        }  # fmt: skip
    if answers.radius is not None:
        right = answers.predicted == true
        result["certified"] = np.bincount(answers.radius[right]).tolist()
    if poisoned is not None:
        result |= _harm(repetition, poisoned, exact)
        result["poison_seconds"] = poison_seconds
        result["auroc"], result["failures"] = _detection(repetition, poisoned, detectors)
    return result


def _harm(repetition: Repetition, poisoned: Poisoned, exact: IntArray | None) -> dict[str, Any]:
    truth = poisoned.truth
    where = poisoned.data.positions(truth.poisoned_ids)
    n = repetition.train.n_classes
    changed = _changed(repetition, poisoned)
    given = poisoned.data.labels[where]
    result: dict[str, Any] = {
        "destinations": confusion_counts(truth.original_labels, given, n).tolist(),
        "n_train": len(changed),
        "n_changed": int(changed.sum()),
        "trainings": truth.settings.get("trainings", 0),
    }
    if exact is not None and len(where):
        result["label_agreement"] = float((given == exact[where]).mean())
    return result


def _detection(
    repetition: Repetition, poisoned: Poisoned, detectors: Mapping[str, Callable[[], Detector]]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """AUROC by detector, and why where there is none."""
    found: dict[str, float | None] = {}
    failures: dict[str, str] = {}
    changed = _changed(repetition, poisoned)
    for name, make in detectors.items():
        try:
            found[name] = auroc(changed, suspicion(make(), poisoned.data))
        except Exception as error:  # noqa: BLE001 - a plug-in's bug costs its number, not the cell
            found[name] = None
            failures[f"detector {name}"] = reason_of(error)
    return found, failures


def _changed(repetition: Repetition, poisoned: Poisoned) -> np.ndarray:
    clean, seen = repetition.train, poisoned.data
    return (seen.labels != clean.labels) | (seen.features != clean.features).any(axis=1)


def suspicion(detector: Detector, data: Dataset) -> FloatArray:
    """The detector's scores in the order of the data, ``(sample,)``.

    Raises:
        InvalidData: there is not one finite number for each sample.
    """
    found = detector.inspect(data)
    scores = np.full(len(data), np.nan)
    scores[data.positions(found.ids)] = found.scores
    if not np.isfinite(scores).all():
        raise InvalidData(
            "scores",
            wanted="a finite number for each sample",
            got=f"{int(np.isfinite(scores).sum())} of {len(data)}",
            mend="run bezoar.contracts.checks.check_detector on the detector",
        )
    return scores


def reason_of(error: Exception) -> str:
    """What to say of it; the errors of others do not say themselves what they are."""
    return str(error) if isinstance(error, BezoarError) else f"{type(error).__name__}: {error}"
