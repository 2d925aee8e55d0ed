"""From cells to what the record says: means with intervals, tables, findings, notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import Better, Finding, Measurement, Severity, Table, ThreatModel
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.metrics.classification import (
    accuracy,
    recalls,
    relabel_invariant_accuracy,
    row_shares,
)
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.statistics import student_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that an audit measured.

    Attributes:
        plan, data: what was audited.
        model: its name for people.
        cells: the stored result of each training that finished.
        similarities: the stored comparison of states by noise and seed.
        seconds: wall time by stage.
        threat_models: of the attacks, by name.
    """

    plan: AuditPlan
    data: Dataset
    model: str
    cells: Mapping[Cell, Mapping[str, Any]]
    similarities: Mapping[tuple[str, int], Mapping[str, Any]]
    seconds: Mapping[str, float]
    threat_models: Mapping[str, ThreatModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `summarise` makes of results; fields as in `RunRecord`."""

    measurements: tuple[Measurement, ...]
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One setting over its seeds."""

    noise: str
    attack: str
    ratio: float
    results: Mapping[int, Mapping[str, Any]]

    def confusions(self) -> dict[int, np.ndarray]:
        return {seed: np.array(result["confusion"]) for seed, result in self.results.items()}


def summarise(results: Results) -> Summary:
    """The numbers, pictures and sentences of a finished audit."""
    groups = _groups(results)
    baselines = {g.noise: g.confusions() for g in groups if g.attack == "none"}
    measurements: list[Measurement] = []
    tables: list[Table] = []
    for group in groups:
        measurements += _cell_measurements(results, group, baselines.get(group.noise, {}))
        tables += _cell_tables(results, group)
    measurements += _similarity_measurements(results)
    tables += _similarity_tables(results)
    measurements += [_seconds(results, stage, value) for stage, value in results.seconds.items()]
    return Summary(
        measurements=tuple(measurements),
        tables=tuple(tables),
        findings=tuple(_findings(results, measurements)),
        notes=tuple(_notes(results, measurements)),
    )


def _groups(results: Results) -> list[_Group]:
    settings: dict[tuple[str, str, float], dict[int, Mapping[str, Any]]] = {}
    for cell, result in results.cells.items():
        settings.setdefault((cell.noise, cell.attack, cell.ratio), {})[cell.seed] = result
    order = {name: i for i, name in enumerate(("none", *results.plan.attacks))}
    noises = results.plan.noise
    keys = sorted(settings, key=lambda k: (noises.index(k[0]), order[k[1]], k[2]))
    return [
        _Group(noise=n, attack=a, ratio=r, results=dict(sorted(settings[n, a, r].items())))
        for n, a, r in keys
    ]


def _cell_measurements(
    results: Results, group: _Group, baseline: Mapping[int, np.ndarray]
) -> Iterator[Measurement]:
    tags = _tags(results, group)
    confusions = group.confusions()

    def rate(metric: str, of: Callable[[np.ndarray], float]) -> Measurement:
        return _measured(metric, {s: of(c) for s, c in confusions.items()}, tags)

    yield rate("accuracy", accuracy)
    yield rate("relabel_invariant_accuracy", relabel_invariant_accuracy)
    for code, name in enumerate(results.data.class_names):
        shares = {seed: float(recalls(c)[code]) for seed, c in confusions.items()}
        known = {seed: share for seed, share in shares.items() if np.isfinite(share)}
        if known:
            yield _measured("recall", known, {**tags, "class": name})
    if group.attack == "none":
        return
    # Paired by seed: the same split and the same initial weights, so the spread of baselines drops.
    drops = {s: accuracy(baseline[s]) - accuracy(c) for s, c in confusions.items() if s in baseline}
    if drops:
        yield _measured("accuracy_drop", drops, tags, better="lower", bounds=(-1, 1))
    for detector in results.plan.detectors:
        found = {s: r["auroc"][detector] for s, r in group.results.items()}
        known = {s: v for s, v in found.items() if v is not None}
        if known:
            yield _measured("detection_auroc", known, {**tags, "detector": detector})
    changed = {s: r["n_changed"] / r["n_train"] for s, r in group.results.items()}
    yield _measured("changed_share", changed, tags, better="neither")


def _cell_tables(results: Results, group: _Group) -> Iterator[Table]:
    tags = _tags(results, group)
    shares = [row_shares(c) for c in group.confusions().values()]
    yield _table(results, "confusion", ("true class", "predicted class"), shares, tags)
    if group.attack != "none":
        moved = [row_shares(np.array(r["destinations"])) for r in group.results.values()]
        titles = ("true class", "label given")
        yield _table(results, "label_destination", titles, moved, tags)


def _similarity_measurements(results: Results) -> Iterator[Measurement]:
    for noise in results.plan.noise:
        found = _of_noise(results, noise)
        tags = {"dataset": results.plan.data, "noise": noise}
        for metric in next(iter(found.values()))["nearest_class_accuracy"]:
            values = {seed: r["nearest_class_accuracy"][metric] for seed, r in found.items()}
            yield _measured("nearest_class_accuracy", values, {**tags, "distance": metric})
            seconds = {seed: r["seconds"][metric] for seed, r in found.items()}
            yield _measured(
                "distance_seconds",
                seconds,
                {**tags, "distance": metric},
                better="lower",
                unit="seconds",
                bounds=(0, np.inf),
            )
        yield _measured(
            "kernel_variance",
            {seed: r["kernel_variance"] for seed, r in found.items()},
            tags,
            unit="",
            bounds=(0, np.inf),
        )


def _similarity_tables(results: Results) -> Iterator[Table]:
    for noise in results.plan.noise:
        found = list(_of_noise(results, noise).values())
        for metric in found[0]["class_distance"]:
            yield _table(
                results,
                "class_distance",
                ("class of the sample", "compared with class"),
                [np.array(r["class_distance"][metric], dtype=float) for r in found],
                {"dataset": results.plan.data, "noise": noise, "distance": metric},
                unit="",
            )


def _findings(results: Results, measurements: Sequence[Measurement]) -> Iterator[Finding]:
    """For each attack the smallest share, under each noise, that surely exceeds the tolerance."""
    harmful: dict[str, dict[str, Measurement]] = {}
    for m in measurements:
        if m.metric != "accuracy_drop" or m.value is None:
            continue
        certain = m.value if m.low is None else m.low
        found = harmful.setdefault(str(m.tags["attack"]), {})
        noise = str(m.tags["noise"])
        smaller = noise not in found or _ratio(m) < _ratio(found[noise])
        if certain > results.plan.tolerance and smaller:
            found[noise] = m
    for attack, found in harmful.items():
        if not found:
            continue
        n_seeds = min(m.n for m in found.values())
        model = results.threat_models[attack]
        yield Finding(
            rule="accuracy-drop",
            severity=_severity(min(_ratio(m) for m in found.values())),
            confidence="low" if n_seeds == 1 else "medium" if n_seeds < 5 else "high",
            subject=f"{attack} poisoning of {results.model} on {results.plan.data}",
            message=f"{attack}: " + "; ".join(_harm(noise, m) for noise, m in found.items()),
            remedy="train on data that you can verify, and keep a trusted part of it to notice "
            f"the loss; against this attack: {model.answered_by}",
            references=(model.source,),
        )
    for noise in results.plan.noise:
        if all(r["concentrated"] for r in _of_noise(results, noise).values()):
            yield Finding(
                rule="kernel-concentration",
                severity="medium",
                confidence="high",
                subject=f"encoding on {results.plan.data}, noise {noise}",
                message="the encoded states differ by less than 1000 shots can resolve, so neither "
                "attacks nor detectors that compare states mean anything here",
                remedy="use fewer qubits, less noise, or features over a wider range",
                references=("doi:10.1038/s41467-024-49287-w",),
            )


def _notes(results: Results, measurements: Sequence[Measurement]) -> Iterator[str]:
    if results.plan.seeds == 1:
        yield "One seed: no interval can be given; use --seeds 5 or more."
    majority = float(results.data.counts().max() / len(results.data))
    for m in measurements:
        is_baseline = m.metric == "accuracy" and m.tags["attack"] == "none"
        if is_baseline and (m.value if m.low is None else m.low) <= majority:  # type: ignore[operator]
            yield (
                f"Without any attack the model under noise {m.tags['noise']} is not clearly better "
                f"than always answering the largest class ({100 * majority:.0f} %): losses from "
                "there mean little."
            )
    for noise in results.plan.noise:
        for metric, cap in next(iter(_of_noise(results, noise).values()))["references"].items():
            if cap is not None:
                yield (
                    f"The {metric} distance under noise {noise} compares each sample with at most "
                    f"{cap} samples of each class, drawn at random."
                )
    if results.plan.gradient == "exact" and results.plan.shots is None:
        yield "Gradients and expectations are exact: no shot noise."


def _harm(noise: str, m: Measurement) -> str:
    where = "without noise" if noise == "none" else f"under noise {noise}"
    return (
        f"{where}, {100 * _ratio(m):g} % of the training samples cost {100 * (m.value or 0):.1f} "
        f"points of accuracy{_between(m)}"
    )


def _ratio(m: Measurement) -> float:
    return float(m.tags["ratio"])


def _severity(ratio: float) -> Severity:
    return "high" if ratio <= 0.1 else "medium" if ratio <= 0.3 else "low"


def _between(m: Measurement) -> str:
    if m.low is None or m.high is None:
        return " (one seed)"
    return f" (95 % interval {100 * m.low:.1f} to {100 * m.high:.1f}, {m.n} seeds)"


def _measured(
    metric: str,
    values: Mapping[int, float],
    tags: Mapping[str, Any],
    *,
    better: Better = "higher",
    unit: str = "fraction",
    bounds: tuple[float, float] = (0, 1),
) -> Measurement:
    interval = student_interval(list(values.values()), bounds=bounds)
    return Measurement(
        metric=metric,
        value=interval.mean,
        low=interval.low,
        high=interval.high,
        n=interval.n,
        seeds=tuple(values),
        unit=unit,
        better=better,
        tags=dict(tags),
    )


def _table(
    results: Results,
    name: Literal["confusion", "label_destination", "class_distance"],
    titles: tuple[str, str],
    matrices: Sequence[np.ndarray],
    tags: Mapping[str, Any],
    *,
    unit: str = "fraction",
) -> Table:
    stacked = np.stack(matrices)
    known = np.isfinite(stacked)
    total = np.where(known, stacked, 0).sum(axis=0)
    counts = known.sum(axis=0)
    mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
    return Table(
        name=name,
        row_title=titles[0],
        column_title=titles[1],
        rows=results.data.class_names,
        columns=results.data.class_names,
        values=tuple(
            tuple(round(float(v), 6) if np.isfinite(v) else None for v in row) for row in mean
        ),
        unit=unit,
        n=len(matrices),
        tags=dict(tags),
    )


def _seconds(results: Results, stage: str, value: float) -> Measurement:
    return Measurement(
        metric="wall_seconds",
        value=value,
        low=None,
        high=None,
        n=1,
        seeds=(),
        unit="seconds",
        better="lower",
        tags={"dataset": results.plan.data, "stage": stage},
    )


def _of_noise(results: Results, noise: str) -> dict[int, Mapping[str, Any]]:
    return {seed: r for (name, seed), r in results.similarities.items() if name == noise}


def _tags(results: Results, group: _Group) -> dict[str, Any]:
    return {
        "dataset": results.plan.data,
        "model": results.model,
        "noise": group.noise,
        "attack": group.attack,
        "ratio": group.ratio,
    }
