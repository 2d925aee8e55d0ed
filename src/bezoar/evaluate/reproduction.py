"""Carries out a study: every run of every item, held against the paper."""

from __future__ import annotations

import dataclasses
import re
import shlex
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarWarning, InvalidArgument, UnknownName
from bezoar.contracts.files import write_text, write_whole
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import hash_of
from bezoar.contracts.reproduction import (
    DIFFERENCE,
    Claim,
    Figure,
    ItemRecord,
    Picture,
    Row,
    Series,
)
from bezoar.data.latent import pool_reducer
from bezoar.data.reduce import Reducer
from bezoar.evaluate import provenance, victim
from bezoar.evaluate.cells import check_replaceable, check_writable
from bezoar.evaluate.experiment import Experiment, store_in
from bezoar.evaluate.observations import Observation, Results, observe
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.reconstruction import reconstruct
from bezoar.evaluate.statistics import student_interval
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement, Study
from bezoar.evaluate.verdicts import ROW_RULES, judge, prediction_interval, row_verdict

_STATE_METRICS = ("nearest_class_accuracy", "distance_seconds", "kernel_variance")
_PLACEHOLDER = re.compile(r"\{([^{}|]+)\|([^{}|]+)(\|paper)?\}")
_QUICK = {"seeds": 2, "samples": 300, "epochs": 5}


@dataclass(slots=True, eq=False)
class _Session:
    """What the runs of a study share: loaded data, the store, the bar."""

    out: Path
    progress: Progress
    data: dict[tuple[object, ...], Dataset] = field(default_factory=dict)
    pools: dict[tuple[str, int], Reducer | None] = field(default_factory=dict)
    results: dict[str, tuple[Results, Experiment]] = field(default_factory=dict)

    def carry_out(self, plan: AuditPlan, *, states: bool) -> tuple[Results, Experiment]:
        """The plan's results and how they were had; a plan that two items share is run once."""
        key = hash_of({"plan": dataclasses.asdict(plan), "states": states})
        if key not in self.results:
            run = Experiment(
                plan, self._load(plan), store_in(self.out), self.progress, pools=self.pools
            )
            self.results[key] = (
                Results(
                    plan=plan,
                    data=run.data,
                    model=victim.model_name(plan, run.data),
                    cells={} if states else run.train(),
                    similarities=run.compare_states() if states else {},
                    seconds=run.seconds,
                    threat_models={} if states else run.threat_models(),
                ),
                run,
            )
        return self.results[key]

    def reducer(self, name: str, n_features: int) -> Reducer:
        """The pool's reducer, fitted by a run or now."""
        key = name, n_features
        if self.pools.get(key) is None:
            self.pools[key] = pool_reducer(name, n_features, progress=self.progress)
        return cast("Reducer", self.pools[key])

    def _load(self, plan: AuditPlan) -> Dataset:
        key = (plan.data, plan.classes, plan.fresh_samples or plan.samples)
        if key not in self.data:
            self.data[key] = victim.load_data(plan)
        return self.data[key]


def reproduce(
    study: Study,
    items: Sequence[str],
    out: Path | str,
    *,
    seeds: int | None = None,
    quick: bool = False,
    progress: Progress = silent,
) -> Iterator[ItemRecord]:
    """Reproduces items of a study one by one, and writes ``out/ITEM/result.json`` for each.

    Finished trainings are kept under ``out/cells``: what was interrupted continues, and items that
    share a training do it once.

    Args:
        study: what to reproduce.
        items: names of its items, in any order; they are done in the study's.
        out: folder of the results.
        seeds: repetitions; None for what the study says.
        quick: 2 seeds, 300 samples and 5 epochs: a try-out, marked as such in the record.
        progress: told as the work goes on.

    Yields:
        The record of each item when it is written.

    Raises:
        UnknownName: an item that the study does not have.
        InvalidArgument: `seeds` out of range, or with `quick`.
        InvalidData, FileProblem: data that cannot be had.
    """
    if quick and seeds is not None:
        raise InvalidArgument("seeds", wanted="none with quick, which takes 2", got=seeds)
    known = [item.name for item in study.items]
    for name in items:
        if name not in known:
            raise UnknownName("item", name, [*known, "all"])
    chosen = [
        _resized(item, seeds=seeds, quick=quick) for item in study.items if item.name in items
    ]
    out = Path(out)
    check_writable(out / "cells")
    for item in chosen:
        check_replaceable(out / item.name / "result.json")
    session = _Session(out, progress)
    for item in chosen:
        yield _reproduce_item(study, item, session, seeds=seeds, quick=quick)


def _reproduce_item(
    study: Study, item: Item, session: _Session, *, seeds: int | None, quick: bool
) -> ItemRecord:
    started, clock = datetime.now(UTC), time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BezoarWarning)
        source = _Source.of(item, session)
        pictures = tuple(_picture(item, name, n, session) for name, n in item.reconstructions)
    notes = dict.fromkeys(str(w.message) for w in caught if w.category is BezoarWarning)
    failures = tuple(f"{run}: {line}" for run, lines in source.failures.items() for line in lines)
    rows = tuple(_row(cell, source) for cell in item.table)
    plans = {name: dataclasses.asdict(plan) for name, plan in item.runs.items()}
    used = max((plan.seeds for plan in item.runs.values()), default=0)
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
        claims=tuple(_claim(statement, source) for statement in item.statements),
        figures=tuple(_figure(plot, source) for plot in item.plots),
        pictures=pictures,
        analysis=() if quick else tuple(_filled(text, rows) for text in item.analysis),
        notes=(*notes, *source.notes),
        failures=failures,
        plan=plans,
        plan_hash=hash_of({"plans": plans, "data": source.fingerprints}),
        seeds=tuple(range(used)),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The observations of an item's runs."""

    observations: Mapping[str, Sequence[Observation]]
    failures: Mapping[str, Sequence[str]]
    notes: Sequence[str]
    fingerprints: Mapping[str, str]

    @classmethod
    def of(cls, item: Item, session: _Session) -> _Source:
        """Carries out the runs of an item."""
        observations, failures, fingerprints = {}, {}, {}
        notes: dict[str, None] = {}
        states = {name: _of_states(item, name) for name in item.runs}
        for name, plan in item.runs.items():
            results, run = session.carry_out(plan, states=states[name])
            failures[name] = run.failures
            notes |= dict.fromkeys(run.notes())
            observations[name] = list(observe(results))
            fingerprints[name] = victim.fingerprint(results.data)
        return cls(
            observations=observations,
            failures=failures,
            notes=tuple(notes),
            fingerprints=fingerprints,
        )

    def find(self, pick: Pick) -> Observation | None:
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

    def values(self, pick: Pick) -> dict[int, float]:
        """The quantity by seed; a difference where both are."""
        found = self.find(pick)
        if found is None:
            return {}
        if pick.less is None:
            return dict(found.values)
        other = self.values(pick.less)
        return {seed: value - other[seed] for seed, value in found.values.items() if seed in other}

    def unit(self, pick: Pick) -> str:
        """The unit of the quantity."""
        found = self.find(pick)
        if found is None:
            return ""
        is_difference = pick.less is not None or pick.metric == "accuracy_drop"
        return DIFFERENCE if is_difference and found.unit == "fraction" else found.unit

    def bounds(self, pick: Pick) -> tuple[float, float]:
        """What the quantity cannot leave."""
        found = self.find(pick)
        unlimited = (float("-inf"), float("inf"))
        return unlimited if found is None or pick.less is not None else found.bounds


def _of_states(item: Item, run: str) -> bool:
    """Whether a run compares states, and trains nothing."""
    picks = [cell.pick for cell in item.table] + [s.pick for s in item.statements]
    picks += [p for plot in item.plots for line in plot.lines for p in _picks(line)]
    metrics = {pick.metric for pick in picks if pick.run == run}
    return bool(metrics) and metrics <= set(_STATE_METRICS)


def _picks(line: Line) -> list[Pick]:
    return [what for _, what in line.points if isinstance(what, Pick)]


def _row(cell: Published, source: _Source) -> Row:
    values = source.values(cell.pick)
    numbers = list(values.values())
    interval = student_interval(numbers, bounds=source.bounds(cell.pick)) if numbers else None
    spread = prediction_interval(numbers)
    mean = None if interval is None else interval.mean
    return Row(
        row=cell.row,
        column=cell.column,
        metric=cell.pick.metric,
        paper=cell.paper,
        value=mean,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        spread_low=spread.low,
        spread_high=spread.high,
        n=len(numbers),
        seeds=tuple(values),
        unit=source.unit(cell.pick),
        verdict=row_verdict(cell.paper, mean, spread),
    )


def _claim(statement: Statement, source: _Source) -> Claim:
    pick = statement.pick
    parts = None
    if pick.less is not None:
        parts = source.values(dataclasses.replace(pick, less=None)), source.values(pick.less)
    return judge(statement, source.values(pick), parts, source.unit(pick))


def _figure(plot: Plot, source: _Source) -> Figure:
    return Figure(
        name=plot.name,
        title=plot.title,
        kind=plot.kind,
        x_title=plot.x_title,
        y_title=plot.y_title,
        unit=plot.unit,
        series=tuple(_series(line, source) for line in plot.lines),
    )


def _series(line: Line, source: _Source) -> Series:
    of_paper = not _picks(line)
    points = []
    for _, what in line.points:
        if isinstance(what, Pick):
            numbers = list(source.values(what).values())
            found = student_interval(numbers, bounds=source.bounds(what)) if numbers else None
            points.append((None,) * 3 if found is None else found[:3])
        else:
            points.append((what, None, None))
    return Series(
        name=line.name,
        of="paper" if of_paper else "ours",
        x=tuple(x for x, _ in line.points),
        y=tuple(p[0] for p in points),
        low=tuple(p[1] for p in points),
        high=tuple(p[2] for p in points),
    )


def _picture(item: Item, name: str, n_features: int, session: _Session) -> Picture:
    """The reconstructions by the reducer that the runs used."""
    reducer = session.reducer(name, n_features)
    found = reconstruct(name, reducer)
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
            return dataclasses.replace(plan, **_QUICK)
        return plan if seeds is None else dataclasses.replace(plan, seeds=seeds)

    return dataclasses.replace(item, runs={name: resized(plan) for name, plan in item.runs.items()})


def _filled(text: str, rows: Sequence[Row]) -> str:
    """The text with numbers in place of ``{row|column}`` and ``{row|column|paper}``."""
    cells = {(row.row, row.column): row for row in rows}

    def number(match: re.Match[str]) -> str:
        cell = cells[match[1], match[2]]
        value = cell.paper if match[3] else cell.value
        if value is None:
            return "no number"
        return f"{100 * value:.1f} %" if cell.unit == "fraction" else f"{value:.3g}"

    return _PLACEHOLDER.sub(number, text)


def _command(study: Study, item: Item, *, seeds: int | None, quick: bool) -> str:
    words = ["bezoar", "reproduce", study.name, "--item", item.name]
    if seeds is not None:
        words += ["--seeds", str(seeds)]
    return shlex.join([*words, "--quick"] if quick else words)
