"""Renews the table of known-vulnerable versions out of an export of osv.dev.

``python tools/update_advisories.py FOLDER [--package NAME ...] [--date YYYY-MM-DD] [--check]``:
FOLDER holds the unpacked JSON files of the export for PyPI. Every package of the table, and every
one that is named, gets all advisories of the export; entries of the table that the export does
not know are kept. Nothing is fetched, and the scanner's own packages are all it needs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bezoar.contracts.files import write_text
from bezoar.scan.manifests.advisories import TABLE_FORMAT
from bezoar.scan.manifests.requirement import normalised

TABLE = Path(__file__).resolve().parent.parent / "src/bezoar/scan/manifests/advisories.json"
_SEVERITIES = {"LOW": "low", "MODERATE": "medium", "MEDIUM": "medium"} | {
    "HIGH": "high",
    "CRITICAL": "critical",
}
_LONGEST_SUMMARY = 160
#: Weights of CVSS 3.1, https://www.first.org/cvss/v3.1/specification-document.
_IMPACT = {"N": 0.0, "L": 0.22, "H": 0.56}
_VECTOR = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_INTERACTION = {"N": 0.85, "R": 0.62}
_RIGHTS = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def main(arguments: list[str] | None = None) -> int:
    """Reads the export and writes the table; returns an exit code."""
    parser = argparse.ArgumentParser(description="Renew the table of known-vulnerable versions.")
    parser.add_argument("folder", type=Path, help="unpacked OSV export for PyPI")
    parser.add_argument("--package", action="append", default=[], metavar="NAME")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--date", default=dt.datetime.now(dt.UTC).date().isoformat())
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        sys.stderr.write(f"{options.folder}: is no folder; unpack the export of osv.dev first\n")
        return 4
    table = json.loads(options.table.read_text(encoding="utf-8"))
    wanted = {name for entry in table["advisories"] for name in entry["affected"]}
    wanted |= {normalised(name) for name in options.package}
    merged = renewed(table["advisories"], records(options.folder), wanted)
    changed = merged != table["advisories"]
    told = f"{len(merged)} advisories for {len(wanted)} packages"
    if options.check:
        sys.stdout.write(f"{told}; {'would change' if changed else 'up to date'}\n")
        return int(changed)
    table = {**table, "format": TABLE_FORMAT, "date": options.date, "advisories": merged}
    write_text(options.table, json.dumps(table, indent=1) + "\n")
    sys.stdout.write(f"{told}, written to {options.table}\n")
    return 0


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every advisory of the export that was not withdrawn; other JSON files are passed over."""
    for path in sorted(folder.rglob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError):
            sys.stderr.write(f"{path}: cannot be read, left out\n")
            continue
        if isinstance(record, dict) and "affected" in record and not record.get("withdrawn"):
            yield record


def renewed(
    known: Iterable[dict[str, Any]], found: Iterable[dict[str, Any]], wanted: set[str]
) -> list[dict[str, Any]]:
    """The table's entries joined with those of the export, one for each weakness."""
    entries = {entry["id"]: entry for entry in known}
    by_name = {name: e["id"] for e in entries.values() for name in (e["id"], *e["aliases"])}
    for record in found:
        affected, fixed = ranges(record, wanted)
        if not affected:
            continue
        names = [record["id"], *record.get("aliases", ())]
        cve = next((name for name in names if name.startswith("CVE-")), record["id"])
        key = next((by_name[name] for name in names if name in by_name), cve)
        fresh = {
            "id": key,
            "aliases": sorted({*names} - {key}),
            "affected": affected,
            "fixed": fixed,
            "severity": severity(record),
            "summary": summary(record),
            "source": f"https://osv.dev/vulnerability/{record['id']}",
        }
        entries[key] = joined(entries.get(key), fresh)
        by_name |= dict.fromkeys((key, *names), key)
    return sorted(entries.values(), key=lambda entry: (min(entry["affected"]), entry["id"]))


def joined(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """The export's ranges; the table's own words, and the severity that says something."""
    if old is None:
        return {**new, "severity": new["severity"] or "medium"}
    return {
        **old,
        "aliases": sorted({*old["aliases"], *new["aliases"]}),
        "affected": {**old["affected"], **new["affected"]},
        "fixed": {**old["fixed"], **new["fixed"]},
        "severity": new["severity"] or old["severity"],
    }


def ranges(
    record: dict[str, Any], wanted: set[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Affected specifiers and mended versions of the packages that are wanted."""
    affected: dict[str, list[str]] = {}
    fixed: dict[str, list[str]] = {}
    for entry in record["affected"]:
        package = entry.get("package", {})
        name = normalised(str(package.get("name", "")))
        if package.get("ecosystem") != "PyPI" or name not in wanted:
            continue
        for each in entry.get("ranges", ()):
            if each.get("type") == "ECOSYSTEM":
                specifiers, mends = specifiers_of(each.get("events", ()))
                affected.setdefault(name, []).extend(specifiers)
                fixed.setdefault(name, []).extend(mends)
        if name not in affected and entry.get("versions"):
            affected[name] = [f"=={version}" for version in entry["versions"]]
            fixed.setdefault(name, [])
    return affected, fixed


def specifiers_of(events: Iterable[dict[str, str]]) -> tuple[list[str], list[str]]:
    """The events of one range as specifiers.

    Example:
        >>> specifiers_of([{"introduced": "0"}, {"fixed": "1.4.2"}, {"introduced": "2.0"}])
        (['<1.4.2', '>=2.0'], ['1.4.2'])
    """
    specifiers: list[str] = []
    fixed: list[str] = []
    start: str | None = None
    for event in events:
        lower = f">={start}" if start not in (None, "0") else ""
        if "introduced" in event:
            start = event["introduced"]
        elif "fixed" in event or "last_affected" in event:
            end = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
            specifiers.append(",".join(filter(None, (lower, end))))
            fixed.extend([event["fixed"]] if "fixed" in event else [])
            start = None
    if start is not None:
        specifiers.append(f">={start}")
    return specifiers, fixed


def severity(record: dict[str, Any]) -> str:
    """The word of the database, else that of the CVSS 3 score; "" where neither is there."""
    word = str(record.get("database_specific", {}).get("severity", "")).upper()
    if word in _SEVERITIES:
        return _SEVERITIES[word]
    for entry in record.get("severity", ()):
        if entry.get("type") == "CVSS_V3":
            score = base_score(entry["score"])
            limits = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
            return next((name for limit, name in limits if score >= limit), "low")
    return ""


def base_score(vector: str) -> float:
    """The base score of a CVSS 3 vector, 0 where it is none.

    Example:
        >>> base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
        9.8
    """
    parts = dict(re.findall(r"([A-Z]+):([A-Z])", vector))
    try:
        scope = parts["S"]
        lost = 1 - math.prod(1 - _IMPACT[parts[key]] for key in ("C", "I", "A"))
        ease = 8.22 * _VECTOR[parts["AV"]] * _COMPLEXITY[parts["AC"]]
        ease *= _RIGHTS[scope][parts["PR"]] * _INTERACTION[parts["UI"]]
    except KeyError:
        return 0.0
    if scope == "U":
        impact, factor = 6.42 * lost, 1.0
    else:
        impact, factor = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15, 1.08
    if impact <= 0:
        return 0.0
    return math.ceil(round(min(factor * (impact + ease), 10) * 10, 6)) / 10


def summary(record: dict[str, Any]) -> str:
    """One line about the weakness."""
    text = " ".join(str(record.get("summary") or record.get("details") or "").split())
    text = text.rstrip(".") or "see the advisory"
    return text if len(text) <= _LONGEST_SUMMARY else f"{text[: _LONGEST_SUMMARY - 3]}..."


if __name__ == "__main__":
    sys.exit(main())
