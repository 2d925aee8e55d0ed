"""A scan as JUnit XML: each finding a failed case, each rule without one a case that passed."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

from bezoar.contracts.code_findings import CodeFinding, ScanRecord
from bezoar.report import scan_wording
from bezoar.report.scan_frame import frame
from bezoar.report.scan_wording import OURS, paragraphs
from bezoar.report.wording import number, printable

_WIDTH = 100


def render(record: ScanRecord) -> str:
    """The scan as one suite, so that a build shows what was asked and what was found.

    A finding is a failure with its code, flow and mend; a suppressed finding and a file that was
    not examined are skipped cases with their reason; a rule that found nothing passed.
    """
    suite = ET.Element("testsuite", name="bezoar scan", timestamp=printable(record.started))
    suite.append(_properties(record))
    taken: Counter[tuple[str, str]] = Counter()
    for finding in record.findings:
        case = _case(suite, finding, taken)
        failure = ET.SubElement(
            case, "failure", message=printable(finding.message), type=finding.severity
        )
        failure.text = _told(finding)
    for silenced in record.suppressed:
        case = _case(suite, silenced.finding, taken)
        why = f"suppressed by {printable(silenced.by)}: {printable(silenced.reason)}"
        ET.SubElement(case, "skipped", message=why)
    for file in record.skipped:
        name = _free(taken, "bezoar.files", printable(file.path))
        case = ET.SubElement(suite, "testcase", classname="bezoar.files", name=name)
        ET.SubElement(case, "skipped", message=f"not examined: {printable(file.reason)}")
    found = {finding.rule for finding in record.findings if finding.tool == OURS}
    for rule in record.rules:
        if rule.id not in found:
            title = _free(taken, f"bezoar.{rule.id}", printable(rule.title))
            ET.SubElement(suite, "testcase", classname=f"bezoar.{printable(rule.id)}", name=title)
    root = ET.Element("testsuites", name="bezoar scan")
    root.append(suite)
    for element in (root, suite):
        _count(element, suite, record)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _properties(record: ScanRecord) -> ET.Element:
    element = ET.Element("properties")
    about = {
        "result": scan_wording.headline(record),
        "files": str(record.n_files),
        "lines": str(record.n_lines),
        "version.bezoar": record.version,
        "commit": record.commit,
        "command": record.command,
        **{f"note.{i}": note for i, note in enumerate(record.notes, 1)},
    }
    for name, value in about.items():
        ET.SubElement(element, "property", name=name, value=printable(value))
    return element


def _case(suite: ET.Element, finding: CodeFinding, taken: Counter[tuple[str, str]]) -> ET.Element:
    classname = f"{printable(finding.tool)}.{printable(finding.rule)}"
    name = _free(taken, classname, printable(str(finding.place)))
    return ET.SubElement(
        suite,
        "testcase",
        classname=classname,
        name=name,
        file=printable(finding.place.path),
        line=str(max(finding.place.file_line, 1)),
    )


def _free(taken: Counter[tuple[str, str]], classname: str, name: str) -> str:
    """The name, numbered where the class has one of that name: servers merge equal ones."""
    taken[classname, name] += 1
    nth = taken[classname, name]
    return name if nth == 1 else f"{name} ({nth})"


def _told(finding: CodeFinding) -> str:
    lines = [printable(finding.message), f"at {printable(str(finding.place))}", ""]
    for line in frame(finding, width=_WIDTH):
        sign = ">" if line.points else " "
        lines.append(f"{sign} {line.number:>5} | {line.before}{line.marked}{line.after}")
    if finding.flow:
        lines += ["", "The way of the data:"]
        for i, step in enumerate(finding.flow, 1):
            lines.append(f"{i}. {printable(str(step.place))}: {printable(step.message)}")
    if finding.remedy:
        lines += ["", f"What to do: {paragraphs(finding.remedy)}"]
    lines.append(f"Severity {finding.severity}, confidence {finding.confidence}.")
    lines += [printable(reference) for reference in finding.references]
    return "\n".join(lines)


def _count(element: ET.Element, suite: ET.Element, record: ScanRecord) -> None:
    cases = suite.findall("testcase")
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))
    element.set("time", f"{max(number(record.wall_seconds) or 0.0, 0.0):.3f}")
