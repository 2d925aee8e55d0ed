"""How factors of the Qcolor trigger are searched for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bezoar.attacks.backdoors.settings import number, whole_number
from bezoar.contracts.errors import InvalidArgument

_MOST_EVALUATIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The attacker's plan for a search; the paper gives none of these numbers.

    Attributes:
        target: the class that triggered images are to get.
        ratio: share of the training part to poison, in (0, 1).
        population: candidates of a generation, 4 or more.
        generations: how many, the random first one included; `evaluations` is the product.
        low, high: every factor lies in ``[low, high]``; 1 must lie between them.
        validation_share: the share of the attacker's images that candidates are judged on; the
            head learns from the others.
        most_challenged: at most so many images are triggered to judge a candidate.
        regularisation: l2 penalty of the surrogate's head on standardised features.
        keep_share: see `SearchResult.chosen`; in (0, 1].
        seed: of everything that is drawn.

    Raises:
        InvalidArgument: a setting out of its range.
    """

    target: int = 0
    ratio: float = 0.1
    population: int = 24
    generations: int = 15
    low: float = 0.8
    high: float = 1.2
    validation_share: float = 0.4
    most_challenged: int = 100
    regularisation: float = 1e-3
    keep_share: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("target", 0),
            ("population", 4),
            ("generations", 1),
            ("most_challenged", 1),
            ("seed", 0),
        ):
            whole_number(name, getattr(self, name), least)
        if self.evaluations > _MOST_EVALUATIONS:
            raise InvalidArgument(
                "population",
                wanted=f"at most {_MOST_EVALUATIONS} evaluations with generations",
                got=self.evaluations,
            )
        for name in ("ratio", "validation_share"):
            if not 0 < number(name, getattr(self, name), 0, 1) < 1:
                raise InvalidArgument(name, wanted="a number in (0, 1)", got=getattr(self, name))
        if not number("keep_share", self.keep_share, 0, 1):
            raise InvalidArgument("keep_share", wanted="a number in (0, 1]", got=self.keep_share)
        number("regularisation", self.regularisation, 1e-12, math.inf)
        number("low", self.low, 0, 1)
        number("high", self.high, 1, 100)
        if self.low == self.high:
            raise InvalidArgument("low", wanted="less than high", got=self.low)

    @property
    def evaluations(self) -> int:
        """How many candidates are judged."""
        return self.population * self.generations
