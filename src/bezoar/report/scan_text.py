"""A scan in the terminal: each finding with its code, the way of the data, and the mend.

Plain text and ANSI colours, without a library, because `bezoar scan` must start at once.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from bezoar.contracts.code_findings import SEVERITIES, CodeFinding, Place, ScanRecord, Step
from bezoar.report import scan_wording
from bezoar.report.scan_frame import FrameLine, clipped, columns, frame
from bezoar.report.scan_wording import OURS
from bezoar.report.wording import printable

Paint = Callable[[str, str], str]

_STYLES = {
    "critical": "1;31",
    "high": "31",
    "medium": "33",
    "low": "36",
    "bold": "1",
    "gutter": "34",
    "help": "1;32",
    "soft": "2",
}
#: So many files that were skipped for one reason are named; all are in the other formats.
_NAMED = 5
_NARROWEST = 40


def painter(*, colour: bool) -> Paint:
    """A function that gives a text a style, or leaves it plain."""
    if not colour:
        return lambda _style, text: text
    return lambda style, text: f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text else ""


def render(record: ScanRecord, *, colour: bool, width: int, concise: bool = False) -> str:
    """The findings and what the scan comes to.

    Args:
        record: the scan.
        colour: whether to use ANSI colours; without them nothing is lost.
        width: columns of the terminal; lines of code are cut to it around the place.
        concise: one line for each finding, as compilers and editors like it.
    """
    paint = painter(colour=colour)
    width = max(width, _NARROWEST)
    lines: list[str] = []
    for finding in record.findings:
        if concise:
            lines.append(_one_line(finding, paint))
        else:
            lines += [*_told(record, finding, width, paint), ""]
    if concise and record.findings:
        lines.append("")
    lines += _summary(record, width, paint)
    return "\n".join(lines) + "\n"


def _one_line(finding: CodeFinding, paint: Paint) -> str:
    place = printable(str(finding.place))
    return f"{paint('bold', place)}: {_label(finding, paint)}: {printable(finding.message)}"


def _label(finding: CodeFinding, paint: Paint) -> str:
    """``QSA103 high``, with what the reader must know of it."""
    asides = [] if finding.tool == OURS else [printable(finding.tool)]
    if finding.confidence == "low":
        asides.append("low confidence")
    aside = f" ({', '.join(asides)})" if asides else ""
    return paint(finding.severity, f"{printable(finding.rule)} {finding.severity}") + aside


def _told(record: ScanRecord, finding: CodeFinding, width: int, paint: Paint) -> Iterator[str]:
    rule = record.rule(finding.rule) if finding.tool == OURS else None
    title = printable(rule.title if rule is not None else finding.message)
    yield f"{_label(finding, paint)}: {paint('bold', title)}"
    digits = len(str(max([finding.code_line + len(finding.code), finding.place.line])))
    yield f"{' ' * digits}{paint('gutter', '-->')} {_where(finding.place)}"
    lines = frame(finding, width=width - digits - 5)
    if lines:
        yield from _framed(lines, digits, finding, paint)
    if rule is not None and printable(finding.message) != title:
        sign = " " * (digits + 1)
        yield from _wrapped(
            sign + paint("gutter", "="), len(sign) + 1, printable(finding.message), width
        )
    if finding.flow:
        yield from _flow(finding.flow, digits, width, paint)
    if rule is None and finding.references:
        yield f"{' ' * (digits + 1)}{paint('gutter', '=')} see {printable(finding.references[0])}"
    if finding.remedy:
        yield from _wrapped(paint("help", "help:"), len("help:"), printable(finding.remedy), width)


def _where(place: Place) -> str:
    where = printable(str(place))
    if place.cell is not None:
        where += f" (line {place.file_line} of the file)"
    return where + (f" in {printable(place.symbol)}" if place.symbol else "")


def _framed(
    lines: Sequence[FrameLine], digits: int, finding: CodeFinding, paint: Paint
) -> Iterator[str]:
    bar = paint("gutter", f"{' ' * digits} |")
    place = finding.place
    spread = place.end_line > place.line
    yield bar
    last = lines[0].number - 1
    for line in lines:
        if line.number != last + 1:
            yield paint("gutter", "...")
        last = line.number
        text = f"{line.before}{line.marked}{line.after}".rstrip()
        margin = ""
        if spread:
            inside = line.points and line.number > place.line
            margin = f"{paint(finding.severity, '|')} " if inside else "  "
        number = paint("gutter", f"{line.number:>{digits}} |")
        yield f"{number} {margin}{text}".rstrip()
        mark = _mark(line, place)
        if mark:
            yield f"{bar} {paint(finding.severity, mark)}"
    yield bar


def _mark(line: FrameLine, place: Place) -> str:
    """What stands under a line: carets, or the ends of a bracket around several lines."""
    if not line.points:
        return ""
    if place.end_line <= place.line:
        return " " * columns(line.before) + "^" * max(columns(line.marked), 1)
    if line.number == place.line:
        return f" {'_' * (columns(line.before) + 1)}^"
    if line.number == place.end_line:
        return f"|{'_' * max(columns(line.before + line.marked), 1)}^"
    return ""


def _flow(flow: Sequence[Step], digits: int, width: int, paint: Paint) -> Iterator[str]:
    gap = " " * (digits + 1)
    yield f"{gap}{paint('gutter', '=')} the way of the data:"
    for number, step in enumerate(flow, 1):
        indent = f"{gap}  {number}. "
        place = paint("bold", printable(str(step.place)))
        yield f"{gap}  {paint('gutter', f'{number}.')} {place}: {printable(step.message)}"
        code = step.code.strip()
        if code:
            shown = clipped(code, max(width - len(indent) - 2, 1))
            yield f"{' ' * len(indent)}{paint('gutter', '|')} {shown}"


def _wrapped(head: str, head_columns: int, text: str, width: int) -> Iterator[str]:
    """Text behind a head, its further lines indented like the first."""
    indent = " " * (head_columns + 1)
    room = max(width - len(indent), 20)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        yield f"{indent}{line}" if index else f"{head} {line}".rstrip()


def _summary(record: ScanRecord, width: int, paint: Paint) -> Iterator[str]:
    yield _headline(record, paint)
    for line in (scan_wording.imported(record), scan_wording.suppressed(record)):
        if line:
            yield line
    if record.skipped:
        yield paint("medium", f"Not examined: {scan_wording.plural(len(record.skipped), 'file')}.")
        for reason, paths in scan_wording.skipped_by_reason(record.skipped).items():
            yield from (f"  {path}: {reason}" for path in paths[:_NAMED])
            if len(paths) > _NAMED:
                yield f"  and {len(paths) - _NAMED:,} more: {reason}"
    yield paint("soft", scan_wording.examined(record))
    for note in record.notes:
        yield from _wrapped("note:", len("note:"), printable(note), width)
    ours = [f for f in record.findings if f.tool == OURS]
    if ours:
        worst = printable(max(ours, key=lambda f: SEVERITIES.index(f.severity)).rule)
        hint = f"`bezoar scan --explain {worst}` says why it matters and how to mend it."
        yield paint("soft", hint)


def _headline(record: ScanRecord, paint: Paint) -> str:
    if not record.findings:
        return paint("bold", f"{scan_wording.headline(record)}.")
    shares = [
        paint(severity, f"{n:,} {severity}")
        for severity, n in scan_wording.counts(record.findings).items()
        if n
    ]
    total = paint("bold", scan_wording.plural(len(record.findings), "finding"))
    return f"{total}: {', '.join(shares)}."
