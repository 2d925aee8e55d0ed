"""The record as JUnit XML, which build servers show as a test run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

from bezoar.contracts.records import Finding, Measurement, RunRecord
from bezoar.report.accounts import account_of
from bezoar.report.backdoor_cases import backdoor_cases
from bezoar.report.results import Cell, number
from bezoar.report.story import Account, Story
from bezoar.report.wording import attack_name, percent


def render(record: RunRecord) -> str:
    """One test case for each cell of the record, for each failed cell and each finding.

    A cell is a condition, attack and ratio of an audit; a head, trigger and rate of a backdoor
    run; the verified choice and each candidate on the front of a search; an attack and its state
    of circuit-level backdoors. A measured cell passes and carries its numbers as properties; one
    that was not measured is skipped with its reason; a line of `failures` is an error; a finding
    is a failure, so a build breaks exactly when the command returns that it found something.
    """
    story = account_of(record)
    suite = ET.Element("testsuite", name=f"{story.title}: {story.subject}".rstrip(": "))
    suite.set("timestamp", story.record.started)
    suite.append(_properties(_about(story)))
    suite.extend(_cells(story))
    for line in story.record.failures:
        case = ET.SubElement(suite, "testcase", classname="failures", name=line)
        ET.SubElement(case, "error", message=line)
    for finding in story.findings:
        suite.append(_finding(finding))
    root = ET.Element("testsuites", name=story.title)
    root.append(suite)
    for element in (root, suite):
        _count(element, suite, story.record)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _about(story: Account) -> dict[str, str]:
    record = story.record
    return {
        "verdict": story.headline,
        "outcome": record.outcome,
        "plan_hash": record.plan_hash,
        "commit": record.commit,
        "command": record.command,
        "seeds": ", ".join(str(seed) for seed in record.seeds),
        **{f"version.{name}": version for name, version in record.versions.items()},
    }


def _cells(account: Account) -> list[ET.Element]:
    if isinstance(account, Story):
        return [_cell(account, cell) for cell in account.results.cells.values()]
    return [
        _case(entry.classname, entry.name, entry.measurements, entry.reason)
        for entry in backdoor_cases(account)
    ]


def _case(
    classname: str, name: str, measurements: Iterable[Measurement | None], reason: str
) -> ET.Element:
    """A case with its numbers; skipped, with the reason, where there is one."""
    case = ET.Element("testcase", classname=classname, name=name)
    if reason:
        ET.SubElement(case, "skipped", message=reason)
        return case
    values: dict[str, str] = {}
    for measurement in measurements:
        if measurement is not None:
            values |= _numbers(measurement)
    case.append(_properties(values))
    return case


def _cell(story: Story, cell: Cell) -> ET.Element:
    condition = ".".join(
        part
        for part in (cell.condition.dataset, cell.condition.model, cell.condition.noise)
        if part
    )
    what = (
        "unpoisoned"
        if cell.attack == "none"
        else f"{attack_name(cell.attack)} at {percent(cell.ratio)}"
    )
    reason = "" if cell.accuracy is not None else cell.reason or "not measured"
    measured = (cell.accuracy, cell.relabelled, cell.drop, *cell.detection)
    case = _case(condition or story.record.kind, what, measured, reason)
    seconds = _train_seconds(story, cell)
    if seconds is not None:
        case.set("time", f"{seconds:.3f}")
    return case


def _numbers(measurement: Measurement) -> dict[str, str]:
    detector = measurement.tags.get("detector", "")
    name = f"{measurement.metric}.{detector}" if detector else measurement.metric
    ends = {"": measurement.value, ".low": measurement.low, ".high": measurement.high}
    known = {
        f"{name}{end}": f"{x:.6g}" for end, raw in ends.items() if (x := number(raw)) is not None
    }
    return known | {f"{name}.n": str(measurement.n)}


def _train_seconds(story: Story, cell: Cell) -> float | None:
    for measurement in story.record.select("wall_seconds", attack=cell.attack, ratio=cell.ratio):
        if cell.condition.covers(measurement.tags):
            return number(measurement.value)
    return None


def _finding(finding: Finding) -> ET.Element:
    case = ET.Element("testcase", classname=f"findings.{finding.rule}", name=finding.subject)
    failure = ET.SubElement(case, "failure", message=finding.message, type=finding.severity)
    lines = (finding.message, f"Confidence: {finding.confidence}", finding.remedy)
    failure.text = "\n".join(line for line in (*lines, *finding.references) if line)
    return case


def _properties(values: Mapping[str, str]) -> ET.Element:
    element = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(element, "property", name=name, value=value)
    return element


def _count(element: ET.Element, suite: ET.Element, record: RunRecord) -> None:
    cases = suite.findall("testcase")
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))
    element.set("time", f"{number(record.wall_seconds) or 0.0:.3f}")
