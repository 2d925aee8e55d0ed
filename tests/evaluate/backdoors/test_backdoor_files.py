"""What is poisoned, trained and saved scores the same elsewhere as in the run that measured it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_backdoors import SMALL, carried_out, lesson_of, school_of

from bezoar.contracts.errors import BezoarError, FileProblem, InvalidArgument
from bezoar.contracts.records import RunRecord
from bezoar.data.tabular import read_file
from bezoar.evaluate.backdoors import files
from bezoar.evaluate.backdoors.files import poison_to_files, score_file, train_to_file

PLAN = replace(SMALL, seeds=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    """A run that keeps its networks on disk, and its folder."""
    out = tmp_path_factory.mktemp("kept")
    return out, carried_out(replace(PLAN, defences=("spectral-signatures",)), out)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Poisoned images and their truth."""
    folder = tmp_path_factory.mktemp("poisoned")
    poison_to_files(PLAN, seed=0, out=folder / "P.npz", truth=folder / "T.json")
    return folder / "P.npz", folder / "T.json"


def value(record: RunRecord, metric: str) -> float | None:
    (found,) = record.select(metric)
    return found.value


def test_a_kept_network_scores_as_its_record_says(run: tuple[Path, RunRecord]) -> None:
    out, record = run
    score = score_file(PLAN, school_of(PLAN, out)._path(lesson_of()), seed=0)
    # The same numbers in the same precision: nothing may differ.
    assert score.accuracy == value(record, "backdoor_accuracy")
    assert score.success["patch:3"]["attack_success_rate"] == value(record, "attack_success_rate")
    assert score.success["patch:3"]["leak"] == value(record, "leak")
    assert score.n_test == 40


def test_a_clean_network_trained_to_a_file_is_that_of_the_run(
    run: tuple[Path, RunRecord], tmp_path: Path
) -> None:
    made = train_to_file(PLAN, seed=0, out=tmp_path / "clean.safetensors")
    score = score_file(PLAN, made.path, seed=0)
    assert made.accuracy == score.accuracy == value(run[1], "clean_accuracy")
    clean = value(run[1], "clean_attack_success_rate")
    assert score.success["patch:3"]["attack_success_rate"] == clean
    assert (made.n_train, made.n_test) == (60, 40)
    assert made.train_loss > 0


def test_poisoned_trained_saved_and_loaded_it_scores_as_in_the_run(
    run: tuple[Path, RunRecord], poisoned: tuple[Path, Path], tmp_path: Path
) -> None:
    made = train_to_file(PLAN, seed=0, out=tmp_path / "backdoored.safetensors", train=poisoned[0])
    score = score_file(PLAN, made.path, seed=0)
    assert score.accuracy == value(run[1], "backdoor_accuracy")
    rate = value(run[1], "attack_success_rate")
    assert score.success["patch:3"]["attack_success_rate"] == rate


def test_the_files_hold_the_run_s_poison_and_the_truth_apart(
    poisoned: tuple[Path, Path], tmp_path: Path
) -> None:
    data, truth = read_file(poisoned[0]), json.loads(poisoned[1].read_text())
    school = school_of(PLAN, tmp_path)
    seen, expected = school.seen(lesson_of())
    assert expected is not None
    np.testing.assert_array_equal(data.features, seen.features)
    np.testing.assert_array_equal(data.labels, seen.labels)
    np.testing.assert_array_equal(data.ids, seen.ids)
    assert truth["poisoned_ids"] == expected.poisoned_ids.tolist()
    with np.load(poisoned[0], allow_pickle=False) as arrays:
        assert sorted(arrays) == ["class_names", "features", "ids", "labels"]


def test_a_network_of_other_classes_is_refused(run: tuple[Path, RunRecord]) -> None:
    path = school_of(PLAN, run[0])._path(lesson_of())
    with pytest.raises(InvalidArgument, match="network for the classes 0, 1"):
        score_file(replace(PLAN, classes=("0", "1"), samples=40), path, seed=0)


@pytest.mark.parametrize("content", [None, b"", b"pickle me"])
def test_what_is_no_network_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileProblem, match=r"model\.safetensors"):
        score_file(PLAN, path, seed=0)


POISON: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"triggers": ("patch:2", "patch:3")}, {}, "one trigger"),
    ({"rates": (0.1, 0.2)}, {}, "one rate"),
    ({}, {"out": "P.csv"}, r"\.npz"),
    ({}, {"truth": "P.npz"}, "apart"),
    ({}, {"seed": -1}, "seed"),
    ({"rates": (0.99,)}, {}, "ratio"),
]


@pytest.mark.parametrize(("changes", "given", "names"), POISON, ids=[n for _, _, n in POISON])
def test_poison_refuses_and_leaves_no_file(
    changes: dict[str, Any], given: dict[str, Any], names: str, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"out": "P.npz", "truth": "T.json", "seed": 0, **given}
    for name in ("out", "truth"):
        arguments[name] = tmp_path / arguments[name]
    with pytest.raises(BezoarError, match=names):
        poison_to_files(replace(PLAN, **changes), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_both_files_appear_or_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: object) -> None:
        raise FileProblem(path, "no space is left")

    monkeypatch.setattr(files, "write_npz", full)
    with pytest.raises(FileProblem, match="no space"):
        poison_to_files(PLAN, seed=0, out=tmp_path / "P.npz", truth=tmp_path / "T.json")
    assert list(tmp_path.iterdir()) == []


def test_train_refuses_what_it_cannot_use(poisoned: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    with pytest.raises(InvalidArgument, match=r"\.safetensors"):
        train_to_file(PLAN, seed=0, out=tmp_path / "m.pt")
    with pytest.raises(InvalidArgument, match="image size"):
        train_to_file(replace(PLAN, image_size=8), seed=0, out=out, train=poisoned[0])
    with pytest.raises(InvalidArgument, match="seed"):
        train_to_file(PLAN, seed=-1, out=out)
    with pytest.raises(FileProblem):
        train_to_file(PLAN, seed=0, out=out, train=tmp_path / "none.npz")
    assert list(tmp_path.iterdir()) == []
