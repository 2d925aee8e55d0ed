"""Audits of data of every shape, and of plans at their edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from small_audits import clouds, only, saved, small_plan

from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarError, FileProblem, InvalidArgument, InvalidData
from bezoar.contracts.records import RunRecord
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.experiment import cells_of
from bezoar.evaluate.plan import AuditPlan
from bezoar.report import render
from bezoar.report.data import schema


def checked(record: RunRecord) -> RunRecord:
    """The record, which fits the schema and can be told in every form."""
    jsonschema.Draft202012Validator(schema()).validate(json.loads(record.to_json()))
    for form in ("html", "md", "json", "junit"):
        assert render(record, form)
    return record


def test_one_seed_has_no_interval_and_says_so(tmp_path: Path) -> None:
    record = checked(run_audit(small_plan(seeds=1), tmp_path))
    for m in record.measurements:
        if m.metric != "wall_seconds":
            assert (m.low, m.high, m.n, m.seeds) == (None, None, 1, (0,))
    assert any(note.startswith("One seed") for note in record.notes)
    assert all(finding.confidence == "low" for finding in record.findings)


def test_a_ratio_of_0_is_the_baseline_and_no_cell_of_its_own(tmp_path: Path) -> None:
    plan = small_plan(ratios=(0.0, 0.3), attacks=("quid",), seeds=1)
    assert [cell.ratio for cell in cells_of(plan)] == [0.0, 0.3]
    record = checked(run_audit(plan, tmp_path))
    assert {(m.tags["attack"], m.tags["ratio"]) for m in record.select("accuracy")} == {
        ("none", 0.0),
        ("quid", 0.3),
    }


@pytest.mark.parametrize("change", [{"attacks": ()}, {"ratios": ()}, {"ratios": (0.0,)}], ids=str)
def test_without_an_attack_there_is_the_baseline_alone(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    record = checked(run_audit(small_plan(**change), tmp_path))
    assert record.outcome == "complete"
    assert only(record.select("accuracy")).tags["attack"] == "none"
    assert not record.select("accuracy_drop")
    assert record.select("nearest_class_accuracy")
    assert record.findings == ()


def test_a_ratio_too_small_to_poison_anything_changes_nothing(tmp_path: Path) -> None:
    record = checked(run_audit(small_plan(ratios=(1e-6,), attacks=("quid", "bilevel")), tmp_path))
    for attack in ("quid", "bilevel"):
        assert only(record.select("changed_share", attack=attack)).value == 0
        assert only(record.select("accuracy_drop", attack=attack)).value == 0
        # Nothing to find: no score can be right or wrong.
        assert not record.select("detection_auroc", attack=attack)


def test_at_almost_1_a_detector_without_a_second_class_fails_and_the_accuracy_stays(
    tmp_path: Path,
) -> None:
    # Two samples stay clean; where they are of one class, QUID has one label for all others.
    plan = small_plan(ratios=(0.98,), attacks=("random", "quid", "bilevel"), epochs=1)
    record = checked(run_audit(plan, tmp_path))
    assert record.outcome == "partial"
    for line in record.failures:
        assert "detector state-similarity: labels: wanted samples of two classes" in line
    for attack in plan.attacks:
        assert only(record.select("accuracy", attack=attack)).n == 2
    assert only(record.select("changed_share", attack="random")).value == 103 / 105


def test_without_detectors(tmp_path: Path) -> None:
    record = checked(run_audit(small_plan(detectors=(), seeds=1), tmp_path))
    assert not record.select("detection_auroc")
    assert record.outcome == "complete"


def test_every_registered_attack_runs(tmp_path: Path) -> None:
    attacks = plugins.names("attacks")
    # Those that train models take their time with each sample.
    plan = small_plan(attacks=attacks, epochs=1, seeds=1, samples=30)
    record = checked(run_audit(plan, tmp_path))
    assert record.failures == ()
    assert {m.tags["attack"] for m in record.select("accuracy")} == {"none", *attacks}


def test_two_classes(tmp_path: Path) -> None:
    record = checked(run_audit(small_plan(data="breast-cancer", samples=80, epochs=1), tmp_path))
    table = record.tables_named("confusion", attack="none")[0]
    assert table.rows == ("malignant", "benign")
    # With two classes QUID and a coin have one wrong label to give.
    found = only(record.select("relabel_invariant_accuracy", attack="quid"))
    assert found.value is not None
    assert found.value >= 0.5


def test_many_classes(tmp_path: Path) -> None:
    data = clouds(26 * 6, tuple("abcdefghijklmnopqrstuvwxyz"), n_features=6)
    plan = small_plan(data=saved(tmp_path, data), seeds=1, epochs=1)
    record = checked(run_audit(plan, tmp_path / "out"))
    assert len(record.select("recall", attack="quid")) == 26
    assert len(record.tables_named("class_distance", distance="frobenius")[0].values) == 26


def test_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((60, 1, 8, 8))
    labels = np.arange(60) % 2
    images[labels == 1, :, :4] += 1
    data = Dataset(features=images, labels=labels, ids=np.arange(60), class_names=("low", "high"))
    plan = small_plan(
        data=saved(tmp_path, data), attacks=("random", "quid", "bilevel"), seeds=1, epochs=1
    )
    record = checked(run_audit(plan, tmp_path / "out"))
    assert record.plan["features"] == 8
    assert record.outcome == "complete"


def test_labels_of_text_and_ids_from_a_table(tmp_path: Path) -> None:
    lines = ["id;length;width;species"]
    data = clouds(40, ("cat", "dog"), n_features=2)
    for i, x, code in zip(data.ids, data.features, data.labels, strict=True):
        lines.append(f"{i};{x[0]};{x[1]};{data.class_names[code]}")
    path = tmp_path / "animals.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plan = small_plan(data=str(path), label="species", seeds=1)
    record = checked(run_audit(plan, tmp_path / "out"))
    assert record.plan["classes"] == ["cat", "dog"]
    assert "--label species" in record.command


@pytest.mark.parametrize(
    "settings",
    [
        {"encoding": "amplitude", "reduce": "none"},
        {"encoding": "iqp"},
        {"axes": "HZX"},
        {"axes": "XY", "ansatz": "sim-6"},
        {"qubits": 4, "ansatz": "strongly-entangling", "layers": 2},
        {"reduce": "autoencoder", "features": 2, "samples": 60},
        {"gradient": "spsa", "shots": 20},
        {"gradient": "parameter-shift"},
        {"gradient": "spsa-pennylane"},
        {"metric": "trace"},
        {"metric": "fidelity"},
        {"dtype": "float64", "optimizer": "sgd", "batch_size": 1000},
        {"noise": ("readout:0.1", "over-rotation:0.05", "dep:1", "none")},
        {"noise": ("ad-dep:0.05",), "noise_on_encoding": False},
        {"features": 1},
        {"qubits": 12},
    ],
    ids=str,
)
def test_every_setting_runs(tmp_path: Path, settings: dict[str, Any]) -> None:
    record = checked(run_audit(small_plan(**{"seeds": 1, "epochs": 1} | settings), tmp_path))
    assert record.outcome == "complete", record.failures
    assert {m.tags["noise"] for m in record.select("accuracy")} == set(record.plan["noise"])


def test_constant_features_and_repeated_samples(tmp_path: Path) -> None:
    features = np.repeat(np.arange(4.0), 10)[:, None] * [1.0, 0.0, 0.0]
    data = Dataset(
        features=features,
        labels=np.repeat([0, 1, 0, 1], 10),
        ids=np.arange(40),
        class_names=("a", "b"),
    )
    for reduce in ("pca", "none"):
        plan = small_plan(data=saved(tmp_path, data), reduce=reduce, seeds=1)
        assert checked(run_audit(plan, tmp_path / reduce)).outcome == "complete"


def _bad(features: Any, labels: Any, names: tuple[str, ...] = ("a", "b")) -> Dataset:
    return Dataset(features=features, labels=labels, ids=np.arange(len(labels)), class_names=names)


_X = np.random.default_rng(0).normal(size=(20, 4))
_Y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        (_bad(_X, 0 * _Y), InvalidData, "20 samples of 1 class"),
        (_bad(_X[:3], [0, 1, 2], tuple("abcde")), InvalidData, "3 samples for 5 classes"),
        (_bad(_X, np.r_[_Y[:-1], 2], tuple("abc")), InvalidData, "class 'c', which vanishes"),
        (_bad(_X, _Y, tuple("abc")), InvalidData, "0 of class 'c', which vanishes"),
        (_bad(0 * _X, _Y), InvalidData, "all the same"),
        (_bad(1e300 * _X, _Y), InvalidData, "magnitudes"),
        (_bad(_X[:4], _Y[:4]), InvalidArgument, "at most 2"),
        (_bad(_X, _Y, ("a\udc80", "b")), InvalidData, r"UTF-8 can hold, got 'a\\udc80'"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused_and_leaves_no_folder(
    tmp_path: Path, data: Dataset, error: type[BezoarError], told: str
) -> None:
    plan = small_plan(data=saved(tmp_path, data))
    with pytest.raises(error, match=told):
        run_audit(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"qubits": 1}, "use 2 qubits or reduce the data to 2 features"),
        ({"features": 5}, "at most 4"),
        ({"axes": "ZX"}, "its feature would be lost"),
        ({"axes": "Q"}, "letters X, Y and Z"),
        ({"encoding": "iqp", "axes": "XY"}, "do not apply to"),
        ({"qubits": 40, "ansatz": "sim-6"}, "entangled qubits"),
        ({"qubits": 40, "ansatz": "sim-6", "noise": ("dep:0.1",)}, "entangled qubits"),
        ({"samples": 2}, "one for each class"),
        ({"samples": 1000}, "150"),
        ({"classes": ("setosa",)}, "two different classes"),
        ({"classes": ("setosa", "virginca")}, "did you mean 'virginica'"),
        ({"label": "species"}, "registered data set"),
        ({"device": "no-such"}, "device"),
        ({"data": "irs"}, "did you mean 'iris'"),
    ],
    ids=str,
)
def test_requests_that_cannot_be_met_are_refused_and_leave_no_folder(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidArgument, match=told):
        run_audit(small_plan(**settings), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["", "record.json", "cells"])
def test_what_is_in_the_way_is_told_before_the_work(tmp_path: Path, where: str) -> None:
    out = tmp_path / "out"
    blocked = out / where
    if where == "record.json":
        blocked.mkdir(parents=True)
    else:
        blocked.parent.mkdir(exist_ok=True)
        blocked.write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))

    def fail(task: str, done: int, total: int) -> None:
        raise AssertionError("the work began")

    with pytest.raises(FileProblem):
        run_audit(small_plan(), out, progress=fail)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_knows_its_own_defaults_for_a_first_run() -> None:
    plan = AuditPlan(**AuditPlan.first_settings({}))
    cells = list(cells_of(plan))
    assert len(cells) == len(set(cells)) == 2 * 5 * (1 + 3 * 4)
