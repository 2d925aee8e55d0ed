"""``bezoar backdoor``: what can a backdoor do to an image model with a quantum head?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bezoar.cli import backdoor_circuit, backdoor_search, report
from bezoar.cli.backdoor_options import (
    ATTACK_OPTIONS,
    BACKDOOR_OPTIONS,
    DATA_OPTIONS,
    NETWORK_OPTIONS,
)
from bezoar.cli.options import Option, add_options, given_settings, somebody_watches
from bezoar.cli.threads import set_threads

if TYPE_CHECKING:
    from bezoar.evaluate.backdoors.plan import BackdoorPlan

NAME = "backdoor"
DESCRIPTION = """\
Answers for image models with a quantum head: what can a backdoor in the training data do, would it
show, and what removes it? The attacker poisons data alone and neither trains nor knows the model.

examples:
  bezoar backdoor demo                                 digits in RGB, no download
  bezoar backdoor evaluate imagenette --data ~/data --trunk resnet-18 --stages 3 \\
      --weights imagenet --image-size 64 --samples 1000 --trigger patch:3 --defences strip
  bezoar backdoor poison digits-rgb --trigger patch:3 --out P.npz --truth T.json
  bezoar backdoor train digits-rgb --train P.npz --out model.safetensors
  bezoar backdoor evaluate digits-rgb --model model.safetensors --trigger patch:3
  bezoar backdoor search digits-rgb                    NSGA-II over Qcolor's three factors
  bezoar backdoor circuit iris --attacks qtrojan       backdoors in the circuit itself
"""
_POISON = """\
Draws training images of DATA as `backdoor evaluate` does with the same seed, poisons them, and
writes P.npz (arrays features, labels, ids, class_names) and T.json (what was changed). Nothing in
P.npz tells which images those are.
"""
_TRAIN = """\
Trains one network on clean images of DATA, or on those in --train, and writes its weights with its
settings as safetensors: nothing is pickled, and the file scores the same elsewhere.
"""
_EVALUATE = """\
Trains networks on clean, relabelled and poisoned images, for each head, trigger, rate and seed,
mounts the defences, and writes DIR/record.json, DIR/report.html and DIR/report.md. An interrupted
run continues where it was. With --model, scores that saved network instead and writes nothing.
"""
_DEMO = """\
A small network with a quantum head and its classical twin, three triggers, three defences, on
scikit-learn's digits in RGB: under two minutes on two cores, no download. Writes DIR/report.html.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    commands = parser.add_subparsers(
        title="commands", dest="backdoor_command", metavar="COMMAND", required=True
    )
    demo = _command(commands, "demo", "see it work, without any data", _DEMO)
    _add_out(demo)
    _add_poison(commands)
    _add_train(commands)
    evaluate = _command(commands, "evaluate", "measure attacks and defences", _EVALUATE)
    _add_data(evaluate)
    evaluate.add_argument("--plan", metavar="FILE", help="TOML file with the options below")
    evaluate.add_argument("--model", metavar="FILE", help="score this saved network")
    evaluate.add_argument(
        "--seed", type=int, default=0, help="of the test images, with --model (default: 0)"
    )
    _add_out(evaluate)
    add_options(evaluate, options=BACKDOOR_OPTIONS)
    for name, summary, module in (
        ("search", "find Qcolor's factors by NSGA-II", backdoor_search),
        ("circuit", "backdoors in a QNN's circuit", backdoor_circuit),
    ):
        module.add_command(_command(commands, name, summary, module.DESCRIPTION))
    shown = _command(commands, "report", "a finished run as a page", report.DESCRIPTION)
    report.add_arguments(shown)


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    return {
        "demo": _demo,
        "poison": _poison,
        "train": _train,
        "evaluate": _evaluate,
        "search": backdoor_search.run,
        "circuit": backdoor_circuit.run,
        "report": report.run,
    }[options.backdoor_command](options)


def _command(commands: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        metavar="DATA",
        help="images: digits-rgb, cifar-10, imagenette, mnist, ..., or a folder with one folder "
        "for each class; or a table, with --trunk none (default: digits-rgb)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="folder of the data sets (default: BEZOAR_DATA, or a cache)"
    )


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", metavar="DIR", default="bezoar-backdoor", help="results (default: bezoar-backdoor)"
    )


def _add_poison(commands: Any) -> None:
    poison = _command(commands, "poison", "write poisoned images, and the truth", _POISON)
    _add_data(poison)
    poison.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    poison.add_argument("--out", required=True, metavar="P.npz", help="the poisoned images")
    poison.add_argument("--truth", required=True, metavar="T.json", help="what was changed")
    add_options(poison, options=(*DATA_OPTIONS, *ATTACK_OPTIONS, _TRUNK))


def _add_train(commands: Any) -> None:
    train = _command(commands, "train", "train a network and save it", _TRAIN)
    _add_data(train)
    train.add_argument("--train", metavar="FILE", help="training images instead, for example P.npz")
    train.add_argument("--seed", type=int, default=0, help="of images and weights (default: 0)")
    train.add_argument("--out", required=True, metavar="M.safetensors", help="the network")
    add_options(train, options=(*DATA_OPTIONS, *NETWORK_OPTIONS))


# Whether a source is images or a table.
_TRUNK = next(option for option in NETWORK_OPTIONS if option.field == "trunk")


def _demo(options: argparse.Namespace) -> int:
    from bezoar.evaluate.backdoors.demo import DEMO

    return _carry_out(DEMO, Path(options.out), None)


def _evaluate(options: argparse.Namespace) -> int:
    plan = _plan(options, BACKDOOR_OPTIONS, options.plan)
    if options.model is not None:
        return _score(plan, options)
    return _carry_out(plan, Path(options.out), options.data)


def _carry_out(plan: BackdoorPlan, out: Path, folder: str | None) -> int:
    from bezoar.cli.terminal import Terminal
    from bezoar.contracts.files import write_text
    from bezoar.evaluate.backdoors.run import run_backdoors
    from bezoar.models.watching import watched
    from bezoar.report import render
    from bezoar.report.terminal import summary

    set_threads()
    with watched(somebody_watches(), transient=True) as progress:
        record = run_backdoors(plan, out, folder=folder, progress=progress)
    write_text(out / "report.html", render(record, "html"))
    write_text(out / "report.md", render(record, "md"))
    console = Terminal()
    console.print(summary(record))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    if record.outcome != "complete":
        return 2
    return 1 if record.findings else 0


def _score(plan: BackdoorPlan, options: argparse.Namespace) -> int:
    from bezoar.evaluate.backdoors.files import score_file

    set_threads()
    score = score_file(plan, options.model, seed=options.seed, folder=options.data)
    print(f"accuracy {score.accuracy:.1%} of {score.n_test} clean test images")  # noqa: T201
    for trigger, found in score.success.items():
        print(  # noqa: T201
            f"{trigger}: attack success {found['attack_success_rate']:.1%}, "
            f"leak {found['leak']:.1%} of {found['challenged']:.0f} images of other classes"
        )
    return 0


def _poison(options: argparse.Namespace) -> int:
    from bezoar.evaluate.backdoors.files import poison_to_files

    first = {"triggers": ["patch:3"]}
    plan = _plan(options, (*DATA_OPTIONS, *ATTACK_OPTIONS, _TRUNK), None, first)
    poisoned = poison_to_files(
        plan, seed=options.seed, out=options.out, truth=options.truth, folder=options.data
    )
    n_poisoned, n_samples = len(poisoned.truth.poisoned_ids), len(poisoned.data)
    print(  # noqa: T201
        f"poisoned {n_poisoned} of {n_samples} samples with {plan.triggers[0]}\n"
        f"data:  {options.out}\ntruth: {options.truth}"
    )
    return 0


def _train(options: argparse.Namespace) -> int:
    from bezoar.evaluate.backdoors.files import train_to_file
    from bezoar.models.watching import watched

    set_threads()
    plan = _plan(options, (*DATA_OPTIONS, *NETWORK_OPTIONS), None)
    with watched(somebody_watches(), transient=True) as progress:
        trained = train_to_file(
            plan,
            seed=options.seed,
            out=options.out,
            train=options.train,
            folder=options.data,
            progress=progress,
        )
    print(  # noqa: T201
        f"{plan.heads[0]} head, trained on {trained.n_train} images: accuracy "
        f"{trained.accuracy:.1%} of {trained.n_test} clean test images\nmodel: {trained.path}"
    )
    return 0


def _plan(
    given: argparse.Namespace,
    options: Sequence[Option],
    file: str | None,
    first: dict[str, Any] | None = None,
) -> BackdoorPlan:
    from bezoar.evaluate.backdoors.plan import BackdoorPlan
    from bezoar.evaluate.plan import read_toml

    settings = (first or {}) | given_settings(given, options)
    if given.source is not None:
        settings["data"] = given.source
    if file is None:
        return BackdoorPlan.from_settings(settings, source="command line")
    written = {key.replace("-", "_"): value for key, value in read_toml(file).items()}
    return BackdoorPlan.from_settings(written | settings, source=file)
