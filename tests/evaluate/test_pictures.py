import io

import numpy as np
import pytest
from PIL import Image

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.evaluate import pictures
from bezoar.evaluate.pictures import (
    amplification,
    heat_sheet,
    image_sheet,
    mask_sheet,
    thumbnails,
    trigger_sheet,
)


def images(n=3, channels=3, side=8, seed=0):
    return np.random.default_rng(seed).random((n, channels, side, side))


def opened(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.array(image.convert("RGB"))


def cell_of(sheet: np.ndarray, row: int, column: int, side: int) -> np.ndarray:
    top, left = 2 + row * (side + 2), 2 + column * (side + 2)
    return sheet[top : top + side, left : left + side]


def test_pixels_become_blocks_and_nothing_is_smoothed():
    rows = images(), images(2, channels=1, seed=1)
    sheet = opened(image_sheet(*rows))
    assert sheet.shape == (2 + 2 * 98, 2 + 3 * 98, 3)
    for row, line in enumerate(rows):
        for column, image in enumerate(line):
            levels = np.rint(np.broadcast_to(image, (3, 8, 8)) * 255).transpose(1, 2, 0)
            cell = cell_of(sheet, row, column, 96)
            assert np.array_equal(cell, levels.repeat(12, axis=0).repeat(12, axis=1))
    assert (cell_of(sheet, 1, 2, 96) == 255).all()  # the shorter row ends
    assert (sheet[:2] == 255).all()


@pytest.mark.parametrize(
    ("side", "shown"), [(8, 96), (28, 84), (32, 96), (64, 128), (96, 96), (192, 192), (224, 112)]
)
def test_cells_are_about_as_large_as_asked(side, shown):
    (png,) = thumbnails(images(1, side=side))
    assert opened(png).shape == (shown, shown, 3)


def test_large_images_are_averaged_in_blocks():
    large = images(1, side=40)
    (png,) = thumbnails(large, cell=10)
    means = large.reshape(1, 3, 10, 4, 10, 4).mean(axis=(3, 5))[0].transpose(1, 2, 0)
    assert np.array_equal(opened(png), np.rint(means * 255))
    (odd,) = thumbnails(images(1, side=41), cell=10)
    assert opened(odd).shape == (11, 11, 3)


def test_images_need_not_be_square():
    (png,) = thumbnails(np.full((1, 3, 4, 8), 0.5))
    assert opened(png).shape == (48, 96, 3)


def test_few_colours_take_a_palette_and_stay_what_they_are():
    (png,) = thumbnails(np.indices((1, 1, 16, 16)).sum(axis=0) / 30)
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "P"
    levels = np.rint(np.indices((16, 16)).sum(axis=0) / 30 * 255)
    assert np.array_equal(opened(png)[::6, ::6, 1], levels)
    (many,) = thumbnails(images(1, side=64))
    with Image.open(io.BytesIO(many)) as image:
        assert image.mode == "RGB"


@pytest.mark.parametrize(
    ("change", "factor"),
    [(0.0, 1), (1.0, 1), (0.51, 1), (0.5, 2), (0.2, 5), (0.1, 10), (0.05, 20), (0.001, 100)],
)
def test_amplification_is_the_largest_that_keeps_in_range(change, factor):
    clean = np.zeros((1, 3, 8, 8), np.float32)
    triggered = clean.copy()
    triggered[0, 1, 2, 3] = change
    assert amplification(clean, triggered) == factor
    assert amplification(triggered, clean) == factor


def test_the_third_row_is_the_amplified_difference():
    clean = np.full((2, 3, 8, 8), 0.5)
    triggered = clean.copy()
    triggered[0, 0, 0, 0] += 0.05
    triggered[1, 2, 7, 7] -= 0.04
    sheet = opened(trigger_sheet(clean, triggered))
    assert sheet.shape == (2 + 3 * 98, 2 + 2 * 98, 3)
    first, second = (cell_of(sheet, 2, k, 96) for k in range(2))
    assert first[0, 0].tolist() == [255, 128, 128]
    assert second[-1, -1].tolist() == [128, 128, round(255 * 0.1)]
    first[:12, :12] = second[-12:, -12:] = 128
    assert (first == 128).all()
    assert (second == 128).all()


def test_a_small_patch_is_not_lost_in_a_large_image():
    clean = np.zeros((1, 3, 224, 224))
    triggered = clean.copy()
    triggered[:, :, -1, -1] = 1
    sheet = opened(trigger_sheet(clean, triggered))
    assert cell_of(sheet, 2, 0, 112)[-1, -1].tolist() == [255, 255, 255]
    assert (cell_of(sheet, 2, 0, 112)[:-1] == 128).all()


def test_a_heat_map_lies_over_the_grey_image():
    picture = images(2)
    maps = np.zeros((2, 8, 8))
    maps[1, 3, 4] = 1
    sheet = opened(heat_sheet(picture, maps))
    cold, warm = cell_of(sheet, 1, 0, 96).astype(int), cell_of(sheet, 1, 1, 96).astype(int)
    share = pictures._HEAT_SHARE
    grey = (1 - share) * 255 * picture.mean(axis=1)
    assert np.abs(cold[::12, ::12] - (grey[0][..., None] + share * pictures._HEAT[0])).max() <= 1
    assert np.abs(warm[36, 48] - (grey[1, 3, 4] + share * pictures._HEAT[-1])).max() <= 1
    assert warm[36, 48].sum() > warm[36, 36].sum()


def test_heat_rises_evenly_in_lightness():
    # CIE 1976 lightness of sRGB.
    share = np.linspace(0, 1, 65)
    colours = pictures._coloured(share[None, None])[0, :, 0]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear
    lightness = np.where(
        luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27
    )
    assert (np.diff(lightness) > 0).all()
    assert lightness[0] < 5
    assert lightness[-1] > 90
    # Nowhere further from even than an eighth of the range.
    assert np.abs(lightness - np.interp(share, [0, 1], lightness[[0, -1]])).max() < 12


def test_restored_triggers_are_shown_for_each_class():
    masks = np.zeros((2, 8, 8))
    masks[1, :4] = 1
    sheet = opened(mask_sheet(masks, np.full((2, 3, 8, 8), 0.2)))
    assert sheet.shape == (2 + 3 * 98, 2 + 2 * 98, 3)
    assert (cell_of(sheet, 0, 1, 96)[:48] == 255).all()
    assert (cell_of(sheet, 1, 0, 96) == 51).all()
    assert (cell_of(sheet, 2, 1, 96)[:48] == 51).all()
    assert not cell_of(sheet, 2, 0, 96).any()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((0, 3, 8, 8)),
        np.zeros((2, 2, 8, 8)),
        np.zeros((3, 8, 8)),
        np.full((2, 3, 8, 8), np.nan),
        np.full((2, 3, 8, 8), 255),
        np.full((2, 3, 8, 8), -0.1),
        np.full((2, 3, 8, 8), "a"),
    ],
)
def test_what_are_no_images_is_refused(bad):
    good, maps = np.zeros((2, 3, 8, 8)), np.zeros((2, 8, 8))
    for draw in (
        lambda: image_sheet(bad),
        lambda: thumbnails(bad),
        lambda: trigger_sheet(good, bad),
        lambda: trigger_sheet(bad, good),
        lambda: heat_sheet(bad, maps),
        lambda: mask_sheet(maps, bad),
    ):
        with pytest.raises(InvalidData):
            draw()


def test_shapes_must_agree():
    good, maps = np.zeros((2, 3, 8, 8)), np.zeros((2, 8, 8))
    for draw in (
        image_sheet,
        lambda: image_sheet(good, np.zeros((2, 3, 9, 8))),
        lambda: trigger_sheet(good, good[:1]),
        lambda: amplification(good, good[:, :1]),
        lambda: heat_sheet(good, maps[:1]),
        lambda: heat_sheet(good, maps + 2),
        lambda: heat_sheet(good, good),
        lambda: mask_sheet(maps[:, 1:], good),
    ):
        with pytest.raises(InvalidData):
            draw()


@pytest.mark.parametrize("cell", [0, -1, 9.5, True, 5000, None])
def test_a_cell_that_is_none_is_refused(cell):
    with pytest.raises(InvalidArgument, match="cell: wanted a whole number of pixels"):
        thumbnails(images(), cell=cell)


def test_files_are_small():
    digits = np.indices((10, 1, 28, 28))[0] / 10
    assert len(image_sheet(digits)) < 5_000
