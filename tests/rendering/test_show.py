import numpy as np
import pytest
import torch

import nextpixel as nx
from nextpixel.errors import InputError


def test_what_is_shown_displays_itself_in_a_notebook():
    picture = nx.show(torch.zeros(2, 1, 3, 3, dtype=torch.uint8))
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_binary_images_are_black_and_white():
    picture = np.asarray(nx.show(torch.tensor([[[[0, 1]]]]), scale=1))
    assert picture[1, 1].tolist() == [0, 0, 0] and picture[1, 2].tolist() == [255, 255, 255]


def test_levels_of_256_are_as_they_are():
    image = torch.tensor([0, 7, 255]).view(1, 1, 1, 3)
    assert np.asarray(nx.show(image, scale=1))[1, 1:4, 0].tolist() == [0, 7, 255]
    assert np.array_equal(nx.show(image[0], scale=1), nx.show(image, scale=1)), "one image is shown alone"


def test_a_set_is_shown_with_its_own_levels():
    digits = nx.open_images("digits")
    first = digits[0][0]
    row, column = (int(place) for place in (first == 16).nonzero()[0])
    picture = np.asarray(nx.show(digits, scale=1))
    assert picture[1 + row, 1 + column].tolist() == [255, 255, 255]
    assert picture.shape[0] == 8 * 9 + 1, "the first 64"


def test_images_of_different_sizes_are_shown_beside_each_other():
    images = [torch.full((3, 2, 4), 9), np.full((3, 5, 1), 200, np.uint8)]
    picture = np.asarray(nx.show(images, scale=1))
    assert picture.shape == (5 + 2, 2 * 5 + 1, 3)
    assert (picture[1:3, 1:5] == 9).all() and (picture[1:6, 6] == 200).all()


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        (torch.zeros(0, 1, 2, 2, dtype=torch.uint8), {}, "no images"),
        (torch.zeros(4, 4, dtype=torch.uint8), {}, r"\[N, C, H, W\]"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), {}, "permute"),
        (torch.zeros(1, 2, 2), {}, "round them"),
        (torch.full((1, 2, 2), 5), {"levels": 4}, "from 0 to 3"),
        (torch.full((1, 2, 2), -1), {}, "from 0 to"),
        ([torch.zeros(1, 2, 2, dtype=torch.uint8), torch.zeros(3, 2, 2, dtype=torch.uint8)], {}, "number of channels"),
        ("digits", {}, "numbers"),
        (torch.zeros(1, 2, 2, dtype=torch.uint8), {"levels": 1}, "levels"),
    ],
)
def test_what_is_no_image_is_refused(images, options, sentence):
    with pytest.raises(InputError, match=sentence):
        nx.show(images, **options)


def test_several_stand_beside_each_other_under_their_titles():
    one = nx.show(torch.arange(8).view(2, 1, 2, 2), 8, columns=1, scale=20)
    both = nx.show({"one": one, "other": torch.arange(8).view(2, 1, 2, 2)}, 8, scale=20)
    assert both.width > 2 * one.width and both.height > one.height
    with pytest.raises(nx.InputError, match="no images to show"):
        nx.show({})
