"""What a record says, in plain words: the verdict that every format prints.

Every sentence is computed from the measurements. The rules that choose what to say are in
`RULES`, which the pages print.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.contracts.records import Finding, Measurement, RunRecord, Table
from bezoar.report.results import (
    CONTROLS,
    Cell,
    Condition,
    Results,
    arrange,
    number,
)
from bezoar.report.wording import (
    attack_label,
    attack_name,
    in_table,
    interval,
    listed,
    percent,
    plan_value,
    points,
    printable,
    seeds,
    sentence,
    trusted,
    value_of,
)

#: Variance of an overlap estimated with 1000 shots, at worst: k (1 - k) / 1000 at k = 1/2.
KERNEL_FLOOR = 0.25 / 1000

RULES = (
    (
        "The verdict takes the smallest tested ratio at which an attack surely costs more accuracy "
        "than the plan tolerates (the whole interval of the drop lies above it), in the first "
        "condition. Attacks that use no knowledge (random flipping) are what the others are "
        "compared with."
    ),
    (
        "Accuracy is the share of test samples that are classified right. Training data alone is "
        "poisoned, test data never."
    ),
    (
        "Relabel-invariant accuracy is the accuracy after the best one-to-one renaming of the "
        "model's outputs. Where it stays high while accuracy falls, the attack has only renamed "
        "classes, and a few trusted samples undo that."
    ),
    (
        "Intervals are 95 % intervals of the mean over seeds (Student). A drop is taken seed by "
        "seed, so its interval can be narrower than those of the two accuracies."
    ),
    (
        "Nearest-class accuracy is the share of samples whose encoded state lies nearest to the "
        "states of its own class. State-similarity attacks need it high."
    ),
    (
        "Kernel variance is the variance of the overlaps between encoded states of different "
        f"samples. Below {KERNEL_FLOOR:g}, the variance that 1000 shots add at worst, the states "
        "can hardly be told apart, and neither attack nor detector has much to work with."
    ),
    (
        "Detection AUROC is the chance that a detector ranks a poisoned sample above a clean one; "
        "0.5 is guessing."
    ),
)

#: The columns of `cell_row`.
CELL_HEADS = (
    "attack",
    "ratio",
    "accuracy",
    "relabel-invariant accuracy",
    "drop of accuracy",
    "detection AUROC",
    "seeds",
)

_SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that the reader should know.

    Attributes:
        topic: what it answers, in a few words.
        text: one to four sentences.
    """

    topic: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What every kind of record says in words; its strings are fit to print.

    Attributes:
        record: the record, printable.
        title: what kind of run this is, for example "Bezoar audit".
        subject: the data set and the model.
        warning: why the run is not whole, "" when it is.
        headline: the verdict in one sentence.
        statements: the verdict at length.
        findings: the findings, the worst first.
    """

    record: RunRecord
    title: str
    subject: str
    warning: str
    headline: str
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story(Account):
    """The account of an audit.

    Attributes:
        results: its measurements by condition, attack and ratio.
        headline_cell: the cell that the verdict is about, None when no attack was measured.
    """

    results: Results
    headline_cell: Cell | None


def tell(record: RunRecord) -> Story:
    """Reads `record` and says what it means."""
    clean = printable(record)
    results = arrange(clean)
    cell = _headline_cell(results)
    said = (
        _harm(results, cell),
        _noise(results, cell),
        _renaming(results, cell),
        _detection(cell),
        _trust(clean, results),
    )
    return Story(
        record=clean,
        results=results,
        title=f"Bezoar {clean.kind}",
        subject=_subject(clean, results),
        warning=warning_of(clean),
        headline=_headline(clean, results, cell),
        statements=tuple(statement for statement in said if statement is not None),
        headline_cell=cell,
        findings=worst_first(clean.findings),
    )


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings by falling severity."""
    return tuple(
        sorted(
            findings,
            key=lambda f: _SEVERITIES.index(f.severity) if f.severity in _SEVERITIES else 9,
        )
    )


def is_harmful(results: Results, cell: Cell) -> bool:
    """Whether the attack costs more than is tolerated, surely where there are seeds to tell."""
    certain = results.certain_loss(cell)
    return certain is not None and certain > results.tolerance


def comparison(results: Results, cell: Cell | None) -> Cell | None:
    """The control at the same condition and ratio, None when `cell` is a control itself."""
    if cell is None or cell.attack in CONTROLS:
        return None
    return next(
        (
            other
            for other in results.attacked(cell.condition)
            if other.attack in CONTROLS and other.ratio == cell.ratio
        ),
        None,
    )


def counterpart(results: Results, cell: Cell, condition: Condition) -> Cell | None:
    """The cell of the same attack and ratio under another condition, with its baseline known."""
    other = results.cells.get((condition, cell.attack, cell.ratio))
    baseline = results.baseline(condition)
    if other is None or other.accuracy is None or baseline is None or baseline.accuracy is None:
        return None
    return other


def destinations(table: Table) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each label, the classes of whose poisoned samples more than half got it.

    Example:
        >>> destinations(Table(name="label_destination", row_title="true class",
        ...     column_title="label given", rows=("a", "b", "c"), columns=("a", "b", "c"),
        ...     values=((0, 1, 0), (0, 0, 1), (0, 1, 0)), unit="fraction", n=5))
        (('b', ('a', 'c')), ('c', ('b',)))
    """
    taken: dict[str, list[str]] = defaultdict(list)
    for row, values in zip(table.rows, table.values, strict=False):
        shares = [(number(v) or 0.0, c) for c, v in zip(table.columns, values, strict=False)]
        share, column = max(shares, key=lambda pair: pair[0], default=(0.0, ""))
        if share > 0.5:
            taken[column].append(row)
    return tuple((column, tuple(rows)) for column, rows in taken.items())


def cell_row(cell: Cell) -> list[str]:
    """What was measured in a cell, as a row of a table; see `CELL_HEADS`."""
    unpoisoned = cell.attack == "none"
    return [
        "unpoisoned" if unpoisoned else attack_label(cell.attack),
        percent(cell.ratio),
        in_table(cell.accuracy),
        in_table(cell.relabelled),
        "" if unpoisoned else in_table(cell.drop),
        "; ".join(f"{m.tags.get('detector', '')} {in_table(m)}" for m in cell.detection),
        "" if cell.accuracy is None else seeds(cell.accuracy.n).removesuffix(" seeds"),
    ]


def kernel_warning(measurement: Measurement) -> str:
    """What a vanishing kernel variance means, "" when it does not vanish."""
    value = number(measurement.value)
    if value is None or value >= KERNEL_FLOOR:
        return ""
    return (
        f"The kernel variance is {value:.2g}, below {KERNEL_FLOOR:g}: the encoded states are "
        "nearly equally far from each other, so what depends on their distances, attacks and "
        "detectors alike, has little power here. Use fewer qubits or features, or a gentler "
        "encoding, before reading anything into it."
    )


def gaps(results: Results) -> tuple[str, ...]:
    """A sentence for each cell without an accuracy, and one for what no figure shows."""
    missing = [
        sentence(f"{_place(cell)} was not measured{f': {cell.reason}' if cell.reason else ''}")
        for cell in results.cells.values()
        if cell.accuracy is None
    ]
    if results.undrawn:
        missing.append(
            "Measurements that share their attack, ratio and condition with another and appear in "
            f"record.json only: {results.undrawn}"
        )
    return tuple(f"{text.rstrip('.')}." for text in missing)


def _headline_cell(results: Results) -> Cell | None:
    if not results.conditions:
        return None
    cells = [c for c in results.attacked(results.conditions[0]) if results.loss(c) is not None]
    harmful = [cell for cell in cells if is_harmful(results, cell)]
    if not harmful:
        return max(cells, key=lambda cell: results.loss(cell) or 0.0, default=None)
    # At the same ratio an attack with knowledge is told of, and the control beside it.
    return min(
        harmful,
        key=lambda c: (c.ratio, c.attack in CONTROLS, -(results.loss(c) or 0.0)),
    )


def _headline(record: RunRecord, results: Results, cell: Cell | None) -> str:
    if cell is None or cell.accuracy is None:
        if record.outcome == "failed":
            return "The run failed before it could measure an attack."
        if record.findings:
            count = len(record.findings)
            return f"{'One finding' if count == 1 else f'{count} findings'} to act on."
        return "No attack was measured, so there is no verdict."
    if not is_harmful(results, cell):
        return f"No tested attack surely costs more than {points(results.tolerance)} of accuracy."
    return (
        f"With {percent(cell.ratio)} of the training set poisoned by "
        f"{_means(cell.attack)}, accuracy falls {_from_to(results, cell)}."
    )


def _means(attack: str) -> str:
    """The attack's name after "poisoned by"."""
    return attack_name(attack).replace("bi-level poisoning", "the bi-level attack")


def _harm(results: Results, cell: Cell | None) -> Statement | None:
    if cell is None or cell.accuracy is None:
        return None
    phrase = f", {cell.condition.phrase}" if cell.condition.phrase else ""
    text = (
        f"Poisoning {percent(cell.ratio)} of the training set with {attack_name(cell.attack)} "
        f"takes the accuracy {_from_to(results, cell)} ({trusted(cell.accuracy)}){phrase}."
    )
    control = comparison(results, cell)
    if control is not None and control.accuracy is not None:
        text += (
            f" {sentence(attack_name(control.attack))} of as many takes it to "
            f"{value_of(control.accuracy, 0)} ({trusted(control.accuracy)})."
        )
    worst = max(results.curve(cell.condition, cell.attack), key=lambda c: results.loss(c) or 0.0)
    if worst.ratio != cell.ratio and worst.accuracy is not None:
        text += f" At {percent(worst.ratio)} poisoned it is {value_of(worst.accuracy, 0)}."
    return Statement(topic="Harm", text=text)


def _noise(results: Results, cell: Cell | None) -> Statement | None:
    if cell is None:
        return None
    said = []
    for condition in results.conditions:
        other = None if condition == cell.condition else counterpart(results, cell, condition)
        if other is None or other.accuracy is None:
            continue
        text = (
            f"{sentence(condition.phrase) or 'Elsewhere'}, the same attack takes the accuracy "
            f"{_from_to(results, other)} ({trusted(other.accuracy)})."
        )
        if (condition.dataset, condition.model) == (cell.condition.dataset, cell.condition.model):
            text += f" {_compared(cell.drop, other.drop)}"
        said.append(text.rstrip())
    return Statement(topic="Does noise matter?", text=" ".join(said)) if said else None


def _compared(first: Measurement | None, second: Measurement | None) -> str:
    if first is None or second is None:
        return ""
    ends = [number(end) for end in (first.low, first.high, second.low, second.high)]
    if any(end is None for end in ends):
        return "One seed cannot tell whether the noise changes the harm."
    low, high, other_low, other_high = (end or 0.0 for end in ends)
    costs = f"{points(number(second.value) or 0.0)} instead of {points(number(first.value) or 0.0)}"
    if other_low > high:
        return f"The attack is stronger here: it costs {costs}, and the intervals are apart."
    if other_high < low:
        return f"The attack is weaker here: it costs {costs}, and the intervals are apart."
    return f"It costs {costs}; the intervals overlap, so these seeds do not tell them apart."


def _renaming(results: Results, cell: Cell | None) -> Statement | None:
    if cell is None:
        return None
    worst = max(results.curve(cell.condition, cell.attack), key=lambda c: results.loss(c) or 0.0)
    cells = [cell] if worst.ratio == cell.ratio else [cell, worst]
    said = [text for c in cells if (text := _renamed(results, c))]
    return Statement(topic="Real loss or a renaming?", text=" ".join(said)) if said else None


def _renamed(results: Results, cell: Cell) -> str:
    loss, real = results.loss(cell), results.real_loss(cell)
    if cell.relabelled is None or loss is None or real is None or loss <= 0.02:
        return ""
    after = value_of(cell.relabelled, 0)
    where = f"At {percent(cell.ratio)}"
    share = real / loss
    if share >= 0.9:
        return f"{where} the loss is real: the best renaming of the outputs leaves {after}."
    if share <= 0.25:
        return (
            f"{where} the loss is mostly a renaming of classes: after the best renaming of the "
            f"outputs the accuracy is {after}, so little of what the model knows is destroyed."
        )
    return (
        f"{where} the best renaming of the outputs brings the accuracy back to {after}: of "
        f"{points(loss)} lost, {points(max(real, 0.0))} are really lost."
    )


def _detection(cell: Cell | None) -> Statement | None:
    if cell is None or not cell.detection:
        return None
    best = max(cell.detection, key=lambda m: number(m.value) or 0.0)
    value, low = number(best.value) or 0.0, number(best.low)
    if value < 0.6 or (low is not None and low <= 0.5):
        answer, tail = "Hardly", ", about as good as guessing"
    elif value < 0.9:
        answer, tail = "In part", ", so it sees some of the poison at the price of false alarms"
    else:
        answer, tail = "Yes", ""
    text = (
        f"{answer}. To the detector {best.tags.get('detector', '')}, a sample poisoned by "
        f"{_means(cell.attack)} at {percent(cell.ratio)} looks more suspicious than a clean "
        f"one {round(100 * value)} times in 100 ({_auroc(best)}){tail}."
    )
    return Statement(topic="Would you see it?", text=text)


def _trust(record: RunRecord, results: Results) -> Statement | None:
    ns = sorted({c.accuracy.n for c in results.cells.values() if c.accuracy is not None})
    if not ns:
        return None
    if ns == [1]:
        text = (
            "Everything here is from one seed. Accuracies of poisoned trainings differ by several "
            "points from seed to seed, so small differences mean nothing; repeat with more seeds."
        )
    elif len(ns) == 1:
        text = f"Each accuracy is the mean of {seeds(ns[0])}; intervals are 95 %."
    else:
        text = f"The accuracies are means of {ns[0]} to {seeds(ns[-1])}; each says its own number."
    baseline = results.baseline(results.conditions[0])
    if baseline is not None and baseline.accuracy is not None and results.n_classes:
        start = number(baseline.accuracy.value) or 0.0
        if start < 1.5 / results.n_classes:
            text += (
                f" The unpoisoned model is right on {percent(start)} of the test samples only "
                f"(chance is {percent(1 / results.n_classes)}): it has little to lose."
            )
    if record.failures:
        count = len(record.failures)
        failed = "One cell failed and counts" if count == 1 else f"{count} cells failed and count"
        text += f" {failed} as nothing."
    return Statement(topic="How sure is this?", text=text)


def warning_of(record: RunRecord) -> str:
    """Why the run is not whole, "" when it is."""
    if record.outcome == "complete":
        return ""
    text = (
        "What it could measure is shown and is not the whole."
        if record.outcome == "failed"
        else "Cells are missing; none of them counts as zero."
    )
    if record.failures:
        count = len(record.failures)
        more = "" if count == 1 else f" ({count} failures in all)"
        text += f" First failure: {record.failures[0].rstrip('.')}{more}."
    return text


def _subject(record: RunRecord, results: Results) -> str:
    datasets = dict.fromkeys(c.dataset for c in results.conditions if c.dataset)
    models = dict.fromkeys(c.model for c in results.conditions if c.model)
    parts = [listed(list(names)) for names in (datasets, models) if names]
    if not parts and record.plan.get("dataset"):
        parts = [plan_value(record.plan["dataset"])]
    return "; ".join(parts)


def _from_to(results: Results, cell: Cell) -> str:
    baseline = results.baseline(cell.condition)
    before = None if baseline is None else baseline.accuracy
    start = f"from {value_of(before, 0)} " if before is not None else ""
    return f"{start}to {value_of(cell.accuracy, 0)}"


def _auroc(measurement: Measurement) -> str:
    span = interval(measurement)
    return f"AUROC {value_of(measurement)}, {span + ', ' if span else ''}{seeds(measurement.n)}"


def _place(cell: Cell) -> str:
    parts: Sequence[str] = [
        "the unpoisoned baseline"
        if cell.attack == "none"
        else f"{attack_name(cell.attack)} at {percent(cell.ratio)}",
        cell.condition.phrase,
    ]
    return " ".join(part for part in parts if part)
