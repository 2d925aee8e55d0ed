"""Whatever a file holds, a scan comes to an end and says something of it."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_projects import notebook, scanned, write

import bezoar.scan
from bezoar.scan import examination, files, notebooks
from bezoar.scan.catalogue import all_rules
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.examination import Examined, examine_code
from bezoar.scan.examples import files_of
from bezoar.scan.packing import HoldsSecret, packed, unpacked
from bezoar.scan.project_facts import ProjectFacts

RULES = all_rules()
#: Real code, of this package and of the rules' own examples.
SOURCES = [
    *(
        Path(module.__file__ or "").read_text(encoding="utf-8")
        for module in (examination, files, notebooks)
    ),
    *(
        text
        for rule in RULES
        for example in (*rule.bad[:2], *rule.look_alikes[:1])
        for name, text in files_of(example).items()
        if name.endswith(".py")
    ),
]
TOKENS = re.compile(r"\w+|\s+|[^\w\s]")


def examined(text: str, path: str = "app.py") -> Examined:
    """What comes of a text; findings are about lines that it has."""
    index = ModuleIndex([path])
    result = examine_code(
        path, text, RULES, project=ProjectFacts(), index=index, knowledge=Knowledge()
    )
    assert not [each.message for each in result.findings if "please report" in each.message]
    assert not [each.message for each in result.findings if "could not be shown" in each.message]
    n_lines = len(text.split("\n"))
    for finding in result.findings:
        assert 1 <= finding.place.file_line <= n_lines + 1
        assert finding.place.column >= 1
        assert finding.place.end_line >= finding.place.line
    return result


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    write(folder, {"a.py": data, "b.ipynb": data, "c.toml": data, "model.pkl": data})
    record = scanned(folder)
    assert record.n_files >= 2
    record.to_json()


@given(st.text(max_size=200))
@settings(max_examples=150)
def test_any_text(text: str) -> None:
    examined(text)
    examined(text, "a.ipynb")


@given(
    st.recursive(
        st.none() | st.text(max_size=9) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "cells",
                        "source",
                        "cell_type",
                        "outputs",
                        "text",
                        "data",
                        "metadata",
                        "worksheets",
                        "input",
                        "language_info",
                        "name",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
    )
)
@settings(max_examples=200)
def test_any_json_as_a_notebook(raw: object) -> None:
    examined(json.dumps(raw), "a.ipynb")


@given(st.integers(0, 2**32))
@settings(max_examples=250)
def test_code_with_pieces_moved_lost_or_doubled(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - no secret
    tokens = TOKENS.findall(choose.choice(SOURCES))
    other = TOKENS.findall(choose.choice(SOURCES))
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(tokens))
        kind = choose.randrange(4)
        if kind == 0:
            del tokens[at]
        elif kind == 1:
            tokens.insert(at, choose.choice(other))
        elif kind == 2:
            tokens[at] = choose.choice(other)
        else:
            end = min(len(tokens), at + choose.randint(1, 40))
            tokens[at:at] = tokens[at:end]
        if not tokens:
            break
    text = "".join(tokens)
    result = examined(text)
    with_cells = notebook(*text.split("\n\n")[:20])
    examined(with_cells, "a.ipynb")
    try:
        again = unpacked(packed(result))
    except HoldsSecret:
        return
    assert again.findings == result.findings


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_lines_of_code_in_any_order(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - no secret
    lines = [line for text in choose.sample(SOURCES, 3) for line in text.split("\n")]
    statements = [
        line for line in lines if line and not line[0].isspace() and line[-1] not in ":(,[{"
    ]
    choose.shuffle(statements)
    valid = []
    for line in statements[:60]:
        try:
            compile(line, "a", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        valid.append(line)
    result = examined("\n".join(valid) + "\n")
    assert not [finding for finding in result.findings if finding.rule == "QSA001"]


def test_our_own_scanner_reads_itself() -> None:
    folder = Path(bezoar.scan.__file__).parent / "code"
    record = scanned(folder)
    assert record.n_files > 10
    assert not [each for each in record.findings if each.rule == "QSA001"]


def test_the_limit_of_recursion_is_as_before(tmp_path: Path) -> None:
    before = sys.getrecursionlimit()
    scanned(write(tmp_path, {"a.py": "x = " + "(" * 3000, "b.py": "x" + ".a" * 200}))
    assert sys.getrecursionlimit() == before


def test_a_rule_that_fails_is_told_and_stops_no_other(tmp_path: Path) -> None:
    import dataclasses

    def fails(module: object) -> list[object]:
        raise KeyError("token")

    broken = dataclasses.replace(RULES[0], check=fails, keywords=())
    text = "import pickle\npickle.load(f)\n"
    result = examine_code(
        "a.py",
        text,
        [broken, *RULES[1:]],
        project=ProjectFacts(),
        index=ModuleIndex(["a.py"]),
        knowledge=Knowledge(),
    )
    assert [each.rule for each in result.findings] == ["QSA001", "QSA201"]
    assert f"could not be shown to {broken.id}" in result.findings[0].message


@pytest.mark.parametrize("part", ["check", "states"])
def test_a_rule_that_fails_is_a_finding_and_stops_nothing(part: str) -> None:
    def fails(_: object) -> list[object]:
        raise LookupError("no such thing")

    broken = dataclasses.replace(RULES[0], keywords=(), **{part: fails})
    result = examine_code(
        "app.py",
        "x = 1\n",
        [broken],
        project=ProjectFacts(),
        index=ModuleIndex(["app.py"]),
        knowledge=Knowledge(),
    )
    (finding,) = result.findings
    assert finding.rule == "QSA001"
    assert "LookupError: no such thing" in finding.message
