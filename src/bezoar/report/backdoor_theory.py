"""The theorems' bounds beside what was measured: titles, charts and conditions for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bezoar.contracts.records import Table
from bezoar.contracts.reproduction import Figure, Series
from bezoar.report.backdoor_results import BackdoorResults
from bezoar.report.backdoor_rows import rate_text
from bezoar.report.backdoor_wording import head_label
from bezoar.report.wording import number, quantity, sentence

_THEOREMS = {"theorem_1": "Theorem 1", "theorem_2": "Theorem 2"}
#: What the title says already.
_IN_TITLE = ("dataset", "trunk", "head", "trigger", "rate", "theorem")
_READING, _CONDITION = "reading ", "condition "


@dataclass(frozen=True, slots=True, kw_only=True)
class TheoryBlock:
    """A table of bounds as the page shows it.

    Attributes:
        title: which theorem, over what, of which trigger and head.
        table: its numbers, triggers by the names that the page gives them.
        figure: its lines; None where rows are no numbers, or there are fewer than two.
        inputs: what went into the bounds.
        readings: the formulas.
        conditions: whether each condition of the theorem holds.
    """

    title: str
    table: Table
    figure: Figure | None
    inputs: tuple[str, ...]
    readings: tuple[str, ...]
    conditions: tuple[str, ...]


def theory_blocks(results: BackdoorResults) -> Iterator[TheoryBlock]:
    """Every table of the theorems, in the order of the record."""
    for name, theorem in _THEOREMS.items():
        for table in results.record.tables_named(name):
            named = _named(table, results)
            title = f"{theorem}: {_subject(named)}{_where(named, results)}"
            yield TheoryBlock(
                title=title,
                table=named,
                figure=_figure(named, title),
                inputs=tuple(
                    f"{key.replace('_', ' ')}: {_in_words(value)}"
                    for key, value in table.tags.items()
                    if key not in _IN_TITLE and not key.startswith((_READING, _CONDITION))
                ),
                readings=_listed(table, _READING),
                conditions=_listed(table, _CONDITION),
            )


def _named(table: Table, results: BackdoorResults) -> Table:
    """Rows that are triggers, by their names."""
    if table.row_title != "trigger":
        return table
    return replace(table, rows=tuple(results.trigger_label.get(row, row) for row in table.rows))


def _subject(table: Table) -> str:
    measures = {"fraction": "attack success", "nats": "loss"}
    return f"{measures.get(table.unit, 'smallest strength')} by {table.row_title}"


def _where(table: Table, results: BackdoorResults) -> str:
    found = []
    trigger, rate, head = (table.tags.get(key) for key in ("trigger", "rate", "head"))
    if trigger is not None:
        found.append(results.trigger_label.get(str(trigger), str(trigger)))
    share = number(rate)
    if share is not None:
        found.append(f"{rate_text(share)} poisoned")
    if head is not None:
        found.append(f"{head_label(str(head))} head")
    return "".join(f", {part}" for part in found)


def _listed(table: Table, prefix: str) -> tuple[str, ...]:
    return tuple(
        f"{sentence(key.removeprefix(prefix))}: {value}"
        for key, value in table.tags.items()
        if key.startswith(prefix)
    )


def _in_words(value: object) -> str:
    known = number(value)
    return str(value) if known is None else quantity(known)


def _figure(table: Table, title: str) -> Figure | None:
    places = [_place(row) for row in table.rows]
    if len(places) < 2 or any(place is None for place in places):
        return None
    titles = {"fraction": "ASR and bounds", "nats": "loss and bounds (nats)"}
    return Figure(
        name="",
        title=title,
        kind="lines",
        x_title=table.row_title,
        y_title=titles.get(table.unit, "value"),
        unit=table.unit,
        series=tuple(
            Series(
                name=column,
                of="ours",
                x=tuple(place for place in places if place is not None),
                y=tuple(number(v[i]) if i < len(v) else None for v in table.values),
                low=(),
                high=(),
            )
            for i, column in enumerate(table.columns)
        ),
    )


def _place(text: str) -> float | None:
    try:
        return number(float(text))
    except ValueError:
        return None
