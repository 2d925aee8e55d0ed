"""``bezoar reproduce``, with a study that needs no data from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, Terminal, refused
from small_study import SMALL

from bezoar.contracts.reproduction import read_item
from bezoar.data.image_sets import KUZUSHIJI_MNIST
from bezoar.evaluate import answering
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.studies import STUDIES

DATA = os.environ.get("BEZOAR_DATA", "")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small study, and no data but what the tests name."""
    monkeypatch.setitem(STUDIES, "small", SMALL)
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    yield
    assert "BEZOAR_DATA" not in os.environ


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many trainings each call had."""
    found: list[int] = []
    train = answering.train_many

    def counted(*words: Any, **more: Any) -> Any:
        found.append(len(words[2]))
        return train(*words, **more)

    monkeypatch.setattr(answering, "train_many", counted)
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_items_with_pages(bezoar: Terminal, tmp_path: Path) -> None:
    answer = bezoar("reproduce small")
    # One claim is contradicted by construction.
    assert answer.code == 1, answer
    assert answer.error == ""
    assert "contradicts" in answer.out
    out = tmp_path / "bezoar-reproduction" / "small"
    assert answer.out.endswith(f"report: {out.relative_to(tmp_path) / 'report.html'}\n")
    assert names(out) == {"cells", "README.md", "report.html", "table-1", "table-2", "table-3"}
    for item in SMALL.items:
        record = read_item(out / item.name)
        assert (record.outcome, record.seeds) == ("complete", (0, 1))
        assert names(out / item.name) == {"README.md", "result.json"}


def test_items_share_trainings_and_a_second_run_has_none(
    bezoar: Terminal, trainings: list[int]
) -> None:
    assert bezoar("reproduce small --item table-1,table-2 --out run").code == 1
    assert trainings == [4]
    assert bezoar("reproduce small --item table-1 --out run").code == 0
    assert bezoar("reproduce small --item table-1 --seeds 3 --out run").code == 0
    assert trainings == [4, 2]


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("--item table-2,table-1", {"table-1", "table-2"}),
        ("--item table-1,table-1", {"table-1"}),
        ("--item 'table-1 , table-3'", {"table-1", "table-3"}),
        ("--item all,table-1", {"table-1", "table-2", "table-3"}),
    ],
)
def test_items_by_name(bezoar: Terminal, tmp_path: Path, words: str, done: set[str]) -> None:
    bezoar(f"reproduce small --out run {words}")
    assert names(tmp_path / "run") == done | {"cells", "README.md", "report.html"}


def test_the_list_of_items_touches_nothing(bezoar: Terminal, tmp_path: Path) -> None:
    answer = bezoar("reproduce quid --list --data nowhere")
    assert answer.code == 0
    assert "table-4" in answer.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("smal", "did you mean 'small'?"),
        ("quid --item tabel-4", "did you mean 'table-4'?"),
        ("small --item ''", "item: wanted one of table-1, table-2, table-3, all, got ''"),
        ("small --item ,", "got ''"),
        ("small --seeds 0", "seeds: wanted from 1 to 10000, got 0"),
        ("small --seeds -1", "seeds: wanted from 1 to 10000, got -1"),
        ("small --seeds 99999999999", "seeds: wanted from 1 to 10000"),
        ("small --seeds two", "invalid int value: 'two'"),
        ("small --seeds 2 --quick", "seeds: wanted none with quick, which takes 2, got 2"),
        ("", "required: STUDY"),
    ],
)
def test_what_cannot_be_meant(bezoar: Terminal, tmp_path: Path, words: str, told: str) -> None:
    assert told in refused(bezoar(f"reproduce {words}"), 4)
    assert list(tmp_path.iterdir()) == []


def test_missing_data_is_told_before_any_work(
    bezoar: Terminal, tmp_path: Path, trainings: list[int]
) -> None:
    (tmp_path / "empty").mkdir()
    error = refused(bezoar("reproduce quid --item extra-targeted --data empty"), 2)
    assert "MNIST/raw/train-images-idx3-ubyte" in error
    assert "does not exist" in error
    assert names(tmp_path) == {"empty"}
    assert trainings == []


def test_the_data_of_a_late_item_is_told_before_the_first(
    bezoar: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainings: list[int]
) -> None:
    late = STUDIES["quid"].items[-1]
    study = SMALL.items[0], late
    monkeypatch.setitem(STUDIES, "late", type(SMALL)(name="late", paper="", items=study))
    refused(bezoar("reproduce late --data nowhere"), 2)
    assert list(tmp_path.iterdir()) == []
    assert trainings == []


@pytest.mark.parametrize(
    "where", ["run", "run/cells", "run/table-1", "run/table-3/result.json/", "run/report.html/"]
)
def test_what_is_in_the_way_is_told_before_any_work(
    bezoar: Terminal, tmp_path: Path, trainings: list[int], where: str
) -> None:
    blocked = tmp_path / where
    if where.endswith("/"):
        blocked.mkdir(parents=True)
    else:
        blocked.parent.mkdir(exist_ok=True)
        blocked.write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    refused(bezoar("reproduce small --out run"), 2)
    assert sorted(tmp_path.rglob("*")) == before
    assert trainings == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1}', '{"format_version": 9}'])
def test_a_damaged_result_of_another_item_costs_its_page_alone(
    bezoar: Terminal, tmp_path: Path, text: str
) -> None:
    bezoar("reproduce small --item table-2 --out run")
    damaged = tmp_path / "run" / "table-2" / "result.json"
    damaged.write_text(text, encoding="utf-8")
    answer = bezoar("reproduce small --item table-1 --out run")
    assert answer.code == 0
    assert answer.error.count("\n") == 1
    assert answer.error.startswith("bezoar: warning: run/table-2/result.json: ")
    assert "the pages leave it out" in answer.error
    assert damaged.read_text(encoding="utf-8") == text
    # Done again it is whole again.
    assert bezoar("reproduce small --item table-2 --out run").error == ""


def test_ctrl_c_keeps_what_was_finished(
    bezoar: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainings: list[int]
) -> None:
    monkeypatch.setattr("bezoar.evaluate.experiment._CHUNK", 1)
    counted = answering.train_many

    def interrupted(*words: Any, **more: Any) -> Any:
        if len(trainings) == 3:
            raise KeyboardInterrupt
        return counted(*words, **more)

    with monkeypatch.context() as once:
        once.setattr(answering, "train_many", interrupted)
        error = refused(bezoar("reproduce small --item table-1 --out run"), 2)
    assert "interrupted; what was finished is kept" in error
    assert names(tmp_path / "run") == {"cells"}
    assert len(names(tmp_path / "run" / "cells")) == 3
    assert bezoar("reproduce small --item table-1 --out run").code == 0
    assert trainings == [1] * 4


def test_a_failed_training_is_exit_code_2_and_its_page_says_so(
    bezoar: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = answering.predict_scores
    monkeypatch.setattr(answering, "predict_scores", lambda *words: predict(*words) * float("nan"))
    answer = bezoar("reproduce small --item table-1 --out run")
    assert answer.code == 2
    record = read_item(tmp_path / "run" / "table-1")
    assert record.outcome == "partial"
    assert len(record.failures) == 4
    assert record.at("iris", "clean").value is None
    assert "diverged" in (tmp_path / "run" / "table-1" / "README.md").read_text(encoding="utf-8")


def test_quick_is_told_everywhere(bezoar: Terminal, tmp_path: Path) -> None:
    answer = bezoar("reproduce small --item table-3 --out run --quick")
    assert answer.code == 0
    assert "quick try-out" in answer.out
    record = read_item(tmp_path / "run" / "table-3")
    assert record.quick
    assert record.command == "bezoar reproduce small --item table-3 --quick"
    page = (tmp_path / "run" / "table-3" / "README.md").read_text(encoding="utf-8")
    assert "not to be quoted" in page


def test_pages_are_written_anew_from_the_results(bezoar: Terminal, tmp_path: Path) -> None:
    assert bezoar("reproduce small --item table-1 --out run").code == 0
    page = tmp_path / "run" / "table-1" / "README.md"
    text = page.read_text(encoding="utf-8")
    page.unlink()
    answer = bezoar("reproduce small --pages --out run")
    assert (answer.code, answer.error) == (0, "")
    assert page.read_text(encoding="utf-8") == text
    refused(bezoar("reproduce small --pages --out nothing"), 2)


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA, reason="BEZOAR_DATA names no folder with the real data sets")
def test_a_table_of_the_paper_on_the_real_data(
    bezoar: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    table = next(item for item in STUDIES["quid"].items if item.name == "table-4")
    # Principal components in place of the autoencoder, which takes most of a minute to train.
    runs = {name: replace(plan, reduce="pca") for name, plan in table.runs.items()}
    items = (replace(table, runs=runs, reconstructions=()),)
    monkeypatch.setitem(STUDIES, "quid", replace(STUDIES["quid"], items=items))
    answer = bezoar("reproduce quid --item table-4 --quick --out run --data", DATA)
    assert answer.code in (0, 1), answer
    record = read_item(tmp_path / "run" / "table-4")
    assert record.outcome == "complete"
    assert all(row.n == 2 for row in record.rows)
    assert all(row.value is not None for row in record.rows)
    with noted_warnings() as partial:
        KUZUSHIJI_MNIST.pixels(folder=DATA)
    assert set(partial) <= set(record.notes)
    # Nothing of the pictures was fitted, so the cache stays empty.
    assert not (tmp_path / "cache").exists()


_TWICE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from small_study import SMALL
from bezoar.cli.main import main
from bezoar.evaluate.studies import STUDIES
STUDIES["small"] = SMALL
sys.exit(main(sys.argv[1:]))
"""


def test_two_runs_at_once_in_one_folder(tmp_path: Path) -> None:
    words = ["reproduce", "small", "--item", "table-1,table-3", "--out", "run", "--seeds", "4"]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _TWICE, str(Path(__file__).parent), *words],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "20"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for _ in range(2)
    ]
    answers = []
    for process in both:
        out, error = process.communicate(timeout=120)
        answers.append(Answer(process.returncode, out, error))
    assert [(a.code, a.error) for a in answers] == [(0, "")] * 2
    assert answers[0].out == answers[1].out
    assert names(tmp_path / "run") == {"cells", "README.md", "report.html", "table-1", "table-3"}
    for item in ("table-1", "table-3"):
        assert read_item(tmp_path / "run" / item).outcome == "complete"
        assert names(tmp_path / "run" / item) == {"README.md", "result.json"}
    # Two items, four seeds, clean and poisoned.
    assert len(names(tmp_path / "run" / "cells")) == 16
