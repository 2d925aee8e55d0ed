"""The theorems' tables on the page: what is drawn, and in which words."""

from __future__ import annotations

import dataclasses

from backdoor_factory import make_backdoor

from bezoar.contracts.records import Table
from bezoar.report import html
from bezoar.report.backdoor_results import arrange_backdoors
from bezoar.report.backdoor_theory import TheoryBlock, theory_blocks

RESULTS = arrange_backdoors(make_backdoor())
TRIGGER = RESULTS.triggers[0]
LABEL = RESULTS.trigger_label[TRIGGER]


def bounds(**changes: object) -> Table:
    first = Table(
        name="theorem_1",
        row_title="triggered samples",
        column_title="",
        rows=("6", "12"),
        columns=("ASR, measured", "two-sided: at most"),
        values=((0.4, 0.9), (None, 0.8)),
        unit="fraction",
        n=3,
        tags={
            "head": "quantum",
            "trigger": TRIGGER,
            "theorem": 1,
            "delta": 0.05,
            "reading two-sided": "|E - E_n| <= h",
            "condition bounded loss": "holds. Observed 0 to <1>.",
        },
    )
    return dataclasses.replace(first, **changes)  # type: ignore[arg-type]


def blocks(*tables: Table) -> list[TheoryBlock]:
    record = dataclasses.replace(make_backdoor(), tables=tables)
    return list(theory_blocks(arrange_backdoors(record)))


def test_numbers_are_drawn_and_words_are_parted() -> None:
    (block,) = blocks(bounds())
    assert block.title == (f"Theorem 1: attack success by triggered samples, {LABEL}, quantum head")
    assert LABEL != TRIGGER
    assert block.figure is not None
    measured, bound = block.figure.series
    assert (measured.x, measured.y) == ((6, 12), (0.4, None))
    assert bound.y == (0.9, 0.8)
    assert block.inputs == ("delta: 0.05",)
    assert block.readings == ("Two-sided: |E - E_n| <= h",)
    assert block.conditions == ("Bounded loss: holds. Observed 0 to <1>.",)


def test_triggers_in_rows_are_a_table_with_their_names() -> None:
    (block,) = blocks(bounds(row_title="trigger", rows=(TRIGGER, "unheard:1")))
    assert block.figure is None
    assert block.table.rows == (LABEL, "unheard:1")


def test_a_single_row_is_no_line() -> None:
    (block,) = blocks(bounds(name="theorem_2", unit="", rows=("10",), values=((0.4, 1.4),)))
    assert block.figure is None
    assert block.title.startswith("Theorem 2: smallest strength by triggered samples")


def test_losses_are_named_as_such() -> None:
    (block,) = blocks(bounds(unit="nats"))
    assert block.figure is not None
    assert block.figure.y_title == "loss and bounds (nats)"
    assert "Theorem 1: loss by" in block.title


def test_the_page_escapes_what_a_record_says() -> None:
    page = html.render(dataclasses.replace(make_backdoor(), tables=(bounds(),)))
    assert "Observed 0 to &lt;1&gt;." in page
    assert "Formulas, and whether their conditions hold" in page
