"""The plan's fields as command-line options, named alike; the defaults are the plan's."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """One field of `AuditPlan` on the command line.

    Attributes:
        field: its name.
        kind: ``text``, ``int``, ``float``, ``list``, ``numbers``, ``whole``, ``switch``; ``each``
            is text that may be given several times, without the final s of the field.
        metavar: what stands for the value in the help.
        help: one sentence.
    """

    field: str
    kind: str
    metavar: str
    help: str


PLAN_OPTIONS = (
    Option("label", "text", "COLUMN", "label column of a file (default: label, target, class, y)"),
    Option("classes", "list", "A,B,...", "classes to keep (default: all)"),
    Option("samples", "int", "N", "samples to keep, every class in proportion (default: all)"),
    Option("fresh_samples", "switch", "", "each seed draws its --samples afresh (default: no)"),
    Option("features", "int", "N", "latent features to reduce to (default: 8, or all of fewer)"),
    Option("reduce", "text", "HOW", "pca, autoencoder, pool-autoencoder or none (default: pca)"),
    Option("encoding", "text", "NAME", "angle, amplitude, iqp, basis, a plug-in (default: angle)"),
    Option("axes", "text", "AXES", "rotations of the angle encoding, H first for a Hadamard layer "
           "(default: XZ)"),
    Option("qubits", "int", "N", "qubits (default: as few as hold the features)"),
    Option("model", "text", "NAME", "qnn or quantum-kernel (default: qnn)"),
    Option("ansatz", "text", "NAME", "trainable circuit, see bezoar list ansatze (default: sim-1)"),
    Option("layers", "int", "N", "layers of the ansatz (default: 1)"),
    Option("noise", "list", "A,B,...", "noise models: none, ad-dep:P, dep:P, readout:P, ...; "
           "devices: ibm-kyiv, ibm-brisbane, device:FILE (default: none,ad-dep:0.05)"),
    Option("device_qubits", "whole", "Q,R,...", "qubits of the device for the wires in order "
           "(default: the transpiler's choice)"),
    Option("noise_on_encoding", "switch", "", "noise also on the gates that prepare the data "
           "(default: yes)"),
    Option("gradient", "text", "HOW", "exact, parameter-shift, spsa or spsa-pennylane "
           "(default: exact)"),
    Option("spsa_step", "float", "H", "SPSA step in radians (default: 0.01)"),
    Option("spsa_directions", "int", "N", "SPSA directions per step (default: 1)"),
    Option("spsa_shared", "switch", "", "one SPSA direction for the whole batch (default: yes)"),
    Option("shots", "int", "N", "measurements per circuit execution (default: exact expectations)"),
    Option("sampler", "text", "HOW", "auto, joint, marginal or gaussian (default: auto)"),
    Option("attacks", "list", "A,B,...", "attacks, see bezoar list attacks; '' for none "
           "(default: random,quid,bilevel)"),
    Option("ratios", "numbers", "R,S,...", "shares of the training samples to poison "
           "(default: 0.1,0.3,0.5,0.7)"),
    Option("metric", "text", "NAME", "distance between states for QUID: frobenius, "
           "hilbert-schmidt, trace, ... (default: frobenius)"),
    Option("distances", "list", "A,B,...", "distances to compare the classes of the clean data in "
           "(default: those of the QUID paper)"),
    Option("source_classes", "list", "A,B,...", "poison samples of these classes alone, for "
           "attacks that can be targeted (default: all)"),
    Option("attacker_noise", "text", "MODEL", "noise that attackers reckon with (default: the "
           "victim's)"),
    Option("attacker_states", "text", "HOW", "how attackers know the states: exact, pauli:SHOTS, "
           "shadows:SHOTS, bloch:SHOTS, overlap:SHOTS (default: exact)"),
    Option("with_key", "switch", "", "the victim holds the key of a protected release "
           "(default: no)"),
    Option("ensemble", "text", "NAME", "defence while training: none, dpa:K, ss-dpa:K "
           "(default: none)"),
    Option("curves", "switch", "", "test loss and accuracy after each epoch (default: no)"),
    Option("detectors", "list", "A,B,...", "detectors; '' for none (default: state-similarity)"),
    Option("seeds", "int", "N", "repetitions, with seeds 0 to N-1 (default: 5)"),
    Option("epochs", "int", "N", "training epochs (default: 30)"),
    Option("batch_size", "int", "N", "samples per step (default: 32)"),
    Option("learning_rate", "float", "R", "of the optimiser (default: 0.01)"),
    Option("optimizer", "text", "NAME", "adam or sgd (default: adam)"),
    Option("test", "float", "SHARE", "share of the samples held out (default: 0.3)"),
    Option("dtype", "text", "NAME", "float32 or float64 (default: float32)"),
    Option("device", "text", "NAME", "torch device (default: cpu)"),
    Option("tolerance", "float", "SHARE", "drops up to this are no finding (default: 0.05)"),
)  # fmt: skip


def add_options(
    parser: argparse.ArgumentParser,
    fields: Collection[str] | None = None,
    options: Sequence[Option] = PLAN_OPTIONS,
) -> None:
    """Adds the plan's options, or those of `fields`."""
    group = parser.add_argument_group("plan")
    for option in options:
        if fields is None or option.field in fields:
            _add(group, option)


def given_settings(
    given: argparse.Namespace, options: Sequence[Option] = PLAN_OPTIONS
) -> dict[str, Any]:
    """The plan fields that the user gave."""
    values = {option.field: getattr(given, option.field, None) for option in options}
    return {name: value for name, value in values.items() if value is not None}


def somebody_watches() -> bool:
    """Whether progress bars have a reader: stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    flag = f"--{option.field.replace('_', '-')}"
    if option.kind == "switch":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, help=option.help)
        return
    if option.kind == "each":
        group.add_argument(
            flag.removesuffix("s"),
            dest=option.field,
            action="append",
            metavar=option.metavar,
            help=option.help,
        )
        return
    convert = {
        "int": int,
        "float": float,
        "list": _names,
        "numbers": _numbers,
        "whole": _whole,
    }.get(option.kind, str)
    group.add_argument(
        flag, dest=option.field, type=convert, metavar=option.metavar, help=option.help
    )


def _names(text: str) -> list[str]:
    """Names parted by commas; a name that holds a comma is quoted as in CSV."""
    try:
        names = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"wanted names as in CSV, got {text!r}") from error
    if '"' not in text:
        names = [name.strip() for name in names]
        if not all(names):
            raise argparse.ArgumentTypeError(f"wanted names parted by commas, got {text!r}")
    return names


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")] if text else []
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"wanted numbers parted by commas, got {text!r}"
        ) from error


def _whole(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")] if text else []
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"wanted whole numbers parted by commas, got {text!r}"
        ) from error
