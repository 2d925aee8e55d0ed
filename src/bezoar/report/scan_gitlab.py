"""A scan as GitLab's SAST report, which merge requests and the vulnerability page show.

Suppressed findings are left out: GitLab has no word for them but "false positive", which they
need not be; a message of the scan says how many there are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bezoar.contracts.code_findings import CodeFinding, Place, RuleFacts, ScanRecord, Step
from bezoar.report import scan_wording
from bezoar.report.markdown_text import escape
from bezoar.report.scan_cwe import cwe_title, cwe_uri
from bezoar.report.scan_identity import guid, occurrences
from bezoar.report.scan_wording import (
    OURS,
    address_of,
    markdown_of,
    paragraphs,
)
from bezoar.report.wording import printable, shortened

Json = dict[str, Any]

#: The oldest version that knows code flows: a GitLab refuses versions that it does not know.
SCHEMA_VERSION = "15.1.4"
_SCHEMA = (
    "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/"
    f"v{SCHEMA_VERSION}/dist/sast-report-format.json"
)
_MOST_NAME, _MOST_SOLUTION, _MOST_DESCRIPTION = 255, 7000, 1_048_576


def render(record: ScanRecord) -> str:
    """The findings as a report of GitLab's schema for static analysis."""
    nths = occurrences(record.findings)
    rules = {rule.id: rule for rule in record.rules}
    report = {
        "schema": _SCHEMA,
        "version": SCHEMA_VERSION,
        "scan": _scan(record),
        "vulnerabilities": [
            _vulnerability(finding, nth, rules.get(finding.rule) if _is_ours(finding) else None)
            for finding, nth in zip(record.findings, nths, strict=True)
        ],
    }
    return json.dumps(report, indent=1, allow_nan=False) + "\n"


def _is_ours(finding: CodeFinding) -> bool:
    return finding.tool == OURS


def _scan(record: ScanRecord) -> Json:
    tool = {
        "id": "bezoar",
        "name": "Bezoar",
        "version": printable(record.version) or "unknown",
        "vendor": {"name": "Bezoar"},
    }
    period = scan_wording.period(record)
    # A report without a time would be refused whole.
    times = [f"{time:%Y-%m-%dT%H:%M:%S}" for time in period or ()] or ["1970-01-01T00:00:00"] * 2
    return {
        "analyzer": tool,
        "scanner": tool,
        "type": "sast",
        "start_time": times[0],
        "end_time": times[1],
        "status": "success",
        "messages": _messages(record),
        "primary_identifiers": [_identifier(OURS, rule.id) for rule in record.rules],
    }


def _messages(record: ScanRecord) -> list[Json]:
    warnings = [
        f"Not examined: {printable(file.path)}: {printable(file.reason)}" for file in record.skipped
    ]
    facts = [
        scan_wording.examined(record),
        scan_wording.suppressed(record),
        *map(printable, record.notes),
    ]
    return [
        {"level": level, "value": value}
        for level, values in (("warn", warnings), ("info", facts))
        for value in values
        if value
    ]


def _vulnerability(finding: CodeFinding, nth: int, rule: RuleFacts | None) -> Json:
    title = rule.title if rule is not None else f"{finding.tool} {finding.rule}"
    found: Json = {
        "id": guid(f"{_key(finding)}:{nth}"),
        "name": shortened(printable(title), _MOST_NAME),
        "description": _description(finding, rule),
        "severity": finding.severity.capitalize(),
        "identifiers": [_identifier(finding.tool, finding.rule), *_weaknesses(rule)],
        "location": _location(finding.place),
    }
    if finding.remedy:
        found["solution"] = shortened(paragraphs(finding.remedy), _MOST_SOLUTION)
    links = [address_of(reference) for reference in finding.references]
    if any(address for _, address in links):
        found["links"] = [{"name": name, "url": address} for name, address in links if address]
    if finding.fingerprint:
        found["tracking"] = _tracking(finding, nth)
    if finding.flow:
        found["details"] = {"code_flows": _flow(finding.flow)}
    return found


def _key(finding: CodeFinding) -> str:
    """What makes a finding the same one in the next scan."""
    if finding.fingerprint:
        return finding.fingerprint
    place = finding.place
    return f"{finding.tool}:{finding.rule}:{place}:{finding.message}"


def _description(finding: CodeFinding, rule: RuleFacts | None) -> str:
    """GitLab reads Markdown: the message is text of the scanned project and stays text."""
    where = scan_wording.place_of(finding.place)
    parts = [markdown_of(finding.message)]
    if finding.place.cell is not None:
        parts.append(f"In {escape(where)}.")
    if rule is not None:
        parts.append(paragraphs(rule.why))
    parts.append(f"Confidence: {finding.confidence}.")
    return shortened("\n\n".join(part for part in parts if part), _MOST_DESCRIPTION)


def _identifier(tool: str, rule: str) -> Json:
    tool, rule = printable(tool) or "unknown", printable(rule) or "unknown"
    name = "Bezoar" if tool == OURS else tool
    return {"type": f"{tool}_rule_id", "name": f"{name} {rule}", "value": rule}


def _weaknesses(rule: RuleFacts | None) -> list[Json]:
    return [
        {"type": "cwe", "name": cwe_title(number), "value": str(number), "url": cwe_uri(number)}
        for number in (() if rule is None else rule.cwe)
    ]


def _lines(place: Place) -> tuple[int, int]:
    """Lines of the file itself; what a cell of a notebook spans there is not known."""
    first = max(place.file_line, 1)
    spanned = 0 if place.cell is not None else max(place.end_line - place.line, 0)
    return first, first + spanned


def _location(place: Place) -> Json:
    first, last = _lines(place)
    location: Json = {"file": printable(place.path), "start_line": first, "end_line": last}
    if place.symbol:
        location["method"] = printable(place.symbol)
    return location


def _tracking(finding: CodeFinding, nth: int) -> Json:
    first, last = _lines(finding.place)
    value = f"{printable(finding.fingerprint)}:{nth}"
    item = {
        "file": printable(finding.place.path),
        "start_line": first,
        "end_line": last,
        "signatures": [{"algorithm": "hash", "value": value}],
    }
    return {"type": "source", "items": [item]}


def _flow(flow: Sequence[Step]) -> Json:
    nodes = []
    for index, step in enumerate(flow):
        first, last = _lines(step.place)
        kind = "source" if index == 0 else "sink" if index == len(flow) - 1 else "propagation"
        where = {
            "type": "file-location",
            "file_name": printable(step.place.path) or "unknown",
            "line_start": first,
            "line_end": last,
        }
        nodes.append({"type": "code-flow-node", "node_type": kind, "file_location": where})
    return {"name": "Way of the data", "type": "code-flows", "items": [nodes]}
