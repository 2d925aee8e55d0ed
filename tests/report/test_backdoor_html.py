"""The pages of backdoor runs: well formed, self-contained, and showing what the record has."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest
from backdoor_factory import (
    HEADS,
    TRIGGERS,
    make_backdoor,
    make_circuits,
    make_failed_backdoor,
    make_hostile_backdoor,
    make_partial_backdoor,
    make_search,
    png,
)
from test_html import Outline

from bezoar.contracts.records import Exhibit, RunRecord, Table
from bezoar.report import html
from bezoar.report.backdoor_charts import histogram
from bezoar.report.backdoor_images import image_of

RECORDS = {
    "full": make_backdoor,
    "one seed": lambda: make_backdoor(seeds=1, rates=(0.1,), heads=HEADS[:1]),
    "partial": make_partial_backdoor,
    "failed": make_failed_backdoor,
    "hostile": make_hostile_backdoor,
    "search": make_search,
    "search, not verified": lambda: make_search(verified=False, trials=2),
    "circuits": make_circuits,
}


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_is_well_formed_and_loads_nothing(name: str) -> None:
    page = html.render(RECORDS[name]())
    outline = Outline(page)
    assert outline.open == []
    assert len(set(outline.ids())) == len(outline.ids())
    targets = {(a["href"] or "")[1:] for a in outline.named("a") if (a["href"] or "")[0] == "#"}
    assert targets <= set(outline.ids())
    sources = [a["src"] or "" for _, a in outline.elements if "src" in a]
    sources += [a["href"] or "" for a in outline.named("image")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [a for _, a in outline.elements if "style" in a or "srcset" in a]
    assert not [k for _, a in outline.elements for k in a if k.startswith("on")]
    assert len(outline.named("script")) == 1
    assert all(a["alt"] for a in outline.named("img"))


def test_the_sections_come_in_order() -> None:
    ids = [i for i in Outline(html.render(make_backdoor())).ids() if not re.search(r"\d|title", i)]
    order = ("verdict", "findings", "success", "gallery", "rates", "training", "defences")
    assert ids == [*order, "gradients", "theory", "threats", "how"]


def test_sections_without_data_are_absent_and_named() -> None:
    record = make_backdoor(rates=(0.1,), defences=False, curves=False, pictures=False)
    page = html.render(dataclasses.replace(record, tables=(), threat_models={}, findings=()))
    for section in ("rates", "defences", "gradients", "theory", "threats", "findings"):
        assert f'<section id="{section}"' not in page
    for reason in ("No chart over poisoning rates", "No defences", "No bounds"):
        assert reason in page


def test_success_stands_beside_leak_and_control_with_its_reading() -> None:
    text = " ".join(Outline(html.render(make_backdoor(triggers=TRIGGERS[:1]))).text)
    assert "not above leak and control" in text
    assert "the seeds do not tell" in text
    assert "82.6 % (74.6 to 90.6 %)" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_every_trigger_has_its_card_with_pictures_and_answers() -> None:
    outline = Outline(html.render(make_backdoor()))
    assert len(outline.named("article")) == len(TRIGGERS)
    # A sheet for each trigger; a map and a restored trigger for each trigger and head.
    assert len(outline.named("img")) == len(TRIGGERS) * (1 + 2 * len(HEADS))
    text = " ".join(outline.text)
    assert "0.81 (clean twin 0.92)" in text
    for words in ("Training anew after Spectral Signatures", "clean twin: index 2.1", "SSIM"):
        assert words in text


def test_triggers_that_share_a_threat_model_share_its_card() -> None:
    page = html.render(make_backdoor())
    assert page.count("<dt>Wants</dt>") == 1
    assert "Backdoor patch:3,place=bottom-right; backdoor blend:0.15" in page


def test_the_front_is_drawn_with_numbered_thumbnails() -> None:
    outline = Outline(html.render(make_search()))
    assert len(outline.named("image")) == 7
    assert len(outline.named("img")) == 7
    assert "Random search had the same number of evaluations" in " ".join(outline.text)


@pytest.mark.parametrize(
    "text",
    [
        '"><script>',
        base64.b64encode(b"<svg onload=alert(1)>").decode(),
        base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 30).decode(),
        "\u00e9",
        "",
        "abc",
    ],
)
def test_what_is_no_png_is_no_image(text: str) -> None:
    assert image_of(Exhibit(name="trigger", title="t", png=text)) is None


def test_small_images_are_enlarged_by_whole_numbers() -> None:
    image = image_of(Exhibit(name="trigger", title="t", png=png(96, 32)))
    assert image is not None
    assert (image.width, image.height, image.small) == (288, 96, True)


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        (("0.0", "0.5", "1.0"), True),
        (("0 to 0.5", "0.5 to 1", "1 to 1.5"), True),
        (("low", "middle", "high"), False),
        (("1", "0", "2"), False),
        (("1",), False),
        ((), False),
    ],
)
def test_a_histogram_needs_rising_bins(columns: tuple[str, ...], drawn: bool) -> None:
    table = Table(
        name="strip_entropy",
        row_title="inputs",
        column_title="entropy",
        rows=("clean inputs", "triggered inputs"),
        columns=columns,
        values=((0.2, 0.5, 0.3), (0.7, None, float("nan"))),
        unit="fraction",
        n=3,
    )
    assert bool(histogram(table, name="n", x_title="entropy")) is drawn


def test_a_page_stays_small_enough_to_send() -> None:
    assert len(html.render(make_backdoor()).encode()) < 2_000_000


def test_a_record_read_back_gives_the_same_page() -> None:
    for record in (make_backdoor(rates=(0.1,)), make_search(), make_circuits()):
        assert html.render(RunRecord.from_json(record.to_json())) == html.render(record)
