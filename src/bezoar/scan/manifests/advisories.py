"""Known-vulnerable versions: the shipped table, and which requirements fall into it.

A requirement counts only where *every* version it admits is vulnerable: ``qiskit==1.2.4`` and
``torch<2.6`` do, ``qiskit>=0.45`` does not, because a mended version is installed today.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from bezoar.contracts.records import Severity

if TYPE_CHECKING:
    from packaging.specifiers import Specifier
    from packaging.version import Version

TABLE_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One published weakness of a package.

    Attributes:
        id, aliases: its names in the public lists.
        package: normalised name.
        affected: specifiers, each one range of vulnerable versions.
        fixed: the first mended version of every line, empty where there is none.
        severity: as the public record rates it.
        summary: what goes wrong, in a few words.
        source: where the range comes from.
    """

    id: str
    aliases: tuple[str, ...]
    package: str
    affected: tuple[str, ...]
    fixed: tuple[str, ...]
    severity: Severity
    summary: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryTable:
    """All advisories by package, and the day up to which they are known."""

    date: str
    advisories: dict[str, tuple[Advisory, ...]]


@dataclass(frozen=True, slots=True)
class _Interval:
    """Versions between two ends; None for no end on that side."""

    low: Version | None = None
    low_open: bool = False
    high: Version | None = None
    high_open: bool = False

    def contains(self, other: _Interval) -> bool:
        return self._reaches_down(other) and self._reaches_up(other)

    def _reaches_down(self, other: _Interval) -> bool:
        if self.low is None or other.low is None:
            return self.low is None
        return self.low < other.low or (
            self.low == other.low and (other.low_open or not self.low_open)
        )

    def _reaches_up(self, other: _Interval) -> bool:
        if self.high is None or other.high is None:
            return self.high is None
        return self.high > other.high or (
            self.high == other.high and (other.high_open or not self.high_open)
        )


@functools.cache
def shipped_table() -> AdvisoryTable:
    """The table that comes with Bezoar; `tools/update_advisories.py` renews it."""
    text = files("bezoar.scan.manifests").joinpath("advisories.json").read_text(encoding="utf-8")
    return read_table(text)


def read_table(text: str) -> AdvisoryTable:
    """Reads a table.

    Raises:
        ValueError: it is not one, or of another format.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict) or raw.get("format") != TABLE_FORMAT:
        raise ValueError(f"advisories: wanted format {TABLE_FORMAT}, got another file")
    found: dict[str, list[Advisory]] = {}
    for entry in raw["advisories"]:
        for package, affected in entry["affected"].items():
            advisory = Advisory(
                id=entry["id"],
                aliases=tuple(entry["aliases"]),
                package=package,
                affected=tuple(affected),
                fixed=tuple(entry["fixed"].get(package, ())),
                severity=entry["severity"],
                summary=entry["summary"],
                source=entry["source"],
            )
            found.setdefault(package, []).append(advisory)
    return AdvisoryTable(
        date=raw["date"], advisories={name: tuple(all_) for name, all_ in found.items()}
    )


def advisories_for(
    package: str, specifier: str, table: AdvisoryTable | None = None
) -> tuple[Advisory, ...]:
    """The advisories that hold for every version that `specifier` admits.

    Example:
        >>> [a.id for a in advisories_for("qiskit-ibm-runtime", "==0.20.0")]
        ['CVE-2024-29032']
        >>> advisories_for("qiskit", ">=0.45")
        ()
    """
    known = (table or shipped_table()).advisories.get(package, ())
    if not known or not specifier:
        return ()
    admitted = _interval(specifier)
    if admitted is None:
        return ()
    return tuple(
        advisory
        for advisory in known
        if any(_covers(affected, admitted) for affected in advisory.affected)
    )


def mended_version(specifier: str, advisories: Iterable[Advisory]) -> str:
    """The oldest version that is free of all of them, "" where one of them has no mend."""
    from packaging.version import Version

    admitted = _interval(specifier)
    start = admitted.low if admitted is not None else None
    wanted: list[Version] = []
    for advisory in advisories:
        versions = sorted(Version(version) for version in advisory.fixed)
        later = [version for version in versions if start is None or version > start]
        if not later:
            return ""
        wanted.append(later[0])
    return str(max(wanted)) if wanted else ""


def _covers(affected: str, admitted: _Interval) -> bool:
    interval = _interval(affected)
    return interval is not None and interval.contains(admitted)


@functools.lru_cache(maxsize=4096)
def _interval(text: str) -> _Interval | None:
    """The versions that a specifier admits; None where they cannot be told, or there are none.

    ``!=`` is passed over, which makes the interval larger and so the answer more careful.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        parts = [_of_one(part) for part in SpecifierSet(text) if part.operator != "!="]
    except (InvalidSpecifier, InvalidVersion):
        return None
    found = _Interval()
    for part in parts:
        found = _both(found, part)
    if found.low is None or found.high is None:
        return found
    empty = found.low > found.high
    if found.low == found.high:
        empty = found.low_open or found.high_open
    return None if empty else found


def _of_one(part: Specifier) -> _Interval:
    from packaging.version import Version

    operator, text = part.operator, part.version
    if operator in ("==", "===") and not text.endswith(".*"):
        # A local part such as +cu121 does not make another version of it.
        version = Version(Version(text).public)
        return _Interval(low=version, high=version)
    if operator == "==":
        base = Version(text.removesuffix(".*"))
        return _Interval(low=base, high=_next(base.release), high_open=True)
    version = Version(text)
    if operator == "~=":
        return _Interval(low=version, high=_next(version.release[:-1]), high_open=True)
    if operator in (">=", ">"):
        return _Interval(low=version, low_open=operator == ">")
    return _Interval(high=version, high_open=operator == "<")


def _next(release: tuple[int, ...]) -> Version:
    from packaging.version import Version

    return Version(".".join(map(str, (*release[:-1], release[-1] + 1))))


def _both(one: _Interval, other: _Interval) -> _Interval:
    low = max((i for i in (one, other) if i.low is not None), key=_low, default=None)
    high = min((i for i in (one, other) if i.high is not None), key=_high, default=None)
    return _Interval(
        None if low is None else low.low,
        low is not None and low.low_open,
        None if high is None else high.high,
        high is not None and high.high_open,
    )


def _low(interval: _Interval) -> tuple[Version | None, bool]:
    return interval.low, interval.low_open


def _high(interval: _Interval) -> tuple[Version | None, bool]:
    return interval.high, not interval.high_open
