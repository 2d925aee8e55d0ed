"""The pages of backdoor runs in a real browser: quiet, fitting, asking the network for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import pytest
from backdoor_factory import (
    TRIGGERS,
    make_backdoor,
    make_circuits,
    make_hostile_backdoor,
    make_search,
)

from bezoar.contracts.records import RunRecord
from bezoar.report import html

pytestmark = pytest.mark.browser

RECORDS: dict[str, Callable[[], RunRecord]] = {
    "full": make_backdoor,
    "one seed": lambda: make_backdoor(seeds=1, rates=(0.1,), triggers=TRIGGERS[:1]),
    "hostile": make_hostile_backdoor,
    "search": make_search,
    "circuits": make_circuits,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Page]:
    executable = chromium.find()
    if executable is None:
        pytest.skip("no Chromium on PATH (chromium, chromium-browser or google-chrome)")
    with chromium.page(executable) as page:
        yield page


def write(folder: Path, record: RunRecord) -> Path:
    path = folder / "report.html"
    path.write_text(html.render(record), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_renders_quietly_and_fits(
    browser: chromium.Page, tmp_path: Path, name: str, width: int
) -> None:
    browser.open(write(tmp_path, RECORDS[name]()), width=width, dark=width == 320)
    assert len(browser.evaluate("document.querySelector('h1').innerText")) > 20
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []
    assert browser.requests() == []


def test_pictures_are_shown_at_their_size(browser: chromium.Page, tmp_path: Path) -> None:
    browser.open(write(tmp_path, make_backdoor(rates=(0.1,))))
    loaded = "[...document.images].map(i => i.complete && i.naturalWidth > 0)"
    assert all(browser.evaluate(loaded))
    # A sheet of 196 pixels is enlarged three times, each pixel to a square.
    sheet = "document.querySelector('.exhibits img')"
    assert browser.evaluate(f"{sheet}.clientWidth") == 588
    assert browser.evaluate(f"getComputedStyle({sheet}).imageRendering") == "pixelated"
