"""Findings of other tools, read from SARIF and merged with ours."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bezoar.contracts.code_findings import CodeFinding, Place
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.records import Severity
from bezoar.scan.framing import masked, stars

_MAX_BYTES = 256 * 2**20
_LEVELS: Mapping[str, Severity] = {
    "error": "high",
    "warning": "medium",
    "note": "low",
    "none": "low",
}
_CWE = re.compile(r"cwe[-/]?0*(\d+)", re.IGNORECASE)

#: Rules of ruff (S) and bandit (B) that say the same as one of ours, by number.
_SAME = {
    "102": ("QSA101", "QSA102"),
    "104": ("QSA802",),
    "105": ("QSA301",),
    "106": ("QSA301",),
    "107": ("QSA301",),
    "110": ("QSA505",),
    "112": ("QSA505",),
    "201": ("QSA802",),
    "202": ("QSA703",),
    "301": ("QSA201", "QSA203"),
    "302": ("QSA201",),
    "307": ("QSA101", "QSA102"),
    "310": ("QSA305", "QSA507"),
    "323": ("QSA304",),
    "501": ("QSA304",),
    "506": ("QSA201",),
    "614": ("QSA202",),
    "615": ("QSA705",),
}
_RUFF = "ruff"
#: Those that may quote a password.
_PASSWORDS = frozenset({"105", "106", "107"})
_QUOTED = re.compile(r"(['\"])(.{5,}?)\1")
_NUMBERED = re.compile(r"[SB](\d{3})\Z")


def read_sarif(file: Path | str, root: Path) -> list[CodeFinding]:
    """The results of a SARIF 2.1.0 file, with paths relative to `root`.

    Raises:
        FileProblem: it cannot be read, or is no SARIF.
    """
    path = Path(file)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FileProblem(path, f"is larger than {_MAX_BYTES // 2**20} MiB")
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        runs = raw["runs"]
        if not isinstance(runs, list):
            raise TypeError("runs is no list")
        return [finding for run in runs for finding in _run(run, root)]
    except FileProblem:
        raise
    except OSError as error:
        raise FileProblem(
            path, f"cannot be read as SARIF ({error.strerror or error})", mend="name a SARIF file"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileProblem(
            path,
            f"is not SARIF 2.1.0 ({type(error).__name__}: {error})",
            mend="write it with ruff check --output-format sarif, or bandit -f sarif",
        ) from error


def _run(run: Mapping[str, Any], root: Path) -> Iterator[CodeFinding]:
    driver = run["tool"]["driver"]
    tool = str(driver.get("name", "imported"))
    rules = driver.get("rules", [])
    by_id = {rule["id"]: rule for rule in rules}
    for result in run.get("results", []):
        if result.get("suppressions"):
            continue
        rule_id = result.get("ruleId") or (result.get("rule") or {}).get("id") or "unknown"
        rule = by_id.get(rule_id, {})
        for location in result.get("locations", [])[:1]:
            place = _place(location["physicalLocation"], root)
            yield CodeFinding(
                rule=rule_id,
                severity=_severity(result, rule, tool),
                confidence="medium",
                subject=str(place),
                message=_message(result, rule_id, tool),
                remedy=" ".join(str((rule.get("help") or {}).get("text", "")).split())[:200],
                references=tuple(filter(None, (rule.get("helpUri"), *_weaknesses(rule)))),
                place=place,
                fingerprint=_fingerprint(result),
                tool=tool,
            )


def _message(result: Mapping[str, Any], rule_id: str, tool: str) -> str:
    text = " ".join(str(result.get("message", {}).get("text", "")).split()) or rule_id
    if _number(rule_id) in _PASSWORDS and tool != _RUFF:
        # bandit quotes the password itself, ruff the name it is given to.
        text = _QUOTED.sub(lambda match: f"{match[1]}{stars(match[2])}{match[1]}", text)
    return masked(text)


def _severity(result: Mapping[str, Any], rule: Mapping[str, Any], tool: str) -> Severity:
    if tool == _RUFF:
        # It calls everything an error.
        return "medium"
    level = (rule.get("defaultConfiguration") or {}).get("level", "warning")
    return _LEVELS.get(result.get("level", ""), _LEVELS.get(level, "medium"))


def _place(physical: Mapping[str, Any], root: Path) -> Place:
    uri = physical["artifactLocation"]["uri"]
    parts = urlsplit(uri)
    path = unquote(parts.path) if parts.scheme in ("file", "") else uri
    if parts.scheme == "file" or path.startswith("/"):
        with contextlib.suppress(ValueError):
            path = Path(path).relative_to(root).as_posix()
    region = physical.get("region", {})
    line = max(1, int(region.get("startLine", 1)))
    column = max(1, int(region.get("startColumn", 1)))
    return Place(
        path=path.removeprefix("./"),
        line=line,
        column=column,
        end_line=max(line, int(region.get("endLine", line))),
        end_column=int(region.get("endColumn", column)),
        file_line=line,
    )


def _weaknesses(rule: Mapping[str, Any]) -> list[str]:
    found = _CWE.findall(json.dumps([rule.get("properties"), rule.get("relationships")]))
    return [f"CWE-{number}" for number in dict.fromkeys(found)]


def _fingerprint(result: Mapping[str, Any]) -> str:
    prints = result.get("partialFingerprints") or result.get("fingerprints") or {}
    return str(next(iter(prints.values()), ""))[:64]


def without_duplicates(
    ours: Sequence[CodeFinding], imported: Sequence[CodeFinding], weaknesses: Mapping[str, set[int]]
) -> list[CodeFinding]:
    """The imported findings that neither we nor another tool said already of the same line.

    Args:
        ours: what our rules found, suppressed findings included.
        imported: what other tools found.
        weaknesses: our rules to the numbers of their weaknesses.
    """
    told: dict[tuple[str, int], list[CodeFinding]] = {}
    for finding in ours:
        told.setdefault((finding.place.path, finding.place.file_line), []).append(finding)
    kept = []
    for finding in imported:
        here = told.setdefault((finding.place.path, finding.place.file_line), [])
        if not any(_same(finding, other, weaknesses) for other in here):
            kept.append(finding)
            here.append(finding)
    return kept


def _same(new: CodeFinding, known: CodeFinding, weaknesses: Mapping[str, set[int]]) -> bool:
    number = _number(new.rule)
    if known.tool != "bezoar":
        # ruff's S rules are bandit's B rules.
        return new.rule == known.rule or (bool(number) and number == _number(known.rule))
    if known.rule in _SAME.get(number, ()):
        return True
    theirs = {int(ref[4:]) for ref in new.references if ref.startswith("CWE-")}
    return bool(theirs & weaknesses.get(known.rule, set()))


def _number(rule: str) -> str:
    match = _NUMBERED.match(rule)
    return match[1] if match else ""
