"""The measurements of a record arranged as conditions, attacks and ratios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bezoar.contracts.records import Measurement, RunRecord, Table, Tags
from bezoar.report.wording import noise_label, noise_phrase, number

#: Attacks that use no knowledge: what the others are compared with.
CONTROLS = ("random", "random-uniform")

_CELL_METRICS = ("accuracy", "relabel_invariant_accuracy", "accuracy_drop", "detection_auroc")


#: Where the plan names no tolerance.
DEFAULT_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What was attacked: a data set, a model and a noise setting.

    Attributes:
        dataset, model, noise: the tags, "" where a record has none.
        label: what tells this condition from the others, for a heading.
        phrase: the same for a sentence.
    """

    dataset: str
    model: str
    noise: str
    label: str
    phrase: str

    def covers(self, tags: Tags) -> bool:
        """Whether something with these tags belongs here; a tag that is absent fits all."""
        return all(
            str(tags.get(key, mine)) == mine
            for key, mine in (
                ("dataset", self.dataset),
                ("model", self.model),
                ("noise", self.noise),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was measured at one condition, attack and ratio; None where it was not.

    Attributes:
        condition, attack, ratio: where this is; attack "none" and ratio 0 are the baseline.
        accuracy, relabelled, drop: the metrics ``accuracy``, ``relabel_invariant_accuracy`` and
            ``accuracy_drop``, each with a finite value.
        detection: ``detection_auroc`` of each detector.
        reason: why there is no accuracy, in the record's words.
    """

    condition: Condition
    attack: str
    ratio: float
    accuracy: Measurement | None
    relabelled: Measurement | None
    drop: Measurement | None
    detection: tuple[Measurement, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A record by condition, attack and ratio.

    Attributes:
        conditions: in the order of the record.
        attacks: in the order of the record, without "none".
        cells: every cell that the record speaks of.
        n_classes: how many classes there are, None when the record does not say.
        tolerance: the drop of accuracy that the plan tolerates.
        undrawn: how many measurements share their place with another and appear only in the list
            of all measurements.
    """

    conditions: tuple[Condition, ...]
    attacks: tuple[str, ...]
    cells: Mapping[tuple[Condition, str, float], Cell] = field(default_factory=dict)
    n_classes: int | None = None
    tolerance: float = DEFAULT_TOLERANCE
    undrawn: int = 0

    def label_of(self, tags: Tags) -> str:
        """What tells something with these tags from the same under other conditions."""
        several = len({condition.dataset for condition in self.conditions}) > 1
        dataset = [str(tags["dataset"])] if several and "dataset" in tags else []
        noise = [noise_label(str(tags["noise"]))] if "noise" in tags else []
        return ", ".join([*dataset, *noise])

    def baseline(self, condition: Condition) -> Cell | None:
        """The unpoisoned cell."""
        return self.cells.get((condition, "none", 0.0))

    def curve(self, condition: Condition, attack: str) -> tuple[Cell, ...]:
        """The cells of an attack by rising ratio, without the baseline."""
        found = [c for c in self.cells.values() if (c.condition, c.attack) == (condition, attack)]
        return tuple(sorted(found, key=lambda cell: cell.ratio))

    def attacked(self, condition: Condition) -> tuple[Cell, ...]:
        """Every poisoned cell of the condition whose accuracy is known."""
        return tuple(
            cell
            for cell in self.cells.values()
            if cell.condition == condition and cell.attack != "none" and cell.accuracy is not None
        )

    def loss(self, cell: Cell) -> float | None:
        """What the attack costs in accuracy: the paired drop, or else the means' difference."""
        if cell.drop is not None:
            return cell.drop.value
        baseline = self.baseline(cell.condition)
        if baseline is None or baseline.accuracy is None or cell.accuracy is None:
            return None
        return _value(baseline.accuracy) - _value(cell.accuracy)

    def certain_loss(self, cell: Cell) -> float | None:
        """The low end of the loss: of the paired drop, or else of the two accuracies' intervals.

        With one seed there is no interval, and it is the loss itself.
        """
        if cell.drop is not None:
            return cell.drop.value if cell.drop.low is None else cell.drop.low
        baseline = self.baseline(cell.condition)
        ends = (
            None if baseline is None or baseline.accuracy is None else baseline.accuracy.low,
            None if cell.accuracy is None else cell.accuracy.high,
        )
        return self.loss(cell) if None in ends else ends[0] - ends[1]  # type: ignore[operator]

    def real_loss(self, cell: Cell) -> float | None:
        """What is still lost after the best one-to-one renaming of the outputs."""
        baseline = self.baseline(cell.condition)
        if baseline is None or baseline.relabelled is None or cell.relabelled is None:
            return None
        return _value(baseline.relabelled) - _value(cell.relabelled)


def arrange(record: RunRecord) -> Results:
    """Arranges the measurements of `record`; of two at the same place the first is drawn."""
    conditions = _conditions(record)
    places: dict[tuple[Condition, str, float], dict[str, list[Measurement]]] = {}
    for measurement in record.measurements:
        place = _place(measurement, conditions)
        if place is not None:
            metrics = places.setdefault(place, {})
            metrics.setdefault(measurement.metric, []).append(measurement)
    cells = {place: _cell(*place, metrics) for place, metrics in places.items()}
    return Results(
        conditions=tuple(conditions.values()),
        attacks=tuple(dict.fromkeys(attack for _, attack, _ in places if attack != "none")),
        cells=cells,
        n_classes=_n_classes(record),
        tolerance=_tolerance(record),
        undrawn=sum(
            len(found) - 1
            for metrics in places.values()
            for metric, found in metrics.items()
            if metric != "detection_auroc"
        ),
    )


def ratio_of(tags: Tags) -> float | None:
    """The tag ``ratio`` as a number; the baseline may leave it out."""
    return number(tags.get("ratio", 0.0 if tags.get("attack") == "none" else None))


def tables_of(record: RunRecord, name: str, condition: Condition) -> tuple[Table, ...]:
    """The tables called `name` that belong to `condition` and have rows and columns."""
    return tuple(
        t for t in record.tables_named(name) if condition.covers(t.tags) and t.rows and t.columns
    )


def _conditions(record: RunRecord) -> dict[tuple[str, str, str], Condition]:
    keys = list(
        dict.fromkeys(_key(m.tags) for m in record.measurements if m.metric in _CELL_METRICS)
    ) or list(dict.fromkeys(_key(t.tags) for t in record.tables))
    varies = [len({key[i] for key in keys}) > 1 for i in range(3)]
    return {key: _condition(key, varies) for key in keys}


def _condition(key: tuple[str, str, str], varies: Iterable[bool]) -> Condition:
    dataset, model, noise = key
    by_dataset, by_model, _ = varies
    others = [name for name, shown in ((dataset, by_dataset), (model, by_model)) if shown and name]
    label = ", ".join([*others, *([noise_label(noise)] if noise else [])])
    phrase = " ".join(
        [*(f"on {name}" for name in others), *([noise_phrase(noise)] if noise else [])]
    )
    return Condition(dataset=dataset, model=model, noise=noise, label=label, phrase=phrase)


def _key(tags: Tags) -> tuple[str, str, str]:
    return str(tags.get("dataset", "")), str(tags.get("model", "")), str(tags.get("noise", ""))


def _place(
    measurement: Measurement, conditions: Mapping[tuple[str, str, str], Condition]
) -> tuple[Condition, str, float] | None:
    tags = measurement.tags
    ratio = ratio_of(tags)
    if measurement.metric not in _CELL_METRICS or "attack" not in tags or ratio is None:
        return None
    attack = str(tags["attack"])
    return conditions[_key(tags)], attack, 0.0 if attack == "none" else ratio


def _cell(
    condition: Condition, attack: str, ratio: float, metrics: Mapping[str, list[Measurement]]
) -> Cell:
    def first(metric: str) -> Measurement | None:
        return next((m for m in metrics.get(metric, ()) if number(m.value) is not None), None)

    reasons = (m.tags.get("reason", "") for found in metrics.values() for m in found)
    return Cell(
        condition=condition,
        attack=attack,
        ratio=ratio,
        accuracy=first("accuracy"),
        relabelled=first("relabel_invariant_accuracy"),
        drop=first("accuracy_drop"),
        detection=tuple(
            m for m in metrics.get("detection_auroc", ()) if number(m.value) is not None
        ),
        reason=next((str(reason) for reason in reasons if reason), ""),
    )


def _tolerance(record: RunRecord) -> float:
    value = record.plan.get("tolerance")
    return float(value) if isinstance(value, int | float) else DEFAULT_TOLERANCE


def _n_classes(record: RunRecord) -> int | None:
    sizes = [len(t.rows) for t in record.tables if t.name in ("confusion", "class_distance")]
    classes = record.plan.get("classes")
    if isinstance(classes, list | tuple):
        sizes.append(len(classes))
    return next((size for size in sizes if size > 1), None)


def _value(measurement: Measurement) -> float:
    return number(measurement.value) or 0.0
