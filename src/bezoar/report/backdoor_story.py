"""What a backdoor run says, in plain words: can it be done, would you see it, what removes it."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report.backdoor_removal import removal
from bezoar.report.backdoor_results import BackdoorResults, Cell, arrange_backdoors
from bezoar.report.backdoor_rows import rate_text
from bezoar.report.backdoor_sight import sight
from bezoar.report.backdoor_wording import head_label, head_name
from bezoar.report.story import Account, Statement, warning_of, worst_first
from bezoar.report.wording import (
    interval,
    listed,
    number,
    percent,
    plan_value,
    points,
    printable,
    seeds,
    sentence,
    trusted,
    value_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdoorStory(Account):
    """The account of a backdoor run.

    Attributes:
        results: its measurements by head, trigger and rate.
        headline_cell: the cell that the verdict is about, None when no backdoor was measured.
        things: what is classified: "images" or "samples".
    """

    results: BackdoorResults
    headline_cell: Cell | None
    things: str


def tell_backdoors(record: RunRecord) -> BackdoorStory:
    """Reads the record of a backdoor run and says what it means."""
    clean = printable(record)
    results = arrange_backdoors(clean)
    cell = _headline_cell(results)
    things = "samples" if clean.plan.get("trunk") == "none" else "images"
    said = (
        _harm(results, cell, things),
        _heads(results, cell),
        _training(results, cell),
        sight(results, cell),
        removal(results, cell),
        _trust(clean, results),
    )
    return BackdoorStory(
        record=clean,
        results=results,
        title="Bezoar backdoor",
        subject=_subject(clean, results),
        warning=warning_of(clean),
        headline=_headline(clean, results, cell, things),
        statements=tuple(statement for statement in said if statement is not None),
        headline_cell=cell,
        things=things,
        findings=worst_first(clean.findings),
    )


def at(results: BackdoorResults, cell: Cell) -> str:
    """Where a cell is, for a heading: head, trigger and rate."""
    parts = [head_label(cell.head), results.trigger_label[cell.trigger], rate_text(cell.rate)]
    return ", ".join([*parts, cell.label] if cell.label else parts)


def beside(cell: Cell, results: BackdoorResults) -> list[Cell]:
    """The cells of the same trigger, rate and data: one for each head."""
    place = (cell.dataset, cell.trunk, cell.trigger, cell.rate)
    return [c for c in results.cells if (c.dataset, c.trunk, c.trigger, c.rate) == place]


def _headline_cell(results: BackdoorResults) -> Cell | None:
    measured = [c for c in results.cells if c.success is not None]
    if not measured:
        return None
    # The user has a quantum head: where it was measured, the verdict is about it.
    first = next((c.head for c in measured if c.head == "quantum"), measured[0].head)
    mine = [c for c in measured if c.head == first]
    working = [c for c in mine if results.reading(c) == "works"]
    if working:
        return max(working, key=lambda c: (_certain(c.success), -c.rate))
    return max(mine, key=lambda c: _value(c.success) - (c.floor or 0.0))


def _headline(record: RunRecord, results: BackdoorResults, cell: Cell | None, things: str) -> str:
    if cell is None or cell.success is None:
        if record.outcome == "failed":
            return "The run failed before it could measure a backdoor."
        return "No backdoor was measured, so there is no verdict."
    trigger = results.trigger_label[cell.trigger]
    rate = f"{value_of(cell.success, 0)} of triggered {things}"
    if results.reading(cell) == "works":
        return (
            f"{sentence(trigger)} on {rate_text(cell.rate)} of the training {things} makes the "
            f"{_short_head(cell.head)} send {rate} where the attacker wants "
            f"({trusted(cell.success)})."
        )
    if cell.floor is None:
        return (
            f"The {_short_head(cell.head)} sends {rate} to the target ({trusted(cell.success)}), "
            "and no leak or control was measured to say what that means."
        )
    return (
        f"No tested backdoor surely works on the {_short_head(cell.head)}: at best, {rate} go "
        f"where the attacker wants ({trigger} on {rate_text(cell.rate)}, "
        f"{trusted(cell.success)}), and {percent(cell.floor)} go there without it."
    )


def _short_head(head: str) -> str:
    return {"quantum": "quantum head", "linear": "linear head", "tanh": "tanh head"}.get(head, head)


def _harm(results: BackdoorResults, cell: Cell | None, things: str) -> Statement | None:
    if cell is None or cell.success is None:
        return None
    text = ""
    if cell.accuracy is not None:
        before = cell.clean_accuracy
        start = "" if before is None else f" (without the backdoor {value_of(before, 0)})"
        text = f"Clean accuracy with the backdoor is {value_of(cell.accuracy, 0)}{start}. "
    text += (
        f"The trigger sends {value_of(cell.success, 0)} of {things} of other classes to the target"
    )
    compared = [
        f"{value_of(m, 0)} {what}"
        for m, what in (
            (cell.leak, "go there without the trigger (leak)"),
            (cell.control, "when only the labels were changed (control)"),
            (cell.clean_success, "when the model has no backdoor (clean model)"),
        )
        if m is not None
    ]
    text += f"; {listed(compared)}." if compared else "."
    text += f"{_others(results, cell)}{_least(results, cell)}"
    return Statement(topic="What can it do?", text=text)


def _least(results: BackdoorResults, cell: Cell) -> str:
    """The smallest rate at which a backdoor works on the same head, where there are several."""
    working = [
        c
        for c in results.cells
        if (c.dataset, c.trunk, c.head) == (cell.dataset, cell.trunk, cell.head)
        and results.reading(c) == "works"
    ]
    if len(results.rates) < 2 or not working:
        return ""
    least = min(working, key=lambda c: (c.rate, -_certain(c.success)))
    return (
        f" The smallest tested rate that works is {rate_text(least.rate)} "
        f"({results.trigger_label[least.trigger]}, {value_of(least.success, 0)})."
    )


def _others(results: BackdoorResults, cell: Cell) -> str:
    """How the other triggers did on the same head at the same rate."""
    others = [
        c
        for c in results.cells
        if (c.dataset, c.trunk, c.head, c.rate) == (cell.dataset, cell.trunk, cell.head, cell.rate)
        and c.trigger != cell.trigger
        and c.success is not None
    ]
    said = []
    for reading, words in (
        ("works", "Also works: {}."),
        ("unsure", "The seeds do not tell for {}."),
        ("not above", "Not above leak and control: {}."),
    ):
        names = [
            f"{results.trigger_label[c.trigger]} ({value_of(c.success, 0)})"
            for c in others
            if results.reading(c) == reading
        ]
        if names:
            said.append(" " + words.format(listed(names)))
    return "".join(said)


def _heads(results: BackdoorResults, cell: Cell | None) -> Statement | None:
    if cell is None:
        return None
    cells = [c for c in beside(cell, results) if c.success is not None]
    if len(cells) < 2:
        return None
    rates = [
        f"{value_of(c.success, 0)} for the {head_name(c.head)}"
        + (f" (interval {span})" if c.success and (span := interval(c.success)) else "")
        for c in cells
    ]
    text = (
        f"With {results.trigger_label[cell.trigger]} at {rate_text(cell.rate)}, ASR is "
        f"{listed(rates)}."
    )
    first, rest = cells[0], cells[1:]
    relations: dict[str, list[str]] = {}
    for other in rest:
        relations.setdefault(_relation(first, other), []).append(_short_head(other.head))
    text += "".join(f" {words.format(listed(names))}" for words, names in relations.items())
    return Statement(topic=f"Is the {_short_head(first.head)} safer?", text=text)


def _relation(one: Cell, other: Cell) -> str:
    """How the success on one head compares with that on others, whose names go into {}."""
    ends = [
        None if m is None else number(end)
        for m in (one.success, other.success)
        for end in (m and m.low, m and m.high)
    ]
    if any(end is None for end in ends):
        return "One seed cannot tell it from that of the {}."
    low, high, other_low, other_high = (end or 0.0 for end in ends)
    if high < other_low:
        return "It is lower than that of the {}: the intervals are apart."
    if low > other_high:
        return "It is higher than that of the {}: the intervals are apart."
    return "Its interval overlaps that of the {}, so these seeds do not tell them apart."


def _training(results: BackdoorResults, cell: Cell | None) -> Statement | None:
    """Whether a difference between heads is robustness or slower training."""
    if cell is None:
        return None
    metric = "attack_success_rate_at_matched_loss"
    found = [
        (c, m)
        for c in beside(cell, results)
        if (m := results.at(metric, c)) is not None and c.success is not None
    ]
    if len(found) < 2:
        return None
    values = [f"{value_of(m, 0)} for the {_short_head(c.head)}" for c, m in found]
    text = f"At the same training loss, ASR is {listed(values)}."
    (first, matched), rest = found[0], found[1:]
    relations: dict[str, list[str]] = {}
    for other, theirs in rest:
        last = _value(other.success) - _value(first.success)
        equal = _value(theirs) - _value(matched)
        relations.setdefault(_slower(last, equal), []).append(_short_head(other.head))
    text += "".join(f" {words.format(listed(names))}" for words, names in relations.items())
    if matched.n == 1:
        text += " One seed: take this as a hint."
    return Statement(topic="Robust, or slower to train?", text=text)


def _slower(last: float, equal: float) -> str:
    """What the gap at the end and the gap at equal loss say; names of heads go into {}."""
    if last < 0.05:
        return "At the end of training it is not safer than the {}, so nothing is to explain."
    gaps = f"The gap to the {{}} is {points(last)} at the end and {points(equal)} at equal loss"
    if equal <= 0.25 * last:
        return f"{gaps}: most of it is slower training, not robustness."
    if equal >= 0.75 * last:
        return f"{gaps}: slower training does not explain it."
    return f"{gaps}: slower training explains a part of it."


def _trust(record: RunRecord, results: BackdoorResults) -> Statement | None:
    counts = sorted({c.success.n for c in results.cells if c.success is not None})
    if not counts:
        return None
    if counts == [1]:
        text = (
            "Everything here is from one seed. ASR differs from seed to seed by tens of points "
            "where a trigger is only just learned, so repeat with more seeds."
        )
    elif len(counts) == 1:
        text = f"Each number is the mean of {seeds(counts[0])}; intervals are 95 %."
    else:
        text = f"The numbers are means of {counts[0]} to {seeds(counts[-1])}; each says its own."
    unjudged = [c for c in results.cells if results.reading(c) == "unknown" and c.success]
    if unjudged:
        text += " Where no leak or control was measured, an ASR says little."
    if record.failures:
        count = len(record.failures)
        failed = "One cell failed and counts" if count == 1 else f"{count} cells failed and count"
        text += f" {failed} as nothing."
    return Statement(topic="How sure is this?", text=text)


def _subject(record: RunRecord, results: BackdoorResults) -> str:
    datasets = dict.fromkeys(c.dataset for c in results.cells if c.dataset)
    trunks = dict.fromkeys(c.trunk for c in results.cells if c.trunk and c.trunk != "none")
    heads = [head_label(head) for head in results.heads]
    parts = [listed(list(datasets)) or _planned(record, "data")]
    if trunks:
        parts.append(f"trunk {listed(list(trunks))}")
    if heads:
        parts.append(f"{'heads' if len(heads) > 1 else 'head'} {listed(heads)}")
    return "; ".join(part for part in parts if part)


def _planned(record: RunRecord, key: str) -> str:
    return plan_value(record.plan[key]) if record.plan.get(key) else ""


def gaps(results: BackdoorResults) -> tuple[str, ...]:
    """A sentence for each cell without a success rate."""
    missing = [
        f"{at(results, cell)} was not measured{f': {cell.reason}' if cell.reason else ''}"
        for cell in results.cells
        if cell.success is None
    ]
    return tuple(f"{sentence(text).rstrip('.')}." for text in missing)


def _certain(measurement: Measurement | None) -> float:
    low = None if measurement is None else number(measurement.low)
    return _value(measurement) if low is None else low


def _value(measurement: Measurement | None) -> float:
    return 0.0 if measurement is None else number(measurement.value) or 0.0
