"""Records as an audit would write them, computed from simple laws instead of trainings."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence

from bezoar.contracts.records import (
    Better,
    Finding,
    Measurement,
    RunRecord,
    Table,
    ThreatModel,
    hash_of,
)

DIGITS = tuple("0123456789")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
HOSTILE = ("<script>alert(1)</script>", 'a"onload="x', "pipe|`tick` **b**", "\x1b[31mred\x00")
NOISES = ("none", "ad-dep:0.05")
RATIOS = (0.1, 0.3, 0.5, 0.7)

#: attack: accuracy lost and relabel-invariant accuracy lost at each of `RATIOS`, no noise.
LOSSES = {
    "random": ((0.010, 0.010), (0.042, 0.041), (0.095, 0.093), (0.391, 0.370)),
    "quid": ((0.052, 0.050), (0.218, 0.190), (0.601, 0.560), (0.922, 0.060)),
    "bilevel": ((0.016, 0.016), (0.071, 0.069), (0.242, 0.235), (0.553, 0.491)),
}

THREATS = {
    "random": ThreatModel(
        goal="Lower the test accuracy.",
        knows=(),
        changes=("training labels",),
        budget="ratio of the training samples",
        needs_training=False,
        answered_by="confident learning, k-NN disagreement",
        source="Biggio et al. 2011",
    ),
    "quid": ThreatModel(
        goal="Lower the test accuracy with as few labels as possible.",
        knows=("the state preparation circuit", "the training features and labels"),
        changes=("training labels",),
        budget="ratio of the training samples",
        needs_training=False,
        answered_by="state-similarity gap; label-map recovery with a small trusted set",
        source="arXiv 2411.14412, Algorithm 1",
    ),
    "bilevel": ThreatModel(
        goal="Lower the test accuracy with samples of the attacker's own making.",
        knows=("the state preparation circuit", "the range of the features"),
        changes=("training features", "training labels"),
        budget="ratio of the training samples",
        needs_training=False,
        answered_by="outlier filters on the encoded states",
        source="arXiv 2411.14412, section 4.4",
    ),
}


def make_record(
    *,
    classes: Sequence[str] = DIGITS,
    noises: Sequence[str] = NOISES,
    attacks: Sequence[str] = ("random", "quid", "bilevel"),
    ratios: Sequence[float] = RATIOS,
    seeds: int = 5,
    dataset: str = "digits",
    detectors: bool = True,
) -> RunRecord:
    """A complete audit."""
    maker = _Maker(classes, seeds, dataset)
    measurements, tables = [], []
    for noise in noises:
        measurements += maker.baseline(noise)
        tables.append(maker.confusion(noise, "none", 0.0, 0.0))
        tables.append(maker.distance(noise))
        measurements += maker.encoder(noise)
        for attack in attacks:
            for ratio in ratios:
                measurements += maker.cell(noise, attack, ratio, detectors)
                loss = maker.losses(noise, attack, ratio)[0]
                tables.append(maker.confusion(noise, attack, ratio, loss))
                tables.append(maker.destination(noise, attack, ratio))
    plan = {
        "dataset": dataset,
        "label": None,
        "classes": list(classes),
        "features": 8,
        "reduce": "pca",
        "encoding": "angle",
        "axes": "RX,RZ",
        "qubits": 4,
        "ansatz": "sim-1",
        "layers": 1,
        "noise": list(noises),
        "gradient": "exact",
        "shots": None,
        "attacks": list(attacks),
        "ratios": list(ratios),
        "seeds": seeds,
        "epochs": 30,
    }
    return RunRecord(
        kind="audit",
        plan=plan,
        plan_hash=hash_of(plan),
        versions={"bezoar": "0.1.0", "numpy": "2.3.1", "python": "3.12.4", "torch": "2.8.0"},
        seeds=tuple(range(seeds)),
        outcome="complete",
        command=f"bezoar audit {dataset} --noise {','.join(noises)} --seeds {seeds} --out audit",
        commit="3f2a9c1d7b",
        started="2025-03-04T09:12:44+00:00",
        wall_seconds=47.2,
        measurements=tuple(measurements),
        tables=tuple(tables),
        findings=_findings(dataset) if "quid" in attacks else (),
        threat_models={name: THREATS[name] for name in attacks if name in THREATS},
        notes=(
            "Principal components 9 to 64 (31 % of the variance) were dropped to fit 4 qubits.",
        ),
    )


def make_partial() -> RunRecord:
    """An audit of which two cells failed and one has no value."""
    record = make_record(noises=("none",))
    gone = (("quid", 0.7), ("bilevel", 0.7))
    kept = [
        m
        for m in record.measurements
        if (m.tags.get("attack"), m.tags.get("ratio")) not in gone
        and (m.metric, m.tags.get("attack"), m.tags.get("ratio")) != ("accuracy", "random", 0.5)
    ]
    kept.append(
        Measurement(
            metric="accuracy",
            value=None,
            low=None,
            high=None,
            n=0,
            seeds=(),
            unit="fraction",
            better="higher",
            tags={
                "dataset": "digits",
                "model": "sim-1, 1 layer, 4 qubits",
                "noise": "none",
                "attack": "random",
                "ratio": 0.5,
                "reason": "the loss became NaN",
            },
        )
    )
    return dataclasses.replace(
        record,
        outcome="partial",
        measurements=tuple(kept),
        failures=(
            "none, quid, 0.7, seed 3: MemoryError: 2.1 GiB wanted",
            "none, bilevel, 0.7, seed 0: MemoryError: 2.1 GiB wanted",
        ),
    )


def make_failed() -> RunRecord:
    """A run that measured nothing."""
    return dataclasses.replace(
        make_record(),
        outcome="failed",
        measurements=(),
        tables=(),
        findings=(),
        failures=("split: class 'b' has one sample",),
    )


def make_hostile() -> RunRecord:
    """A record whose every text tries to break out of the page."""
    text = HOSTILE[0] + HOSTILE[2]
    record = make_record(classes=HOSTILE, dataset=HOSTILE[0], noises=(HOSTILE[1],))
    return dataclasses.replace(
        record,
        plan=dict(record.plan) | {text: text},
        versions={text: text},
        command=f"bezoar audit '{text}' </pre>",
        commit=text,
        notes=(text, "</li></ul><img src=x onerror=alert(1)>", "]]>"),
        failures=("\ud800 lone surrogate \u202e reversed",),
        findings=(
            Finding(
                rule=text,
                severity="high",
                confidence="low",
                subject=text,
                message=text,
                remedy=text,
                references=("javascript:alert(1)", "https://example.org/?a=1&b=<2>"),
            ),
        ),
        threat_models={HOSTILE[0]: dataclasses.replace(THREATS["quid"], goal=text, knows=(text,))},
    )


def _findings(dataset: str) -> tuple[Finding, ...]:
    return (
        Finding(
            rule="kernel-concentration",
            severity="low",
            confidence="medium",
            subject=dataset,
            message="The off-diagonal kernel variance is 0.0210, well above shot noise.",
            remedy="Nothing to do; measure it again when the encoding changes.",
        ),
        Finding(
            rule="accuracy-drop",
            severity="high",
            confidence="high",
            subject=f"sim-1, 1 layer, 4 qubits on {dataset}",
            message="QUID at ratio 0.3 costs 22 points of accuracy (interval 19 to 25, 5 seeds).",
            remedy="Verify a random 5 % of the training labels against a trusted source.",
            references=("https://arxiv.org/abs/2411.14412", "QUID, section 5.2"),
        ),
    )


class _Maker:
    """Measurements of one data set and model that follow `LOSSES`."""

    def __init__(self, classes: Sequence[str], seeds: int, dataset: str) -> None:
        self.classes = tuple(classes)
        self.k = len(self.classes)
        self.seeds = seeds
        self.tags = {"dataset": dataset, "model": "sim-1, 1 layer, 4 qubits"}
        spots = random.Random(7)  # noqa: S311 - places on a plane
        self.places = [(spots.random(), spots.random()) for _ in self.classes]

    def losses(self, noise: str, attack: str, ratio: float) -> tuple[float, float]:
        rows = LOSSES.get(attack, LOSSES["random"])
        real, renamed = rows[min(range(4), key=lambda i: abs(RATIOS[i] - ratio))]
        weaker = 0.82 if noise != "none" else 1.0
        return real * weaker, renamed * weaker

    def start(self, noise: str) -> float:
        return 0.943 if noise == "none" else 0.912

    def measure(
        self,
        metric: str,
        value: float,
        half: float,
        tags: Mapping[str, str | float],
        *,
        better: Better = "higher",
        unit: str = "fraction",
    ) -> Measurement:
        several = self.seeds > 1
        return Measurement(
            metric=metric,
            value=value,
            low=value - half if several else None,
            high=value + half if several else None,
            n=self.seeds,
            seeds=tuple(range(self.seeds)),
            unit=unit,
            better=better,
            tags={**self.tags, **tags},
        )

    def seconds(self, value: float, tags: Mapping[str, str | float]) -> Measurement:
        return self.measure(
            "wall_seconds", value, 0.05 * value, tags, better="lower", unit="seconds"
        )

    def baseline(self, noise: str) -> list[Measurement]:
        tags = {"noise": noise, "attack": "none", "ratio": 0.0}
        start = self.start(noise)
        return [
            self.measure("accuracy", start, 0.012, tags),
            self.measure("relabel_invariant_accuracy", start, 0.012, tags),
            self.seconds(0.42, tags | {"stage": "train"}),
            *self.recalls(start, tags),
        ]

    def cell(self, noise: str, attack: str, ratio: float, detectors: bool) -> list[Measurement]:
        tags = {"noise": noise, "attack": attack, "ratio": ratio}
        lost, really = self.losses(noise, attack, ratio)
        half = 0.012 + 0.07 * math.sin(math.pi * min(lost, 1))
        start = self.start(noise)
        found = [
            self.measure("accuracy", start - lost, half, tags),
            self.measure("relabel_invariant_accuracy", start - really, half * 0.8, tags),
            self.measure("accuracy_drop", lost, half * 0.7, tags, better="lower"),
            self.seconds(0.44, tags | {"stage": "train"}),
            *self.recalls(start - lost, tags),
        ]
        if detectors:
            auroc = {"random": 0.91, "quid": 0.97}.get(attack, 0.72) - 0.3 * ratio
            detector = tags | {"detector": "state-similarity"}
            found.append(self.measure("detection_auroc", auroc, 0.02, detector))
        return found

    def recalls(self, accuracy: float, tags: Mapping[str, str | float]) -> list[Measurement]:
        return [
            self.measure(
                "recall", min(1.0, accuracy * (0.95 + 0.1 * i / self.k)), 0.03, {**tags, "class": c}
            )
            for i, c in enumerate(self.classes)
        ]

    def encoder(self, noise: str) -> list[Measurement]:
        clean = noise == "none"
        nearest = {"frobenius": 0.88, "hilbert-schmidt": 0.86, "trace": 0.883}
        variance = 0.021 if clean else 0.00012
        return [
            *(
                self.measure(
                    "nearest_class_accuracy",
                    value - (0 if clean else 0.03),
                    0.008,
                    {"noise": noise, "distance": distance},
                )
                for distance, value in nearest.items()
            ),
            self.measure("kernel_variance", variance, 0.05 * variance, {"noise": noise}, unit=""),
            self.seconds(0.031, {"noise": noise, "stage": "encode"}),
        ]

    def distance(self, noise: str) -> Table:
        shrink = 1.0 if noise == "none" else 0.6
        values = [
            [shrink * (0.31 + 0.6 * math.dist(a, b)) for b in self.places] for a in self.places
        ]
        return self.table(
            "class_distance",
            "class of the sample",
            "compared with class",
            values,
            unit="",
            noise=noise,
            distance="frobenius",
        )

    def far(self, i: int) -> int:
        return max(range(self.k), key=lambda j: math.dist(self.places[i], self.places[j]))

    def destination(self, noise: str, attack: str, ratio: float) -> Table:
        values = [[0.0] * self.k for _ in self.classes]
        for i in range(self.k):
            if attack == "quid":
                values[i][self.far(i)] = 0.94
                values[i][(self.far(i) + 1) % self.k] += 0.06
            else:
                values[i] = [0.0 if i == j else 1 / (self.k - 1) for j in range(self.k)]
        return self.table(
            "label_destination",
            "true class",
            "label given",
            values,
            unit="fraction",
            noise=noise,
            attack=attack,
            ratio=ratio,
        )

    def confusion(self, noise: str, attack: str, ratio: float, loss: float) -> Table:
        right = max(self.start(noise) - loss, 0.0)
        values = []
        for i in range(self.k):
            rest = 1 - right
            row = [0.25 * rest / max(self.k - 1, 1)] * self.k
            row[self.far(i)] += 0.75 * rest
            row[i] = right
            values.append(row)
        return self.table(
            "confusion",
            "true class",
            "predicted class",
            values,
            unit="fraction",
            noise=noise,
            attack=attack,
            ratio=ratio,
        )

    def table(
        self,
        name: str,
        rows: str,
        columns: str,
        values: list[list[float]],
        *,
        unit: str,
        **tags: str | float,
    ) -> Table:
        return Table(
            name=name,
            row_title=rows,
            column_title=columns,
            rows=self.classes,
            columns=self.classes,
            values=tuple(tuple(row) for row in values),
            unit=unit,
            n=self.seeds,
            tags=self.tags | tags,
        )
