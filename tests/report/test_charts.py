from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from record_factory import DIGITS, LETTERS, make_record

from bezoar.contracts.records import Table
from bezoar.report.charts import (
    N_COLOURS,
    NARROW,
    WIDE,
    Point,
    Series,
    heat_map,
    interval_strip,
    line_chart,
    shade_range,
)

TICKS = (0.0, 0.1, 0.3, 0.5, 0.7)


def point(x: float, y: float, half: float | None = 0.05) -> Point:
    ends = (None, None) if half is None else (y - half, y + half)
    return Point(x=x, y=y, low=ends[0], high=ends[1], label=f"{x} {y}")


def curve(name: str, *ys: float, colour: int = 0, dashed: bool = False) -> Series:
    points = tuple(point(x, y) for x, y in zip(TICKS, ys, strict=False))
    return Series(name=name, colour=colour, points=points, dashed=dashed)


def chart(*series: Series, **options: object) -> ET.Element:
    settings = {"size": WIDE, "name": "n", "x_title": "x", "ticks": TICKS} | options
    return ET.fromstring(line_chart(series, **settings))  # pyright: ignore[reportArgumentType]  # noqa: S314


def classed(root: ET.Element, name: str) -> list[ET.Element]:
    return [e for e in root.iter() if name in e.get("class", "").split()]


def coordinates(element: ET.Element) -> list[tuple[float, float]]:
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", element.get("d", ""))
    return [(float(x), float(y)) for x, y in pairs]


def test_a_curve_stands_where_its_numbers_say() -> None:
    root = chart(curve("a", 1.0, 0.5, 0.0))
    (line,) = classed(root, "curve")
    floor, right = WIDE.height - WIDE.bottom, WIDE.width - WIDE.right
    width, height = right - WIDE.left, floor - WIDE.top
    expected = [
        (WIDE.left, WIDE.top),
        (WIDE.left + width / 7, WIDE.top + height / 2),
        (WIDE.left + 3 * width / 7, floor),
    ]
    # Coordinates are printed to one decimal.
    for (x, y), (ex, ey) in zip(coordinates(line), expected, strict=True):
        assert abs(x - ex) <= 0.051
        assert abs(y - ey) <= 0.051


def test_intervals_stay_inside_the_axes() -> None:
    root = chart(curve("a", 0.99, 0.5, 0.01))
    (band,) = classed(root, "band")
    levels = [y for _, y in coordinates(band)]
    assert min(levels) >= WIDE.top
    assert max(levels) <= WIDE.height - WIDE.bottom
    assert len(classed(root, "whisker")) == 3


def test_a_missing_point_breaks_the_line() -> None:
    points = (point(0.0, 0.9), point(0.1, 0.8), None, point(0.5, 0.4), point(0.7, 0.2))
    (line,) = classed(chart(Series(name="a", colour=0, points=points)), "curve")
    assert line.get("d", "").count("M") == 2


def test_one_seed_has_no_interval() -> None:
    points = tuple(point(x, 0.5, None) for x in TICKS)
    root = chart(Series(name="a", colour=0, points=points))
    assert classed(root, "band") == classed(root, "whisker") == []


def test_points_take_the_focus_and_say_their_numbers() -> None:
    root = chart(curve("a", 0.9, 0.8), curve("b", 0.7, 0.6, colour=1))
    points = classed(root, "point")
    assert [p.get("tabindex") for p in points] == ["0"] * 4
    assert points[0].get("aria-label") == "0.0 0.9"
    titles = [rect.findtext("title") for rect in classed(root, "hover")]
    assert titles[0] == "0.0 0.9\n0.0 0.7"


def test_series_differ_in_shape_as_well_as_colour() -> None:
    shapes = set()
    for colour in range(N_COLOURS):
        (mark,) = classed(chart(Series(name="a", colour=colour, points=(point(0.1, 0.5),))), "mark")
        first = coordinates(mark)[0]
        shape = [(round(x - first[0], 1), round(y - first[1], 1)) for x, y in coordinates(mark)]
        shapes.add((mark.get("d", "").count("a"), tuple(shape)))
    assert len(shapes) == N_COLOURS


@given(last=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_names_at_the_ends_never_overlap(last: list[float]) -> None:
    root = chart(*(curve(f"s{i}", 0.9, y, colour=i) for i, y in enumerate(last)))
    levels = sorted(float(e.get("y", "nan")) for e in classed(root, "name"))
    # Printed to one decimal; names are 12 to 13 units high.
    assert all(b - a >= 14.9 for a, b in itertools.pairwise(levels))


def test_a_curve_that_ends_early_is_led_to_its_name() -> None:
    assert len(classed(chart(curve("a", 0.9, 0.8)), "leader")) == 1
    assert classed(chart(curve("a", 0.9, 0.8, 0.7, 0.6, 0.5)), "leader") == []


def test_crowded_ticks_are_thinned_and_keep_both_ends() -> None:
    ticks = tuple(i / 100 for i in range(91))
    root = chart(curve("a", 0.9), ticks=ticks, size=NARROW)
    shown = [e.text for e in classed(root, "middle") if e.text != "x"]
    assert shown[0] == "0 %"
    assert shown[-1] == "90 %"
    assert 3 <= len(shown) <= 9


def test_text_in_a_chart_is_escaped() -> None:
    label = "</title><script>alert(1)</script>\"'&"
    series = Series(
        name=label, colour=0, points=(Point(x=0.1, y=0.5, low=None, high=None, label=label),)
    )
    root = chart(series, name=label)
    assert not list(root.iter("script"))
    assert root.get("aria-label") == label
    strip = interval_strip(0.5, 0.4, 0.6, colour=0, label=label)
    assert ET.fromstring(strip).findtext("title") == label  # noqa: S314


def heat(values: list[list[float | None]], unit: str = "fraction", **options: bool) -> ET.Element:
    names = tuple(str(i) for i in range(len(values)))
    table = Table(
        name="confusion",
        row_title="true class",
        column_title="predicted class",
        rows=names,
        columns=names,
        values=tuple(tuple(row) for row in values),
        unit=unit,
        n=1,
    )
    return ET.fromstring(heat_map(table, caption="c", **options))  # noqa: S314


def test_a_heat_map_prints_and_shades_every_number() -> None:
    root = heat([[1.0, 0.0], [0.25, None]], diagonal=True)
    cells = list(root.iter("td"))
    assert [cell.text for cell in cells] == ["100", "0", "25", None]
    assert [cell.get("class") for cell in cells] == ["h10 own", "h0 zero", "h2", "blank own"]
    assert cells[2].get("data-value") == "25.0 %"


def test_other_units_are_shaded_over_their_range_and_the_farthest_is_marked() -> None:
    root = heat([[0.2, 0.9], [12.34, 1.26]], unit="", farthest=True)
    cells = list(root.iter("td"))
    assert [cell.text for cell in cells] == [".20", ".90", "12.3", "1.3"]
    assert [cell.get("class") for cell in cells] == ["h0", "h1 top", "h10 top", "h1"]


def test_equal_values_do_not_divide_by_zero() -> None:
    assert {cell.get("class") for cell in heat([[3.0, 3.0]] * 2, unit="").iter("td")} == {"h0"}


def test_ragged_values_are_shown_as_far_as_they_go() -> None:
    assert len(list(heat([[0.1], [0.2, 0.3]]).iter("td"))) == 3


def test_ten_and_twenty_six_classes_have_their_own_sizes() -> None:
    for classes, size in ((DIGITS, "heat-m"), (LETTERS, "heat-l"), (("a", "b"), "heat-s")):
        record = make_record(classes=classes, noises=("none",), ratios=(0.3,))
        text = heat_map(record.tables_named("confusion")[0], caption="c")
        root = ET.fromstring(text)  # noqa: S314
        assert size in root.get("class", "")
        assert len(list(root.iter("td"))) == len(classes) ** 2


def test_long_class_names_are_turned_and_kept_whole_in_the_title() -> None:
    record = make_record(classes=("x" * 40, "y" * 40), noises=("none",), ratios=(0.3,))
    root = ET.fromstring(heat_map(record.tables_named("confusion")[0], caption="c"))  # noqa: S314
    assert "turned" in root.get("class", "")
    assert [th.get("title") for th in root.iter("th")][1] == "x" * 40


def test_the_scale_says_what_its_ends_are() -> None:
    tables = make_record(noises=("none",), ratios=(0.3,)).tables
    assert shade_range(tables[0]) == ("0 %", "100 %")
    assert shade_range(tables[1]) == ("0.31", "0.923")
