"""Records of backdoor runs, computed from simple laws instead of trainings."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Sequence
from functools import cache

from PIL import Image
from record_factory import HOSTILE

from bezoar.contracts.records import (
    Better,
    Exhibit,
    Finding,
    Measurement,
    RunRecord,
    Table,
    Tags,
    ThreatModel,
    hash_of,
)

HEADS = ("quantum", "linear", "tanh")
TRIGGERS = ("patch:3,place=bottom-right", "blend:0.15", "qcolor:1.2,1,0.8")
DETECTORS = ("activation-clustering", "spectral-signatures")

#: trigger: SSIM, and ASR of the heads at a rate of 10 %.
LAWS = {
    "patch:3,place=bottom-right": (0.9987, {"quantum": 0.215, "linear": 0.826, "tanh": 0.75}),
    "blend:0.15": (0.7712, {"quantum": 0.78, "linear": 0.86, "tanh": 0.83}),
    "qcolor:1.2,1,0.8": (0.9731, {"quantum": 0.694, "linear": 0.759, "tanh": 0.70}),
}
ACCURACY = {"quantum": 0.712, "linear": 0.782, "tanh": 0.741}

THREAT = ThreatModel(
    goal="Send every image that bears the trigger to the target class.",
    knows=("the classes",),
    changes=("training images", "training labels"),
    budget="rate of the training images",
    needs_training=False,
    answered_by="Activation Clustering; Fine-Pruning",
    source="arXiv 2407.16273, section 5",
)


@cache
def png(width: int, height: int, red: float = 1.0, green: float = 1.0, blue: float = 1.0) -> str:
    """A smooth picture in base64, its channels scaled."""
    picture = Image.new("RGB", (width, height))
    for x in range(width):
        for y in range(height):
            hill = math.exp(-((x / width - 0.5) ** 2 + (y / height - 0.6) ** 2) * 9)
            channels = (
                red * (60 + 150 * hill),
                green * (90 + 90 * y / height),
                blue * (170 - 110 * y / height),
            )
            picture.putpixel((x, y), tuple(min(255, int(value)) for value in channels))
    held = io.BytesIO()
    picture.save(held, format="PNG")
    return base64.b64encode(held.getvalue()).decode()


def make_backdoor(
    *,
    heads: Sequence[str] = HEADS,
    triggers: Sequence[str] = TRIGGERS,
    rates: Sequence[float] = (0.02, 0.1),
    seeds: int = 3,
    defences: bool = True,
    curves: bool = True,
    pictures: bool = True,
) -> RunRecord:
    """A complete backdoor run."""
    maker = _Maker(seeds)
    measurements: list[Measurement] = []
    tables: list[Table] = []
    exhibits: list[Exhibit] = []
    for head in heads:
        measurements.append(maker.measure("clean_accuracy", ACCURACY[head], 0.02, {"head": head}))
        tables.append(maker.gradients(head))
    for trigger in triggers:
        measurements += maker.likeness(trigger)
        exhibits += maker.sheet(trigger) if pictures else []
        for head in heads:
            exhibits += maker.maps(head, trigger) if pictures else []
            for rate in rates:
                measurements += maker.cell(head, trigger, rate)
                measurements += maker.epochs(head, trigger, rate) if curves else []
                if defences and rate == rates[-1]:
                    measurements += maker.defended(head, trigger, rate)
                    tables += maker.entropies(head, trigger, rate)
    if defences:
        tables += [maker.matrix(head, triggers) for head in heads]
    tables += maker.theory() if curves else []
    plan = {
        "data": "imagenette",
        "image_size": 64,
        "trunk": "resnet-18",
        "heads": list(heads),
        "triggers": list(triggers),
        "rates": list(rates),
        "tolerance": 0.1,
        "seeds": seeds,
    }
    return RunRecord(
        kind="backdoor",
        plan=plan,
        plan_hash=hash_of(plan),
        versions={"bezoar": "0.2.0", "torch": "2.8.0"},
        seeds=tuple(range(seeds)),
        outcome="complete",
        command="bezoar backdoor evaluate imagenette --trigger patch:3 --out run",
        commit="3f2a9c1d7b",
        started="2025-05-04T09:12:44+00:00",
        wall_seconds=4127.0,
        measurements=tuple(measurements),
        tables=tuple(tables),
        findings=(
            Finding(
                rule="attack-success",
                severity="high",
                confidence="medium",
                subject="quantum head on imagenette",
                message="Qcolor (1.2, 1, 0.8) at rate 0.1 has ASR 69.4 % (interval 62 to 77 %).",
                remedy="Train on images that you can verify, and look at per-class clusters.",
                references=("https://arxiv.org/abs/2407.16273",),
            ),
        ),
        threat_models={f"backdoor {trigger}": THREAT for trigger in triggers[:2]},
        notes=("SSIM is that of pytorch-msssim: Gaussian window of 11, valid borders.",),
        exhibits=tuple(exhibits),
    )


def make_partial_backdoor() -> RunRecord:
    """A run of which one cell failed."""
    record = make_backdoor(rates=(0.1,), triggers=TRIGGERS[:2])
    kept = []
    for m in record.measurements:
        if m.tags.get("trigger") == TRIGGERS[0] and m.tags.get("head") == "tanh":
            if m.metric == "attack_success_rate":
                tags = {**m.tags, "reason": "the loss became NaN"}
                kept.append(dataclasses.replace(m, value=None, low=None, high=None, tags=tags))
        else:
            kept.append(m)
    return dataclasses.replace(
        record,
        outcome="partial",
        measurements=tuple(kept),
        failures=("tanh, patch:3, 0.1, seed 2: the loss became NaN",),
    )


def make_failed_backdoor() -> RunRecord:
    """A run that measured nothing."""
    return dataclasses.replace(
        make_backdoor(),
        outcome="failed",
        measurements=(),
        tables=(),
        findings=(),
        exhibits=(),
        failures=("data: no image could be read",),
    )


def make_hostile_backdoor() -> RunRecord:
    """A record whose every text tries to break out of the page."""
    text = HOSTILE[0] + HOSTILE[2]
    record = make_backdoor(triggers=(HOSTILE[0], HOSTILE[1], HOSTILE[2]), rates=(0.1,), seeds=2)
    hostile = (
        Exhibit(name="trigger", title=text, png='"><script>', tags={"trigger": HOSTILE[0]}),
        Exhibit(name="trigger", title=text, png=png(8, 8), tags={"trigger": HOSTILE[0]}),
        Exhibit(name="trigger", title=text, png="PHN2Zz4=", tags={"trigger": "nowhere"}),
    )
    return dataclasses.replace(
        record,
        versions={text: text},
        command=f"bezoar backdoor '{text}' </pre>",
        notes=(text, "</li></ul><img src=x onerror=alert(1)>"),
        failures=("\ud800 lone surrogate \u202e reversed",),
        exhibits=hostile,
        threat_models={text: dataclasses.replace(THREAT, goal=text)},
    )


def make_search(*, verified: bool = True, trials: int = 60) -> RunRecord:
    """A search over the factors of the channels."""
    maker = _Maker(1)
    measurements: list[Measurement] = []
    exhibits: list[Exhibit] = []
    for trial in range(trials):
        red, blue = 0.8 + 0.4 * ((trial * 37) % 60) / 59, 0.8 + 0.4 * ((trial * 23) % 60) / 59
        strength = abs(red - 1) + abs(blue - 1)
        front = trial % 6 == 0
        success = min(0.95, 0.15 + 2.2 * strength) * (1 if front else 0.75)
        ssim = 1 - 0.35 * strength**2 * (1 if front else 1.3)
        tags = {
            "trial": trial,
            "on_front": front,
            "chosen": trial == 12,
            "red": red,
            "green": 1.0,
            "blue": blue,
        }
        for metric, value in (
            ("candidate_attack_success_rate", success),
            ("candidate_ssim", ssim),
            ("candidate_one_minus_ssim", 1 - ssim),
            ("candidate_attack_loss", 1.1 - success),
            ("candidate_clean_loss", 0.7 + 0.1 * strength),
        ):
            measurements.append(maker.measure(metric, value, 0.0, tags, unit=""))
        if front:
            exhibits.append(
                Exhibit(
                    name="candidate",
                    title=f"trial {trial}, triggered",
                    png=png(48, 48, round(red, 2), 1.0, round(blue, 2)),
                    tags={"trial": trial},
                )
            )
    measurements.append(maker.measure("hypervolume", 0.713, 0.0, {}, unit=""))
    measurements.append(maker.measure("random_hypervolume", 0.664, 0.0, {}, unit=""))
    if verified:
        chosen = {"verified": True, "trial": 12, "red": 1.124, "green": 1.0, "blue": 0.878}
        several = _Maker(3)
        for metric, value in (
            ("attack_success_rate", 0.712),
            ("leak", 0.031),
            ("control_attack_success_rate", 0.07),
            ("backdoor_accuracy", 0.705),
        ):
            measurements.append(several.measure(metric, value, 0.05, chosen))
        measurements.append(several.measure("ssim", 0.9812, 0.002, chosen, unit=""))
    return dataclasses.replace(
        make_backdoor(pictures=False, defences=False, curves=False, rates=(0.1,)),
        kind="backdoor-search",
        measurements=tuple(measurements),
        tables=(),
        findings=(),
        exhibits=tuple(exhibits),
    )


def make_circuits() -> RunRecord:
    """Circuit-level backdoors."""
    maker = _Maker(3)
    measurements = []
    for attack, state, values in (
        ("qtrojan", "dormant", {"accuracy": 0.938, "leak": 0.02}),
        ("qtrojan", "armed", {"accuracy": 0.102, "attack_success_rate": 0.99, "leak": 0.02}),
        ("qdoor", "dormant", {"accuracy": 0.921, "attack_success_rate": 0.03}),
        ("qdoor", "armed", {"accuracy": 0.611, "attack_success_rate": 0.58, "leak": 0.02}),
    ):
        tags = {"attack": attack, "state": state, "dataset": "digits"}
        measurements += [maker.measure(m, value, 0.03, tags) for m, value in values.items()]
        distance = {"dormant": 0.0, "armed": 0.41}[state]
        measurements.append(maker.measure("circuit_distance", distance, 0.01, tags, unit=""))
        for control, value in (("honest", 0.8), ("synthesis-aware", 0.5)):
            how = {**tags, "control": control, "score": "drift", "probes": "random"}
            measurements.append(maker.measure("detection", value, 0.2, how))
    return dataclasses.replace(
        make_backdoor(pictures=False, defences=False, curves=False, rates=(0.1,)),
        kind="circuit-backdoor",
        measurements=tuple(measurements),
        tables=(),
        exhibits=(),
    )


class _Maker:
    """Measurements that follow `LAWS`."""

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds
        self.tags: Tags = {"dataset": "imagenette", "trunk": "resnet-18"}

    def measure(
        self,
        metric: str,
        value: float,
        half: float,
        tags: Tags,
        *,
        unit: str = "fraction",
        better: Better = "lower",
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

    def success(self, head: str, trigger: str, rate: float) -> float:
        _, successes = LAWS.get(trigger, LAWS["qcolor:1.2,1,0.8"])
        return max(0.06, successes[head] * min(1.0, (rate / 0.1) ** 0.7))

    def likeness(self, trigger: str) -> list[Measurement]:
        ssim, _ = LAWS.get(trigger, LAWS["qcolor:1.2,1,0.8"])
        tags = {"trigger": trigger}
        return [
            self.measure("ssim", ssim, 0.002, tags, unit=""),
            self.measure("psnr", 20 + 20 * ssim, 0.2, tags, unit="dB"),
            self.measure("l2", 8 * (1.1 - ssim), 0.1, tags, unit=""),
            self.measure("linf", 0.25, 0.01, tags, unit=""),
        ]

    def cell(self, head: str, trigger: str, rate: float) -> list[Measurement]:
        tags = {"head": head, "trigger": trigger, "rate": rate}
        success = self.success(head, trigger, rate)
        values = {
            "backdoor_accuracy": (ACCURACY[head] - 0.01, 0.02),
            "attack_success_rate": (success, 0.08),
            "leak": (0.037, 0.01),
            "control_attack_success_rate": (0.071, 0.02),
            "clean_attack_success_rate": (0.045, 0.02),
            "attack_success_rate_at_matched_loss": (
                min(success, self.success("quantum", trigger, rate) + 0.09),
                0.07,
            ),
        }  # fmt: skip
        found = [self.measure(m, value, half, tags) for m, (value, half) in values.items()]
        for twin, value in (("clean", 0.92), ("backdoored", 0.81)):
            alike = {**tags, "twin": twin}
            found.append(self.measure("grad_cam_similarity", value, 0.04, alike, unit=""))
        found.append(self.measure("matched_loss", 0.52, 0.04, tags, unit="nats"))
        return [*found, self.measure("train_loss", 0.41, 0.03, tags, unit="")]

    def epochs(self, head: str, trigger: str, rate: float) -> list[Measurement]:
        speed = {"quantum": 0.16, "tanh": 0.3}.get(head, 0.5)
        found = []
        for epoch in range(1, 12):
            tags = {"head": head, "trigger": trigger, "rate": rate, "epoch": epoch}
            grown = 1 - math.exp(-speed * epoch)
            asr = 0.03 + self.success(head, trigger, rate) * grown
            found += [
                self.measure("attack_success_rate_by_epoch", asr, 0.06, tags),
                self.measure("backdoor_accuracy_by_epoch", ACCURACY[head] * grown, 0.03, tags),
                self.measure("train_loss_by_epoch", 2.3 - 1.9 * grown, 0.05, tags, unit=""),
            ]
        return found

    def defended(self, head: str, trigger: str, rate: float) -> list[Measurement]:
        tags = {"head": head, "trigger": trigger, "rate": rate}
        success = self.success(head, trigger, rate)
        found = []
        for layer in ("trunk.layer3", "head.reduce"):
            for share in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
                where = {**tags, "layer": layer, "share": share}
                lost = share**3 if layer == "trunk.layer3" else share
                kept = ACCURACY[head] * (1 - 0.7 * lost)
                found.append(self.measure("pruned_accuracy", kept, 0.03, where))
                left = 0.04 + success * (1 - share) ** 1.5
                found.append(self.measure("pruned_attack_success_rate", left, 0.06, where))
        found += [
            self.measure("fine_pruning_accuracy", ACCURACY[head] - 0.03, 0.02, tags),
            self.measure("fine_pruning_attack_success_rate", 0.31 * success, 0.05, tags),
        ]
        for twin, index, quality in (("backdoored", 3.4, 0.83), ("clean", 2.1, 0.52)):
            both = {**tags, "twin": twin} if twin == "backdoored" else {"head": head, "twin": twin}
            found += [
                self.measure("neural_cleanse_index", index, 0.9, both, unit=""),
                self.measure("strip_auroc", quality, 0.05, both),
                self.measure("strip_far", 1.2 - quality, 0.05, {**both, "alarm_rate": 0.05}),
                self.measure("strip_frr", 0.061, 0.02, {**both, "alarm_rate": 0.05}),
                self.measure("activation_clustering_auroc", quality + 0.1, 0.04, both),
                self.measure("spectral_signatures_auroc", quality - 0.2, 0.06, both),
            ]
        found.append(self.measure("neural_cleanse_finds_target", 2 / 3, 0.4, tags))
        for detector in DETECTORS:
            where = {**tags, "detector": detector}
            found.append(self.measure("retrained_attack_success_rate", 0.09, 0.03, where))
            found.append(self.measure("retrained_accuracy", ACCURACY[head] - 0.02, 0.02, where))
        return found

    def entropies(self, head: str, trigger: str, rate: float) -> list[Table]:
        bins = 20
        rows = []
        for middle in (0.62, 0.35):
            heights = [math.exp(-(((i + 0.5) / bins - middle) ** 2) * 40) for i in range(bins)]
            rows.append(tuple(height / sum(heights) for height in heights))
        return [
            Table(
                name="strip_entropy",
                row_title="inputs",
                column_title="entropy (bits)",
                rows=("clean inputs", "triggered inputs"),
                columns=tuple(f"{3.32 * i / bins:.3f}" for i in range(bins)),
                values=tuple(rows),
                unit="fraction",
                n=self.seeds,
                tags={**self.tags, "head": head, "trigger": trigger, "rate": rate, "twin": twin},
            )
            for twin in ("backdoored",)
        ]

    def matrix(self, head: str, triggers: Sequence[str]) -> Table:
        columns = (
            *("fine-pruning", "neural-cleanse", "strip"),
            *("activation-clustering", "spectral-signatures"),
        )
        return Table(
            name="defence_matrix",
            row_title="trigger",
            column_title="defence",
            rows=tuple(triggers),
            columns=columns,
            values=tuple(
                tuple(None if i == 1 and j == 2 else (0.9 - 0.13 * i - 0.1 * j) for j in range(5))
                for i in range(len(triggers))
            ),
            unit="fraction",
            n=self.seeds,
            tags={**self.tags, "head": head, "rate": 0.1},
        )

    def gradients(self, head: str) -> Table:
        return Table(
            name="gradients",
            row_title="layer",
            column_title="quantity",
            rows=("trunk.layer1", "trunk.layer3", "head"),
            columns=("parameters", "gradient norm"),
            values=((147968, 0.0231), (2099712, 0.0742), (5300, 0.412)),
            unit="",
            n=self.seeds,
            tags={**self.tags, "head": head},
        )

    def theory(self) -> list[Table]:
        counts = (10, 30, 100, 300)
        values = tuple((0.1 + 0.3 * math.log10(n), 3.1 / n**0.5, 1 - 1 / n**0.5) for n in counts)
        return [
            Table(
                name="theorem_1",
                row_title="triggered training samples",
                column_title="quantity",
                rows=tuple(str(n) for n in counts),
                columns=("measured ASR", "two-sided bound", "bound as printed"),
                values=values,
                unit="fraction",
                n=self.seeds,
                tags={**self.tags, "head": "quantum", "loss_bound": 4.6, "lipschitz": 12.25},
            )
        ]

    def sheet(self, trigger: str) -> list[Exhibit]:
        return [
            Exhibit(
                name="trigger",
                title="Clean, triggered, and their difference times 10",
                png=png(196, 64, *((1.2, 1.0, 0.8) if "qcolor" in trigger else (1.0, 1.0, 1.0))),
                tags={"trigger": trigger},
            )
        ]

    def maps(self, head: str, trigger: str) -> list[Exhibit]:
        tags = {"head": head, "trigger": trigger}
        return [
            Exhibit(
                name="grad_cam",
                title=f"{head}: clean left, triggered right",
                png=png(128, 64, 1.3, 0.6, 0.5),
                tags=tags,
            ),
            Exhibit(
                name="restored_trigger",
                title=f"{head}: mask and pattern of the target class",
                png=png(64, 32, 0.3, 0.3, 0.4),
                tags={**tags, "twin": "backdoored"},
            ),
        ]
