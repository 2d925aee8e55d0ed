"""``bezoar list``: what is there to choose from, plug-ins included."""

from __future__ import annotations

import argparse

from bezoar.contracts import plugins
from bezoar.contracts.errors import BezoarError

NAME = "list"
DESCRIPTION = f"""\
Lists the registered parts of a KIND with what they say of themselves.

kinds: {", ".join(plugins.KINDS)}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("kind", metavar="KIND", help=", ".join(plugins.KINDS))


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    found = plugins.names(options.kind)
    width = max(map(len, found), default=0)
    for name in found:
        print(f"{name:{width}}  {_summary(options.kind, name)}".rstrip())  # noqa: T201
    return 0 if found else 3


def _summary(kind: str, name: str) -> str:
    """The first line of the part's description, or why it cannot be had."""
    try:
        part = plugins.load(kind, name)
    except BezoarError as error:
        return f"cannot be loaded: {error}"
    text = getattr(part, "description", None) or getattr(part, "title", None) or part.__doc__ or ""
    return str(text).strip().splitlines()[0] if str(text).strip() else ""
