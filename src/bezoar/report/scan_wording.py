"""What a scan comes to in words, said alike by every format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bezoar.contracts.code_findings import SEVERITIES, CodeFinding, Place, ScanRecord, Skipped
from bezoar.contracts.records import Severity
from bezoar.report.markdown_text import escape
from bezoar.report.wording import duration, listed, number, printable

#: The name under which our own findings stand.
OURS = "bezoar"
#: The worst first, as people read them.
WORST_FIRST: tuple[Severity, ...] = tuple(reversed(SEVERITIES))

#: Code within a sentence.
CODE = re.compile(r"(`[^`\n]+`)")


def paragraphs(text: str) -> str:
    """The text with its lines, each fit to print."""
    return "\n".join(printable(line) for line in text.splitlines())


def markdown_of(text: str) -> str:
    """A sentence in Markdown: what is code stays code, all else is shown literally.

    Example:
        >>> print(markdown_of("`pickle.load` runs *code*"))
        `pickle.load` runs \\*code\\*
    """
    parts = CODE.split(printable(text))
    return "".join(part if i % 2 else escape(part) for i, part in enumerate(parts))


def plural(n: int, word: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "file"), plural(5310, "line")
        ('1 file', '5,310 lines')
    """
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def counts(findings: Iterable[CodeFinding]) -> dict[Severity, int]:
    """How many findings there are of each severity, the worst first, zeros included."""
    found = Counter(finding.severity for finding in findings)
    return {severity: found[severity] for severity in WORST_FIRST}


def tally(findings: Iterable[CodeFinding]) -> str:
    """The counts in words: ``1 critical, 2 high``; "" when there is nothing."""
    return ", ".join(f"{n:,} {severity}" for severity, n in counts(findings).items() if n)


def headline(record: ScanRecord) -> str:
    """The result in one sentence."""
    if record.findings:
        return f"{plural(len(record.findings), 'finding')}: {tally(record.findings)}"
    if not record.n_files:
        return "No file was examined"
    return f"No findings in {plural(record.n_files, 'file')}"


def examined(record: ScanRecord) -> str:
    """What was looked at, and how long it took."""
    seconds = number(record.wall_seconds)
    took = "" if seconds is None else f" in {duration(max(seconds, 0.0))}"
    return (
        f"Examined {plural(record.n_files, 'file')} ({plural(record.n_lines, 'line')} of code) "
        f"with {plural(len(record.rules), 'rule')}{took}."
    )


def suppressed(record: ScanRecord) -> str:
    """How many findings were silenced and by what; "" for none."""
    by = Counter(printable(silenced.by) for silenced in record.suppressed)
    return f"Suppressed: {_shares(by, 'by')}." if by else ""


def imported(record: ScanRecord) -> str:
    """How many findings other tools made; "" for none."""
    by = Counter(printable(f.tool) for f in record.findings if f.tool != OURS)
    return f"Imported: {_shares(by, 'from')}." if by else ""


def skipped_by_reason(skipped: Iterable[Skipped]) -> dict[str, list[str]]:
    """The paths of the files that were not examined, by reason."""
    groups: dict[str, list[str]] = {}
    for file in skipped:
        groups.setdefault(printable(file.reason), []).append(printable(file.path))
    return groups


def place_of(place: Place) -> str:
    """The place as people read it: ``train.ipynb, cell 3, line 2``."""
    cell = "" if place.cell is None else f", cell {place.cell}"
    return f"{printable(place.path)}{cell}, line {place.line}"


def period(record: ScanRecord) -> tuple[datetime, datetime] | None:
    """When the scan began and ended, UTC; None when the record does not say it."""
    try:
        began = datetime.fromisoformat(record.started)
        if began.tzinfo is None:
            began = began.replace(tzinfo=UTC)
        ended = began + timedelta(seconds=number(record.wall_seconds) or 0.0)
        return began.astimezone(UTC), ended.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def address_of(reference: str) -> tuple[str, str]:
    """A reference as its text and its address, "" where it has none that a page may link.

    Example:
        >>> address_of("LintQ <https://arxiv.org/abs/2310.00718>")
        ('LintQ', 'https://arxiv.org/abs/2310.00718')
        >>> address_of("CVE-2025-2000")
        ('CVE-2025-2000', '')
    """
    text, _, rest = printable(reference).partition("<")
    address = rest.partition(">")[0].strip() if rest else text.strip()
    if not address.startswith(("https://", "http://")) or any(c.isspace() for c in address):
        return printable(reference).strip(), ""
    return text.strip() or address, address


def _shares(numbers: Counter[str], word: str) -> str:
    return listed([f"{n:,} {word} {name}" for name, n in sorted(numbers.items())])
