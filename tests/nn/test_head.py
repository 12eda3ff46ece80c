import pytest
import torch
import torch.nn.functional as F

from nextpixel.nn.head import Head
from nextpixel.nn.masks import ChannelGroups


@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize(("channels", "parameters"), [(1, 2), (3, 5)])
def test_the_parameters_of_a_colour_come_from_its_own_and_earlier_maps(batch, channels, parameters):
    groups = ChannelGroups.split(7, channels)
    head = Head(groups, 8, channels, parameters, F.elu).double()
    maps = torch.randn(batch, 7, 3, 4, dtype=torch.float64, requires_grad=True)
    result = head(maps)
    assert result.shape == (batch, parameters, channels, 3, 4)
    for colour in range(channels if batch else 0):
        gradient = torch.autograd.grad(result[:, :, colour].sum(), maps, retain_graph=True)[0]
        seen = gradient.abs().sum(dim=(0, 2, 3)) != 0
        assert seen.tolist() == [each <= colour for each in groups.colours]


def test_the_activation_comes_before_each_convolution():
    head = Head(ChannelGroups.split(4, 1), 5, 1, 3, F.relu).double()
    maps = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    expected = head.output(head.hidden(maps.clamp(min=0)).clamp(min=0))
    torch.testing.assert_close(head(maps)[:, :, 0], expected)
    assert torch.equal(head(maps.clamp(max=0)), head(torch.zeros_like(maps)))
