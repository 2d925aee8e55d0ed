"""``bezoar reproduce``: repeat a paper's tables and figures with seeds and intervals."""

from __future__ import annotations

import argparse
import os
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
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("study", metavar="STUDY", help="the paper: quid")
    parser.add_argument(
        "--item",
        metavar="A,B,...",
        default="all",
        help="table-1 to table-7, figure-3 to figure-5, extra-...; STUDY --list names them "
        "(default: all)",
    )
    parser.add_argument("--list", action="store_true", help="name the items, and do nothing")
    parser.add_argument("--seeds", type=int, metavar="N", help="repetitions (default: 10)")
    parser.add_argument(
        "--quick", action="store_true", help="2 seeds, 300 samples, 5 epochs: not to be quoted"
    )
    parser.add_argument("--data", metavar="DIR", help="folder of the data sets")
    parser.add_argument("--out", metavar="DIR", help="results (default: bezoar-reproduction/STUDY)")


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    from bezoar.contracts.errors import UnknownName
    from bezoar.evaluate.studies import STUDIES

    if options.study not in STUDIES:
        raise UnknownName("study", options.study, list(STUDIES))
    study = STUDIES[options.study]
    if options.list:
        width = max(len(item.name) for item in study.items)
        for item in study.items:
            print(f"{item.name:{width}}  {item.title}")  # noqa: T201
        return 0
    names = [name.strip() for name in options.item.split(",")]
    if names == ["all"]:
        names = [item.name for item in study.items]
    if options.data is not None:
        os.environ["BEZOAR_DATA"] = options.data
    return _carry_out(study, names, options)


def _carry_out(study: Study, names: list[str], options: argparse.Namespace) -> int:
    import torch
    from rich.console import Console

    from bezoar.evaluate.reproduction import reproduce
    from bezoar.models.watching import watched
    from bezoar.report.reproduction_pages import write_pages
    from bezoar.report.reproduction_terminal import item_terminal

    torch.set_num_threads(1)
    out = options.out or f"bezoar-reproduction/{options.study}"
    console = Console()
    with watched(somebody_watches(), transient=True) as progress:
        done, report = [], Path(out)
        for item in reproduce(
            study,
            names,
            out,
            seeds=options.seeds,
            quick=options.quick,
            progress=progress,
        ):
            done.append(item)
            report = write_pages(out, tuple(known.name for known in study.items))
    console.print(item_terminal(done))
    console.print(f"report: {report}", soft_wrap=True, highlight=False)
    if any(item.outcome != "complete" for item in done):
        return 2
    return 1 if any(c.verdict == "contradicts" for item in done for c in item.claims) else 0
