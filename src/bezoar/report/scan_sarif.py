"""A scan as SARIF 2.1.0, which code hosts and editors read.

One run for each tool: ours, and one for every tool whose results were imported. GitHub takes
``security-severity``, ``precision`` and the tags from the rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from bezoar.contracts.code_findings import (
    CodeFinding,
    Place,
    RuleFacts,
    ScanRecord,
    Step,
    Suppressed,
)
from bezoar.report import scan_wording
from bezoar.report.markdown_text import escape
from bezoar.report.scan_cwe import cwe_name, cwe_title, cwe_uri
from bezoar.report.scan_identity import guid, occurrences
from bezoar.report.scan_paths import file_uri, folder_uri, is_absolute
from bezoar.report.scan_wording import OURS, markdown_of, paragraphs
from bezoar.report.wording import printable, shortened

Json = dict[str, Any]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: The folder that paths are relative to, as `originalUriBaseIds` names it.
ROOT = "SRCROOT"
#: What GitHub calls critical, high, medium and low.
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}
#: The name and version of our fingerprint.
FINGERPRINT = "bezoar/v1"

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_CWE = {"name": "CWE", "guid": guid("CWE")}
_SKIPPED, _NOTE = "file-not-examined", "note"
#: Longer surroundings of a place are left to the reader's own copy of the file.
_MOST_CODE = 4000
#: GitHub takes no longer names and descriptions of rules.
_MOST_NAME, _MOST_TEXT = 255, 1024


def render(record: ScanRecord) -> str:
    """The scan as a SARIF log; it fits the schema of OASIS."""
    tools = dict.fromkeys([f.tool for f in record.findings if f.tool != OURS])
    tools |= dict.fromkeys([s.finding.tool for s in record.suppressed if s.finding.tool != OURS])
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [_our_run(record), *(_their_run(record, tool) for tool in tools)],
    }
    return json.dumps(log, indent=1, allow_nan=False) + "\n"


def _our_run(record: ScanRecord) -> Json:
    weaknesses = sorted({number for rule in record.rules for number in rule.cwe})
    driver: Json = {
        "name": "Bezoar",
        "version": printable(record.version) or "unknown",
        "rules": [_rule(rule) for rule in record.rules],
        "notifications": [
            {"id": _SKIPPED, "shortDescription": {"text": "A file was not examined."}},
            {"id": _NOTE, "shortDescription": {"text": "Something that the reader must know."}},
        ],
    }
    if weaknesses:
        driver["supportedTaxonomies"] = [_CWE | {"index": 0}]
    run = _run(record, OURS, driver, [rule.id for rule in record.rules])
    run["invocations"] = [_invocation(record)]
    if weaknesses:
        run["taxonomies"] = [_taxonomy(weaknesses)]
    if record.commit:
        run["properties"] = {"commit": printable(record.commit)}
    return run


def _their_run(record: ScanRecord, tool: str) -> Json:
    """What another tool found; its rules are known by name alone."""
    theirs = [f for f in _all(record) if f.tool == tool]
    ids = list(dict.fromkeys(printable(f.rule) for f in theirs))
    driver = {"name": printable(tool) or "unknown", "rules": [{"id": name} for name in ids]}
    return _run(record, tool, driver, ids)


def _all(record: ScanRecord) -> list[CodeFinding]:
    return [*record.findings, *(silenced.finding for silenced in record.suppressed)]


def _run(record: ScanRecord, tool: str, driver: Json, ids: Sequence[str]) -> Json:
    index = {rule_id: i for i, rule_id in enumerate(ids)}
    remedies = {rule.id: rule.remedy for rule in record.rules} if tool == OURS else {}
    shown = [f for f in record.findings if f.tool == tool]
    silenced = [s for s in record.suppressed if s.finding.tool == tool]
    findings = [*shown, *(s.finding for s in silenced)]
    results = [
        _result(finding, index, remedies) | _fingerprint(finding, nth)
        for finding, nth in zip(findings, occurrences(findings), strict=True)
    ]
    for result, one in zip(results[len(shown) :], silenced, strict=True):
        result["suppressions"] = [_suppression(one)]
    base: Json = {"description": {"text": "The folder that was scanned."}}
    if is_absolute(record.root):
        base["uri"] = folder_uri(record.root)
    return {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: base},
        "results": results,
    }


def _rule(rule: RuleFacts) -> Json:
    title, why, remedy = printable(rule.title), paragraphs(rule.why), paragraphs(rule.remedy)
    weaknesses = ", ".join(cwe_title(number) for number in rule.cwe)
    links = ", ".join(f"[{escape(cwe_title(n))}]({cwe_uri(n)})" for n in rule.cwe)
    fact: Json = {
        "id": rule.id,
        "name": _pascal_case(title)[:_MOST_NAME] or rule.id,
        "shortDescription": {"text": shortened(title, _MOST_TEXT) or rule.id},
        "fullDescription": {"text": shortened(why, _MOST_TEXT) or title or rule.id},
        "help": {
            "text": f"{why}\n\nWhat to do: {remedy}\n\n{weaknesses}",
            "markdown": f"{why}\n\n**What to do:** {markdown_of(rule.remedy)}\n\n{links}",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": _tags(rule),
            "precision": rule.confidence,
            "security-severity": SECURITY_SEVERITY[rule.severity],
        },
        "relationships": [
            {
                "target": {"id": str(n), "guid": _taxon_guid(n), "toolComponent": _CWE},
                "kinds": ["superset"],
            }
            for n in rule.cwe
        ],
    }
    if rule.help_uri.startswith("https://"):
        fact["helpUri"] = rule.help_uri
    return fact


def _pascal_case(title: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in title).split()
    return "".join(word[0].upper() + word[1:] for word in words)


def _tags(rule: RuleFacts) -> list[str]:
    """GitHub shows at most 20; the form of the CWE tag is the one it understands."""
    weaknesses = [f"external/cwe/cwe-{number:03d}" for number in rule.cwe]
    names = ["security", *weaknesses, *map(printable, (*rule.frameworks, *rule.tags))]
    return list(dict.fromkeys(names))[:20]


def _taxonomy(weaknesses: Iterable[int]) -> Json:
    taxa: list[Json] = []
    for number in weaknesses:
        taxon: Json = {"id": str(number), "guid": _taxon_guid(number), "helpUri": cwe_uri(number)}
        if cwe_name(number):
            taxon["shortDescription"] = {"text": cwe_name(number)}
        taxa.append(taxon)
    return _CWE | {
        "organization": "MITRE",
        "shortDescription": {"text": "The Common Weakness Enumeration, the part that rules name"},
        "informationUri": "https://cwe.mitre.org/",
        "isComprehensive": False,
        "taxa": taxa,
    }


def _taxon_guid(number: int) -> str:
    return guid(f"CWE-{number}")


def _result(finding: CodeFinding, index: dict[str, int], remedies: dict[str, str]) -> Json:
    rule_id = finding.rule if finding.rule in index else printable(finding.rule)
    result: Json = {
        "ruleId": rule_id,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding, remedies.get(finding.rule))},
        "locations": [_location(finding.place, finding=finding)],
        "properties": {
            "severity": finding.severity,
            "security-severity": SECURITY_SEVERITY[finding.severity],
            "confidence": finding.confidence,
            "remedy": paragraphs(finding.remedy),
        },
    }
    if rule_id in index:
        result["ruleIndex"] = index[rule_id]
    if finding.flow:
        steps = [_flow_location(step) for step in finding.flow]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _fingerprint(finding: CodeFinding, nth: int) -> Json:
    """Twins in one file, equal to the letter, are told apart by their order."""
    if not finding.fingerprint:
        return {}
    twin = f":{nth}" if nth else ""
    return {"partialFingerprints": {FINGERPRINT: f"{printable(finding.fingerprint)}{twin}"}}


def _message(finding: CodeFinding, usual_remedy: str | None) -> str:
    """What was found; in a notebook where, and the mend where it is not the rule's own."""
    text = printable(finding.message) or printable(finding.rule) or "finding"
    if finding.place.cell is not None:
        text = f"Cell {finding.place.cell}, line {finding.place.line}: {text}"
    if finding.remedy and finding.remedy != usual_remedy:
        text = f"{text} What to do: {printable(finding.remedy)}"
    return _unlinked(text)


def _unlinked(text: str) -> str:
    """The text without what SARIF reads as a link, ``[text](target)``."""
    return text.replace("](", "] (")


def _location(place: Place, *, finding: CodeFinding | None = None) -> Json:
    physical: Json = {"artifactLocation": _artifact(place.path), "region": _region(place)}
    context = None if finding is None else _context(finding)
    if context is not None:
        physical["contextRegion"] = context
    location: Json = {"physicalLocation": physical}
    logical: list[Json] = []
    if place.cell is not None:
        name = f"cell {place.cell}"
        logical.append({"name": name, "fullyQualifiedName": name, "kind": "cell"})
    if place.symbol:
        symbol = printable(place.symbol)
        name = symbol.rpartition(".")[2] or symbol
        logical.append({"name": name, "fullyQualifiedName": symbol, "kind": "function"})
    if logical:
        location["logicalLocations"] = logical
    return location


def _artifact(path: str) -> Json:
    uri = file_uri(path)
    return {"uri": uri} if is_absolute(path) else {"uri": uri, "uriBaseId": ROOT}


def _region(place: Place) -> Json:
    """Lines of the file itself. Columns of a notebook's cell are none of its JSON text."""
    line = max(place.file_line, 1)
    if place.cell is not None:
        return {"startLine": line}
    region = {"startLine": line, "startColumn": max(place.column, 1)}
    region["endLine"] = line + max(place.end_line - place.line, 0)
    region["endColumn"] = max(place.end_column, 1)
    if region["endLine"] == line:
        region["endColumn"] = max(region["endColumn"], region["startColumn"])
    return region


def _context(finding: CodeFinding) -> Json | None:
    """The lines around the place, masked as they are in the record."""
    text = "\n".join(map(printable, finding.code))
    if not text or len(text) > _MOST_CODE or finding.place.cell is not None:
        return None
    shift = max(finding.place.file_line, 1) - finding.place.line
    first = max(finding.code_line + shift, 1)
    return {
        "startLine": first,
        "endLine": first + len(finding.code) - 1,
        "snippet": {"text": text},
    }


def _flow_location(step: Step) -> Json:
    location = _location(step.place)
    cell = "" if step.place.cell is None else f"cell {step.place.cell}: "
    text = f"{cell}{printable(step.message)}" or "step"
    return {"location": location | {"message": {"text": _unlinked(text)}}}


def _suppression(silenced: Suppressed) -> Json:
    kind = "inSource" if silenced.by == "comment" else "external"
    return {
        "kind": kind,
        "status": "accepted",
        "justification": printable(silenced.reason),
        "properties": {"by": printable(silenced.by)},
    }


def _invocation(record: ScanRecord) -> Json:
    notes: list[Json] = [
        {
            "descriptor": {"id": _SKIPPED, "index": 0},
            "level": "warning",
            "message": {"text": f"Not examined: {printable(file.reason)}"},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(file.path)}}],
        }
        for file in record.skipped
    ]
    notes += [
        {
            "descriptor": {"id": _NOTE, "index": 1},
            "level": "note",
            "message": {"text": printable(note) or "note"},
        }
        for note in record.notes
    ]
    invocation: Json = {"executionSuccessful": True, "toolExecutionNotifications": notes}
    if record.command:
        invocation["commandLine"] = printable(record.command)
    period = scan_wording.period(record)
    if period is not None:
        began, ended = period
        invocation["startTimeUtc"] = f"{began:%Y-%m-%dT%H:%M:%S}Z"
        invocation["endTimeUtc"] = f"{ended:%Y-%m-%dT%H:%M:%S}Z"
    return invocation
