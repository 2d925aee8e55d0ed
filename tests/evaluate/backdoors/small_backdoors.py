"""A backdoor run that trains in less than a second, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bezoar.contracts.records import RunRecord
from bezoar.evaluate.backdoors.lessons import Learnt, Lesson, School
from bezoar.evaluate.backdoors.materials import Shelf
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.run import run_backdoors

SMALL = BackdoorPlan(
    data="digits-rgb",
    image_size=16,
    samples=60,
    test_samples=40,
    validation=20,
    heads=("linear",),
    width=3,
    layers=1,
    triggers=("patch:3",),
    rates=(0.2,),
    warm_up=0,
    epochs=1,
    precision="float32",
    seeds=2,
)
TABLE = replace(
    SMALL, data="wine", trunk="none", triggers=("feature:0,3",), samples=80, test_samples=50
)


def school_of(plan: BackdoorPlan, folder: Path) -> School:
    """A school of the plan that keeps networks where a run in `folder` does."""
    shelf = Shelf()
    return School(
        plan=plan,
        materials=lambda seed: shelf.materials(plan, seed),
        folder=folder / "networks",
    )


def lesson_of(role: Any = "backdoored", seed: int = 0, **changes: Any) -> Lesson:
    """A lesson of `SMALL`."""
    trigger, rate = ("patch:3", 0.2) if role == "backdoored" else ("none", 0.2)
    first = Lesson(head="linear", role=role, trigger=trigger, rate=rate, seed=seed)
    return replace(first, **({"rate": 0.0} if role == "clean" else {}) | changes)


def table_lesson(role: Any = "backdoored", seed: int = 0) -> Lesson:
    """A lesson of `TABLE`."""
    changes = {"trigger": TABLE.triggers[0]} if role == "backdoored" else {}
    return lesson_of(role, seed, **changes)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Lesson]]:
    """Every training that is begun inside the block."""
    found: list[Lesson] = []
    teach = School.teach

    def counting(self: School, lesson: Lesson, **given: Any) -> Learnt:
        found.append(lesson)
        return teach(self, lesson, **given)

    with monkeypatch.context() as patch:
        patch.setattr(School, "teach", counting)
        yield found


def numbers(record: RunRecord) -> dict[tuple[Any, ...], float | None]:
    """The record's values without its times, by metric and tags."""
    return {
        (m.metric, *sorted(m.tags.items())): m.value
        for m in record.measurements
        if m.unit != "seconds"
    }


def carried_out(plan: BackdoorPlan, out: Path) -> RunRecord:
    """The record of a run of which nothing failed."""
    record = run_backdoors(plan, out)
    assert record.failures == ()
    return record
