from __future__ import annotations

import re

import pytest
from record_factory import make_failed, make_hostile, make_partial, make_record
from rich.console import Console

from bezoar.contracts.records import RunRecord
from bezoar.report.terminal import summary


def shown(record: RunRecord, width: int = 80) -> list[str]:
    console = Console(width=width, no_color=True, color_system=None)
    with console.capture() as capture:
        console.print(summary(record))
    return capture.get().splitlines()


def test_two_noise_settings_fit_in_eighty_columns() -> None:
    lines = shown(make_record())
    assert max(len(line.rstrip()) for line in lines) <= 80
    row = next(line for line in lines if line.startswith("QUID") and "30%" in line)
    assert re.fullmatch(r"QUID +30% +72\.5 ±5\.6 +75\.3 +21\.8 +73\.3 ±4\.9 +75\.6 +17\.9", row)
    assert sum(line.startswith(("random", "QUID", "bi-level")) for line in lines) == 12


def test_columns_stand_under_their_heads() -> None:
    lines = shown(make_record())
    heads = next(line for line in lines if line.startswith("attack"))
    row = next(line for line in lines if line.startswith("unpoisoned"))
    assert heads.index("renamed") + len("renamed") == row.index("94.3 ", 30) + len("94.3")


def test_four_conditions_become_two_tables() -> None:
    lines = shown(make_record(noises=("none", "ad:0.1", "pd:0.1", "dep:0.1")))
    assert sum(line.startswith("attack") for line in lines) == 2
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_one_seed_is_said_and_has_no_interval() -> None:
    lines = shown(make_record(seeds=1))
    assert "One seed." in " ".join(lines)
    assert not any("±" in line for line in lines if line.startswith("QUID"))


def test_missing_cells_are_missing_not_zero() -> None:
    lines = shown(make_partial())
    assert lines[1].startswith("PARTIAL:")
    assert re.search(r"random +50% +missing", "\n".join(lines))


@pytest.mark.parametrize("record", [make_failed(), make_hostile()])
def test_no_control_character_reaches_the_terminal(record: RunRecord) -> None:
    text = "\n".join(shown(record))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "[31m" not in text or "\ufffd[31m" in text
