import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.errors import ModelError
from nextpixel.nn.local_window import NEAREST, LocalWindow

windows = st.builds(LocalWindow, reach=st.integers(2, 7), distance=st.integers(2, 10), lag=st.integers(1, 3))


def test_the_window_of_the_default_is_the_one_that_shipped_models_have():
    window = LocalWindow(6, 8, 1)
    assert len(window.offsets) == 53
    assert [window.offsets[place] for place in window.nearest] == list(NEAREST)


@many
@given(window=windows, height=st.integers(1, 9), width=st.integers(1, 9))
def test_what_a_pixel_sees_is_on_an_earlier_wavefront(window, height, width):
    sources, fronts = window.sources(height, width), window.front(height, width).flatten()
    for row in range(height):
        for column in range(width):
            for down, right in window.offsets:
                pixel = int(sources[window.reach + row + down, window.reach + column + right])
                if pixel < height * width:
                    assert pixel < row * width + column
                    assert fronts[pixel] < fronts[row * width + column]


@many
@given(window=windows, height=st.integers(1, 9), width=st.integers(1, 9))
def test_inside_the_image_stand_its_own_pixels_and_beyond_it_near_ones(window, height, width):
    sources, reach = torch.from_numpy(window.sources(height, width)), window.reach
    inside = sources[reach:, reach : reach + width]
    assert torch.equal(inside, torch.arange(height * width).view(height, width))
    right = sources[reach:, reach + width :]
    assert torch.equal(right, inside[:, -1:].expand_as(right))
    left = sources[reach + 1 :, :reach]
    assert torch.equal(left, inside[:-1, :1].expand_as(left))
    assert (sources[reach, :reach] == height * width).all()


@pytest.mark.parametrize("lag", [1, 2])
def test_a_wavefront_has_a_pixel_in_every_row_some_columns_apart(lag):
    fronts = LocalWindow(6, 8, lag).front(4, 20)
    row, column = (fronts == 10).nonzero()
    assert (row[1:] - row[:-1] == 1).all()
    assert (column[:-1] - column[1:] == lag + 1).all()


@pytest.mark.parametrize("sizes", [(127, 2, 1), (2, 254, 1), (2, 2, 127)])
def test_a_window_is_no_longer_than_kernels_are(sizes):
    LocalWindow(*sizes)
    for place, largest in enumerate((127, 254, 127)):
        if sizes[place] == largest:
            longer = (*sizes[:place], largest + 1, *sizes[place + 1 :])
            with pytest.raises(ModelError, match="no window has"):
                LocalWindow(*longer)
