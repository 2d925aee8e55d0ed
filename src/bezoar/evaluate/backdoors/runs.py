"""The backdoor runs of a study: what they share, carried out once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from bezoar.contracts.progress import Progress
from bezoar.contracts.records import hash_of
from bezoar.evaluate.backdoors.experiment import BackdoorExperiment
from bezoar.evaluate.backdoors.lessons import weights_source
from bezoar.evaluate.backdoors.materials import Shelf
from bezoar.evaluate.backdoors.observing import exhibits, observe, tables
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.outcome import RunOutcome


@dataclass(slots=True, kw_only=True, eq=False)
class BackdoorRuns:
    """Backdoor runs that share cells, networks, samples and outcomes.

    Attributes:
        out: folder of the study's results.
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told as the work goes on.
    """

    out: Path
    folder: Path | str | None
    progress: Progress
    _shelf: Shelf = field(init=False)
    _notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _outcomes: dict[str, RunOutcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shelf = Shelf(folder=self.folder, progress=self.progress)

    def check(self, plan: BackdoorPlan) -> None:
        """Reads the data of the first seed and looks for the weights, before the work."""
        with noted_warnings():
            weights_source(plan, self.folder)
            self._shelf.materials(plan, 0)

    def carry_out(self, plan: BackdoorPlan) -> RunOutcome:
        """The plan's outcome; a plan that two items share is run once."""
        key = hash_of(dataclasses.asdict(plan))
        if key not in self._outcomes:
            self._outcomes[key] = self._run(plan)
        return self._outcomes[key]

    def _run(self, plan: BackdoorPlan) -> RunOutcome:
        with noted_warnings() as warned:
            prints = [self._shelf.materials(plan, seed).fingerprint for seed in range(plan.seeds)]
            experiment = BackdoorExperiment(
                plan=plan, out=self.out, shelf=self._shelf, progress=self.progress
            )
            results = experiment.run()
        # Data that another run of the study has read already warn no more.
        notes = dict.fromkeys((*self._notes.get(plan.data, ()), *warned))
        self._notes[plan.data] = tuple(notes)
        return RunOutcome(
            observations=tuple(observe(results)),
            failures=results.failures,
            notes=tuple(notes),
            fingerprint=hash_of(prints),
            tables=tuple(tables(results)),
            exhibits=tuple(exhibits(results)),
        )
