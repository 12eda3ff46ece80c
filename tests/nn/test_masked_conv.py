import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import few, sites
from nextpixel.nn.masked_conv import MaskedConv2d, RowsAboveConv2d, shift_down
from nextpixel.nn.masks import ChannelGroups

SIZES = [(1, 1), (1, 6), (6, 1), (4, 5)]


def full_kernel(weight, size, rows_above, reach):
    """The taps of a layer at their places in a square kernel of odd side, zero elsewhere."""
    kernel = torch.zeros(*weight.shape[:2], size, size, dtype=weight.dtype)
    for row in range(weight.shape[2]):
        for column in range(weight.shape[3]):
            kernel[:, :, size // 2 - rows_above + row, size // 2 - reach + column] = weight[:, :, row, column]
    return kernel


def naive(layer, maps, inputs, outputs, kind, rows_above, reach):
    """The convolution with the mask spelt out, over a full square kernel padded on all sides."""
    side = max(rows_above, reach)
    size = 2 * side + 1
    kernel = full_kernel(layer.weight.detach(), size, rows_above, reach)
    for o in range(outputs.channels):
        for i in range(inputs.channels):
            for row in range(size):
                for column in range(size):
                    a, b = inputs.colours[i], outputs.colours[o]
                    if (row, column) == (side, side):
                        visible = a < b if kind == "A" else a <= b
                    else:
                        visible = (row, column) < (side, side)
                    if not visible:
                        kernel[o, i, row, column] = 0
    return F.conv2d(maps, kernel, layer.bias, padding=side)


@few
@given(
    colours=st.integers(1, 4),
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    kind=st.sampled_from("AB"),
    rows_above=st.integers(0, 2),
    reach=st.integers(0, 3),
    size=st.sampled_from(SIZES),
)
def test_it_is_the_full_kernel_with_the_mask_spelt_out(colours, extra, kind, rows_above, reach, size):
    inputs, outputs = (ChannelGroups.split(colours + more, colours) for more in extra)
    layer = MaskedConv2d(inputs, outputs, kind, rows_above=rows_above, reach=reach).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    maps = torch.randn(2, inputs.channels, *size, dtype=torch.float64)
    expected = naive(layer, maps, inputs, outputs, kind, rows_above, reach)
    assert layer(maps).shape == (2, outputs.channels, *size)
    torch.testing.assert_close(layer(maps), expected)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_masked_taps_get_no_gradient_and_visible_ones_do(kind):
    groups = ChannelGroups.split(5, 3)
    layer = MaskedConv2d(groups, groups, kind, rows_above=1, reach=2)
    layer(torch.randn(3, 5, 6, 7)).square().sum().backward()
    assert torch.equal(layer.weight.grad != 0, layer.mask != 0)


def test_the_mask_is_no_parameter_and_not_stored():
    groups = ChannelGroups.split(4, 2)
    layer = MaskedConv2d(groups, groups, "B", reach=1)
    assert set(layer.state_dict()) == {"weight", "bias"}


def test_a_fresh_layer_keeps_the_variance():
    groups = ChannelGroups.split(96, 3)
    layer = MaskedConv2d(groups, groups, "B", rows_above=1, reach=1)
    deviations = layer(torch.randn(4, 96, 16, 16))[:, :, 1:, 1:-1].std(dim=(0, 2, 3))
    assert 0.9 < deviations.mean() < 1.1
    above = RowsAboveConv2d(96, 96, 3)
    assert 0.9 < above(torch.randn(4, 96, 16, 16))[:, :, 1:, 1:-1].std() < 1.1


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize("size", SIZES)
def test_the_convolution_of_the_rows_above_is_the_upper_half_of_a_square_one(kernel_size, size):
    layer = RowsAboveConv2d(2, 3, kernel_size).double()
    maps = torch.randn(2, 2, *size, dtype=torch.float64)
    kernel = full_kernel(layer.weight.detach(), kernel_size, kernel_size // 2, kernel_size // 2)
    assert not kernel[:, :, kernel_size // 2 + 1 :].any()
    torch.testing.assert_close(layer(maps), F.conv2d(maps, kernel, layer.bias, padding=kernel_size // 2))


@pytest.mark.parametrize("size", SIZES)
def test_shift_down_moves_every_row_by_one(size):
    maps = torch.randn(2, 3, *size)
    moved = shift_down(maps)
    assert moved.shape == maps.shape
    assert not moved[:, :, 0].any()
    for row in range(1, size[0]):
        assert torch.equal(moved[:, :, row], maps[:, :, row - 1])


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 3, 4), (4, 1, 5), (2, 5, 1)])
def test_the_product_of_a_stack_of_masks_is_strictly_lower_triangular(shape):
    """Weights of one sign cannot cancel, so the product of the layers is zero exactly where no path leads."""
    colours = shape[0]
    image, features = ChannelGroups.split(colours, colours), ChannelGroups.split(2 * colours + 1, colours)
    stack = torch.nn.Sequential(
        MaskedConv2d(image, features, "A", rows_above=2, reach=2),
        MaskedConv2d(features, features, "B", rows_above=2, reach=2),
        MaskedConv2d(features, features, "B", rows_above=2, reach=2),
        MaskedConv2d(features, image, "B"),
    )
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.abs_()
        count = len(sites(shape))
        product = stack(torch.eye(count).view(count, *shape)).view(count, count).T
    # Raster order with the colours of a pixel beside each other.
    ranks = torch.arange(count).view(*shape[1:], colours).permute(2, 0, 1).flatten().argsort()
    product = product[ranks][:, ranks]
    assert not product.triu().any()
    # A colour sees the earlier ones of its pixel, and all of the pixel before it in the row.
    for row in range(1, count):
        start_of_row = row // (shape[2] * colours) * (shape[2] * colours)
        assert (product[row, start_of_row:row] > 0).all()
