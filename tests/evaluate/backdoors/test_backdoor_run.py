"""A run's record: the six metrics with intervals, what failed, and nothing computed twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_backdoors import (
    SMALL,
    TABLE,
    carried_out,
    counted,
    lesson_of,
    numbers,
    school_of,
    table_lesson,
)
from torch import nn

from bezoar.contracts.errors import BezoarError, FileProblem
from bezoar.contracts.records import RunRecord, read_record
from bezoar.evaluate.backdoors import defending, measuring
from bezoar.evaluate.backdoors.lessons import Learnt, Lesson, School
from bezoar.evaluate.backdoors.measuring import at_matched_loss
from bezoar.evaluate.backdoors.run import run_backdoors

#: Each metric of the record, and whether it is of a trigger.
SIX = {
    "clean_accuracy": False,
    "backdoor_accuracy": True,
    "attack_success_rate": True,
    "leak": True,
    "control_attack_success_rate": True,
    "ssim": True,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """A whole run of the small plan and its folder."""
    out = tmp_path_factory.mktemp("run")
    return out, carried_out(SMALL, out)


@pytest.mark.parametrize("metric", SIX)
def test_each_of_the_six_metrics_is_in_the_record_with_an_interval(
    metric: str, done: tuple[Path, RunRecord]
) -> None:
    record = read_record(done[0])
    (found,) = record.select(metric, **({"trigger": "patch:3"} if SIX[metric] else {}))
    assert found.n == 2
    assert found.seeds == (0, 1)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    if metric != "ssim":
        assert found.tags["head"] == "linear"
    if SIX[metric] and metric != "ssim":
        assert found.tags["rate"] == 0.2


def test_the_record_says_what_was_done(done: tuple[Path, RunRecord]) -> None:
    record = done[1]
    assert (record.kind, record.outcome, record.seeds) == ("backdoor", "complete", (0, 1))
    assert record.plan["rates"] == [0.2]
    assert record.plan["class_names"] == [str(i) for i in range(10)]
    assert record.command == SMALL.command()
    assert list(record.threat_models) == ["patch:3"]
    assert len(record.exhibits_named("trigger", trigger="patch:3")) == 1
    assert numbers(read_record(done[0])) == numbers(record)


def test_one_seed_has_no_interval_and_says_so(tmp_path: Path) -> None:
    record = carried_out(replace(TABLE, seeds=1), tmp_path)
    (found,) = record.select("attack_success_rate")
    assert (found.low, found.high, found.n) == (None, None, 1)
    assert any("no interval" in note for note in record.notes)


def test_a_finished_run_trains_nothing_and_says_the_same(
    done: tuple[Path, RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as begun:
        again = carried_out(SMALL, done[0])
    assert begun == []
    assert numbers(again) == numbers(done[1])


def test_another_question_trains_nothing_that_is_there(
    done: tuple[Path, RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as begun:
        carried_out(replace(SMALL, rates=(0.2, 0.4), tolerance=0.3), done[0])
    # The clean networks and those at the first rate are there.
    assert {(lesson.role, lesson.rate) for lesson in begun} == {
        ("control", 0.4),
        ("backdoored", 0.4),
    }


@pytest.fixture(scope="module")
def done_table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """As `done`, of a table, which trains sooner."""
    out = tmp_path_factory.mktemp("table")
    return out, carried_out(TABLE, out)


@pytest.mark.parametrize("n_told", [1, 9, 14])
def test_an_interrupted_run_continues_with_what_is_missing(
    n_told: int,
    tmp_path: Path,
    done_table: tuple[Path, RunRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = n_told

    def interrupting(task: str, done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise KeyboardInterrupt

    with counted(monkeypatch) as before, pytest.raises(KeyboardInterrupt):
        run_backdoors(TABLE, tmp_path, progress=interrupting)
    assert not (tmp_path / "record.json").exists()
    stored = len(list((tmp_path / "cells").glob("*.json")))
    with counted(monkeypatch) as after:
        record = carried_out(TABLE, tmp_path)
    # Six trainings in all; one that was cut off is begun again.
    assert len(after) == 6 - min(stored, 6)
    assert set(before) | set(after) == {_lesson(i) for i in range(6)}
    assert numbers(record) == numbers(done_table[1])


def _lesson(i: int) -> Lesson:
    return table_lesson(("clean", "control", "backdoored")[i % 3], seed=i // 3)


def test_damaged_cells_cost_their_computation_alone(
    done_table: tuple[Path, RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(done_table[0], tmp_path / "run")
    cells = sorted((tmp_path / "run" / "cells").glob("*.json"))
    cells[0].write_text("{")
    cells[1].write_bytes(b"\xff\xfe")
    with counted(monkeypatch) as begun:
        again = carried_out(TABLE, tmp_path / "run")
    assert len(begun) <= 2
    assert numbers(again) == numbers(done_table[1])


def failing(*wanted: Lesson) -> Any:
    """`School.teach` that fails for some lessons."""
    teach = School.teach

    def failing(self: School, lesson: Lesson, **given: Any) -> Learnt:
        if lesson in wanted:
            raise MemoryError("no room\nfor this network")
        return teach(self, lesson, **given)

    return failing


def test_a_cell_that_fails_is_told_and_never_a_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(School, "teach", failing(table_lesson(seed=1)))
    record = run_backdoors(TABLE, tmp_path)
    assert record.outcome == "partial"
    (failure,) = record.failures
    assert "linear, backdoored feature:0,3 0.2, seed 1" in failure
    assert "no room" in failure
    assert "\n" not in failure
    (found,) = record.select("attack_success_rate")
    assert (found.n, found.seeds, found.low) == (1, (0,), None)
    (control,) = record.select("control_attack_success_rate")
    assert control.n == 2


def test_what_failed_everywhere_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(School, "teach", failing(*(table_lesson(seed=i) for i in range(2))))
    record = run_backdoors(TABLE, tmp_path)
    assert record.select("attack_success_rate") == ()
    assert record.select("backdoor_accuracy") == ()
    assert len(record.select("clean_accuracy")) == 1
    assert record.findings == ()


def test_a_defence_that_fails_costs_its_cell_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setitem(defending._MOUNTED, "activation-clustering", broken)
    plan = replace(
        TABLE, seeds=1, defences=("activation-clustering", "spectral-signatures"), control=False
    )
    record = run_backdoors(plan, tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == 2
    assert all("activation-clustering" in line and "broken" in line for line in record.failures)
    assert record.select("activation_clustering_auroc") == ()
    assert len(record.select("spectral_signatures_auroc", twin="backdoored")) == 1
    (matrix,) = record.tables_named("defence_matrix")
    assert matrix.values[0][0] is None


@pytest.mark.parametrize("blocked", ["record.json", "cells"])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    blocked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocked == "cells":
        (tmp_path / "out").write_text("a file")
    else:
        (tmp_path / "out" / blocked).mkdir(parents=True)
    with counted(monkeypatch) as begun, pytest.raises(FileProblem):
        run_backdoors(SMALL, tmp_path / "out")
    assert begun == []


def test_data_that_cannot_be_had_are_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BezoarError, match="samples"):
        run_backdoors(replace(SMALL, samples=10**6), tmp_path)
    assert list(tmp_path.iterdir()) == []


class Constant(nn.Module):
    """Says the same class of everything."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.eye(10)[code])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.repeat(len(images), 1)


@pytest.mark.parametrize("mapping", ["all-to-one", "source-specific"])
def test_attack_success_excludes_the_target_class(mapping: str, tmp_path: Path) -> None:
    specific = {"mapping": mapping, "sources": ("3", "4")} if mapping != "all-to-one" else {}
    school = school_of(replace(SMALL, target="2", **specific), tmp_path)
    test = school.materials(0).test
    backdoor = school.backdoor(lesson_of())
    always, never = (measuring.success(Constant(c), backdoor, test) for c in (2, 3))
    assert (always["attack_success_rate"], always["leak"]) == (1.0, 1.0)
    # Images of class 2 are answered with 2 by none: they are not counted.
    assert (never["attack_success_rate"], never["leak"]) == (0.0, 0.0)
    sources = test.labels != 2 if mapping == "all-to-one" else np.isin(test.labels, (3, 4))
    assert always["challenged"] == sources.sum()
    assert measuring.accuracy(Constant(2), test) == np.mean(test.labels == 2)


def test_heads_are_compared_where_all_have_learnt_the_same() -> None:
    def curve(*rates: float) -> list[dict[str, float]]:
        return [{"epoch": i + 1.0, "attack_success_rate": r} for i, r in enumerate(rates)]

    found = at_matched_loss(
        {"fast": curve(0.2, 0.8, 0.9), "slow": curve(0.0, 0.1, 0.7)},
        {"fast": [0.6, 0.3, 0.1], "slow": [1.2, 0.9, 0.5]},
    )
    assert {head: entry["epoch"] for head, entry in found.items()} == {"fast": 2, "slow": 3}
    assert found["fast"]["attack_success_rate"] == 0.8
    assert {entry["matched_loss"] for entry in found.values()} == {0.5}


@pytest.mark.parametrize(
    "losses", [{}, {"one": []}, {"one": [None, None]}, {"one": [0.2], "two": [None]}]
)
def test_heads_without_losses_are_not_compared(losses: dict[str, list[float | None]]) -> None:
    assert at_matched_loss({head: [] for head in losses}, losses) == {}


def test_epochs_that_saw_no_clean_sample_are_passed_over() -> None:
    curve = [{"epoch": 1.0}, {"epoch": 2.0}]
    found = at_matched_loss({"one": curve}, {"one": [None, 0.4]})
    assert found["one"]["epoch"] == 2


def test_the_curve_ends_where_the_run_does(tmp_path: Path) -> None:
    plan = replace(SMALL, curves=True, warm_up=1, epochs=2, heads=("linear", "tanh"), seeds=1)
    record = carried_out(plan, tmp_path)
    for head in plan.heads:
        curve = record.select("attack_success_rate_by_epoch", head=head)
        assert [m.tags["epoch"] for m in curve] == [2, 3]
        (last,) = record.select("attack_success_rate", head=head)
        # The curve may be measured in the precision of the training, here the same.
        assert curve[-1].value == last.value
        assert len(record.select("attack_success_rate_at_matched_loss", head=head)) == 1


def test_clean_labels_are_held_against_the_clean_network(tmp_path: Path) -> None:
    plan = replace(TABLE, clean_label=True, seeds=1)
    record = carried_out(plan, tmp_path)
    school = school_of(plan, tmp_path)
    clean = measuring.success(
        school.network(table_lesson("clean")),
        school.backdoor(table_lesson()),
        school.materials(0).test,
    )
    (control,) = record.select("control_attack_success_rate")
    assert control.value == clean["leak"]
