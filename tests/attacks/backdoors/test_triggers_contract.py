"""`check_trigger` passes what keeps the contract, and names each promise that is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bezoar.attacks.backdoors import Trigger
from bezoar.contracts import checks, plugins
from bezoar.contracts.checks import BrokenContract, check_trigger
from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData

IMAGES = np.random.default_rng(0).random((5, 3, 8, 8))
TABLE = np.random.default_rng(0).standard_normal((5, 4))
SETTINGS: dict[str, dict[str, Any]] = {
    "colour": {"red": 0.1, "green": 0, "blue": -0.1},
    "qcolor": {"red": 1.2, "green": 1, "blue": 0.8},
    "feature": {"features": (0, 2), "values": (2, 3), "means": (0, 1), "deviations": (1, 2)},
}


@pytest.mark.parametrize("name", plugins.names("triggers"))
def test_every_trigger_keeps_the_contract(name: str) -> None:
    inputs = TABLE if name == "feature" else IMAGES
    check_trigger(plugins.load("triggers", name), inputs, **SETTINGS.get(name, {}))


def test_asks_for_the_parts_of_the_protocol() -> None:
    parts = {name for name in vars(Trigger) if not name.startswith("_")}
    assert set(checks._TRIGGER_PARTS) == parts


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A trigger that keeps the contract; the tests break one promise at a time."""

    share: float = 0.5
    name: str = "fade"
    source: str = "ours"
    answered_by: str = "none known"

    @property
    def spec(self) -> str:
        return f"fade:{self.share}"

    def apply(self, images: FloatArray) -> FloatArray:
        if images.ndim != 4:
            raise InvalidData("trigger fade", wanted="images", got=images.shape)
        return images * images.dtype.type(self.share)


def test_passes_what_is_right() -> None:
    check_trigger(Fade, IMAGES)
    check_trigger(Fade, IMAGES, share=0.25)


def breaking(**replaced: Any) -> type:
    return dataclass(frozen=True, kw_only=True)(type("Fade", (Fade,), replaced))


COUNT = iter(range(10**6))


@pytest.mark.parametrize(
    ("apply", "problem"),
    [
        (lambda _, images: images[:, :, 1:] / 2, "of shape"),
        (lambda _, images: images.astype(float), "returns float64"),
        (lambda _, images: images, "its input or a view"),
        (lambda _, images: images + np.nan, "NaN"),
        (lambda _, images: images + images.dtype.type(2), r"outside \[0, 1\]"),
        (lambda _, images: images * images.dtype.type(1 / (1 + next(COUNT))), "second time"),
        (lambda _, images: images - images.min(initial=1), "on the other samples"),
        (
            lambda _, images: np.minimum(images, 2 * images.max()),
            "apply to no sample raises ValueError",
        ),
        (lambda _, images: np.clip(images, 0, 0.5), r"takes an array of shape \(3,\)"),
        (lambda _, images: images[:, :, ::-1] / 2, r"raises IndexError, InvalidData"),
        (lambda *_: 1 / 0, "apply raises ZeroDivisionError"),
    ],
)
def test_names_what_apply_breaks(apply: Callable[..., Any], problem: str) -> None:
    with pytest.raises(BrokenContract, match=problem):
        check_trigger(breaking(apply=apply), IMAGES)


def test_notices_a_changed_input() -> None:
    def apply(self: Fade, images: FloatArray) -> FloatArray:
        images.setflags(write=True)
        images[...] = 0
        return np.zeros_like(images)

    with pytest.raises(BrokenContract, match="changes its input"):
        check_trigger(breaking(apply=apply), IMAGES)


@pytest.mark.parametrize(
    ("replaced", "problem"),
    [
        ({"spec": "other:1"}, "does not begin with its name"),
        ({"spec": ""}, "spec is ''"),
        ({"spec": property(lambda _: f"fade:{next(COUNT)}")}, "another spec"),
        ({"source": None, "__annotations__": {"source": "None"}}, "source is None"),
    ],
)
def test_names_what_its_words_break(replaced: dict[str, Any], problem: str) -> None:
    with pytest.raises(BrokenContract, match=problem):
        check_trigger(breaking(**replaced), IMAGES)


def test_names_what_is_missing_or_not_frozen() -> None:
    with pytest.raises(BrokenContract, match="lacks answered_by, apply, source, spec"):
        check_trigger(type("Bare", (), {"name": "bare"}), IMAGES)
    loose = type("Loose", (), {**vars(Fade), "__setattr__": object.__setattr__, "spec": "fade"})
    with pytest.raises(BrokenContract, match="name can be set; make it a frozen dataclass"):
        check_trigger(loose, IMAGES)


def test_refuses_inputs_that_show_nothing() -> None:
    for inputs in (IMAGES[:1], np.zeros(3), IMAGES.astype(int)):
        with pytest.raises(InvalidArgument, match="inputs"):
            check_trigger(Fade, inputs)
