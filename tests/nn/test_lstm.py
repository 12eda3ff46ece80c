"""Row LSTM and Diagonal BiLSTM: equal to plain loops over pixels, in their outputs and in every gradient."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import naive_lstm
from helpers.tiny_models import few
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM, diagonals_of
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.row_lstm import RowLSTM, rows_of

CPU = torch.device("cpu")
SIZES = [(1, 1), (1, 6), (6, 1), (4, 5), (5, 3)]


def row(colours=1, maps=6, hidden=3, kernel_size=3):
    return RowLSTM(ChannelGroups.split(maps, colours), ChannelGroups.split(hidden, colours), kernel_size)


def diagonal(colours=1, maps=6, hidden=3):
    return DiagonalBiLSTM(ChannelGroups.split(maps, colours), ChannelGroups.split(hidden, colours))


LAYERS = {
    "row": (row, naive_lstm.row_lstm),
    "row, kernel 5": (lambda *sizes: row(*sizes, kernel_size=5), naive_lstm.row_lstm),
    "diagonal": (diagonal, naive_lstm.diagonal_bilstm),
}


def made(name, *sizes):
    """A layer in float64, away from its tidy initial values."""
    layer = LAYERS[name][0](*sizes).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def gradients(layer, maps, result, direction):
    return torch.autograd.grad((result * direction).sum(), [maps, *layer.parameters()])


@pytest.mark.parametrize("name", LAYERS)
@few
@given(size=st.sampled_from(SIZES), batch=st.integers(1, 3), colours=st.integers(1, 3), seed=st.integers(0, 999))
def test_a_layer_equals_a_loop_over_pixels(name, size, batch, colours, seed):
    torch.manual_seed(seed)
    layer = made(name, colours)
    maps = torch.randn(batch, 6, *size, dtype=torch.float64, requires_grad=True)
    found, expected = layer(maps), LAYERS[name][1](layer, maps)
    assert found.shape == (batch, 3, *size)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)
    direction = torch.randn_like(found)
    pairs = zip(gradients(layer, maps, found, direction), gradients(layer, maps, expected, direction), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_the_layout_of_the_inputs_in_memory_does_not_matter(name):
    recurrence = made(name).recurrence
    taps, directions, gates, _ = recurrence.weight.shape
    weight = torch.randn(directions, gates, taps, dtype=torch.float64)
    bias = torch.randn(directions, gates, 1, dtype=torch.float64)
    maps = torch.randn(2, taps, 4, 5, dtype=torch.float64)
    orders = [(0, 1, 2, 3), (0, 2, 3, 1), (2, 3, 0, 1), (3, 2, 1, 0)]
    found = []
    for order in orders:
        back = torch.tensor(order).argsort().tolist()
        own = maps.permute(order).contiguous().permute(back).requires_grad_()
        states = recurrence(own, weight, bias)
        found.append((torch.stack(states), *torch.autograd.grad(torch.stack(states).square().sum(), own)))
    for results, gradient in found[1:]:
        assert torch.equal(results, found[0][0])
        assert torch.equal(gradient, found[0][1])


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_is_that_of_finite_differences(name):
    layer = made(name, 2)
    maps = torch.randn(2, 6, 3, 4, dtype=torch.float64, requires_grad=True)
    parameters = list(layer.parameters())
    assert torch.autograd.gradcheck(lambda *_: layer(maps), (maps, *parameters))


@pytest.mark.parametrize("name", LAYERS)
def test_no_images_and_no_gradient_are_fine(name):
    layer = made(name)
    assert layer(torch.zeros(0, 6, 3, 4, dtype=torch.float64)).shape == (0, 3, 3, 4)
    maps = torch.randn(2, 6, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        found = layer(maps)
    assert not found.requires_grad
    assert torch.equal(found, layer(maps))


@pytest.mark.parametrize("name", LAYERS)
def test_a_second_derivative_is_refused(name):
    maps = torch.randn(1, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(made(name)(maps).sum(), maps, create_graph=True)


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_it_is_the_same_and_keeps_its_tables(name):
    layer = LAYERS[name][0]()
    maps = torch.randn(2, 6, 3, 4)
    compiled = torch.compile(layer, backend="eager")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*lru_cache")
        torch.testing.assert_close(compiled(maps), layer(maps))


@pytest.mark.parametrize("name", LAYERS)
def test_images_of_a_batch_and_calls_share_no_state(name):
    layer = made(name)
    maps = torch.randn(4, 6, 5, 4, dtype=torch.float64)
    together = layer(maps)
    assert torch.equal(layer(maps), together)
    for index in range(4):
        torch.testing.assert_close(layer(maps[index, None])[0], together[index], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_memory_layout_does_not_matter(name):
    layer = made(name)
    maps = torch.randn(2, 6, 5, 4, dtype=torch.float64)
    expected = layer(maps)
    strange = maps.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    torch.testing.assert_close(layer(strange), expected, atol=1e-12, rtol=1e-12)
    layer.to(memory_format=torch.channels_last)
    found = layer(maps.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_under_autocast_the_states_stay_float32(name):
    layer = LAYERS[name][0]().float()
    maps = torch.randn(2, 6, 5, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(maps.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, layer(maps.bfloat16().float()))
    found.sum().backward()


@pytest.mark.parametrize("name", LAYERS)
def test_a_new_layer_remembers(name):
    layer = LAYERS[name][0]()
    hidden = layer.recurrence.weight.shape[-1]
    assert layer.input_to_state.bias.view(-1, 4, hidden)[:, 1].eq(1).all()
    assert layer.input_to_state.bias.sum() == layer.recurrence.weight.shape[1] * hidden


def seen(output, source):
    """Rows and columns of the source that an output depends on."""
    gradient = torch.autograd.grad(output.sum(), source, retain_graph=True)[0]
    return {tuple(at) for at in gradient.abs().sum(dim=(0, 1)).nonzero().tolist()}


def test_the_row_lstm_sees_a_triangle():
    maps = torch.randn(1, 6, 4, 9, dtype=torch.float64, requires_grad=True)
    result = made("row")(maps)
    expected = {(r, c) for r in range(4) for c in range(9) if 4 - (3 - r) - 1 <= c <= 4 + (3 - r)}
    assert seen(result[:, :, 3, 4], maps) == expected


def test_the_diagonal_bilstm_sees_all_above_and_left():
    maps = torch.randn(1, 6, 4, 5, dtype=torch.float64, requires_grad=True)
    result = made("diagonal")(maps)
    for row_, column in [(0, 0), (0, 4), (2, 2), (3, 0), (3, 4)]:
        expected = {(r, c) for r in range(4) for c in range(5) if r < row_ or (r == row_ and c <= column)}
        assert seen(result[:, :, row_, column], maps) == expected


@pytest.mark.parametrize("name", LAYERS)
def test_maps_of_a_colour_know_no_later_colour_of_their_pixel(name):
    layer = made(name, 3, 6, 4)
    maps = torch.randn(1, 6, 3, 4, dtype=torch.float64, requires_grad=True)
    result = layer(maps)
    sources = torch.tensor(ChannelGroups.split(6, 3).colours)
    for channel, colour in enumerate(ChannelGroups.split(4, 3).colours):
        gradient = torch.autograd.grad(result[:, channel, 1, 2].sum(), maps, retain_graph=True)[0]
        assert torch.equal(gradient[0, :, 1, 2] != 0, sources <= colour)


@pytest.mark.parametrize("size", SIZES)
def test_fronts_hold_every_cell_once_and_look_back_only(size):
    for fronts in (rows_of(*size, CPU, 1), rows_of(*size, CPU, 2), diagonals_of(*size, CPU)):
        cells = size[0] * size[1]
        at = [place for front in fronts.fronts for place in range(front.cells.start, front.cells.stop)]
        assert at == list(range(cells))
        orders = ([torch.arange(cells)] if each is None else each for each in (fronts.places, fronts.cells))
        for places, inverse, states in zip(*orders, fronts.states, strict=True):
            assert places[inverse].tolist() == at
            assert places.sort().values.tolist() == at
            together = torch.cat([states, fronts.outside])
            assert together.sort().values.tolist() == list(range(cells + len(fronts.outside)))
        known = set(fronts.outside.tolist())
        for front in fronts.fronts:
            for neighbour in front.neighbours:
                assert set(range(neighbour.start, neighbour.stop)) <= known
            known |= set(range(front.states.start, front.states.stop))
        assert known == set(range(len(known)))
