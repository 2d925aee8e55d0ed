"""What an item asks of its runs, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.reproduction import DIFFERENCE
from bezoar.evaluate.observations import Observation
from bezoar.evaluate.study import Item, Pick


def asked(item: Item) -> dict[str, set[str]]:
    """The metrics that an item wants of each of its runs."""
    found: dict[str, set[str]] = {run: set() for run in item.runs}
    for pick in _picks(item):
        found[pick.run].add(pick.metric)
    return found


def _picks(item: Item) -> Iterator[Pick]:
    """Every quantity of an item, differences taken apart."""
    whole = [cell.pick for cell in item.table] + [s.pick for s in item.statements]
    points = (what for plot in item.plots for line in plot.lines for _, what in line.points)
    whole += [what for what in points if isinstance(what, Pick)]
    for pick in whole:
        part: Pick | None = pick
        while part is not None:
            yield part
            part = part.less


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """The observations of an item's runs, by the name of the run."""

    observations: Mapping[str, Sequence[Observation]]

    def values(self, pick: Pick) -> dict[int, float]:
        """The quantity by seed; a difference where both are; empty where its cells failed."""
        found = self._find(pick)
        if found is None:
            return {}
        if pick.less is None:
            return dict(found.values)
        other = self.values(pick.less)
        return {seed: value - other[seed] for seed, value in found.values.items() if seed in other}

    def unit(self, pick: Pick) -> str:
        """The unit of the quantity; "" where its cells failed."""
        found = self._find(pick)
        if found is None:
            return ""
        is_difference = pick.less is not None or pick.metric == "accuracy_drop"
        return DIFFERENCE if is_difference and found.unit == "fraction" else found.unit

    def bounds(self, pick: Pick) -> tuple[float, float]:
        """What the quantity cannot leave."""
        found = self._find(pick)
        unlimited = (float("-inf"), float("inf"))
        return unlimited if found is None or pick.less is not None else found.bounds

    def _find(self, pick: Pick) -> Observation | None:
        """The one observation that is picked; None where its cells failed."""
        found = [
            o
            for o in self.observations[pick.run]
            if o.metric == pick.metric
            and all(o.tags.get(key) == value for key, value in pick.tags.items())
        ]
        if len(found) > 1:
            raise InvalidArgument("pick", wanted="one quantity", got=f"{len(found)} of {pick}")
        return found[0] if found else None
