"""What holds for every format."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from record_factory import make_failed, make_hostile, make_partial, make_record
from record_strategies import RECORDS
from rich.console import Console

from bezoar.contracts.errors import UnknownName
from bezoar.contracts.records import RunRecord
from bezoar.report import html, junit, markdown, render
from bezoar.report.terminal import summary


@pytest.mark.parametrize("name", ["html", "json", "junit", "md"])
def test_every_registered_format_renders_every_kind_of_record(name: str) -> None:
    for record in (make_record(), make_partial(), make_failed(), make_hostile()):
        assert len(render(record, name).encode()) > 500


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"html.*json.*junit.*md"):
        render(make_failed(), "htm")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(record=RECORDS)
def test_no_record_breaks_a_format(record: RunRecord) -> None:
    for text in (html.render(record), markdown.render(record), junit.render(record)):
        text.encode()
    Console(width=80, quiet=True).print(summary(record))


def test_a_record_read_back_gives_the_same_page() -> None:
    record = make_record(noises=("none",), ratios=(0.3,))
    assert html.render(RunRecord.from_json(record.to_json())) == html.render(record)


def test_the_report_room_needs_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, bezoar.report.html, bezoar.report.markdown, bezoar.report.junit, "
        "bezoar.report.data, bezoar.report.terminal\n"
        "heavy = {'numpy', 'torch', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules)\n"
        "raise SystemExit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_the_terminal_needs_rich() -> None:
    code = (
        "import sys, bezoar.report.html, bezoar.report.markdown, bezoar.report.junit, "
        "bezoar.report.data\n"
        "raise SystemExit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
