"""The page of a study and its figures in a real browser, wide and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from reproduction_factory import (
    make_bars,
    make_curves,
    make_hostile,
    make_measured,
    make_table,
    png,
)

from bezoar.report.reproduction_figure import figure_svg
from bezoar.report.reproduction_html import study_html

pytestmark = pytest.mark.browser

STUDIES = {
    "study": [make_table(), make_curves(), make_measured()],
    "one": [make_measured()],
    "hostile": [make_hostile()],
    "empty": [],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Page]:
    executable = chromium.find()
    if executable is None:
        pytest.skip("no Chromium on PATH (chromium, chromium-browser or google-chrome)")
    with chromium.page(executable) as page:
        yield page


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_renders_quietly_and_fits(
    browser: chromium.Page, tmp_path: Path, name: str, width: int
) -> None:
    path = tmp_path / "study.html"
    pictures = {"figure-9/reconstructions.png": png(900, 40)}
    path.write_text(study_html(STUDIES[name], pictures=pictures), encoding="utf-8")
    browser.open(path, width=width, dark=width == 390)
    assert len(browser.evaluate("document.querySelector('h1').innerText")) >= len("Reproduction")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []
    assert browser.requests() == []
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert browser.evaluate(broken) == 0


@pytest.mark.parametrize("figure", [*make_curves().figures, make_bars()], ids=lambda f: f.name)
@pytest.mark.parametrize("dark", [False, True])
def test_every_letter_of_a_figure_lies_on_its_canvas(
    browser: chromium.Page, tmp_path: Path, figure: object, dark: bool
) -> None:
    path = tmp_path / "figure.svg"
    path.write_text(figure_svg(figure), encoding="utf-8")  # pyright: ignore[reportArgumentType]
    browser.open(path, width=800, dark=dark)
    outside = """(() => { const box = document.documentElement.getBoundingClientRect();
        return [...document.querySelectorAll("text")].filter(e => {
            const b = e.getBoundingClientRect();
            return b.left < box.left || b.right > box.right || b.top < box.top
                || b.bottom > box.bottom;
        }).map(e => e.textContent); })()"""
    assert browser.evaluate(outside) == []
    assert browser.complaints() == []
