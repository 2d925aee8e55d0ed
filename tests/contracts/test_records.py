"""Run records: their JSON says all that they say, and nothing else is taken for one."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.records import (
    Finding,
    Measurement,
    RunRecord,
    Table,
    ThreatModel,
    hash_of,
    read_record,
)

NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
TAGS = st.dictionaries(
    st.text(max_size=5), st.text(max_size=5) | st.booleans() | st.integers() | st.floats(0, 1)
)
MEASUREMENTS = st.builds(
    Measurement,
    metric=st.text(max_size=5),
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    n=st.integers(0, 9),
    seeds=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    unit=st.just("fraction"),
    better=st.sampled_from(["higher", "lower", "neither"]),
    tags=TAGS,
)


def measurement(metric: str = "accuracy", value: float | None = 0.5, **tags: Any) -> Measurement:
    return Measurement(
        metric=metric,
        value=value,
        low=None,
        high=None,
        n=1,
        seeds=(0,),
        unit="fraction",
        better="higher",
        tags=tags,
    )


def record(**changes: Any) -> RunRecord:
    whole = RunRecord(
        kind="audit",
        plan={"data": "iris", "ratios": [0.1, 0.3], "nested": {"on": True, "none": None}},
        plan_hash="abc",
        versions={"bezoar": "0.1"},
        seeds=(0, 1),
        outcome="partial",
        command="bezoar audit iris",
        commit="",
        started="2026-01-01T00:00:00Z",
        wall_seconds=1.5,
        measurements=(
            measurement(attack="none", ratio=0.0),
            measurement(attack="quid", ratio=0.1),
            measurement("wall_seconds", 2.0),
        ),
        tables=(
            Table(
                name="confusion",
                row_title="true class",
                column_title="predicted class",
                rows=("cat", "dog"),
                columns=("cat", "dog"),
                values=((0.9, 0.1), (None, 1.0)),
                unit="fraction",
                n=2,
                tags={"attack": "quid"},
            ),
        ),
        findings=(
            Finding(
                rule="drop",
                severity="high",
                confidence="medium",
                subject="model",
                message="falls by 0.4",
                remedy="check labels",
                references=("arXiv 2411.14412",),
            ),
        ),
        threat_models={
            "quid": ThreatModel(
                goal="g",
                knows=("a", "b"),
                changes=("c",),
                budget="b",
                needs_training=False,
                answered_by="n",
                source="s",
            )
        },
        notes=("one seed was lost",),
        failures=("cell 3: out of memory",),
    )
    return dataclasses.replace(whole, **changes)


def test_reads_back_equal() -> None:
    assert RunRecord.from_json(record().to_json()) == record()


@given(st.lists(MEASUREMENTS, max_size=3), st.lists(st.text(max_size=5), max_size=2))
def test_any_finite_measurement_reads_back_equal(
    measurements: list[Measurement], notes: list[str]
) -> None:
    whole = record(measurements=tuple(measurements), notes=tuple(notes))
    assert RunRecord.from_json(whole.to_json()) == whole


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_becomes_null(value: float) -> None:
    text = record(measurements=(measurement(value=value),)).to_json()
    assert json.loads(text)["measurements"][0]["value"] is None
    assert "NaN" not in text
    assert "Infinity" not in text


def test_selects_by_metric_and_tags() -> None:
    whole = record()
    assert len(whole.select("accuracy")) == 2
    assert whole.select("accuracy", attack="quid", ratio=0.1) == (whole.measurements[1],)
    assert whole.select("accuracy", attack="quid", ratio=0.3) == ()
    assert whole.select("accuracy", unheard=1) == ()
    assert whole.tables_named("confusion", attack="quid") == whole.tables
    assert whole.tables_named("confusion", attack="none") == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}", '{"kind": "audit"}'])
def test_refuses_text_that_is_no_record(text: str) -> None:
    with pytest.raises(FileProblem, match=r"r\.json: is not a Bezoar record; name a record\.json"):
        RunRecord.from_json(text, path="r.json")


def test_refuses_another_version() -> None:
    text = record(format_version=99).to_json()
    with pytest.raises(FileProblem, match=r"has record format 99, this Bezoar reads 1"):
        RunRecord.from_json(text)


@pytest.mark.parametrize(
    "damage",
    [
        {"seeds": None},
        {"measurements": [{"metric": "accuracy"}]},
        {"measurements": [3]},
        {"tables": [{"name": "x"}]},
        {"threat_models": []},
        {"surprise": 1},
    ],
)
def test_refuses_a_damaged_record(damage: dict[str, Any]) -> None:
    raw = json.loads(record().to_json())
    with pytest.raises(FileProblem, match="is a damaged Bezoar record"):
        RunRecord.from_json(json.dumps({**raw, **damage}))


@pytest.mark.parametrize("missing", ["kind", "measurements", "wall_seconds"])
def test_refuses_a_record_without_a_field(missing: str) -> None:
    raw = json.loads(record().to_json())
    del raw[missing]
    with pytest.raises(FileProblem, match="is a damaged Bezoar record"):
        RunRecord.from_json(json.dumps(raw))


def test_reads_a_file_or_the_one_in_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(record().to_json(), encoding="utf-8")
    assert read_record(path) == read_record(str(tmp_path)) == record()
    path.write_bytes(b"\xff\xfe")
    for place in (path, tmp_path / "nothing", tmp_path / "nothing" / "record.json"):
        with pytest.raises(FileProblem, match="cannot be read as a run record"):
            read_record(place)


def test_equal_plans_hash_alike_whatever_their_order_and_kind_of_sequence() -> None:
    assert hash_of({"a": 1, "b": (1, 2)}) == hash_of({"b": [1, 2], "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 2})
    assert len(hash_of(None)) == 16
    # Written down, so that no change of this module makes old runs look new unnoticed.
    assert hash_of({"data": "iris", "ratio": 0.1}) == "db2350e874476abb"


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        record().kind = "scan"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value"),
    [("notes", "text"), ("failures", [1]), ("seeds", "0"), ("measurements", [{"value": "high"}])],
)
def test_a_record_with_fields_of_the_wrong_kind_is_damaged(field: str, value: object) -> None:
    raw = json.loads(record().to_json()) | {field: value}
    with pytest.raises(FileProblem, match="damaged"):
        RunRecord.from_json(json.dumps(raw))
