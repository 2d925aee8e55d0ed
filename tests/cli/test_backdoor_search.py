"""``bezoar backdoor search`` as a user runs it."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import Terminal, refused

from bezoar.attacks.backdoors.search import SearchSettings
from bezoar.cli import backdoor_search
from bezoar.contracts.records import read_record
from bezoar.evaluate.backdoors import search
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.search_command import PLAN_FIELDS, SEARCH_FIELDS, command

SMALL = (
    "backdoor search --classes 0,1 --image-size 8 --samples 80 --test-samples 40 --validation 10 "
    "--head linear --seeds 1 --warm-up 1 --epochs 1 --population 4 --generations 1 "
    "--attacker-images 60"
)


def test_a_search_writes_record_report_and_study(bezoar: Terminal, tmp_path: Path) -> None:
    answer = bezoar(f"{SMALL} --low 0.5 --high 1.5 --out run")
    assert answer.code == 0, answer
    assert answer.error == ""
    assert "report: run/report.html" in answer.out
    run = tmp_path / "run"
    names = {path.name for path in run.iterdir() if not path.name.endswith(".lock")}
    assert names == {"cells", "networks", "record.json", "report.html", "report.md", "search.db"}
    record = read_record(run)
    assert record.select("attack_success_rate", verified=True)
    page = (run / "report.html").read_text(encoding="utf-8")
    (chosen,) = record.select("candidate_ssim", chosen=True)
    assert f"trial {chosen.tags['trial']}" in page
    again = bezoar(record.command.removeprefix("bezoar "), "--out", "run")
    assert again.code == 0
    assert read_record(run).plan_hash == record.plan_hash


def test_without_random_search_and_verification(bezoar: Terminal, tmp_path: Path) -> None:
    assert bezoar(f"{SMALL} --no-random --no-verify --out run").code == 0
    record = read_record(tmp_path / "run")
    assert record.select("random_hypervolume") == ()
    assert record.select("attack_success_rate") == ()


def test_the_default_folder(bezoar: Terminal, tmp_path: Path) -> None:
    assert bezoar(f"{SMALL} --no-random --no-verify").code == 0
    assert (tmp_path / "bezoar-backdoor-search" / "record.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("--population 3", 4, "population"),
        ("--low 1.1", 4, "low"),
        ("--high 0.9", 4, "high"),
        ("--keep-share 0", 4, "keep_share"),
        ("--rate 1.5", 4, "rates"),
        ("--seed -1", 4, "seed"),
        ("--attacker-images 3", 4, "attacker_images"),
        ("--head round", 4, "heads"),
        ("--target 9", 4, "target"),
        ("--trunk none", 4, "trunk"),
        ("--trunk resnet-18", 4, "weights"),
        ("--seeds 0", 4, "seeds"),
        ("--heads linear,quantum", 4, "--heads"),
        ("--trigger patch:3", 4, "--trigger"),
        ("--population many", 4, "--population"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    bezoar: Terminal, tmp_path: Path, words: str, code: int, told: str
) -> None:
    assert told in refused(bezoar(f"{SMALL} {words} --out run"), code)
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_study(bezoar: Terminal, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "search.db").write_text("not a database " * 99, encoding="utf-8")
    assert "search.db" in refused(bezoar(f"{SMALL} --out run"), 2)
    assert not (tmp_path / "run" / "record.json").exists()


def test_every_option_of_the_plan_is_in_the_recorded_command() -> None:
    parser = argparse.ArgumentParser()
    backdoor_search.add_command(parser)
    given = {action.dest for action in parser._actions}
    asked = {field.name for field in dataclasses.fields(BackdoorPlan)}
    searching = {field.name for field in dataclasses.fields(SearchSettings)}
    assert given & asked - {"data"} == set(PLAN_FIELDS)
    assert given & searching - {"target"} == set(SEARCH_FIELDS)


@pytest.mark.parametrize(
    ("plan", "settings", "run"),
    [
        (BackdoorPlan(heads=("quantum",)), SearchSettings(), {}),
        (
            BackdoorPlan(
                data="my photos",
                classes=("a cat", "b,c"),
                heads=("tanh",),
                rates=(0.05,),
                target="b,c",
                trunk="resnet-18",
                stages=3,
                weights="imagenet",
                image_size=64,
                samples=1000,
                shots=100,
                noise="dep:0.01",
                learning_rate=2e-4,
                head_learning_rate=1e-3,
                seeds=5,
                tolerance=0.2,
            ),
            SearchSettings(population=8, generations=3, low=0.5, high=2.0, keep_share=0.8, seed=7),
            {"random": False, "verify": False, "attacker_images": 300},
        ),
    ],
)
def test_the_recorded_command_gives_the_same_run(
    bezoar: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    plan: BackdoorPlan,
    settings: SearchSettings,
    run: dict[str, Any],
) -> None:
    asked: list[tuple[Any, ...]] = []

    class Enough(Exception):
        pass

    def note(plan: BackdoorPlan, settings: SearchSettings, out: Path, **more: Any) -> None:
        del out, more["progress"], more["folder"]
        asked.append((plan, settings, more))
        raise Enough

    monkeypatch.setattr(search, "run_search", note)
    given = {"random": True, "verify": True, "attacker_images": 1000, **run}
    words = shlex.split(command(plan, settings, **given))
    assert words[0] == "bezoar"
    bezoar("", *words[1:])
    assert asked == [(plan, settings, run)]
