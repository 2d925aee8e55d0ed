from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from record_factory import make_hostile, make_partial, make_record
from record_strategies import RECORDS

from bezoar.contracts.records import RunRecord
from bezoar.report import junit


def parse(record: RunRecord) -> ET.Element:
    return ET.fromstring(junit.render(record))  # noqa: S314 - our own text


def test_one_case_for_each_cell_and_each_finding() -> None:
    root = parse(make_record())
    cases = root.findall(".//testcase")
    assert len(cases) == 2 * (1 + 3 * 4) + 2
    assert len({(c.get("classname"), c.get("name")) for c in cases}) == len(cases)
    assert root.get("tests") == str(len(cases))
    assert root.get("failures") == "2"
    assert root.get("errors") == root.get("skipped") == "0"


def test_a_cell_carries_its_numbers() -> None:
    case = next(c for c in parse(make_record()).iter("testcase") if c.get("name") == "QUID at 30 %")
    numbers = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert numbers["accuracy"] == "0.725"
    assert numbers["accuracy.n"] == "5"
    assert "detection_auroc.state-similarity" in numbers
    assert case.get("time") == "0.440"


def test_a_finding_fails_with_its_remedy() -> None:
    failure = parse(make_record()).find(".//failure")
    assert failure is not None
    assert failure.get("type") == "high"
    assert "Verify a random 5 %" in (failure.text or "")


def test_what_was_not_measured_is_skipped_and_what_failed_is_an_error() -> None:
    root = parse(make_partial())
    (skipped,) = root.findall(".//skipped")
    assert skipped.get("message") == "the loss became NaN"
    assert len(root.findall(".//error")) == 2
    assert root.get("errors") == "2"


def test_hostile_text_stays_text() -> None:
    root = parse(make_hostile())
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure", "error",
    }  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(record=RECORDS)
def test_the_xml_is_well_formed_for_any_text(record: RunRecord) -> None:
    root = ET.fromstring(junit.render(record).encode())  # noqa: S314
    assert len(root.findall(".//failure")) == len(record.findings)
