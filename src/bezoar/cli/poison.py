"""``bezoar poison``: write a poisoned copy of a data set, and the truth into a file of its own."""

from __future__ import annotations

import argparse

from bezoar.cli.options import add_options, given_settings, somebody_watches

NAME = "poison"
DESCRIPTION = """\
Poisons DATA as a training set and writes P.npz (arrays features, labels, ids, class_names) and
T.json (attack, ratio, seed, poisoned_ids, original_labels). Nothing in P.npz tells which samples
were changed.

example:
  bezoar poison digits --attack quid --ratio 0.3 --seed 0 --out P.npz --truth T.json
"""

_FIELDS = (
    "label", "classes", "samples", "features", "reduce", "encoding", "axes", "qubits",
    "noise_on_encoding", "device_qubits", "metric", "source_classes", "attacker_states",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("data", metavar="DATA", help="a data set's name or a file")
    parser.add_argument("--attack", required=True, help="see bezoar list attacks")
    parser.add_argument("--ratio", required=True, type=float, help="share to poison, in [0, 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the attack's draws (default: 0)")
    parser.add_argument("--out", required=True, metavar="P.npz", help="the poisoned data")
    parser.add_argument("--truth", required=True, metavar="T.json", help="what was changed")
    parser.add_argument(
        "--noise",
        default="none",
        metavar="MODEL",
        help="noise that the attacker reckons with: none, ad-dep:P, dep:P, ... (default: none)",
    )
    add_options(parser, _FIELDS)


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    import torch

    from bezoar.evaluate.plan import AuditPlan
    from bezoar.evaluate.poisoning import poison_to_files
    from bezoar.models.watching import watched

    torch.set_num_threads(1)
    settings = given_settings(options) | {"data": options.data, "seeds": 1}
    plan = AuditPlan.from_settings(settings, source="command line")
    with watched(somebody_watches(), transient=True) as progress:
        poisoned = poison_to_files(
            plan,
            options.attack,
            ratio=options.ratio,
            seed=options.seed,
            out=options.out,
            truth=options.truth,
            progress=progress,
        )
    n_poisoned, n_samples = len(poisoned.truth.poisoned_ids), len(poisoned.data)
    print(f"poisoned {n_poisoned} of {n_samples} samples with {options.attack}")  # noqa: T201
    print(f"data:  {options.out}\ntruth: {options.truth}")  # noqa: T201
    return 0
