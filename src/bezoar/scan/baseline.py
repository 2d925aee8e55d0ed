"""Findings that are known already: a file by rule, path and text of the line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bezoar.contracts.code_findings import CodeFinding
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import write_text

_SPACE = re.compile(r"\s+")
_VERSION = 1

Key = tuple[str, str, str]


def key_of(finding: CodeFinding) -> Key:
    """Rule, path and normalised line: what stays when other lines are added above."""
    offset = finding.place.line - finding.code_line
    line = finding.code[offset] if 0 <= offset < len(finding.code) else finding.message
    return finding.rule, finding.place.path, _SPACE.sub(" ", line).strip()


def write_baseline(path: Path | str, findings: Iterable[CodeFinding]) -> Path:
    """Writes the findings as a baseline, sorted, one line each, fit for version control."""
    counts = Counter(key_of(finding) for finding in findings)
    rows = [
        json.dumps({"rule": rule, "path": file, "code": code, "count": counts[rule, file, code]})
        for rule, file, code in sorted(counts)
    ]
    body = ",\n  ".join(rows)
    text = (
        f'{{"format_version": {_VERSION}, "kind": "scan-baseline", "findings": [\n  {body}\n]}}\n'
    )
    return write_text(path, text)


def read_baseline(path: Path | str) -> Counter[Key]:
    """How often each known finding may occur.

    Raises:
        FileProblem: it cannot be read, or is no baseline.
    """
    file = Path(path)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["kind"] != "scan-baseline" or raw["format_version"] != _VERSION:
            raise ValueError("another kind or version")
        return Counter(
            {
                (str(r["rule"]), str(r["path"]), str(r["code"])): int(r["count"])
                for r in raw["findings"]
            }
        )
    except OSError as error:
        raise FileProblem(
            file,
            f"cannot be read as a baseline ({error.strerror or error})",
            mend="write one with --write-baseline",
        ) from error
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise FileProblem(
            file, f"is not a baseline ({error})", mend="write one with --write-baseline"
        ) from error


def split_known(
    findings: Iterable[CodeFinding], baseline: Counter[Key]
) -> tuple[list[CodeFinding], list[CodeFinding]]:
    """The new findings and the known ones; one known line excuses as many as were counted."""
    left = Counter(baseline)
    new, known = [], []
    for finding in findings:
        key = key_of(finding)
        if left[key] > 0:
            left[key] -= 1
            known.append(finding)
        else:
            new.append(finding)
    return new, known
