"""The layers of the PixelRNN paper written as the equations read: a loop over pixels, no trick, and slow."""

import torch


def cell(gates, c_before):
    """One LSTM cell from its gates before the nonlinearities, `[B, 4h]`: the new h and c."""
    o, f, i, g = gates.chunk(4, dim=1)
    c = f.sigmoid() * c_before + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gates_of(layer, maps, row, column, outputs=slice(None)):
    """Bias and input-to-state convolution at a pixel, by the masked weights, tap by tap."""
    convolution = layer.input_to_state
    weight = (convolution.weight * convolution.mask)[outputs]
    left = weight.shape[3] - 1
    total = convolution.bias[outputs]
    for tap in range(left + 1):
        if column - left + tap >= 0:
            total = total + maps[:, :, row, column - left + tap] @ weight[:, :, 0, tap].T
    return total


def row_lstm(layer, maps):
    batch, _, height, width = maps.shape
    recurrence, reach = layer.recurrence, layer.reach
    start = [each[0].expand(batch, -1) for each in (recurrence.hidden, recurrence.memory)]
    h, c = {}, {}
    for row in range(height):
        for column in range(width):
            gates = gates_of(layer, maps, row, column)
            for tap in range(2 * reach + 1):
                state = h.get((row - 1, column - reach + tap), start[0])
                gates = gates + state @ recurrence.weight[tap, 0].T
            h[row, column], c[row, column] = cell(gates, c.get((row - 1, column), start[1]))
    return as_map(h, height, width)


def diagonal_bilstm(layer, maps):
    """Mirror, run, mirror back, shift down, add."""
    mirrored = one_direction(layer, maps.flip(3), 1).flip(3)
    shifted = torch.cat([torch.zeros_like(mirrored[:, :, :1]), mirrored[:, :, :-1]], dim=2)
    return one_direction(layer, maps, 0) + shifted


def one_direction(layer, maps, direction):
    batch, _, height, width = maps.shape
    recurrence = layer.recurrence
    start = [each[direction].expand(batch, -1) for each in (recurrence.hidden, recurrence.memory)]
    four = recurrence.weight.shape[2]
    h, c = {}, {}
    for row in range(height):
        for column in range(width):
            gates = gates_of(layer, maps, row, column, slice(direction * four, (direction + 1) * four))
            for tap, place in enumerate([(row, column - 1), (row - 1, column)]):
                gates = gates + h.get(place, start[0]) @ recurrence.weight[tap, direction].T
            h[row, column], c[row, column] = cell(gates, c.get((row, column - 1), start[1]))
    return as_map(h, height, width)


def as_map(h, height, width):
    return torch.stack([torch.stack([h[row, column] for column in range(width)], -1) for row in range(height)], 2)
