"""``bezoar report``: a finished run as a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = "report"
DESCRIPTION = """\
Renders the record of a run, on standard output unless --out says where.

examples:
  bezoar report bezoar-audit --format md
  bezoar report run1/record.json --format junit --out junit.xml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("record", metavar="RUN", help="a run's folder, or its record.json")
    parser.add_argument(
        "--format", default="html", help="html, md, json, junit or a plug-in (default: html)"
    )
    parser.add_argument("--out", metavar="FILE", help="write there, whole or not at all")


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    from bezoar.contracts.errors import InvalidArgument
    from bezoar.contracts.files import write_text
    from bezoar.contracts.records import read_record
    from bezoar.report import render

    run = Path(options.record)
    text = render(read_record(run), options.format)
    if not options.out:
        # The pages say that they are UTF-8, whatever the terminal is.
        if sys.stdout is not None:
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()
        return 0
    if Path(options.out).resolve() in (run.resolve(), (run / "record.json").resolve()):
        raise InvalidArgument("out", wanted="another file than the record", got=options.out)
    write_text(options.out, text)
    return 0
