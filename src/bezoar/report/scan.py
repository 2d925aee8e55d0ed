"""A scan in any of its formats."""

from __future__ import annotations

from importlib import import_module

from bezoar.contracts.code_findings import ScanRecord
from bezoar.contracts.errors import UnknownName

#: Formats that are files; ``text`` and ``concise`` are for the terminal (`scan_text`). Each is
#: imported when it is asked for: a scan in the terminal needs no templates.
_MODULES = {
    "json": "bezoar.report.scan_data",
    "sarif": "bezoar.report.scan_sarif",
    "gitlab": "bezoar.report.scan_gitlab",
    "junit": "bezoar.report.scan_junit",
    "html": "bezoar.report.scan_html",
}
FORMATS = ("text", "concise", *_MODULES)


def render_scan(
    record: ScanRecord, format_name: str, *, colour: bool = False, width: int = 100
) -> str:
    """The record in one of `FORMATS`.

    Args:
        record: what a scan found.
        format_name: the format.
        colour: whether ``text`` and ``concise`` use ANSI colours.
        width: columns of ``text``.

    Raises:
        UnknownName: no such format; the message lists the known ones.
    """
    if format_name in ("text", "concise"):
        from bezoar.report import scan_text

        return scan_text.render(
            record, colour=colour, width=width, concise=format_name == "concise"
        )
    if format_name not in _MODULES:
        raise UnknownName("format", format_name, FORMATS)
    return import_module(_MODULES[format_name]).render(record)
