"""``bezoar reproduce``: repeat a paper's tables and figures with seeds and intervals."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from bezoar.cli.options import somebody_watches

if TYPE_CHECKING:
    from bezoar.evaluate.study import Study

NAME = "reproduce"
DESCRIPTION = """\
Repeats the tables and figures of a paper on the real data sets, with seeds and intervals, and
writes for each item DIR/ITEM/result.json, a page and its figures, and DIR/report.html with all of
them. What was interrupted continues; items that share trainings do them once.

The data sets are looked for in the folder --data (layout as torchvision's, MNIST/raw/...), or the
one that BEZOAR_DATA names; without either they are downloaded into a cache.

Exit code 1 means that the measurements contradict a claim of the paper.

examples:
  bezoar reproduce quid --item table-4 --seeds 10 --data ~/data
  bezoar reproduce quid --quick                       a try-out: 2 seeds, few samples
  bezoar reproduce hqnn --item table-1 --scale cpu-small --data ~/data
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("study", metavar="STUDY", help="the paper: quid or hqnn")
    parser.add_argument(
        "--item",
        metavar="A,B,...",
        default="all",
        help="table-1, figure-5, extra-...; STUDY --list names them (default: all)",
    )
    parser.add_argument(
        "--scale", metavar="NAME", help="hqnn: cpu-small, cpu or paper (default: cpu-small)"
    )
    parser.add_argument("--list", action="store_true", help="name the items, and do nothing")
    parser.add_argument(
        "--pages", action="store_true", help="write the pages anew from the results, and no more"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="repetitions (default: quid 10, hqnn 3)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="2 seeds, few samples and epochs: not to be quoted"
    )
    parser.add_argument("--data", metavar="DIR", help="folder of the data sets")
    parser.add_argument("--out", metavar="DIR", help="results (default: bezoar-reproduction/STUDY)")


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    from bezoar.evaluate.studies import study_named

    study = study_named(options.study, options.scale)
    if options.list:
        width = max(len(item.name) for item in study.items)
        for item in study.items:
            print(f"{item.name:{width}}  {item.title}")  # noqa: T201
        return 0
    if options.pages:
        return _write_pages(study, _out(study, options))
    return _carry_out(study, options)


def _out(study: Study, options: argparse.Namespace) -> Path:
    return Path(options.out or f"bezoar-reproduction/{study.name}")


def _write_pages(study: Study, out: Path) -> int:
    from bezoar.contracts.errors import FileProblem
    from bezoar.report.reproduction_pages import write_pages

    found = _readable(out, study)
    if not found:
        raise FileProblem(
            out, "holds no results", mend="name the folder that an earlier run wrote with --out"
        )
    print(f"report: {write_pages(out, found)}")  # noqa: T201
    return 0


def _carry_out(study: Study, options: argparse.Namespace) -> int:
    import torch

    from bezoar.cli.terminal import Terminal
    from bezoar.cli.threads import set_threads
    from bezoar.evaluate.backdoors.plan import BackdoorPlan
    from bezoar.evaluate.cells import check_replaceable
    from bezoar.evaluate.reproduction import reproduce
    from bezoar.models.watching import watched
    from bezoar.report.reproduction_pages import write_pages
    from bezoar.report.reproduction_terminal import item_terminal

    if any(isinstance(plan, BackdoorPlan) for item in study.items for plan in item.runs.values()):
        set_threads()
    else:
        # The engine's tensors are small: threads that wait for each other cost more than they give.
        torch.set_num_threads(1)
    out = _out(study, options)
    report = out / "report.html"
    check_replaceable(report)
    done = []
    with watched(somebody_watches(), transient=True) as progress:
        for item in reproduce(
            study,
            [name.strip() for name in options.item.split(",")],
            out,
            seeds=options.seeds,
            quick=options.quick,
            folder=options.data,
            progress=progress,
        ):
            done.append(item)
            report = write_pages(out, _readable(out, study))
    console = Terminal()
    console.print(item_terminal(done))
    console.print(f"report: {report}", soft_wrap=True, highlight=False)
    if any(item.outcome != "complete" for item in done):
        return 2
    return 1 if any(c.verdict == "contradicts" for item in done for c in item.claims) else 0


def _readable(out: Path, study: Study) -> tuple[str, ...]:
    """The items of which there is a result, also of earlier runs, that can be shown."""
    from bezoar.contracts.errors import BezoarWarning, FileProblem
    from bezoar.contracts.reproduction import read_item

    found = []
    for item in study.items:
        path = out / item.name / "result.json"
        if not path.exists():
            continue
        try:
            read_item(path)
        except FileProblem as error:
            warnings.warn(f"{error}; the pages leave it out", BezoarWarning, stacklevel=2)
            continue
        found.append(item.name)
    return tuple(found)
