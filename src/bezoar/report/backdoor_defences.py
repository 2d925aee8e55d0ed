"""What the defences answered, as charts and tables of the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from bezoar.contracts.records import Measurement, Table
from bezoar.report import charts
from bezoar.report.backdoor_charts import histogram, index_strip
from bezoar.report.backdoor_images import images_of
from bezoar.report.backdoor_results import TWINS, BackdoorResults, Cell, is_backdoored
from bezoar.report.backdoor_rows import ANSWER_HEADS, answer_rows, rate_text
from bezoar.report.backdoor_sight import CLEANSE_THRESHOLD
from bezoar.report.backdoor_wording import head_label, short_defence_label
from bezoar.report.charts import Point, Series
from bezoar.report.html_blocks import heat_block
from bezoar.report.wording import in_table, number, percent, sentence, with_interval

_PRUNED = (
    ("pruned_attack_success_rate", "ASR", False),
    ("pruned_accuracy", "accuracy", True),
)


def defences(results: BackdoorResults) -> dict[str, Any]:
    """Everything about defences; each part is empty where the record has nothing for it."""
    return {
        "matrices": _matrices(results),
        "pruning": _pruning(results),
        "cleanse": _cleanse(results),
        "entropy": _entropy(results),
        "heads": ANSWER_HEADS,
        "rows": answer_rows(results),
    }


def _matrices(results: BackdoorResults) -> list[dict[str, Any]]:
    blocks = []
    for table in results.record.tables_named("defence_matrix"):
        tags = table.tags
        head = head_label(str(tags["head"])) if "head" in tags else ""
        twin = f"{tags['twin']} twin" if "twin" in tags else ""
        rate = number(tags.get("rate"))
        parts = [f"{head} head" if head else "", twin, "" if rate is None else rate_text(rate)]
        title = sentence(", ".join(part for part in parts if part)) or "All heads"
        named = dataclasses.replace(
            table,
            rows=tuple(results.trigger_label.get(row, row) for row in table.rows),
            columns=tuple(short_defence_label(column) for column in table.columns),
        )
        block = heat_block(named, f"Defences against triggers, {title}")
        blocks.append({"title": title, "measure": str(tags.get("measure", "")), **block})
    return blocks


def _pruning(results: BackdoorResults) -> list[dict[str, Any]]:
    """A chart for each trigger, rate and layer: accuracy and ASR over the share that is pruned."""
    found = [m for metric, _, _ in _PRUNED for m in results.of(metric)]
    layers = list(dict.fromkeys(str(m.tags.get("layer", "")) for m in found))
    places = dict.fromkeys((c.dataset, c.trunk, c.trigger, c.rate) for c in results.cells)
    charted = []
    for place in places:
        cells = [c for c in results.cells if (c.dataset, c.trunk, c.trigger, c.rate) == place]
        for layer in layers:
            series = [one for cell in cells for one in _pruned(results, cell, layer)]
            if not any(one.known() for one in series):
                continue
            ticks = sorted({p.x for one in series for p in one.known()})
            trigger = results.trigger_label[cells[0].trigger]
            title = f"{trigger} at {rate_text(cells[0].rate)}"
            title = ", ".join(part for part in (title, cells[0].label, layer) if part)
            charted.append(
                {
                    "title": sentence(title),
                    "chart": charts.line_chart(
                        series,
                        size=charts.Size(width=380, height=250, right=64),
                        name=f"Accuracy and ASR over the share pruned, {title}",
                        x_title="share pruned",
                        ticks=ticks,
                    ),
                }
            )
    return charted


def _pruned(results: BackdoorResults, cell: Cell, layer: str) -> list[Series]:
    lines = []
    for metric, word, dashed in _PRUNED:
        points = sorted(
            (
                (share, m)
                for m in results.of(metric)
                if is_backdoored(m.tags)
                and str(m.tags.get("layer", "")) == layer
                and cell.covers(m.tags)
                and (share := number(m.tags.get("share"))) is not None
                and 0 <= share <= 1
            ),
            key=lambda pair: pair[0],
        )
        head = head_label(cell.head)
        lines.append(
            Series(
                name="" if dashed else head,
                colour=results.heads.index(cell.head),
                dashed=dashed,
                points=tuple(
                    _point(share, m, f"{head}, {percent(share)} pruned: {word}")
                    for share, m in points
                ),
            )
        )
    return lines


def _point(x: float, measurement: Measurement, label: str) -> Point:
    return Point(
        x=x,
        y=number(measurement.value) or 0.0,
        low=number(measurement.low),
        high=number(measurement.high),
        label=f"{label} {with_interval(measurement)}",
    )


def _cleanse(results: BackdoorResults) -> dict[str, Any]:
    """Neural Cleanse: the index of each backdoored model beside its clean twin's."""
    pairs = [
        (cell, *(results.twin("neural_cleanse_index", cell, twin) for twin in TWINS))
        for cell in results.cells
    ]
    pairs = [(c, mine, clean) for c, mine, clean in pairs if mine is not None]
    ends = [
        number(end) or 0.0
        for _, mine, clean in pairs
        for m in (mine, clean)
        if m is not None
        for end in (m.value, m.high)
    ]
    largest = max(ends, default=1.0)
    return {
        "rows": [
            {
                "head": head_label(cell.head),
                "trigger": results.trigger_label[cell.trigger],
                "rate": rate_text(cell.rate),
                "indices": [
                    _index(m, largest, results.heads.index(cell.head) if i == 0 else 6)
                    for i, m in enumerate((mine, clean))
                ],
                "finds": in_table(finds) if finds is not None else "",
            }
            for cell, mine, clean in pairs
            for finds in [results.twin("neural_cleanse_finds_target", cell, "backdoored")]
        ],
        "threshold": f"{CLEANSE_THRESHOLD:g}",
        "images": images_of(results.record.exhibits_named("restored_trigger")),
    }


def _index(measurement: Measurement | None, largest: float, colour: int) -> dict[str, Any] | None:
    if measurement is None:
        return None
    drawn: Markup = index_strip(
        number(measurement.value) or 0.0,
        number(measurement.low),
        number(measurement.high),
        largest=largest,
        threshold=CLEANSE_THRESHOLD,
        colour=colour,
        label=f"anomaly index {with_interval(measurement)}",
    )
    return {"text": in_table(measurement), "strip": drawn}


def _entropy(results: BackdoorResults) -> list[dict[str, Any]]:
    """STRIP: the entropies of clean and of triggered inputs, for each model that was asked."""
    blocks = []
    for table in results.record.tables_named("strip_entropy"):
        title = _entropy_title(results, table)
        chart = histogram(table, name=f"STRIP entropy, {title}", x_title=table.column_title)
        if chart:
            blocks.append({"title": title, "chart": chart, "rows": table.rows})
    return blocks


def _entropy_title(results: BackdoorResults, table: Table) -> str:
    tags = table.tags
    trigger = str(tags.get("trigger", ""))
    rate = number(tags.get("rate"))
    parts: Sequence[str] = (
        f"{head_label(str(tags['head']))} head" if "head" in tags else "",
        results.trigger_label.get(trigger, trigger),
        "" if rate is None else rate_text(rate),
        f"{tags['twin']} twin" if tags.get("twin") == "clean" else "",
    )
    return sentence(", ".join(part for part in parts if part)) or "All inputs"
