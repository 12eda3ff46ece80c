import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.tiny_models import many
from nextpixel.errors import InputError
from nextpixel.rendering.grid import BACKGROUND, WANTED_WIDTH, beside, grid, layout, save_picture, to_pil

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def images(count, channels, height, width, levels=256):
    return torch.randint(levels, (count, channels, height, width)).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 4)])
def test_a_picture_of_256_levels_is_the_image(channels, size):
    image = images(1, channels, *size)[0]
    picture = to_pil(image, 256)
    assert picture.mode == MODES[channels] and picture.size == size[::-1]
    pixels = np.asarray(picture).reshape(*size, channels)
    assert np.array_equal(pixels.transpose(2, 0, 1), image.numpy())


@many
@given(levels=st.integers(2, 256))
def test_levels_are_spread_evenly_from_black_to_white(levels):
    shades = np.asarray(to_pil(torch.arange(levels).view(1, 1, levels), levels)).flatten().astype(int)
    assert shades[0] == 0 and shades[-1] == 255
    steps = np.diff(shades)
    assert steps.min() >= 1 and steps.max() - steps.min() <= 1
    # And nothing is lost: this is how open_images quantises.
    assert np.array_equal(shades * levels // 256, np.arange(levels))


@many
@given(
    count=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    columns=st.none() | st.integers(1, 9),
    scale=st.integers(1, 5),
)
def test_every_image_stands_in_its_place(count, channels, height, width, columns, scale):
    pictures = images(count, channels, height, width)
    sheet = np.asarray(grid(pictures, 256, columns=columns, scale=scale))
    across = min(count, columns or math.ceil(math.sqrt(count)))
    gap = max(1, scale // 2)
    down = math.ceil(count / across)
    assert sheet.shape == (down * (height * scale + gap) + gap, across * (width * scale + gap) + gap, 3)
    covered = np.zeros(sheet.shape[:2], dtype=bool)
    for index, image in enumerate(pictures):
        top = gap + index // across * (height * scale + gap)
        left = gap + index % across * (width * scale + gap)
        place = (slice(top, top + height * scale), slice(left, left + width * scale))
        expected = image.expand(3, -1, -1).permute(1, 2, 0).repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        assert np.array_equal(sheet[place], expected.numpy())
        covered[place] = True
    assert (sheet[~covered] == BACKGROUND).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_pixels_show_the_background(channels):
    image = torch.full((1, channels, 1, 2), 255)
    image[0, -1, 0, 0] = 0
    sheet = np.asarray(grid(image, 256, scale=1))
    assert tuple(sheet[1, 1]) == BACKGROUND and tuple(sheet[1, 2]) == (255, 255, 255)


@pytest.mark.parametrize(("count", "height", "width"), [(1, 8, 8), (64, 28, 28), (5, 1, 1), (100, 32, 64)])
def test_a_grid_without_a_scale_is_of_a_size_to_look_at(count, height, width):
    sheet = grid(images(count, 1, height, width), 256)
    # Nothing is made smaller, so large images may need more.
    least = math.ceil(math.sqrt(count)) * (width + 1)
    assert sheet.width <= max(1.6 * WANTED_WIDTH, least + 1)
    assert sheet.width >= min(WANTED_WIDTH / 2, least)


def test_a_grid_too_large_to_be_opened_is_refused_before_it_is_made():
    assert layout(10_000, (28, 28), columns=100).size == (2901, 2901)
    with pytest.raises(InputError, match="100,000 images in one picture make 2,901 x 2,900,001 pixels"):
        layout(100_000, (289, 289), columns=10, scale=1)
    with pytest.raises(InputError, match="write a folder"):
        grid(torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(40_000, 1, 64, 64), 2)


def test_pictures_stand_beside_each_other_under_their_titles():
    left, right = Image.new("RGB", (40, 50), (255, 0, 0)), Image.new("RGB", (30, 20), (0, 0, 255))
    both = np.asarray(beside({"left": left, "right": right}))
    red, blue = (both == (255, 0, 0)).all(-1), (both == (0, 0, 255)).all(-1)
    assert red.sum() == 40 * 50 and blue.sum() == 30 * 20
    assert red.any(0).nonzero()[0].max() < blue.any(0).nonzero()[0].min()
    top = red.any(1).nonzero()[0].min()
    assert top == blue.any(1).nonzero()[0].min()
    assert (both[:top] < 128).all(-1).any(), "there is dark text above the pictures"


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "b/c/a.webp", "a.jpg", "a.gif", "a.bmp", "a.tiff"])
def test_the_ending_says_the_format(tmp_path, name):
    picture = grid(images(4, 3, 5, 6), 256)
    save_picture(picture, tmp_path / name)
    with Image.open(tmp_path / name) as found:
        assert found.size == picture.size
        assert found.format == {"jpg": "JPEG"}.get(name[-3:], name.split(".")[-1].upper())


@pytest.mark.parametrize("name", ["a.xyz", "a.psd", "a.txt"])
def test_an_ending_of_no_format_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=rf"no picture format has the ending '\.{name[-3:]}'; use .png"):
        save_picture(grid(images(1, 1, 2, 2), 256), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_its_format_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        save_picture(to_pil(images(1, 4, 2, 2)[0], 256), tmp_path / "a.jpg")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        save_picture(grid(images(1, 1, 2, 2), 256), tmp_path / "file" / "a.png")
