"""The judge of circuit backdoors: what its record says, resuming, and what goes wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bezoar.contracts.errors import BezoarError, InvalidArgument, UnknownName
from bezoar.contracts.records import RunRecord, read_record
from bezoar.evaluate import circuit_backdoors
from bezoar.evaluate.circuit_backdoor_plan import CircuitBackdoorPlan
from bezoar.evaluate.circuit_backdoors import run_circuit_backdoor


def small_plan(**settings: Any) -> CircuitBackdoorPlan:
    defaults: dict[str, Any] = {"data": "iris", "seeds": 2, "epochs": 8, "armed": (0.5,)}
    return CircuitBackdoorPlan(**defaults | settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    run_circuit_backdoor(small_plan(), out)
    return out


@pytest.fixture(scope="module")
def record(folder: Path) -> RunRecord:
    return read_record(folder)


def value(record: RunRecord, metric: str, **tags: Any) -> float:
    (found,) = record.select(metric, **tags)
    assert found.value is not None
    return found.value


def test_the_record_tells_plan_threats_and_outcome(record: RunRecord) -> None:
    assert (record.kind, record.outcome, record.failures) == ("circuit-backdoor", "complete", ())
    assert record.threat_models.keys() == {"qtrojan", "qdoor"}
    assert record.plan["target_class"] == "setosa"
    assert record.command == "bezoar backdoor circuit iris --armed 0.5 --seeds 2 --epochs 8"
    assert all(m.seeds == (0, 1) and m.n == 2 for m in record.measurements)


def test_a_trojan_that_is_off_is_the_honest_network(record: RunRecord) -> None:
    of = {"attack": "qtrojan", "network": "trojan", "armed": 0.0}
    assert value(record, "accuracy", **of) == value(
        record, "accuracy", attack="qtrojan", network="honest"
    )
    assert value(record, "circuit_distance", **of) == pytest.approx(0, abs=1e-6)
    assert value(record, "disagreement", probes="random", **of) == 0
    assert value(record, "detection", **of) == 1
    assert value(record, "dormant_gates", **of) == value(record, "inserted_gates", **of)
    assert not record.select("attack_success_rate", **of)


def test_a_trojan_that_is_on_sends_everything_to_the_target(record: RunRecord) -> None:
    of = {"attack": "qtrojan", "network": "trojan", "armed": 1.0}
    assert value(record, "attack_success_rate", **of) == 1
    # A third of the test samples is of the target class.
    assert value(record, "accuracy", **of) == pytest.approx(1 / 3)


@pytest.mark.parametrize("version", ["exact", "synthesised"])
@pytest.mark.parametrize("network", ["honest", "synthesis-aware", "qdoor"])
def test_every_network_of_qdoor_has_its_rates(
    record: RunRecord, network: str, version: str
) -> None:
    for metric in ("accuracy", "leak", "triggered_accuracy", "attack_success_rate"):
        assert 0 <= value(record, metric, network=network, version=version, attack="qdoor") <= 1


def test_controls_drop_as_many_gates_where_they_know_of_the_synthesis(record: RunRecord) -> None:
    aware, door = (
        value(record, "dropped_gates", network=m, version="synthesised")
        for m in ("synthesis-aware", "qdoor")
    )
    assert aware == door > 0


def test_every_number_has_its_place_in_the_report(record: RunRecord) -> None:
    states = {m.tags["state"] for m in record.measurements}
    assert {"untouched", "dormant", "armed", "armed at 0.5"} <= states
    told = {(m.metric, json.dumps(dict(m.tags), sort_keys=True)) for m in record.measurements}
    assert len(told) == len(record.measurements)


def test_a_finding_needs_success_above_the_leak(record: RunRecord) -> None:
    assert "qtrojan" in {f.subject.split()[0] for f in record.findings}
    plan = small_plan(tolerance=1.0)
    assert circuit_backdoors._findings(plan, record.measurements) == ()


def test_the_same_call_computes_nothing_again(
    folder: Path, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_backdoors, "_MEASURE", {})
    again = run_circuit_backdoor(small_plan(), folder)
    assert again.measurements == record.measurements


def test_a_failed_repetition_is_told_and_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dict(circuit_backdoors._MEASURE)

    def fails(plan: CircuitBackdoorPlan, given: Any) -> Any:
        if given.seed:
            raise RuntimeError("no power")
        return whole["qtrojan"](plan, given)

    monkeypatch.setattr(circuit_backdoors, "_MEASURE", whole | {"qtrojan": fails})
    record = run_circuit_backdoor(small_plan(attacks=("qtrojan",)), tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == 1
    assert "no power" in record.failures[0]
    assert {m.seeds for m in record.measurements} == {(0,)}


def test_an_encoding_that_cannot_be_blinded_fails_with_its_reason(tmp_path: Path) -> None:
    plan = small_plan(encoding="amplitude", attacks=("qtrojan",), seeds=1)
    record = run_circuit_backdoor(plan, tmp_path)
    assert (record.outcome, record.measurements, record.findings) == ("failed", (), ())
    assert "STATE" in record.failures[0]


def test_networks_are_trained_and_measured_under_noise(tmp_path: Path) -> None:
    plan = small_plan(noise="ad-dep:0.05", attacks=("qtrojan",), seeds=1, epochs=4)
    record = run_circuit_backdoor(plan, tmp_path)
    (off,) = record.select("circuit_distance", armed=0.0)
    assert off.value == pytest.approx(0, abs=1e-6)
    assert record.plan["noise"] == "ad-dep:0.05"


def test_the_record_is_json_and_reads_back(folder: Path, record: RunRecord) -> None:
    json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"attacks": ()}, InvalidArgument),
        ({"attacks": ("qbadger",)}, UnknownName),
        ({"armed": (1.5,)}, InvalidArgument),
        ({"noise": "fake-device:ibm"}, BezoarError),
        ({"trigger": "feature:a"}, BezoarError),
        ({"threshold": -1.0}, InvalidArgument),
        ({"bits": 0}, InvalidArgument),
        ({"wires": 0}, InvalidArgument),
        ({"share": 2.0}, InvalidArgument),
        ({"seeds": 0}, InvalidArgument),
        ({"validation": 0.7}, InvalidArgument),
        ({"validation": 0.0}, InvalidArgument),
        ({"tolerance": -0.1}, InvalidArgument),
        ({"ansatz": "sim-99"}, UnknownName),
        ({"epochs": 1.5}, InvalidArgument),
    ],
)
def test_plans_that_cannot_be_carried_out_are_refused(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        small_plan(**wrong)


def test_a_plan_comes_from_settings_and_toml(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('data = "iris"\nbatch-size = 16\n', encoding="utf-8")
    assert CircuitBackdoorPlan.from_toml(path) == CircuitBackdoorPlan(data="iris", batch_size=16)
    with pytest.raises(UnknownName, match="plan: key"):
        CircuitBackdoorPlan.from_settings({"colour": 1}, source="plan")


def test_a_target_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="target"):
        run_circuit_backdoor(small_plan(target="rose"), tmp_path)


def test_what_decides_a_cell_is_in_its_key() -> None:
    plan = small_plan()
    names = {field.name for field in dataclasses.fields(plan)}
    assert names - plan.cell_settings().keys() == {"data", "attacks", "seeds", "tolerance"}
