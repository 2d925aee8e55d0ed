"""A scan as one self-contained page: no request, no framework, readable without a script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from bezoar.contracts.code_findings import SEVERITIES, CodeFinding, RuleFacts, ScanRecord
from bezoar.report import page, scan_wording
from bezoar.report.scan_cwe import cwe_title, cwe_uri
from bezoar.report.scan_frame import clipped, frame
from bezoar.report.scan_wording import OURS, WORST_FIRST, address_of, paragraphs, plural
from bezoar.report.wording import duration, moment, number, printable

View = dict[str, Any]

#: A browser bears no more cards; the worst are shown and the page says how many are not.
MOST_FINDINGS = 1000
#: Longer tables and lists are folded.
_FOLDED = 25
_CODE_WIDTH = 160
_MOST_REFERENCES = 12
_PROSE = re.compile(
    r"`(?P<code>[^`\n]+)`|\*\*(?P<strong>[^*\n]+)\*\*|\*(?P<emphasis>[^*\s][^*\n]*)\*"
    r"|\[(?P<text>[^\]\n]+)\]\((?P<address>https?://[^)\s]+)\)"
)


def render(record: ScanRecord) -> str:
    """The page of a scan, a whole HTML document.

    Nothing in it comes from elsewhere: its content security policy allows its own style sheet and
    script by their hashes and forbids every request. All text of the record is escaped. The
    filters are style rules, so they work without a script.
    """
    view = _view(record)
    styles = (*page.REPORT_STYLES, "scan.css")
    return page.fill("scan.html", view, styles=styles, rules=_filters(view))


def _view(record: ScanRecord) -> View:
    worst_first = sorted(record.findings, key=lambda f: -SEVERITIES.index(f.severity))
    shown = worst_first[:MOST_FINDINGS]
    groups = _groups(record, shown)
    seconds = number(record.wall_seconds)
    return {
        "subject": printable(record.root).rstrip("/").rpartition("/")[2] or printable(record.root),
        "started": moment(printable(record.started)),
        "headline": scan_wording.headline(record),
        "statements": _statements(record),
        "chart": _chart(record.findings),
        "counts": [(s, n) for s, n in scan_wording.counts(record.findings).items() if n],
        "total": len(record.findings),
        "left_out": len(record.findings) - len(shown),
        "groups": groups,
        "files": _files(record.findings, groups),
        "severities": WORST_FIRST,
        "folded": _FOLDED,
        "suppressed": [
            {
                "rule": printable(silenced.finding.rule),
                "place": scan_wording.place_of(silenced.finding.place),
                "message": _sentence(silenced.finding.message),
                "reason": printable(silenced.reason),
                "by": printable(silenced.by),
            }
            for silenced in record.suppressed
        ],
        "skipped": scan_wording.skipped_by_reason(record.skipped),
        "rules": _rule_rows(record),
        "notes": [printable(note) for note in record.notes],
        "command": Markup.escape(printable(record.command)),
        "facts": [
            (name, printable(value))
            for name, value in (
                ("folder", record.root),
                ("commit", record.commit or "not in a git checkout"),
                ("started", moment(record.started)),
                ("took", "" if seconds is None else duration(max(seconds, 0.0))),
                ("bezoar", record.version),
            )
            if value
        ],
    }


def _statements(record: ScanRecord) -> list[tuple[str, str]]:
    said = [("Examined", scan_wording.examined(record).removeprefix("Examined "))]
    for line in (scan_wording.imported(record), scan_wording.suppressed(record)):
        if line:
            topic, _, text = line.partition(": ")
            said.append((topic, text))
    if record.skipped:
        n = plural(len(record.skipped), "file")
        said.append(("Not examined", f"{n}; what is in them is not known."))
    return said


def _chart(findings: Sequence[CodeFinding]) -> Markup:
    """One bar, shared by the severities."""
    if not findings:
        return Markup()
    parts, start = [], 0.0
    for severity, n in scan_wording.counts(findings).items():
        if n:
            width = 100 * n / len(findings)
            # Slim gaps keep neighbours apart without colour.
            drawn = max(width - 0.4, 0.3)
            rectangle = '<rect class="s-{}" x="{:.2f}" y="0" width="{:.2f}" height="6"/>'
            parts.append(Markup(rectangle).format(severity, start, drawn))  # noqa: S704
            start += width
    label = scan_wording.tally(findings)
    head = Markup(
        '<svg class="shares" viewBox="0 0 100 6" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">'
    ).format(label)
    return head + Markup().join(parts) + Markup("</svg>")


def _groups(record: ScanRecord, findings: Iterable[CodeFinding]) -> list[View]:
    """The findings by rule, the worst rule first."""
    found: dict[tuple[str, str], list[CodeFinding]] = {}
    for finding in findings:
        found.setdefault((finding.tool, finding.rule), []).append(finding)
    groups: list[View] = []
    n_before = 0
    for index, ((tool, rule_id), members) in enumerate(found.items()):
        facts = record.rule(rule_id) if tool == OURS else None
        groups.append(_group(index, facts, members, n_before))
        n_before += len(members)
    return groups


def _group(
    index: int, facts: RuleFacts | None, members: Sequence[CodeFinding], n_before: int
) -> View:
    first = members[0]
    present = {finding.severity for finding in members}
    weaknesses = [] if facts is None else [(cwe_title(n), cwe_uri(n)) for n in facts.cwe]
    known = {address for _, address in weaknesses}
    references = dict.fromkeys(address_of(r) for finding in members for r in finding.references)
    usual = facts.remedy if facts is not None else ""
    return {
        "id": f"rule-{index}",
        "rule": printable(first.rule),
        "tool": "" if first.tool == OURS else printable(first.tool),
        "title": "" if facts is None else _sentence(facts.title),
        "why": [] if facts is None else _prose(facts.why),
        "remedy": _sentence(usual),
        "references": [*weaknesses, *(r for r in references if r[1] not in known)][
            :_MOST_REFERENCES
        ],
        "severities": " ".join(s for s in WORST_FIRST if s in present),
        "findings": [_card(n_before + i, finding, usual) for i, finding in enumerate(members)],
    }


def _card(index: int, finding: CodeFinding, usual_remedy: str) -> View:
    place = finding.place
    return {
        "id": f"finding-{index}",
        "path": place.path,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "place": printable(str(place)),
        "symbol": printable(place.symbol),
        "file_line": "" if place.cell is None else f"line {place.file_line} of the file",
        "message": _sentence(finding.message),
        "code": _code(finding),
        "flow": [
            {
                "place": printable(str(step.place)),
                "message": _sentence(step.message),
                "code": Markup.escape(clipped(step.code.strip(), _CODE_WIDTH)),
            }
            for step in finding.flow
        ],
        "remedy": "" if finding.remedy == usual_remedy else _sentence(finding.remedy),
    }


def _code(finding: CodeFinding) -> Markup:
    """The code frame, line by line, with its numbers and the marked part."""
    parts, last = [], None
    for line in frame(finding, width=_CODE_WIDTH):
        if last is not None and line.number != last + 1:
            parts.append(Markup('<span class="gap">...</span>\n'))
        last = line.number
        marked = Markup("<mark>{}</mark>").format(line.marked) if line.marked else ""
        parts.append(
            Markup('<span class="{}"><span class="n">{}</span>{}{}{}</span>\n').format(
                "line hit" if line.points else "line", line.number, line.before, marked, line.after
            )
        )
    return Markup().join(parts)


def _prose(text: str) -> list[Markup]:
    """Markdown as HTML: paragraphs and lists with code, bold, emphasis and links."""
    whole = paragraphs(text).strip()
    return [_part(part) for part in re.split(r"\n\s*\n", whole) if part]


def _part(text: str) -> Markup:
    """A paragraph, or a list where every item begins with a hyphen."""
    if not text.startswith("- "):
        return Markup('<p class="why">{}</p>').format(_inline(" ".join(text.split())))
    items = re.split(r"\n- ", text[2:])
    rows = Markup().join(
        Markup("<li>{}</li>").format(_inline(" ".join(item.split()))) for item in items
    )
    return Markup('<ul class="why">{}</ul>').format(rows)


def _inline(text: str) -> Markup:
    parts, end = [], 0
    for match in _PROSE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        if match["code"]:
            parts.append(Markup("<code>{}</code>").format(match["code"]))
        elif match["strong"]:
            parts.append(Markup("<strong>{}</strong>").format(match["strong"]))
        elif match["emphasis"]:
            parts.append(Markup("<em>{}</em>").format(match["emphasis"]))
        else:
            link = Markup('<a href="{}" rel="noreferrer noopener">{}</a>')
            parts.append(link.format(match["address"], match["text"]))
        end = match.end()
    parts.append(escape(text[end:]))
    return Markup().join(parts)


def _sentence(text: str) -> Markup:
    """A sentence that may quote the scanned project: code in backticks, all else is text."""
    parts = scan_wording.CODE.split(printable(text))
    return Markup().join(
        Markup("<code>{}</code>").format(part[1:-1]) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def _files(findings: Sequence[CodeFinding], groups: Iterable[View]) -> list[View]:
    """A row for each file with findings, the worst first; a count leads to the first of them."""
    targets: dict[tuple[str, str], str] = {}
    for group in groups:
        for card in group["findings"]:
            targets.setdefault((card["path"], card["severity"]), card["id"])
    by_path: dict[str, list[CodeFinding]] = {}
    for finding in findings:
        by_path.setdefault(finding.place.path, []).append(finding)
    rows = [
        {
            "path": printable(path),
            "cells": [
                {"severity": severity, "n": n, "target": targets.get((path, severity), "")}
                for severity, n in scan_wording.counts(members).items()
            ],
            "total": len(members),
        }
        for path, members in by_path.items()
    ]
    return sorted(rows, key=lambda row: [-cell["n"] for cell in row["cells"]])


def _rule_rows(record: ScanRecord) -> list[list[object]]:
    found: dict[str, int] = {}
    for finding in record.findings:
        if finding.tool == OURS:
            found[finding.rule] = found.get(finding.rule, 0) + 1
    return [
        [printable(rule.id), printable(rule.title), rule.severity, found.get(rule.id, 0)]
        for rule in record.rules
    ]


def _filters(view: Mapping[str, Any]) -> str:
    """The rules by which check boxes hide severities and a list chooses a rule.

    They are made of our own words and counted ids alone.
    """
    present = [severity for severity, _ in view["counts"]]
    rules = [
        f"body:has(#show-{severity}:not(:checked)) .finding.severity-{severity}{{display:none}}"
        for severity in present
    ]
    for severities in sorted({group["severities"] for group in view["groups"]}):
        hidden = "".join(f":has(#show-{name}:not(:checked))" for name in severities.split())
        rules.append(f'body{hidden} .group[data-severities="{severities}"]{{display:none}}')
    for group in view["groups"]:
        chosen = f'#rule option[value="{group["id"]}"]:checked'
        rules.append(f"body:has({chosen}) .group:not(#{group['id']}){{display:none}}")
    return "@supports selector(:has(*)){" + "".join(rules) + "}"
