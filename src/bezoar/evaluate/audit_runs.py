"""The audits of a study: what they share, carried out once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.progress import Progress
from bezoar.contracts.records import hash_of
from bezoar.data.autoencoder import FittedAutoencoder
from bezoar.data.latent import pool_reducer
from bezoar.evaluate import victim
from bezoar.evaluate.experiment import Experiment, store_in
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.observations import STATE_METRICS, Results, observe
from bezoar.evaluate.outcome import RunOutcome
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.reconstruction import Reconstruction, reconstruct
from bezoar.quantum.devices.tables import is_device


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    """A data set, its fingerprint, and what was warned of when it was read."""

    data: Dataset
    fingerprint: str
    notes: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class AuditRuns:
    """Audits that share a store, a bar, reducers, outcomes and the last data.

    Attributes:
        out: folder of the study's results.
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told as the work goes on.
    """

    out: Path
    folder: Path | str | None
    progress: Progress
    _loaded: dict[tuple[object, ...], _Loaded] = field(default_factory=dict)
    _reducers: dict[tuple[str, int], tuple[FittedAutoencoder, tuple[str, ...]]] = field(
        default_factory=dict
    )
    _outcomes: dict[str, RunOutcome] = field(default_factory=dict)

    def check(self, plan: AuditPlan) -> None:
        """Reads all that a plan needs: what is missing is told before the work."""
        with noted_warnings():
            loaded = self._load(plan)
            # A device wants a package that may not be there.
            for noise in filter(is_device, plan.noise):
                victim.target(plan, loaded.data, noise)

    def carry_out(self, plan: AuditPlan, metrics: set[str]) -> RunOutcome:
        """The plan's outcome in these metrics; a plan that two items share is run once."""
        trains, compares = bool(metrics - STATE_METRICS), bool(metrics & STATE_METRICS)
        values = dataclasses.asdict(plan)
        key = hash_of({"plan": values, "trains": trains, "compares": compares})
        if key not in self._outcomes:
            self._outcomes[key] = self._run(plan, trains=trains, compares=compares)
        return self._outcomes[key]

    def reconstruction(self, name: str, n_features: int) -> Reconstruction:
        """What the reducer that the runs use keeps of unseen images."""
        return reconstruct(name, self._reducer(name, n_features)[0], folder=self.folder)

    def _run(self, plan: AuditPlan, *, trains: bool, compares: bool) -> RunOutcome:
        with noted_warnings() as warned:
            loaded = self._load(plan)
            pool, of_pool = None, ()
            if plan.reduce == "pool-autoencoder":
                pool, of_pool = self._reducer(plan.data, victim.n_features(plan, loaded.data))
            run = Experiment(
                plan,
                loaded.data,
                store_in(self.out),
                self.progress,
                fingerprint=loaded.fingerprint,
                pool=pool,
            )
            results = Results(
                plan=plan,
                data=run.data,
                model=victim.model_name(plan, run.data),
                cells=run.train() if trains else {},
                similarities=run.compare_states() if compares else {},
                seconds=run.seconds,
                threat_models={},
            )
        return RunOutcome(
            observations=tuple(observe(results)),
            failures=tuple(run.failures),
            notes=tuple(dict.fromkeys((*loaded.notes, *of_pool, *warned, *run.notes()))),
            fingerprint=loaded.fingerprint,
        )

    def _reducer(self, name: str, n_features: int) -> tuple[FittedAutoencoder, tuple[str, ...]]:
        """The reducer of a data set's pool, and what was warned of when it was fitted."""
        key = name, n_features
        if key not in self._reducers:
            with noted_warnings() as notes:
                fitted = pool_reducer(name, n_features, folder=self.folder, progress=self.progress)
            self._reducers[key] = fitted, tuple(notes)
        return self._reducers[key]

    def _load(self, plan: AuditPlan) -> _Loaded:
        """The data of a plan. The last one is kept: plans on the same data follow each other, and
        all of them together would fill a laptop's memory.
        """
        key = (plan.data, plan.label, plan.classes, plan.fresh_samples, plan.samples)
        if key not in self._loaded:
            self._loaded.clear()
            with noted_warnings() as notes:
                data = victim.load_data(plan, folder=self.folder, progress=self.progress)
            self._loaded[key] = _Loaded(
                data=data, fingerprint=victim.fingerprint(data), notes=tuple(notes)
            )
        return self._loaded[key]
