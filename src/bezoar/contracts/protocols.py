"""What plugs in: plain frozen objects with one method each."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.suspicion import Suspicion
from bezoar.contracts.truth import Poisoned


@runtime_checkable
class Attack(Protocol):
    """Harms a training set. Settings are fields; the data and the randomness are arguments.

    An attack that needs the victim's state preparation declares a field ``encoder``; the command
    line and the judge fill it.
    """

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def ratio(self) -> float:
        """The share of the training set it may poison, in [0, 1)."""
        ...

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        ...

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Returns the poisoned data with the same ids in the same order, and the truth."""
        ...


@runtime_checkable
class Detector(Protocol):
    """Scores how suspicious each sample of a data set is; sees no truth."""

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    def inspect(self, data: Dataset) -> Suspicion:
        """A score for each sample, higher is more suspicious."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """Black-box access to a model: class scores and nothing else."""

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Class probabilities ``(sample, class)`` of features ``(sample, feature)``."""
        ...

    def predict(self, X: FloatArray) -> IntArray:
        """The most probable class of each sample, ``(sample,)``."""
        ...
