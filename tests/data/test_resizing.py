import struct
import zlib

import numpy as np
import pytest
from photo_files import save
from PIL import Image

from bezoar.contracts.errors import FileProblem
from bezoar.data import resizing
from bezoar.data.resizing import read_square, square, squares


def test_the_central_square_is_kept():
    rows = np.zeros((4, 12, 3), np.uint8)
    rows[:, 4:8] = 200
    assert (square(Image.fromarray(rows), 4) == 200).all()
    assert (square(Image.fromarray(rows.transpose(1, 0, 2)), 4) == 200).all()


def test_shrinking_averages_fine_structure():
    # A chequerboard of single pixels; sampling would give black or white, a mean gives 127.5.
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = Image.fromarray(board.astype(np.uint8)).convert("RGB")
    inner = square(image, 16)[:, 2:-2, 2:-2].astype(int)
    assert np.abs(inner - 127.5).max() <= 2


def test_an_image_of_the_right_size_is_not_touched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_square(tmp_path / "a.png", 16), pixels.transpose(2, 0, 1))


def test_grey_is_repeated_and_colour_kept():
    grey = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8)).astype(np.uint8)
    same = squares(grey, 8)
    assert same.shape == (3, 3, 8, 8)
    assert (same == grey).all()
    larger = squares(grey, 20)
    assert (larger[:, :1] == larger).all()
    colour = squares(grey.reshape(1, 3, 8, 8), 8)
    assert np.array_equal(colour, grey.reshape(1, 3, 8, 8))
    assert squares(grey[:0], 20).shape == (0, 3, 20, 20)


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (50, 0), (255, 255, 255)),
        ("P", 0, None),
        ("I;16", 257 * 40, (40, 40, 40)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path, mode, colour, wanted):
    file = tmp_path / "a.png"
    Image.new(mode, (6, 6), colour).save(file)
    pixels = read_square(file, 6)
    assert pixels.shape == (3, 6, 6)
    if wanted:
        assert pixels[:, 3, 3].tolist() == list(wanted)


@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp", "gif", "tif", "ppm", "png"])
def test_every_format_is_read(tmp_path, ending):
    pixels = read_square(save(tmp_path / f"a.{ending}", (0, 0, 0)), 8)
    assert pixels.max() <= 2  # lossy formats miss black by a level or two


def test_a_photograph_is_turned_upright(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert (read_square(tmp_path / "a.png", 8)[0, :4] == 255).all()


def test_only_the_first_frame_of_a_moving_picture_counts(tmp_path):
    frames = [Image.new("RGB", (6, 6), (k, k, k)) for k in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_square(tmp_path / "a.gif", 6) == 10).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no image that can be read"),
        (b"hello", "is no image that can be read .none of BMP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "is no image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "a.png: is "),
        (b"\xff\xd8\xff\xe0" + b"\x10" * 50, "a.png: is "),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, message):
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(FileProblem, match=message) as caught:
        read_square(file, 8)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    for ending in ("png", "jpg", "webp", "gif"):
        file = tmp_path / f"a.{ending}"
        Image.fromarray(noise).save(file)
        whole = file.read_bytes()
        for n in np.linspace(0, len(whole) - 40, 12).astype(int):
            file.write_bytes(whole[:n])
            with pytest.raises(FileProblem, match=f"a.{ending}"):
                read_square(file, 8)


def test_a_file_that_unpacks_to_too_much_is_refused_unread(tmp_path):
    # A PNG header of 60,000 x 60,000 pixels over a few bytes of content.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    content = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + content + chunk(b"IEND", b""))
    with pytest.raises(FileProblem, match=r"a\.png: is too large"):
        read_square(tmp_path / "a.png", 8)


def test_the_limit_is_ours_too(tmp_path, monkeypatch):
    monkeypatch.setattr(resizing, "MOST_PIXELS", 79)
    with pytest.raises(FileProblem, match="is too large: 10 x 8 pixels; shrink it"):
        read_square(save(tmp_path / "a.png"), 8)


def test_grey_without_a_range_is_refused(tmp_path):
    Image.new("F", (6, 6), 0.5).save(tmp_path / "a.tif")
    with pytest.raises(FileProblem, match="grey values without a range"):
        read_square(tmp_path / "a.tif", 6)


def test_a_folder_or_a_missing_file_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent.png"):
        with pytest.raises(FileProblem, match=str(path)):
            read_square(path, 8)
