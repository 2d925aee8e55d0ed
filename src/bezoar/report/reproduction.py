"""What the records of a reproduction say: verdicts counted, tables laid out as in the paper.

Every sentence and number is computed from the records; the formats print them in their own form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bezoar.contracts.reproduction import DIFFERENCE, ItemRecord, Row
from bezoar.report.reproduction_wording import (
    MARKS,
    MISSING,
    metric_name,
    verdict_of,
)
from bezoar.report.wording import duration, listed, moment, number, plan_value, seeds, sentence

PLAN_HEADS = ("run", "setting", "value")

#: What the pages say about the words they use.
WORDS = (
    (
        "Intervals are 95 % intervals of the mean over seeds (Student). The interval of one more "
        "run is what a single run of a paper should be held against."
    ),
    (
        "Measured: the paper gives no number, or the question is ours, so there is nothing to "
        "agree with or contradict."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table with the paper's rows and columns.

    Attributes:
        title: the metric, where an item needs several tables; else "".
        rows, columns: their names in the order of the record.
        cells: the numbers by row and column; a place without one is absent.
        unit: the unit that all cells share, or "" where they have several.
        legend: how to read a cell.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[Row, ...]]
    unit: str
    legend: str

    def at(self, row: str, column: str) -> tuple[Row, ...]:
        """The numbers at that place, often one."""
        return self.cells.get((row, column), ())


def grids(item: ItemRecord) -> list[Grid]:
    """The rows of `item` as tables: one, or one for each metric where a place would hold two."""
    places = Counter((row.row, row.column) for row in item.rows)
    if all(count == 1 for count in places.values()):
        return [_grid("", item.rows)] if item.rows else []
    metrics = dict.fromkeys(row.metric for row in item.rows)
    return [_grid(metric, [r for r in item.rows if r.metric == metric]) for metric in metrics]


def _grid(metric: str, rows: Sequence[Row]) -> Grid:
    cells: dict[tuple[str, str], tuple[Row, ...]] = {}
    for row in rows:
        place = (row.row, row.column)
        cells[place] = (*cells.get(place, ()), row)
    units = {row.unit for row in rows}
    unit = units.pop() if len(units) == 1 else ""
    return Grid(
        title=sentence(metric_name(metric)),
        rows=tuple(dict.fromkeys(row.row for row in rows)),
        columns=tuple(dict.fromkeys(row.column for row in rows)),
        cells=cells,
        unit=unit,
        legend=_legend(rows, unit),
    )


def _legend(rows: Sequence[Row], unit: str) -> str:
    counts = sorted({row.n for row in rows if number(row.value) is not None})
    cell = "ours"
    if any(number(row.low) is not None for row in rows):
        cell += " \N{PLUS-MINUS SIGN} half of the 95 % interval of the mean"
    if any(number(row.paper) is not None for row in rows):
        cell = f"the paper \N{RIGHTWARDS ARROW} {cell}"
    units = {"fraction": ", in per cent", DIFFERENCE: ", in percentage points"}
    text = f"Each cell: {cell}{units.get(unit, '')}"
    if counts:
        few = "" if counts[0] == counts[-1] else f"{counts[0]} to "
        text += f"; {few}{seeds(counts[-1])}"
    return text + "."


def plan_rows(item: ItemRecord) -> list[list[str]]:
    """The plans under `PLAN_HEADS`: what all runs share once, then what tells them apart."""
    runs = {name: plan for name, plan in item.plan.items() if isinstance(plan, Mapping)}
    rows = [["all", str(k), plan_value(v)] for k, v in item.plan.items() if k not in runs]
    plans = list(runs.values())
    shared = (
        [k for k in plans[0] if all(k in p and p[k] == plans[0][k] for p in plans)] if plans else []
    )
    rows += [["all", str(key), plan_value(plans[0][key])] for key in shared]
    return rows + [
        [str(name), str(key), plan_value(value)]
        for name, plan in runs.items()
        for key, value in plan.items()
        if key not in shared
    ]


def provenance(item: ItemRecord) -> list[tuple[str, str]]:
    """What is needed to repeat the run, without the command."""
    wall = number(item.wall_seconds)
    return [
        ("outcome", item.outcome),
        ("started", moment(item.started) or "unknown"),
        ("took", "unknown" if wall is None else duration(wall)),
        ("seeds", ", ".join(str(seed) for seed in item.seeds) or "none"),
        ("plan hash", item.plan_hash or "none"),
        ("commit", item.commit or "none (not in a git checkout)"),
        ("versions", ", ".join(f"{name} {v}" for name, v in item.versions.items()) or "unknown"),
    ]


def warning(item: ItemRecord) -> str:
    """What a reader must know before any number, in one sentence; "" for a whole, complete run."""
    parts = []
    if item.quick:
        parts.append("this is a quick try-out, whose numbers are not to be quoted")
    if item.outcome == "partial":
        parts.append("the run did not finish, so numbers are missing or rest on fewer seeds")
    elif item.outcome == "failed":
        parts.append("the run failed, so numbers are missing")
    return sentence(", and ".join(parts)) + "." if parts else ""


def study_title(items: Sequence[ItemRecord]) -> str:
    """The heading of a study: the papers that its records name."""
    papers = list(dict.fromkeys(item.paper for item in items if item.paper))
    return f"Reproduction of {listed(papers)}" if papers else "Reproduction"


def tallied(verdicts: Iterable[str]) -> str:
    """How often each verdict was reached, for a narrow place.

    Example:
        >>> tallied(["reproduced", "contradicts", "reproduced"])
        '2 reproduced, 1 contradicts'
    """
    counts = Counter(verdicts)
    return ", ".join(f"{counts[v]} {v}" for v in (*MARKS, MISSING) if counts[v]) or "none"


def answer(items: ItemRecord | Sequence[ItemRecord]) -> str:
    """One sentence with the counts of verdicts, claims first."""
    of = [items] if isinstance(items, ItemRecord) else items
    claims = [verdict_of(claim) for item in of for claim in item.claims]
    numbers = [verdict_of(row) for item in of for row in item.rows]
    parts = [_judged(claims, "claim"), _judged(numbers, "number")]
    extra = [
        _several(numbers.count("measured"), "number"),
        _several(claims.count("measured"), "question"),
    ]
    known = listed([part for part in extra if part])
    if known and any(parts):
        parts.append(f"measured besides, with nothing to compare: {known}")
    elif known:
        parts.append(f"the paper gives nothing to compare; measured: {known}")
    n_missing = numbers.count(MISSING) + claims.count(MISSING)
    if n_missing:
        parts.append(f"{n_missing} could not be measured")
    return sentence("; ".join(part for part in parts if part) or "nothing was measured") + "."


_SINGULAR = {"reproduced": "is reproduced", "differs": "differs", "contradicts": "is contradicted"}
_PLURAL = {"reproduced": "are reproduced", "differs": "differ", "contradicts": "are contradicted"}


def _judged(verdicts: Sequence[str], word: str) -> str:
    counts = Counter(v for v in verdicts if v in _SINGULAR)
    total = counts.total()
    if not total:
        return ""
    if len(counts) == 1:
        (verdict,) = counts
        if total == 1:
            return f"the paper's one {word} {_SINGULAR[verdict]}"
        return f"{'both' if total == 2 else f'all {total}'} {word}s of the paper {_PLURAL[verdict]}"
    parts = [
        f"{counts[v]} {(_SINGULAR if counts[v] == 1 else _PLURAL)[v]}"
        for v in _SINGULAR
        if counts[v]
    ]
    return f"of the paper's {total} {word}s, {listed(parts)}"


def _several(n: int, word: str) -> str:
    return "" if n == 0 else f"1 {word}" if n == 1 else f"{n} {word}s"
