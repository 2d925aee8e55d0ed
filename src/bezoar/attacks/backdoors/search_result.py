"""What a search for factors found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.attacks.backdoors.qcolor import QColor
from bezoar.attacks.backdoors.search_hypervolume import FloatPoints, hypervolume, pareto_front
from bezoar.attacks.backdoors.search_settings import SearchSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One choice of factors and what the surrogate says of it.

    All on the attacker's own validation images; losses are mean cross entropies in nats.

    Attributes:
        factors: (a_R, a_G, a_B).
        attack_loss: of the target class on triggered images of the other classes.
        ssim: of these images against their clean ones, mean.
        clean_loss: on clean images under their labels.
        attack_success_rate: the share of the triggered images that get the target class.
        leak: the share of the same images, clean, that get it too.
        clean_accuracy: the share of clean images that get their label.
    """

    factors: tuple[float, float, float]
    attack_loss: float
    ssim: float
    clean_loss: float
    attack_success_rate: float
    leak: float
    clean_accuracy: float

    @property
    def objectives(self) -> tuple[float, float, float]:
        """What is minimised: attack loss, 1 - SSIM, clean loss."""
        return (self.attack_loss, 1 - self.ssim, self.clean_loss)

    @property
    def trigger(self) -> QColor:
        """The trigger with these factors."""
        red, green, blue = self.factors
        return QColor(red=red, green=green, blue=blue)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """All candidates of a search, and what is to be made of them.

    Attributes:
        method: ``nsga-ii`` or ``random``.
        settings: of the search.
        study: the name that depends on settings, data and surrogate.
        candidates: in the order in which they were judged.
        control: the factors (1, 1, 1): labels changed, no trigger. Relabelled data alone move
            predictions, so a success rate counts only beyond this one.
        reference: the worst point that counts for `hypervolume`.
    """

    method: str
    settings: SearchSettings
    study: str
    candidates: tuple[Candidate, ...]
    control: Candidate
    reference: tuple[float, float, float]

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The candidates that no other dominates, by falling SSIM."""
        found = [self.candidates[i] for i in pareto_front(self._points(len(self.candidates)))]
        return tuple(sorted(found, key=lambda each: (-each.ssim, each.attack_loss)))

    @property
    def chosen(self) -> Candidate | None:
        """The front's least visible member that still attacks almost as well as the best.

        With the gain of a candidate its success rate minus the control's: the member of the front
        with the highest SSIM among those whose gain is at least ``keep_share`` of the front's
        largest. None where no gain is above zero.
        """
        gains = [each.attack_success_rate - self.control.attack_success_rate for each in self.front]
        best = max(gains)
        if best <= 0:
            return None
        # A hair's breadth for rounding, so that the best itself always counts.
        enough = self.settings.keep_share * best - 1e-12
        return next(each for each, gain in zip(self.front, gains, strict=True) if gain >= enough)

    @property
    def hypervolume(self) -> float:
        """The share of the box from 0 to `reference` that the front dominates, in [0, 1]."""
        return self.hypervolume_after(len(self.candidates))

    def hypervolume_after(self, n_evaluations: int) -> float:
        """The hypervolume of the first `n_evaluations` candidates."""
        volume = hypervolume(self._points(n_evaluations), self.reference)
        return volume / float(np.prod(self.reference))

    def _points(self, n: int) -> FloatPoints:
        return np.array([each.objectives for each in self.candidates[:n]]).reshape(-1, 3)
