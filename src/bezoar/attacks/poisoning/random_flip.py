"""Random wrong labels: the baseline that every cleverer label poisoning must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import other_labels, replace_samples
from bezoar.attacks.poisoning.selection import (
    check_class_names,
    check_ratio,
    choose_poisoned,
)
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned

_AT_ONE = "with every label wrong there is no training set left to speak of"
_ANSWER = (
    "the detector state-similarity, while right labels outnumber those of each wrong class; in the "
    "same range training survives by itself, because independent errors average out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFlip:
    """Gives each chosen sample another label, uniformly among the other classes.

    ``y' ~ U(C without y)``, where C are the classes that have samples.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        source_classes: names of the classes whose samples may be poisoned; empty for all. With
            fewer samples than the ratio asks for, all of them are.

    Raises:
        InvalidArgument: the ratio is outside [0, 1).

    Source: the "random" column of the QUID paper (arXiv 2411.14412, Tables 3-6), which does not
    say whether a random label may be the old one: here it never is; `UniformRelabel` allows it.

    Example:
        >>> data = Dataset(features=np.zeros((4, 1)), labels=[0, 1, 0, 1], ids=[0, 1, 2, 3],
        ...                class_names=("cat", "dog"))
        >>> poisoned = RandomFlip(ratio=0.5).poison(data, rng=np.random.default_rng(0))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([0, 2], [1, 1, 1, 1])
    """

    ratio: float
    source_classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one=_AT_ONE)
        check_class_names("source_classes", self.source_classes)

    @property
    def name(self) -> str:
        """The registered name."""
        return "random"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model learns less, by labels that are wrong at random",
            knows=("the labels of the training set",),
            changes=("labels of training samples",),
            budget="a share of the training samples",
            needs_training=False,
            answered_by=_ANSWER,
            source="baseline in Kundu and Ghosh 2024, arXiv 2411.14412, Tables 3-6",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes labels of `data`; features, ids and order stay.

        Raises:
            UnknownName: a source class that the data does not name.
            InvalidData: there is something to poison, and the samples are of one class, or none is
                of a source class.
        """
        chosen = choose_poisoned(data, self.ratio, rng=rng, source_classes=self.source_classes)
        old = data.labels[chosen]
        new = other_labels(old, np.unique(data.labels), rng=rng) if len(chosen) else old
        return replace_samples(self, data, chosen, labels=new)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformRelabel:
    """Gives each chosen sample a label uniformly among all classes, its own included.

    ``y' ~ U(C)``, where C are the classes that have samples: of the poisoned samples a share
    ``1 / |C|`` keeps its label on average. The truth lists all that were chosen. At the same ratio
    this does less harm than `RandomFlip`; which of the two a paper means by "random" shifts its
    baseline.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).

    Raises:
        InvalidArgument: the ratio is outside [0, 1).

    Source: the other reading of "random" in the QUID paper (arXiv 2411.14412, Tables 3-6).

    Example:
        >>> data = Dataset(features=np.zeros((4, 1)), labels=[0, 1, 0, 1], ids=[0, 1, 2, 3],
        ...                class_names=("cat", "dog"))
        >>> poisoned = UniformRelabel(ratio=0.5).poison(data, rng=np.random.default_rng(2))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([2, 3], [0, 1, 0, 0])
    """

    ratio: float

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one=_AT_ONE)

    @property
    def name(self) -> str:
        """The registered name."""
        return "random-uniform"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model learns less, by labels drawn at random",
            knows=("the classes of the training set",),
            changes=("labels of training samples",),
            budget="a share of the training samples, of which some keep their label by chance",
            needs_training=False,
            answered_by=_ANSWER,
            source="baseline in Kundu and Ghosh 2024, arXiv 2411.14412, Tables 3-6",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes labels of `data`; features, ids and order stay.

        Raises:
            InvalidData: there is something to poison, and the samples are of one class.
        """
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        new = rng.choice(np.unique(data.labels), size=len(chosen)) if len(chosen) else []
        return replace_samples(self, data, chosen, labels=np.asarray(new, dtype=np.int64))
