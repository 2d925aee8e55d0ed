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
  bezoar report scan.json --format sarif           what bezoar scan --format json wrote
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "record", metavar="RUN", help="a run's folder, its record.json, or the JSON of a scan"
    )
    parser.add_argument(
        "--format",
        default="html",
        help="html, md, json, junit or a plug-in; of a scan also text, sarif, gitlab "
        "(default: html)",
    )
    parser.add_argument("--out", metavar="FILE", help="write there, whole or not at all")


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    from bezoar.contracts.errors import InvalidArgument
    from bezoar.contracts.files import write_text

    run = Path(options.record)
    text = _rendered(run, options.format)
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


def _rendered(run: Path, format_name: str) -> str:
    from bezoar.contracts.code_findings import read_scan
    from bezoar.contracts.records import read_record
    from bezoar.report import render
    from bezoar.report.scan import render_scan

    scan = read_scan(run)
    if scan is not None:
        return render_scan(scan, format_name)
    return render(read_record(run), format_name)
