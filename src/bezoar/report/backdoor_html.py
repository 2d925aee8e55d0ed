"""The page of a backdoor run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bezoar.contracts.records import Measurement, RunRecord, Table
from bezoar.contracts.reproduction import Figure
from bezoar.contracts.reproduction import Series as Curve
from bezoar.report import backdoor_circuits_html, backdoor_search_html, charts, page
from bezoar.report.backdoor_circuits import CircuitStory
from bezoar.report.backdoor_defences import defences
from bezoar.report.backdoor_gallery import gallery, success_row
from bezoar.report.backdoor_results import BackdoorResults, Cell, is_backdoored
from bezoar.report.backdoor_rows import CELL_HEADS, MATCHED_HEADS, cell_row, matched_rows, rate_text
from bezoar.report.backdoor_rules import rules
from bezoar.report.backdoor_search import SearchStory
from bezoar.report.backdoor_story import BackdoorStory, beside, gaps
from bezoar.report.backdoor_theory import theory_blocks
from bezoar.report.backdoor_wording import head_label
from bezoar.report.charts import Point, Series
from bezoar.report.html_blocks import glance_row, shell
from bezoar.report.reproduction_figure import figure_chart, legend
from bezoar.report.reproduction_wording import figure_table
from bezoar.report.story import Account
from bezoar.report.wording import (
    number,
    percent,
    quantity,
    sentence,
    with_interval,
)

STYLES = (*page.REPORT_STYLES, "reproduction.css", "backdoor.css")

#: What stands in no other place of the page, and why it may be missing.
_ABSENT = {
    "rows": "No table of attack success: no backdoor was measured.",
    "rates": "No chart over poisoning rates: one rate was measured.",
    "epochs": "No curves over epochs: the run did not measure after each epoch.",
    "gradients": "No gradient norms: the run did not measure them.",
    "theory": "No bounds: the run did not calculate them.",
    "threats": "No threat model: the record names no attack.",
}


def page_of(account: Account) -> str:
    """The page of a record of one of the kinds of backdoor runs, a whole HTML document."""
    if isinstance(account, SearchStory):
        view = backdoor_search_html.view(account)
        return page.fill("backdoor_search.html", view, styles=STYLES)
    if isinstance(account, CircuitStory):
        view = backdoor_circuits_html.view(account)
        return page.fill("backdoor_circuits.html", view, styles=STYLES)
    if not isinstance(account, BackdoorStory):
        raise TypeError(f"no page for {type(account).__name__}")
    return page.fill("backdoor.html", _view(account), styles=STYLES)


def _view(story: BackdoorStory) -> dict[str, Any]:
    results = story.results
    matched = matched_rows(results)
    view = shell(story) | {
        "threats": _threats(story.record),
        "intervals": any(c.success and number(c.success.low) is not None for c in results.cells),
        "glance": _glance(story),
        "rows": [success_row(results, cell) for cell in results.cells],
        "heads": CELL_HEADS,
        "cells": [cell_row(results, cell) for cell in results.cells],
        "gaps": gaps(results),
        "gallery": gallery(results),
        "rates": _rates(results),
        "epochs": _epochs(results),
        "matched": matched,
        "matched_heads": MATCHED_HEADS,
        "defences": defences(results),
        "gradients": [_numbers_of(table) for table in results.record.tables_named("gradients")],
        "theory": _theory(results),
        "things": story.things,
        "rules": rules(results),
        "meanings": [(results.trigger_label[t], t) for t in results.triggers],
    }
    view["absent"] = [reason for key, reason in _ABSENT.items() if not view[key]]
    if not any(view["defences"][key] for key in ("matrices", "pruning", "entropy", "rows")):
        view["absent"].append("No defences: the run mounted none.")
    return view


def _threats(record: RunRecord) -> list[dict[str, Any]]:
    """The threat models, once for all triggers that share one."""
    found: list[dict[str, Any]] = []
    for name, model in record.threat_models.items():
        same = next((threat for threat in found if threat["model"] == model), None)
        if same is None:
            found.append({"name": name, "key": name, "model": model})
        else:
            same["name"] = same["key"] = f"{same['name']}; {name}"
    return found


def _glance(story: BackdoorStory) -> list[dict[str, Any]]:
    """The verdict's backdoor on every head."""
    cell, results = story.headline_cell, story.results
    blocks = []
    for other in beside(cell, results) if cell is not None else []:
        colour = results.heads.index(other.head) % charts.N_COLOURS
        rows: list[tuple[str, Measurement | None, int]] = [
            ("clean accuracy (CA)", other.clean_accuracy, charts.N_COLOURS),
            ("with the backdoor (BA)", other.accuracy, charts.N_COLOURS),
            ("attack success (ASR)", other.success, colour),
            ("leak", other.leak, charts.N_COLOURS),
            ("zero-trigger control", other.control, charts.N_COLOURS),
            ("clean model, triggered", other.clean_success, charts.N_COLOURS),
        ]
        trigger = results.trigger_label[other.trigger]
        blocks.append(
            {
                "title": f"{sentence(head_label(other.head))} head, {trigger} at "
                f"{rate_text(other.rate)}",
                "rows": [glance_row(name, m, colour) for name, m, colour in rows if m is not None],
            }
        )
    return blocks


def _rates(results: BackdoorResults) -> list[dict[str, Any]]:
    """A chart for each trigger with several rates: ASR of each head above its floor."""
    charted = []
    for dataset, trunk, trigger in dict.fromkeys(
        (c.dataset, c.trunk, c.trigger) for c in results.cells
    ):
        cells = [
            c
            for c in results.cells
            if (c.dataset, c.trunk, c.trigger) == (dataset, trunk, trigger)
            and c.success is not None
        ]
        rates = sorted({c.rate for c in cells})
        if len(rates) < 2:
            continue
        label = ", ".join(part for part in (results.trigger_label[trigger], cells[0].label) if part)
        series = [
            one
            for head in results.heads
            for one in _over_rates(results, [c for c in cells if c.head == head])
        ]
        charted.append(
            {
                "title": sentence(label),
                "chart": charts.line_chart(
                    series,
                    size=charts.Size(width=380, height=250, right=64),
                    name=f"Attack success over poisoning rates, {label}",
                    x_title="share of the training set poisoned",
                    ticks=[0.0, *rates],
                ),
            }
        )
    return charted


def _over_rates(results: BackdoorResults, cells: Sequence[Cell]) -> list[Series]:
    if not cells:
        return []
    colour, head = results.heads.index(cells[0].head), head_label(cells[0].head)
    floors = [
        Point(
            x=c.rate,
            y=c.floor,
            low=None,
            high=None,
            label=f"{head} at {rate_text(c.rate)}: without the backdoor {percent(c.floor, 1)}",
        )
        for c in cells
        if c.floor is not None
    ]
    successes = [
        Point(
            x=c.rate,
            y=number(c.success.value) or 0.0,
            low=number(c.success.low),
            high=number(c.success.high),
            label=f"{head} at {rate_text(c.rate)}: ASR {with_interval(c.success)}",
        )
        for c in cells
        if c.success is not None
    ]
    return [
        Series(name="", colour=colour, points=tuple(floors), dashed=True),
        Series(name=head, colour=colour, points=tuple(successes)),
    ]


def _epochs(results: BackdoorResults) -> list[dict[str, Any]]:
    """For each trigger and rate: ASR over epochs, and ASR over training loss, of every head."""
    blocks = []
    for cell in results.cells:
        cells = beside(cell, results)
        if cell is not cells[0]:
            continue
        title = ", ".join(
            part
            for part in (
                f"{results.trigger_label[cell.trigger]} at {rate_text(cell.rate)}",
                cell.label,
            )
            if part
        )
        figures = [
            _figure(f"ASR over epochs: {title}", "epoch", _curves(results, cells, by_loss=False)),
            _figure(
                f"ASR over training loss: {title}",
                "training loss (training moves to the left)",
                _curves(results, cells, by_loss=True),
            ),
        ]
        blocks += [figure for figure in figures if figure is not None]
    return blocks


def _curves(results: BackdoorResults, cells: Sequence[Cell], *, by_loss: bool) -> list[Curve]:
    found = []
    for cell in cells:
        losses = dict(_by_epoch(results, "train_loss_by_epoch", cell))
        points = []
        for epoch, m in _by_epoch(results, "attack_success_rate_by_epoch", cell):
            loss = number(losses[epoch].value) if epoch in losses else None
            x = loss if by_loss else epoch
            if x is not None:
                points.append((x, m))
        # Lines are drawn from left to right; epochs of equal loss would be one place twice.
        points = sorted(dict(points).items()) if by_loss else points
        if points:
            found.append(
                Curve(
                    name=f"{head_label(cell.head)} head",
                    of="ours",
                    x=tuple(x for x, _ in points),
                    y=tuple(m.value for _, m in points),
                    low=tuple(m.low for _, m in points),
                    high=tuple(m.high for _, m in points),
                )
            )
    return found


def _by_epoch(results: BackdoorResults, metric: str, cell: Cell) -> list[tuple[float, Measurement]]:
    found = {
        epoch: m
        for m in results.of(metric)
        if (epoch := number(m.tags.get("epoch"))) is not None
        and is_backdoored(m.tags)
        and cell.covers(m.tags)
    }
    return sorted(found.items())


def _figure(title: str, x_title: str, curves: Sequence[Curve]) -> dict[str, Any] | None:
    if not any(len(curve.x) > 1 for curve in curves):
        return None
    return _drawn(
        Figure(
            name="",
            title=title,
            kind="lines",
            x_title=x_title,
            y_title="attack success rate",
            unit="fraction",
            series=tuple(curves),
        )
    )


def _drawn(figure: Figure) -> dict[str, Any]:
    heads, rows = figure_table(figure, alone=True)
    return {
        "title": sentence(figure.title),
        "chart": figure_chart(figure, alone=True),
        "legend": legend(figure, alone=True),
        "heads": heads,
        "rows": rows,
    }


def _numbers_of(table: Table) -> dict[str, Any]:
    head = table.tags.get("head")
    return {
        "title": f"{sentence(head_label(str(head)))} head" if head is not None else "All heads",
        "heads": [table.row_title, *table.columns],
        "rows": [
            [row, *map(_plain, values[: len(table.columns)])]
            for row, values in zip(table.rows, table.values, strict=False)
        ],
    }


def _plain(raw: float | None) -> str:
    """Counts whole, other numbers to three digits; "" where there is none."""
    value = number(raw)
    if value is None:
        return ""
    return f"{value:,.0f}".replace(",", " ") if value == int(value) else quantity(value)


def _theory(results: BackdoorResults) -> list[dict[str, Any]]:
    return [
        {
            "title": block.title,
            "numbers": _numbers_of(block.table),
            "figure": None if block.figure is None else _drawn(block.figure),
            "inputs": block.inputs,
            "words": (*block.readings, *block.conditions),
        }
        for block in theory_blocks(results)
    ]
