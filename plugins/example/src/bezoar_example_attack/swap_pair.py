"""Swapping the labels of two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned, PoisonTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapPair:
    """Gives samples of one class the label of another, and the other way round.

    Chooses ``round(ratio * n)`` of the n training samples, evenly at random among those of the
    two classes; all of them when the two classes hold fewer.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        first, second: codes of the two classes, as in `Dataset.labels`.

    Raises:
        InvalidArgument: the ratio is outside [0, 1), or the two classes are one.

    Source: Tolpegin et al. 2020, arXiv 2007.08432, flip one class to another in the updates of
    federated clients; here both directions, in one training set.

    Example:
        >>> data = Dataset(features=[[0.0], [1.0], [2.0], [3.0]], labels=[0, 1, 2, 1],
        ...                ids=[10, 11, 12, 13], class_names=("cat", "dog", "owl"))
        >>> poisoned = SwapPair(ratio=0.75).poison(data, rng=np.random.default_rng(0))
        >>> poisoned.data.labels.tolist(), poisoned.truth.poisoned_ids.tolist()
        ([1, 0, 2, 0], [10, 11, 13])
    """

    ratio: float = 0.1
    first: int = 0
    second: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            raise InvalidArgument(
                "ratio",
                wanted="a share of the training set in [0, 1)",
                got=self.ratio,
                mend="at 1 no clean sample would be left",
            )
        if self.first == self.second:
            raise InvalidArgument("second", wanted="another class than first", got=self.second)

    @property
    def name(self) -> str:
        """The registered name."""
        return "swap-pair"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model takes two chosen classes for each other",
            knows=("the labels of the training set",),
            changes=("labels of training samples of the two classes",),
            budget="a share of the training samples, at most those of the two classes",
            needs_training=False,
            answered_by="the detector state-similarity: a swapped sample's state lies nearer to "
            "the other class",
            source="Tolpegin et al. 2020, arXiv 2007.08432",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Swaps labels within `data`, ``(sample, ...)``; features, ids and order stay.

        Raises:
            InvalidArgument: `data` has no class of code `first` or `second`.
        """
        for argument, code in (("first", self.first), ("second", self.second)):
            if not 0 <= code < data.n_classes:
                raise InvalidArgument(
                    argument, wanted=f"a class code from 0 to {data.n_classes - 1}", got=code
                )
        candidates = np.flatnonzero(np.isin(data.labels, (self.first, self.second)))
        n_poisoned = min(round(self.ratio * len(data)), len(candidates))
        chosen = rng.choice(candidates, size=n_poisoned, replace=False)
        chosen = chosen[np.argsort(data.ids[chosen])]
        labels = data.labels.copy()
        labels[chosen] = self.first + self.second - labels[chosen]
        truth = PoisonTruth(
            attack=self.name,
            settings={"ratio": self.ratio, "first": self.first, "second": self.second},
            poisoned_ids=data.ids[chosen],
            original_labels=data.labels[chosen],
        )
        return Poisoned(data=data.with_labels(labels), truth=truth)
