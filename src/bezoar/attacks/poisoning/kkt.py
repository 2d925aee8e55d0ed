"""The KKT attack: few different samples that make decoy weights a stationary point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from bezoar.attacks.poisoning.poisoned import replace_samples
from bezoar.attacks.poisoning.selection import check_ratio, choose_poisoned
from bezoar.attacks.poisoning.stationary import cancel, clean_pull
from bezoar.attacks.poisoning.white_box import (
    KNOWS_TEST,
    KNOWS_VICTIM,
    Box,
    check_above_zero,
    check_row,
    check_same_kind,
    check_test_type,
    check_victim,
    fit_all,
    most_harmful,
    replaced,
    rest_of,
    training_seeds,
)
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.contracts.records import ThreatModel
from bezoar.contracts.truth import Poisoned
from bezoar.models.training import Trained
from bezoar.models.white_box import WhiteBox, WhiteBoxVictim

_REFITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KKT:
    """Replaces random samples by copies of a few that hold the training at decoy weights.

    Decoys: the victim trained on the clean samples and on test samples under the class that a clean
    model thinks least of, drawn among those that it finds hard. For decoy weights w the poison is

    ``min over x_j, y_j, n_j of | sum over clean i of dL_i/dw + sum_j n_j dL(x_j, y_j)/dw |^2``

    with ``n_j >= 0`` copies of each, as many together as samples to poison, and x_j within the
    range of each feature. Counts come from non-negative least squares over the training samples
    under every class, which leaves few; places then by descent, counts anew, in turn. Of the
    decoys, the one whose poison gives retrained models the most test errors is kept.

    Attributes:
        ratio: share of the training set to poison, in [0, 1).
        victim: what is trained.
        test_data: the test set, scaled as the training set.
        quantiles: a decoy for each: the share of test samples that are too easy to be drawn.
        places: how many different samples the poison has at most.
        steps: of the descent between counts.
        rate: length of a step in each feature, in its units.
        models: trainings that judge the poison of each decoy.

    Raises:
        InvalidArgument: a setting out of its range, no victim, or no test data.

    Source: Koh, Steinhardt and Liang 2022, arXiv 1811.00741, KKT attack and decoy parameters. They
    search a grid over the share of each of two classes, where the places are a convex problem; here
    nothing is convex and counts of all classes come from least squares. They constrain samples to
    pass sanitisation; we replace samples, and the range is the one constraint.

    Example:
        >>> from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
        >>> from bezoar.models.training import TrainingSettings
        >>> circuit = build_circuit(build_encoding(), build_ansatz("sim-1"), n_features=2)
        >>> victim = WhiteBoxVictim(circuit=circuit, training=TrainingSettings(epochs=2))
        >>> data = Dataset(features=np.linspace(0, 3, 24).reshape(12, 2), labels=[0] * 6 + [1] * 6,
        ...                ids=range(12), class_names=("low", "high"))
        >>> attack = KKT(ratio=0.25, victim=victim, test_data=data, quantiles=(0.0,), steps=5)
        >>> poisoned = attack.poison(data, rng=np.random.default_rng(0))
        >>> len(poisoned.truth.poisoned_ids), poisoned.truth.settings["trainings"]
        (3, 6)
    """

    ratio: float
    victim: WhiteBoxVictim
    test_data: Dataset
    quantiles: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
    places: int = 48
    steps: int = 50
    rate: float = 0.05
    models: int = 4

    def __post_init__(self) -> None:
        check_ratio(self.ratio, at_one="no clean sample would be left")
        check_victim(self.victim, places=self.places, steps=self.steps, models=self.models)
        check_test_type(self.test_data)
        check_row("quantiles", self.quantiles, 0, 1)
        check_above_zero(rate=self.rate)

    @property
    def name(self) -> str:
        """The registered name."""
        return "kkt"

    @property
    def threat_model(self) -> ThreatModel:
        """What it knows, changes and wants."""
        return ThreatModel(
            goal="the training ends at chosen weights, which fail on the test set",
            knows=(*KNOWS_VICTIM, KNOWS_TEST),
            changes=("features of training samples", "their labels"),
            budget="a share of the training samples, of which everything may change",
            needs_training=True,
            answered_by="a look for exact copies, of which it makes many; the detector "
            "state-similarity up to a ratio of about 0.3 (area under the ROC curve .90 on four "
            "of the digits), hardly at 0.5",
            source="Koh, Steinhardt and Liang 2022, arXiv 1811.00741, KKT attack",
        )

    def poison(self, data: Dataset, *, rng: np.random.Generator) -> Poisoned:
        """Changes features and labels of `data`; ids and order stay.

        Args:
            data: features ``(sample, feature)``, in radians for angle encodings.
            rng: draws the samples, the seeds of the trainings, the decoys' samples, and which
                sample becomes which copy.

        Raises:
            InvalidArgument: fewer features than the circuit uses, or amplitude encoding.
            InvalidData: the test data are of another kind; there is something to poison, and the
                samples are of one class, or none stays clean.
        """
        check_same_kind(data, self.test_data)
        access = self.victim.access()
        chosen = choose_poisoned(data, self.ratio, rng=rng)
        if not len(chosen):
            return replace_samples(
                self, data, chosen, labels=data.labels[chosen], spent={"trainings": 0}
            )
        clean = rest_of(data, chosen)
        seeds = training_seeds(1 + self.models, rng=rng)
        (model,) = access.fit(data, seeds[:1])
        bent = [
            self._decoy_set(access, model, data, chosen, quantile, rng=rng)
            for quantile in self.quantiles
        ]
        decoys = [models[0] for models in fit_all(access, bent, seeds[:1])]
        order = rng.permutation(len(chosen))
        found = []
        for decoy in decoys:
            x, y, counts = self._poison_of(access, decoy, data, clean, len(chosen))
            pick = np.repeat(np.arange(len(x)), counts)[order]
            found.append((x[pick], y[pick]))
        sets = [replaced(data, chosen, *poison) for poison in found]
        best = most_harmful(access, sets, seeds[1:], self.test_data)
        features, labels = found[best]
        return replace_samples(
            self,
            data,
            chosen,
            labels=labels,
            features=features,
            spent={"trainings": access.trainings, "quantile": self.quantiles[best]},
        )

    def _decoy_set(
        self,
        access: WhiteBox,
        model: Trained,
        data: Dataset,
        chosen: IntArray,
        quantile: float,
        *,
        rng: np.random.Generator,
    ) -> Dataset:
        """The clean samples, and hard test samples under their least probable class."""
        test = self.test_data
        classes = np.unique(data.labels)
        loss = access.losses([model], test.features, test.labels)[0]
        hard = np.flatnonzero(loss >= np.quantile(loss, quantile))
        drawn = rng.choice(hard, len(chosen))
        x = test.features[drawn]
        by_class = [access.losses([model], x, np.full(len(x), c))[0] for c in classes]
        return replaced(data, chosen, x, classes[np.argmax(by_class, axis=0)])

    def _poison_of(
        self, access: WhiteBox, decoy: Trained, data: Dataset, clean: Dataset, n_poisoned: int
    ) -> tuple[FloatArray, IntArray, IntArray]:
        """Places ``(place, feature)``, their classes, and how many copies of each ``(place,)``."""
        classes = np.unique(data.labels)
        pull = clean_pull(access, decoy, clean)
        box = Box.around(data.features)
        x = np.repeat(data.features, len(classes), axis=0)
        y = np.tile(classes, len(data))
        counts = _counts(access.gradients(decoy, x, y), pull, n_poisoned)
        kept = np.argsort(-counts, kind="stable")[: self.places]
        x, y = x[kept], y[kept]
        for _ in range(_REFITS):
            counts = _counts(access.gradients(decoy, x, y), pull, n_poisoned)
            x = cancel(access, decoy, pull, x, y, counts, box=box, steps=self.steps, rate=self.rate)
        counts = _counts(access.gradients(decoy, x, y), pull, n_poisoned)
        return x, y, _whole(counts, n_poisoned)


def _counts(gradients: FloatArray, pull: FloatArray, total: int) -> FloatArray:
    """Non-negative numbers that sum to `total` and cancel `pull` as well as may be, ``(place,)``.

    Args:
        gradients: ``(place, weight)``.
        pull: ``(weight,)``.
        total: their sum.
    """
    # With the sum as one more equation of great weight, least squares keeps it almost exactly.
    weight = 1e3 * max(1.0, float(np.abs(gradients).max()))
    matrix = np.vstack([gradients.T, np.full(len(gradients), weight)])
    found, _ = nnls(matrix, np.append(-pull, weight * total))
    return found * (total / found.sum())


def _whole(counts: FloatArray, total: int) -> IntArray:
    """Whole numbers near `counts` with the sum `total`: the largest remainders are rounded up."""
    whole = np.floor(counts).astype(np.int64)
    short = total - int(whole.sum())
    whole[np.argsort(whole - counts, kind="stable")[:short]] += 1
    return whole
