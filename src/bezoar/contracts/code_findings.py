"""What a scan says: findings with a place in a file, the rules behind them, and the whole record.

Like `records` this module is free of numpy and torch, and its field names are a file-format
promise: `SCAN_FORMAT_VERSION` changes when one does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.records import Confidence, Finding, Severity

SCAN_FORMAT_VERSION = 1

#: From harmless to worst; the order of every threshold.
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is. Lines and columns count from 1, columns in characters.

    Attributes:
        path: the file, with forward slashes, relative to the folder that was scanned.
        line, column: where it begins; in a notebook the line within the cell.
        end_line, end_column: where it ends, the column being the first one after it.
        cell: in a notebook, which cell, counting all cells from 1.
        file_line: the line of the file itself; differs from `line` in notebooks alone.
        symbol: the function or class around it, "" at the top level.
    """

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    cell: int | None = None
    file_line: int = 1
    symbol: str = ""

    def __str__(self) -> str:
        cell = "" if self.cell is None else f":cell {self.cell}"
        return f"{self.path}{cell}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One station of a data flow: where, what happens there, and the line of code."""

    place: Place
    message: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFinding(Finding):
    """A finding with its place in a file.

    Attributes:
        place: where it is reported.
        code: the lines around the place, `code_line` being the number of the first; secrets are
            already masked.
        code_line: the line number of ``code[0]``, counted as ``place.line`` is.
        code_column: the column at which the line of the place begins in `code`; greater than 1
            for a line of a minified file, of which a piece is carried.
        flow: the way of the data from its source to here, empty where no flow is involved.
        fingerprint: equal for the same finding after lines moved; 32 hex digits.
        tool: who found it, ``bezoar`` or the name of the tool whose result was imported.
    """

    place: Place
    code: tuple[str, ...] = ()
    code_line: int = 1
    code_column: int = 1
    flow: tuple[Step, ...] = ()
    fingerprint: str = ""
    tool: str = "bezoar"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """What a reader wants to know of a rule, without its code.

    Attributes:
        id, title: ``QSA103`` and its name, in one line.
        severity, confidence: the usual ones; a finding may differ and says so itself.
        cwe: numbers of the weaknesses, the main one first.
        frameworks: what it looks at, for example ``qiskit``; ``any`` for all.
        why: why it matters for quantum machine learning.
        remedy: the mend in one line.
        help_uri: a public page about its main weakness.
        tags: further classifications.
    """

    id: str
    title: str
    severity: Severity
    confidence: Confidence
    cwe: tuple[int, ...]
    frameworks: tuple[str, ...]
    why: str
    remedy: str
    help_uri: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A finding that a comment or a baseline silenced, with the reason that was given."""

    finding: CodeFinding
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that was not examined, and why; never silence."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord:
    """Everything a scan says about itself; `to_json` of it is the ``json`` format.

    Attributes:
        findings: sorted by path, line and rule.
        suppressed: what comments and the baseline silenced.
        rules: the facts of every rule that was asked, by id in order.
        root: the folder that paths are relative to.
        n_files, n_lines: what was examined; lines of code, notebooks' cells included.
        skipped: files that were not examined.
        notes: sentences that the reader must know.
        version: Bezoar's version.
        commit: git commit of `root`, with ``-dirty`` where it was; "" outside git.
        started: ISO 8601 time, UTC.
        wall_seconds: how long the scan took.
        command: the command line that repeats it.
    """

    findings: tuple[CodeFinding, ...]
    suppressed: tuple[Suppressed, ...]
    rules: tuple[RuleFacts, ...]
    root: str
    n_files: int
    n_lines: int
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    version: str
    commit: str
    started: str
    wall_seconds: float
    command: str
    kind: str = "scan"
    format_version: int = SCAN_FORMAT_VERSION

    def rule(self, rule_id: str) -> RuleFacts | None:
        """The facts of a rule, None for one of another tool."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, path: str = "record") -> Self:
        """Reads what `to_json` wrote.

        Raises:
            FileProblem: the text is not a scan record, or one of another format version.
        """
        try:
            raw = json.loads(text)
            if raw["kind"] != "scan" or raw["format_version"] != SCAN_FORMAT_VERSION:
                raise KeyError("format_version")
            return cls(
                **raw
                | {
                    "findings": tuple(finding_from(f) for f in raw["findings"]),
                    "suppressed": tuple(
                        Suppressed(**s | {"finding": finding_from(s["finding"])})
                        for s in raw["suppressed"]
                    ),
                    "rules": tuple(_rule(rule) for rule in raw["rules"]),
                    "skipped": tuple(Skipped(**s) for s in raw["skipped"]),
                    "notes": tuple(raw["notes"]),
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileProblem(
                path,
                f"is not a scan record of format {SCAN_FORMAT_VERSION} ({error})",
                mend="name a file that `bezoar scan --format json` wrote",
            ) from error


def read_scan(path: Path | str) -> ScanRecord | None:
    """The scan record in a file, None where the file is none or holds something else.

    Raises:
        FileProblem: it is a scan record, but a damaged one or of another format version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        raw = json.loads(text)
    except (OSError, ValueError, RecursionError):
        # Whoever reads other records says what is wrong with the file.
        return None
    if not isinstance(raw, dict) or raw.get("kind") != "scan":
        return None
    return ScanRecord.from_json(text, path=str(path))


def finding_from(raw: Mapping[str, Any]) -> CodeFinding:
    """A finding from its JSON form."""
    return CodeFinding(
        **{
            **raw,
            "place": Place(**raw["place"]),
            "references": tuple(raw["references"]),
            "code": tuple(raw["code"]),
            "flow": tuple(Step(**step | {"place": Place(**step["place"])}) for step in raw["flow"]),
        }
    )


def at_least(severity: Severity, threshold: Severity) -> bool:
    """Whether `severity` reaches `threshold`.

    Example:
        >>> at_least("high", "medium"), at_least("low", "medium")
        (True, False)
    """
    return SEVERITIES.index(severity) >= SEVERITIES.index(threshold)


def ordered(findings: Sequence[CodeFinding]) -> tuple[CodeFinding, ...]:
    """By path, place and rule: the order in which every format tells them."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (
                f.place.path,
                f.place.file_line,
                # A notebook may be one line.
                f.place.cell or 0,
                f.place.line,
                f.place.column,
                f.rule,
            ),
        )
    )


def _rule(raw: Mapping[str, Any]) -> RuleFacts:
    tuples = {key: tuple(raw[key]) for key in ("cwe", "frameworks", "tags")}
    return RuleFacts(**{**raw, **tuples})
