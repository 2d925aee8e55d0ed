"""QUID: labels that are farthest from a sample's state."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from bezoar.attacks.poisoning.poisoned import replace_samples
from bezoar.attacks.poisoning.selection import (
    check_class_names,
    check_ratio,
    choose_poisoned,
)
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.quantum.distances import METRICS, Metric, class_distances
from bezoar.quantum.state_encoder import StateEncoder

_MANY_PAIRS = 10**8
NO_REFERENCE = "samples that stay clean are needed to measure distances to"
ANSWER = (
    "the detector state-similarity up to a ratio of about 0.3; from 0.5 on the wrong labels "
    "themselves define the classes, and no detector here answers it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QUID:
    """Gives each chosen sample the class whose clean states are farthest from its own state.

    The training set is split into a clean part and a part to poison. For a sample x of the latter

    ``y' = argmax_c mean over clean x_j of class c of d(phi(x), phi(x_j))``

    where phi(x) is the encoded state, noisy if the encoder is, and d the metric. On a tie the
    lowest class code wins. A class without a clean sample is no candidate.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        encoder: how the victim prepares states.
        metric: one of `bezoar.quantum.distances.METRICS`.
        source_classes: names of the classes whose samples may be poisoned (a targeted attack);
            empty for all. With fewer samples than the ratio asks for, all of them are.
        max_references: at most this many clean samples of each class, drawn at random, stand for
            the class; None for all. An attacker who must measure states pays for each.

    Raises:
        InvalidArgument: the ratio is outside [0, 1), `max_references` is below 1, or `encoder` is
            none.
        UnknownName: there is no such metric.

    Source: Kundu and Ghosh 2024, arXiv 2411.14412, Algorithm 1 and section 6 (targeted). The
    paper leaves open which samples are chosen; see `choose_poisoned`. As there, the farthest class
    may be the sample's own: its label then stays, and the truth lists it among the poisoned. With
    RX, RZ angle encoding, 5 seeds and ratios up to 0.5 that happened to none of 16,420 samples of
    iris, wine and the digits, and to 8 % on breast-cancer, whose two classes overlap.

    Example:
        >>> from bezoar.quantum.circuit import Circuit, Feature, Operation
        >>> turn = Circuit(1, (Operation("RX", (0,), (Feature((0,)),)),))
        >>> data = Dataset(features=[[0.0], [0.1], [1.5], [1.6], [3.0], [3.1]],
        ...                labels=[0, 0, 1, 1, 2, 2], ids=range(6),
        ...                class_names=("low", "middle", "high"))
        >>> quid = QUID(ratio=0.5, encoder=StateEncoder(circuit=turn))
        >>> poisoned = quid.poison(data, rng=np.random.default_rng(0))
        >>> poisoned.truth.poisoned_ids.tolist(), poisoned.data.labels.tolist()
        ([2, 3, 5], [0, 0, 2, 0, 2, 0])
    """

    ratio: float
    encoder: StateEncoder
    metric: Metric = "frobenius"
    source_classes: tuple[str, ...] = ()
    max_references: int | None = None

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one=NO_REFERENCE)
        check_knowledge(self.encoder, self.metric, self.max_references)
        check_class_names("source_classes", self.source_classes)

    @property
    def name(self) -> str:
        """The registered name."""
        return "quid"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model fails on unseen samples, of all classes or of chosen ones",
            knows=(
                "the training set",
                "the encoding circuit, and the noise of its device where that is given",
            ),
            changes=("labels of training samples",),
            budget="a share of the training samples",
            needs_training=False,
            answered_by=ANSWER,
            source="Kundu and Ghosh 2024, arXiv 2411.14412, Algorithm 1",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes labels of `data`; features, ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, and the references if they are capped.

        Raises:
            UnknownName: a source class that the data does not name.
            InvalidArgument: fewer features than the encoding uses.
            InvalidData: there is something to poison, and the samples are of one class, none is of
                a source class, or none stays clean.
        """
        chosen = choose_poisoned(data, self.ratio, rng=rng, source_classes=self.source_classes)
        labels = farthest_classes(
            data,
            chosen,
            data.features[chosen],
            encoder=self.encoder,
            metric=self.metric,
            max_references=self.max_references,
            rng=rng,
        )
        return replace_samples(self, data, chosen, labels=labels)


def check_knowledge(encoder: object, metric: str, max_references: object) -> None:
    """Refuses what is no encoder, unknown metrics and caps below 1.

    Raises:
        UnknownName, InvalidArgument: as said.
    """
    if not isinstance(encoder, StateEncoder):
        raise InvalidArgument("encoder", wanted="a StateEncoder", got=type(encoder).__name__)
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    if max_references is None:
        return
    if not isinstance(max_references, Integral) or max_references < 1:
        raise InvalidArgument(
            "max_references", wanted="1 or more, or None for all", got=max_references
        )


def farthest_classes(
    data: Dataset,
    chosen: IntArray,
    features: FloatArray,
    *,
    encoder: StateEncoder,
    metric: Metric,
    max_references: int | None,
    rng: np.random.Generator,
) -> IntArray:
    """The class whose clean states are on average farthest, for each sample, ``(poisoned,)``.

    Args:
        data: the training set.
        chosen: positions of the samples to poison, ``(poisoned,)``; the others are clean.
        features: what the poisoned samples will have, ``(poisoned, feature)``.
        encoder, metric, max_references, rng: as in `QUID`.

    Raises:
        InvalidData: samples are to be poisoned and none stays clean.
    """
    if not len(chosen):
        return np.zeros(0, dtype=np.int64)
    clean = np.ones(len(data), dtype=bool)
    clean[chosen] = False
    if not clean.any():
        raise InvalidData(
            "training set",
            wanted=NO_REFERENCE,
            got=f"all {len(data)} samples to poison",
            mend="lower the ratio or add samples",
        )
    distances = class_distances(
        encoder.encode(features),
        encoder.encode(data.features[clean]),
        data.labels[clean],
        data.n_classes,
        metric,
        max_references=max_references,
        rng=rng,
        # Labels are decided by comparisons, and should not hang on the last bits of float32; but
        # where means are over many samples (error 4e-7), its speed counts for more.
        dtype=np.float64 if len(chosen) * int(clean.sum()) < _MANY_PAIRS else np.float32,
    )
    return np.where(np.isnan(distances), -np.inf, distances).argmax(axis=1)
