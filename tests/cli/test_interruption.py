"""Ctrl-C, a full disk, two runs at once: nothing is lost and nothing is half written."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from command_line import Terminal, finished, python, refused, start

from bezoar.contracts.records import read_record
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.plan import AuditPlan
from bezoar.report.data import schema

SMALL = "audit iris --noise none,ad-dep:0.05 --attacks random --ratios 0.3 --seeds 2 --out run"

POISON = "poison iris --attack random --ratio 0.3 --out P.npz --truth T.json"


def check_whole(run: Path) -> None:
    """Every file is whole, and there is none that nobody asked for."""
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(record)
    names = {path.name for path in run.iterdir()}
    assert names == {"cells", "record.json", "report.html", "report.md"}
    for path in (run / "cells").iterdir():
        assert path.suffix == ".json"
        assert set(json.loads(path.read_text(encoding="utf-8"))) == {"key", "result"}


def wait_for(process: subprocess.Popen[str], folder: Path, n_files: int) -> None:
    """Until `folder` holds `n_files`, or the process is over."""
    while process.poll() is None:
        if folder.is_dir() and len(list(folder.glob("[!.]*"))) >= n_files:
            return
        time.sleep(0.01)
    raise AssertionError(finished(process))


def test_ctrl_c_in_training_is_one_line_and_the_same_command_continues(tmp_path: Path) -> None:
    # Epochs enough that the second noise still trains when the first one's cells are seen.
    words = [*SMALL.split(), "--epochs", "400"]
    process = start(*words, folder=tmp_path)
    cells = tmp_path / "run" / "cells"
    wait_for(process, cells, 4)
    process.send_signal(signal.SIGINT)
    answer = finished(process)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.error == (
        "bezoar: interrupted; what was finished is kept, the same command continues\n"
    )
    kept = {path: path.stat().st_mtime_ns for path in cells.iterdir()}
    assert len(kept) == 4
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["cells"]

    again = finished(start(*words, folder=tmp_path))
    assert again.code in (0, 1), again
    for path, written in kept.items():
        assert path.stat().st_mtime_ns == written
    # Two noises and two seeds: a clean and a poisoned training, and a comparison of states.
    assert len(list(cells.iterdir())) == 2 * 2 * 3
    check_whole(tmp_path / "run")
    assert read_record(tmp_path / "run").outcome == "complete"


@pytest.mark.parametrize(
    ("line", "work"),
    [
        (SMALL, "bezoar.evaluate.audit.run_audit"),
        (POISON, "bezoar.evaluate.poisoning.poison_data"),
        ("report run", "bezoar.contracts.records.read_record"),
    ],
)
def test_ctrl_c_anywhere_is_one_line(
    bezoar: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, work: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, interrupted)
    assert "interrupted" in refused(bezoar(line), 2)
    assert list(tmp_path.iterdir()) == []


def test_two_audits_at_once_in_one_folder(tmp_path: Path) -> None:
    words = [*SMALL.split(), "--epochs", "10"]
    both = [start(*words, folder=tmp_path) for _ in range(2)]
    answers = [finished(process) for process in both]
    for answer in answers:
        assert answer.code in (0, 1), answer
        assert answer.error == ""
    assert answers[0] == answers[1]
    check_whole(tmp_path / "run")
    alone = run_audit(
        AuditPlan(data="iris", attacks=("random",), ratios=(0.3,), seeds=2, epochs=10),
        tmp_path / "alone",
    )
    together = read_record(tmp_path / "run")
    for metric in ("accuracy", "accuracy_drop", "detection_auroc"):
        assert together.select(metric) == alone.select(metric)


_LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from bezoar.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


# Bytes that a file may have: less than a result, than the record, and than the page.
@pytest.mark.parametrize(
    ("limit", "left"), [(200, []), (3000, ["cells"]), (30_000, ["cells", "record.json"])]
)
def test_a_full_disk_is_one_line_and_what_is_there_is_whole(
    tmp_path: Path, limit: int, left: list[str]
) -> None:
    words = [*SMALL.split(), "--epochs", "1"]
    answer = python(_LIMITED, limit, *words, folder=tmp_path)
    assert "cannot be written (File too large)" in refused(answer, 2)
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == (left or ["cells"])
    assert len(list((run / "cells").iterdir())) == (12 if left else 0)
    for path in run.rglob("*.*"):
        json.loads(path.read_text(encoding="utf-8"))


def test_a_full_disk_while_poisoning_leaves_neither_file(tmp_path: Path) -> None:
    answer = python(_LIMITED, 4000, *POISON.split(), folder=tmp_path)
    assert "cannot be written" in refused(answer, 2)
    assert list(tmp_path.iterdir()) == []
