"""Carries out a study: every run of every item, held against the paper."""

from __future__ import annotations

import base64
import dataclasses
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.contracts.files import write_text, write_whole
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import hash_of
from bezoar.contracts.reproduction import ItemRecord, Picture, read_item
from bezoar.contracts.revision import commit
from bezoar.evaluate import comparison, provenance
from bezoar.evaluate.audit_runs import AuditRuns
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.runs import BackdoorRuns
from bezoar.evaluate.cells import check_replaceable, check_writable
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.outcome import RunOutcome
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.quantities import Quantities, asked
from bezoar.evaluate.reconstruction import unseen_images
from bezoar.evaluate.study import Item, Plan, Study
from bezoar.evaluate.verdicts import ROW_RULES

_QUICK_SEEDS, _QUICK_SAMPLES, _QUICK_EPOCHS = 2, 300, 5
# Epochs of a whole network take many seconds each.
_QUICK_HYBRID_EPOCHS = 2


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """What the runs of a study share, by the kind of their plans."""

    out: Path
    folder: Path | str | None
    progress: Progress
    audits: AuditRuns = field(init=False)
    backdoors: BackdoorRuns = field(init=False)

    def __post_init__(self) -> None:
        given = {"out": self.out, "folder": self.folder, "progress": self.progress}
        self.audits = AuditRuns(**given)
        self.backdoors = BackdoorRuns(**given)

    def check(self, item: Item) -> None:
        """Reads all that an item needs: what is missing is told before the work."""
        with noted_warnings():
            for name, _ in item.reconstructions:
                unseen_images(name, folder=self.folder)
        for plan in item.runs.values():
            if isinstance(plan, AuditPlan):
                self.audits.check(plan)
            else:
                self.backdoors.check(plan)

    def carry_out(self, plan: Plan, metrics: set[str]) -> RunOutcome:
        """The plan's outcome; a plan that two items share is run once."""
        if isinstance(plan, AuditPlan):
            return self.audits.carry_out(plan, metrics)
        return self.backdoors.carry_out(plan)


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
        pictures=(
            *(_picture(item, name, n, session) for name, n in item.reconstructions),
            *_shown(item, done, session.out),
        ),
        analysis=tuple(comparison.filled(text, rows) for text in item.analysis)
        if n_seeds >= study.analysed_seeds
        else (),
        notes=tuple(dict.fromkeys(note for run in done.values() for note in run.notes)),
        failures=failures,
        plan=plans,
        plan_hash=hash_of({"plans": plans, "data": fingerprints}),
        seeds=tuple(range(n_seeds)),
        outcome="partial" if failures else "complete",
        command=_command(study, item, seeds=seeds, quick=quick),
        versions=provenance.versions(),
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=time.perf_counter() - clock,
        quick=quick,
    )
    write_text(session.out / item.name / "result.json", record.to_json())
    return record


def _shown(item: Item, done: Mapping[str, RunOutcome], out: Path) -> Iterator[Picture]:
    """The images of the runs that the item shows."""
    for run, outcome in done.items():
        for exhibit in outcome.exhibits if item.shows else ():
            if exhibit.name not in item.shows:
                continue
            tags = "-".join(str(value) for key, value in exhibit.tags.items() if key != "rate")
            file = f"{_file_name(f'{exhibit.name}-{run}-{tags}')}.png"
            png = base64.b64decode(exhibit.png)
            write_whole(out / item.name / file, lambda handle, png=png: handle.write(png))
            yield Picture(file=file, title=f"{run}: {exhibit.title}")


def _file_name(text: str) -> str:
    """Letters, digits and hyphens, so that pages may link it."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def _picture(item: Item, name: str, n_features: int, session: _Session) -> Picture:
    """The reconstructions by the reducer that the runs used."""
    found = session.audits.reconstruction(name, n_features)
    file = f"reconstructions-{name}-{n_features}.png"
    write_whole(session.out / item.name / file, lambda handle: handle.write(found.png))
    return Picture(
        file=file,
        title=f"{name}: unseen images above what is left of them in {n_features} latent features "
        f"(mean squared error {found.error:.4f} of pixels in [0, 1], {found.n_images} images)",
    )


def _resized(item: Item, *, seeds: int | None, quick: bool) -> Item:
    def resized(plan: Plan) -> Plan:
        if quick and isinstance(plan, BackdoorPlan):
            return dataclasses.replace(
                plan,
                seeds=_QUICK_SEEDS,
                samples=plan.samples and min(plan.samples, _QUICK_SAMPLES),
                test_samples=plan.test_samples and min(plan.test_samples, _QUICK_SAMPLES),
                epochs=min(plan.epochs, _QUICK_HYBRID_EPOCHS),
            )
        if quick and isinstance(plan, AuditPlan):
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
    if study.scale:
        words += ["--scale", study.scale]
    if seeds is not None:
        words += ["--seeds", str(seeds)]
    return shlex.join([*words, "--quick"] if quick else words)
