"""The examples do what they say."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from bezoar.data import load

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_audit_your_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flowers = load("iris")
    lines = [
        ",".join([*map(str, features), flowers.class_names[label]])
        for features, label in zip(flowers.features, flowers.labels, strict=True)
    ]
    Path("flowers.csv").write_text("\n".join(["a,b,c,d,species", *lines]), encoding="utf-8")
    run("audit_your_csv.py", "flowers.csv", "--label", "species", monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    assert "150 samples, 4 features, classes setosa, versicolor, virginica" in printed
    assert len(re.findall(r"^(?:none|random|quid) .*accuracy 0\.\d\d", printed, re.MULTILINE)) == 5
    assert "<html" in Path("bezoar-audit-table", "report.html").read_text(encoding="utf-8")


def test_poison_and_detect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("poison_and_detect.py", monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    assert "151 of 504 labels poisoned" in printed
    (suspects, hits) = map(int, re.findall(r"(\d+) suspects, (\d+) of", printed)[0])
    assert hits > 0.95 * 151
    assert hits > 0.8 * suspects
    found = dict(re.findall(r"^(\w+) +accuracy (\S+)$", printed, re.MULTILINE))
    assert float(found["cleaned"]) > float(found["poisoned"])
