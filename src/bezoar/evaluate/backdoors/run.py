"""A backdoor run: what a backdoor does to these networks, whether it shows, what removes it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bezoar.contracts.files import write_text
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import Finding, Measurement, RunRecord, Table
from bezoar.contracts.revision import commit
from bezoar.evaluate import provenance
from bezoar.evaluate.backdoors.experiment import BackdoorExperiment, BackdoorResults
from bezoar.evaluate.backdoors.materials import Shelf, data_name
from bezoar.evaluate.backdoors.observing import exhibits, observe, tables
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.cells import check_replaceable, check_writable
from bezoar.evaluate.noting import noted_warnings

# Defence: metric of the matrix, its column, and whether a high number is good for the victim.
_MATRIX = (
    ("fine-pruning", "fine_pruning_attack_success_rate", "Fine-Pruning: ASR left"),
    ("neural-cleanse", "neural_cleanse_finds_target", "Neural Cleanse: target found"),
    ("strip", "strip_auroc", "STRIP: AUROC"),
    (
        "activation-clustering",
        "activation_clustering_auroc",
        "Activation Clustering: AUROC",
    ),
    ("spectral-signatures", "spectral_signatures_auroc", "Spectral Signatures: AUROC"),
)


def run_backdoors(
    plan: BackdoorPlan,
    out: Path | str,
    *,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> RunRecord:
    """Carries out the plan and writes ``record.json`` into `out`.

    Finished trainings and defences are kept under ``out/cells``, networks that are asked again
    under ``out/networks``: the same call after an interruption continues.

    Args:
        plan: what to do.
        out: folder of the results.
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told as the work goes on.

    Returns:
        The record, of kind ``backdoor``; its outcome is ``partial`` when a cell failed.

    Raises:
        InvalidArgument, InvalidData, FileProblem: before the work begins, where it can be known.

    Example:
        >>> import tempfile
        >>> plan = BackdoorPlan(data="wine", trunk="none", width=4, layers=1, heads=("linear",),
        ...                     triggers=("feature:0,3",), validation=20, seeds=1, warm_up=0,
        ...                     epochs=1, control=False)
        >>> record = run_backdoors(plan, tempfile.mkdtemp())
        >>> record.kind, record.outcome, len(record.select("attack_success_rate"))
        ('backdoor', 'complete', 1)
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    target = Path(out)
    with noted_warnings() as warned:
        check_replaceable(target / "record.json")
        check_writable(target / "cells")
        shelf = Shelf(folder=folder, progress=progress)
        # All data are read first: what is missing is told before hours of work.
        prints = [shelf.materials(plan, seed).fingerprint for seed in range(plan.seeds)]
        experiment = BackdoorExperiment(plan=plan, out=target, shelf=shelf, progress=progress)
        results = experiment.run()
    record = _record(results, prints, warned, started, time.perf_counter() - clock)
    write_text(target / "record.json", record.to_json())
    return record


def _record(
    results: BackdoorResults,
    prints: Sequence[str],
    warned: Sequence[str],
    started: datetime,
    seconds: float,
) -> RunRecord:
    plan = results.plan
    measurements = [observation.measurement() for observation in observe(results)]
    times = {**results.seconds, "total": seconds}
    measurements += [_time(plan, stage, value) for stage, value in times.items()]
    notes = (
        *warned,
        *(["One seed: no interval can be given."] if plan.seeds == 1 else []),
    )
    values = dataclasses.asdict(plan) | {
        "dataset": data_name(plan),
        "class_names": list(results.class_names),
        "data_fingerprint": prints[0],
    }
    return RunRecord(
        kind="backdoor",
        plan={key: list(v) if isinstance(v, tuple) else v for key, v in values.items()},
        plan_hash=plan.hash("".join(prints)),
        versions=provenance.versions(),
        seeds=tuple(range(plan.seeds)),
        outcome="partial" if results.failures else "complete",
        command=plan.command(),
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=seconds,
        measurements=tuple(measurements),
        tables=(*tables(results), *_matrices(plan, measurements)),
        findings=tuple(_findings(plan, measurements)),
        threat_models=results.threat_models,
        notes=notes,
        failures=results.failures,
        exhibits=tuple(exhibits(results)),
    )


def _time(plan: BackdoorPlan, stage: str, seconds: float) -> Measurement:
    return Measurement(
        metric="wall_seconds",
        value=seconds,
        low=None,
        high=None,
        n=1,
        seeds=(),
        unit="seconds",
        better="lower",
        tags={"dataset": data_name(plan), "stage": stage},
    )


def _matrices(plan: BackdoorPlan, measurements: Sequence[Measurement]) -> Iterator[Table]:
    """For each head, what each defence made of each trigger, at the first poisoning rate."""
    columns = [entry for entry in _MATRIX if entry[0] in plan.defences]
    for head in plan.heads if columns else ():
        tags = {"head": head, "rate": plan.rates[0], "twin": "backdoored"}
        yield Table(
            name="defence_matrix",
            row_title="trigger",
            column_title="defence",
            rows=plan.triggers,
            columns=tuple(title for _, _, title in columns),
            values=tuple(
                tuple(
                    _value(measurements, metric, {**tags, "trigger": trigger})
                    for _, metric, _ in columns
                )
                for trigger in plan.triggers
            ),
            unit="fraction",
            n=plan.seeds,
            tags={"dataset": data_name(plan), "head": head, "rate": plan.rates[0]},
        )


def _findings(plan: BackdoorPlan, measurements: Sequence[Measurement]) -> Iterator[Finding]:
    """For each head and trigger the smallest rate that surely succeeds beyond leak and control."""
    for head in plan.heads:
        for trigger in plan.triggers:
            for rate in sorted(plan.rates):
                tags = {"head": head, "trigger": trigger, "rate": rate}
                success = _found(measurements, "attack_success_rate", tags)
                if success is None or success.value is None:
                    continue
                # A trigger may look like the target class to a clean network too.
                of_clean = {"head": head, "trigger": trigger}
                ordinary = max(
                    _value(measurements, "leak", tags) or 0.0,
                    _value(measurements, "control_attack_success_rate", tags) or 0.0,
                    _value(measurements, "clean_attack_success_rate", of_clean) or 0.0,
                )
                certain = success.value if success.low is None else success.low
                if certain > ordinary + plan.tolerance:
                    yield _finding(measurements, success, ordinary, tags)
                    break


def _finding(
    measurements: Sequence[Measurement],
    success: Measurement,
    ordinary: float,
    tags: dict[str, Any],
) -> Finding:
    accuracy = _value(measurements, "backdoor_accuracy", tags)
    clean = _value(measurements, "clean_accuracy", {"head": tags["head"]})
    cost = "" if accuracy is None or clean is None else f", accuracy {clean:.1%} to {accuracy:.1%}"
    value = success.value or 0.0
    return Finding(
        rule="attack_success_rate",
        severity="critical" if value > 0.8 else "high" if value > 0.4 else "medium",
        confidence="high" if success.low is not None else "low",
        subject=f"{tags['head']} head",
        message=f"{tags['trigger']} in {tags['rate']:.1%} of the training images sends "
        f"{value:.1%} of triggered images where the attacker wants; without the backdoor "
        f"at most {ordinary:.1%}{cost}.",
        remedy=_remedy(measurements, tags),
        references=("arXiv 2407.16273",),
    )


def _remedy(measurements: Sequence[Measurement], tags: dict[str, Any]) -> str:
    """What helped here, or how to find out."""
    helped = []
    for _, metric, title in _MATRIX:
        value = _value(measurements, metric, {**tags, "twin": "backdoored"})
        if value is None:
            continue
        if metric.endswith("attack_success_rate"):
            success = _value(measurements, "attack_success_rate", tags) or 0.0
            if value < success / 2:
                helped.append(f"{title.partition(':')[0]} (success left: {value:.1%})")
        elif value >= 0.9:
            helped.append(f"{title.partition(':')[0]} ({value:.2f})")
    if helped:
        return "Here these answered: " + ", ".join(helped) + "."
    return (
        "Train on data whose source you know, and inspect what you cannot trust: "
        "bezoar backdoor evaluate --defences says which defence answers this trigger."
    )


def _found(
    measurements: Sequence[Measurement], metric: str, tags: dict[str, Any]
) -> Measurement | None:
    return next(
        (
            m
            for m in measurements
            if m.metric == metric and all(m.tags.get(k) == v for k, v in tags.items())
        ),
        None,
    )


def _value(measurements: Sequence[Measurement], metric: str, tags: dict[str, Any]) -> float | None:
    found = _found(measurements, metric, tags)
    return None if found is None else found.value
