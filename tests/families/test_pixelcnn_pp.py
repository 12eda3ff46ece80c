"""PixelCNN++: at any size, and with the faults that its halving and doubling is commonly given."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import nextpixel as nx
from helpers.tiny_models import noise, sharper, tiny
from nextpixel.nn.shifted import GrowingConv2d, ShiftedConv2d
from nextpixel.nn.two_streams import TwoStreams, _seen
from nextpixel.verify import Site, observed_receptive_field, stepwise_difference

FAMILY = "pixelcnn++"


@pytest.mark.parametrize("shape", [(1, 9, 11), (3, 7, 5), (1, 1, 10), (1, 10, 1)])
@pytest.mark.parametrize("sizes", [1, 3, 4])
def test_sides_need_not_divide_by_the_sizes(shape, sizes):
    model = tiny(FAMILY, shape, 3, sizes=sizes)
    report = nx.check_causality(model, outputs=20)
    assert report.ok and report.seen == report.promised, str(report)
    assert stepwise_difference(sharper(model).double()) < 1e-9


def test_the_head_is_a_mixture_unless_another_is_asked_for():
    model = nx.build(FAMILY, image_shape=(3, 4, 4), features=6, layers=1)
    assert model.options["head"] == "logistic-mixture" and model.options["components"] == 10
    assert nx.build(FAMILY, image_shape=(1, 4, 4), levels=2, features=6, head="softmax").distribution.parameters == 2


def test_halving_centred_on_the_four_places_leaks(monkeypatch):
    """Kernels that are padded on the other side see the second row and column of each two."""
    right = ShiftedConv2d.forward

    def centred(self, maps):
        if self.stride == 1:
            return right(self, maps)
        maps = F.pad(maps, (self.left, 1, 0, 1))
        return F.conv2d(maps, self.weight, self.bias, stride=2)[:, :, :, : -(-(maps.shape[3] - 2) // 2)]

    monkeypatch.setattr(ShiftedConv2d, "forward", centred)
    report = nx.check_causality(tiny(FAMILY, (1, 4, 4), 3))
    assert ((0, 0, 0), (0, 0, 0)) in report.leaks and not report.ok


def test_a_crop_at_the_wrong_end_leaks(monkeypatch):
    def cut(self, maps, size):
        grown = F.conv_transpose2d(maps, self.weight, self.bias, stride=2)
        return grown[:, :, -size[0] :, -size[1] :]

    monkeypatch.setattr(GrowingConv2d, "forward", cut)
    report = nx.check_causality(tiny(FAMILY, (1, 5, 5), 3))
    assert report.leaks and not report.ok
    # Of an even side nothing is cut, but the columns of the rows' kernel no longer stand where they should.
    assert ((0, 1, 1), (0, 1, 1)) in report.leaks


def test_pixels_without_rows_never_turn_right():
    """What they see of the rows above is then what lies to the left, and one column more by the first kernel."""
    model = tiny(FAMILY, (1, 6, 9), 3)
    with torch.no_grad():
        for layer in [*model.network.down_pixels, *model.network.up_pixels]:
            # Of the maps beside, the rows' come first, and their negatives after those of the shortcut.
            others = layer.beside.direction.shape[1] // 2
            layer.beside.direction[:, :8] = 0
            layer.beside.direction[:, others : others + 8] = 0
    seen = observed_receptive_field(model, Site(0, 5, 4))[0]
    assert seen[4].nonzero().flatten().max() == 5 and not seen[:4, 6:].any()
    report = nx.check_causality(model)
    assert ((0, 5, 4), (0, 4, 7)) in report.blind and report.leaks == [] and not report.ok


def test_a_stream_of_rows_that_is_not_moved_down_is_found(monkeypatch):
    monkeypatch.setattr("nextpixel.nn.two_streams.shift_down", lambda maps: maps)
    report = nx.check_causality(tiny(FAMILY, (1, 3, 4), 3))
    assert ((0, 0, 0), (0, 0, 3)) in report.leaks and not report.ok


def test_what_is_seen_of_a_convolution_is_where_its_gradient_is_not_zero():
    torch.manual_seed(0)
    for conv in (
        ShiftedConv2d(1, 1, above=1, left=2, right=1),
        ShiftedConv2d(1, 1, above=1, left=1, stride=2),
        ShiftedConv2d(1, 1),
    ):
        image = torch.randn(1, 1, 5, 6, requires_grad=True)
        result = conv(image)[0, 0]
        seen = _seen(conv, torch.eye(30, dtype=torch.bool).view(30, 5, 6))
        assert seen.shape[1:] == result.shape
        for row in range(result.shape[0]):
            for column in range(result.shape[1]):
                (gradient,) = torch.autograd.grad(result[row, column], image, retain_graph=True)
                assert torch.equal(gradient.flatten() != 0, seen[:, row, column])


def test_each_output_has_a_direction_and_a_length():
    torch.manual_seed(0)
    conv = ShiftedConv2d(3, 5, above=1, left=1, gain=2.0)
    torch.testing.assert_close(conv.weight.flatten(1).norm(dim=1), torch.full((5,), 2.0))
    with torch.no_grad():
        before = conv.weight
        conv.direction.mul_(7)
    torch.testing.assert_close(conv.weight, before)


def test_deviations_are_kept():
    torch.manual_seed(0)
    maps = torch.randn(8, 64, 16, 16)
    for layer in (ShiftedConv2d(64, 64, above=1, left=1), ShiftedConv2d(64, 64, above=1, left=1, right=1, stride=2)):
        assert layer(maps)[:, :, 1:, 1:-1].std().item() == pytest.approx(1, abs=0.1)
    for right in (True, False):
        assert GrowingConv2d(64, right=right)(maps, (32, 32)).std().item() == pytest.approx(1, abs=0.15)


def test_a_network_without_halving_is_two_plain_stacks():
    network = TwoStreams(1, 4, layers=2, sizes=1, kernel_size=3, dropout=0.0, context=None)
    assert not network.halve_rows and len(network.up_rows) == 2
    assert isinstance(network, nn.Module) and network(torch.randn(1, 1, 3, 3), None, recompute=False).shape[1] == 4


def test_coarse_places_are_computed_once():
    """Step by step, a pixel in an odd row or column touches no layer of the smaller sizes."""
    model = tiny(FAMILY, (1, 4, 4), 3).eval()
    with torch.no_grad():
        stepper = model._stepper(1, None, 4)
        calls = []
        for layer in stepper.sizes[1].down:
            step = layer.step
            layer.step = lambda *arguments, step=step: calls.append(place) or step(*arguments)
        image = model.normalised(noise(model, 1))
        for row in range(4):
            stepper.start_row(row)
            for column in range(4):
                place = (row, column)
                stepper.predict(column, 0, read=True)
                stepper.tell(column, 0, image[:, 0, row, column])
            stepper.end_row()
    assert calls == [(0, 0), (0, 2), (2, 0), (2, 2)]
