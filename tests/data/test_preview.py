import base64
import io
import re

import numpy as np
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.data.preview import SHOWN, sheet


def pictures_in(html):
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_a_sheet_holds_every_image_once():
    images = torch.randint(256, (5, 3, 2, 4)).to(torch.uint8)
    whole = np.asarray(sheet(images)).transpose(2, 0, 1)
    for number, image in enumerate(images.numpy()):
        row, column = number // 3 * 2, number % 3 * 4
        assert np.array_equal(whole[:, row : row + 2, column : column + 4], image)


def test_a_set_shows_its_first_images_and_what_it_is():
    digits = nx.open_images("digits")
    html = digits._repr_html_()
    (picture,) = pictures_in(html)
    assert picture.shape == (SHOWN // 8 * 8, 64) and picture.max() == 255
    assert f"{len(digits):,} of 1 x 8 x 8" in html and "17" in html


def test_names_of_labels_cannot_be_markup(tmp_path):
    for name in ("<b>", "plain"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    html = nx.open_images(tmp_path)._repr_html_()
    assert "&lt;b&gt;" in html and "<b>," not in html


def test_pictures_show_small_forms_of_the_first_ones(tmp_path):
    for number in range(6):
        Image.new("RGB", (200 + number, 100), (number, 0, 0)).save(tmp_path / f"{number}.png")
    html = nx.open_pictures(tmp_path)._repr_html_()
    shown = pictures_in(html)
    assert len(shown) == 4 and all(max(picture.shape) <= 160 for picture in shown)
    assert "widths 200 to 205" in html
