"""A reproduced table or figure: the paper's numbers beside ours, without arrays, and its JSON form.

Field names and their meaning are a file-format promise: `FORMAT_VERSION` changes when one does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.records import Outcome

FORMAT_VERSION = 1

# The unit of a difference of fractions: shown in points, where a fraction is shown in per cent.
DIFFERENCE = "fraction difference"

Verdict = Literal["reproduced", "differs", "contradicts", "measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell of a reproduced table.

    Attributes:
        row, column: where it stands in the table.
        metric: as in `Measurement`, for example ``accuracy``.
        paper: what the paper says; None where it gives no number.
        value: the mean of ours; None when nothing could be measured.
        low, high: the 95 % interval of the mean; None with one repetition.
        spread_low, spread_high: the 95 % prediction interval of one more repetition, which is what
            a paper's single run should be held against; None with one repetition.
        n, seeds: the repetitions.
        unit: ``fraction``, `DIFFERENCE`, ``seconds``, ...
        verdict: ``measured`` where the paper gives no number.
    """

    row: str
    column: str
    metric: str
    paper: float | None
    value: float | None
    low: float | None
    high: float | None
    spread_low: float | None
    spread_high: float | None
    n: int
    seeds: tuple[int, ...]
    unit: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of the paper (or a question of ours), and what the measurements say to it.

    Attributes:
        text: the statement, in our words.
        source: where the paper makes it; "" for a question of ours.
        quantity: what was measured to decide, for example "accuracy, QUID less random".
        value, low, high: its mean over seeds and the 95 % interval; None where it is missing.
        n: repetitions.
        unit: of the value.
        verdict: by `rule`; ``measured`` for a question, which no number contradicts.
        rule: how the verdict follows from value, low and high; fixed before the run.
    """

    text: str
    source: str
    quantity: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    verdict: Verdict
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line or one group of bars of a figure.

    Attributes:
        name: for the legend.
        of: whose numbers they are.
        x: positions, or names of groups for bars.
        y: values; None where there is none.
        low, high: 95 % intervals; None where there is none.
    """

    name: str
    of: Literal["paper", "ours"]
    x: tuple[float | str, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure redrawn.

    Attributes:
        name: of its file, without an ending.
        title: what it shows.
        kind: ``lines`` over numbers, ``bars`` over names.
        x_title, y_title: of the axes; units in brackets.
        unit: of y; fractions are shown in per cent.
        series: ours and the paper's.
    """

    name: str
    title: str
    kind: Literal["lines", "bars"]
    x_title: str
    y_title: str
    unit: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image file that was written beside the record.

    Attributes:
        file: its name in the folder of the item.
        title: what it shows.
    """

    file: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord:
    """A table or figure of a paper, reproduced; `to_json` of it is ``result.json``.

    Attributes:
        study: the paper's name here, for example ``quid``.
        item: for example ``table-4``.
        title: what the item shows.
        paper: the paper's title and number.
        source: where in the paper.
        question: what a reader wants to know from it.
        setting: sentences on what was run, and what the paper leaves open and we chose.
        rules: how the verdicts of rows follow; fixed before the run.
        rows, claims, figures, pictures: the results.
        analysis: paragraphs on why it differs where it does.
        notes: what the reader must know (partial data, ...).
        failures: one line for each training that failed.
        plan: the plans of all runs by name, every option with its value.
        plan_hash: equal plans and data, equal hash.
        seeds, outcome, command, versions, commit, started, wall_seconds: as in `RunRecord`.
        quick: whether it is a small try-out, whose numbers are not to be quoted.
    """

    study: str
    item: str
    title: str
    paper: str
    source: str
    question: str
    setting: tuple[str, ...]
    rules: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    analysis: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    plan_hash: str = ""
    seeds: tuple[int, ...] = ()
    outcome: Outcome = "complete"
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    started: str = ""
    wall_seconds: float = 0.0
    quick: bool = False
    format_version: int = FORMAT_VERSION

    def at(self, row: str, column: str) -> Row:
        """The cell in that row and column.

        Raises:
            KeyError: there is none.
        """
        for found in self.rows:
            if (found.row, found.column) == (row, column):
                return found
        raise KeyError(f"{row} / {column}")

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, path: str = "result") -> Self:
        """Reads what `to_json` wrote.

        Raises:
            FileProblem: the text is not such a record, or one of another format version.
        """
        try:
            raw = json.loads(text)
            version = raw["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileProblem(
                path, "is not a result of bezoar reproduce", mend="name a result.json or its folder"
            ) from error
        if version != FORMAT_VERSION:
            raise FileProblem(
                path,
                f"has format {version}, this Bezoar reads {FORMAT_VERSION}",
                mend="read it with the version that wrote it, or run again",
            )
        try:
            parts: dict[str, Any] = {
                "rows": tuple(Row(**_tuples(r)) for r in raw["rows"]),
                "claims": tuple(Claim(**c) for c in raw["claims"]),
                "figures": tuple(
                    Figure(**{**f, "series": tuple(Series(**_tuples(s)) for s in f["series"])})
                    for f in raw["figures"]
                ),
                "pictures": tuple(Picture(**p) for p in raw["pictures"]),
            }
            return cls(**_tuples(raw) | parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise FileProblem(
                path, f"is a damaged result ({error})", mend="run again, or restore the file"
            ) from error


def read_item(run: Path | str) -> ItemRecord:
    """Reads ``result.json``, or the one inside the folder `run`.

    Raises:
        FileProblem: there is none, or it is not a record.
    """
    path = Path(run)
    if path.is_dir():
        path = path / "result.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(
            path, "cannot be read as a result", mend="name the folder that the run wrote"
        ) from error
    return ItemRecord.from_json(text, path=str(path))


def _tuples(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
