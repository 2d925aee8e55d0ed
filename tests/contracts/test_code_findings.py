"""Scan records: their JSON form, their order, their thresholds."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.code_findings import (
    SEVERITIES,
    CodeFinding,
    Place,
    RuleFacts,
    ScanRecord,
    Skipped,
    Step,
    Suppressed,
    at_least,
    finding_from,
    ordered,
)
from bezoar.contracts.errors import FileProblem

PLACE = Place(path="a.py", line=3, column=5, end_line=3, end_column=9, file_line=3, symbol="f")
FINDING = CodeFinding(
    rule="QSA103",
    severity="high",
    confidence="medium",
    subject="a.py:3:5",
    message="told",
    remedy="mend",
    references=("text <https://example.org>",),
    place=PLACE,
    code=("x = 1", "y = load(x)"),
    code_line=2,
    flow=(Step(place=PLACE, message="comes", code="x = 1"),),
    fingerprint="0" * 32,
)
FACTS = RuleFacts(
    id="QSA103",
    title="Title",
    severity="high",
    confidence="high",
    cwe=(22, 400),
    frameworks=("qiskit",),
    why="Why",
    remedy="mend",
    help_uri="https://example.org",
    tags=("parsing",),
)
RECORD = ScanRecord(
    findings=(FINDING,),
    suppressed=(Suppressed(finding=FINDING, reason="because", by="comment"),),
    rules=(FACTS,),
    root="/project",
    n_files=1,
    n_lines=4,
    skipped=(Skipped(path="x.py", reason="is no regular file"),),
    notes=("a note",),
    version="1",
    commit="",
    started="2026-01-01T00:00:00+00:00",
    wall_seconds=0.5,
    command="bezoar scan .",
)

texts = st.text(max_size=20)
places = st.builds(
    Place,
    path=texts,
    line=st.integers(1, 99),
    column=st.integers(1, 99),
    end_line=st.integers(1, 99),
    end_column=st.integers(1, 99),
    cell=st.none() | st.integers(1, 9),
    file_line=st.integers(1, 99),
    symbol=texts,
)
findings = st.builds(
    CodeFinding,
    rule=texts,
    severity=st.sampled_from(SEVERITIES),
    confidence=st.sampled_from(("low", "medium", "high")),
    subject=texts,
    message=texts,
    remedy=texts,
    references=st.lists(texts, max_size=2).map(tuple),
    place=places,
    code=st.lists(texts, max_size=3).map(tuple),
    code_line=st.integers(1, 99),
    code_column=st.integers(1, 99),
    flow=st.lists(st.builds(Step, place=places, message=texts, code=texts), max_size=2).map(tuple),
    fingerprint=texts,
    tool=texts,
)


def test_a_record_comes_back_as_it_was_written() -> None:
    assert ScanRecord.from_json(RECORD.to_json()) == RECORD
    assert RECORD.to_json().endswith("}\n")


@given(st.lists(findings, max_size=3))
def test_any_record_comes_back_as_it_was_written(found: list[CodeFinding]) -> None:
    record = dataclasses.replace(
        RECORD,
        findings=tuple(found),
        suppressed=tuple(Suppressed(finding=each, reason="", by="baseline") for each in found),
    )
    assert ScanRecord.from_json(record.to_json()) == record
    for each in found:
        assert finding_from(json.loads(json.dumps(dataclasses.asdict(each)))) == each


@pytest.mark.parametrize(
    "changes",
    [{"kind": "audit"}, {"format_version": 2}, {"findings": [5]}, {"findings": 5}, {"new": 1}],
)
def test_what_is_no_scan_record(changes: dict[str, object]) -> None:
    raw = json.loads(RECORD.to_json()) | changes
    with pytest.raises(FileProblem, match=r"scan\.json: is not a scan record of format 1"):
        ScanRecord.from_json(json.dumps(raw), path="scan.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", '"kind"'])
def test_what_is_no_record_at_all(text: str) -> None:
    with pytest.raises(FileProblem, match="is not a scan record"):
        ScanRecord.from_json(text)


def test_a_record_that_lacks_a_part() -> None:
    raw = json.loads(RECORD.to_json())
    for name in raw:
        if name in ("kind", "format_version"):
            continue
        with pytest.raises(FileProblem):
            ScanRecord.from_json(json.dumps({key: raw[key] for key in raw if key != name}))


def test_places_are_told_as_editors_want_them() -> None:
    assert str(PLACE) == "a.py:3:5"
    assert str(dataclasses.replace(PLACE, cell=7)) == "a.py:cell 7:3:5"


@given(st.permutations(range(6)))
def test_the_order_is_by_place_and_rule(order: list[int]) -> None:
    wanted = [
        dataclasses.replace(FINDING, place=place, rule=rule)
        for place, rule in (
            (Place(path="a.ipynb", line=9, cell=1), "B"),
            (Place(path="a.ipynb", line=2, cell=2), "A"),
            (Place(path="a.py", line=2, file_line=2, column=3), "B"),
            (Place(path="a.py", line=2, file_line=2, column=4), "A"),
            (Place(path="a.py", line=2, file_line=2, column=4), "B"),
            (Place(path="a.py", line=10, file_line=10), "A"),
        )
    ]
    assert list(ordered([wanted[index] for index in order])) == wanted


def test_thresholds() -> None:
    for position, severity in enumerate(SEVERITIES):
        reached = [threshold for threshold in SEVERITIES if at_least(severity, threshold)]
        assert reached == list(SEVERITIES[: position + 1])


def test_rules_are_found_by_id() -> None:
    assert RECORD.rule("QSA103") is FACTS
    assert RECORD.rule("S301") is None
