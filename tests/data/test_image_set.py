import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, noise
from nextpixel.data import ImageSet, open_images
from nextpixel.errors import DataError

PIXELS = noise(11, 3, 4, 2)
EXPECTED = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy())


@pytest.fixture(scope="module")
def images():
    return open_images(PIXELS)


def test_what_a_set_says(images):
    assert isinstance(images, ImageSet)
    assert len(images) == 11
    assert images.image_shape == (2, 3, 4)
    assert images.levels == 256
    assert images.labels is None and images.label_names is None and images.names is None
    assert images.skipped == () and images.notes == () and images.splits == {}
    assert not images.dynamic and images.binarize is None
    assert images.name == "array" and "11 of 2x3x4" in repr(images)


def test_one_image_and_many(images):
    assert images[3].dtype == torch.uint8 and images[3].shape == (2, 3, 4)
    assert torch.equal(images[-1], EXPECTED[-1])
    assert torch.equal(images[np.int32(3)], EXPECTED[3])
    assert torch.equal(images[torch.tensor(3)], EXPECTED[3])
    assert torch.equal(images[2:9:3], EXPECTED[2:9:3])
    assert images[[]].shape == (0, 2, 3, 4)
    assert torch.equal(torch.stack(list(images)), EXPECTED)
    assert images[0].is_contiguous() and images[:].is_contiguous()


@few
@given(st.lists(st.integers(-11, 10), max_size=30))
def test_every_way_to_choose_reads_the_same(indices):
    images = open_images(PIXELS)
    expected = EXPECTED[torch.tensor(indices, dtype=torch.int64)]
    assert torch.equal(images[indices], expected)
    assert torch.equal(images[np.array(indices, dtype=np.int64)], expected)
    assert torch.equal(images[torch.tensor(indices, dtype=torch.int64)], expected)
    assert torch.equal(images.batch(indices), expected)
    assert torch.equal(images.subset(indices)[:], expected)


@pytest.mark.parametrize("index", [11, -12, [0, 11], torch.tensor([-12]), np.array([2**40])])
def test_places_outside_are_index_errors(images, index):
    with pytest.raises(IndexError, match="set of 11"):
        images[index]


@pytest.mark.parametrize("index", [[0.5], torch.ones(11, dtype=torch.bool), [[0, 1]], ["a"]])
def test_only_whole_numbers_choose(images, index):
    with pytest.raises(TypeError, match="whole numbers"):
        images[index]


def test_what_is_read_is_a_copy(images):
    images[0].zero_()
    images[:].zero_()
    assert torch.equal(images[:], EXPECTED)


def test_splits_lie_one_after_another():
    digits = open_images("digits")
    assert digits.splits == {"train": 1437, "valid": 180, "test": 180}
    parts = [digits.split(name) for name in digits.splits]
    assert torch.equal(torch.cat([part[:] for part in parts]), digits[:])
    assert torch.equal(torch.cat([part.labels for part in parts]), digits.labels)
    assert all(part.splits == {} for part in parts)
    opened = open_images("digits", split="valid")
    assert torch.equal(opened[:], parts[1][:]) and opened.fingerprint == parts[1].fingerprint


def test_an_unknown_split_lists_those_there_are(images):
    with pytest.raises(DataError, match=r"'tset'.*train, valid, test"):
        open_images("digits", split="tset")
    with pytest.raises(DataError, match="it has none"):
        images.split("train")


def test_subsets_of_subsets_keep_labels_with_images():
    digits = open_images("digits", binarize="stochastic")
    part = digits.split("test").subset(range(0, 180, 7)).subset([-1, 3])
    places = [1437 + 180 + 175, 1437 + 180 + 21]
    assert torch.equal(part[:], digits[places])
    assert torch.equal(part.labels, digits.labels[places])
    assert part.label_names == digits.label_names


@few
@given(st.floats(0.01, 0.9))
def test_what_is_held_out_and_what_is_left_are_the_set(fraction):
    digits = open_images("digits", split="train")
    left, held_out = digits.hold_out(fraction)
    assert len(held_out) == round(fraction * 1437) and len(left) + len(held_out) == 1437
    assert torch.equal(torch.cat([left.labels, held_out.labels]).bincount(), digits.labels.bincount())
    assert digits.hold_out(fraction)[1].fingerprint == held_out.fingerprint
    pixels = torch.cat([left[:], held_out[:]]).flatten(1)
    assert torch.equal(pixels.unique(dim=0), digits[:].flatten(1).unique(dim=0))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_what_cannot_be_held_out_is_refused(images, fraction):
    with pytest.raises(DataError, match="between 0 and 1"):
        images.hold_out(fraction)
    with pytest.raises(DataError, match="too few"):
        images.subset([3]).hold_out(0.5)


def test_fingerprints_tell_content_apart(tmp_path, images):
    np.save(tmp_path / "same.npy", PIXELS)
    assert open_images(tmp_path / "same.npy").fingerprint == images.fingerprint == images.subset(range(11)).fingerprint
    other = PIXELS.copy()
    other[10, 2, 3, 1] ^= 1
    prints = {
        images.fingerprint,
        open_images(other).fingerprint,
        images.subset(range(10)).fingerprint,
        images.subset([1, 0, *range(2, 11)]).fingerprint,
        open_images(PIXELS, levels=4).fingerprint,
        open_images(PIXELS, binarize="stochastic").fingerprint,
        open_images(PIXELS, binarize="stochastic", seed=1).fingerprint,
        open_images(PIXELS, binarize="dynamic").fingerprint,
    }
    assert len(prints) == 8


@few
@given(st.data())
def test_arrays_that_are_not_images_are_refused(data):
    dtype = data.draw(st.sampled_from([np.uint8, np.int64, np.float32, np.bool_, np.object_]))
    shape = tuple(data.draw(st.lists(st.integers(0, 6), max_size=5)))
    good = dtype == np.uint8 and len(shape) in (3, 4) and min(shape) > 0 and shape[3:] <= (4,)
    array = np.zeros(shape, dtype)
    if good:
        channels = shape[3] if len(shape) == 4 else 1
        assert open_images(array)[:].shape == (shape[0], channels, *shape[1:3])
    else:
        with pytest.raises(DataError, match="the array"):
            open_images(array)
