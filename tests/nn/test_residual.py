import pytest
import torch

from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.residual import ResidualBlock

MAPS, HIDDEN = ChannelGroups.split(6, 3), ChannelGroups.split(3, 3)


class Core(MaskedConv2d):
    def __init__(self):
        super().__init__(MAPS, HIDDEN, "B")

    def forward(self, maps, context):
        assert context is None
        return super().forward(maps)


def block(**options):
    core = Core()
    options = {"residual": True, "skip": False, "last": False, "gain": 1.0, "dropout": 0.0} | options
    return ResidualBlock(core, HIDDEN, MAPS, **options).double()


def maps():
    return torch.randn(2, 6, 4, 5, dtype=torch.float64)


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_a_block_adds_its_input_where_it_is_residual(residual, skip):
    each, x = block(residual=residual, skip=skip), maps()
    result = each(x)
    widened = each.out(each.core(x, None))
    torch.testing.assert_close(result.maps, widened[:, :6] + (x if residual else 0))
    if skip:
        torch.testing.assert_close(result.skip, widened[:, 6:])
    else:
        assert result.skip is None


def test_the_last_block_with_skips_gives_its_skip_alone():
    each, x = block(skip=True, last=True), maps()
    result = each(x)
    assert torch.equal(result.maps, x)
    torch.testing.assert_close(result.skip, each.out(each.core(x, None)))


def test_dropout_acts_in_training_only():
    each, x = block(dropout=0.5), maps()
    assert not torch.equal(each(x).maps, each(x).maps)
    each.eval()
    assert torch.equal(each(x).maps, each(x).maps)


def test_the_gain_scales_the_way_back():
    torch.manual_seed(0)
    small = block(gain=1.0)
    torch.manual_seed(0)
    large = block(gain=3.0)
    torch.testing.assert_close(large.out.weight, 3 * small.out.weight)
