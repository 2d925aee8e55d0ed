from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_factory import make_failed, make_hostile, make_partial, make_record
from record_strategies import MEASUREMENTS, TABLES

from bezoar.contracts.records import Measurement, RunRecord, Table
from bezoar.report.data import render_json, schema


def valid(document: object) -> None:
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_the_schema_is_a_schema_with_a_description_for_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    missing = []

    def walk(node: Any, path: str) -> None:
        if not isinstance(node, dict):
            return
        for name, field in node.get("properties", {}).items():
            target = node_of(field)
            if "description" not in field and "description" not in target:
                missing.append(f"{path}/{name}")
            walk(target, f"{path}/{name}")
        for key in ("items", "additionalProperties"):
            walk(node_of(node.get(key)), f"{path}/{key}")

    def node_of(field: Any) -> Any:
        if isinstance(field, dict) and "$ref" in field:
            return schema()["$defs"][field["$ref"].rsplit("/", 1)[1]]
        return field

    walk(schema(), "")
    assert missing == []


@pytest.mark.parametrize(
    "record", [make_record(), make_record(seeds=1), make_partial(), make_failed(), make_hostile()]
)
def test_records_fit_the_schema_and_read_back_equal(record: RunRecord) -> None:
    text = render_json(record)
    valid(json.loads(text))
    assert RunRecord.from_json(text).to_json() == text


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    measurement=MEASUREMENTS.filter(lambda m: m.tags.get("ratio", 0) in (0, 0.1, 0.3, 0.7)),
    table=TABLES.filter(lambda t: t.tags.get("ratio", 0) in (0, 0.1, 0.3, 0.7)),
    seconds=st.floats(),
)
def test_numbers_that_are_not_finite_become_null_and_still_fit(
    measurement: Measurement, table: Table, seconds: float
) -> None:
    record = make_failed()
    filled = RunRecord(
        **{name: getattr(record, name) for name in record.__slots__}
        | {"measurements": (measurement,), "tables": (table,), "wall_seconds": seconds}
    )
    valid(json.loads(render_json(filled)))


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"outcome": "done"},
        {"extra": 1},
        {"seeds": ["0"]},
        {"measurements": [{"metric": "accuracy"}]},
        {"notes": "one"},
    ],
)
def test_what_is_not_a_record_does_not_fit(change: dict[str, object]) -> None:
    document = json.loads(render_json(make_failed())) | change
    with pytest.raises(jsonschema.ValidationError):
        valid(document)


def test_every_field_of_the_records_is_in_the_schema() -> None:
    for kind, node in ((RunRecord, schema()), (Measurement, schema()["$defs"]["measurement"])):
        required = set(node["required"])
        assert set(node["properties"]) == set(kind.__slots__)
        # Only what shows images has exhibits.
        assert set(node["properties"]) - {"exhibits"} == required
