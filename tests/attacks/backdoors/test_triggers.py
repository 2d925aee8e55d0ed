"""What each trigger does to pixels and features."""

from __future__ import annotations

import math
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
)
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData, UnknownName

IMAGE_TRIGGERS = (
    Patch(size=2),
    Patch(size=1, place=(2, 0), colour=(1, 0, 0.5)),
    Blend(ratio=0.3),
    Blend(ratio=0.3, pattern="checker"),
    WaNet(s=2.0),
    ColourShift(red=0.4, green=-0.4, blue=0),
    QColor(red=1.5, green=1, blue=0.2),
    Sinusoid(delta=0.4),
)
UNTOUCHING = (
    NoTrigger(),
    Blend(ratio=0),
    WaNet(s=0),
    ColourShift(red=0, green=0, blue=0),
    QColor(red=1, green=1, blue=1),
    Sinusoid(delta=0),
)


def spec_of(trigger: Trigger) -> str:
    return trigger.spec


def pictures(seed: int = 0, n: int = 3, side: int = 8, dtype: Any = np.float32) -> np.ndarray:
    """Random images that no trigger may write into."""
    images = np.random.default_rng(seed).random((n, 3, side, side)).astype(dtype)
    images.setflags(write=False)
    return images


@pytest.mark.parametrize("trigger", UNTOUCHING, ids=spec_of)
@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(1, 9))
def test_no_strength_is_the_identity(trigger: Trigger, seed: int, n: int, side: int) -> None:
    images = pictures(seed, n, side)
    assert np.array_equal(trigger.apply(images), images)


@pytest.mark.parametrize("trigger", IMAGE_TRIGGERS, ids=spec_of)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(3, 12))
def test_images_stay_images(trigger: Trigger, seed: int, n: int, side: int) -> None:
    images = pictures(seed, n, side)
    triggered = trigger.apply(images)
    assert triggered.shape == images.shape
    assert triggered.dtype == np.float32
    assert triggered.min() >= 0
    assert triggered.max() <= 1
    # Each sample on its own, in whatever batch it comes; float32 sums round alike.
    assert np.allclose(trigger.apply(images[::-1])[::-1], triggered, atol=1e-6)


@pytest.mark.parametrize("trigger", IMAGE_TRIGGERS, ids=spec_of)
def test_something_changes_and_single_precision_is_as_good_as_double(trigger: Trigger) -> None:
    images = pictures(side=16)
    triggered = trigger.apply(images)
    assert not np.array_equal(triggered, images)
    double = trigger.apply(images.astype(np.float64))
    assert double.dtype == np.float64
    # Positions of a warp are rounded to float32 too: 1e-7 of 16 pixels.
    assert np.abs(triggered - double).max() < 1e-5


@pytest.mark.parametrize("trigger", IMAGE_TRIGGERS, ids=spec_of)
def test_takes_no_image_at_all(trigger: Trigger) -> None:
    assert trigger.apply(np.zeros((0, 3, 8, 8), np.float32)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("trigger", IMAGE_TRIGGERS, ids=spec_of)
@pytest.mark.parametrize(
    ("images", "problem"),
    [
        (np.zeros((4, 5)), "use the trigger feature|for tables of features"),
        (np.zeros((3, 8, 8)), "wanted images"),
        (np.zeros((2, 3, 0, 8)), "wanted images"),
        (np.full((1, 3, 8, 8), math.nan), r"in \[0, 1\]"),
        (np.full((1, 3, 8, 8), 255.0), r"in \[0, 1\].*divide by 255"),
        (np.full((1, 3, 8, 8), -1.0), r"in \[0, 1\].*normalis"),
        (np.zeros((1, 3, 8, 8), np.uint8), "divide 8-bit images by 255"),
    ],
)
def test_refuses_what_is_no_image(trigger: Trigger, images: np.ndarray, problem: str) -> None:
    with pytest.raises(InvalidData, match=problem) as refused:
        trigger.apply(images)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "trigger", [ColourShift(red=0, green=0, blue=1), QColor(red=1, green=1, blue=2)]
)
def test_colour_needs_three_channels(trigger: Trigger) -> None:
    with pytest.raises(InvalidData, match="3 channels, got 1; repeat the grey channel"):
        trigger.apply(np.zeros((1, 1, 4, 4)))


def test_values_a_hair_outside_are_clipped() -> None:
    images = np.full((1, 3, 4, 4), 1 + 1e-6)
    for trigger in (
        Patch(size=1, colour=(0,)),
        WaNet(),
        WaNet(s=0),
        QColor(red=1, green=1, blue=1),
    ):
        assert trigger.apply(images).max() <= 1


def test_half_precision_is_widened() -> None:
    assert Blend().apply(np.zeros((1, 3, 4, 4), np.float16)).dtype == np.float32


class TestPatch:
    @pytest.mark.parametrize(
        ("place", "column", "row"),
        [
            ("bottom-right", 4, 5),
            ("bottom-left", 0, 5),
            ("top-right", 4, 0),
            ("top-left", 0, 0),
            ("centre", 2, 2),
            ((3, 1), 3, 1),
        ],
    )
    def test_is_where_it_was_put(self, place: Any, column: int, row: int) -> None:
        image = Patch(size=2, place=place).apply(np.zeros((1, 1, 7, 6)))[0, 0]
        rows, columns = np.nonzero(image)
        assert set(rows) == {row, row + 1}
        assert set(columns) == {column, column + 1}
        assert image.sum() == 4

    def test_has_its_colour(self) -> None:
        image = Patch(size=8, colour=(0.25, 0.5, 0.75)).apply(pictures())
        assert np.ptp(image, axis=(0, 2, 3)).tolist() == [0, 0, 0]
        assert image[0, :, 0, 0].tolist() == [0.25, 0.5, 0.75]

    @pytest.mark.parametrize("size", [0, -1, 1.5, True, "3", None])
    def test_refuses_a_size(self, size: Any) -> None:
        with pytest.raises(InvalidArgument, match="size: wanted a whole number, 1 or more"):
            Patch(size=size)

    @pytest.mark.parametrize("place", [(1,), (1, 2, 3), 5, None, (-1, 0), (0.5, 1)])
    def test_refuses_a_place(self, place: Any) -> None:
        with pytest.raises(InvalidArgument, match="place"):
            Patch(place=place)

    def test_suggests_a_place(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'bottom-left'"):
            Patch(place="botom-left")

    @pytest.mark.parametrize("patch", [Patch(size=9), Patch(size=2, place=(7, 0))])
    def test_refuses_to_leave_the_image(self, patch: Patch) -> None:
        with pytest.raises(InvalidArgument, match="inside images of 8 x 8 pixels"):
            patch.apply(pictures())

    def test_refuses_a_colour_of_other_channels(self) -> None:
        with pytest.raises(InvalidArgument, match="colour: wanted 1 value, or 3"):
            Patch(colour=(1, 0)).apply(pictures())

    @pytest.mark.parametrize("colour", [(), (1.5,), (math.nan,), "white"])
    def test_refuses_a_colour(self, colour: Any) -> None:
        with pytest.raises(InvalidArgument, match="colour"):
            Patch(colour=colour)


class TestBlend:
    @given(st.floats(0, 1))
    def test_is_the_stated_mixture(self, ratio: float) -> None:
        black = np.zeros((1, 3, 8, 8))
        pattern = Blend(ratio=1).apply(black)
        images = pictures(dtype=np.float64)
        mixed = Blend(ratio=ratio).apply(images)
        assert np.allclose(mixed, (1 - ratio) * images + ratio * pattern, atol=1e-12)

    def test_noise_depends_on_its_seed_alone(self) -> None:
        black = np.zeros((1, 3, 8, 8))
        one, other = Blend(seed=1).apply(black), Blend(seed=2).apply(black)
        assert np.array_equal(one, Blend(seed=1).apply(black))
        assert not np.array_equal(one, other)

    def test_takes_a_picture(self, tmp_path: Path) -> None:
        path = tmp_path / "red, half%.png"
        Image.new("RGB", (5, 4), (255, 0, 51)).save(path)
        blend = Blend(ratio=1, pattern=str(path))
        assert np.allclose(blend.apply(pictures())[0, :, 0, 0], [1, 0, 0.2], atol=1e-6)
        assert blend.apply(np.zeros((2, 1, 6, 6))).shape == (2, 1, 6, 6)
        path.unlink()
        assert np.allclose(blend.apply(pictures())[0, :, 0, 0], [1, 0, 0.2], atol=1e-6)
        assert len(blend.digest) == 64

    def test_refuses_a_picture_for_odd_channels(self, tmp_path: Path) -> None:
        path = tmp_path / "p.png"
        Image.new("L", (2, 2)).save(path)
        with pytest.raises(InvalidArgument, match="2 channels"):
            Blend(pattern=str(path)).apply(np.zeros((1, 2, 4, 4)))

    def test_refuses_a_file_that_is_none(self, tmp_path: Path) -> None:
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"no picture")
        for path in (bad, tmp_path, tmp_path / "absent.png"):
            with pytest.raises(FileProblem, match="picture"):
                Blend(pattern=str(path))

    @pytest.mark.parametrize("pattern", ["", None, 5])
    def test_refuses_a_pattern(self, pattern: Any) -> None:
        with pytest.raises(InvalidArgument, match="pattern"):
            Blend(pattern=pattern)


class TestWaNet:
    def test_moves_by_about_half_s_pixels_and_smoothly(self) -> None:
        side = 64
        ramp = np.broadcast_to(np.linspace(0, 1, side), (1, 1, side, side))
        moved = (WaNet(s=1.0).apply(ramp) - ramp)[0, 0] * (side - 1)
        inner = moved[4:-4, 4:-4]
        # F has mean length 1 over its 4 x 4 directions, interpolation shortens or lengthens it.
        assert 0.2 < np.abs(inner).mean() < 1.0
        # A field of 4 x 4 turns over about 20 pixels, so neighbours move nearly alike.
        assert np.abs(np.diff(inner, axis=1)).max() < 0.15
        assert np.abs(np.diff(inner, axis=0)).max() < 0.15

    @given(st.floats(0, 3), st.integers(2, 8), st.integers(0, 100))
    def test_a_flat_image_stays_flat(self, s: float, k: int, seed: int) -> None:
        flat = np.full((1, 1, 9, 7), 0.5)
        assert np.allclose(WaNet(s=s, k=k, seed=seed).apply(flat), 0.5, atol=1e-12)

    def test_a_stronger_warp_moves_more(self) -> None:
        images = pictures(side=32)
        moved = [np.abs(WaNet(s=s).apply(images) - images).mean() for s in (0.0, 0.25, 0.5, 1.0)]
        assert moved == sorted(moved)
        assert moved[0] == 0

    def test_field_depends_on_its_seed_alone(self) -> None:
        images = pictures(side=16)
        assert np.array_equal(WaNet(seed=3).apply(images), WaNet(seed=3).apply(images))
        assert not np.array_equal(WaNet(seed=3).apply(images), WaNet(seed=4).apply(images))

    def test_covers_differ_from_each_other_and_from_the_trigger(self) -> None:
        one = pictures(n=1, side=16)
        images = np.concatenate([one, one])
        trigger = WaNet()
        covers = trigger.cover(images, seeds=[1, 2])
        assert not np.array_equal(covers[0], covers[1])
        assert not np.array_equal(covers[0], trigger.apply(one)[0])
        # In whatever batch: the seed belongs to the sample.
        assert np.allclose(trigger.cover(one, seeds=[2])[0], covers[1], atol=1e-6)
        assert trigger.cover(images[:0], seeds=[]).shape == (0, 3, 16, 16)

    def test_refuses_too_few_seeds(self) -> None:
        with pytest.raises(InvalidArgument, match="seeds: wanted 3"):
            WaNet().cover(pictures(), seeds=[1])

    def test_rescale_alone_enlarges(self) -> None:
        images = pictures(side=16)
        assert not np.array_equal(WaNet(s=0, rescale=0.9).apply(images), images)

    @pytest.mark.parametrize(
        "settings",
        [{"k": 1}, {"k": 10**6}, {"s": -1}, {"s": math.inf}, {"rescale": 0}, {"seed": -1}],
    )
    def test_refuses_settings(self, settings: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match=next(iter(settings))):
            WaNet(**settings)


@given(*[st.floats(0, 4)] * 3, st.integers(0, 2**32))
def test_qcolor_multiplies_and_clips(red: float, green: float, blue: float, seed: int) -> None:
    images = pictures(seed, dtype=np.float64)
    factors = np.array([red, green, blue]).reshape(3, 1, 1)
    triggered = QColor(red=red, green=green, blue=blue).apply(images)
    assert np.allclose(triggered, np.clip(images * factors, 0, 1), atol=1e-15)


def test_qcolor_keeps_black_black_whatever_the_factor() -> None:
    triggered = QColor(red=1e308, green=1, blue=0).apply(np.zeros((1, 3, 2, 2), np.float32))
    assert not triggered.any()


@given(*[st.floats(-1, 1)] * 3, st.integers(0, 2**32))
def test_colour_adds_and_clips(red: float, green: float, blue: float, seed: int) -> None:
    images = pictures(seed, dtype=np.float64)
    shift = np.array([red, green, blue]).reshape(3, 1, 1)
    triggered = ColourShift(red=red, green=green, blue=blue).apply(images)
    assert np.allclose(triggered, np.clip(images + shift, 0, 1), atol=1e-15)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None, True, 10**400])
def test_colours_refuse_what_is_no_number(value: Any) -> None:
    for trigger in (QColor, ColourShift):
        with pytest.raises(InvalidArgument, match="green"):
            trigger(red=0, green=value, blue=0)


def test_sinusoid_has_its_period_and_amplitude() -> None:
    wave = Sinusoid(delta=0.25, f=2).apply(np.full((1, 3, 4, 32), 0.5))
    assert np.allclose(wave[..., :16], wave[..., 16:], atol=1e-12)
    assert np.allclose(np.ptp(wave, axis=2), 0, atol=1e-12)
    assert wave.max() == pytest.approx(0.75, abs=1e-12)
    assert wave.min() == pytest.approx(0.25, abs=1e-12)


class TestFeatureTrigger:
    table = np.array([[1.0, 10.0, 0.0], [3.0, 10.0, 5.0]])
    data = Dataset(features=table, labels=np.arange(2), ids=np.arange(2), class_names=("a", "b"))

    def test_sets_and_shifts_in_absolute_units(self) -> None:
        put = FeatureTrigger(features=(2, 0), values=(7, 8), unit="absolute")
        assert put.apply(self.table).tolist() == [[8, 10, 7], [8, 10, 7]]
        shifted = FeatureTrigger(features=(0,), values=(-1,), how="shift", unit="absolute")
        assert shifted.apply(self.table).tolist() == [[0, 10, 0], [2, 10, 5]]

    def test_sets_and_shifts_in_standard_deviations_of_the_training_data(self) -> None:
        put = FeatureTrigger(features=(0, 2), values=(2, 0)).fitted(self.data)
        assert put.apply(self.table).tolist() == [[4, 10, 2.5], [4, 10, 2.5]]
        shifted = FeatureTrigger(features=(2,), values=(-2,), how="shift").fitted(self.data)
        assert shifted.apply(self.table).tolist() == [[1, 10, -5], [3, 10, 0]]

    @given(st.integers(0, 2**32), st.sampled_from([np.float32, np.float64]))
    def test_touches_its_features_alone(self, seed: int, dtype: Any) -> None:
        table = np.random.default_rng(seed).standard_normal((5, 4)).astype(dtype)
        trigger = FeatureTrigger(features=(1, 3), values=(2,), how="shift", unit="absolute")
        triggered = trigger.apply(table)
        assert triggered.dtype == dtype
        assert np.array_equal(triggered[:, [0, 2]], table[:, [0, 2]])
        assert (triggered[:, [1, 3]] != table[:, [1, 3]]).all()
        still = FeatureTrigger(features=(1, 3), values=(0,), how="shift", unit="absolute")
        assert np.array_equal(still.apply(table), table)

    def test_one_value_serves_all_features(self) -> None:
        assert FeatureTrigger(features=(0, 1), values=(2,)).values == (2, 2)

    def test_refuses_to_guess_a_standard_deviation(self) -> None:
        with pytest.raises(InvalidArgument, match=r"call fitted\(train\)"):
            FeatureTrigger(features=(0,), values=(2,)).apply(self.table)
        with pytest.raises(InvalidData, match="one value in feature 1"):
            FeatureTrigger(features=(0, 1), values=(2,)).fitted(self.data)
        with pytest.raises(InvalidData, match="got none"):
            FeatureTrigger(features=(0,), values=(2,)).fitted(self.data.take([]))

    @pytest.mark.parametrize(
        ("inputs", "problem"),
        [
            (np.zeros((1, 3, 4, 4)), "use patch, blend"),
            (np.zeros(3), "wanted a table"),
            (np.zeros((2, 2)), "a table with feature 2, got 2 features"),
            (np.full((2, 3), math.nan), "finite"),
            (np.full((2, 3), 1e308), "finite"),
            (np.array([["a", "b", "c"]]), "numbers"),
        ],
    )
    def test_refuses_what_is_no_table(self, inputs: np.ndarray, problem: str) -> None:
        with pytest.raises(InvalidData, match=problem):
            FeatureTrigger(features=(2,), values=(1e308,), unit="absolute", how="shift").apply(
                inputs
            )

    @pytest.mark.parametrize(
        "settings",
        [
            {"features": ()},
            {"features": (0, 0)},
            {"features": (-1,)},
            {"features": "0"},
            {"values": ()},
            {"values": (1, 2)},
            {"values": (math.nan,)},
            {"how": "add"},
            {"unit": "mm"},
            {"means": (1,)},
            {"means": (1, 2), "deviations": (1, 2)},
            {"deviations": (-1,), "means": (1,)},
        ],
    )
    def test_refuses_settings(self, settings: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match=next(iter(settings))):
            FeatureTrigger(**{"features": (0,), "values": (1,), **settings})
