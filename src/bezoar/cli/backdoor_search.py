"""``bezoar backdoor search``: which factors of Qcolor are strong and hard to see?"""

from __future__ import annotations

import argparse
from pathlib import Path

from bezoar.cli.backdoor_options import (
    ATTACK_OPTIONS,
    DATA_OPTIONS,
    JUDGE_OPTIONS,
    NETWORK_OPTIONS,
)
from bezoar.cli.options import Option, add_options, given_settings, somebody_watches

DESCRIPTION = """\
Searches the three factors of the Qcolor trigger by NSGA-II, with images and a surrogate that are
the attacker's own: for attack success, for triggered images that look like the clean ones, and for
no harm to clean images. Networks trained in full then verify the chosen factors on the test images.
Writes DIR/search.db, DIR/record.json, DIR/report.html and DIR/report.md. An interrupted search
continues where it was, and more --generations continue a finished one.

examples:
  bezoar backdoor search digits-rgb
  bezoar backdoor search digits-rgb --population 24 --generations 13 --no-verify
  bezoar backdoor search imagenette --data ~/data --trunk resnet-18 --stages 3 \\
      --weights imagenet --image-size 64 --samples 1000
"""

SEARCH_OPTIONS = (
    Option("population", "int", "N", "candidates of a generation (default: 24)"),
    Option("generations", "int", "N", "generations, the random first one included (default: 15)"),
    Option("low", "float", "F", "smallest factor (default: 0.8)"),
    Option("high", "float", "F", "largest factor (default: 1.2)"),
    Option("keep_share", "float", "SHARE", "of the front, the least visible member is chosen that "
           "keeps this share of the largest gain over changed labels alone (default: 0.9)"),
    Option("seed", "int", "N", "of the search (default: 0)"),
)  # fmt: skip
_RUN_OPTIONS = (
    Option("attacker_images", "int", "N", "images that the attacker has, at most (default: 1000)"),
    Option("random", "switch", "", "random search with as many evaluations, for comparison "
           "(default: yes)"),
    Option("verify", "switch", "", "verify the choice by full training (default: yes)"),
)  # fmt: skip
_ONE_OF_OPTIONS = (
    Option("rate", "float", "SHARE", "share of the training images to poison (default: 0.1)"),
    Option("head", "text", "NAME", "of the networks that verify: quantum, linear or tanh "
           "(default: quantum)"),
)  # fmt: skip
# What a search has one of, or none, stays out.
_PLAN_OPTIONS = (
    *DATA_OPTIONS,
    *(option for option in ATTACK_OPTIONS if option.field == "target"),
    *(option for option in NETWORK_OPTIONS if option.field != "heads"),
    *(option for option in JUDGE_OPTIONS if option.field in ("seeds", "tolerance")),
)


def add_command(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "source",
        nargs="?",
        metavar="DATA",
        help="images: digits-rgb, cifar-10, imagenette, ..., or a folder with one folder for each "
        "class (default: digits-rgb)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="folder of the data sets (default: BEZOAR_DATA, or a cache)"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="bezoar-backdoor-search",
        help="results (default: bezoar-backdoor-search)",
    )
    add_options(parser, options=(*SEARCH_OPTIONS, *_RUN_OPTIONS, *_ONE_OF_OPTIONS, *_PLAN_OPTIONS))


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    import torch

    from bezoar.attacks.backdoors.search import SearchSettings
    from bezoar.cli.terminal import Terminal
    from bezoar.cli.threads import set_threads
    from bezoar.contracts.files import write_text
    from bezoar.evaluate.backdoors.plan import BackdoorPlan
    from bezoar.evaluate.backdoors.search import run_search
    from bezoar.models.watching import watched
    from bezoar.report import render
    from bezoar.report.terminal import summary

    values = given_settings(options, _PLAN_OPTIONS)
    if options.source is not None:
        values["data"] = options.source
    if options.rate is not None:
        values["rates"] = [options.rate]
    values["heads"] = [options.head or "quantum"]
    plan = BackdoorPlan.from_settings(values, source="command line")
    settings = SearchSettings(**given_settings(options, SEARCH_OPTIONS))
    out = Path(options.out)
    if plan.trunk == "small":
        # Its tensors are small: threads that wait for each other cost more than they give.
        torch.set_num_threads(1)
    else:
        set_threads()
    with watched(somebody_watches(), transient=True) as progress:
        record = run_search(
            plan,
            settings,
            out,
            folder=options.data,
            progress=progress,
            **given_settings(options, _RUN_OPTIONS),
        )
    write_text(out / "report.html", render(record, "html"))
    write_text(out / "report.md", render(record, "md"))
    console = Terminal()
    console.print(summary(record))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    return 0 if record.outcome == "complete" else 2
