"""The page of the scanner tells every setting, format and mark that there is."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import get_args

from bezoar.report.scan import FORMATS
from bezoar.scan.code import guards, sources
from bezoar.scan.code.module import Module
from bezoar.scan.rule import Framework
from bezoar.scan.rule_check import check_rule
from bezoar.scan.settings import ScanSettings

FOLDER = Path(__file__).parents[2] / "docs" / "scan"
GUIDE = (FOLDER / "README.md").read_text(encoding="utf-8")
RULES = (FOLDER / "writing-rules.md").read_text(encoding="utf-8")


def first_cells(text: str, head: str) -> list[str]:
    """What the first column of the table below a head names."""
    table = text.partition(head)[2].lstrip("\n").split("\n\n")[0]
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def test_every_setting_is_told_with_its_default() -> None:
    fields = {each.name.replace("_", "-"): each for each in dataclasses.fields(ScanSettings)}
    (block,) = re.findall(r"^```toml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    table = tomllib.loads(block)["tool"]["bezoar"]["scan"]
    assert table.keys() == fields.keys()
    ScanSettings.from_settings(table, source="docs/scan/README.md")
    told = first_cells(GUIDE, "| setting | on the command line | default | takes |")
    assert set(told) == fields.keys()
    assert len(told) == len(fields)


def test_every_format_is_told() -> None:
    assert first_cells(GUIDE, "| `--format` | for |") == list(FORMATS)


def test_the_guide_to_rules_names_what_there_is() -> None:
    marks = {
        mark
        for table in (sources.MARKS, sources.METHOD_MARKS)
        for ms in table.values()
        for mark in ms
    }
    marks |= set(re.findall(r'yield from _each\(.*, "(\w+)"\)', Path(guards.__file__).read_text()))
    (told,) = re.findall(r"^\| `marks` \| (.*) \|$", RULES, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", told)) >= marks
    for name in re.findall(r"`(\w+)\(", RULES.partition("## What a rule sees")[2]):
        known = hasattr(Module, name) or name in (
            "argument_node",
            "comes_from",
            "check",
            "check_document",
        )
        assert known, name
    assert {"qiskit", "services"} <= set(get_args(Framework))


def test_the_example_of_the_guide_keeps_its_word() -> None:
    code = re.findall(r"^```python\n(.*?)^```$", RULES, re.MULTILINE | re.DOTALL)[0]
    namespace: dict[str, object] = {"__name__": "lab001"}
    exec(compile(code, "docs/scan/writing-rules.md", "exec"), namespace)  # noqa: S102 - ours
    check_rule(namespace["RULE"])  # type: ignore[arg-type]
