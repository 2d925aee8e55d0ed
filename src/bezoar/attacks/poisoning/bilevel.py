"""Bi-level poisoning: samples and labels are both replaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import other_labels, replace_samples
from bezoar.attacks.poisoning.quid import ANSWER, NO_REFERENCE, check_knowledge, farthest_classes
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.quantum.distances import Metric
from bezoar.quantum.state_encoder import StateEncoder

_SOURCE = "Kundu and Ghosh 2024, arXiv 2411.14412, section 5.2 (Label-flip vs. Bi-level), Table 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class BiLevel:
    """Replaces each chosen sample by random features with the class that is farthest from them.

    ``x' ~ U[min_i x_i, max_i x_i]`` in each feature on its own, over the training set, and
    ``y' = argmax_c mean over clean x_j of class c of d(phi(x'), phi(x_j))`` as in `QUID`. The ids
    stay: a sample keeps its place and its name and loses its content.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        encoder: how the victim prepares states.
        metric: one of `bezoar.quantum.distances.METRICS`.
        max_references: as in `QUID`.

    Raises:
        InvalidArgument: the ratio is outside [0, 1), `max_references` is below 1, or `encoder` is
            none.
        UnknownName: there is no such metric.

    Source: arXiv 2411.14412, section 5.2 and Table 3. "Random features" is all it says; a uniform
    draw within the observed range, where no feature stands out by its size, is our choice.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> data = Dataset(features=[[0.0], [0.1], [3.0], [3.1]], labels=[0, 0, 1, 1],
        ...                ids=range(4), class_names=("low", "high"))
        >>> attack = BiLevel(ratio=0.25, encoder=StateEncoder(circuit=turn))
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([2], [0, 0, 1, 1])
        >>> poisoned.data.features.round(2).ravel().tolist()
        [0.0, 0.1, 0.13, 3.1]
    """

    ratio: float
    encoder: StateEncoder
    metric: Metric = "frobenius"
    max_references: int | None = None

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one=NO_REFERENCE)
        check_knowledge(self.encoder, self.metric, self.max_references)

    @property
    def name(self) -> str:
        """The registered name."""
        return "bilevel"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model fails on unseen samples",
            knows=(
                "the training set",
                "the encoding circuit, and the noise of its device where that is given",
            ),
            changes=("features of training samples", "their labels"),
            budget="a share of the training samples, of which everything may change",
            needs_training=False,
            answered_by=ANSWER,
            source=_SOURCE,
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, then the features, then the references if they are capped.

        Raises:
            InvalidArgument: fewer features than the encoding uses.
            InvalidData: there is something to poison, and the samples are of one class, or none
                stays clean.
        """
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        features = random_features(data.features, len(chosen), rng=rng)
        labels = farthest_classes(
            data,
            chosen,
            features,
            encoder=self.encoder,
            metric=self.metric,
            max_references=self.max_references,
            rng=rng,
        )
        return replace_samples(self, data, chosen, labels=labels, features=features)


@dataclass(frozen=True, slots=True, kw_only=True)
class BiLevelRandom:
    """Replaces each chosen sample by random features with a random other label.

    ``x'`` as in `BiLevel`; ``y' ~ U(C without y)``, where C are the classes that have samples and
    y is the label that the sample had. It needs no knowledge of the victim.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).

    Raises:
        InvalidArgument: the ratio is outside [0, 1).

    Source: arXiv 2411.14412, Table 3, bi-level "Random". The paper does not say how its random
    labels are drawn; the old label means little once the features are gone, and we leave it out so
    that every poisoned sample differs in its label too.

    Example:
        >>> data = Dataset(features=[[0.0], [0.1], [3.0], [3.1]], labels=[0, 0, 1, 1],
        ...                ids=range(4), class_names=("low", "high"))
        >>> poisoned = BiLevelRandom(ratio=0.25).poison(data, rng=np.random.default_rng(0))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([2], [0, 0, 0, 1])
        >>> poisoned.data.features.round(2).ravel().tolist()
        [0.0, 0.1, 0.13, 3.1]
    """

    ratio: float

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no sample of the training set would be left")

    @property
    def name(self) -> str:
        """The registered name."""
        return "bilevel-random"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model learns less, from samples that mean nothing",
            knows=("the range of each feature", "the labels of the training set"),
            changes=("features of training samples", "their labels"),
            budget="a share of the training samples, of which everything may change",
            needs_training=False,
            answered_by="the detector state-similarity in part: random features lie near no class, "
            "so that a wrong label shows less than on a real sample",
            source=_SOURCE,
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Raises:
            InvalidData: there is something to poison, and the samples are of one class.
        """
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        features = random_features(data.features, len(chosen), rng=rng)
        old = data.labels[chosen]
        new = other_labels(old, np.unique(data.labels), rng=rng) if len(chosen) else old
        return replace_samples(self, data, chosen, labels=new, features=features)


def random_features(
    observed: FloatArray, n_samples: int, *, rng: np.random.Generator
) -> FloatArray:
    """Uniform between each feature's least and greatest observed value.

    Args:
        observed: ``(sample, ...)``.
        n_samples: how many to draw; 0 is fine even without observations.
        rng: the source of the draw.

    Returns:
        ``(n_samples, ...)``.
    """
    if not n_samples:
        return observed[:0]
    low, high = observed.min(axis=0), observed.max(axis=0)
    # Weights on both ends stay finite where the width of the range would overflow.
    share = rng.random((n_samples, *low.shape))
    return np.clip((1 - share) * low + share * high, low, high)
