import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, noise
from nextpixel.data import open_images
from nextpixel.errors import DataError

RAMP = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


def grey(value, count=1, size=64):
    return np.full((count, size, size), value, np.uint8)


@given(st.integers(2, 256))
def test_quantising_is_floor(levels):
    images = open_images(RAMP, levels=levels)
    expected = [x * levels // 256 for x in range(256)]
    assert images[0].flatten().tolist() == expected
    assert images.levels == levels
    assert images.notes == (() if levels == 256 else (f"quantised from 256 to {levels} levels",))


@pytest.mark.parametrize("levels", [1, 0, -3, 257, 2.0, "4", True])
def test_levels_out_of_range(levels):
    with pytest.raises(DataError, match="from 2 to 256"):
        open_images(RAMP, levels=levels)


def test_no_levels_can_be_invented():
    with pytest.raises(DataError, match=r"digits has 17 levels.*32 asked for"):
        open_images("digits", levels=32)
    assert open_images("digits", levels=17).notes == ()


def test_threshold_is_half_upwards():
    images = open_images(RAMP, binarize="threshold")
    assert images[0].flatten().tolist() == [int(x >= 128) for x in range(256)]
    assert (images.levels, images.binarize, images.dynamic) == (2, "threshold", False)
    digits = open_images("digits")
    assert torch.equal(open_images("digits", binarize="threshold")[:], (digits[:] * 2 >= 17).to(torch.uint8))


@pytest.mark.parametrize("how", ["stochastic", "dynamic"])
def test_bits_are_drawn_with_the_right_chance(how):
    assert not open_images(grey(0, 4), binarize=how)[:].any()
    assert open_images(grey(255, 4), binarize=how)[:].all()
    share = open_images(grey(64, 4), binarize=how)[:].double().mean().item()
    assert share == pytest.approx(64 / 255, abs=0.02)


@few
@given(st.lists(st.integers(0, 8), min_size=1, max_size=9), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_bits_depend_on_seed_image_and_draw_alone(indices, seed, draw):
    array = noise(9, 5, 6, seed=1)
    for how in ("stochastic", "dynamic"):
        whole = open_images(array, binarize=how, seed=seed)
        bits = whole.batch(range(9), draw=draw)
        assert torch.equal(whole.batch(indices, draw=draw), bits[indices])
        assert torch.equal(whole.subset(indices).batch(slice(None), draw=draw), bits[indices])
        assert torch.equal(whole.batch([4], draw=draw)[0], bits[4])


def test_what_redraws_and_what_does_not():
    array = grey(128, 2)
    once = open_images(array, binarize="stochastic")
    anew = open_images(array, binarize="dynamic")
    assert torch.equal(once.batch([0], draw=0), once.batch([0], draw=5))
    assert not torch.equal(anew.batch([0], draw=0), anew.batch([0], draw=1))
    assert torch.equal(anew.batch([0], draw=1), anew.batch([0], draw=1))
    assert not torch.equal(once[0], once[1])
    assert not torch.equal(once[:], open_images(array, binarize="stochastic", seed=1)[:])
    assert anew.dynamic and not once.dynamic


def test_two_levels_stay_as_they_are(tmp_path):
    bits = noise(5, 4, 4, levels=2)
    np.savez(tmp_path / "bits.npz", images=bits, levels=2)
    for how in ("threshold", "stochastic", "dynamic"):
        images = open_images(tmp_path / "bits.npz", binarize=how)
        assert np.array_equal(images[:].numpy()[:, 0], bits)
        assert not images.dynamic and images.binarize is None
        assert "already of 2 levels" in images.notes[0]


def test_wishes_that_contradict_each_other():
    with pytest.raises(DataError, match="levels=4"):
        open_images(RAMP, binarize="threshold", levels=4)
    assert open_images(RAMP, binarize="threshold", levels=2).levels == 2
    with pytest.raises(DataError, match="'sometimes'"):
        open_images(RAMP, binarize="sometimes")
    for seed in (-1, 2**64, 0.5, None):
        with pytest.raises(DataError, match="seed"):
            open_images(RAMP, binarize="stochastic", seed=seed)
    with pytest.raises(DataError, match="draw"):
        open_images(RAMP).batch([0], draw=-1)
