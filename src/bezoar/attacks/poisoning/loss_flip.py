"""Loss-maximising label flips: the labels that hurt a retrained model most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import replace_samples
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.attacks.poisoning.white_box import KNOWS_VICTIM, check_victim, training_seeds
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.models.training import Job
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFlip:
    """Flips, a group at a time, the labels whose flip raises a retrained model's loss most.

    Each round draws candidates among the samples not flipped yet, trains the victim anew for each
    candidate and each other class y',

    ``gain(i, y') = L(D; train(D' with y_i = y'))``

    where D is the clean training set and D' what earlier rounds made of it, and flips the best of
    them, each to its best class. With as many rounds as flips and all samples as candidates it is
    the greedy attack of the paper; that takes ``flips * samples * (classes - 1)`` trainings, about
    735,000 for 350 of 700 samples. Ours takes ``rounds * candidates * (classes - 1)``: 1,920 there.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        victim: what is trained.
        rounds: groups of flips; fewer are faster and greedier.
        candidates: samples that a round tries; never fewer than it flips.

    Raises:
        InvalidArgument: the ratio is outside [0, 1), no victim, or a count below 1.

    Source: Paudice, Munoz-Gonzalez and Lupu 2018, arXiv 1803.00992, Algorithm 1, there for two
    classes and with a validation set of the attacker's, for which we take the clean training set;
    the idea is of Biggio, Nelson and Laskov 2012, arXiv 1206.6389. Groups and drawn candidates are
    ours.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> from bezoar.models.training import TrainingSettings
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=2)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 24).reshape(12, 2), labels=[0] * 6 + [1] * 6,
        ...                ids=range(12), class_names=("low", "high"))
        >>> attack = LossFlip(ratio=0.25, victim=victim, rounds=3)
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> int((poisoned.data.labels != data.labels).sum()), poisoned.truth.settings["trainings"]
        (3, 33)
    """

    ratio: float
    victim: WhiteBoxVictim
    rounds: int = 5
    candidates: int = 128

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no clean sample would be left")
        check_victim(self.victim, rounds=self.rounds, candidates=self.candidates)

    @property
    def name(self) -> str:
        """The registered name."""
        return "loss-flip"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model fails on unseen samples",
            knows=KNOWS_VICTIM,
            changes=("labels of training samples",),
            budget="a share of the training samples",
            needs_training=True,
            answered_by="the detector state-similarity, since samples keep their features "
            "(area under the ROC curve .99 at a ratio of 0.3 and .90 at 0.5, "
            "on four of the digits)",
            source="Paudice, Munoz-Gonzalez and Lupu 2018, arXiv 1803.00992, Algorithm 1; "
            "Biggio, Nelson and Laskov 2012, arXiv 1206.6389",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes labels of `data`; features, ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the candidates and the seed of each round.

        Raises:
            InvalidArgument: fewer features than the circuit uses.
            InvalidData: there is something to poison, and the samples are of one class.
        """
        access = self.victim.access()
        n_flips = len(choose_poisoned(data, self.ratio, rng=rng))
        labels = data.labels.copy()
        left = np.argsort(data.ids)
        done = 0
        while done < n_flips:
            group = min(-(-n_flips // self.rounds), n_flips - done)
            tried = rng.permutation(left)[: max(self.candidates, group)]
            best, loss = self._best_labels(access, data, labels, tried, rng=rng)
            order = np.argsort(-loss, kind="stable")[:group]
            labels[tried[order]] = best[order]
            left = left[~np.isin(left, tried[order])]
            done += group
        changed = np.argsort(data.ids)
        changed = changed[labels[changed] != data.labels[changed]]
        return replace_samples(
            self, data, changed, labels=labels[changed], spent={"trainings": access.trainings}
        )

    def _best_labels(
        self,
        access: WhiteBox,
        data: Dataset,
        labels: IntArray,
        tried: IntArray,
        *,
        rng: np.random.Generator,
    ) -> tuple[IntArray, FloatArray]:
        """For each candidate its most harmful other class and the loss then, ``(candidate,)``."""
        classes = np.unique(data.labels)
        others = np.stack([classes[classes != labels[i]] for i in tried])
        (seed,) = training_seeds(1, rng=rng)
        jobs = []
        for position, options in zip(tried, others, strict=True):
            for option in options:
                flipped = labels.copy()
                flipped[position] = option
                jobs.append(
                    Job(
                        train=np.arange(len(data)),
                        labels=flipped,
                        n_classes=data.n_classes,
                        seed=seed,
                    )
                )
        models = access.train(data.features, jobs)
        loss = access.losses(models, data.features, data.labels).mean(axis=1)
        loss = loss.reshape(others.shape)
        best = loss.argmax(axis=1)
        rows = np.arange(len(tried))
        return others[rows, best], loss[rows, best]
