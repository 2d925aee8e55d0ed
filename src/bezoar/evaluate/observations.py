"""What was observed, seed by seed: the numbers behind every measurement and every comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import Better, Measurement, ThreatModel
from bezoar.defences.training import ensemble_named
from bezoar.evaluate.cells import Cell
from bezoar.evaluate.metrics.classification import accuracy, recalls, relabel_invariant_accuracy
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.statistics import student_interval

# Those that need no training.
STATE_METRICS = frozenset({"nearest_class_accuracy", "distance_seconds", "kernel_variance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that an experiment measured.

    Attributes:
        plan, data: what was done, on what.
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
class Observation:
    """One quantity over the seeds.

    Attributes:
        metric, unit, better, tags: as in `Measurement`.
        values: by seed.
        bounds: what the quantity cannot leave.
    """

    metric: str
    values: Mapping[int, float]
    tags: Mapping[str, Any]
    better: Better = "higher"
    unit: str = "fraction"
    bounds: tuple[float, float] = (0, 1)

    def measurement(self) -> Measurement:
        """Its mean with the interval."""
        interval = student_interval(list(self.values.values()), bounds=self.bounds)
        return Measurement(
            metric=self.metric,
            value=interval.mean,
            low=interval.low,
            high=interval.high,
            n=interval.n,
            seeds=tuple(self.values),
            unit=self.unit,
            better=self.better,
            tags=dict(self.tags),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One setting over its seeds; `tags` name it in measurements."""

    noise: str
    attack: str
    ratio: float
    results: Mapping[int, Mapping[str, Any]]
    tags: Mapping[str, Any] = field(default_factory=dict)

    def confusions(self) -> dict[int, np.ndarray]:
        """Counts by seed."""
        return {seed: np.array(result["confusion"]) for seed, result in self.results.items()}


def observe(results: Results) -> Iterator[Observation]:
    """Every quantity of the results, settings in the order of the plan."""
    groups = groups_of(results)
    baselines = {g.noise: g.confusions() for g in groups if g.attack == "none"}
    for group in groups:
        yield from _of_models(results, group)
        if group.attack != "none":
            yield from _of_attacks(results, group, baselines.get(group.noise, {}))
    yield from _of_states(results)


def groups_of(results: Results) -> list[Group]:
    """The cells by setting, the unpoisoned first."""
    settings: dict[tuple[str, str, float], dict[int, Mapping[str, Any]]] = {}
    for cell, result in results.cells.items():
        settings.setdefault((cell.noise, cell.attack, cell.ratio), {})[cell.seed] = result
    order = {name: i for i, name in enumerate(("none", *results.plan.attacks))}
    noises = results.plan.noise
    keys = sorted(settings, key=lambda k: (noises.index(k[0]), order[k[1]], k[2]))
    return [
        Group(
            noise=n,
            attack=a,
            ratio=r,
            results=dict(sorted(settings[n, a, r].items())),
            tags={
                "dataset": results.plan.data,
                "model": results.model,
                "noise": n,
                "attack": a,
                "ratio": r,
            },
        )
        for n, a, r in keys
    ]


def of_noise(results: Results, noise: str) -> dict[int, Mapping[str, Any]]:
    """The stored comparisons of states under a noise, by seed."""
    return {seed: r for (name, seed), r in results.similarities.items() if name == noise}


def _of_models(results: Results, group: Group) -> Iterator[Observation]:
    """How good the models are."""
    tags = group.tags
    confusions = group.confusions()

    def rate(metric: str, of: Callable[[np.ndarray], float]) -> Observation:
        return Observation(
            metric=metric, values={s: of(c) for s, c in confusions.items()}, tags=tags
        )

    yield rate("accuracy", accuracy)
    yield rate("relabel_invariant_accuracy", relabel_invariant_accuracy)
    for code, name in enumerate(results.data.class_names):
        shares = {seed: float(recalls(c)[code]) for seed, c in confusions.items()}
        known = {seed: share for seed, share in shares.items() if np.isfinite(share)}
        if known:
            yield Observation(metric="recall", values=known, tags={**tags, "class": name})
    yield from _of_curves(group)
    yield from _of_certificates(results, group)


def _of_curves(group: Group) -> Iterator[Observation]:
    curves = {seed: r["curve"] for seed, r in group.results.items() if "curve" in r}
    epochs = min((len(c["loss"]) for c in curves.values()), default=0)
    for epoch in range(epochs):
        tags = {**group.tags, "epoch": epoch + 1}
        for name in ("accuracy", "loss"):
            yield Observation(
                metric=f"{name}_by_epoch",
                values={seed: c[name][epoch] for seed, c in curves.items()},
                tags=tags,
                better="higher" if name == "accuracy" else "lower",
                unit="fraction" if name == "accuracy" else "nats",
                bounds=(0, 1) if name == "accuracy" else (0, np.inf),
            )


def _of_certificates(results: Results, group: Group) -> Iterator[Observation]:
    """The share of answers that are right and stay so, by the number of changes withstood."""
    counts = {seed: r["certified"] for seed, r in group.results.items() if "certified" in r}
    defence = ensemble_named(results.plan.ensemble)
    if defence is None or not counts:
        return
    # Half of the voters is the most that a vote can promise; partitions without samples have none.
    n_voters = min(defence.n_partitions, len(results.data))
    for changes in range(n_voters // 2 + 1):
        values = {
            seed: sum(c[changes:]) / np.sum(group.results[seed]["confusion"])
            for seed, c in counts.items()
        }
        yield Observation(
            metric="certified_accuracy", values=values, tags={**group.tags, "changes": changes}
        )


def _of_attacks(
    results: Results, group: Group, baseline: Mapping[int, np.ndarray]
) -> Iterator[Observation]:
    """What the attack did, and whether it shows."""
    tags, confusions = group.tags, group.confusions()
    # Paired by seed: the same split and the same initial weights, so the spread of baselines drops.
    drops = {s: accuracy(baseline[s]) - accuracy(c) for s, c in confusions.items() if s in baseline}
    if drops:
        yield Observation(
            metric="accuracy_drop", values=drops, tags=tags, better="lower", bounds=(-1, 1)
        )
    for detector in results.plan.detectors:
        found = {s: r["auroc"][detector] for s, r in group.results.items()}
        known = {s: v for s, v in found.items() if v is not None}
        if known:
            yield Observation(
                metric="detection_auroc", values=known, tags={**tags, "detector": detector}
            )
    changed = {s: r["n_changed"] / r["n_train"] for s, r in group.results.items()}
    yield Observation(metric="changed_share", values=changed, tags=tags, better="neither")
    agreed = {s: r["label_agreement"] for s, r in group.results.items() if "label_agreement" in r}
    if agreed:
        yield Observation(metric="label_agreement", values=agreed, tags=tags, better="neither")
    for name, unit in (("poison_seconds", "seconds"), ("trainings", "trainings")):
        yield Observation(
            metric=name,
            values={s: r[name] for s, r in group.results.items()},
            tags=tags,
            better="neither",
            unit=unit,
            bounds=(0, np.inf),
        )


def _of_states(results: Results) -> Iterator[Observation]:
    """How the encoded states lie."""
    for noise in dict.fromkeys(noise for noise, _ in results.similarities):
        found = of_noise(results, noise)
        tags = {"dataset": results.plan.data, "noise": noise}
        for metric in next(iter(found.values()))["nearest_class_accuracy"]:
            yield Observation(
                metric="nearest_class_accuracy",
                values={seed: r["nearest_class_accuracy"][metric] for seed, r in found.items()},
                tags={**tags, "distance": metric},
            )
            yield Observation(
                metric="distance_seconds",
                values={seed: r["seconds"][metric] for seed, r in found.items()},
                tags={**tags, "distance": metric},
                better="lower",
                unit="seconds",
                bounds=(0, np.inf),
            )
        yield Observation(
            metric="kernel_variance",
            values={seed: r["kernel_variance"] for seed, r in found.items()},
            tags=tags,
            unit="",
            bounds=(0, np.inf),
        )
