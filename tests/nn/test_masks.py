import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.errors import ModelError
from nextpixel.nn.masks import ChannelGroups, visible_channels

RGB = ChannelGroups((0, 1, 2))


@many
@given(channels=st.integers(1, 300), colours=st.integers(1, 4))
def test_groups_are_contiguous_and_of_almost_equal_size(channels, colours):
    if channels < colours:
        with pytest.raises(ModelError, match=f"use at least {colours}"):
            ChannelGroups.split(channels, colours)
        return
    groups = ChannelGroups.split(channels, colours)
    sizes = [groups.colours.count(colour) for colour in range(colours)]
    assert groups.channels == len(groups.colours) == sum(sizes) == channels
    assert list(groups.colours) == sorted(groups.colours)
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


def test_128_maps_are_43_and_43_and_42():
    assert ChannelGroups.split(128, 3).colours == (0,) * 43 + (1,) * 43 + (2,) * 42


def test_no_channels_are_refused():
    with pytest.raises(ModelError):
        ChannelGroups.split(0, 1)


def test_the_halves_of_a_gate_have_the_same_groups():
    assert ChannelGroups.split(5, 3).repeat(2).colours == (0, 0, 1, 1, 2) * 2


def test_mask_a_lets_a_colour_see_the_colours_before_it():
    assert visible_channels(RGB, RGB, "A").tolist() == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
    ]


def test_mask_b_lets_a_colour_see_itself_too():
    assert visible_channels(RGB, RGB, "B").tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@many
@given(
    inputs=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    outputs=st.lists(st.integers(0, 3), min_size=1, max_size=9),
)
def test_a_mask_is_the_order_of_the_colours(inputs, outputs):
    for kind, allowed in (("A", lambda a, b: a < b), ("B", lambda a, b: a <= b)):
        mask = visible_channels(ChannelGroups(tuple(inputs)), ChannelGroups(tuple(outputs)), kind)
        assert mask.dtype == bool
        assert mask.tolist() == [[allowed(a, b) for a in inputs] for b in outputs]
