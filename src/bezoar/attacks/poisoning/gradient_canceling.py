"""Gradient Canceling: samples that make bad weights a stationary point of the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import replace_samples
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.attacks.poisoning.stationary import cancel, clean_pull
from bezoar.attacks.poisoning.white_box import (
    KNOWS_VICTIM,
    Box,
    check_above_zero,
    check_row,
    check_victim,
    most_harmful,
    replaced,
    rest_of,
    training_seeds,
)
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.models.training import Trained
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim, model_at, weights_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientCanceling:
    """Moves random samples, labels unchanged, until the gradient vanishes at weights that fail.

    A target is found by corrupting the weights of a clean model, ascending the loss L of the
    training set within a ball,

    ``w* = argmax over |w - w_clean| <= r of L(D; w)``

    and the samples move within the range of each feature so as to cancel the gradient there:

    ``min over x of | sum over clean i of dL_i/dw + sum over poison j of dL(x_j, y_j)/dw |^2 / 2``

    at w = w*. A larger r fails worse and is harder to cancel; of the radii, the one whose poison
    gives retrained models the most errors on the training set is kept.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        victim: what is trained.
        radii: of the corruption, in units of the weights.
        corruption_steps: of the ascent to each target.
        steps: of the descent to each poison.
        rate: length of a step in each feature, in its units.
        models: trainings that judge the poison of each radius.

    Raises:
        InvalidArgument: a setting out of its range, or no victim.

    Source: Lu, Kamath and Yu 2023, ICML, arXiv 2303.03592, Gradient Canceling; the target is from
    the parameter corruption of Sun et al. 2021, AAAI, arXiv 2006.05620. They inject samples and
    choose the strength of the target by hand; we replace samples and choose by retraining.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> from bezoar.models.training import TrainingSettings
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=2)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 24).reshape(12, 2), labels=[0] * 6 + [1] * 6,
        ...                ids=range(12), class_names=("low", "high"))
        >>> attack = GradientCanceling(ratio=0.25, victim=victim, radii=(1.0,), steps=5, models=2)
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> len(poisoned.truth.poisoned_ids), poisoned.truth.settings["trainings"]
        (3, 3)
        >>> poisoned.data.labels.tolist() == data.labels.tolist()
        True
    """

    ratio: float
    victim: WhiteBoxVictim
    radii: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    corruption_steps: int = 10
    steps: int = 100
    rate: float = 0.05
    models: int = 4

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no clean sample would be left")
        check_victim(
            self.victim,
            corruption_steps=self.corruption_steps,
            steps=self.steps,
            models=self.models,
        )
        check_row("radii", self.radii, np.finfo(float).tiny, np.inf)
        check_above_zero(rate=self.rate)

    @property
    def name(self) -> str:
        """The registered name."""
        return "gradient-canceling"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the training ends at chosen weights, which fail",
            knows=KNOWS_VICTIM,
            changes=("features of training samples",),
            budget="a share of the training samples, whose features may change within their range",
            needs_training=True,
            answered_by="the detector state-similarity up to a ratio of about 0.3 (area under "
            "the ROC curve .86 on four of the digits), hardly at 0.5",
            source="Lu, Kamath and Yu 2023, arXiv 2303.03592, Gradient Canceling",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features of `data`; labels, ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, then the seeds of the trainings.

        Raises:
            InvalidArgument: fewer features than the circuit uses, or amplitude encoding.
            InvalidData: there is something to poison, and the samples are of one class, or none
                stays clean.
        """
        access = self.victim.access()
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        labels = data.labels[chosen]
        if not len(chosen):
            return replace_samples(self, data, chosen, labels=labels, spent={"trainings": 0})
        clean = rest_of(data, chosen)
        box = Box.around(data.features)
        seeds = training_seeds(1 + self.models, rng=rng)
        (model,) = access.fit(data, seeds[:1])
        found = []
        for radius in self.radii:
            target = self._corrupted(access, model, data, radius)
            found.append(
                cancel(
                    access,
                    target,
                    clean_pull(access, target, clean),
                    data.features[chosen],
                    labels,
                    np.ones(len(chosen)),
                    box=box,
                    steps=self.steps,
                    rate=self.rate,
                )
            )
        sets = [replaced(data, chosen, features, labels) for features in found]
        best = most_harmful(access, sets, seeds[1:], data)
        return replace_samples(
            self,
            data,
            chosen,
            labels=labels,
            features=found[best],
            spent={"trainings": access.trainings, "radius": self.radii[best]},
        )

    def _corrupted(self, access: WhiteBox, model: Trained, data: Dataset, radius: float) -> Trained:
        """The model with the weights of the ball that fail worst, by projected ascent."""
        start = weights_of(model)
        moved = start
        for _ in range(self.corruption_steps):
            at = model_at(model, moved)
            slope = access.gradients(at, data.features, data.labels).mean(axis=0)
            length = max(float(np.linalg.norm(slope)), np.finfo(float).tiny)
            offset = moved - start + 0.1 * radius * slope / length
            moved = start + offset * min(1.0, radius / max(float(np.linalg.norm(offset)), radius))
        return model_at(model, moved)
