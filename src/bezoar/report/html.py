"""The report as one self-contained page: no request, no framework, readable without a script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from bezoar.contracts.records import Measurement, RunRecord
from bezoar.report import backdoor_html, charts, page
from bezoar.report.accounts import account_of
from bezoar.report.charts import Point, Series
from bezoar.report.html_blocks import glance_row, heat_block, shell, strip
from bezoar.report.results import CONTROLS, Cell, Condition, Results, ratio_of, tables_of
from bezoar.report.story import (
    CELL_HEADS,
    RULES,
    Story,
    cell_row,
    comparison,
    counterpart,
    destinations,
    gaps,
    kernel_warning,
)
from bezoar.report.wording import (
    attack_label,
    attack_name,
    listed,
    noise_meaning,
    number,
    percent,
    sentence,
    with_interval,
)

_NEUTRAL = charts.N_COLOURS


def render(record: RunRecord) -> str:
    """The report page of `record`, a whole HTML document.

    Nothing in it comes from elsewhere: its content security policy allows its own style sheet and
    script by their hashes and forbids every request. All text of the record is escaped.
    """
    account = account_of(record)
    if isinstance(account, Story):
        view = _view(account)
        return page.fill("report.html", view, styles=page.REPORT_STYLES, rules=_switches(view))
    return backdoor_html.page_of(account)


def _switches(view: dict[str, Any]) -> str:
    """The rules by which check boxes hide conditions and radio buttons choose panels."""
    several = len(view["conditions"]) > 1
    rules = [
        f'body:has(#show-{i}:not(:checked)) [data-condition="{i}"]{{display:none}}'
        for i in range(len(view["conditions"]) if several else 0)
    ]
    rules += [
        f".many:has(#{choice['id']}:checked) .{choice['id']}{{display:block}}"
        for gallery in (view["destination"], view["confusion"])
        for row in gallery["rows"]
        for choice in row["choices"]
    ]
    return "@supports selector(:has(*)){" + "".join(rules) + "}"


def _view(story: Story) -> dict[str, Any]:
    """What the template prints, section by section."""
    record, results = story.record, story.results
    view: dict[str, Any] = shell(story) | {
        "conditions": [
            {"label": c.label or "all", "meaning": noise_meaning(c.noise)}
            for c in results.conditions
        ],
        "meanings": [
            (c.label, noise_meaning(c.noise)) for c in results.conditions if noise_meaning(c.noise)
        ],
        "intervals": any(
            cell.accuracy is not None and number(cell.accuracy.low) is not None
            for cell in results.cells.values()
        ),
        "glance": _glance(story),
        "curves": _curves(results),
        "distance": _distance(record, results),
        "destination": _destination(story),
        "similarity": _similarity(record, results),
        "confusion": _confusion(story),
        "heads": CELL_HEADS,
        "rules": RULES,
        "gaps": gaps(results),
    }
    view["absent"] = _absent(view)
    return view


def _glance(story: Story) -> list[dict[str, Any]]:
    """The verdict's cell with what it is compared with, for each condition."""
    cell, results = story.headline_cell, story.results
    if cell is None:
        return []
    blocks = []
    for index, condition in enumerate(results.conditions):
        here = counterpart(results, cell, condition)
        if here is None:
            continue
        control = comparison(results, here)
        at = f"{attack_label(cell.attack)}, {percent(cell.ratio)}"
        baseline = results.baseline(condition)
        rows = [("unpoisoned", baseline and baseline.accuracy, _NEUTRAL)]
        if control is not None:
            name = f"{attack_label(control.attack)}, {percent(control.ratio)}"
            rows.append((name, control.accuracy, _colour(results, control.attack)))
        rows.append((at, here.accuracy, _colour(results, cell.attack)))
        rows.append((f"{at}, renamed", here.relabelled, _colour(results, cell.attack)))
        blocks.append(
            {
                "index": index,
                "label": condition.label,
                "rows": [glance_row(name, m, colour) for name, m, colour in rows if m is not None],
            }
        )
    return blocks


def _curves(results: Results) -> list[dict[str, Any]]:
    blocks = []
    for index, condition in enumerate(results.conditions):
        attacks = [a for a in results.attacks if any(_known(results.curve(condition, a)))]
        if not attacks:
            continue
        chance = None if results.n_classes is None else 1 / results.n_classes
        blocks.append(
            {
                "index": index,
                "label": condition.label,
                "overview": charts.line_chart(
                    [_accuracy(results, condition, attack, named=True) for attack in attacks],
                    size=charts.WIDE,
                    name=f"Accuracy against poison ratio, {condition.label}",
                    x_title="share of the training set poisoned",
                    ticks=_ratios(results),
                    chance=chance,
                ),
                "panels": [
                    {"name": sentence(attack_name(attack)), "chart": chart}
                    for attack in attacks
                    if (chart := _renaming_chart(results, condition, attack, chance))
                ],
                "rows": [
                    cell_row(cell)
                    for attack in ("none", *results.attacks)
                    for cell in results.curve(condition, attack)
                ],
            }
        )
    return blocks


def _renaming_chart(
    results: Results, condition: Condition, attack: str, chance: float | None
) -> Markup:
    solid = _accuracy(results, condition, attack, named=False)
    dashed = Series(
        name="",
        colour=solid.colour,
        dashed=True,
        points=tuple(
            cell.relabelled and _point(cell, cell.relabelled, ", renamed")
            for cell in _with_baseline(results, condition, attack)
        ),
    )
    if not any(cell.relabelled for cell in results.curve(condition, attack)):
        return Markup()
    return charts.line_chart(
        [dashed, solid],
        size=charts.NARROW,
        name=f"Accuracy before and after the best renaming, {attack}, {condition.label}",
        x_title="share of the training set poisoned",
        ticks=_ratios(results),
        chance=chance,
        between=(0, 1),
    )


def _accuracy(results: Results, condition: Condition, attack: str, *, named: bool) -> Series:
    return Series(
        name=attack_label(attack) if named else "",
        colour=_colour(results, attack),
        points=tuple(
            cell.accuracy and _point(cell, cell.accuracy, "")
            for cell in _with_baseline(results, condition, attack)
        ),
    )


def _point(cell: Cell, measurement: Measurement, what: str) -> Point:
    who = (
        "unpoisoned"
        if cell.attack == "none"
        else f"{attack_label(cell.attack)} at {percent(cell.ratio)}"
    )
    return Point(
        x=cell.ratio,
        y=number(measurement.value) or 0.0,
        low=number(measurement.low),
        high=number(measurement.high),
        label=f"{who}{what}: {with_interval(measurement)}",
        shared=cell.attack == "none",
    )


def _distance(record: RunRecord, results: Results) -> list[dict[str, Any]]:
    shown: dict[int, dict[str, Any]] = {}
    for index, condition in enumerate(results.conditions):
        for table in tables_of(record, "class_distance", condition):
            caption = ", ".join(
                part for part in (str(table.tags.get("distance", "")), condition.label) if part
            )
            heat = heat_block(table, f"Mean distance between classes, {caption}", farthest=True)
            # A table without a noise or model tag belongs to every condition; show it once.
            shown.setdefault(id(table), {"index": index, "title": caption, **heat})
    return list(shown.values())


def _destination(story: Story) -> dict[str, Any]:
    gallery = _gallery(story, "label_destination")
    for block in gallery["blocks"]:
        for panel in block["panels"]:
            caption = f"Labels given by {panel['title']}"
            panel.update(heat_block(panel["table"], caption, diagonal=True))
            panel["sentences"] = [
                f"class {rows[0]} mostly becomes {column}"
                if len(rows) == 1
                else f"classes {listed(rows)} mostly become {column}"
                for column, rows in destinations(panel["table"])
            ] or ["spread out: no label is given to more than half of any class"]
    return gallery


def _confusion(story: Story) -> dict[str, Any]:
    gallery = _gallery(story, "confusion")
    for block in gallery["blocks"]:
        for panel in block["panels"]:
            caption = f"Confusion after {panel['title']}"
            panel.update(heat_block(panel["table"], caption, diagonal=True))
        before = block["before"]
        block["before"] = before and heat_block(before, "Confusion before poisoning", diagonal=True)
    return gallery


def _gallery(story: Story, name: str) -> dict[str, Any]:
    """The tables called `name`: a block for each condition, and one chooser for all of them.

    The chooser has a row for each attack and a choice for each ratio; a choice shows its panels,
    which bear its id as a class.
    """
    blocks = []
    chosen: dict[tuple[str, float], str] = {}
    for index, condition in enumerate(story.results.conditions):
        tables = tables_of(story.record, name, condition)
        places = [(str(t.tags.get("attack", "")), ratio_of(t.tags), t) for t in tables]
        panels = []
        for attack, ratio, table in places:
            if attack == "none" or ratio is None:
                continue
            panel = chosen.setdefault((attack, ratio), f"{name}-{len(chosen)}")
            title = f"{attack_label(attack)} at {percent(ratio)}"
            panels.append({"id": panel, "title": title, "table": table})
        before = next((table for attack, _, table in places if attack == "none"), None)
        if panels or before is not None:
            label = condition.label
            blocks.append({"index": index, "label": label, "panels": panels, "before": before})
    return {"name": name, "blocks": blocks, "rows": _choices(story, chosen)}


def _choices(story: Story, ids: dict[tuple[str, float], str]) -> list[dict[str, Any]]:
    cell = story.headline_cell
    preferred = [key for key in ids if key[0] not in CONTROLS] or list(ids)
    if cell is not None and (cell.attack, cell.ratio) in ids:
        preferred = [(cell.attack, cell.ratio)]
    attacks = sorted({attack for attack, _ in ids}, key=lambda a: _order(story.results, a))
    return [
        {
            "name": attack_label(attack),
            "choices": [
                {
                    "id": ids[key],
                    "title": f"{attack_label(attack)} at {percent(key[1])}",
                    "percent": percent(key[1]),
                    "chosen": key == preferred[0],
                }
                for key in sorted(ids)
                if key[0] == attack
            ],
        }
        for attack in attacks
    ]


def _similarity(record: RunRecord, results: Results) -> dict[str, Any]:
    nearest = [m for m in record.select("nearest_class_accuracy") if number(m.value) is not None]
    kernel = [m for m in record.select("kernel_variance") if number(m.value) is not None]
    return {
        "nearest": [
            {
                "index": _index(results, m),
                "distance": str(m.tags.get("distance", "")),
                "label": results.label_of(m.tags),
                "strip": strip(m, _NEUTRAL, str(m.tags.get("distance", "distance"))),
                "value": with_interval(m),
            }
            for m in nearest
        ],
        "kernel": [
            {
                "index": _index(results, m),
                "label": results.label_of(m.tags),
                "value": with_interval(m),
                "warning": kernel_warning(m),
            }
            for m in kernel
        ],
    }


def _index(results: Results, measurement: Measurement) -> int | None:
    return next((i for i, c in enumerate(results.conditions) if c.covers(measurement.tags)), None)


def _absent(view: dict[str, Any]) -> list[str]:
    """A sentence for each section that the record has nothing for."""
    reasons = {
        "threats": "No threat model: the record names no attack.",
        "curves": "No curves: no attack was measured at any ratio.",
        "distance": "No class distances: the run did not compare encoded states.",
    }
    absent = [reason for key, reason in reasons.items() if not view[key]]
    if not view["destination"]["blocks"]:
        absent.append("No label destinations: no attack recorded which labels it gave.")
    if not view["confusion"]["blocks"]:
        absent.append("No confusion matrices: the run kept none.")
    if not view["similarity"]["nearest"]:
        absent.append("No encoder state similarity: the run did not measure it.")
    return absent


def _ratios(results: Results) -> list[float]:
    return sorted({0.0, *(ratio for _, _, ratio in results.cells)})


def _known(cells: Iterable[Cell]) -> Iterable[bool]:
    return (cell.accuracy is not None for cell in cells)


def _with_baseline(results: Results, condition: Condition, attack: str) -> list[Cell]:
    baseline = results.baseline(condition)
    return [*([baseline] if baseline is not None else []), *results.curve(condition, attack)]


def _order(results: Results, attack: str) -> tuple[int, str]:
    known = attack in results.attacks
    return (results.attacks.index(attack) if known else len(results.attacks)), attack


def _colour(results: Results, attack: str) -> int:
    return _order(results, attack)[0] % charts.N_COLOURS
