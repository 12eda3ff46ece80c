"""Arrays are turned as models turn tensors, and back."""

import numpy as np
import pytest
import torch

from helpers.tiny_models import tiny
from nextpixel.plan.turning import turned, turned_back


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_arrays_are_turned_as_models_turn_images(side):
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
    model = tiny("turned", (3, 4, 5), 4, order=side)
    expected = model._turn(images)
    made = turned(images.numpy(), side)
    assert np.array_equal(made, expected.numpy())
    assert np.array_equal(turned_back(made, side), images.numpy())
