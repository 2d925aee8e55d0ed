"""A study is carried out, resumed, and told with its failures; on data that is always there."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import BezoarWarning, InvalidArgument, UnknownName
from bezoar.contracts.reproduction import DIFFERENCE, ItemRecord, read_item
from bezoar.evaluate import answering, experiment, victim
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
    assert run(tmp_path)[0].analysis == ()
    study = replace(small_study(), analysed_seeds=3)
    record = next(reproduce(study, ["table-1"], tmp_path))
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

    monkeypatch.setattr(answering, "train_many", refuse)
    monkeypatch.setattr(experiment, "state_similarity", refuse)
    again = run(tmp_path)
    assert [item.rows for item in again] == [item.rows for item in first]


def test_an_interrupted_run_keeps_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = answering.train_many
    monkeypatch.setattr(experiment, "_CHUNK", 4)
    calls = []

    def interrupted(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(answering, "train_many", interrupted)
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

    predict = answering.predict_scores
    monkeypatch.setattr(answering, "predict_scores", diverged)
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


def test_what_is_warned_of_the_data_is_told_of_every_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = victim.load_data
    loads = []

    def partial(plan: AuditPlan, **options: object) -> Dataset:
        loads.append(plan.data)
        warnings.warn("only 150 of 151 flowers", BezoarWarning, stacklevel=2)
        return load(plan, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(victim, "load_data", partial)
    for record in run(tmp_path):
        assert record.notes == ("only 150 of 151 flowers",)
    assert loads == ["iris"]


def test_a_run_may_train_and_compare(tmp_path: Path) -> None:
    item = small_study().items[0]
    near = Published(row="iris", column="near", paper=None, pick=replace(NEAREST, run="iris"))
    item = replace(item, table=(*item.table, near))
    (record,) = reproduce(replace(small_study(), items=(item,)), ["table-1"], tmp_path)
    assert record.at("iris", "near").n == record.at("iris", "baseline").n == 3


def test_a_run_that_is_only_subtracted_compares_states(tmp_path: Path) -> None:
    states = small_study().items[1]
    noisy = replace(states.runs["states"], noise=("ad-dep:0.05",))
    less = Published(
        row="iris",
        column="noise costs",
        paper=0.0,
        pick=replace(NEAREST, less=replace(NEAREST, run="noisy")),
    )
    item = replace(states, runs={**states.runs, "noisy": noisy}, table=(less,))
    (record,) = reproduce(replace(small_study(), items=(item,)), ["table-2"], tmp_path)
    assert record.rows[0].n == 3
    assert record.rows[0].unit == DIFFERENCE


def test_all_stands_for_every_item(tmp_path: Path) -> None:
    assert [item.item for item in run(tmp_path, ("all",))] == ["table-1", "table-2"]


def test_quick_keeps_the_epochs_of_a_figure_by_epoch(tmp_path: Path) -> None:
    many = replace(PLAN, epochs=7)
    item = replace(small_study().items[0], runs={"iris": many})
    study = replace(small_study(), items=(item,))
    (record,) = reproduce(study, ["table-1"], tmp_path, quick=True)
    assert record.plan["iris"]["epochs"] == 7
    plain = replace(item, runs={"iris": replace(many, curves=False)}, plots=())
    (record,) = reproduce(replace(study, items=(plain,)), ["table-1"], tmp_path, quick=True)
    assert record.plan["iris"]["epochs"] == 5


def test_a_try_out_does_not_replace_a_whole_result(tmp_path: Path) -> None:
    run(tmp_path, ("table-2",))
    with pytest.raises(InvalidArgument, match="another folder"):
        list(reproduce(small_study(), ["table-2"], tmp_path, quick=True))
    assert not read_item(tmp_path / "table-2").quick
