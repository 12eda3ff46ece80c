import numpy as np
import pytest
import torch

from nextpixel.rendering.heat import colour_table, heat, heat_map
from nextpixel.rendering.scores import panels, summary


def test_the_colours_grow_lighter_throughout():
    luminance = colour_table().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert colour_table().shape == (256, 3) and (np.diff(luminance) > -0.5).all() and np.ptp(luminance) > 200


def test_bits_become_colours():
    found = np.asarray(heat(torch.tensor([[0.0, 5.0], [10.0, 99.0]]), 10))
    assert np.array_equal(found[0, 0], colour_table()[0])
    assert np.array_equal(found[0, 1], colour_table()[128])
    assert np.array_equal(found[1, 0], colour_table()[255]) and np.array_equal(found[1, 1], colour_table()[255])


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 9), (4, 1, 1), (2, 300, 2)])
def test_the_image_and_its_map_stand_beside_each_other(shape):
    _, height, width = shape
    image = torch.randint(5, shape, dtype=torch.uint8)
    bits = torch.rand(height, width)
    bits[0, 0] = 1
    picture = np.asarray(heat_map(image, 5, bits, 1.0))
    scale = max(1, -(-224 // height))
    assert picture.shape[0] >= height * scale and picture.shape[1] >= 2 * width * scale
    # The left upper corner of the map, at its brightest.
    assert np.array_equal(picture[12, 24 + width * scale], colour_table()[255])


def test_a_summary_shows_the_ends():
    nats = np.array([3.0, 1.0, 2.0])
    shown = panels(nats, np.array([0.0, 1.0, 5.0]), "ratio")
    assert [panel.places for panel in shown] == [[1, 2, 0], [0, 2, 1], [2, 1, 0]]
    assert len(panels(nats, nats, "nats")) == 2
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    picture = summary(nats, "ratio", [(each.title, images) for each in shown], 2, normal=nats, threshold=2.0)
    assert picture.startswith(b"\x89PNG")
