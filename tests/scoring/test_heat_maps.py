"""`nx.heat_maps`: images beside the bits of their pixels."""

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.rendering.heat import heat_map
from nextpixel.scoring.maps import bit_maps

SHAPE = (1, 4, 5)


@pytest.fixture(scope="module")
def model():
    return tiny("gated-pixelcnn", SHAPE, 4)


@pytest.mark.parametrize("count", [1, 3])
def test_all_have_the_same_colours(model, count):
    images = torch.randint(0, 4, (count, *SHAPE), generator=torch.Generator().manual_seed(0))
    ((_, bits),) = bit_maps(model, images)
    expected = [heat_map(image, 4, of_image, float(bits.max())) for image, of_image in zip(images, bits, strict=True)]
    drawn = nx.heat_maps(model, images)
    assert len(drawn) == count
    for one, other in zip(drawn, expected, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_images_that_do_not_fit_are_refused(model):
    with pytest.raises(nx.InputError, match="shape"):
        nx.heat_maps(model, torch.zeros(1, 3, 4, 5, dtype=torch.int64))
