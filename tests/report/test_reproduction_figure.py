from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from reproduction_factory import make_bars, make_curves, make_hostile, make_measured
from reproduction_strategies import FIGURES

from bezoar.contracts.reproduction import Figure, Series
from bezoar.report.reproduction_axes import axes_of
from bezoar.report.reproduction_figure import figure_chart, figure_svg, legend
from bezoar.report.wording import printable

ACCURACY, LOSS = make_curves().figures
SHOTS = make_measured().figures[0]
SVG = "{http://www.w3.org/2000/svg}"


def parsed(figure: Figure) -> ET.Element:
    return ET.fromstring(figure_svg(figure))  # noqa: S314 - our own


def styled(figure: Figure, name: str) -> list[ET.Element]:
    """Elements of that class inside the plot, without the legend."""
    found = parsed(figure).findall(f"{SVG}g[@transform]")[-1].iter()
    return [e for e in found if name in (e.get("class") or "").split()]


@pytest.mark.parametrize("figure", [ACCURACY, LOSS, SHOTS, make_bars()], ids=lambda f: f.name)
def test_the_file_stands_alone(figure: Figure) -> None:
    root = parsed(figure)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == figure.title
    assert root.find(f"{SVG}rect[@class='ground']") is not None
    text = figure_svg(figure)
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_ours_are_solid_with_bands_and_the_papers_dashed_in_the_same_hue() -> None:
    curves = styled(ACCURACY, "curve")
    assert [e.get("class") for e in curves] == [
        "curve c2 dashed",
        "curve c0",
        "curve c1",
        "curve c2",
    ]
    assert len(styled(ACCURACY, "band")) == 3
    # A missing epoch breaks the line, and the band with it.
    assert [(e.get("d") or "").count("M") for e in curves] == [1, 1, 2, 1]
    words = [key.text for key in legend(ACCURACY)]
    assert words == ["baseline", "random", "QUID", "ours, with its 95 % interval", "the paper"]


def test_bars_stand_in_pairs_on_zero_with_whiskers_on_ours() -> None:
    bars = styled(make_bars(), "bar")
    assert len(bars) == 24
    assert len([e for e in bars if "hollow" in (e.get("class") or "")]) == 12
    assert len(styled(make_bars(), "whisker")) == 12
    feet = {round(float(e.get("y") or 0) + float(e.get("height") or 0), 1) for e in bars}
    assert len(feet) == 1
    # The two bars of a pair do not overlap, the paper's first.
    first, second = sorted(bars, key=lambda e: float(e.get("x") or 0))[:2]
    assert first.get("class") == "bar c0 hollow"
    assert float(first.get("x") or 0) + float(first.get("width") or 0) <= float(
        second.get("x") or 0
    )


def test_axes_fit_the_values() -> None:
    assert axes_of(ACCURACY).y_texts == ("0", "25", "50", "75", "100")
    assert axes_of(make_bars()).y_texts == ("0 %", "25 %", "50 %", "75 %", "100 %")
    assert axes_of(LOSS).y_ticks[0] > 0
    assert not axes_of(ACCURACY).logarithmic
    shots = axes_of(SHOTS)
    assert shots.logarithmic
    gaps = [shots.x(b) - shots.x(a) for a, b in ((10.0, 100.0), (100.0, 1000.0))]
    assert gaps[0] == pytest.approx(gaps[1])


def test_a_wild_interval_does_not_flatten_the_curves() -> None:
    wild = dataclasses.replace(
        LOSS.series[0], low=(-1e6, *LOSS.series[0].low[1:]), high=(1e6, *LOSS.series[0].high[1:])
    )
    axes = axes_of(dataclasses.replace(LOSS, series=(wild, *LOSS.series[1:])))
    assert axes.y_ticks[-1] - axes.y_ticks[0] < 6


def test_more_series_than_hues_stay_apart_by_their_marker() -> None:
    many = tuple(dataclasses.replace(ACCURACY.series[0], name=f"s{i}") for i in range(9))
    keys = legend(dataclasses.replace(ACCURACY, series=many))[:9]
    assert len({str(key.drawing) for key in keys}) == 9


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_a_figure_without_values_says_so(kind: str) -> None:
    nothing = dataclasses.replace(ACCURACY, kind=kind, series=())  # pyright: ignore[reportArgumentType]
    assert "no values" in figure_svg(nothing)
    gone = dataclasses.replace(ACCURACY.series[0], y=(None,) * 30)
    assert "no values" in figure_svg(dataclasses.replace(nothing, series=(gone,)))


def test_long_names_of_bars_stay_on_the_canvas() -> None:
    names = tuple(f"{'averylongdatasetname' * 2}{i}" for i in range(12))
    series = Series(
        name="a", of="ours", x=names, y=(0.5,) * 12, low=(None,) * 12, high=(None,) * 12
    )
    figure = dataclasses.replace(make_bars(), series=(series,))
    axes = axes_of(figure)
    assert axes.turned
    assert axes.x(names[0]) > 20 * 6.4 * 0.82 * 0.9


@given(figure=FIGURES)
def test_every_figure_is_valid_xml_without_numbers_that_are_none(figure: Figure) -> None:
    text = figure_svg(figure)
    root = ET.fromstring(text)  # noqa: S314 - our own
    drawn = [e for e in root.iter() if e.get("d")]
    assert not any(word in (e.get("d") or "") for e in drawn for word in ("nan", "inf", "None"))
    ET.fromstring(str(figure_chart(printable(figure))))  # noqa: S314


def test_nothing_hostile_becomes_an_element() -> None:
    for figure in make_hostile().figures:
        root = parsed(figure)
        assert not [e for e in root.iter() if e.tag in (f"{SVG}script", "script", f"{SVG}b")]
