"""From cells to what the record says: means with intervals, tables, findings, notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bezoar.contracts.records import Finding, Measurement, Severity, Table
from bezoar.evaluate.metrics.classification import row_shares
from bezoar.evaluate.observations import Group, Results, groups_of, observe, of_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `summarise` makes of results; fields as in `RunRecord`."""

    measurements: tuple[Measurement, ...]
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def summarise(results: Results) -> Summary:
    """The numbers, pictures and sentences of a finished audit."""
    measurements = [observation.measurement() for observation in observe(results)]
    measurements += [_seconds(results, stage, value) for stage, value in results.seconds.items()]
    tables = [table for group in groups_of(results) for table in _cell_tables(results, group)]
    tables += _similarity_tables(results)
    return Summary(
        measurements=tuple(measurements),
        tables=tuple(tables),
        findings=tuple(_findings(results, measurements)),
        notes=tuple(_notes(results, measurements)),
    )


def _cell_tables(results: Results, group: Group) -> Iterator[Table]:
    tags = group.tags
    shares = [row_shares(c) for c in group.confusions().values()]
    yield _table(results, "confusion", ("true class", "predicted class"), shares, tags)
    if group.attack != "none":
        moved = [row_shares(np.array(r["destinations"])) for r in group.results.values()]
        titles = ("true class", "label given")
        yield _table(results, "label_destination", titles, moved, tags)


def _similarity_tables(results: Results) -> Iterator[Table]:
    for noise in results.plan.noise:
        found = list(of_noise(results, noise).values())
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
        if all(r["concentrated"] for r in of_noise(results, noise).values()):
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
        for metric, cap in next(iter(of_noise(results, noise).values()))["references"].items():
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
