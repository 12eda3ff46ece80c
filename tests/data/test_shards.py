import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, noise
from nextpixel.data.prepared.shards import HEADER_BYTES, Shards

PIXELS = noise(23, 2, 3, 4)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """The same images in shards of various sizes."""
    found = {}
    for size in (1, 2, 5, 22, 23, 24):
        folder = tmp_path_factory.mktemp("shards")
        paths = []
        for start in range(0, len(PIXELS), size):
            paths.append(folder / f"{start}")
            paths[-1].write_bytes(bytes(HEADER_BYTES) + PIXELS[start : start + size].tobytes())
        found[size] = Shards(paths, size, PIXELS.shape)
    return found


@few
@given(st.sampled_from([1, 2, 5, 22, 23, 24]), st.lists(st.integers(0, 22), max_size=60))
def test_any_places_in_any_order_are_those_of_the_array(shards, size, places):
    rows = np.array(places, dtype=np.int64)
    assert np.array_equal(shards[size][rows], PIXELS[rows])


def test_all_of_them(shards):
    for found in shards.values():
        assert len(found) == len(PIXELS) and found.shape == PIXELS.shape
        assert np.array_equal(found[np.arange(23)], PIXELS)
