"""Markdown, JUnit and the terminal for backdoor runs, and what no record may break."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from backdoor_factory import (
    make_backdoor,
    make_circuits,
    make_failed_backdoor,
    make_hostile_backdoor,
    make_partial_backdoor,
    make_search,
    png,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from record_strategies import MEASUREMENTS, NUMBERS, RECORDS, TABLES, TEXTS
from rich.console import Console

from bezoar.contracts.records import Exhibit, RunRecord
from bezoar.report import html, junit, markdown
from bezoar.report.terminal import summary

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
KINDS = ("backdoor", "backdoor-search", "circuit-backdoor")

HEADS = st.sampled_from(["quantum", "linear", "<b>", ""])
TRIGGERS = st.sampled_from(["none", "patch:3", "patch:3,a=b", "qcolor:1,1,1", "|`", "", ":", ","])
RATES = st.one_of(st.sampled_from([0, 0.1, 1]), st.floats(), TEXTS)
TAGS = st.fixed_dictionaries(
    {},
    optional={
        "dataset": TEXTS,
        "trunk": TEXTS,
        "head": HEADS,
        "trigger": TRIGGERS,
        "rate": RATES,
        "twin": st.sampled_from(["clean", "backdoored", "other"]),
        "layer": TEXTS,
        "share": RATES,
        "epoch": st.one_of(st.integers(0, 3), st.floats()),
        "detector": TEXTS,
        "verified": st.booleans(),
        "trial": st.one_of(st.integers(0, 3), TEXTS),
        "on_front": st.booleans(),
        "red": NUMBERS.filter(lambda x: x is not None),
        "attack": st.sampled_from(["qtrojan", "qdoor", "<i>"]),
        "state": st.sampled_from(["dormant", "armed", ""]),
    },
)
METRICS = st.sampled_from(
    [
        "clean_accuracy", "backdoor_accuracy", "attack_success_rate", "leak",
        "control_attack_success_rate", "clean_attack_success_rate", "ssim", "psnr",
        "attack_success_rate_at_matched_loss", "attack_success_rate_by_epoch",
        "train_loss_by_epoch", "pruned_accuracy", "pruned_attack_success_rate",
        "fine_pruning_attack_success_rate", "retrained_attack_success_rate",
        "neural_cleanse_index", "strip_auroc", "strip_far", "strip_frr", "grad_cam_similarity",
        "candidate_attack_success_rate", "candidate_ssim", "hypervolume", "random_hypervolume",
        "accuracy", "circuit_distance",
    ]
)  # fmt: skip
TABLE_NAMES = st.sampled_from(["defence_matrix", "strip_entropy", "gradients", "theorem_1"])
EXHIBITS = st.builds(
    Exhibit,
    name=st.sampled_from(["trigger", "grad_cam", "restored_trigger", "candidate"]),
    title=TEXTS,
    png=st.one_of(TEXTS, st.just(png(4, 4))),
    tags=TAGS,
)


@st.composite
def backdoor_records(draw: st.DrawFn) -> RunRecord:
    """Records of any shape with the words of backdoor runs in them."""
    measurements = [
        dataclasses.replace(m, metric=draw(METRICS), tags=draw(TAGS))
        for m in draw(st.lists(MEASUREMENTS, max_size=12))
    ]
    tables = [
        dataclasses.replace(table, name=draw(TABLE_NAMES), tags=draw(TAGS))
        for table in draw(st.lists(TABLES, max_size=3))
    ]
    return dataclasses.replace(
        draw(RECORDS),
        kind=draw(st.sampled_from(KINDS)),
        measurements=tuple(measurements),
        tables=tuple(tables),
        exhibits=tuple(draw(st.lists(EXHIBITS, max_size=3))),
    )


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(record=backdoor_records())
def test_no_backdoor_record_breaks_a_format(record: RunRecord) -> None:
    for text in (html.render(record), markdown.render(record), junit.render(record)):
        text.encode()
    ET.fromstring(junit.render(record).encode())  # noqa: S314 - our own text
    Console(width=80, quiet=True).print(summary(record))


def shown(record: RunRecord) -> list[str]:
    console = Console(width=80, no_color=True, color_system=None)
    with console.capture() as capture:
        console.print(summary(record))
    return capture.get().splitlines()


def test_the_terminal_shows_success_beside_leak_and_control() -> None:
    lines = shown(make_backdoor())
    row = next(line for line in lines if line.startswith("linear") and "10%" in line)
    assert re.fullmatch(r"linear +3.3 patch +10% +77\.2 +82\.6 ±8\.0 +3\.7 +7\.1 +yes", row)
    assert sum(line.startswith(("quantum ", "linear ", "tanh ")) for line in lines) == 18
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_the_terminal_says_one_seed_and_missing() -> None:
    assert "One seed." in " ".join(shown(make_backdoor(seeds=1)))
    lines = "\n".join(shown(make_partial_backdoor()))
    assert "PARTIAL:" in lines
    assert re.search(r"tanh +3.3 patch +10% +missing", lines)


@pytest.mark.parametrize("make", [make_search, make_circuits, make_failed_backdoor])
def test_other_kinds_fit_in_eighty_columns(make: Callable[[], RunRecord]) -> None:
    assert max(len(line.rstrip()) for line in shown(make())) <= 80


def test_no_control_character_reaches_the_terminal() -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\n".join(shown(make_hostile_backdoor())))


def test_markdown_has_the_numbers_of_every_part() -> None:
    page = markdown.render(make_backdoor())
    for heading in ("## Attack success", "## Triggers", "## Defences", "## Threat model"):
        assert heading in page
    assert "| quantum | blend 0.15 | 10 % | 71.2 % (69.2 to 73.2 %) |" in page
    assert "index 3.4 (2.5 to 4.3), target found in 66.7 % (26.7 to 100.0 %)" in page
    assert "## The front" in markdown.render(make_search())
    assert "| QTrojan | armed |" in markdown.render(make_circuits())


def test_nothing_hostile_becomes_markup() -> None:
    page = PARSER.render(markdown.render(make_hostile_backdoor()))
    assert "<script" not in page
    assert "<img" not in page


def test_junit_has_a_case_for_each_cell() -> None:
    root = ET.fromstring(junit.render(make_backdoor()))  # noqa: S314
    cases = root.findall(".//testcase")
    assert len(cases) == 3 * 3 * 2 + 1
    assert len({(c.get("classname"), c.get("name")) for c in cases}) == len(cases)
    case = next(c for c in cases if c.get("classname") == "imagenette.resnet-18.quantum")
    numbers = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert {"attack_success_rate", "leak", "control_attack_success_rate"} <= set(numbers)
    assert root.get("failures") == "1"


def test_junit_skips_what_was_not_measured() -> None:
    root = ET.fromstring(junit.render(make_partial_backdoor()))  # noqa: S314
    (skipped,) = root.findall(".//skipped")
    assert skipped.get("message") == "the loss became NaN"
    assert len(root.findall(".//error")) == 1


def test_junit_lists_the_choice_the_front_and_the_states() -> None:
    root = ET.fromstring(junit.render(make_search()))  # noqa: S314
    names = [c.get("name") for c in root.findall(".//testcase")]
    assert names[0] == "chosen factors 1.12, 1, 0.878"
    assert len(names) == 11
    root = ET.fromstring(junit.render(make_circuits()))  # noqa: S314
    assert len(root.findall(".//testcase")) == 5
