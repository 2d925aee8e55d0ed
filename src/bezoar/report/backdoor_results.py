"""The measurements of a backdoor run arranged as heads, triggers and poisoning rates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bezoar.contracts.records import Measurement, RunRecord, Tags
from bezoar.report.backdoor_wording import trigger_labels
from bezoar.report.wording import number

#: Where the plan names no tolerance.
DEFAULT_TOLERANCE = 0.1

#: The order in which heads are told; others follow as they come.
_HEADS = ("quantum", "linear", "tanh")
_OF_A_CELL = ("attack_success_rate", "backdoor_accuracy")
_PLACE = ("dataset", "trunk", "head", "trigger", "rate")

Twin = Literal["backdoored", "clean"]
TWINS: tuple[Twin, Twin] = ("backdoored", "clean")
Reading = Literal["works", "unsure", "not above", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was measured of one head, trigger and rate; None where it was not.

    Attributes:
        dataset, trunk: the tags, "" where a record has none.
        head, trigger, rate: where this is.
        label: data set and trunk, where the record has several; else "".
        clean_accuracy: of the clean twin, on clean images (CA).
        accuracy: of the backdoored model, on clean images (BA).
        success: attack success rate (ASR).
        leak: clean images of other classes that the same model sends to the target.
        control: success of a model trained on the same relabelled samples without a trigger.
        clean_success: success of the triggered images on the clean twin.
        reason: why there is no success rate, in the record's words.
    """

    dataset: str
    trunk: str
    head: str
    trigger: str
    rate: float
    label: str
    clean_accuracy: Measurement | None
    accuracy: Measurement | None
    success: Measurement | None
    leak: Measurement | None
    control: Measurement | None
    clean_success: Measurement | None
    reason: str

    @property
    def floors(self) -> tuple[Measurement, ...]:
        """What sends images to the target without the backdoor."""
        found = (self.leak, self.control, self.clean_success)
        return tuple(m for m in found if m is not None)

    @property
    def floor(self) -> float | None:
        """The largest of `floors`; None where none was measured."""
        return max((m.value or 0.0 for m in self.floors), default=None)

    def covers(self, tags: Tags, *, ignoring: Sequence[str] = ()) -> bool:
        """Whether something with these tags belongs here; a tag that is absent fits all."""
        return all(
            key in ignoring or key not in tags or getattr(self, key) in ("", tags[key])
            for key in _PLACE
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdoorResults:
    """A record by head, trigger and rate.

    Attributes:
        record: what is arranged.
        cells: by head, then trigger, then rate.
        heads, triggers, rates: each once, in the order to tell them.
        trigger_label: what each trigger is called.
        tolerance: an attack success this little above `Cell.floor` counts as nothing.
        by_metric: the measurements that have a value, by metric.
    """

    record: RunRecord
    cells: tuple[Cell, ...]
    heads: tuple[str, ...]
    triggers: tuple[str, ...]
    rates: tuple[float, ...]
    trigger_label: Mapping[str, str]
    tolerance: float
    by_metric: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict)

    def of(self, metric: str, tags: Tags | None = None) -> list[Measurement]:
        """The measurements of `metric` that have a value and whose tags hold all of `tags`."""
        wanted = tags or {}
        return [
            m
            for m in self.by_metric.get(metric, ())
            if all(key in m.tags and m.tags[key] == value for key, value in wanted.items())
        ]

    def at(
        self, metric: str, cell: Cell, *, ignoring: Sequence[str] = (), tags: Tags | None = None
    ) -> Measurement | None:
        """The measurement of `metric` at `cell`: of those that fit, the one with the most tags.

        Args:
            metric: its name.
            cell: where.
            ignoring: tags of the cell that need not agree.
            tags: further tags that it must hold.
        """
        return _closest(m for m in self.of(metric, tags) if cell.covers(m.tags, ignoring=ignoring))

    def twin(
        self, metric: str, cell: Cell, twin: Twin, tags: Tags | None = None
    ) -> Measurement | None:
        """A measurement of the backdoored model or of its clean twin.

        A record that speaks of one model only need not tag it; then it is the backdoored one. The
        clean twin may be the same for all triggers and rates.
        """
        wanted = {**(tags or {}), "twin": "clean"}
        if twin == "clean":
            found = self.at(metric, cell, tags=wanted)
            return found or self.at(metric, cell, ignoring=("trigger", "rate"), tags=wanted)
        return _closest(
            m for m in self.of(metric, tags) if is_backdoored(m.tags) and cell.covers(m.tags)
        )

    def reading(self, cell: Cell) -> Reading:
        """Whether the backdoor does more than leak, control and a clean model do.

        ``works``: the low end of the interval of ASR (its value, with one seed) lies more than
        the tolerance above the floor. ``not above``: even the mean does not. ``unsure``: between.
        """
        success = None if cell.success is None else cell.success.value
        if cell.success is None or success is None or cell.floor is None:
            return "unknown"
        low = number(cell.success.low)
        if (success if low is None else low) - cell.floor > self.tolerance:
            return "works"
        return "unsure" if success - cell.floor > self.tolerance else "not above"


def arrange_backdoors(record: RunRecord) -> BackdoorResults:
    """Arranges a record; measurements whose tags name no head and trigger stay in the list."""
    by_metric: dict[str, list[Measurement]] = defaultdict(list)
    for m in record.measurements:
        if number(m.value) is not None:
            by_metric[m.metric].append(m)
    places = _places(record)
    triggers = tuple(dict.fromkeys(place[3] for place in places))
    heads = tuple(_in_order(place[2] for place in places))
    places.sort(key=lambda p: (p[0], p[1], triggers.index(p[3]), p[4], heads.index(p[2])))
    tolerance = number(record.plan.get("tolerance"))
    bare = BackdoorResults(
        record=record,
        cells=(),
        heads=heads,
        triggers=triggers,
        rates=tuple(sorted({place[4] for place in places})),
        trigger_label=trigger_labels(triggers),
        tolerance=DEFAULT_TOLERANCE if tolerance is None else tolerance,
        by_metric={metric: tuple(found) for metric, found in by_metric.items()},
    )
    several = len({place[:2] for place in places}) > 1
    return replace(bare, cells=tuple(_cell(bare, place, several) for place in places))


def _places(record: RunRecord) -> list[tuple[str, str, str, str, float]]:
    found = {}
    for m in record.measurements:
        rate = number(m.tags.get("rate"))
        trigger = str(m.tags.get("trigger", "none"))
        if m.metric in _OF_A_CELL and "head" in m.tags and trigger != "none" and rate is not None:
            names = (str(m.tags.get(key, "")) for key in ("dataset", "trunk", "head"))
            found[(*names, trigger, rate)] = None
    return list(found)


def _cell(results: BackdoorResults, place: tuple[str, str, str, str, float], several: bool) -> Cell:
    dataset, trunk, head, trigger, rate = place
    bare = Cell(
        dataset=dataset,
        trunk=trunk,
        head=head,
        trigger=trigger,
        rate=rate,
        label=", ".join(part for part in (dataset, trunk) if part) if several else "",
        clean_accuracy=None,
        accuracy=None,
        success=None,
        leak=None,
        control=None,
        clean_success=None,
        reason="",
    )
    missing = (
        str(m.tags.get("reason", ""))
        for m in results.record.select("attack_success_rate")
        if number(m.value) is None and bare.covers(m.tags)
    )
    # The clean twin has seen no trigger, and what it does is the same at every rate.
    return replace(
        bare,
        clean_accuracy=results.at("clean_accuracy", bare, ignoring=("trigger", "rate")),
        accuracy=results.at("backdoor_accuracy", bare),
        success=results.at("attack_success_rate", bare),
        leak=results.at("leak", bare),
        control=results.at("control_attack_success_rate", bare),
        clean_success=results.at("clean_attack_success_rate", bare, ignoring=("rate",)),
        reason=next((text for text in missing if text), ""),
    )


def _in_order(heads: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(heads))
    return sorted(found, key=lambda head: _HEADS.index(head) if head in _HEADS else len(_HEADS))


def is_backdoored(tags: Tags) -> bool:
    """Whether something is about the backdoored model: it is, where no clean twin is named."""
    return tags.get("twin", "backdoored") == "backdoored"


def _closest(measurements: Iterable[Measurement]) -> Measurement | None:
    """The one whose tags name the most of its place."""
    return max(measurements, key=lambda m: sum(key in m.tags for key in _PLACE), default=None)
