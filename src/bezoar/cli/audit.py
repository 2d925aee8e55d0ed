"""``bezoar audit``: what would poisoning do to this model on this data, and would it show?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bezoar.cli.options import add_options, given_settings, somebody_watches

NAME = "audit"
DESCRIPTION = """\
Trains a quantum classifier on clean and on poisoned copies of DATA, many times at once, and writes
DIR/record.json, DIR/report.html and DIR/report.md. An interrupted audit continues where it was;
finished trainings are never repeated.

examples:
  bezoar audit                                    handwritten digits 0 to 3, all defaults
  bezoar audit wine --noise none --seeds 10
  bezoar audit mine.csv --label species --ansatz sim-6 --attacks random,quid
  bezoar audit --plan plan.toml --out run1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help="a data set, see bezoar list datasets, or a file (npz, csv, parquet); "
        "default: digits 0 to 3",
    )
    parser.add_argument(
        "--plan", metavar="FILE", help="TOML file with the options below; those given here win"
    )
    parser.add_argument(
        "--out", metavar="DIR", default="bezoar-audit", help="results (default: bezoar-audit)"
    )
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    import torch

    from bezoar.cli.terminal import Terminal
    from bezoar.contracts.files import write_text
    from bezoar.evaluate.audit import run_audit
    from bezoar.models.watching import watched
    from bezoar.report import render
    from bezoar.report.terminal import summary

    # The engine's tensors are small: threads that wait for each other cost more than they give.
    torch.set_num_threads(1)
    plan = _plan(options)
    out = Path(options.out)
    with watched(somebody_watches(), transient=True) as progress:
        record = run_audit(plan, out, progress=progress)
    write_text(out / "report.html", render(record, "html"))
    write_text(out / "report.md", render(record, "md"))
    console = Terminal()
    console.print(summary(record))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    if record.outcome != "complete":
        return 2
    return 1 if record.findings else 0


def _plan(options: argparse.Namespace) -> Any:
    from bezoar.evaluate.plan import AuditPlan, read_toml

    given = given_settings(options)
    if options.data is not None:
        given["data"] = options.data
    if options.plan is None:
        return AuditPlan.from_settings(AuditPlan.first_settings(given), source="command line")
    written = {key.replace("-", "_"): value for key, value in read_toml(options.plan).items()}
    return AuditPlan.from_settings(AuditPlan.first_settings(written | given), source=options.plan)
