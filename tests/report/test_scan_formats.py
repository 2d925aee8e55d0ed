"""SARIF, GitLab, JUnit and JSON of the same scans."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scan_records import (
    make_empty,
    make_finding,
    make_flow,
    make_hostile,
    make_imported,
    make_long,
    make_notebook,
    make_rule,
    make_scan,
    make_spread,
)

from bezoar.contracts.code_findings import (
    CodeFinding,
    Place,
    RuleFacts,
    ScanRecord,
    Skipped,
    Step,
    Suppressed,
)
from bezoar.report import scan_data, scan_gitlab, scan_html, scan_junit, scan_sarif, scan_text
from bezoar.report.scan_paths import file_uri

DATA = Path(__file__).parent / "data"


def schema_of(name: str) -> jsonschema.Draft7Validator:
    schema = json.loads((DATA / name).read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema)


SARIF = schema_of("sarif-schema-2.1.0.json")
GITLAB = schema_of("gitlab-sast.json")
JSON = jsonschema.Draft202012Validator(scan_data.schema())

RECORDS = {
    "usual": make_scan(),
    "empty": make_empty(),
    "bare": make_empty(rules=(), root="", commit="", started="", command="", version=""),
    "hostile": make_hostile(),
}


def sarif(record: ScanRecord) -> dict[str, Any]:
    return json.loads(scan_sarif.render(record))


def results(record: ScanRecord) -> list[dict[str, Any]]:
    return sarif(record)["runs"][0]["results"]


def gitlab(record: ScanRecord) -> dict[str, Any]:
    return json.loads(scan_gitlab.render(record))


def junit(record: ScanRecord) -> ET.Element:
    return ET.fromstring(scan_junit.render(record))  # noqa: S314 - our own text


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(
    ("validator", "render"),
    [(SARIF, scan_sarif.render), (GITLAB, scan_gitlab.render), (JSON, scan_data.render)],
    ids=["sarif", "gitlab", "json"],
)
def test_every_scan_fits_the_schema(
    name: str, validator: Any, render: Callable[[ScanRecord], str]
) -> None:
    validator.check_schema(validator.schema)
    errors = [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(
        json.loads(render(RECORDS[name]))
    )]  # fmt: skip
    assert errors == []


# SARIF


def test_sarif_has_a_run_for_each_tool() -> None:
    ours, theirs = sarif(make_scan())["runs"]
    assert ours["tool"]["driver"]["name"] == "Bezoar"
    assert theirs["tool"]["driver"] == {"name": "ruff", "rules": [{"id": "S113"}]}
    assert [r["ruleId"] for r in theirs["results"]] == ["S113"]
    assert len(ours["results"]) == 5 + 2


def test_sarif_rules_carry_what_code_hosts_show() -> None:
    driver = sarif(make_scan())["runs"][0]["tool"]["driver"]
    rule = driver["rules"][0]
    assert rule["id"] == "QSA103"
    assert rule["properties"]["security-severity"] == "8.0"
    assert rule["properties"]["precision"] == "high"
    assert rule["properties"]["tags"][:3] == ["security", "external/cwe/cwe-022",
                                              "external/cwe/cwe-400"]  # fmt: skip
    assert rule["helpUri"] == "https://cwe.mitre.org/data/definitions/22.html"
    assert "What to do" in rule["help"]["text"]
    assert "**What to do:**" in rule["help"]["markdown"]
    severities = {r["id"]: r["properties"]["security-severity"] for r in driver["rules"]}
    assert severities["QSA301"] == "9.5"
    assert severities["QSA402"] == "5.5"
    assert severities["QSA503"] == "3.0"


def test_sarif_texts_of_a_rule_stay_within_what_code_hosts_take() -> None:
    long = make_rule("QSA201", "word " * 400, why="why " * 900, tags=tuple(map(str, range(50))))
    (rule,) = sarif(make_scan(rules=(long,)))["runs"][0]["tool"]["driver"]["rules"]
    assert len(rule["name"]) <= 255
    assert len(rule["shortDescription"]["text"]) <= 1024
    assert len(rule["fullDescription"]["text"]) <= 1024
    assert len(rule["properties"]["tags"]) == 20
    assert long.why.strip() in rule["help"]["text"]


def test_sarif_weaknesses_are_taxa_that_rules_point_to() -> None:
    run = sarif(make_scan())["runs"][0]
    (taxonomy,) = run["taxonomies"]
    taxa = {taxon["id"]: taxon["guid"] for taxon in taxonomy["taxa"]}
    for rule in run["tool"]["driver"]["rules"]:
        for relationship in rule["relationships"]:
            target = relationship["target"]
            assert taxa[target["id"]] == target["guid"]
            assert target["toolComponent"]["guid"] == taxonomy["guid"]


def test_sarif_results_point_to_their_rule_and_place() -> None:
    run = sarif(make_scan())["runs"][0]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    spread = next(r for r in run["results"] if r["ruleId"] == "QSA503")
    location = spread["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "model.py", "uriBaseId": "SRCROOT"}
    assert location["region"] == {
        "startLine": 60, "startColumn": 10, "endLine": 70, "endColumn": 2,
    }  # fmt: skip
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == "file:///srv/qml%20project/"
    assert spread["level"] == "note"


def test_sarif_tells_the_flow_from_source_to_sink() -> None:
    (result,) = (r for r in results(make_scan()) if "codeFlows" in r)
    (flow,) = result["codeFlows"]
    steps = [one["location"] for one in flow["threadFlows"][0]["locations"]]
    assert [s["physicalLocation"]["region"]["startLine"] for s in steps] == [12, 13, 14, 8]
    assert steps[0]["message"]["text"] == "the request body comes in"


def test_sarif_notebook_cells_are_logical_and_lines_those_of_the_file() -> None:
    (result,) = results(make_scan(findings=(make_notebook(),), suppressed=()))
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 57}
    assert location["physicalLocation"]["artifactLocation"]["uri"] == (
        "notebooks/%C3%9Cberblick%20%E9%87%8F%E5%AD%90.ipynb"
    )
    assert location["logicalLocations"][0]["name"] == "cell 3"
    assert result["message"]["text"].startswith("Cell 3, line 2: A provider token")


def test_sarif_keeps_suppressed_findings_with_their_reason() -> None:
    silenced = [r for r in results(make_scan()) if "suppressions" in r]
    assert [r["suppressions"][0]["kind"] for r in silenced] == ["inSource", "external"]
    assert silenced[0]["suppressions"][0]["justification"] == "round trip within the test"


def test_sarif_says_what_was_not_examined_and_when_it_ran() -> None:
    (invocation,) = sarif(make_scan())["runs"][0]["invocations"]
    texts = [n["message"]["text"] for n in invocation["toolExecutionNotifications"]]
    assert "Not examined: larger than 50 MB" in texts
    assert "The table of vulnerable versions is from 2025-06-01." in texts
    assert invocation["startTimeUtc"] == "2025-06-05T09:12:44Z"
    assert invocation["endTimeUtc"] == "2025-06-05T09:12:44Z"
    assert invocation["executionSuccessful"]


def test_sarif_fingerprints_stay_and_twins_differ() -> None:
    twin = make_finding()
    prints = [r["partialFingerprints"]["bezoar/v1"] for r in results(
        make_scan(findings=(twin, twin), suppressed=())
    )]  # fmt: skip
    assert prints == [twin.fingerprint, f"{twin.fingerprint}:1"]


def test_sarif_text_of_a_project_is_no_link() -> None:
    finding = make_finding(message="see [here](1) and [there](https://example.org)")
    (result,) = results(make_scan(findings=(finding,), suppressed=()))
    assert "](" not in result["message"]["text"]


def test_sarif_names_a_mend_that_is_not_the_usual_one() -> None:
    usual, other = make_finding(), make_finding(remedy="Delete the call.")
    first, second = results(make_scan(findings=(usual, other), suppressed=()))
    assert "What to do" not in first["message"]["text"]
    assert second["message"]["text"].endswith("What to do: Delete the call.")


def test_uris_are_encoded_and_absolute_paths_have_no_base() -> None:
    place = dataclasses.replace(make_finding().place, path="/srv/other dir/x#1.py")
    (result,) = results(make_scan(findings=(make_finding(place=place),), suppressed=()))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": "file:///srv/other%20dir/x%231.py"
    }
    assert file_uri("\\\\host\\share\\a.py") == "file://host/share/a.py"
    assert file_uri("name\udcff.py") == "name%FF.py"
    assert file_uri("name\ud800.py") == "name%3F.py"


# GitLab


def test_gitlab_findings_have_identifiers_place_and_solution() -> None:
    report = gitlab(make_scan())
    assert len(report["vulnerabilities"]) == 6
    flow = report["vulnerabilities"][4]
    assert [i["type"] for i in flow["identifiers"]] == ["bezoar_rule_id", "cwe", "cwe"]
    assert flow["identifiers"][1]["name"] == "CWE-22: Path Traversal"
    assert flow["location"] == {
        "file": "service/circuits.py", "start_line": 8, "end_line": 8, "method": "parse",
    }  # fmt: skip
    (nodes,) = flow["details"]["code_flows"]["items"]
    assert [n["node_type"] for n in nodes] == ["source", "propagation", "propagation", "sink"]
    assert flow["severity"] == "High"
    imported = report["vulnerabilities"][0]
    assert imported["identifiers"] == [
        {"type": "ruff_rule_id", "name": "ruff S113", "value": "S113"}
    ]
    assert "tracking" not in imported


def test_gitlab_ids_follow_from_the_fingerprint_alone() -> None:
    finding = make_finding()
    moved = dataclasses.replace(finding, place=dataclasses.replace(finding.place, line=9))
    first, second = (
        gitlab(make_scan(findings=(f,)))["vulnerabilities"][0] for f in (finding, moved)
    )
    assert first["id"] == second["id"]
    twins = gitlab(make_scan(findings=(finding, finding)))["vulnerabilities"]
    assert twins[0]["id"] != twins[1]["id"]
    plain = [make_imported(), dataclasses.replace(make_imported(), message="other")]
    ids = {v["id"] for v in gitlab(make_scan(findings=tuple(plain)))["vulnerabilities"]}
    assert len(ids) == 2


def test_gitlab_notebook_lines_are_those_of_the_file() -> None:
    (found,) = gitlab(make_scan(findings=(make_notebook(),)))["vulnerabilities"]
    assert found["location"]["start_line"] == found["location"]["end_line"] == 57
    assert "cell 3, line 2" in found["description"]


def test_gitlab_messages_tell_of_skipped_files_and_suppressed_findings() -> None:
    messages = gitlab(make_scan())["scan"]["messages"]
    assert {"level": "warn", "value": "Not examined: notebooks/huge.ipynb: larger than 50 MB"} in (
        messages
    )
    assert any("Suppressed: 1 by baseline" in m["value"] for m in messages)


def test_gitlab_message_cannot_become_markdown() -> None:
    finding = make_finding(message="x <img src=a> [b](https://example.org) `code <b>` @all")
    (found,) = gitlab(make_scan(findings=(finding,)))["vulnerabilities"]
    head = found["description"].split("\n")[0]
    assert head.startswith(
        "x \\<img src=a\\> \\[b\\](https\\://example.org) `code <b>` @&#8203;all"
    )


# JUnit


def test_junit_fails_findings_skips_silenced_and_passes_quiet_rules() -> None:
    root = junit(make_scan(findings=(make_flow(), make_imported())))
    assert root.attrib["failures"] == "2"
    assert root.attrib["skipped"] == "4"
    assert root.attrib["tests"] == str(2 + 2 + 2 + 4)
    passed = [c.get("classname") for c in root.iter("testcase") if len(c) == 0]
    assert passed == ["bezoar.QSA201", "bezoar.QSA301", "bezoar.QSA402", "bezoar.QSA503"]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text is not None
    for text in ("> ", "QuantumCircuit.from_qasm_str(source)", "1. service/api.py", "What to do:"):
        assert text in failure.text


def test_junit_cases_are_named_apart() -> None:
    root = junit(make_scan(findings=(make_finding(),) * 3))
    names = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
    assert len(names) == len(set(names))


def test_junit_hostile_text_stays_text() -> None:
    root = junit(make_hostile())
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure", "skipped",
    }  # fmt: skip


# All of them

TEXTS = st.text(max_size=20)
NUMBERS = st.integers(-1, 60)
PLACES = st.builds(
    Place, path=TEXTS, line=NUMBERS, column=NUMBERS, end_line=NUMBERS, end_column=NUMBERS,
    cell=st.none() | st.integers(1, 9), file_line=NUMBERS, symbol=TEXTS,
)  # fmt: skip
FINDINGS = st.builds(
    CodeFinding, rule=st.just("QSA103") | TEXTS, message=TEXTS, remedy=TEXTS, subject=TEXTS,
    severity=st.sampled_from(["low", "medium", "high", "critical"]),
    confidence=st.sampled_from(["low", "medium", "high"]), place=PLACES,
    references=st.tuples(TEXTS), code=st.lists(TEXTS, max_size=4).map(tuple), code_line=NUMBERS,
    flow=st.lists(st.builds(Step, place=PLACES, message=TEXTS, code=TEXTS), max_size=2).map(tuple),
    fingerprint=TEXTS, tool=st.just("bezoar") | TEXTS,
)  # fmt: skip
RULE_FACTS = st.builds(
    RuleFacts, id=st.just("QSA103"), title=TEXTS, why=TEXTS, remedy=TEXTS, help_uri=TEXTS,
    severity=st.sampled_from(["low", "medium", "high", "critical"]),
    confidence=st.sampled_from(["low", "medium", "high"]),
    cwe=st.lists(st.integers(1, 1500), max_size=2, unique=True).map(tuple),
    frameworks=st.tuples(TEXTS), tags=st.tuples(TEXTS),
)  # fmt: skip
SCANS = st.builds(
    ScanRecord, findings=st.lists(FINDINGS, max_size=3).map(tuple),
    suppressed=st.lists(
        st.builds(Suppressed, finding=FINDINGS, reason=TEXTS, by=TEXTS), max_size=1
    ).map(tuple),
    rules=st.lists(RULE_FACTS, max_size=1).map(tuple), root=TEXTS, n_files=st.integers(0, 9),
    n_lines=st.integers(0, 9), skipped=st.lists(st.builds(Skipped, path=TEXTS, reason=TEXTS),
    max_size=2).map(tuple), notes=st.tuples(TEXTS), version=TEXTS, commit=TEXTS, started=TEXTS,
    wall_seconds=st.floats(0, 1e6), command=TEXTS,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(record=SCANS)
def test_any_record_makes_a_valid_report_in_every_format(record: ScanRecord) -> None:
    for validator, render in (
        (SARIF, scan_sarif.render), (GITLAB, scan_gitlab.render), (JSON, scan_data.render),
    ):  # fmt: skip
        text = render(record)
        text.encode()
        validator.validate(json.loads(text))
    ET.fromstring(scan_junit.render(record).encode())  # noqa: S314
    scan_html.render(record).encode()
    scan_text.render(record, colour=True, width=80).encode()


@pytest.mark.parametrize("record", [make_scan(), make_empty(), make_hostile()])
def test_json_reads_back_equal(record: ScanRecord) -> None:
    assert ScanRecord.from_json(scan_data.render(record)) == record


def test_every_field_of_the_records_is_in_the_schema() -> None:
    schema = scan_data.schema()
    nodes = {
        ScanRecord: schema, CodeFinding: schema["$defs"]["finding"],
        Place: schema["$defs"]["place"], Step: schema["$defs"]["step"],
        RuleFacts: schema["$defs"]["rule"], Suppressed: schema["$defs"]["suppressed"],
        Skipped: schema["$defs"]["skipped"],
    }  # fmt: skip
    for kind, node in nodes.items():
        names = {field.name for field in dataclasses.fields(kind)}
        assert set(node["properties"]) == names == set(node["required"])
        for name, field in node["properties"].items():
            assert "description" in field or "$ref" in field, name


@pytest.mark.parametrize(
    "change", [{"kind": "audit"}, {"format_version": 2}, {"extra": 1}, {"n_files": -1}]
)
def test_what_is_not_a_scan_does_not_fit(change: dict[str, object]) -> None:
    document = json.loads(scan_data.render(make_scan())) | change
    with pytest.raises(jsonschema.ValidationError):
        JSON.validate(document)


def test_a_masked_secret_is_all_that_any_format_shows() -> None:
    secret = "abcd" + "0123456789" * 12
    record = make_scan(findings=(make_notebook(),))
    for text in (
        scan_sarif.render(record), scan_gitlab.render(record), scan_junit.render(record),
        scan_data.render(record), scan_html.render(record),
        scan_text.render(record, colour=False, width=300),
    ):  # fmt: skip
        assert secret[4:12] not in text


def test_long_findings_stay_small() -> None:
    record = make_scan(findings=(make_long(), make_spread()), rules=(make_rule("QSA402", "x"),))
    assert len(scan_junit.render(record)) < 6000
