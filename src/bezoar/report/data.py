"""The record as data, and the schema that it promises to keep."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

from bezoar.contracts.records import FORMAT_VERSION, RunRecord


def render_json(record: RunRecord) -> str:
    """The text of ``record.json``; it fits `schema`."""
    return record.to_json()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``record.json`` in the format that this Bezoar writes.

    Example:
        >>> schema()["properties"]["format_version"]["const"]
        1
    """
    folder = importlib.resources.files("bezoar.report") / "schema"
    text = (folder / f"record-{FORMAT_VERSION}.json").read_text(encoding="utf-8")
    return json.loads(text)
