"""The truth as a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from poisoning_cases import ATTACKS, CLASSES, make, samples

from bezoar.attacks.poisoning.random_flip import RandomFlip
from bezoar.attacks.poisoning.truth_file import write_truth
from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.contracts.truth import PoisonTruth


@pytest.mark.parametrize("attack_class", ATTACKS)
def test_holds_what_is_needed_to_judge_a_defence(tmp_path: Path, attack_class: type) -> None:
    data = samples([0, 1, 2] * 10)
    attack = make(attack_class, 0.3)
    truth = attack.poison(data, rng=np.random.default_rng(7)).truth
    path = write_truth(tmp_path / "new" / "truth.json", truth, 7, data.class_names)
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert raw["attack"] == attack.name
    assert (raw["ratio"], raw["seed"]) == (0.3, 7)
    assert raw["poisoned_ids"] == truth.poisoned_ids.tolist()
    assert raw["original_labels"] == data.take(raw["poisoned_ids"]).labels.tolist()
    assert raw["original_label_names"] == [CLASSES[code] for code in raw["original_labels"]]
    assert raw["class_names"] == list(CLASSES)
    assert list(tmp_path.rglob(".*")) == []


def test_an_empty_truth_is_a_file_too(tmp_path: Path) -> None:
    truth = RandomFlip(ratio=0).poison(samples([0, 1]), rng=np.random.default_rng(0)).truth
    path = write_truth(tmp_path / "truth.json", truth, 0, CLASSES)
    assert json.loads(path.read_text(encoding="utf-8"))["poisoned_ids"] == []


def truth_with(settings: dict[str, object], label: int) -> PoisonTruth:
    return PoisonTruth(
        attack="x",
        settings=settings,
        poisoned_ids=np.array([4]),
        original_labels=np.array([label]),
    )


def test_refuses_a_label_without_a_name_and_settings_without_a_ratio(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="class_names: wanted a name for each label"):
        write_truth(tmp_path / "t.json", truth_with({"ratio": 0.1}, 3), 0, CLASSES)
    with pytest.raises(InvalidArgument, match="ratio among them"):
        write_truth(tmp_path / "t.json", truth_with({}, 0), 0, CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileProblem, match="cannot be made as a folder"):
        write_truth(tmp_path / "file" / "t.json", truth_with({"ratio": 0.1}, 0), 0, CLASSES)
