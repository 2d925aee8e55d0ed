from __future__ import annotations

import dataclasses

import pytest
from reproduction_factory import (
    ITEM,
    make_curves,
    make_hostile,
    make_measured,
    make_table,
    row,
)

from bezoar.contracts.reproduction import DIFFERENCE, ItemRecord
from bezoar.report.reproduction import (
    answer,
    grids,
    plan_rows,
    warning,
)
from bezoar.report.reproduction_wording import (
    claim_value,
    figure_table,
    number_row,
    our_text,
    paper_text,
    places,
    verdict_of,
)


def only(*rows: str) -> ItemRecord:
    verdicts = {"r": "reproduced", "d": "differs", "c": "contradicts"}
    return dataclasses.replace(
        ITEM,
        rows=tuple(row("a", f"{i}", 0.5, 0.5, verdict=verdicts[v]) for i, v in enumerate(rows)),  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (ITEM, "Nothing was measured."),
        (only("r"), "The paper's one number is reproduced."),
        (only("c", "c"), "Both numbers of the paper are contradicted."),
        (only("d", "d", "d"), "All 3 numbers of the paper differ."),
        (only("r", "d"), "Of the paper's 2 numbers, 1 is reproduced and 1 differs."),
        (
            make_table(),
            (
                "Of the paper's 3 claims, 1 is reproduced, 1 differs and 1 is contradicted; of the "
                "paper's 53 numbers, 28 are reproduced, 13 differ and 12 are contradicted; "
                "measured besides, with nothing to compare: 1 question; 1 could not be measured."
            ),
        ),
        (
            make_measured(),
            "The paper gives nothing to compare; measured: 12 numbers; 1 could not be measured.",
        ),
    ],
)
def test_the_answer_is_one_sentence_with_every_verdict_counted(
    item: ItemRecord, sentence: str
) -> None:
    assert answer(item) == sentence


def test_the_answer_of_a_study_adds_its_items_up() -> None:
    assert answer([make_table(), make_curves()]).startswith(
        "Of the paper's 4 claims, 2 are reproduced, 1 differs and 1 is contradicted; of the "
        "paper's 55 numbers, 30 are reproduced,"
    )


def test_a_table_has_the_rows_and_columns_of_the_paper_in_its_order() -> None:
    (grid,) = grids(make_table())
    assert grid.rows[0] == "MNIST-4, PQC-1 (low)"
    assert grid.columns[::8] == ("0 %, baseline", "70 %, QUID")
    assert grid.unit == "fraction"
    assert "the paper → ours ± half" in grid.legend
    assert grid.legend.endswith("in per cent; 10 seeds.")
    assert grid.at("nowhere", "0 %, baseline") == ()


def test_two_metrics_in_one_place_make_two_tables() -> None:
    rows = (row("a", "b", 0.5, 0.4), row("a", "b", 2.0, 3.0, metric="wall_seconds", unit="seconds"))
    first, second = grids(dataclasses.replace(ITEM, rows=rows))
    assert (first.title, second.title) == ("Accuracy", "Wall seconds")
    assert first.at("a", "b") == rows[:1]


@pytest.mark.parametrize(
    ("paper", "value", "half", "unit", "expected"),
    [
        (0.0066, 0.021, 0.034, "fraction", ("0.66 %", "2.1 ± 3.4 %")),
        (0.943, None, 0.0, "fraction", ("94.3 %", "not measured")),
        (None, -0.41, 0.05, DIFFERENCE, ("", "-41.0 ± 5.0 points")),
        (7.4, 75.0, 3.2, "seconds", ("7.4 s", "1 min 15 s ± 3.2 s")),
        (3.0, 40.0, 0.0, "trainings", ("3 trainings", "40 ± 0 trainings")),
        (None, 1.25, 0.5, "", ("", "1.25 ± 0.5")),
    ],
)
def test_numbers_in_cells(
    paper: float | None, value: float | None, half: float, unit: str, expected: tuple[str, str]
) -> None:
    shown = row("a", "b", paper, value, half, unit=unit)
    assert (paper_text(shown), our_text(shown)) == expected


def test_one_seed_has_no_interval() -> None:
    shown = dataclasses.replace(row("a", "b", 0.5, 0.4), low=None, high=None, n=1)
    assert our_text(shown, "fraction") == "40.0"
    item = dataclasses.replace(ITEM, rows=(shown,))
    assert grids(item)[0].legend == "Each cell: the paper → ours, in per cent; one seed."


def test_the_ends_of_an_accuracys_interval_stay_within_what_is_possible() -> None:
    assert number_row(row("a", "b", 0.5, 0.99, 0.03))[5] == "96.0 to 100.0 %"
    assert number_row(row("a", "b", 0.5, 0.01, 0.03, metric="loss"))[5] == "-2.0 to 4.0 %"


def test_a_missing_number_has_no_verdict() -> None:
    assert verdict_of(row("a", "b", 0.5, None, verdict="contradicts")) == "not measured"


def test_claims_say_their_interval_and_seeds() -> None:
    first, *_, last = make_table().claims
    assert claim_value(first) == "-41.0 points (-46.0 to -36.0 points, 10 seeds)"
    assert claim_value(dataclasses.replace(last, low=None, high=None, n=1)) == (
        "31.0 points (one seed)"
    )


@pytest.mark.parametrize(
    ("quick", "outcome", "words"),
    [
        (False, "complete", ""),
        (True, "complete", "quick try-out"),
        (False, "partial", "did not finish"),
        (True, "failed", "quick try-out, whose numbers are not to be quoted, and the run failed"),
    ],
)
def test_the_warning(quick: bool, outcome: str, words: str) -> None:
    item = dataclasses.replace(ITEM, quick=quick, outcome=outcome)  # pyright: ignore[reportArgumentType]
    assert words in warning(item)
    assert bool(warning(item)) == bool(words)


def test_what_all_plans_share_is_said_once() -> None:
    assert plan_rows(ITEM) == [
        ["all", "qubits", "4"],
        ["all", "noise", "ad-dep:0.05"],
        ["PQC-1", "circuit", "1"],
        ["PQC-8", "circuit", "8"],
    ]
    assert plan_rows(dataclasses.replace(ITEM, plan={"seeds": 3})) == [["all", "seeds", "3"]]
    assert plan_rows(dataclasses.replace(ITEM, plan={})) == []


def test_the_numbers_of_a_figure_stand_in_a_table() -> None:
    figure = make_curves().figures[0]
    heads, rows = figure_table(figure)
    assert heads == ["epoch", "baseline, ours", "random, ours", "QUID, ours", "QUID, paper"]
    assert len(rows) == 30
    assert rows[16] == ["17", rows[16][1], "", rows[16][3], ""]
    assert rows[0][4] == "12.0 %"
    assert places(figure) == sorted(places(figure), key=float)


def test_a_hostile_record_is_counted_like_any_other() -> None:
    assert answer(make_hostile()).startswith("The paper's one claim is contradicted")
