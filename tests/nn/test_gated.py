import pytest
import torch

from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.masks import ChannelGroups

SIZES = [(1, 1), (1, 6), (6, 1), (4, 5)]


def layer(colours=3, features=7, **options):
    return GatedLayer(
        ChannelGroups.split(features, colours), ChannelGroups.split(features, colours), 3, **options
    ).double()


def maps(*size, channels=7):
    return torch.randn(2, channels, *size, dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("skip", [True, False])
def test_a_layer_keeps_the_size_of_the_map(size, skip):
    stacks = layer(skip=skip)(maps(*size), maps(*size))
    assert stacks.vertical.shape == stacks.horizontal.shape == (2, 7, *size)
    assert stacks.skip.shape == (2, 7, *size) if skip else stacks.skip is None


@pytest.mark.parametrize("size", SIZES)
def test_a_first_layer_takes_the_image(size):
    image = ChannelGroups.split(3, 3)
    first = GatedLayer(image, ChannelGroups.split(7, 3), 5, first=True).double()
    stacks = first(maps(*size, channels=3), maps(*size, channels=3))
    assert stacks.horizontal.shape == (2, 7, *size)


def seen(output, source):
    """Rows and columns of the source that an output depends on."""
    gradient = torch.autograd.grad(output.sum(), source, allow_unused=True, retain_graph=True)[0]
    return set() if gradient is None else {tuple(at) for at in gradient.abs().sum(dim=(0, 1)).nonzero().tolist()}


def test_each_stack_sees_what_it_may():
    vertical, horizontal = maps(5, 5).requires_grad_(), maps(5, 5).requires_grad_()
    stacks = layer()(vertical, horizontal)
    assert seen(stacks.vertical[:, :, 3, 2], vertical) == {(r, c) for r in (2, 3) for c in (1, 2, 3)}
    assert seen(stacks.vertical[:, :, 3, 2], horizontal) == set()
    for maps_of_the_pixel in (stacks.horizontal[:, :, 3, 2], stacks.skip[:, :, 3, 2]):
        assert seen(maps_of_the_pixel, vertical) == {(r, c) for r in (1, 2) for c in (1, 2, 3)}
        assert seen(maps_of_the_pixel, horizontal) == {(3, 1), (3, 2)}


@pytest.mark.parametrize("skip", [True, False])
def test_maps_of_a_colour_know_no_later_colour_of_their_pixel(skip):
    vertical, horizontal = maps(3, 4), maps(3, 4).requires_grad_()
    colours = torch.tensor(ChannelGroups.split(7, 3).colours)
    stacks = layer(skip=skip)(vertical, horizontal)
    for result in filter(lambda each: each is not None, (stacks.horizontal, stacks.skip)):
        for channel, colour in enumerate(colours.tolist()):
            gradient = torch.autograd.grad(result[:, channel, 1, 2].sum(), horizontal, retain_graph=True)[0]
            known = gradient[:, :, 1, 2].abs().sum(0) != 0
            assert torch.equal(known, colours <= colour)


def test_only_later_layers_have_a_residual_connection():
    for first in (True, False):
        each = layer(first=first)
        with torch.no_grad():
            for parameter in each.parameters():
                parameter.zero_()
        horizontal = maps(3, 3)
        expected = torch.zeros_like(horizontal) if first else horizontal
        assert torch.equal(each(maps(3, 3), horizontal).horizontal, expected)


def test_dropout_acts_in_training_only():
    each = layer(dropout=0.5)
    vertical, horizontal = maps(4, 4), maps(4, 4)
    assert not torch.equal(each(vertical, horizontal).skip, each(vertical, horizontal).skip)
    assert torch.equal(each(vertical, horizontal).vertical, each(vertical, horizontal).vertical)
    each.eval()
    assert torch.equal(each(vertical, horizontal).skip, each(vertical, horizontal).skip)
