"""What each command writes, prints and returns when all is well."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from command_line import QUICK, Terminal, refused

from bezoar._version import __version__
from bezoar.cli.main import make_parser
from bezoar.contracts import plugins
from bezoar.contracts.records import read_record
from bezoar.report.data import schema

HOSTILE = ('<img src=x onerror="alert(1)">', 'a,"b" [red] `x` | \n\x1b[31m')


def test_version_and_help(bezoar: Terminal) -> None:
    answer = bezoar("--version")
    assert (answer.code, answer.out) == (0, f"bezoar {__version__}\n")
    answer = bezoar("--help")
    assert answer.code == 0
    for word in ("audit", "poison", "list", "report", "exit codes"):
        assert word in answer.out


def test_without_a_command_the_help_is_shown_and_nothing_was_done(bezoar: Terminal) -> None:
    answer = bezoar("")
    assert answer.code == 3
    assert answer.out == bezoar("--help").out


@pytest.mark.parametrize("command", ["audit", "poison", "list", "report"])
def test_every_command_has_help_with_an_example(bezoar: Terminal, command: str) -> None:
    answer = bezoar(f"{command} --help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: bezoar {command}")
    assert command == "list" or f"bezoar {command} " in answer.out.partition("example")[2]


def test_the_examples_of_the_help_are_command_lines(bezoar: Terminal) -> None:
    examples = []
    for command in ("audit", "poison", "report"):
        text = bezoar(f"{command} --help").out
        # A description stands after two spaces or more.
        examples += re.findall(r"^  (bezoar .*?)(?:  .*)?$", text, re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        make_parser().parse_args(shlex.split(example)[1:])


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_registered_part_is_listed_with_what_it_is(bezoar: Terminal, kind: str) -> None:
    answer = bezoar(f"list {kind}")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines] == list(plugins.names(kind))
    for line in lines:
        assert len(line.split(maxsplit=1)[1]) > 10
        assert "cannot be loaded" not in line


def test_a_part_that_cannot_be_loaded_says_why_and_the_others_are_listed(
    bezoar: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = plugins._points

    def with_broken(kind: str) -> list[EntryPoint]:
        broken = EntryPoint("aaa-broken", "no_such_package.module:Part", f"bezoar.{kind}")
        return [*points(kind), broken]

    monkeypatch.setattr(plugins, "_points", with_broken)
    answer = bezoar("list attacks")
    assert answer.code == 0
    first, *others = answer.out.splitlines()
    assert first.startswith("aaa-broken")
    assert "cannot be loaded" in first
    assert any(line.startswith("quid") for line in others)


def test_an_audit_writes_three_files_and_prints_the_verdict(bezoar: Terminal) -> None:
    answer = bezoar(f"audit iris {QUICK} --out run")
    assert answer.code in (0, 1)
    assert answer.error == ""
    assert "report: run/report.html" in answer.out
    assert "unpoisoned" in answer.out
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "cells",
        "record.json",
        "report.html",
        "report.md",
    ]
    record = json.loads(Path("run/record.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert record["command"] in Path("run/report.md").read_text(encoding="utf-8")


def test_the_command_in_the_record_repeats_the_audit(bezoar: Terminal) -> None:
    bezoar(f"audit iris {QUICK} --out first --classes setosa,virginica")
    first = read_record("first")
    words = shlex.split(first.command)
    assert words[0] == "bezoar"
    bezoar(shlex.join(words[1:]), "--out", "second")
    second = read_record("second")
    assert second.plan_hash == first.plan_hash
    assert second.select("accuracy") == first.select("accuracy")


def test_exit_codes_of_an_audit(bezoar: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "audit iris --noise none --attacks quid --ratios 0.7 --seeds 2 --epochs 20 --out run"
    assert bezoar(f"{line} --tolerance 0.05").code == 1
    assert read_record("run").findings
    assert bezoar(f"{line} --tolerance 1").code == 0
    assert read_record("run").findings == ()

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("cannot")

    monkeypatch.setattr("bezoar.evaluate.measuring.suspicion", refuse)
    answer = bezoar(f"{line} --seeds 1 --out partial")
    assert answer.code == 2
    assert answer.error == ""
    assert "PARTIAL" in answer.out
    assert Path("partial/report.html").exists()


def test_an_audit_without_attacks(bezoar: Terminal) -> None:
    answer = bezoar(f"audit iris {QUICK} --attacks '' --out run")
    assert answer.code == 0
    assert "unpoisoned" in answer.out
    assert read_record("run").threat_models == {}


def test_class_names_of_an_enemy_reach_no_markup_and_no_terminal(bezoar: Terminal) -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(40) % 2
    np.savez("mine.npz", features=rng.normal(size=(40, 4)), labels=np.array(HOSTILE)[codes])
    answer = bezoar(f"audit mine.npz {QUICK} --attacks quid --out run")
    assert answer.code in (0, 1)
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "\x1b" not in page + answer.out + answer.error
    assert "\x1b" not in Path("run/report.md").read_text(encoding="utf-8")
    assert sorted(read_record("run").plan["classes"]) == sorted(HOSTILE)
    # They survive the shell, too.
    bezoar("audit mine.npz --classes", '"{}","{}"'.format(*(n.replace('"', '""') for n in HOSTILE)))


def test_a_file_name_of_an_enemy(bezoar: Terminal) -> None:
    rng = np.random.default_rng(0)
    name = "<b>$(x) [red]`y`\x1b[31m.npz"
    np.savez(name, features=rng.normal(size=(40, 4)), labels=np.arange(40) % 2)
    answer = bezoar(f"audit {QUICK} --out run --", f"./{name}")
    assert answer.code in (0, 1)
    assert "<b>$" not in Path("run/report.html").read_text(encoding="utf-8")
    assert "\x1b" not in answer.out


@pytest.mark.parametrize("form", plugins.names("formats"))
def test_reports_in_every_format(bezoar: Terminal, form: str) -> None:
    bezoar(f"audit iris {QUICK} --out run")
    shown = bezoar(f"report run --format {form}")
    assert shown.code == 0
    assert shown.error == ""
    assert bezoar(f"report run/record.json --format {form} --out pages/page.{form}").code == 0
    assert Path(f"pages/page.{form}").read_text(encoding="utf-8") == shown.out
    if form == "json":
        assert shown.out == Path("run/record.json").read_text(encoding="utf-8")


def test_html_is_the_default_and_the_page_of_the_audit(bezoar: Terminal) -> None:
    bezoar(f"audit iris {QUICK} --out run")
    assert bezoar("report run").out == Path("run/report.html").read_text(encoding="utf-8")


def test_reports_that_cannot_be_made_of_a_good_record(bezoar: Terminal) -> None:
    bezoar(f"audit iris {QUICK} --out run")
    before = Path("run/record.json").read_bytes()
    assert "did you mean 'html'?" in refused(bezoar("report run --format htm"), 4)
    assert "another file" in refused(bezoar("report run --out run/record.json"), 4)
    assert "another file" in refused(bezoar("report run/record.json --out run/record.json"), 4)
    assert "is a folder" in refused(bezoar("report run --out run/cells"), 2)
    assert "cannot be made" in refused(bezoar("report run --out run/record.json/x"), 2)
    assert Path("run/record.json").read_bytes() == before


def test_poison_writes_two_files_and_says_so(bezoar: Terminal) -> None:
    answer = bezoar("poison iris --attack quid --ratio 0.3 --seed 0 --out a/P.npz --truth b/T.json")
    assert answer.code == 0
    assert answer.error == ""
    assert answer.out == "poisoned 45 of 150 samples with quid\ndata:  a/P.npz\ntruth: b/T.json\n"
    with np.load("a/P.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["class_names", "features", "ids", "labels"]
    truth = json.loads(Path("b/T.json").read_text(encoding="utf-8"))
    assert len(truth["poisoned_ids"]) == 45
    assert bezoar(f"audit a/P.npz {QUICK} --out run").code in (0, 1)


def test_poison_takes_noise_reduction_and_encoding(bezoar: Terminal) -> None:
    found = set()
    for options in ("", "--features 1", "--axes YX", "--noise ad-dep:0.2", "--metric trace"):
        line = "poison iris --attack quid --ratio 0.5 --out P.npz --truth T.json"
        assert bezoar(f"{line} {options}").code == 0
        truth = json.loads(Path("T.json").read_text(encoding="utf-8"))
        found.add(json.dumps(truth["settings"], sort_keys=True))
    assert len(found) == 5


def test_warnings_are_one_line_each_and_told_once(bezoar: Terminal) -> None:
    answer = bezoar("poison iris --attack quid --ratio 0.3 --axes XYZ --out P.npz --truth T.json")
    assert answer.code == 0
    assert answer.error.startswith("bezoar: warning: axes XYZ")
    assert answer.error.count("\n") == 1


def test_warnings_of_an_audit_are_in_its_record(bezoar: Terminal) -> None:
    answer = bezoar(f"audit iris {QUICK} --axes XYZ --out run")
    assert answer.code in (0, 1)
    assert any("axes XYZ" in note for note in read_record("run").notes)
    assert "axes XYZ" in Path("run/report.md").read_text(encoding="utf-8")
