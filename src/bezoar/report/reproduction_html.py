"""All items of a study as one self-contained page: no request, readable without a script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from bezoar.contracts.reproduction import Claim, Figure, ItemRecord, Row
from bezoar.report import page
from bezoar.report.reproduction import (
    PLAN_HEADS,
    WORDS,
    Grid,
    answer,
    grids,
    plan_rows,
    provenance,
    study_title,
    tallied,
    warning,
)
from bezoar.report.reproduction_figure import figure_chart, legend
from bezoar.report.reproduction_wording import (
    MANY_CLAIMS,
    NUMBER_HEADS,
    claim_value,
    figure_table,
    judged,
    marked,
    number_row,
    our_text,
    paper_text,
    verdict_of,
)
from bezoar.report.wording import moment, printable

#: How the files of the pictures that a page can show begin.
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


def study_html(items: Sequence[ItemRecord], *, pictures: Mapping[str, bytes] | None = None) -> str:
    """The page of a study: every claim with its verdict, then every item; a whole HTML document.

    Nothing in it comes from elsewhere: its content security policy forbids every request. All
    text of the records is escaped.

    Args:
        items: the records, in the order to show them.
        pictures: the bytes of PNG, JPEG or GIF files by ``item/file``, put into the page; of
            others the page names the file.
    """
    shown = [printable(item) for item in items]
    given = pictures or {}
    # Pictures are looked up by the names as they are, before they are made printable.
    images = [[given.get(f"{item.item}/{p.file}") for p in item.pictures] for item in items]
    views = [_item(i, item, images[i]) for i, item in enumerate(shown)]
    view = {
        "title": study_title(shown),
        "study": ", ".join(dict.fromkeys(item.study for item in shown if item.study)),
        "started": moment(min((item.started for item in shown), default="")),
        "answer": answer(shown),
        "items": views,
        "all_claims": [claim for one in views for claim in one["claims"]],
        "many_claims": sum(len(item.claims) for item in shown) > MANY_CLAIMS,
        "words": WORDS,
        "number_heads": NUMBER_HEADS,
        "plan_heads": PLAN_HEADS,
    }
    return page.fill("reproduction.html", view, styles=(*page.REPORT_STYLES, "reproduction.css"))


def _item(index: int, item: ItemRecord, images: Sequence[bytes | None]) -> dict[str, Any]:
    key, name = f"item-{index}", item.item or item.title
    return {
        "id": key,
        "name": name,
        "title": item.title or item.item,
        "record": item,
        "warning": warning(item),
        "answer": answer(item),
        "claims_tally": tallied(verdict_of(claim) for claim in item.claims),
        "numbers_tally": tallied(verdict_of(row) for row in item.rows),
        "claims": [_claim(claim) | {"id": key, "item": name} for claim in item.claims],
        "grids": [_grid(grid) for grid in grids(item)],
        "figures": [_figure(figure) for figure in item.figures],
        "pictures": [
            {"title": picture.title or picture.file, "file": picture.file, "address": _address(raw)}
            for picture, raw in zip(item.pictures, images, strict=True)
        ],
        "numbers": [number_row(row) for row in item.rows],
        "plan": plan_rows(item),
        "provenance": provenance(item),
    }


def _verdict(shown: Claim | Row) -> dict[str, str]:
    name = verdict_of(shown)
    return {"name": name, "shown": marked(name)}


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "verdict": _verdict(claim),
        "text": claim.text,
        "source": claim.source or "a question of ours",
        "value": claim_value(claim),
        "quantity": claim.quantity,
        "rule": claim.rule,
    }


def _grid(grid: Grid) -> dict[str, Any]:
    rows = [
        {
            "name": name,
            "cells": [[_cell(row, grid) for row in grid.at(name, c)] for c in grid.columns],
        }
        for name in grid.rows
    ]
    return {"title": grid.title, "legend": grid.legend, "columns": grid.columns, "rows": rows}


def _cell(row: Row, grid: Grid) -> dict[str, Any]:
    return {
        "paper": paper_text(row, grid.unit),
        "ours": our_text(row, grid.unit),
        "verdict": _verdict(row) if judged(row) else None,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    heads, rows = figure_table(figure)
    return {
        "title": figure.title or figure.name,
        "chart": figure_chart(figure),
        "legend": legend(figure),
        "heads": heads,
        "rows": rows,
    }


def _address(raw: bytes | None) -> str:
    """The image as a data address; "" where there is none, or it is of another kind."""
    if raw is None:
        return ""
    kind = next((kind for start, kind in _IMAGES.items() if raw.startswith(start)), None)
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}" if kind else ""
