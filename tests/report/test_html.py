from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from record_factory import LETTERS, make_failed, make_hostile, make_partial, make_record

import bezoar.report
from bezoar.report import html

STYLE = Path(bezoar.report.__file__).parent / "templates" / "palette.css"

VOID = {"meta", "link", "input", "br", "img"}


class Outline(HTMLParser):
    """Elements with their attributes, and whether every one is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def ids(self) -> list[str]:
        return [a["id"] or "" for _, a in self.elements if "id" in a]


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(make_record())


def test_the_page_is_well_formed_with_unique_ids(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert len(set(outline.ids())) == len(outline.ids())
    targets = {(a["href"] or "")[1:] for a in outline.named("a") if (a["href"] or "")[0] == "#"}
    assert targets <= set(outline.ids())
    labelled = {a["aria-labelledby"] for _, a in outline.elements if "aria-labelledby" in a}
    assert labelled <= set(outline.ids())


def test_the_sections_come_in_order(page: str) -> None:
    order = ("verdict", "findings", "threats", "curves", "distance", "destination", "similarity")
    ids = [i for i in Outline(page).ids() if not re.search(r"\d|title", i)]
    assert ids == [*order, "confusion", "how"]


def test_nothing_is_loaded_and_only_our_own_script_may_run(page: str) -> None:
    outline = Outline(page)
    loads = [a for _, a in outline.elements if "src" in a or "srcset" in a]
    assert loads == []
    assert [link["href"] for link in outline.named("link")] == ["data:,"]
    assert "url(" not in page
    assert "@import" not in page
    assert not [a for _, a in outline.elements if "style" in a]
    assert not [k for _, a in outline.elements for k in a if k.startswith("on")]
    policy = outline.named("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_hostile_text_is_inert() -> None:
    outline = Outline(html.render(make_hostile()))
    assert outline.open == []
    assert len(outline.named("script")) == 1
    assert outline.named("img") == []
    assert "<script>alert(1)</script>" in " ".join(outline.text)
    links = [a["href"] or "" for a in outline.named("a")]
    assert [link for link in links if link[0] != "#"] == ["https://example.org/?a=1&b=<2>"]


def test_the_numbers_are_there_without_a_script(page: str) -> None:
    text = " ".join(" ".join(Outline(page).text).split())
    assert "72.5 % (66.9 to 78.1 %)" in text
    assert "bezoar audit digits --noise none,ad-dep:0.05 --seeds 5 --out audit" in text
    assert "amplitude damping, then depolarising, after each gate, p = 0.05" in text
    assert "Every measurement (396)" in text


def test_one_chooser_serves_all_conditions(page: str) -> None:
    outline = Outline(page)
    radios = [a for a in outline.named("input") if a["type"] == "radio"]
    assert len(radios) == 2 * 3 * 4
    checked = [a["aria-label"] for a in radios if "checked" in a]
    assert checked == ["QUID at 30\xa0%", "QUID at 30\xa0%"]
    shown = [a for _, a in outline.elements if "confusion-5" in (a.get("class") or "").split()]
    assert len(shown) == 2


def test_each_noise_setting_can_be_switched_off(page: str) -> None:
    boxes = [a for a in Outline(page).named("input") if a["type"] == "checkbox"]
    assert [a["id"] for a in boxes] == ["show-0", "show-1"]
    assert 'body:has(#show-1:not(:checked)) [data-condition="1"]{display:none}' in page
    assert "show-0" not in html.render(make_record(noises=("none",)))


def test_partial_and_failed_runs_say_so_above_everything() -> None:
    for record, words in ((make_partial(), "Partial run."), (make_failed(), "Failed run.")):
        page = html.render(record)
        assert page.index("<h1>") < page.index(words) < page.index("<section")


def test_what_is_missing_is_said_and_its_section_left_out() -> None:
    bare = dataclasses.replace(make_record(), measurements=(), tables=(), threat_models={})
    page = html.render(bare)
    assert 'id="curves"' not in page
    assert 'id="confusion"' not in page
    for reason in (
        "No threat model",
        "No curves",
        "No class distances",
        "No label",
        "No confusion",
    ):
        assert reason in page


def test_the_command_is_printed_to_the_letter() -> None:
    record = dataclasses.replace(make_failed(), command="bezoar audit 'a 5 % <b>' --seeds 1")
    assert ">bezoar audit &#39;a 5 % &lt;b&gt;&#39; --seeds 1</pre>" in html.render(record)


def test_one_seed_claims_no_interval() -> None:
    page = html.render(make_record(seeds=1))
    assert "With one seed there are no intervals." in page
    assert "bars are 95" not in page
    assert 'class="band' not in page


def test_a_vanishing_kernel_variance_is_warned_about(page: str) -> None:
    assert "Little to see, noise ad-dep:0.05." in page
    assert "Little to see" not in html.render(make_record(noises=("none",)))


def test_twenty_six_classes_stay_a_page_that_can_be_sent() -> None:
    # Two noises, three attacks, four ratios: 52 matrices of 676 numbers.
    assert len(html.render(make_record(classes=LETTERS)).encode()) < 3_000_000


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_have_the_contrast_that_wcag_asks(scheme: str) -> None:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE.read_text(), flags=re.DOTALL)
    )
    colours = light if scheme == "light" else light | dark
    paper = [colours["paper"], colours["card"]]
    for name in ("ink", "soft", "link", *(f"c{i}" for i in range(7))):
        # 4.5 for text (level AA); series colours are used for the names beside the curves.
        assert min(contrast(colours[name], p) for p in paper) >= 4.5, name
    assert contrast(colours["warn"], colours["warn-paper"]) >= 4.5
    first_light = 7 if scheme == "light" else 0
    last_light = 10 if scheme == "light" else 4
    for i in range(11):
        ink = colours["light-ink" if first_light <= i <= last_light else "dark-ink"]
        assert contrast(ink, colours[f"h{i}"]) >= 4.5, f"h{i}"
    assert contrast(colours["soft"], colours["h0"]) >= 4.5


def test_shades_grow_steadily_darker_in_light_and_lighter_in_dark() -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), flags=re.DOTALL)
    for block, sign in zip(blocks, (-1, 1), strict=True):
        shades = dict(re.findall(r"--h(\d+): (#[0-9a-f]{6})", block))
        levels = [sign * luminance(shades[str(i)]) for i in range(11)]
        assert levels == sorted(levels)
