"""What a study keeps of one of its runs; its data and models it does not keep."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.records import Exhibit, Table
from bezoar.evaluate.observations import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run's results.

    Attributes:
        observations: every quantity, seed by seed.
        failures: one line for each cell that gave no result.
        notes: what a record must say.
        fingerprint: of the data.
        tables, exhibits: matrices and images that items may show.
    """

    observations: tuple[Observation, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: str
    tables: tuple[Table, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
