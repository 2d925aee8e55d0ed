"""Triggers as text: what is written is read back, and what cannot be read is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bezoar.attacks.backdoors import (
    Blend,
    ColourShift,
    FeatureTrigger,
    NoTrigger,
    Patch,
    QColor,
    Sinusoid,
    Trigger,
    WaNet,
    describe_trigger,
    trigger_named,
)
from bezoar.attacks.backdoors.patch import PLACES
from bezoar.attacks.backdoors.spec import read_spec, write_spec
from bezoar.contracts import plugins
from bezoar.contracts.errors import BezoarError, InvalidArgument, UnknownName

OURS = {"none", "patch", "blend", "wanet", "colour", "qcolor", "sig", "feature"}
UNIT = st.floats(0, 1)
SHIFT = st.floats(-1, 1)
FACTOR = st.floats(0, 1e6)
SEED = st.integers(0, 2**63)
REAL = st.floats(allow_nan=False, allow_infinity=False)

FEATURE_ROWS: st.SearchStrategy[dict[str, Any]] = st.integers(1, 4).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "features": st.lists(st.integers(0, 99), min_size=n, max_size=n, unique=True),
            "values": st.lists(REAL, min_size=n, max_size=n),
            "means": st.lists(REAL, min_size=n, max_size=n),
            "deviations": st.lists(st.floats(0, 1e9), min_size=n, max_size=n),
            "how": st.sampled_from(["set", "shift"]),
        }
    )
)
TRIGGERS: st.SearchStrategy[Trigger] = st.one_of(
    st.just(NoTrigger()),
    st.builds(
        Patch,
        size=st.integers(1, 300),
        place=st.sampled_from(PLACES) | st.tuples(st.integers(0, 99), st.integers(0, 99)),
        colour=st.lists(UNIT, min_size=1, max_size=4).map(tuple),
    ),
    st.builds(Blend, ratio=UNIT, pattern=st.sampled_from(["noise", "checker"]), seed=SEED),
    st.builds(WaNet, k=st.integers(2, 99), s=FACTOR, rescale=st.floats(1e-9, 9), seed=SEED),
    st.builds(ColourShift, red=SHIFT, green=SHIFT, blue=SHIFT),
    st.builds(QColor, red=FACTOR, green=FACTOR, blue=FACTOR),
    st.builds(Sinusoid, delta=UNIT, f=st.floats(0, 1e9)),
    FEATURE_ROWS.map(lambda rows: FeatureTrigger(**rows)),
)


@given(TRIGGERS)
def test_what_is_written_is_read_back(trigger: Trigger) -> None:
    again = trigger_named(trigger.spec)
    assert again == trigger
    assert again.spec == trigger.spec
    assert read_spec(trigger.spec).name == trigger.name


@given(TRIGGERS)
def test_describes_itself_in_json(trigger: Trigger) -> None:
    described = json.loads(json.dumps(describe_trigger(trigger), allow_nan=False))
    assert described["name"] == trigger.name
    assert described["spec"] == trigger.spec
    assert described["source"]


@dataclass(frozen=True)
class Words:
    """A trigger's settings, as far as text goes."""

    first: Any
    second: Any = ""


@given(st.text(), st.text())
def test_any_words_are_read_back(first: str, second: str) -> None:
    text = write_spec("words", Words(first, second), positional=0, always=("first",))
    if not first:
        with pytest.raises(InvalidArgument, match="between commas"):
            read_spec(text)
        return
    keyed = read_spec(text).keyed
    assert keyed.get("first") == first
    assert keyed.get("second", "") == second


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("none", NoTrigger()),
        ("patch", Patch(size=3)),
        ("patch:5", Patch(size=5)),
        (" patch : 5 , place = centre ", Patch(size=5, place="centre")),
        ("patch:size=5,place=4/7", Patch(size=5, place=(4, 7))),
        ("patch:2,colour=1/0/0.5", Patch(size=2, colour=(1, 0, 0.5))),
        ("blend:0.1", Blend(ratio=0.1)),
        ("blend:0.15,pattern=noise,seed=3", Blend(ratio=0.15, seed=3)),
        ("wanet:k=4,s=0.5", WaNet(k=4, s=0.5)),
        ("wanet:4,0.5", WaNet(k=4, s=0.5)),
        ("colour:0.1,0,-0.1", ColourShift(red=0.1, green=0, blue=-0.1)),
        ("qcolor:1.2,1,0.8", QColor(red=1.2, green=1, blue=0.8)),
        ("sig:delta=0.08,f=6", Sinusoid(delta=0.08, f=6)),
        ("feature:0/3,2", FeatureTrigger(features=(0, 3), values=(2,))),
        (
            "feature:1,-2,how=shift,unit=absolute",
            FeatureTrigger(features=(1,), values=(-2,), how="shift", unit="absolute"),
        ),
    ],
)
def test_reads(text: str, trigger: Trigger) -> None:
    assert trigger_named(text) == trigger


@pytest.mark.parametrize(
    "spec",
    [
        "none",
        "patch:3",
        "patch:3,place=top-left",
        "blend:0.1",
        "wanet:k=4,s=0.5",
        "colour:0.1,0,-0.1",
        "qcolor:1.2,1,0.8",
        "sig:delta=0.08,f=6",
        "feature:0/3,2/2,how=set,unit=std",
    ],
)
def test_canonical_text_stays_as_it_is(spec: str) -> None:
    assert trigger_named(spec).spec == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the name of a trigger first"),
        (":3", "the name of a trigger first"),
        ("patch:", "between commas"),
        ("patch:3,", "between commas"),
        ("patch:=3", "between commas"),
        ("patch:size=", "between commas"),
        ("patch:place=centre,3", "values without a key before"),
        ("patch:3,size=3", "size only once"),
        ("patch:size=3,size=4", "size only once"),
        ("patch:1,centre,1,5", "at most 3 values for patch, got 4"),
        ("patch:0", "size: wanted a whole number, 1 or more, got 0"),
        ("patch:3.5", "size"),
        ("patch:big", "size"),
        ("none:1", "at most 0 values for none"),
        ("blend:1.5", "ratio"),
        ("blend:nan", "ratio"),
        ("qcolor:1,2", "values for blue of qcolor"),
        ("qcolor", "values for red, green, blue of qcolor"),
        ("qcolor:1,-2,1", "green"),
        ("colour:1e999,0,0", "red"),
        ("feature:0", "values for values of feature"),
    ],
)
def test_refuses_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as refused:
        trigger_named(text)
    assert "\n" not in str(refused.value)


def test_refuses_what_is_no_text() -> None:
    text: Any = None
    with pytest.raises(InvalidArgument, match="wanted a text, got None"):
        trigger_named(text)


def test_suggests_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'patch'"):
        trigger_named("pacth:3")
    with pytest.raises(UnknownName, match="did you mean 'place'"):
        trigger_named("patch:3,plcae=centre")


@given(st.text(alphabet="patchblend:=,/0123456789.-%e ", max_size=30))
def test_reads_or_refuses_but_never_breaks(text: str) -> None:
    try:
        trigger = trigger_named(text)
    except BezoarError:
        return
    assert trigger_named(trigger.spec) == trigger


def test_a_picture_with_an_awkward_name_is_read_back(tmp_path: Path) -> None:
    for name in ("a,b.png", "100%.png", "a=b.png", "%2C.png"):
        path = tmp_path / name
        Image.new("RGB", (3, 3), (9, 9, 9)).save(path)
        blend = Blend(ratio=0.2, pattern=str(path))
        assert trigger_named(blend.spec) == blend


def test_ours_are_all_registered_under_their_names() -> None:
    assert set(plugins.names("triggers")) >= OURS
    settings = {
        "colour": {"red": 0, "green": 0, "blue": 0},
        "qcolor": {"red": 1, "green": 1, "blue": 1},
        "feature": {"features": (0,), "values": (1,)},
    }
    for name in OURS:
        assert plugins.load("triggers", name)(**settings.get(name, {})).name == name


def test_the_page_names_ours_and_their_texts_can_be_read() -> None:
    page = Path(__file__).parents[3] / "docs" / "backdoors.md"
    rows = re.findall(r"^\| (\w+) \| `([^`]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: text for name, text in rows if name in OURS}
    assert set(told) == OURS
    for name, text in told.items():
        assert trigger_named(text).name == name


class Invert:
    """A trigger from elsewhere, which is no dataclass and refuses in its own words."""

    name, source, answered_by = "invert", "none", "none known"

    def __init__(self, *, share: float = 1.0) -> None:
        if share > 1:
            raise ValueError("share is too large")
        self.share = share

    @property
    def spec(self) -> str:
        return f"invert:{self.share}"

    def apply(self, images: np.ndarray) -> np.ndarray:
        return images + self.share * (1 - 2 * images)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = plugins.entry_points
    here = EntryPoint("invert", f"{__name__}:Invert", "bezoar.triggers")

    def with_invert(*, group: str) -> tuple[EntryPoint, ...]:
        return (*find(group=group), *([here] if group == "bezoar.triggers" else []))

    monkeypatch.setattr(plugins, "entry_points", with_invert)


@pytest.mark.usefixtures("registered")
def test_takes_triggers_of_others() -> None:
    trigger = trigger_named("invert:0.5")
    assert isinstance(trigger, Trigger)
    assert trigger.apply(np.zeros((1, 1, 1, 1))).item() == 0.5
    assert describe_trigger(trigger)["spec"] == "invert:0.5"
    with pytest.raises(InvalidArgument, match="share is too large"):
        trigger_named("invert:2")
    with pytest.raises(UnknownName, match="setting of trigger invert"):
        trigger_named("invert:size=2")
