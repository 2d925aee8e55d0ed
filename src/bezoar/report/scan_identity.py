"""Identifiers that stay the same from scan to scan, for formats that want them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence

from bezoar.contracts.code_findings import CodeFinding
from bezoar.report.wording import printable

_NAMESPACE = uuid.UUID("6f0c1c1e-5c0b-5a57-9d3f-2f0b7f7f2f51")


def guid(name: str) -> str:
    """A UUID that follows from `name` alone.

    Example:
        >>> guid("CWE") == guid("CWE"), guid("CWE") == guid("CWE-22")
        (True, False)
    """
    return str(uuid.uuid5(_NAMESPACE, printable(name)))


def occurrences(findings: Sequence[CodeFinding]) -> list[int]:
    """For each finding how many before it bear its fingerprint, so that twins stay apart."""
    seen: Counter[str] = Counter()
    order = []
    for finding in findings:
        order.append(seen[finding.fingerprint])
        seen[finding.fingerprint] += 1
    return order
