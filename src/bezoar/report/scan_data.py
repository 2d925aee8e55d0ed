"""A scan as data, and the schema that it promises to keep."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

from bezoar.contracts.code_findings import SCAN_FORMAT_VERSION, ScanRecord


def render(record: ScanRecord) -> str:
    """The ``json`` format; it fits `schema`."""
    return record.to_json()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the ``json`` format that this Bezoar writes.

    Example:
        >>> schema()["properties"]["format_version"]["const"]
        1
    """
    folder = importlib.resources.files("bezoar.report") / "schema"
    return json.loads((folder / f"scan-{SCAN_FORMAT_VERSION}.json").read_text(encoding="utf-8"))
