"""What the theorems on backdoors speak of, seed by seed: observations of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bezoar.contracts.records import Better
from bezoar.evaluate.backdoor_theory import hoeffding, smallest_strength, theorem_1_printed
from bezoar.evaluate.backdoors.experiment import BackdoorResults
from bezoar.evaluate.backdoors.theory import LOSS_BOUND
from bezoar.evaluate.observations import Observation

#: The chance that a bound fails.
DELTA = 0.05
#: From this attack success on an attack counts as successful in Theorem 2.
LEVEL = 0.5

_POSITIVE = (0.0, float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One trigger at one rate on one head, over seeds.

    Attributes:
        trigger, rate: which.
        cells: by seed, as `bezoar.evaluate.backdoors.theory.measure` gives them.
    """

    trigger: str
    rate: float
    cells: Mapping[int, Mapping[str, Any]]

    def mean(self, name: str) -> float:
        """The mean over seeds of a number, or of the mean of a loss."""
        return float(np.mean(list(self.by_seed(name).values())))

    def by_seed(self, name: str) -> dict[int, float]:
        """A number of each seed."""
        found = {seed: cell[name] for seed, cell in self.cells.items()}
        return {seed: v["mean"] if isinstance(v, Mapping) else v for seed, v in found.items()}


def theory_observations(
    results: BackdoorResults, head: str, tags: Mapping[str, Any]
) -> Iterator[Observation]:
    """What the theorems speak of, seed by seed.

    Args:
        results: of a run with `BackdoorPlan.theory`; without, nothing is yielded.
        head: of the networks.
        tags: of the head.
    """
    places = places_of(results, head)
    for place in places:
        at = {**tags, "trigger": place.trigger, "rate": place.rate}
        for metric, (values, better, unit, bounds) in _quantities(place).items():
            yield Observation(
                metric=metric, values=values, tags=at, better=better, unit=unit, bounds=bounds
            )
    for rate in dict.fromkeys(place.rate for place in places):
        least = _smallest([place for place in places if place.rate == rate])
        if least:
            yield Observation(
                metric="smallest_feature_change",
                values=least,
                tags={**tags, "rate": rate},
                unit="",
                bounds=_POSITIVE,
            )


def places_of(results: BackdoorResults, head: str) -> list[Place]:
    """Triggers and rates of a head that were measured, in the order of the plan."""
    found = []
    for trigger in results.plan.triggers:
        for rate in results.plan.rates:
            cells = {
                lesson.seed: cell
                for lesson, cell in results.theory.items()
                if (lesson.head, lesson.trigger, lesson.rate) == (head, trigger, rate)
            }
            if cells:
                found.append(Place(trigger=trigger, rate=rate, cells=cells))
    return found


_Quantity = tuple[Mapping[int, float], Better, str, tuple[float, float]]


def _quantities(place: Place) -> dict[str, _Quantity]:
    share, unlimited = (0.0, 1.0), (float("-inf"), float("inf"))
    trained, new = place.by_seed("training_error"), place.by_seed("test_error")
    n = place.by_seed("n_triggered")
    losses, slopes = place.by_seed("training_loss"), place.by_seed("slope")
    norms = place.by_seed("trigger_norm")
    printed = {
        seed: float(
            theorem_1_printed(
                losses[seed], n[seed], high=LOSS_BOUND, delta=DELTA,
                lipschitz=slopes[seed], strength=norms[seed],
            )
        )
        for seed in place.cells
    }  # fmt: skip
    return {
        "triggered_samples": (n, "neither", "samples", _POSITIVE),
        "triggered_training_error": (trained, "higher", "fraction", share),
        "generalisation_gap": (
            {seed: abs(new[seed] - trained[seed]) for seed in place.cells},
            "neither",
            "fraction",
            share,
        ),
        "theorem_1_half_width": (
            {seed: float(hoeffding(n[seed], delta=DELTA)) for seed in place.cells},
            "neither",
            "fraction",
            _POSITIVE,
        ),
        "triggered_training_loss": (losses, "higher", "nats", (0.0, LOSS_BOUND)),
        "triggered_test_loss": (
            place.by_seed("test_loss"),
            "higher",
            "nats",
            (0.0, LOSS_BOUND),
        ),
        "theorem_1_printed_bound": (printed, "neither", "nats", unlimited),
        "loss_slope": (slopes, "lower", "nats", _POSITIVE),
        "trigger_norm": (norms, "higher", "", _POSITIVE),
        "feature_change": (place.by_seed("feature_change"), "higher", "", _POSITIVE),
    }


def _smallest(places: Sequence[Place]) -> dict[int, float]:
    """By seed the smallest change of the features with which an attack succeeded."""
    found = {}
    for seed in sorted({seed for place in places for seed in place.cells}):
        cells = [place.cells[seed] for place in places if seed in place.cells]
        least = smallest_strength(
            [cell["feature_change"] for cell in cells],
            [1 - cell["test_error"] for cell in cells],
            level=LEVEL,
        )
        if least is not None:
            found[seed] = least
    return found
