"""Poisoned copies of a data set, and the truth beside them."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audits import clouds, saved, small_plan

from bezoar.attacks.named import attacks_white_box
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarError, FileProblem, InvalidArgument, UnknownName
from bezoar.data import read_file
from bezoar.evaluate import poisoning
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.poisoning import poison_data, poison_to_files
from bezoar.evaluate.victim import load_data

PLAN = AuditPlan(data="iris", noise=("none",))
BLACK_BOX = [name for name in plugins.names("attacks") if not attacks_white_box(name)]


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("attack", BLACK_BOX)
@pytest.mark.parametrize("noise", ["none", "ad-dep:0.05"])
def test_files_hold_the_poisoned_data_and_the_truth(
    tmp_path: Path, attack: str, noise: str
) -> None:
    out, truth = tmp_path / "P.npz", tmp_path / "T.json"
    plan = dataclasses.replace(PLAN, noise=(noise,))
    poison_to_files(plan, attack, ratio=0.3, seed=3, out=out, truth=truth)
    found = arrays(out)
    assert sorted(found) == ["class_names", "features", "ids", "labels"]
    told = json.loads(truth.read_text(encoding="utf-8"))
    assert {"attack", "ratio", "seed", "poisoned_ids", "original_labels"} <= set(told)
    assert (told["attack"], told["ratio"], told["seed"]) == (attack, 0.3, 3)
    clean = load_data(PLAN)
    assert found["class_names"].tolist() == list(clean.class_names)
    np.testing.assert_array_equal(found["ids"], clean.ids)
    assert len(told["poisoned_ids"]) == len(told["original_labels"]) == 45
    assert told["poisoned_ids"] == sorted(set(told["poisoned_ids"]))
    poisoned = np.isin(clean.ids, told["poisoned_ids"])
    relabelled = found["labels"] != clean.labels
    moved = (found["features"] != clean.features).any(axis=1)
    if attack == "random":
        np.testing.assert_array_equal(relabelled, poisoned)
    else:
        assert not (relabelled | moved)[~poisoned].any()
        assert relabelled.sum() > 15
    np.testing.assert_array_equal(moved, poisoned & ("bilevel" in attack))
    np.testing.assert_array_equal(clean.labels[poisoned], told["original_labels"])


def test_the_truth_restores_the_labels(tmp_path: Path) -> None:
    out, truth = tmp_path / "P.npz", tmp_path / "T.json"
    data = clouds(60, ("x", "y", "z"))
    plan = dataclasses.replace(PLAN, data=saved(tmp_path, data))
    poison_to_files(plan, "quid", ratio=0.4, seed=0, out=out, truth=truth)
    suspect, told = read_file(out), json.loads(truth.read_text(encoding="utf-8"))
    labels = suspect.labels.copy()
    labels[suspect.positions(told["poisoned_ids"])] = told["original_labels"]
    np.testing.assert_array_equal(labels, data.labels)
    np.testing.assert_array_equal(suspect.features, data.features)
    assert suspect.class_names == data.class_names


@pytest.mark.parametrize("attack", BLACK_BOX)
def test_a_ratio_of_0_is_the_data_itself(tmp_path: Path, attack: str) -> None:
    out, truth = tmp_path / "P.npz", tmp_path / "T.json"
    poison_to_files(PLAN, attack, ratio=0.0, seed=0, out=out, truth=truth)
    found, clean = read_file(out), load_data(PLAN)
    np.testing.assert_array_equal(found.features, clean.features)
    np.testing.assert_array_equal(found.labels, clean.labels)
    assert json.loads(truth.read_text(encoding="utf-8"))["poisoned_ids"] == []


@pytest.mark.parametrize("attack", BLACK_BOX)
def test_the_seed_decides_to_the_last_byte(tmp_path: Path, attack: str) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        poison_to_files(
            PLAN,
            attack,
            ratio=0.3,
            seed=seed,
            out=tmp_path / f"{name}.npz",
            truth=tmp_path / f"{name}.json",
        )
    for ending in ("npz", "json"):
        a, b, c = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_nothing_in_the_data_file_tells_the_poisoned_from_the_clean(tmp_path: Path) -> None:
    data = clouds(60, ("x", "y"))
    plan = dataclasses.replace(PLAN, data=saved(tmp_path, data))
    out = tmp_path / "P.npz"
    poison_to_files(plan, "random", ratio=0.2, seed=0, out=out, truth=tmp_path / "T.json")
    found = arrays(out)
    # Same types and order as the clean file: only values of some labels differ.
    for name, array in arrays(tmp_path / "data.npz").items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
    np.testing.assert_array_equal(found["ids"], data.ids)


def test_a_poisoned_file_can_be_audited(tmp_path: Path) -> None:
    out = tmp_path / "P.npz"
    poison_to_files(PLAN, "bilevel", ratio=0.5, seed=0, out=out, truth=tmp_path / "T.json")
    record = run_audit(small_plan(data=str(out), seeds=1), tmp_path / "out")
    assert record.outcome == "complete"
    assert record.plan["classes"] == ["setosa", "versicolor", "virginica"]


def test_images_keep_their_shape(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = Dataset(
        features=rng.random((40, 1, 8, 8)), labels=np.arange(40) % 2, ids=np.arange(40),
        class_names=("a", "b"),
    )  # fmt: skip
    plan = dataclasses.replace(PLAN, data=saved(tmp_path, data))
    for attack in ("quid", "bilevel"):
        found = poison_data(plan, attack, ratio=0.3, seed=0).data.features
        assert found.shape == (40, 1, 8, 8)
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1


def test_quid_in_raw_features_is_quid_in_the_features_of_the_victim() -> None:
    plan = AuditPlan(data="iris", noise=("none",), features=2)
    few = poison_data(plan, "quid", ratio=0.3, seed=0)
    all_four = poison_data(PLAN, "quid", ratio=0.3, seed=0)
    np.testing.assert_array_equal(few.truth.poisoned_ids, all_four.truth.poisoned_ids)
    assert few.truth.settings["encoder"] != all_four.truth.settings["encoder"]


@pytest.mark.parametrize("ratio", [1.0, -0.1, 1.5, float("nan")])
def test_ratios_out_of_range_are_refused(tmp_path: Path, ratio: float) -> None:
    with pytest.raises(InvalidArgument, match="ratio"):
        poison_to_files(
            PLAN, "random", ratio=ratio, seed=0, out=tmp_path / "P.npz", truth=tmp_path / "T.json"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"attack": "quix"}, UnknownName, "did you mean 'quid'"),
        ({"seed": -1}, InvalidArgument, "seed"),
        ({"out": "P.txt"}, InvalidArgument, "ends in .npz"),
        ({"out": "same.npz", "truth": "same.npz"}, InvalidArgument, "apart"),
        ({"out": "data.npz"}, InvalidArgument, "apart"),
        ({"truth": "data.npz"}, InvalidArgument, "apart"),
        ({"truth": "sub/../data.npz"}, InvalidArgument, "apart"),
        ({"out": "link.npz"}, InvalidArgument, "apart"),
        ({"out": "folder.npz"}, FileProblem, "is a folder"),
        ({"truth": "folder.npz"}, FileProblem, "is a folder"),
        ({"out": "data.npz/P.npz"}, FileProblem, "cannot be written"),
        ({"truth": "data.npz/T.json"}, FileProblem, "cannot be written"),
        ({"plan": {"noise": ("none", "dep:0.1")}}, InvalidArgument, "one noise model"),
        ({"plan": {"features": 9}}, InvalidArgument, "at most 4"),
        ({"plan": {"qubits": 1}}, InvalidArgument, "use 2 qubits"),
        ({"plan": {"data": "no-such"}}, UnknownName, "no-such"),
    ],
    ids=str,
)
def test_requests_that_cannot_be_met_are_refused_and_leave_nothing(
    tmp_path: Path, changes: dict[str, Any], error: type[BezoarError], told: str
) -> None:
    data = saved(tmp_path, clouds(60, ("x", "y")))
    (tmp_path / "link.npz").symlink_to(data)
    (tmp_path / "folder.npz").mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    plan = AuditPlan(**{"data": data, "noise": ("none",)} | changes.get("plan", {}))
    with pytest.raises(error, match=told):
        poison_to_files(
            plan,
            changes.get("attack", "quid"),
            ratio=0.3,
            seed=changes.get("seed", 0),
            out=tmp_path / changes.get("out", "new/P.npz"),
            truth=tmp_path / changes.get("truth", "new/T.json"),
        )
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_when_the_data_cannot_be_written_there_is_no_truth_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: Dataset) -> None:
        raise FileProblem(path, f"cannot be written ({os.strerror(28)})")

    monkeypatch.setattr(poisoning, "write_npz", full)
    with pytest.raises(FileProblem, match="No space"):
        poison_to_files(
            PLAN, "random", ratio=0.3, seed=0, out=tmp_path / "P.npz", truth=tmp_path / "T.json"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_attack_on_a_model_needs_an_audit(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="influence; bezoar audit mounts it"):
        poison_data(PLAN, "influence", ratio=0.1, seed=0)
