"""Turns run records into pages: HTML, Markdown, JSON, JUnit and the terminal.

A record is told once (`story`: what it means in plain words), and each format gives that its own
form. Formats are plug-ins of the kind ``formats``: a function from a `RunRecord` to text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bezoar.contracts.records import RunRecord

__all__ = ["render"]


def render(record: RunRecord, format_name: str) -> str:
    """The record in the registered format, for example ``html``, ``md``, ``json`` or ``junit``.

    Raises:
        UnknownName: no such format; the message lists the known ones.
    """
    # The formats of a scan need neither the plug-ins nor what they import.
    from bezoar.contracts import plugins

    return plugins.load("formats", format_name)(record)
