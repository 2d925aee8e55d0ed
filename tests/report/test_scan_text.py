from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_records import (
    HOSTILE,
    make_empty,
    make_finding,
    make_flow,
    make_hostile,
    make_imported,
    make_long,
    make_notebook,
    make_scan,
    make_spread,
)

from bezoar.contracts.code_findings import CodeFinding, Place, Skipped
from bezoar.report import scan_text
from bezoar.report.scan_frame import columns, cut, frame

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def told(finding: CodeFinding, width: int = 100) -> list[str]:
    return scan_text.render(make_scan(findings=(finding,)), colour=False, width=width).splitlines()


def test_a_finding_is_told_with_place_code_caret_and_mend() -> None:
    assert told(make_finding())[:12] == [
        "QSA201 high: Pickle of parameters, models or data sets",
        " --> train.py:5:16 in restore",
        "  |",
        "2 |",
        "3 | def restore(path):",
        '4 |     with open(path, "rb") as file:',
        "5 |         return pickle.load(file)",
        "  |                ^^^^^^^^^^^^^^^^^",
        "6 |",
        "7 | weights = restore(ARGS.weights)",
        "  |",
        "  = pickle.load runs the code in a file that the command line names.",
    ]
    assert "help: Store arrays with numpy.savez" in told(make_finding())[12]


def test_the_flow_is_told_station_by_station_with_its_lines() -> None:
    text = "\n".join(told(make_flow()))
    places = ["service/api.py:12:20", "service/api.py:13:22", "service/api.py:14:12"]
    for number, place in enumerate([*places, "service/circuits.py:8:12"], 1):
        assert f"    {number}. {place}: " in text
    assert "       | payload = await request.json()" in text


def test_a_notebook_names_the_cell_and_the_line_of_the_file() -> None:
    assert " --> notebooks/Überblick 量子.ipynb:cell 3:2:20 (line 57 of the file)" in told(
        make_notebook()
    )


def test_carets_stand_under_the_place_in_a_long_line_with_tabs_and_wide_characters() -> None:
    for width in (40, 60, 80, 200):
        lines = told(make_long(), width)
        at = next(i for i, line in enumerate(lines) if line.startswith("41 |"))
        assert columns(lines[at]) <= width
        start, length = lines[at + 1].index("^"), lines[at + 1].count("^")
        shown = lines[at]
        marked_at = shown.index("qml.")
        assert columns(shown[:marked_at]) == start
        assert shown[marked_at:].startswith("qml.AngleEmbedding(pixels)"[: length - 1])


def test_a_place_over_several_lines_gets_a_bracket() -> None:
    lines = told(make_spread())
    assert "60 |   result = AerSimulator().run(" in lines
    assert "   |  __________^" in lines
    assert "61 | |     option_0=0," in lines
    assert "..." in lines
    assert "70 | | )" in lines
    assert "   | |_^" in lines


def test_an_imported_finding_names_its_tool_and_where_to_read_on() -> None:
    lines = told(make_imported())
    assert lines[0] == "S113 medium (ruff): Probable use of requests call without timeout"
    assert "  = see https://docs.astral.sh/ruff/rules/request-without-timeout/" in lines


def test_the_end_counts_what_was_found_silenced_and_not_examined() -> None:
    text = scan_text.render(make_scan(), colour=False, width=100)
    for line in (
        "6 findings: 1 critical, 2 high, 2 medium, 1 low.",
        "Imported: 1 from ruff.",
        "Suppressed: 1 by baseline and 1 by comment.",
        "Not examined: 2 files.",
        "  notebooks/huge.ipynb: larger than 50 MB",
        "Examined 42 files (5,310 lines of code) with 5 rules in 812 ms.",
        "note: The table of vulnerable versions is from 2025-06-01.",
        "`bezoar scan --explain QSA301` says why it matters and how to mend it.",
    ):
        assert f"\n{line}\n" in text


def test_many_skipped_files_are_counted_by_reason() -> None:
    skipped = tuple(Skipped(path=f"{i}.py", reason="a link to itself") for i in range(30))
    text = scan_text.render(make_empty(), colour=False, width=80)
    assert "Not examined" not in text
    text = scan_text.render(
        dataclasses.replace(make_empty(), skipped=skipped), colour=False, width=80
    )
    assert "Not examined: 30 files." in text
    assert "  and 25 more: a link to itself" in text


def test_concise_is_one_line_for_each_finding() -> None:
    text = scan_text.render(make_scan(), colour=False, width=80, concise=True)
    lines = text.splitlines()
    assert lines[5] == (
        "train.py:5:16: QSA201 high: pickle.load runs the code in a file that the command line"
        " names."
    )
    assert lines[2].startswith("model.py:60:10: QSA503 low (low confidence): ")
    assert lines[6] == ""
    assert lines[7].startswith("6 findings: ")


def test_nothing_found_and_nothing_examined_are_not_the_same() -> None:
    assert scan_text.render(make_empty(), colour=False, width=80).startswith(
        "No findings in 42 files.\n"
    )
    assert scan_text.render(make_empty(n_files=0, n_lines=0), colour=False, width=80).startswith(
        "No file was examined.\n"
    )


@pytest.mark.parametrize("concise", [False, True])
def test_colours_add_nothing_but_colours(concise: bool) -> None:
    record = make_scan()
    plain = scan_text.render(record, colour=False, width=90, concise=concise)
    coloured = scan_text.render(record, colour=True, width=90, concise=concise)
    assert ANSI.sub("", coloured) == plain
    assert "\x1b[1;31mQSA301 critical\x1b[0m" in coloured
    assert "\x1b" not in plain


@pytest.mark.parametrize("concise", [False, True])
def test_no_text_of_a_file_drives_the_terminal(concise: bool) -> None:
    text = scan_text.render(make_hostile(), colour=False, width=80, concise=concise)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    text.encode()
    assert "</script><script>alert(1)</script>" in text


def test_places_outside_their_code_do_not_break_the_frame() -> None:
    finding = make_finding()
    for changes in (
        {"line": 0, "column": 0, "end_line": 0, "end_column": 0},
        {"line": 500, "end_line": 400},
        {"column": 4000, "end_column": 9},
        {"line": 5, "end_line": 5000, "end_column": 0},
    ):
        place = dataclasses.replace(finding.place, **changes)
        assert "help:" in "\n".join(told(dataclasses.replace(finding, place=place)))


def test_a_line_of_megabytes_is_cut_at_once() -> None:
    text = "x" * 5_000_000
    before, marked, after = cut(text, 2_500_000, 4_000_000, 80)
    assert columns(before + marked + after) <= 80
    assert marked.startswith("x")


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=200),
    start=st.integers(0, 220),
    length=st.integers(0, 220),
    width=st.integers(20, 120),
)
def test_no_line_is_wider_than_asked(text: str, start: int, length: int, width: int) -> None:
    parts = cut(text, start, start + length, width)
    assert columns("".join(parts)) <= width
    assert "\n" not in "".join(parts)


@settings(max_examples=100, deadline=None)
@given(
    code=st.lists(st.text(max_size=40), max_size=12),
    numbers=st.tuples(*[st.integers(-2, 30)] * 5),
    width=st.integers(0, 100),
)
def test_any_place_in_any_code_is_told(
    code: list[str], numbers: tuple[int, ...], width: int
) -> None:
    line, column, end_line, end_column, code_line = numbers
    place = Place(path="a.py", line=line, column=column, end_line=end_line, end_column=end_column)
    finding = make_finding(place=place, code=tuple(code), code_line=code_line)
    assert len(frame(finding, width=50)) <= len(code)
    record = make_scan(findings=(finding,))
    scan_text.render(record, colour=True, width=width).encode()


def test_it_loads_without_the_libraries_of_the_other_formats() -> None:
    program = (
        "import sys, bezoar.report.scan_text\n"
        "heavy = {'rich', 'jinja2', 'numpy', 'torch', 'xml.etree.ElementTree', 'uuid'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr


def test_hostile_texts_are_what_the_other_tests_believe() -> None:
    assert any("\x1b" in text for text in HOSTILE)
    assert any("\udcff" in text for text in HOSTILE)
