"""The influence attack: samples that move where the test loss of the retrained model grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import other_labels, replace_samples
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.attacks.poisoning.white_box import (
    KNOWS_TEST,
    KNOWS_VICTIM,
    Box,
    check_above_zero,
    check_same_kind,
    check_test_type,
    check_victim,
    replaced,
    training_seeds,
)
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.models.training import Trained
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Gives random samples another label, then moves their features up the victim's test loss.

    Each round trains the victim on the poisoned set; with its weights w, the Hessian H of its
    training loss and the test loss L_test, a poisoned sample (x, y) moves the test loss as

    ``dL_test/dx = - d/dx (v . dL(x, y)/dw) / n,   v = (H + damping 1)^-1 dL_test/dw``

    and takes a step that way, within the range of each feature in the training set. Of all rounds'
    sets, the one with the most test errors is kept.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        victim: what is trained.
        test_data: the test set, scaled as the training set.
        rounds: of training and moving.
        models: trainings of each round, over whose seeds the direction is averaged.
        step: how far the largest component of a sample's step goes, in units of its feature.
        damping: added to the Hessian beyond what makes it positive definite.

    Raises:
        InvalidArgument: a setting out of its range, no victim, or no test data.

    Source: Koh, Steinhardt and Liang 2022, Machine Learning 111, arXiv 1811.00741, influence
    attack; its gradient is of Koh and Liang 2017, arXiv 1703.04730. They inject samples and
    constrain them to pass sanitisation; we replace samples, and the range is the one constraint.
    Steps of one length per sample, the average over seeds and the choice of the best round are
    ours; so is raising H to positive definite, which theirs is by convexity.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> from bezoar.models.training import TrainingSettings
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=2)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 24).reshape(12, 2), labels=[0] * 6 + [1] * 6,
        ...                ids=range(12), class_names=("low", "high"))
        >>> attack = Influence(ratio=0.25, victim=victim, test_data=data, rounds=2, models=1)
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> len(poisoned.truth.poisoned_ids), poisoned.truth.settings["trainings"]
        (3, 3)
    """

    ratio: float
    victim: WhiteBoxVictim
    test_data: Dataset
    rounds: int = 10
    models: int = 4
    step: float = 0.3
    damping: float = 0.01

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no clean sample would be left")
        check_victim(self.victim, rounds=self.rounds, models=self.models)
        check_test_type(self.test_data)
        check_above_zero(step=self.step, damping=self.damping)

    @property
    def name(self) -> str:
        """The registered name."""
        return "influence"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model fails on the test set",
            knows=(*KNOWS_VICTIM, KNOWS_TEST),
            changes=("features of training samples", "their labels"),
            budget="a share of the training samples, of which everything may change",
            needs_training=True,
            answered_by="the detector state-similarity up to a ratio of about 0.3 (area under "
            "the ROC curve .92 on four of the digits); at 0.5 its scores turn round, and no "
            "detector here answers it",
            source="Koh, Steinhardt and Liang 2022, arXiv 1811.00741, influence attack",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, their labels, and the seeds of the trainings.

        Raises:
            InvalidArgument: fewer features than the circuit uses, or amplitude encoding.
            InvalidData: the test data are of another kind; there is something to poison, and the
                samples are of one class.
        """
        check_same_kind(data, self.test_data)
        access = self.victim.access()
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        if not len(chosen):
            return replace_samples(
                self, data, chosen, labels=data.labels[chosen], spent={"trainings": 0}
            )
        labels = other_labels(data.labels[chosen], np.unique(data.labels), rng=rng)
        box = Box.around(data.features)
        x = best = data.features[chosen]
        harm = -np.inf
        for turn in range(self.rounds + 1):
            now = replaced(data, chosen, x, labels)
            models = access.fit(now, training_seeds(self.models, rng=rng))
            error = access.errors(models, self.test_data.features, self.test_data.labels).mean()
            if error > harm:
                best, harm = x, error
            if turn < self.rounds:
                slopes = [
                    access.mixed_gradients(model, x, labels, self._direction(access, model, now))
                    for model in models
                ]
                slope = -np.sum(slopes, axis=0)
                longest = np.abs(slope).max(axis=1, keepdims=True)
                x = box.clip(x + self.step * slope / np.maximum(longest, np.finfo(float).tiny))
        return replace_samples(
            self,
            data,
            chosen,
            labels=labels,
            features=best,
            spent={"trainings": access.trainings},
        )

    def _direction(self, access: WhiteBox, model: Trained, now: Dataset) -> FloatArray:
        """v, ``(weight,)``, of length 1."""
        test = access.gradients(model, self.test_data.features, self.test_data.labels).mean(axis=0)
        hessian = access.hessian(model, now.features, now.labels)
        lift = self.damping + max(0.0, -float(np.linalg.eigvalsh(hessian)[0]))
        v = np.linalg.solve(hessian + lift * np.eye(len(hessian)), test)
        return v / max(float(np.linalg.norm(v)), np.finfo(float).tiny)
