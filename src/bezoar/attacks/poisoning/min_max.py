"""The min-max attack: whatever the model fits, the next samples are what it fits worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.poisoning.poisoned import replace_samples
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.attacks.poisoning.white_box import (
    KNOWS_VICTIM,
    Box,
    check_above_zero,
    check_victim,
    replaced,
    rest_of,
    training_seeds,
)
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.models.training import Trained
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMax:
    """Replaces random samples, a group at a time, by the sample on which the loss is greatest.

    Upper bound of the harm, if the test loss is near the loss on the clean samples:

    ``max over D_p of min over w of L(D_clean; w) + eps L(D_p; w)``

    Each round trains the victim on the clean samples and the poison so far, finds

    ``(x, y) = argmax over the box and the classes of L(x, y; w)``

    by projected ascent from random places for each class, and adds copies of it. It needs no test
    data.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        victim: what is trained.
        rounds: groups of poison, as many different samples.
        models: trainings of each round, over whose seeds the loss is averaged.
        starts: places for each class from which the ascent starts.
        steps: of the ascent.
        step: how far a step goes in each feature, in its units.

    Raises:
        InvalidArgument: a setting out of its range, or no victim.

    Source: Steinhardt, Koh and Liang 2017, arXiv 1706.03691, Algorithm 1, and Koh, Steinhardt and
    Liang 2022, arXiv 1811.00741, min-max attack. They take one gradient step for each sample of
    poison, in a convex model without a random start; we train anew for each group. Of the feasible
    set we keep the range of each feature; their bound on the loss at decoy weights, which is what
    passes a defence, we leave out.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> from bezoar.models.training import TrainingSettings
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=2)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 24).reshape(12, 2), labels=[0] * 6 + [1] * 6,
        ...                ids=range(12), class_names=("low", "high"))
        >>> attack = MinMax(ratio=0.25, victim=victim, rounds=3, models=2)
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> len(poisoned.truth.poisoned_ids), poisoned.truth.settings["trainings"]
        (3, 6)
    """

    ratio: float
    victim: WhiteBoxVictim
    rounds: int = 20
    models: int = 4
    starts: int = 8
    steps: int = 20
    step: float = 0.2

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no clean sample would be left")
        counts = {name: getattr(self, name) for name in ("rounds", "models", "starts", "steps")}
        check_victim(self.victim, **counts)
        check_above_zero(step=self.step)

    @property
    def name(self) -> str:
        """The registered name."""
        return "min-max"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the model fails on unseen samples",
            knows=KNOWS_VICTIM,
            changes=("features of training samples", "their labels"),
            budget="a share of the training samples, of which everything may change",
            needs_training=True,
            answered_by="a look for exact copies, of which it makes many; the detector "
            "state-similarity up to a ratio of about 0.3 (area under the ROC curve .88 on four "
            "of the digits), not at 0.5",
            source="Steinhardt, Koh and Liang 2017, arXiv 1706.03691, Algorithm 1; "
            "Koh, Steinhardt and Liang 2022, arXiv 1811.00741, min-max attack",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, the seeds of the trainings, and where ascents start.

        Raises:
            InvalidArgument: fewer features than the circuit uses, or amplitude encoding.
            InvalidData: there is something to poison, and the samples are of one class, or none
                stays clean.
        """
        access = self.victim.access()
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        # Indexing by positions copies, so that these can be written to.
        features, labels = data.features[chosen], data.labels[chosen]
        if not len(chosen):
            return replace_samples(self, data, chosen, labels=labels, spent={"trainings": 0})
        clean = rest_of(data, chosen)
        box = Box.around(data.features)
        # Copies go to random places, so that neighbouring ids tell nothing.
        places = rng.permutation(len(chosen))
        done = places[:0]
        for group in np.array_split(places, min(self.rounds, len(chosen))):
            now = replaced(data, chosen, features, labels)
            so_far = now.take(np.concatenate([clean.ids, data.ids[chosen[done]]]))
            models = access.fit(so_far, training_seeds(self.models, rng=rng))
            features[group], labels[group] = self._worst(access, models, data, box, rng=rng)
            done = np.concatenate([done, group])
        return replace_samples(
            self,
            data,
            chosen,
            labels=labels,
            features=features,
            spent={"trainings": access.trainings},
        )

    def _worst(
        self,
        access: WhiteBox,
        models: Sequence[Trained],
        data: Dataset,
        box: Box,
        *,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, int]:
        """The sample of the box, and its class, with the greatest mean loss."""
        labels = np.repeat(np.unique(data.labels), self.starts)
        x = box.draw(len(labels), rng=rng)
        best, most = x, np.full(len(labels), -np.inf)
        for turn in range(self.steps + 1):
            loss = access.losses(models, x, labels).mean(axis=0)
            best = np.where((loss > most)[:, None], x, best)
            most = np.maximum(most, loss)
            if turn < self.steps:
                slopes = [access.feature_gradients(model, x, labels) for model in models]
                x = box.clip(x + self.step * np.sign(np.sum(slopes, axis=0)))
        winner = int(most.argmax())
        return best[winner], int(labels[winner])
