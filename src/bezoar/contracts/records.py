"""What the judge writes down: plain frozen records without arrays, and their JSON form.

`scan`, `report` and `probe` stand on this module without numpy or torch. Field names and their
meaning are a file-format promise: `FORMAT_VERSION` changes when one does.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from bezoar.contracts.errors import FileProblem

FORMAT_VERSION = 1

Better = Literal["higher", "lower", "neither"]
Severity = Literal["low", "medium", "high", "critical"]
Confidence = Literal["low", "medium", "high"]
Outcome = Literal["complete", "partial", "failed"]
Tags = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatModel:
    """What an attacker knows, can change and wants; every attack declares one.

    Attributes:
        goal: what the attacker wants, in one sentence.
        knows: what the attacker must know of the victim.
        changes: what the attacker can change.
        budget: how much of it, in words that name the unit.
        needs_training: whether the attack trains models of its own.
        answered_by: the detection or defence that answers it, or a sentence that none is known.
        source: paper, with section or equation.
    """

    goal: str
    knows: tuple[str, ...]
    changes: tuple[str, ...]
    budget: str
    needs_training: bool
    answered_by: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number with what is needed to trust it.

    Attributes:
        metric: snake_case name, for example ``accuracy``.
        value: the mean over `n` repetitions; None when it could not be measured, and then
            `tags` holds a ``reason``.
        low, high: the ends of the 95 % interval of the mean, or None when there is one repetition.
        n: how many repetitions (usually seeds) the value is the mean of.
        seeds: the seeds used.
        unit: ``fraction``, ``seconds``, ...; fractions lie in [0, 1].
        better: which direction is good for the victim.
        tags: what was measured: dataset, model, noise, attack, ratio, ...
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    seeds: tuple[int, ...]
    unit: str
    better: Better
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A labelled matrix, for what is read as a picture: a confusion matrix, class distances.

    Attributes:
        name: snake_case, for example ``confusion`` or ``class_distance``.
        row_title, column_title: what rows and columns are, for example "true class".
        rows, columns: their labels.
        values: ``values[i][j]``; None where there is nothing to tell.
        unit: as in `Measurement`.
        n: how many repetitions each value is the mean of.
        tags: as in `Measurement`.
    """

    name: str
    row_title: str
    column_title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: str
    n: int
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something the reader should act on.

    Attributes:
        rule: the rule or metric that found it.
        severity, confidence: how bad if true, and how sure.
        subject: what it is about (a model, a file and line, a circuit).
        message: one sentence, with the number.
        remedy: what to do.
        references: where to read more.
    """

    rule: str
    severity: Severity
    confidence: Confidence
    subject: str
    message: str
    remedy: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A small image that the reader should see: what a trigger does, what a defence restored.

    Attributes:
        name: snake_case, for example ``trigger`` or ``grad_cam``.
        title: what it shows, one sentence.
        png: the image, PNG in base64, so that a record stays one file.
        tags: as in `Measurement`.
    """

    name: str
    title: str
    png: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything a run says about itself; `to_json` of it is ``record.json``.

    Attributes:
        kind: the command that made it, for example ``audit``.
        plan: the whole plan, every option with its value.
        plan_hash: `hash_of` of the plan: equal plans, equal hash.
        versions: package name to version.
        seeds: the seeds of the repetitions.
        outcome: ``complete``; ``partial`` when cells failed or are missing; ``failed``.
        command: the command line that repeats the run.
        commit: git commit of the working tree, with ``-dirty`` where it was; "" outside git.
        started: ISO 8601 time, UTC.
        wall_seconds: how long this invocation took.
        measurements, tables, findings: the results.
        threat_models: attack name to its declared threat model.
        exhibits: images; absent from the files of runs that show none.
        notes: sentences that the reader must know (what was dropped, refused, warned about).
        failures: one line for each cell that failed, never counted as a zero.
    """

    kind: str
    plan: Mapping[str, Any]
    plan_hash: str
    versions: Mapping[str, str]
    seeds: tuple[int, ...]
    outcome: Outcome
    command: str
    commit: str
    started: str
    wall_seconds: float
    measurements: tuple[Measurement, ...] = ()
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = ()
    threat_models: Mapping[str, ThreatModel] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    format_version: int = FORMAT_VERSION

    def select(self, metric: str, **tags: str | float | bool) -> tuple[Measurement, ...]:
        """The measurements of `metric` whose tags hold all of `tags`."""
        return tuple(m for m in self.measurements if m.metric == metric and _holds(m.tags, tags))

    def exhibits_named(self, name: str, **tags: str | float | bool) -> tuple[Exhibit, ...]:
        """The exhibits called `name` whose tags hold all of `tags`."""
        return tuple(e for e in self.exhibits if e.name == name and _holds(e.tags, tags))

    def tables_named(self, name: str, **tags: str | float | bool) -> tuple[Table, ...]:
        """The tables called `name` whose tags hold all of `tags`."""
        return tuple(t for t in self.tables if t.name == name and _holds(t.tags, tags))

    def to_json(self) -> str:
        """The record as JSON text; numbers that are not finite become null."""
        values = dataclasses.asdict(self)
        if not self.exhibits:
            del values["exhibits"]
        return json.dumps(_plain(values), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, path: str = "record") -> Self:
        """Reads what `to_json` wrote.

        Raises:
            FileProblem: the text is not a record, or one of another format version.
        """
        try:
            raw = json.loads(text)
            version = raw["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileProblem(
                path, "is not a Bezoar record", mend="name a record.json or its folder"
            ) from error
        if version != FORMAT_VERSION:
            raise FileProblem(
                path,
                f"has record format {version}, this Bezoar reads {FORMAT_VERSION}",
                mend="read it with the version that wrote it, or run again",
            )
        try:
            return cls(
                **raw
                | {
                    "seeds": _list_of(int, raw, "seeds"),
                    "notes": _list_of(str, raw, "notes"),
                    "failures": _list_of(str, raw, "failures"),
                    "measurements": tuple(_measurement(m) for m in raw["measurements"]),
                    "tables": tuple(_table(t) for t in raw["tables"]),
                    "exhibits": tuple(_exhibit(e) for e in raw.get("exhibits", ())),
                    "findings": tuple(
                        Finding(**f | {"references": tuple(f["references"])})
                        for f in raw["findings"]
                    ),
                    "threat_models": {
                        name: ThreatModel(
                            **t | {"knows": tuple(t["knows"]), "changes": tuple(t["changes"])}
                        )
                        for name, t in raw["threat_models"].items()
                    },
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileProblem(
                path,
                f"is a damaged Bezoar record ({error})",
                mend="run again, or restore the file",
            ) from error


def read_record(run: Path | str) -> RunRecord:
    """Reads ``record.json``, or the one inside the folder `run`.

    Raises:
        FileProblem: there is none, or it is not a record.
    """
    path = Path(run)
    if path.is_dir():
        path = path / "record.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(
            path, "cannot be read as a run record", mend="name the folder that the run wrote"
        ) from error
    return RunRecord.from_json(text, path=str(path))


def hash_of(value: object) -> str:
    """The first 16 hex digits of the SHA-256 of the canonical JSON of `value`."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _list_of(kind: type, raw: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    items = raw[key]
    if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
        raise TypeError(f"{key} is not a list of {kind.__name__}")
    return tuple(items)


def _measurement(raw: Mapping[str, Any]) -> Measurement:
    for key in ("value", "low", "high"):
        if raw[key] is not None and not isinstance(raw[key], int | float):
            raise TypeError(f"{key} of a measurement is not a number")
    if not isinstance(raw["tags"], dict) or not isinstance(raw["n"], int):
        raise TypeError("tags or n of a measurement are not what they should be")
    return Measurement(**{**raw, "seeds": _list_of(int, raw, "seeds")})


def _table(raw: Mapping[str, Any]) -> Table:
    return Table(
        **{
            **raw,
            "rows": tuple(raw["rows"]),
            "columns": tuple(raw["columns"]),
            "values": tuple(tuple(row) for row in raw["values"]),
        }
    )


def _exhibit(raw: Mapping[str, Any]) -> Exhibit:
    if not all(isinstance(raw[key], str) for key in ("name", "title", "png")):
        raise TypeError("an exhibit is not what it should be")
    # The text goes into pages as it is: what is not base64 must not get there.
    base64.b64decode(raw["png"], validate=True)
    return Exhibit(**raw)


def _holds(tags: Tags, wanted: Tags) -> bool:
    return all(key in tags and tags[key] == value for key, value in wanted.items())


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
