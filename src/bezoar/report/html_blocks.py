"""Pieces that the pages of several kinds of records print alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from bezoar.contracts.records import Measurement, Table
from bezoar.report import charts
from bezoar.report.story import Account
from bezoar.report.wording import (
    attack_name,
    duration,
    moment,
    number,
    plan_value,
    tags_text,
    value_of,
    with_interval,
)


def shell(account: Account) -> dict[str, Any]:
    """What the head and the foot of every page print."""
    record = account.record
    return {
        "story": account,
        "record": record,
        "started": moment(record.started),
        "threats": [
            {"name": attack_name(name), "key": name, "model": model}
            for name, model in record.threat_models.items()
        ],
        "plan": [(key, plan_value(value)) for key, value in record.plan.items()],
        "wall": None if number(record.wall_seconds) is None else duration(record.wall_seconds),
        "times": measurement_rows(record.select("wall_seconds")),
        "measurements": measurement_rows(record.measurements),
    }


def measurement_rows(measurements: Sequence[Measurement]) -> list[list[str]]:
    """A row for each measurement: metric, tags, value with its interval."""
    return [[m.metric, tags_text(m.tags), with_interval(m, 2)] for m in measurements]


def strip(measurement: Measurement, colour: int, name: str) -> Markup:
    """A fraction with its interval on a line from 0 to 100 %."""
    return charts.interval_strip(
        number(measurement.value) or 0.0,
        number(measurement.low),
        number(measurement.high),
        colour=colour,
        label=f"{name}: {with_interval(measurement)}",
    )


def glance_row(name: str, measurement: Measurement, colour: int) -> dict[str, Any]:
    """A line of the short table beside the verdict."""
    return {
        "name": name,
        "value": value_of(measurement, 0),
        "strip": strip(measurement, colour, name),
        "exact": with_interval(measurement),
    }


def heat_block(
    table: Table, caption: str, *, diagonal: bool = False, farthest: bool = False
) -> dict[str, Any]:
    """A heat map with what its axes and its shades are."""
    least, greatest = charts.shade_range(table)
    return {
        "caption": caption,
        "heat": charts.heat_map(table, caption=caption, diagonal=diagonal, farthest=farthest),
        "least": least,
        "greatest": greatest,
        "rows": table.row_title,
        "columns": table.column_title,
        "n": table.n,
    }
