"""Carries out a study: every run of every item, held against the paper."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.contracts.files import write_text, write_whole
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import hash_of
from bezoar.contracts.reproduction import ItemRecord, Picture, read_item
from bezoar.data.autoencoder import FittedAutoencoder
from bezoar.data.latent import pool_reducer
from bezoar.evaluate import comparison, provenance, victim
from bezoar.evaluate.cells import check_replaceable, check_writable
from bezoar.evaluate.experiment import Experiment, store_in
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.observations import STATE_METRICS, Observation, Results, observe
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.quantities import Quantities, asked
from bezoar.evaluate.reconstruction import Reconstruction, reconstruct, unseen_images
from bezoar.evaluate.study import Item, Study
from bezoar.evaluate.verdicts import ROW_RULES
from bezoar.quantum.devices.tables import is_device

# The analyses were written for runs with 10 seeds and more; fewer may well say something else.
_ANALYSED_SEEDS = 10
_QUICK_SEEDS, _QUICK_SAMPLES, _QUICK_EPOCHS = 2, 300, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is kept of a run; its data and models are not."""

    observations: tuple[Observation, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    """A data set, its fingerprint, and what was warned of when it was read."""

    data: Dataset
    fingerprint: str
    notes: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """What the runs of a study share: the store, the bar, reducers, outcomes and the last data."""

    out: Path
    folder: Path | str | None
    progress: Progress
    _loaded: dict[tuple[object, ...], _Loaded] = field(default_factory=dict)
    _reducers: dict[tuple[str, int], tuple[FittedAutoencoder, tuple[str, ...]]] = field(
        default_factory=dict
    )
    _outcomes: dict[str, _Outcome] = field(default_factory=dict)

    def check(self, item: Item) -> None:
        """Reads all that an item needs: what is missing is told before the work."""
        with noted_warnings():
            for name, _ in item.reconstructions:
                unseen_images(name, folder=self.folder)
            for plan in item.runs.values():
                loaded = self._load(plan)
                # A device wants a package that may not be there.
                for noise in filter(is_device, plan.noise):
                    victim.target(plan, loaded.data, noise)

    def carry_out(self, plan: AuditPlan, metrics: set[str]) -> _Outcome:
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

    def _run(self, plan: AuditPlan, *, trains: bool, compares: bool) -> _Outcome:
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
        return _Outcome(
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


def reproduce(
    study: Study,
    items: Sequence[str],
    out: Path | str,
    *,
    seeds: int | None = None,
    quick: bool = False,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> Iterator[ItemRecord]:
    """Reproduces items of a study one by one, and writes ``out/ITEM/result.json`` for each.

    Finished trainings are kept under ``out/cells``: what was interrupted continues, and items that
    share a training do it once.

    Args:
        study: what to reproduce.
        items: names of its items, in any order, or ``all``; they are done in the study's order.
        out: folder of the results.
        seeds: repetitions; None for what the study says.
        quick: 2 seeds, 300 samples and 5 epochs, but all epochs where a figure is by epoch: a
            try-out, marked as such in the record.
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told as the work goes on.

    Yields:
        The record of each item when it is written.

    Raises:
        UnknownName: an item that the study does not have.
        InvalidArgument: `seeds` out of range, or with `quick`.
        InvalidData, FileProblem: data that cannot be had, or results that cannot be written;
            before the first item.
    """
    if quick and seeds is not None:
        raise InvalidArgument("seeds", wanted="none with quick, which takes 2", got=seeds)
    known = [item.name for item in study.items]
    for name in items:
        if name not in (*known, "all"):
            raise UnknownName("item", name, [*known, "all"])
    chosen = [
        _resized(item, seeds=seeds, quick=quick)
        for item in study.items
        if item.name in items or "all" in items
    ]
    out = Path(out)
    check_writable(out / "cells")
    for item in chosen:
        check_replaceable(out / item.name / "result.json")
        if quick:
            _refuse_to_replace(out / item.name)
    session = _Session(out=out, folder=folder, progress=progress)
    for item in chosen:
        session.check(item)
    for item in chosen:
        yield _reproduce_item(study, item, session, seeds=seeds, quick=quick)


def _refuse_to_replace(folder: Path) -> None:
    """A try-out must not cost hours of results.

    Raises:
        InvalidArgument: a whole result is there.
    """
    try:
        whole = not read_item(folder).quick
    except FileProblem:
        return
    if whole:
        raise InvalidArgument(
            "out",
            wanted="a folder without results of whole runs, for a quick one",
            got=str(folder),
            mend="name another folder",
        )


def _reproduce_item(
    study: Study, item: Item, session: _Session, *, seeds: int | None, quick: bool
) -> ItemRecord:
    started, clock = datetime.now(UTC), time.perf_counter()
    metrics = asked(item)
    done = {}
    for name, plan in item.runs.items():
        session.progress(f"runs of {item.name}", len(done), len(item.runs))
        done[name] = session.carry_out(plan, metrics[name])
    session.progress(f"runs of {item.name}", len(done), len(item.runs))
    n_seeds = max((plan.seeds for plan in item.runs.values()), default=0)
    ours = Quantities(observations={name: run.observations for name, run in done.items()})
    failures = tuple(f"{name}: {line}" for name, run in done.items() for line in run.failures)
    rows = tuple(comparison.row(cell, ours) for cell in item.table)
    plans = {name: dataclasses.asdict(plan) for name, plan in item.runs.items()}
    fingerprints = {name: run.fingerprint for name, run in done.items()}
    record = ItemRecord(
        study=study.name,
        item=item.name,
        title=item.title,
        paper=study.paper,
        source=item.source,
        question=item.question,
        setting=item.setting,
        rules=ROW_RULES,
        rows=rows,
        claims=tuple(comparison.claim(statement, ours) for statement in item.statements),
        figures=tuple(comparison.figure(plot, ours) for plot in item.plots),
        pictures=tuple(_picture(item, name, n, session) for name, n in item.reconstructions),
        analysis=tuple(comparison.filled(text, rows) for text in item.analysis)
        if n_seeds >= _ANALYSED_SEEDS
        else (),
        notes=tuple(dict.fromkeys(note for run in done.values() for note in run.notes)),
        failures=failures,
        plan=plans,
        plan_hash=hash_of({"plans": plans, "data": fingerprints}),
        seeds=tuple(range(n_seeds)),
        outcome="partial" if failures else "complete",
        command=_command(study, item, seeds=seeds, quick=quick),
        versions=provenance.versions(),
        commit=provenance.commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=time.perf_counter() - clock,
        quick=quick,
    )
    write_text(session.out / item.name / "result.json", record.to_json())
    return record


def _picture(item: Item, name: str, n_features: int, session: _Session) -> Picture:
    """The reconstructions by the reducer that the runs used."""
    found = session.reconstruction(name, n_features)
    file = f"reconstructions-{name}-{n_features}.png"
    write_whole(session.out / item.name / file, lambda handle: handle.write(found.png))
    return Picture(
        file=file,
        title=f"{name}: unseen images above what is left of them in {n_features} latent features "
        f"(mean squared error {found.error:.4f} of pixels in [0, 1], {found.n_images} images)",
    )


def _resized(item: Item, *, seeds: int | None, quick: bool) -> Item:
    def resized(plan: AuditPlan) -> AuditPlan:
        if quick:
            return dataclasses.replace(
                plan,
                seeds=_QUICK_SEEDS,
                samples=plan.samples and min(plan.samples, _QUICK_SAMPLES),
                # A figure by epoch shows all of them.
                epochs=plan.epochs if plan.curves else min(plan.epochs, _QUICK_EPOCHS),
            )
        return plan if seeds is None else dataclasses.replace(plan, seeds=seeds)

    return dataclasses.replace(item, runs={name: resized(plan) for name, plan in item.runs.items()})


def _command(study: Study, item: Item, *, seeds: int | None, quick: bool) -> str:
    words = ["bezoar", "reproduce", study.name, "--item", item.name]
    if seeds is not None:
        words += ["--seeds", str(seeds)]
    return shlex.join([*words, "--quick"] if quick else words)
