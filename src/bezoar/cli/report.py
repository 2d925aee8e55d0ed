"""``bezoar report``: a finished run as a page."""

from __future__ import annotations

import argparse
import sys

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
    from bezoar.contracts.files import write_text
    from bezoar.contracts.records import read_record
    from bezoar.report import render

    text = render(read_record(options.record), options.format)
    if options.out:
        write_text(options.out, text)
    else:
        sys.stdout.write(text)
    return 0
