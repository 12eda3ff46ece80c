import numpy as np
import pytest
import torch

from nextpixel.data import open_images
from nextpixel.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 12, 11, 3)).astype(np.uint8)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_a_part_of_the_sub_pixels_becomes_any_level(rate):
    images = open_images(PIXELS, levels=16)
    found = images.mutated(rate)
    before, after = images[:], found.batch(slice(None), draw=3)
    assert after.dtype == torch.uint8 and int(after.max()) <= 15
    # One of 16 replacements leaves a sub-pixel as it was.
    assert float((before != after).double().mean()) == pytest.approx(rate * 15 / 16, abs=0.01)
    replaced = after[before != after]
    assert torch.bincount(replaced.flatten(), minlength=16).double().std() < 0.2 * len(replaced) / 16
    assert found.mutation == rate and images.mutation == 0


def test_draws_differ_and_are_the_same_every_time():
    found = open_images(PIXELS).mutated(0.3)
    first = found.batch([3, 4], draw=1)
    assert torch.equal(first, found.batch([3, 4], draw=1))
    assert torch.equal(first[1:], found.subset([4]).batch([0], draw=1))
    assert not torch.equal(first, found.batch([3, 4], draw=2))
    assert torch.equal(open_images(PIXELS).mutated(0).batch([3]), open_images(PIXELS)[3:4])


def test_a_mutated_set_is_another_set():
    images = open_images(PIXELS)
    prints = {images.fingerprint, images.mutated(0.1).fingerprint, images.mutated(0.2).fingerprint}
    assert len(prints) == 3 and images.mutated(0.0).fingerprint == images.fingerprint


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "0.1", True, None])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(DataError, match="mutation rate"):
        open_images(PIXELS).mutated(rate)
