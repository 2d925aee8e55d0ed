"""The gallery of a backdoor run: what each trigger looks like, does, and what answers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bezoar.contracts.records import Exhibit, Measurement
from bezoar.report.backdoor_charts import success_strip
from bezoar.report.backdoor_images import WIDE, images_of
from bezoar.report.backdoor_results import TWINS, BackdoorResults, Cell
from bezoar.report.backdoor_rows import (
    answers,
    likeness,
    likeness_columns,
    likeness_text,
    rate_text,
    reading_text,
)
from bezoar.report.backdoor_wording import head_label, metric_label
from bezoar.report.wording import in_table, number, sentence, value_of, with_interval


def gallery(results: BackdoorResults) -> list[dict[str, Any]]:
    """A card for each trigger."""
    named = {str(e.tags["trigger"]) for e in results.record.exhibits if "trigger" in e.tags}
    triggers = [*results.triggers, *sorted(named - {*results.triggers, "none"})]
    return [_card(results, i, trigger) for i, trigger in enumerate(triggers)]


def _card(results: BackdoorResults, index: int, trigger: str) -> dict[str, Any]:
    cells = [cell for cell in results.cells if cell.trigger == trigger]
    return {
        "id": f"trigger-{index}",
        "name": results.trigger_label.get(trigger, trigger),
        "spec": trigger,
        "pictures": images_of(_of(results, "trigger", trigger), widest=WIDE),
        "maps": images_of(map(_named, _of(results, "grad_cam", trigger))),
        "restored": images_of(map(_named, _of(results, "restored_trigger", trigger))),
        "facts": [
            (metric_label(metric), likeness_text(likeness(results, trigger, metric)))
            for metric in likeness_columns(results)
            if likeness(results, trigger, metric) is not None
        ],
        "similarity": _similarity(results, cells),
        "rows": [success_row(results, cell) for cell in cells],
        "answers": _answers(results, cells),
    }


def _similarity(results: BackdoorResults, cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """How alike the Grad-CAM maps of clean and triggered images are, at the largest rate."""
    found = {}
    for cell in sorted(cells, key=lambda cell: cell.rate):
        mine, clean = (results.twin("grad_cam_similarity", cell, twin) for twin in TWINS)
        if mine is not None:
            text = f"{number(mine.value) or 0.0:.2f}"
            if clean is not None:
                text += f" (clean twin {number(clean.value) or 0.0:.2f})"
            found[head_label(cell.head)] = text
    return list(found.items())


def _named(exhibit: Exhibit) -> Exhibit:
    """The exhibit with its head, and with its twin where that is the clean one, in the title."""
    tags = exhibit.tags
    parts = [
        f"{head_label(str(tags['head']))} head" if "head" in tags else "",
        "clean twin" if tags.get("twin") == "clean" else "",
    ]
    where = ", ".join(part for part in parts if part)
    title = f"{sentence(where)}: {exhibit.title}" if where else exhibit.title
    return dataclasses.replace(exhibit, title=title)


def _answers(results: BackdoorResults, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """A table for each rate at which defences were mounted: a column for each head."""
    tables = []
    for place in dict.fromkeys((c.label, c.rate) for c in cells):
        found = {
            head_label(c.head): {answer.defence: answer for answer in answers(results, c)}
            for c in cells
            if (c.label, c.rate) == place
        }
        names = dict.fromkeys(
            name for one in found.values() for name, answer in one.items() if answer.backdoored
        )
        if names:
            title = ", ".join(
                part for part in (f"{rate_text(place[1])} poisoned", place[0]) if part
            )
            rows = [{"name": n, "cells": [one.get(n) for one in found.values()]} for n in names]
            tables.append({"title": title, "heads": list(found), "rows": rows})
    return tables


def _of(results: BackdoorResults, name: str, trigger: str) -> list[Exhibit]:
    return [e for e in results.record.exhibits_named(name) if e.tags.get("trigger") == trigger]


def success_row(results: BackdoorResults, cell: Cell) -> dict[str, Any]:
    """A cell as a line: what the success is, drawn above what happens anyway."""
    colour = results.heads.index(cell.head)
    drawn = None
    if cell.success is not None:
        drawn = success_strip(
            number(cell.success.value) or 0.0,
            number(cell.success.low),
            number(cell.success.high),
            cell.floor,
            colour=colour,
            label=f"{head_label(cell.head)}: ASR {with_interval(cell.success)}",
        )
    return {
        "head": head_label(cell.head),
        "trigger": results.trigger_label[cell.trigger],
        "label": cell.label,
        "rate": rate_text(cell.rate),
        "values": [
            {"head": head, "value": _short(m), "exact": in_table(m)}
            for head, m in (
                ("CA", cell.clean_accuracy),
                ("BA", cell.accuracy),
                ("ASR", cell.success),
                ("leak", cell.leak),
                ("control", cell.control),
                ("clean model", cell.clean_success),
            )
        ],
        "success": _short(cell.success),
        "strip": drawn,
        "reading": reading_text(results, cell),
        "works": results.reading(cell),
    }


def _short(measurement: Measurement | None) -> str:
    return "" if measurement is None else value_of(measurement)
