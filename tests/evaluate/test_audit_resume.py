"""Finished cells are never computed twice, and what is resumed is what would have been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_audits import clouds, comparable, saved, small_plan

from bezoar.evaluate import answering, experiment
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.cells import CellStore

NOISES = ("none", "ad-dep:0.05")


class Counter:
    """How many trainings were asked for."""

    def __init__(self) -> None:
        self.trainings = 0
        self.comparisons = 0

    def taken(self) -> tuple[int, int]:
        """Trainings and comparisons since the last look."""
        found = self.trainings, self.comparisons
        self.trainings = self.comparisons = 0
        return found


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counts = Counter()
    train, compare = answering.train_many, experiment.state_similarity

    def counted(program: Any, features: Any, jobs: Any, *rest: Any, **named: Any) -> Any:
        found = train(program, features, jobs, *rest, **named)
        counts.trainings += len(jobs)
        return found

    def compared(*arguments: Any, **named: Any) -> Any:
        counts.comparisons += 1
        return compare(*arguments, **named)

    monkeypatch.setattr(answering, "train_many", counted)
    monkeypatch.setattr(experiment, "state_similarity", compared)
    return counts


def test_the_same_plan_twice_gives_the_same_record(tmp_path: Path) -> None:
    plan = small_plan(noise=NOISES)
    first, second = (run_audit(plan, tmp_path / name) for name in ("a", "b"))
    assert comparable(first) == comparable(second)


def test_a_second_run_in_the_same_folder_computes_nothing(tmp_path: Path, counter: Counter) -> None:
    plan = small_plan(noise=NOISES)
    first = run_audit(plan, tmp_path)
    assert counter.taken() == (2 * 2 * 3, 2 * 2)
    again = run_audit(plan, tmp_path)
    assert counter.taken() == (0, 0)
    assert comparable(again) == comparable(first)


@pytest.mark.parametrize("stage", ["train", "compare states"])
def test_an_interrupted_audit_continues(tmp_path: Path, counter: Counter, stage: str) -> None:
    plan = small_plan(noise=NOISES)
    told: list[int] = []

    def interrupt(task: str, done: int, total: int) -> None:
        # In the midst of the second noise; the first one is finished by then.
        if task == stage:
            told.append(done)
            if done > total // 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(plan, tmp_path / "cut", progress=interrupt)
    assert not (tmp_path / "cut" / "record.json").exists()
    finished = len(list((tmp_path / "cut" / "cells").iterdir()))
    assert finished > 0
    counter.taken()
    resumed = run_audit(plan, tmp_path / "cut")
    trainings, comparisons = counter.taken()
    assert trainings + comparisons == 12 + 4 - finished
    if stage == "train":
        assert trainings == 6
    else:
        assert (trainings, comparisons) == (0, 1)
    assert comparable(resumed) == comparable(run_audit(plan, tmp_path / "whole"))


def test_a_larger_plan_reuses_what_a_smaller_one_left(tmp_path: Path, counter: Counter) -> None:
    small = small_plan(seeds=1, attacks=("random",), ratios=(0.3,))
    out = tmp_path / "out"
    run_audit(small, out)
    assert counter.taken() == (2, 1)
    large = small_plan(seeds=2, attacks=("quid", "random"), ratios=(0.5, 0.3), noise=NOISES)
    grown = run_audit(large, out)
    # Two noises, two seeds, one clean training and two attacks at two ratios.
    assert counter.taken() == (2 * 2 * 5 - 2, 3)
    fresh = run_audit(large, tmp_path / "fresh")
    counter.taken()
    assert comparable(grown) == comparable(fresh)
    # The smaller plan is still there.
    run_audit(small, out)
    assert counter.taken() == (0, 0)


@pytest.mark.parametrize(
    ("change", "states"),
    [
        ({"epochs": 3}, 0),
        ({"learning_rate": 0.02}, 0),
        ({"ansatz": "sim-2"}, 0),
        ({"dtype": "float64"}, 0),
        ({"features": 3}, 1),
        ({"noise_on_encoding": False, "noise": ("ad-dep:0.05",)}, 1),
        ({"test": 0.4}, 1),
        ({"samples": 90}, 1),
        ({"samples": 90, "fresh_samples": True}, 1),
        ({"reduce": "none"}, 1),
        ({"data": "wine"}, 1),
    ],
    ids=str,
)
def test_other_settings_are_other_cells(
    tmp_path: Path, counter: Counter, change: dict[str, Any], states: int
) -> None:
    base: dict[str, Any] = {"seeds": 1, "attacks": ()}
    if "noise" in change:
        base["noise"] = change["noise"]
    run_audit(small_plan(**base), tmp_path)
    counter.taken()
    run_audit(small_plan(**base | change), tmp_path)
    # What is trained does not change the states that are encoded.
    assert counter.taken() == (1, states)


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "trace"},
        {"source_classes": ("setosa",)},
        {"attacker_noise": "ad-dep:0.05"},
        {"attacker_states": "bloch:30"},
    ],
    ids=str,
)
def test_what_attackers_know_makes_no_other_clean_training(
    tmp_path: Path, counter: Counter, change: dict[str, Any]
) -> None:
    base: dict[str, Any] = {"seeds": 1, "attacks": ("quid",)}
    run_audit(small_plan(**base), tmp_path)
    assert counter.taken() == (2, 1)
    run_audit(small_plan(**base | change), tmp_path)
    assert counter.taken() == (1, 0)


def test_other_contents_of_the_same_file_are_other_cells(tmp_path: Path, counter: Counter) -> None:
    data = clouds(60, ("a", "b"))
    plan = small_plan(data=saved(tmp_path, data), seeds=1, attacks=())
    first = run_audit(plan, tmp_path / "out")
    counter.taken()
    saved(tmp_path, data.with_features(data.features + 0.25 * (data.features > 0)))
    second = run_audit(plan, tmp_path / "out")
    assert counter.taken() == (1, 1)
    assert first.plan_hash != second.plan_hash


def test_the_tolerance_judges_and_computes_nothing(tmp_path: Path, counter: Counter) -> None:
    plan = small_plan(seeds=1, epochs=1)
    run_audit(plan, tmp_path)
    counter.taken()
    run_audit(small_plan(seeds=1, epochs=1, tolerance=1.0), tmp_path)
    assert counter.taken() == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"null",
        b'{"result": {}}',
        b'{"key": {}, "result": {"confusion": [[9]]}}',
        b"\xff\xfe\x00",
    ],
    ids=str,
)
def test_a_damaged_cell_is_computed_again(tmp_path: Path, counter: Counter, damage: bytes) -> None:
    plan = small_plan(seeds=1, attacks=("random",), epochs=1)
    first = run_audit(plan, tmp_path)
    counter.taken()
    cells = sorted((tmp_path / "cells").iterdir())
    for path in cells:
        path.write_bytes(damage)
    again = run_audit(plan, tmp_path)
    assert counter.taken() == (2, 1)
    assert comparable(again) == comparable(first)
    for path in cells:
        json.loads(path.read_text(encoding="utf-8"))


def test_a_cell_whose_result_is_no_record_is_none(tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put({"seed": 1}, {"a": 1})
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({"key": {"seed": 1}, "result": 5}), encoding="utf-8")
    assert store.get({"seed": 1}) is None
    assert store.get({"seed": 2}) is None


def test_keys_are_found_whatever_their_order_and_tuples_are_lists(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()
    store.put({"a": (1, 2), "b": 0.1}, {"x": [1]})
    assert store.get({"b": 0.1, "a": [1, 2]}) == {"x": [1]}
