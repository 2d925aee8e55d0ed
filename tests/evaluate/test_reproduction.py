"""A study is carried out, resumed, and told with its failures; on data that is always there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.reproduction import ItemRecord, read_item
from bezoar.evaluate import experiment
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.reproduction import reproduce
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement, Study

PLAN = AuditPlan(
    data="iris",
    noise=("none",),
    attacks=("random", "quid"),
    ratios=(0.5,),
    detectors=(),
    seeds=3,
    epochs=3,
    curves=True,
)
CLEAN = Pick(run="iris", tags={"attack": "none"})
RANDOM = Pick(run="iris", tags={"attack": "random"})
QUID = Pick(run="iris", tags={"attack": "quid"})
NEAREST = Pick(run="states", metric="nearest_class_accuracy", tags={"distance": "frobenius"})


def small_study() -> Study:
    first = Item(
        name="table-1",
        title="A table",
        source="Table 1",
        question="Is it so?",
        setting=("Iris.",),
        runs={"iris": PLAN},
        table=(
            Published(row="iris", column="baseline", paper=0.9, pick=CLEAN),
            Published(row="iris", column="QUID", paper=None, pick=QUID),
        ),
        statements=(
            Statement(
                text="QUID harms more",
                source="Table 1",
                quantity="accuracy, random less QUID",
                pick=replace(RANDOM, less=QUID),
                kind="apart",
            ),
        ),
        plots=(
            Plot(
                name="curve",
                title="Loss",
                kind="lines",
                x_title="epoch",
                y_title="loss",
                unit="nats",
                lines=(
                    Line(
                        name="QUID",
                        points=tuple(
                            (float(e), Pick(run="iris", metric="loss_by_epoch",
                                            tags={"attack": "quid", "epoch": e}))
                            for e in (1, 2, 3)
                        ),
                    ),
                    Line(name="QUID, paper", points=((1.0, 1.2), (2.0, None))),
                ),
            ),
        ),
        analysis=("We find {iris|baseline}, the paper {iris|baseline|paper}.",),
    )  # fmt: skip
    states = replace(
        first,
        name="table-2",
        runs={"states": replace(PLAN, attacks=())},
        table=(Published(row="iris", column="frobenius", paper=0.5, pick=NEAREST),),
        statements=(),
        plots=(),
        analysis=(),
    )
    return Study(name="small", paper="Nobody, Nothing, 2026", items=(first, states))


def run(out: Path, items: tuple[str, ...] = ("table-1", "table-2")) -> list[ItemRecord]:
    return list(reproduce(small_study(), items, out))


def test_every_number_comes_with_its_seeds(tmp_path: Path) -> None:
    table, states = run(tmp_path)
    baseline = table.at("iris", "baseline")
    assert (baseline.n, baseline.seeds, baseline.unit) == (3, (0, 1, 2), "fraction")
    assert baseline.low is not None
    assert baseline.value is not None
    assert baseline.low <= baseline.value
    assert baseline.spread_low is not None
    assert baseline.spread_low <= baseline.low
    assert table.at("iris", "QUID").verdict == "measured"
    assert table.outcome == "complete"
    assert states.at("iris", "frobenius").metric == "nearest_class_accuracy"
    (claim,) = table.claims
    quid = table.at("iris", "QUID").value
    assert claim.value is not None
    assert quid is not None
    assert claim.n == 3


def test_figures_hold_ours_and_the_papers(tmp_path: Path) -> None:
    ours, paper = run(tmp_path)[0].figures[0].series
    assert (ours.of, paper.of) == ("ours", "paper")
    assert all(value is not None for value in (*ours.y, *ours.low, *ours.high))
    assert paper.y == (1.2, None)


def test_analysis_takes_its_numbers_from_the_rows(tmp_path: Path) -> None:
    record = run(tmp_path)[0]
    value = record.at("iris", "baseline").value
    assert value is not None
    assert record.analysis == (f"We find {100 * value:.1f} %, the paper 90.0 %.",)


def test_the_file_gives_back_the_record(tmp_path: Path) -> None:
    record = run(tmp_path)[0]
    assert read_item(tmp_path / "table-1").to_json() == record.to_json()


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(tmp_path)

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(experiment, "train_many", refuse)
    monkeypatch.setattr(experiment, "state_similarity", refuse)
    again = run(tmp_path)
    assert [item.rows for item in again] == [item.rows for item in first]


def test_an_interrupted_run_keeps_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = experiment.train_many
    monkeypatch.setattr(experiment, "_CHUNK", 4)
    calls = []

    def interrupted(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(experiment, "train_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ("table-1",))
    assert len(list((tmp_path / "cells").iterdir())) == 4
    run(tmp_path, ("table-1",))
    assert len(list((tmp_path / "cells").iterdir())) == 9


def test_a_failed_training_is_told_and_is_no_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study()
    broken = replace(study.items[0], runs={"iris": replace(PLAN, learning_rate=1000.0)})

    def diverged(*args: object, **options: object) -> object:
        scores = predict(*args, **options)  # type: ignore[arg-type]
        return scores * float("nan")

    predict = experiment.predict_scores
    monkeypatch.setattr(experiment, "predict_scores", diverged)
    (record,) = reproduce(replace(study, items=(broken,)), ["table-1"], tmp_path)
    assert record.outcome == "partial"
    assert len(record.failures) == 9
    assert record.at("iris", "baseline").value is None
    assert record.at("iris", "baseline").verdict == "measured"


def test_quick_is_marked(tmp_path: Path) -> None:
    item = replace(small_study().items[1], runs={"states": replace(PLAN, data="digits")})
    study = replace(small_study(), items=(item,))
    (record,) = reproduce(study, ["table-2"], tmp_path, quick=True)
    assert record.quick
    assert record.seeds == (0, 1)
    assert record.command.endswith("--quick")


def test_more_seeds_reuse_fewer(tmp_path: Path) -> None:
    run(tmp_path, ("table-1",))
    (record,) = reproduce(small_study(), ["table-1"], tmp_path, seeds=4)
    assert record.at("iris", "baseline").n == 4
    assert len(list((tmp_path / "cells").iterdir())) == 12


def test_unknown_items_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="table-2"):
        run(tmp_path, ("table-9",))


def test_quick_takes_no_seeds(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="seeds"):
        list(reproduce(small_study(), ["table-1"], tmp_path, seeds=3, quick=True))
