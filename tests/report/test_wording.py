from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_factory import make_record

from bezoar.contracts.records import Measurement
from bezoar.report.wording import (
    attack_name,
    in_table,
    interval,
    moment,
    noise_meaning,
    number,
    percent,
    printable,
    value_of,
    with_interval,
)


def measured(metric: str = "accuracy", unit: str = "fraction", **values: float) -> Measurement:
    half = Measurement(
        metric=metric,
        value=0.5,
        low=0.4,
        high=0.6,
        n=5,
        seeds=(0, 1, 2, 3, 4),
        unit=unit,
        better="higher",
    )
    return dataclasses.replace(half, **values)


@given(text=st.text(st.characters()))
def test_printable_text_is_one_line_of_encodable_characters_and_stays_so(text: str) -> None:
    record = dataclasses.replace(make_record(noises=(), attacks=()), notes=(text,))
    clean = printable(record)
    (note,) = clean.notes
    note.encode()
    assert len(note) == len(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in note)
    assert printable(clean) == clean


def test_printable_text_keeps_ordinary_text() -> None:
    record = make_record(noises=("none",), dataset="naïve 数字 ½ e\u0301")
    assert printable(record).plan["dataset"] == "naïve 数字 ½ e\u0301"


@given(value=st.floats(0, 1))
def test_a_percentage_claims_0_or_100_only_when_it_is_so(value: float) -> None:
    shown = percent(value)
    assert abs(float(shown.removesuffix(" %")) - 100 * value) <= 0.5 + 1e-9
    if shown in ("0 %", "100 %"):
        # One decimal is shown from 0.05 % away on.
        assert min(value, 1 - value) < 0.0005 + 1e-12


def test_units_are_said_as_usual() -> None:
    assert value_of(measured()) == "50.0 %"
    assert value_of(measured("accuracy_drop")) == "50.0 points"
    assert value_of(measured("detection_auroc", value=0.876)) == "0.88"
    assert value_of(measured("wall_seconds", "seconds", value=75)) == "1 min 15 s"
    assert value_of(measured("gates", "gates", value=12)) == "12 gates"
    assert value_of(measured("kernel_variance", "", value=0.00123)) == "0.00123"
    assert value_of(None) == value_of(measured(value=float("nan"))) == "not measured"


def test_shares_are_clipped_to_what_is_possible_and_differences_are_not() -> None:
    assert interval(measured(low=-0.02, high=1.04)) == "0 to 100 %"
    assert interval(measured("detection_auroc", low=0.9, high=1.04)) == "0.90 to 1.00"
    assert in_table(measured("accuracy_drop", value=0.01, low=-0.02, high=0.04)) == (
        "1.0 points (-2.0 to 4.0)"
    )


def test_every_number_says_how_many_seeds_it_has() -> None:
    assert with_interval(measured()) == "50.0 % (40.0 to 60.0 %, 5 seeds)"
    alone = dataclasses.replace(measured(), low=None, high=None, n=1)
    assert with_interval(alone) == "50.0 % (one seed)"


@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), [1]])
def test_what_is_not_a_finite_number_is_none(value: object) -> None:
    assert number(value) is None


def test_times_are_said_as_people_write_them() -> None:
    assert moment("2025-03-04T10:12:44+01:00") == "2025-03-04 09:12 UTC"
    assert moment("2025-03-04T10:12:44") == "2025-03-04 10:12"
    assert moment("yesterday") == "yesterday"


def test_names_that_are_not_ours_stay_as_they_are() -> None:
    assert attack_name("their-attack") == "their-attack"
    assert noise_meaning("their-noise:1") == noise_meaning("none") == noise_meaning("dep") == ""
    assert noise_meaning("readout:0.02") == "readout error on every qubit, p = 0.02"
