"""``bezoar backdoor circuit``: backdoors in the circuit of a QNN, not in its data."""

from __future__ import annotations

import argparse
from pathlib import Path

from bezoar.cli.options import Option, add_options, given_settings, somebody_watches

DESCRIPTION = """\
Mounts backdoors that are in the circuit of a quantum neural network: QTrojan's gates at the
encoder, and QDoor, which wakes up in approximate synthesis. Measures them with each seed, compares
the delivered circuit with the submitted one, and writes DIR/record.json and DIR/report.html.

example:
  bezoar backdoor circuit iris --attacks qtrojan --seeds 5
"""

OPTIONS = (
    Option("label", "text", "COLUMN", "label column of a file"),
    Option("classes", "list", "A,B,...", "classes to keep (default: all)"),
    Option("samples", "int", "N", "samples to keep (default: all)"),
    Option("features", "int", "N", "latent features (default: 8, or all of fewer)"),
    Option("reduce", "text", "HOW", "pca, autoencoder or none (default: pca)"),
    Option("encoding", "text", "NAME", "angle, amplitude, iqp, ... (default: angle)"),
    Option("axes", "text", "AXES", "rotations of the angle encoding (default: XZ)"),
    Option("qubits", "int", "N", "qubits (default: as few as hold the features)"),
    Option("ansatz", "text", "NAME", "trainable circuit (default: sim-6)"),
    Option("layers", "int", "N", "layers of the ansatz (default: 2)"),
    Option("noise", "text", "MODEL", "noise of gates and readout (default: none)"),
    Option("attacks", "list", "A,B,...", "qtrojan, qdoor (default: both)"),
    Option("target", "text", "CLASS", "class that the attacker wants (default: the first)"),
    Option("wires", "int", "N", "wires that QTrojan blinds (default: all)"),
    Option("armed", "numbers", "R,S,...", "strengths of QTrojan (default: 0.25,0.5,0.75)"),
    Option("trigger", "text", "T", "of QDoor, on raw features (default: feature:0/1,2)"),
    Option("threshold", "float", "R", "angles that the synthesis drops (default: 0.3)"),
    Option("bits", "int", "N", "bits of an angle after synthesis (default: all)"),
    Option("share", "float", "SHARE", "two-qubit rotations that QDoor has dropped (default: 0.5)"),
    Option("seeds", "int", "N", "repetitions (default: 3)"),
    Option("epochs", "int", "N", "training epochs (default: 100)"),
    Option("batch_size", "int", "N", "samples per step (default: 32)"),
    Option("learning_rate", "float", "R", "of the optimiser (default: 0.03)"),
    Option("test", "float", "SHARE", "share held out for the judge (default: 0.3)"),
    Option("validation", "float", "SHARE", "share that the defender holds (default: 0.15)"),
    Option("tolerance", "float", "SHARE", "attack success this little above the leak is no "
           "finding (default: 0.1)"),
)  # fmt: skip


def add_command(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("source", nargs="?", metavar="DATA", help="a table (default: wine)")
    parser.add_argument("--plan", metavar="FILE", help="TOML file with the options below")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="bezoar-circuit-backdoor",
        help="results (default: bezoar-circuit-backdoor)",
    )
    add_options(parser, options=OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    import torch

    from bezoar.cli.terminal import Terminal
    from bezoar.contracts.files import write_text
    from bezoar.evaluate.circuit_backdoor_plan import CircuitBackdoorPlan
    from bezoar.evaluate.circuit_backdoors import run_circuit_backdoor
    from bezoar.evaluate.plan import read_toml
    from bezoar.models.watching import watched
    from bezoar.report import render
    from bezoar.report.terminal import summary

    # The engine's tensors are small: threads that wait for each other cost more than they give.
    torch.set_num_threads(1)
    settings = given_settings(options, OPTIONS)
    if options.source is not None:
        settings["data"] = options.source
    if options.plan is not None:
        written = {key.replace("-", "_"): value for key, value in read_toml(options.plan).items()}
        settings = written | settings
    plan = CircuitBackdoorPlan.from_settings(settings, source=options.plan or "command line")
    out = Path(options.out)
    with watched(somebody_watches(), transient=True) as progress:
        record = run_circuit_backdoor(plan, out, progress=progress)
    write_text(out / "report.html", render(record, "html"))
    write_text(out / "report.md", render(record, "md"))
    console = Terminal()
    console.print(summary(record))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    if record.outcome != "complete":
        return 2
    return 1 if record.findings else 0
