"""The page in a real browser: it renders, complains of nothing and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import pytest
from record_factory import LETTERS, make_failed, make_hostile, make_partial, make_record

from bezoar.contracts.records import RunRecord
from bezoar.report import html

pytestmark = pytest.mark.browser

RECORDS: dict[str, Callable[[], RunRecord]] = {
    "digits": make_record,
    "two classes": lambda: make_record(classes=("benign", "malignant")),
    "letters": lambda: make_record(classes=LETTERS, noises=("none",)),
    "one seed": lambda: make_record(seeds=1, noises=("none",), detectors=False),
    "partial": make_partial,
    "failed": make_failed,
    "hostile": make_hostile,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Page]:
    executable = chromium.find()
    if executable is None:
        pytest.skip("no Chromium on PATH (chromium, chromium-browser or google-chrome)")
    with chromium.page(executable) as page:
        yield page


@pytest.fixture
def written(tmp_path: Path) -> Callable[[RunRecord], Path]:
    def write(record: RunRecord) -> Path:
        path = tmp_path / "report.html"
        path.write_text(html.render(record), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_renders_quietly_and_fits(
    browser: chromium.Page, written: Callable[[RunRecord], Path], name: str, width: int
) -> None:
    browser.open(written(RECORDS[name]()), width=width, dark=width == 320)
    assert len(browser.evaluate("document.querySelector('h1').innerText")) > 20
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints() == []
    assert browser.requests() == []


def test_the_policy_stops_a_request_that_gets_in_anyway(
    browser: chromium.Page, tmp_path: Path
) -> None:
    page = html.render(make_failed())
    injected = '<img src="https://example.invalid/x.png"><script>window.broken = 1</script></main>'
    path = tmp_path / "injected.html"
    path.write_text(page.replace("</main>", injected), encoding="utf-8")
    browser.open(path)
    assert browser.evaluate("window.broken === undefined")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_hovering_shows_the_numbers(
    browser: chromium.Page, written: Callable[[RunRecord], Path]
) -> None:
    browser.open(written(make_record()))
    for selector, expected in (
        (".pair .hover:nth-of-type(1)", "unpoisoned: 94.3"),
        ("#confusion td[data-value]", "true class: 0"),
    ):
        # Scrolling hides the tooltip, so wait until the scroll event has passed.
        x, y = browser.evaluate(
            f"""(async () => {{ const e = document.querySelector({selector!r});
            e.scrollIntoView({{block: "center", behavior: "instant"}});
            for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
            const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2];
            }})()"""
        )
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        assert browser.evaluate("document.querySelector('#tip').hidden") is False
        assert expected in browser.evaluate("document.querySelector('#tip').textContent")


def test_arrow_keys_walk_along_the_curves(
    browser: chromium.Page, written: Callable[[RunRecord], Path]
) -> None:
    browser.open(written(make_record()))
    browser.evaluate("document.querySelector('svg.chart .point').focus()")
    for key, expected in (
        ("ArrowRight", "random at 10"),
        ("ArrowDown", "QUID at 10"),
        ("ArrowRight", "QUID at 30"),
        ("ArrowLeft", "QUID at 10"),
    ):
        browser.press(key)
        assert browser.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
            expected
        )
    stops = "document.querySelectorAll('svg.chart')[0].querySelectorAll('[tabindex=\"0\"]').length"
    assert browser.evaluate(stops) == 1


def test_choosing_a_ratio_and_hiding_a_noise_setting(
    browser: chromium.Page, written: Callable[[RunRecord], Path]
) -> None:
    browser.open(written(make_record()))
    visible = (
        "[...document.querySelectorAll('#confusion .panel')]"
        ".filter(e => e.checkVisibility()).map(e => e.querySelector('h4').innerText)"
    )
    assert browser.evaluate(visible) == [
        "QUID at 30\xa0%, no noise",
        "QUID at 30\xa0%, noise ad-dep:0.05",
    ]
    browser.evaluate(
        "document.querySelector('#confusion [aria-label=\"random at 70\u00a0%\"]').click()"
    )
    browser.evaluate("document.querySelector('#show-0').click()")
    assert browser.evaluate(visible) == ["random at 70\xa0%, noise ad-dep:0.05"]
    assert browser.complaints() == []


def test_without_a_script_the_page_is_whole(
    browser: chromium.Page, written: Callable[[RunRecord], Path]
) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(written(make_record()))
        title = "document.querySelector('.hover title').textContent"
        assert browser.evaluate(title).startswith("unpoisoned: 94.3")
        assert browser.evaluate("document.querySelector('#tip')") is None
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
