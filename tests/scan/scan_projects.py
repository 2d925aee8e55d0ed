"""Small projects, and a scan of them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bezoar.contracts.code_findings import ScanRecord
from bezoar.scan.scanner import scan
from bezoar.scan.settings import ScanSettings

#: Reported as QSA201 on its second line, by a rule that needs no more than a look.
PICKLE = "import pickle\nmodel = pickle.load(open('model.pkl', 'rb'))\n"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Writes files, and their folders."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def scanned(folder: Path, **options: Any) -> ScanRecord:
    """The record of a scan, without a cache and in this process unless options say otherwise."""
    return scan([folder], ScanSettings(**{"cache": False, "jobs": 1} | options), root=folder)


def told(record: ScanRecord) -> list[tuple[str, str, int]]:
    """Rule, path and line of each finding."""
    return [(each.rule, each.place.path, each.place.line) for each in record.findings]


def notebook(*cells: str | tuple[str, str], **metadata: object) -> str:
    """A notebook as Jupyter writes it; a cell is code, or a pair of its type and its source."""
    written: list[dict[str, object]] = []
    for each in cells:
        kind, source = ("code", each) if isinstance(each, str) else each
        cell: dict[str, object] = {
            "cell_type": kind,
            "metadata": {},
            "source": source.splitlines(keepends=True),
        }
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        written.append(dict(sorted(cell.items())))
    whole = {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
