"""Theorems 1 and 2 beside what was measured, as tables to draw.

In tables Theorem 1 is told of the attack success on new samples, 1 less the error of a loss of 0
or 1, and of the clipped loss, since only a continuous loss has a Lipschitz constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bezoar.attacks.backdoors.trigger import trigger_named
from bezoar.contracts.records import Table
from bezoar.evaluate.backdoor_theory import (
    Assumption,
    TheoryCheck,
    hoeffding,
)
from bezoar.evaluate.backdoor_theory_checks import check_theorem_1, check_theorem_2
from bezoar.evaluate.backdoor_theory_constants import smooth_loss
from bezoar.evaluate.backdoors.experiment import BackdoorResults
from bezoar.evaluate.backdoors.theory import LOSS_BOUND, worst
from bezoar.evaluate.backdoors.theory_observing import DELTA, LEVEL, Place, places_of

_COUNT, _STRENGTH = "triggered samples", "trigger strength"
_JUMPS = Assumption(
    name="Lipschitz loss",
    holds=False,
    detail="A loss of 0 or 1 jumps and has no Lipschitz constant: the term with K is left out, and "
    "what remains is the same upper bound of ASR in both readings.",
)
_ASR_COLUMNS = (
    "ASR on new samples, measured",
    "ASR on the poisoned training samples",
    "two-sided: at least",
    "two-sided and as printed: at most",
)
_LOSS_COLUMNS = (
    "loss on new samples, measured",
    "loss on the poisoned training samples",
    "two-sided: at least",
    "two-sided: at most",
    "as printed: at least",
)


def theory_tables(results: BackdoorResults, head: str, tags: Mapping[str, Any]) -> Iterator[Table]:
    """Tables ``theorem_1`` and ``theorem_2`` of a head; arguments as `theory_observations`.

    Theorem 1 over the number of triggered samples for each trigger with several rates; with one
    rate, a table of all triggers. Over the strength for each kind of trigger of which there are
    several, at the largest rate. Theorem 2 for the quantum head, at the largest rate.
    """
    places = places_of(results, head)
    if not places:
        return
    if len({place.rate for place in places}) == 1:
        yield from _theorem_1(places, "trigger", {**tags, "rate": places[0].rate})
    else:
        for trigger in dict.fromkeys(place.trigger for place in places):
            one = sorted((p for p in places if p.trigger == trigger), key=lambda p: p.rate)
            yield from _theorem_1(one, _COUNT, {**tags, "trigger": trigger})
    largest = max(place.rate for place in places)
    at_largest = [place for place in places if place.rate == largest]
    for kind, family in _families(at_largest).items():
        yield from _theorem_1(family, _STRENGTH, {**tags, "trigger": kind, "rate": largest})
    if head == "quantum":
        yield from _theorem_2(at_largest, results.plan.width, {**tags, "rate": largest})


def _families(places: Sequence[Place]) -> dict[str, list[Place]]:
    """Triggers of one kind by rising strength, where there are several strengths."""
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(trigger_named(place.trigger).name, []).append(place)
    return {
        kind: sorted(family, key=lambda place: place.mean("trigger_norm"))
        for kind, family in found.items()
        if len({place.mean("trigger_norm") for place in family}) > 1
    }


def _theorem_1(places: Sequence[Place], axis: str, tags: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of attack success and of the clipped loss, both readings in each."""
    slope = max(max(place.by_seed("slope").values()) for place in places)
    conditions = tuple(one for one in _conditions(places) if one.name != "concentration")
    over = _STRENGTH if axis == _STRENGTH else _COUNT
    given: dict[str, Any] = {
        "n_triggered": [place.mean("n_triggered") for place in places],
        "strength": [place.mean("trigger_norm") for place in places],
        "delta": DELTA,
        "over": over,
    }
    sided, printed = check_theorem_1(
        **given,
        error=[place.mean("test_error") for place in places],
        training_error=[place.mean("training_error") for place in places],
        assumptions=(_JUMPS, *(one for one in conditions if one.name != "bounded loss")),
    )
    rows = tuple(
        place.trigger if axis == "trigger" else f"{position:.4g}"
        for place, position in zip(places, sided.positions, strict=True)
    )
    runs = sum(len(place.cells) for place in places)
    outside = sum(_outside(cell) for place in places for cell in place.cells.values())
    told = {**tags, "E": "1 - ASR", "runs outside the two-sided bound": f"{outside} of {runs}"}
    columns = [
        (place.mean("test_error"), place.mean("training_error"), high, low)
        for place, low, high in zip(places, sided.low, sided.high, strict=True)
    ]
    values = [tuple(None if v is None else 1 - v for v in row) for row in columns]
    yield _table(
        "theorem_1", axis, rows, _ASR_COLUMNS, values, "fraction", places,
        _explained(told, (sided, printed)),
    )  # fmt: skip
    claimed = smooth_loss(slope, claimed=slope)
    sided, printed = check_theorem_1(
        **given,
        error=[place.mean("test_loss") for place in places],
        training_error=[place.mean("training_loss") for place in places],
        high=LOSS_BOUND,
        lipschitz=slope,
        assumptions=(claimed, *conditions),
    )
    values = [
        (place.mean("test_loss"), place.mean("training_loss"), low, high, least)
        for place, low, high, least in zip(places, sided.low, sided.high, printed.low, strict=True)
    ]
    constants = {**tags, "E": "mean clipped cross entropy", "K": slope, "loss at most": LOSS_BOUND}
    yield _table(
        "theorem_1", axis, rows, _LOSS_COLUMNS, values, "nats", places,
        _explained(constants, (sided, printed)),
    )  # fmt: skip


def _conditions(places: Sequence[Place]) -> tuple[Assumption, ...]:
    return worst([cell["conditions"] for place in places for cell in place.cells.values()])


def _outside(cell: Mapping[str, Any]) -> bool:
    """Whether a single network's error leaves the two-sided bound."""
    gap = abs(cell["test_error"] - cell["training_error"])
    return bool(gap > hoeffding(cell["n_triggered"], delta=DELTA))


def _theorem_2(places: Sequence[Place], width: int, tags: Mapping[str, Any]) -> Iterator[Table]:
    """Over the strength of triggers in the circuit's features, and at the circuit's qubits."""
    ordered = sorted(places, key=lambda place: place.mean("feature_change"))
    changes = [place.mean("feature_change") for place in ordered]
    rates = [1 - place.mean("test_error") for place in ordered]
    falls, grows = check_theorem_2(
        n_qubits=[width],
        strengths=changes,
        success=[rates],
        level=LEVEL,
        delta=DELTA,
        assumptions=tuple(one for one in _conditions(places) if one.name == "concentration"),
    )
    told = _explained(tags, (falls, grows))
    least = [float(check.low[0] or 0.0) for check in (falls, grows)]
    if len(ordered) > 1:
        yield _table(
            "theorem_2",
            "mean change of the circuit's expectations",
            tuple(f"{change:.4g}" for change in changes),
            (
                "ASR, measured",
                f"concentration: at most (success from {least[0]:.3g} on)",
                f"the paper's sentence: at most (success from {least[1]:.3g} on)",
            ),
            [
                (rate, *(1.0 if change >= start else LEVEL for start in least))
                for change, rate in zip(changes, rates, strict=True)
            ],
            "fraction",
            places,
            told,
        )
    yield _table(
        "theorem_2",
        "qubits",
        (f"{width}",),
        (
            "smallest that succeeded",
            "concentration: from",
            "sentence: from",
        ),
        [(falls.measured[0], *least)],
        "",
        places,
        told,
    )


def _explained(tags: Mapping[str, Any], checks: Sequence[TheoryCheck]) -> dict[str, Any]:
    """The tags with the readings and the conditions in words."""
    words = {True: "holds", False: "does not hold", None: "cannot be told"}
    return {
        **tags,
        "theorem": checks[0].theorem,
        "delta": DELTA,
        **{f"reading {check.reading}": check.statement for check in checks},
        **{
            f"condition {one.name}": f"{words[one.holds]}. {one.detail}"
            for one in checks[0].assumptions
        },
    }


def _table(
    name: str,
    row_title: str,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    values: Sequence[tuple[float | None, ...]],
    unit: str,
    places: Sequence[Place],
    tags: Mapping[str, Any],
) -> Table:
    return Table(
        name=name,
        row_title=row_title,
        column_title="",
        rows=rows,
        columns=columns,
        values=tuple(values),
        unit=unit,
        n=min(len(place.cells) for place in places),
        tags=tags,
    )
