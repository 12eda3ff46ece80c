"""`check_causality` must pass every model we have, and must find every fault that we plant."""

import dataclasses
import re

import pytest
import torch
from torch import nn

import nextpixel as nx
from helpers.tiny_models import (
    SHAPES,
    UNBOUNDED,
    Backwards,
    features_of,
    has_option,
    mixed,
    noise,
    sharper,
    sites,
    tiny,
    without_relus,
)
from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.verify import Site, observed_receptive_field, stepwise_difference

GATED, ROW, DIAGONAL = "gated-pixelcnn", "row-lstm", "diagonal-bilstm"
ALL_IN_REACH = {"kernel_size": 3, "first_kernel_size": 7, "layers": 3}


# Models as they should be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "levels"), mixed(SHAPES, [2, 5, 256]))
def test_every_model_is_causal(variant, shape, levels):
    report = nx.check_causality(tiny(variant, shape, levels))
    assert report.ok, str(report)
    assert report.leaks == report.blind == [] and not report.mixes_images
    assert report.outputs == report.sub_pixels == shape[0] * shape[1] * shape[2]


@pytest.mark.parametrize(("layers", "shape"), mixed([1, 4, 6], [(3, 4, 3), (1, 5, 7)]))
def test_every_model_is_causal_at_any_depth(variant, shape, layers):
    report = nx.check_causality(sharper(tiny(variant, shape, 4, layers=layers), 1.0))
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "option",
    [
        {"dropout": 0.5},
        {"skips": False},
        {"skips": True},
        {"residual": False},
        {"kernel_size": 5},
        {"first_kernel_size": 3},
        {"head_features": 7},
        {"level_features": 3},
    ],
    ids=str,
)
def test_every_model_is_causal_with_other_options(family, option):
    if not has_option(family, next(iter(option))):
        pytest.skip("the family has no such option")
    report = nx.check_causality(tiny(family, (3, 4, 5), 4, **option))
    assert report.ok, str(report)


def test_a_model_with_few_features_is_causal(family):
    # Three for a colour where there are ReLUs: with one, all of them can be off at once.
    features = 3 if family == GATED else 9
    report = nx.check_causality(tiny(family, (3, 3, 3), 4, features=features))
    assert report.ok, str(report)


def test_a_model_of_another_order_is_causal():
    report = nx.check_causality(Backwards((3, 2, 3), 3))
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("kernel_size", "first_kernel_size", "layers", "shape"),
    [
        (*kernels, *rest)
        for kernels, *rest in mixed([(3, 3), (3, 5), (5, 3), (7, 3)] * 2, [1, 2, 3], [(1, 8, 9), (3, 3, 5)])
    ],
)
def test_every_model_sees_exactly_what_it_promises(family, shape, layers, kernel_size, first_kernel_size):
    options = {"layers": layers, "kernel_size": kernel_size, "first_kernel_size": first_kernel_size}
    if kernel_size != 3 and not has_option(family, "kernel_size"):
        pytest.skip("the family has no such option")
    if family == "local-pixelcnn" and kernel_size < 5:
        pytest.skip("its window is larger")
    report = nx.check_causality(without_relus(tiny(family, shape, 4, **options)))
    # What is promised is seen; so if as much is seen as is promised, it is the same.
    assert report.ok, str(report)
    if family == "multiscale":
        # Of the smaller image it promises only what the upsampling sees at the pixel itself.
        assert report.seen >= report.promised
        assert ("at least" in str(report)) == (f"{report.seen:.1%}" != f"{report.promised:.1%}")
    else:
        assert report.seen == pytest.approx(report.promised, abs=1e-12)


def test_some_families_promise_less_than_the_whole_past_and_say_so():
    for family, whole in ((GATED, False), ("pixelcnn", False), (ROW, False), (DIAGONAL, True)):
        report = nx.check_causality(tiny(family, (1, 8, 9), 4, layers=1, first_kernel_size=3))
        assert (report.promised == 1) is whole
        assert ("the rest is out of the architecture's reach" in str(report)) is not whole


def test_the_pixelcnn_has_its_blind_spot_and_promises_it():
    """In a single stack, each row up reaches `kernel_size // 2` columns further to the right."""
    promised = tiny("pixelcnn", (1, 9, 20), 4, layers=9, first_kernel_size=3).receptive_field()
    output = 8 * 20 + 4
    seen = promised[output].view(9, 20)
    for up in range(1, 9):
        assert seen[8 - up].nonzero().flatten().tolist() == list(range(4 + up + 1))
    model = tiny("pixelcnn", (1, 9, 20), 4, layers=9, first_kernel_size=3)
    assert torch.equal(observed_receptive_field(model, Site(0, 8, 4))[0], seen)


def test_the_diagonal_bilstm_sees_all_in_one_layer():
    for shape in [(1, 8, 9), (3, 4, 5), (1, 9, 4), (2, 1, 6), (2, 6, 1)]:
        report = nx.check_causality(tiny(DIAGONAL, shape, 3, layers=1, first_kernel_size=3))
        assert report.ok and report.seen == report.promised == 1, str(report)


def test_the_gated_model_promises_the_whole_past_within_reach():
    promised = tiny(GATED, (3, 4, 4), 4, **ALL_IN_REACH).receptive_field()
    rank = tiny(GATED, (3, 4, 4), 4).order.flatten()
    same_pixel = torch.tensor([[a[1:] == b[1:] for b in sites((3, 4, 4))] for a in sites((3, 4, 4))])
    past = rank[None, :] < rank[:, None]
    assert torch.equal(promised & same_pixel, past & same_pixel)
    assert torch.equal(promised, past)


@pytest.mark.parametrize("shape", SHAPES)
def test_step_by_step_equals_at_once(variant, shape):
    most = 1e-3 if variant.startswith(UNBOUNDED) else 1e-4
    assert stepwise_difference(sharper(tiny(variant, shape, 5, dropout=0.3))) < most


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 3, 4)])
def test_a_receptive_field_is_a_row_of_the_promise(family, shape):
    model = tiny(family, shape, 4)
    promised = model.receptive_field().view(*shape, *shape)
    for site in [(0, 0, 0), (shape[0] - 1, 2, 1), (0, shape[1] - 1, shape[2] - 1)]:
        assert torch.equal(observed_receptive_field(model, Site(*site)), promised[site])
    assert model.training and next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("site", [(0, 3, 0), (0, 0, -1), (1, 0, 0), (0, 0), (0, 0, 0.5)])
def test_a_receptive_field_of_no_sub_pixel_is_refused(site):
    with pytest.raises(InputError, match="has no sub-pixel"):
        observed_receptive_field(tiny(GATED, (1, 3, 4)), site)


# The report and the arguments -----------------------------------------------------------------------------------


def test_the_model_is_left_as_it_was(variant):
    for training in (True, False):
        model = tiny(variant).train(training)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state = torch.get_rng_state()
        nx.check_causality(model, outputs=3)
        stepwise_difference(model)
        assert torch.equal(torch.get_rng_state(), state)
        assert model.training is training
        for name, tensor in model.state_dict().items():
            assert tensor.dtype == torch.float32 and torch.equal(tensor, before[name])
        assert all(parameter.grad is None for parameter in model.parameters())


def test_progress_adds_up(family):
    model, steps = tiny(family, (2, 3, 4)), []
    nx.check_causality(model, advance=steps.append)
    assert sum(steps) == 2 * 24
    steps.clear()
    nx.check_causality(model, outputs=5, advance=steps.append)
    assert sum(steps) == 2 * 5
    steps.clear()
    stepwise_difference(model, count=3, advance=steps.append)
    assert sum(steps) == 3 * 24


def test_a_model_without_fault_reads_as_text():
    text = str(nx.check_causality(tiny(GATED, (1, 3, 4), 3, **ALL_IN_REACH)))
    assert text.splitlines()[0] == (
        "causality holds: 12 of 12 outputs checked against every input, in training and evaluation mode"
    )
    assert "depends on 100.0% of what comes before it; the architecture promises 100.0%" in text
    assert "leak" not in text and "blind" not in text and "influence" not in text


def see_itself(model):
    """The first layer's mask B instead of A."""
    layer = model.layers[0].horizontal
    layer.mask[:, :, -1, layer.padding[0]] = 1
    return model


def test_a_fault_reads_as_text():
    report = nx.check_causality(see_itself(tiny(GATED, (1, 3, 4), 3)))
    lines = str(report).splitlines()
    assert lines[0].startswith("causality FAILS: 12 of 12 outputs")
    assert lines[1] == "12 leaks (channel, row, column):"
    assert lines[2] == "  output (0, 0, 0) depends on (0, 0, 0), which does not come before it"
    assert lines[6] == "  output (0, 1, 0) depends on (0, 1, 0), which does not come before it"
    assert lines[7] == "  and 7 more"
    assert len(lines) == 9


def test_a_few_outputs_are_the_first_the_last_and_others():
    model = see_itself(tiny(GATED, (2, 3, 4), 3, **ALL_IN_REACH))
    for count in (2, 3, 10, 24, 100):
        report = nx.check_causality(model, outputs=count)
        assert report.outputs == min(count, 24) and report.sub_pixels == 24
        checked = {output for output, _ in report.leaks}
        assert len(checked) == report.outputs
        assert {(0, 0, 0), (1, 2, 3)} <= checked
    assert nx.check_causality(model, outputs=1).outputs == 1
    assert nx.check_causality(tiny(GATED, (1, 1, 1), 3), outputs=1).ok


@pytest.mark.parametrize("outputs", [0, -1])
def test_no_outputs_are_refused(outputs):
    with pytest.raises(InputError, match=f"outputs must be an integer of at least 1, not {outputs}"):
        nx.check_causality(tiny(GATED), outputs=outputs)


def test_a_gradient_too_small_for_float32_is_no_blind_spot():
    model = tiny(GATED, (1, 3, 4), 3)
    with torch.no_grad():
        model.readout.hidden.weight.mul_(1e-30)
        model.readout.output.weight.mul_(1e-30)
    report = nx.check_causality(model)
    assert report.ok and report.seen == report.promised, str(report)


# Planted faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 1, 1), (1, 1, 5)])
def test_mask_b_in_the_first_layer_is_found(shape):
    report = nx.check_causality(see_itself(tiny(GATED, shape, 3)))
    assert not report.ok
    assert report.leaks == [(site, site) for site in sites(shape)]
    assert all(isinstance(site, Site) for pair in report.leaks for site in pair)
    assert report.blind == [] and not report.mixes_images


def test_features_of_levels_that_pass_the_mask_are_found():
    model = tiny(GATED, (1, 3, 4), 5, level_features=2)
    model.layers[0].horizontal.mask[:, 2, -1, -1] = 1
    report = nx.check_causality(model)
    assert not report.ok and report.leaks == [(site, site) for site in sites((1, 3, 4))]


def test_mask_b_in_the_first_layer_shows_step_by_step_too():
    model = see_itself(sharper(tiny(GATED, (1, 3, 4), 3), 1.0))
    assert stepwise_difference(model) > 1e-3


def test_a_vertical_stack_that_is_not_shifted_is_found(monkeypatch):
    monkeypatch.setattr("nextpixel.nn.gated.shift_down", lambda maps: maps)
    report = nx.check_causality(tiny(GATED, (1, 3, 4), 3, **ALL_IN_REACH))
    row_ahead = {(a, b) for a in sites((1, 3, 4)) for b in sites((1, 3, 4)) if a[1] == b[1] and b[2] >= a[2]}
    assert set(report.leaks) == row_ahead
    assert len(report.leaks) == len(row_ahead) and report.blind == [] and not report.ok


def test_one_unshifted_layer_among_several_is_found(monkeypatch):
    from nextpixel.nn import gated

    model, shift, calls = tiny(GATED, (1, 3, 4), 3, layers=3), gated.shift_down, []

    def sometimes(maps):
        calls.append(None)
        return maps if len(calls) % 3 == 2 else shift(maps)

    monkeypatch.setattr(gated, "shift_down", sometimes)
    report = nx.check_causality(model)
    assert ((0, 1, 1), (0, 1, 2)) in report.leaks and not report.ok


def test_a_shift_by_two_rows_is_a_blind_spot(monkeypatch):
    monkeypatch.setattr(
        "nextpixel.nn.gated.shift_down",
        lambda maps: nn.functional.pad(maps, (0, 0, 2, 0))[:, :, : maps.shape[2]],
    )
    report = nx.check_causality(tiny(GATED, (1, 4, 4), 3, **ALL_IN_REACH))
    row_above = {(a, b) for a in sites((1, 4, 4)) for b in sites((1, 4, 4)) if a[1] == b[1] + 1}
    assert set(report.blind) == row_above and report.leaks == [] and not report.ok


def test_a_vertical_stack_that_is_not_connected_is_a_blind_spot():
    model = tiny(GATED, (1, 3, 4), 3, **ALL_IN_REACH)
    with torch.no_grad():
        for layer in model.layers:
            layer.link.weight.zero_()
    report = nx.check_causality(model)
    rows_above = {(a, b) for a in sites((1, 3, 4)) for b in sites((1, 3, 4)) if b[1] < a[1]}
    assert set(report.blind) == rows_above and report.leaks == [] and not report.ok
    assert report.seen < report.promised == 1


def test_a_swapped_order_of_colours_is_found(monkeypatch):
    split = ChannelGroups.split
    monkeypatch.setattr(ChannelGroups, "split", lambda *sizes: ChannelGroups(split(*sizes).colours[::-1]))
    report = nx.check_causality(tiny(GATED, (3, 2, 3), 3, **ALL_IN_REACH))
    pixels = sites((2, 3))
    pairs = [((0, *at), (1, *at)) for at in pixels] + [((0, *at), (2, *at)) for at in pixels]
    pairs += [((1, *at), (2, *at)) for at in pixels]
    assert set(report.leaks) == set(pairs)
    assert set(report.blind) == {(b, a) for a, b in pairs}
    assert not report.ok


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_is_found(training):
    """It is clean in evaluation mode, and leaks where it matters: in training."""
    model = tiny(GATED, (1, 3, 4), 3)
    model.readout.hidden = nn.Sequential(model.readout.hidden, nn.BatchNorm2d(8))
    report = nx.check_causality(model.train(training))
    assert report.mixes_images and report.leaks and not report.ok
    assert ((0, 0, 0), (0, 2, 0)) in report.leaks
    assert "images of a batch influence each other" in str(report)


def test_normalisation_over_positions_is_found():
    model = tiny(GATED, (1, 3, 4), 3)
    model.readout.hidden = nn.Sequential(model.readout.hidden, nn.GroupNorm(1, 8))
    report = nx.check_causality(model)
    assert report.leaks and not report.mixes_images and not report.ok


def test_a_mean_over_the_batch_is_found():
    class Mean(nn.Module):
        def forward(self, maps):
            return maps + 0.01 * maps.mean(dim=0, keepdim=True)

    model = tiny(GATED, (1, 3, 4), 3)
    model.readout.hidden = nn.Sequential(model.readout.hidden, Mean())
    report = nx.check_causality(model)
    assert report.mixes_images and not report.ok


def test_a_leak_of_a_millionth_is_found():
    class Leaky(nn.Module):
        def forward(self, maps):
            return maps + 1e-6 * maps.flip(2, 3)

    model = tiny(GATED, (1, 3, 4), 3)
    model.readout.hidden = nn.Sequential(model.readout.hidden, Leaky())
    report = nx.check_causality(model)
    assert ((0, 0, 0), (0, 2, 2)) in report.leaks


@pytest.mark.parametrize("guilty", [True, False])
def test_a_leak_in_one_mode_only_is_found(guilty):
    class Moody(nn.Module):
        def forward(self, maps):
            return maps.flip(3) if self.training is guilty else maps

    model = tiny(GATED, (1, 3, 4), 3)
    model.readout.hidden = nn.Sequential(model.readout.hidden, Moody())
    assert ((0, 1, 0), (0, 1, 2)) in nx.check_causality(model).leaks


def test_a_model_that_looks_at_nothing_is_blind(family):
    if family == "local-pixelcnn":
        pytest.skip("its means and scales follow the neighbourhood even without weights")
    model = tiny(family, (1, 2, 3), 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    report = nx.check_causality(model)
    promised = model.receptive_field().nonzero().tolist()
    where = sites((1, 2, 3))
    assert report.blind == [(where[a], where[b]) for a, b in promised] != []
    assert report.seen == 0 and report.leaks == []


# Planted faults of the PixelRNNs ---------------------------------------------------------------------------------

SHIFT = "nextpixel.nn.diagonal_lstm.shift_down"


def test_a_mirrored_pass_that_is_not_shifted_is_found(monkeypatch):
    monkeypatch.setattr(SHIFT, lambda maps: maps)
    report = nx.check_causality(tiny(DIAGONAL, (1, 3, 4), 3))
    # The feature at (r, c) contains the pixels left of it, so the mirrored pass brings the rest of the row, from c on.
    row_ahead = {(a, b) for a in sites((1, 3, 4)) for b in sites((1, 3, 4)) if a[1] == b[1] and b[2] >= a[2]}
    assert set(report.leaks) == row_ahead and not report.ok


def test_a_shift_in_the_wrong_direction_is_found(monkeypatch):
    monkeypatch.setattr(SHIFT, lambda maps: nn.functional.pad(maps[:, :, 1:], (0, 0, 0, 1)))
    report = nx.check_causality(tiny(DIAGONAL, (1, 3, 4), 3))
    assert ((0, 0, 0), (0, 1, 0)) in report.leaks and ((0, 1, 3), (0, 2, 3)) in report.leaks


def test_a_mirrored_pass_that_is_not_mirrored_back_is_found(monkeypatch):
    from nextpixel.nn import diagonal_lstm

    right = diagonal_lstm.diagonals_of

    def wrong(*size):
        fronts = right(*size)
        return dataclasses.replace(fronts, states=fronts.states[[0, 0]])

    monkeypatch.setattr("nextpixel.nn.diagonal_lstm.diagonals_of", wrong)
    report = nx.check_causality(tiny(DIAGONAL, (1, 4, 5), 3, layers=1, first_kernel_size=3))
    # From the place that is the mirror image of a pixel one row up, all that is right of it is seen, and no more.
    assert ((0, 2, 4), (0, 1, 4)) not in report.blind
    assert ((0, 2, 0), (0, 1, 2)) in report.blind and not report.ok


@pytest.mark.parametrize("colours", [1, 3])
def test_without_the_column_beyond_the_image_the_hole_of_the_printed_design_shows(colours, monkeypatch):
    from nextpixel.families.residual_network import ResidualNetwork

    model = tiny(DIAGONAL, (colours, 4, 9), 3, layers=2, first_kernel_size=7)
    assert nx.check_causality(model).ok
    monkeypatch.setattr(type(model), "_features", ResidualNetwork._features)
    report = nx.check_causality(model)
    # Of several colours it is the last one that no feature of its pixel contains.
    source = colours - 1
    hole = {
        ((colour, row, column), (source, row - 1, 8))
        for colour in range(colours)
        for row in range(1, 4)
        for column in range(9 - 4)
    }
    assert set(report.blind) == hole and report.leaks == []


@pytest.mark.parametrize("family", [ROW, DIAGONAL])
def test_colour_groups_that_do_not_reach_the_gates_are_found(family):
    model = tiny(family, (3, 2, 3), 3)
    for block in model.blocks:
        block.core.input_to_state.mask.fill_(1)
    report = nx.check_causality(model)
    assert ((0, 0, 0), (1, 0, 0)) in report.leaks and not report.ok
    # Every leak is within a pixel: from a colour to itself or to an earlier one.
    assert all(output[1:] == source[1:] and output[0] <= source[0] for output, source in report.leaks)


@pytest.mark.parametrize("family", [ROW, DIAGONAL])
def test_a_state_carried_from_image_to_image_is_found(family, monkeypatch):
    from nextpixel.nn.lstm_scan import Recurrence

    right = Recurrence.forward

    def wrong(self, *arguments):
        return [each + torch.cat([torch.zeros_like(each[:1]), each[:-1]]) for each in right(self, *arguments)]

    monkeypatch.setattr(Recurrence, "forward", wrong)
    report = nx.check_causality(tiny(family, (1, 3, 4), 3))
    assert report.mixes_images and not report.ok


def test_a_row_lstm_that_runs_upwards_is_found(monkeypatch):
    right = RowLSTM.forward
    monkeypatch.setattr(RowLSTM, "forward", lambda self, maps, _: right(self, maps.flip(2)).flip(2))
    report = nx.check_causality(tiny(ROW, (1, 3, 4), 3))
    assert ((0, 0, 1), (0, 2, 1)) in report.leaks and not report.ok


# A single stack of masked convolutions, which has the blind spot of arXiv 1606.05328 ----------------------------


class SingleStack(ImageModel):
    """Masked convolutions of 2 * reach + 1 a side on top of each other, and a claim to see all in their reach."""

    family = "single-stack"

    def __init__(self, shape, levels=3, kinds="ABB", reach=1):
        super().__init__(shape, levels)
        colours = shape[0]
        self.reach = reach * len(kinds)
        sizes = [colours, *[3 * colours] * len(kinds)]
        groups = [ChannelGroups.split(size, colours) for size in sizes]
        self.layers = nn.ModuleList(
            MaskedConv2d(source, target, kind, rows_above=reach, reach=reach)
            for kind, source, target in zip(kinds, groups, groups[1:], strict=False)
        )
        self.out = MaskedConv2d(groups[-1], ChannelGroups.split(levels * colours, colours), "B")

    def _network(self, inputs, _context):
        for layer in self.layers:
            inputs = torch.tanh(layer(inputs))
        return self.out(inputs).unflatten(1, (self.image_shape[0], -1)).transpose(1, 2)

    def receptive_field(self):
        def within(a, b):
            return abs(a[1] - b[1]) <= self.reach and abs(a[2] - b[2]) <= self.reach

        where, rank = sites(self.image_shape), self.order
        return torch.tensor([[bool(rank[b] < rank[a]) and within(a, b) for b in where] for a in where])


def connected(shape, kind, reach):
    """Which sub-pixels of a map see which of the map before, by the definition of the masks."""

    def sees(a, b):
        up, left = a[1] - b[1], a[2] - b[2]
        if (up, left) == (0, 0):
            return b[0] < a[0] or (kind == "B" and b[0] == a[0])
        return (0 < up <= reach and abs(left) <= reach) or (up == 0 and 0 < left <= reach)

    return torch.tensor([[sees(a, b) for b in sites(shape)] for a in sites(shape)]).double()


def reachable(shape, kinds, reach):
    """Which sub-pixels of the image an output sees, by multiplying the layers."""
    product = connected(shape, kinds[0], reach)
    for kind in kinds[1:]:
        product = connected(shape, kind, reach) @ product
    return product > 0


def pairs_of(found, shape):
    where = sites(shape)
    return [(where[a], where[b]) for a, b in found.nonzero().tolist()]


@pytest.mark.parametrize(
    ("shape", "kinds", "reach"), [((1, 5, 6), "ABB", 1), ((1, 4, 7), "AB", 2), ((3, 3, 4), "AB", 1)]
)
def test_the_blind_spot_of_a_single_stack_is_found(shape, kinds, reach):
    model = SingleStack(shape, kinds=kinds, reach=reach)
    report = nx.check_causality(model)
    expected = pairs_of(model.receptive_field() & ~reachable(shape, kinds, reach), shape)
    assert report.blind == expected != []
    assert report.leaks == [] and not report.ok and report.seen < report.promised


def test_the_blind_spot_of_a_single_stack_is_where_the_paper_draws_it():
    report = nx.check_causality(SingleStack((1, 5, 6), kinds="ABB", reach=1))
    from_the_middle = {source[1:] for output, source in report.blind if output == (0, 3, 2)}
    # One row up the stack reaches one column to the right, two rows up two columns, and so on.
    assert from_the_middle == {(2, 4), (2, 5), (1, 5)}
    text = str(report)
    assert re.search(rf"^{len(report.blind)} blind spots \(channel, row, column\):$", text, re.MULTILINE)
    assert re.search(
        r"^  output \(0, \d, \d\) does not depend on \(0, \d, \d\), which it should see$", text, re.MULTILINE
    )


def test_mask_a_applied_twice_drops_a_colour():
    shape = (3, 3, 3)
    report = nx.check_causality(SingleStack(shape, kinds="AAB"))
    promised = SingleStack(shape, kinds="AAB").receptive_field()
    assert report.blind == pairs_of(promised & ~reachable(shape, "AAB", 1), shape)
    for row, column in sites((3, 3)):
        assert ((1, row, column), (0, row, column)) in report.blind
        assert ((2, row, column), (1, row, column)) in report.blind
        assert ((2, row, column), (0, row, column)) not in report.blind
    right = nx.check_causality(SingleStack(shape, kinds="ABB"))
    assert not any(output[1:] == source[1:] for output, source in right.blind)


def test_a_colour_that_is_not_connected_is_found():
    model = tiny(GATED, (3, 2, 3), 3, **ALL_IN_REACH)
    layer = model.layers[0].horizontal
    layer.mask[:, 0, -1, layer.padding[0]] = 0
    report = nx.check_causality(model)
    assert set(report.blind) == {((c, *at), (0, *at)) for c in (1, 2) for at in sites((2, 3))}
    assert report.leaks == [] and not report.ok


def test_a_promise_that_is_not_kept_is_a_blind_spot(monkeypatch):
    """The check believes the promise and not the weights: one who promises more than there is fails."""
    model = tiny(GATED, (1, 1, 9), 3, layers=1, first_kernel_size=3)
    assert nx.check_causality(model).ok
    monkeypatch.setattr(model, "reach", 8)
    report = nx.check_causality(model)
    assert set(report.blind) == {((0, 0, a), (0, 0, b)) for a in range(9) for b in range(a - 1)}


def test_the_check_needs_no_luck(some_family):
    """Sound models pass and unsound ones fail, whatever random images and weights are drawn."""
    for seed in range(5):
        torch.manual_seed(seed)
        model = nx.build(some_family, image_shape=(2, 2, 3), levels=4, features=features_of(some_family), layers=2)
        assert nx.check_causality(model, seed=seed).ok
        assert nx.check_causality(model, seed=seed) == nx.check_causality(model, seed=seed)
        assert model.log_prob(noise(model, 2)).isfinite().all()


def test_a_model_whose_pairs_of_sub_pixels_fill_the_memory_is_refused_at_once():
    model = tiny("local-pixelcnn", (3, 2**14, 2**14), 256)
    with pytest.raises(InputError, match=r"805,306,368 sub-pixels of images of 3 x 16384 x 16384 .* 1,297,036,693 GB"):
        nx.check_causality(model, outputs=1)
