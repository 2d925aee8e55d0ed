"""Deep partition aggregation: which samples and labels each base learner learns from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.seeds import generator
from bezoar.defences.training.spreading import UNLABELLED, check_spreading, spread_labels
from bezoar.models.circuits import whole_number
from bezoar.models.training import Job
from bezoar.quantum.state_encoder import StateEncoder

_NAME = re.compile(r"(ss-)?dpa:([1-9][0-9]{0,4})")
_MOST_PARTITIONS = 10_000


class BaseSet(NamedTuple):
    """What one base learner learns from; empty where its partition is.

    Attributes:
        positions: into the training set, ``(sample,)``.
        labels: class codes to learn, ``(sample,)``.
    """

    positions: IntArray
    labels: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionAggregation:
    """Deep partition aggregation (DPA), and SS-DPA, its semi-supervised form.

    The training set falls into k partitions. Each trains a base learner of its own, and the base
    learners vote (`bezoar.defences.training.votes.vote`). A partition that the attacker does not
    reach casts the vote that it would have cast, so a prediction with radius r holds for every
    poisoning that reaches at most r partitions.

    **DPA** (`semi_supervised` False): the partition of a sample is the SHA-256 of its features,
    written with seven significant digits, modulo k; no other sample and no label counts. A base
    learner sees its own partition, sorted by features, then label. Against *general poisoning* the
    radius counts: one for a sample inserted, one for one deleted, one for a label changed, two for
    a sample whose features change (it may leave one partition for another).

    **SS-DPA** (`semi_supervised` True): samples are sorted by features, and the partition is the
    rank modulo k; equal features share a rank. A base learner sees the labels of its own partition
    and the features of the whole training set: it learns all samples under the pseudo-labels of
    `bezoar.defences.training.spreading.spread_labels`, seeded with its partition's labels.
    Against *label flips only* the radius counts flipped labels. Against changed features it
    promises nothing: they move partitions and reach every base learner.

    The promise also needs:

    - Training is deterministic and does not depend on the order of the rows: base sets are sorted
      (for SS-DPA, by ids among equal features), and seeds depend on the run and the base learner's
      number alone. Trainings that are batched together may differ in their last digits from
      trainings alone (see `bezoar.models.training.train_many`): exact to that rounding. Against
      label flips it does not arise: no size changes, so neither does the batching.
    - What made the features did not use what the attacker changes. Against label flips, any
      reduction and scaling that ignores labels will do. Against insertions, deletions and changed
      features, they must have been fixed without the training set.
    - The attacker stayed within the radius. Then the promise works both ways: trained on clean
      data, the prediction survives the attack; trained on attacked data, it is the one that the
      clean data would have given. Beyond the radius nothing is said.

    An empty partition (certain where k > n) casts no vote. A partition without a class trains as
    any other; its base learner has no reason to predict that class.

    Attributes:
        n_partitions: k, from 1 to 10,000.
        semi_supervised: SS-DPA.
        n_neighbors, alpha: see `spread_labels`; for SS-DPA.

    Raises:
        InvalidArgument: a number out of range.

    Source: Levine and Feizi, Deep Partition Aggregation: Provable Defenses against General
    Poisoning Attacks, ICLR 2021, arXiv 2006.14768. As there: the sorted order for SS-DPA, seeds by
    number, ties to the lower class, and a hash of the features alone in their experiments.
    Ours: SHA-256 for the sum of the pixels, which means nothing on latent features; a label flip
    counted once in DPA too, since the hash leaves labels out (there twice, as a removal and an
    insertion); repeated features in one partition of SS-DPA (there refused); label spreading for
    RotNet or SimCLR features; as many updates for a base learner as for a plain model, see `jobs`.

    Example:
        >>> data = Dataset(features=[[0.3], [0.1], [0.2], [0.4]], labels=[0, 0, 1, 1],
        ...                ids=range(4), class_names=("cat", "dog"))
        >>> PartitionAggregation(n_partitions=2, semi_supervised=True).partitions(data).tolist()
        [0, 0, 1, 1]
        >>> PartitionAggregation(n_partitions=1).base_sets(data)[0].positions.tolist()
        [1, 2, 0, 3]
    """

    n_partitions: int
    semi_supervised: bool = False
    n_neighbors: int = 10
    alpha: float = 0.9

    def __post_init__(self) -> None:
        if whole_number("n_partitions", self.n_partitions) > _MOST_PARTITIONS:
            raise InvalidArgument(
                "n_partitions", wanted=f"at most {_MOST_PARTITIONS}", got=self.n_partitions
            )
        if not isinstance(self.semi_supervised, bool):
            raise InvalidArgument(
                "semi_supervised", wanted="True or False", got=repr(self.semi_supervised)
            )
        check_spreading(self.n_neighbors, self.alpha)

    @property
    def name(self) -> str:
        """The short name that `ensemble_named` reads, for example ``ss-dpa:3``."""
        return f"{'ss-' if self.semi_supervised else ''}dpa:{self.n_partitions}"

    def partitions(self, data: Dataset) -> IntArray:
        """The partition of each sample, ``(sample,)``, from 0; it does not depend on labels."""
        features = _rows(data)
        if not self.semi_supervised:
            return np.array([_hash(row) % self.n_partitions for row in features], dtype=np.int64)
        order = _order(features, data.ids)
        ranks = np.empty(len(data), dtype=np.int64)
        new = (features[order][1:] != features[order][:-1]).any(axis=1)
        ranks[order[1:]] = np.cumsum(new)
        ranks[order[:1]] = 0
        return ranks % self.n_partitions

    def base_sets(self, data: Dataset, encoder: StateEncoder | None = None) -> tuple[BaseSet, ...]:
        """What each base learner learns from, `n_partitions` of them.

        Args:
            data: the training set, features as `encoder` takes them.
            encoder: how the victim prepares states; needed for SS-DPA, unused for DPA.

        Raises:
            InvalidArgument: SS-DPA without an encoder, or as `StateEncoder.encode` and
                `spread_labels`.
        """
        partitions = self.partitions(data)
        if not self.semi_supervised:
            order = _order(_rows(data), data.labels)
            own = [order[partitions[order] == i] for i in range(self.n_partitions)]
            return tuple(BaseSet(where, data.labels[where]) for where in own)
        if not isinstance(encoder, StateEncoder):
            raise InvalidArgument(
                "encoder",
                wanted="a StateEncoder for SS-DPA",
                got=type(encoder).__name__,
                mend="pass the victim's",
            )
        order = _order(_rows(data), data.ids)
        labels = data.labels[order]
        sets = [BaseSet(order[:0], labels[:0])] * self.n_partitions
        voters = np.unique(partitions)
        if len(voters):
            own = partitions[order] == voters[:, None]
            pseudo = spread_labels(
                encoder.encode(data.features[order]),
                np.where(own, labels, UNLABELLED),
                data.n_classes,
                n_neighbors=self.n_neighbors,
                alpha=self.alpha,
            )
            for voter, answer in zip(voters, pseudo, strict=True):
                sets[voter] = BaseSet(order, answer)
        return tuple(sets)

    def jobs(
        self, base_sets: Sequence[BaseSet], *, n_classes: int, seed: int, offset: int = 0
    ) -> list[Job]:
        """Trainings for `bezoar.models.training.train_many`, one for each base set with samples.

        A base learner makes about as many updates as a plain model: DPA repeats its 1/k of the
        samples k times, since 30 epochs on 20 samples would be 30 steps. The factor is
        k, not n over the size, so that a base learner does not depend on other partitions.

        The first base learner has the seed `seed`, so that one partition is the plain model; the
        others have seeds derived from it.

        Args:
            base_sets: from `base_sets`.
            n_classes: width of the linear layer.
            seed: of the run.
            offset: added to positions, for a pool of samples in which this training set starts
                there.
        """
        repeats = 1 if self.semi_supervised else self.n_partitions
        return [
            Job(
                train=np.tile(base.positions + offset, repeats),
                labels=np.tile(base.labels, repeats),
                n_classes=n_classes,
                seed=_base_seed(seed, number),
            )
            for number, base in enumerate(base_sets)
            if len(base.positions)
        ]


def ensemble_named(text: str) -> PartitionAggregation | None:
    """The defence of a short name: ``none``, ``dpa:K`` or ``ss-dpa:K``.

    Raises:
        InvalidArgument: another text.

    Example:
        >>> ensemble_named("ss-dpa:3")
        PartitionAggregation(n_partitions=3, semi_supervised=True, n_neighbors=10, alpha=0.9)
        >>> ensemble_named("none") is None
        True
    """
    if text == "none":
        return None
    match = _NAME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidArgument(
            "ensemble",
            wanted=f"none, dpa:K or ss-dpa:K with a whole number K from 1 to {_MOST_PARTITIONS}",
            got=repr(text),
        )
    return PartitionAggregation(n_partitions=int(match[2]), semi_supervised=bool(match[1]))


def _rows(data: Dataset) -> FloatArray:
    """Features as ``(sample, feature)``; adding zero turns negative zeros, which equal it."""
    return data.features.reshape(len(data), data.n_features) + 0.0


def _order(features: FloatArray, then_by: IntArray) -> IntArray:
    """Positions in lexicographic order of the features, then of another column."""
    return np.lexsort((then_by, *features.T[::-1]))


def _hash(row: FloatArray) -> int:
    # Seven digits: features that went through another machine's PCA stay in their partition.
    text = ",".join(f"{value:.6e}" for value in row)
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def _base_seed(seed: int, number: int) -> int:
    return seed if number == 0 else int(generator(seed, "base learner", number).integers(2**63))
