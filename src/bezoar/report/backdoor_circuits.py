"""What a run of circuit-level backdoors says: the model at rest, and with the trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report.backdoor_wording import circuit_attack_label, metric_label
from bezoar.report.story import Account, Statement, warning_of, worst_first
from bezoar.report.wording import (
    in_table,
    listed,
    number,
    percent,
    plan_value,
    points,
    printable,
    seeds,
    tags_text,
    trusted,
    value_of,
    with_interval,
)

RULES = (
    (
        "These backdoors are put into the circuit, not into the training data. Dormant is the "
        "circuit as its owner tests it, armed is the circuit with the backdoor at work."
    ),
    (
        "Attack success rate (ASR) is the share of samples of other classes that the model sends "
        "to the attacker's class when it is attacked; leak is the share that goes there when it "
        "is not."
    ),
    (
        "The circuit distance says how far the delivered circuit is from the one that was ordered. "
        "Detection is the share of seeds in which a comparison of the two gives the backdoor away; "
        "where it ranks the backdoored network against an honest one, 50 % is guessing."
    ),
    "Intervals are 95 % intervals of the mean over seeds (Student).",
)
#: The columns of the table; everything else is listed below it.
_COLUMNS = (
    *("accuracy", "triggered_accuracy", "attack_success_rate"),
    *("leak", "circuit_distance"),
)
#: Tags that say which network it is, and not how it was looked at.
_OF_THE_NETWORK = (
    *("dataset", "model", "trunk", "noise", "attack"),
    *("state", "network", "version", "armed"),
)

Places = Mapping[tuple[str, str, str], Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitStory(Account):
    """The account of circuit-level backdoors.

    Attributes:
        metrics: the columns of the table.
        rows: attack and state of each row.
        places: the measurements of the table by attack, state and metric.
        details: what else was measured of an attack.
    """

    metrics: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    places: Places
    details: tuple[Measurement, ...]

    def at(self, attack: str, state: str, metric: str) -> Measurement | None:
        """What was measured there."""
        return self.places.get((attack, state, metric))


def tell_circuits(record: RunRecord) -> CircuitStory:
    """Reads the record of circuit-level backdoors and says what it means."""
    clean = printable(record)
    places: dict[tuple[str, str, str], Measurement] = {}
    details = []
    for m in clean.measurements:
        if "attack" not in m.tags or number(m.value) is None or m.metric == "wall_seconds":
            continue
        place = (str(m.tags["attack"]), str(m.tags.get("state", "")), m.metric)
        if m.metric in _COLUMNS and place not in places:
            places[place] = m
        else:
            details.append(m)
    attacks = list(dict.fromkeys(place[0] for place in places))
    said = [_told(places, details, attack) for attack in attacks]
    counts = {m.n for m in places.values()}
    if counts:
        said.append(_trust(counts))
    return CircuitStory(
        record=clean,
        title="Bezoar circuit backdoor",
        subject=_subject(clean),
        warning=warning_of(clean),
        headline=_headline(clean, places, attacks),
        statements=tuple(s for s in said if s is not None),
        findings=worst_first(clean.findings),
        metrics=tuple(m for m in _COLUMNS if any(place[2] == m for place in places)),
        rows=tuple(dict.fromkeys((attack, state) for attack, state, _ in places)),
        places=places,
        details=tuple(details),
    )


def circuit_row(story: CircuitStory, attack: str, state: str) -> list[str]:
    """A row of the table: attack, state, each metric of the story, and the seeds."""
    values = [story.at(attack, state, metric) for metric in story.metrics]
    counts = sorted({m.n for m in values if m is not None})
    return [
        circuit_attack_label(attack),
        state,
        *("" if m is None else in_table(m) for m in values),
        " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))) if counts else "",
    ]


#: The columns of `detail_row`.
DETAIL_HEADS = ("attack", "state", "measure", "how", "value")


def detail_row(measurement: Measurement) -> list[str]:
    """Something else that was measured; see `DETAIL_HEADS`."""
    tags = measurement.tags
    return [
        circuit_attack_label(str(tags["attack"])),
        str(tags.get("state", "")),
        metric_label(measurement.metric),
        tags_text({key: value for key, value in tags.items() if key not in _OF_THE_NETWORK}),
        with_interval(measurement),
    ]


def _leak(places: Places, attack: str) -> Measurement | None:
    """What goes to the target without the attack: of the armed circuit, else of the dormant."""
    return places.get((attack, "armed", "leak")) or places.get((attack, "dormant", "leak"))


def _headline(record: RunRecord, places: Places, attacks: list[str]) -> str:
    if not attacks:
        if record.outcome == "failed":
            return "The run failed before it could measure a circuit."
        return "No circuit backdoor was measured, so there is no verdict."

    def harm(attack: str) -> float:
        success = _value(places.get((attack, "armed", "attack_success_rate")))
        return max(_lost(places, attack) or 0.0, success - _value(_leak(places, attack)))

    return _verdict(places, max(attacks, key=harm))


def _verdict(places: Places, attack: str) -> str:
    name = circuit_attack_label(attack)
    armed = places.get((attack, "armed", "accuracy"))
    dormant = places.get((attack, "dormant", "accuracy"))
    success = places.get((attack, "armed", "attack_success_rate"))
    leak = _leak(places, attack)
    if success is not None:
        rest = f"; without it {value_of(leak, 0)} go there" if leak is not None else ""
        return (
            f"Armed, {name} sends {value_of(success, 0)} of the samples where the attacker wants "
            f"({trusted(success)}){rest}."
        )
    if armed is not None and dormant is not None:
        return (
            f"Armed, {name} takes the accuracy from {value_of(dormant, 0)} to "
            f"{value_of(armed, 0)} ({trusted(armed)})."
        )
    return f"{name} was measured in one state only, so there is nothing to compare."


def _lost(places: Places, attack: str) -> float | None:
    dormant = places.get((attack, "dormant", "accuracy"))
    armed = places.get((attack, "armed", "accuracy"))
    return None if dormant is None or armed is None else _value(dormant) - _value(armed)


def _told(places: Places, details: list[Measurement], attack: str) -> Statement | None:
    said = []
    lost = _lost(places, attack)
    if lost is not None:
        dormant, armed = (places[(attack, s, "accuracy")] for s in ("dormant", "armed"))
        untouched = places.get((attack, "untouched", "accuracy"))
        before = f"Untouched, the accuracy is {value_of(untouched, 0)}; " if untouched else ""
        text = f"at rest {value_of(dormant, 0)} ({trusted(dormant)})"
        start = f"{before}{text}" if before else f"The accuracy is {text}"
        shown = f"{points(abs(lost))} {'less' if lost >= 0 else 'more'}"
        said.append(f"{start}, armed {value_of(armed, 0)}: {shown}.")
    success = places.get((attack, "armed", "attack_success_rate"))
    if success is not None:
        beside = [
            f"{words} {value_of(m, 0)}"
            for m, words in (
                (places.get((attack, "dormant", "attack_success_rate")), "at rest"),
                (_leak(places, attack), "leak"),
            )
            if m is not None
        ]
        text = f"Armed, it sends {value_of(success, 0)} to the target"
        said.append(f"{text} ({listed(beside)})." if beside else f"{text}.")
    seen = _seen([m for m in details if m.metric == "detection" and m.tags["attack"] == attack])
    said += [seen] if seen else []
    return Statement(topic=circuit_attack_label(attack), text=" ".join(said)) if said else None


def _seen(detections: list[Measurement]) -> str:
    """How surely comparisons give the circuit away: at rest where that was tried, else armed."""
    states = [m.tags.get("state") for m in detections]
    state = next((s for s in ("dormant", "armed") if s in states), None)
    groups: dict[str, list[float]] = {}
    for m in detections:
        if m.tags.get("state") == state:
            against = f" against the {m.tags['control']} control" if "control" in m.tags else ""
            groups.setdefault(against, []).append(_value(m))
    said = [f"{_range(values)} of the seeds{against}" for against, values in groups.items()]
    return f"Comparing the {state} circuit gives it away in {listed(said)}." if said else ""


def _range(values: list[float]) -> str:
    least, greatest = min(values), max(values)
    if least == greatest:
        return percent(least)
    return f"{percent(least)} to {percent(greatest)}"


def _trust(counts: set[int]) -> Statement:
    if counts == {1}:
        text = "Everything here is from one seed; repeat with more."
    elif len(counts) == 1:
        text = f"Each number is the mean of {seeds(min(counts))}; intervals are 95 %."
    else:
        text = f"The numbers are means of {min(counts)} to {seeds(max(counts))}."
    return Statement(topic="How sure is this?", text=text)


def _subject(record: RunRecord) -> str:
    for m in record.measurements:
        parts = [str(m.tags[key]) for key in ("dataset", "model", "trunk") if key in m.tags]
        if parts:
            return ", ".join(parts)
    return plan_value(record.plan["data"]) if record.plan.get("data") else ""


def _value(measurement: Measurement | None) -> float:
    return 0.0 if measurement is None else number(measurement.value) or 0.0
