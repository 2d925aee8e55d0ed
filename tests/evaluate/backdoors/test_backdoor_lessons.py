"""A control shares the draw of its backdoor; networks are kept, found again, and never trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_backdoors import SMALL, counted, lesson_of, school_of

from bezoar.contracts.errors import FileProblem
from bezoar.evaluate.backdoors.experiment import lessons_of
from bezoar.evaluate.backdoors.lessons import weights_source
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.models.hybrid.scoring import logits_of


def test_the_lessons_of_a_plan_begin_with_the_clean_one() -> None:
    plan = replace(SMALL, heads=("linear", "tanh"), triggers=("patch:2", "patch:3"), seeds=2)
    lessons = list(lessons_of(plan))
    assert len(lessons) == len(set(lessons)) == 2 * 2 * (1 + 1 + 2)
    for first in lessons[::4]:
        assert first.role == "clean"
    assert not [one for one in lessons_of(replace(plan, control=False)) if one.role == "control"]
    # With clean labels nothing is relabelled that a control could repeat.
    clean = replace(plan, clean_label=True)
    assert not [one for one in lessons_of(clean) if one.role == "control"]


def test_a_control_shares_the_draw_with_the_backdoored_lesson(tmp_path: Path) -> None:
    school = school_of(SMALL, tmp_path)
    train = school.materials(0).train
    poisoned, truth = school.seen(lesson_of())
    control, control_truth = school.seen(lesson_of("control"))
    clean, nothing = school.seen(lesson_of("clean"))
    assert truth is not None
    assert control_truth is not None
    assert nothing is None
    assert clean is train
    np.testing.assert_array_equal(truth.poisoned_ids, control_truth.poisoned_ids)
    np.testing.assert_array_equal(poisoned.labels, control.labels)
    np.testing.assert_array_equal(control.features, train.features)
    changed = (poisoned.features != train.features).any(axis=(1, 2, 3))
    assert set(train.ids[changed].tolist()) <= set(truth.poisoned_ids.tolist())
    assert len(truth.poisoned_ids) == 12
    relabelled = train.ids[control.labels != train.labels]
    np.testing.assert_array_equal(np.sort(relabelled), truth.poisoned_ids)


def test_triggers_poison_the_same_samples_and_larger_rates_some_more(tmp_path: Path) -> None:
    plan = replace(SMALL, triggers=("patch:3", "blend:0.2"), rates=(0.1, 0.2))
    school = school_of(plan, tmp_path)

    def poisoned(**changes: Any) -> set[int]:
        truth = school.seen(lesson_of(**changes))[1]
        assert truth is not None
        return set(truth.poisoned_ids.tolist())

    assert poisoned() == poisoned(trigger="blend:0.2")
    assert poisoned(rate=0.1) < poisoned()
    assert poisoned(seed=1) != poisoned()


OTHER_ATTACKS = [{"target": "3"}, {"mapping": "all-to-all"}]


@pytest.mark.parametrize("changes", OTHER_ATTACKS, ids=str)
def test_a_clean_network_serves_every_attack(changes: dict[str, object], tmp_path: Path) -> None:
    one, other = (school_of(replace(SMALL, **c), tmp_path) for c in ({}, changes))
    assert one.key(lesson_of("clean"))["settings"] == other.key(lesson_of("clean"))["settings"]
    assert one.key(lesson_of())["settings"] != other.key(lesson_of())["settings"]
    assert one.key(lesson_of("control")) != other.key(lesson_of("control"))


def test_a_control_serves_every_trigger(tmp_path: Path) -> None:
    school = school_of(replace(SMALL, triggers=("patch:2", "blend:0.1")), tmp_path)
    assert lesson_of(trigger="patch:2").control() == lesson_of(trigger="blend:0.1").control()
    other = school_of(replace(SMALL, triggers=("blend:0.5",)), tmp_path)
    assert school.key(lesson_of("control")) == other.key(lesson_of("control"))


def test_heads_and_roles_of_a_seed_start_from_the_same_trunk(tmp_path: Path) -> None:
    school = school_of(SMALL, tmp_path)
    images = torch.tensor(school.materials(0).test.features[:4])
    with torch.no_grad():
        features = [
            school.start(lesson).eval().features(images)
            for lesson in (lesson_of(), lesson_of("clean"), lesson_of(head="quantum"))
        ]
        other = school.start(lesson_of(seed=1)).eval().features(images)
    torch.testing.assert_close(features[0], features[1], rtol=0, atol=0)
    torch.testing.assert_close(features[0], features[2], rtol=0, atol=0)
    assert not torch.equal(features[0], other)


def test_a_kept_network_scores_the_same_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = school_of(SMALL, tmp_path).materials(0).test.features
    learnt = school_of(SMALL, tmp_path).teach(lesson_of(), keep=True).network
    with counted(monkeypatch) as begun:
        found = school_of(SMALL, tmp_path).network(lesson_of())
        assert begun == []
    assert not found.training
    np.testing.assert_array_equal(logits_of(found, images), logits_of(learnt, images))


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "gone"])
def test_a_damaged_network_file_costs_its_training(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = school_of(SMALL, tmp_path)
    images = school.materials(0).test.features
    before = logits_of(school.teach(lesson_of(), keep=True).network, images)
    path = school._path(lesson_of())
    whole = path.read_bytes()
    texts = {"cut": whole[: len(whole) // 2], "noise": b"\xff" * 64 + whole[64:], "empty": b""}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(texts[damage])
    with counted(monkeypatch) as begun:
        found = school_of(SMALL, tmp_path).network(lesson_of())
    assert begun == [lesson_of()]
    np.testing.assert_array_equal(logits_of(found, images), before)
    # The file is whole again.
    assert path.read_bytes() == whole


def test_few_networks_stay_in_memory(tmp_path: Path) -> None:
    school = school_of(SMALL, tmp_path)
    for seed in range(2):
        for role in ("clean", "control", "backdoored"):
            school.teach(lesson_of(role, seed))
    assert len(school._memory) == 3


def test_weights_that_are_not_there_are_told(tmp_path: Path) -> None:
    plan = BackdoorPlan(trunk="resnet-50", weights="imagenet")
    try:
        import torchvision  # noqa: F401 # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError):
        with pytest.raises(FileProblem, match="torchvision"):
            weights_source(plan, tmp_path)
    else:
        assert weights_source(plan, tmp_path) == "torchvision"
    assert weights_source(replace(plan, weights="none"), tmp_path) == "none"
