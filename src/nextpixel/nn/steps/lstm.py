"""One cell of the LSTMs (`nextpixel.nn.lstm_scan`), colour by colour."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.rows_above import RowOffset


def input_to_state(
    layer: RowLSTM | DiagonalBiLSTM, maps: FeatureRow, context: Context | None
) -> tuple[Cell, MaskedConvStep]:
    """The cell of a layer, and its input-to-state convolution, which makes the gates as the cell has them.

    Args:
        layer: the module; of a layer of several directions, the first.
        maps: the row of its inputs.
        context: of the conditions, or None.
    """
    conv = layer.input_to_state
    cell = Cell(layer.hidden, len(maps.places), conv.bias)
    offset = RowOffset(conv.bias, layer.condition, context, order=cell.order)
    return cell, MaskedConvStep(conv.visible_weight[cell.order], "B", maps, cell.groups, offset)


class Cell:
    """One LSTM cell at a place.

    Args:
        hidden: colour groups of the h maps.
        batch: B.
        like: of the dtype and on the device of the maps.

    Attributes:
        order: channels of the gates as a layer has them, so that they stand colour by colour, o, f, i, g each.
        groups: the colours of the gates in that order.
        gates: for each colour the place of its gates, `[B, 4 * group]`.
    """

    def __init__(self, hidden: ChannelGroups, batch: int, like: Tensor) -> None:
        gates = hidden.repeat(4)
        self.order, self.groups = gates.by_colour, gates.in_order
        self.back = torch.tensor(self.order, device=like.device).argsort()
        sizes = [len(members) for members in gates.members]
        self.gates = [like.new_empty(batch, size) for size in sizes]
        self.parts = [gate.chunk(4, dim=1) for gate in self.gates]
        self.sigmoids = [gate[:, : size // 4 * 3] for gate, size in zip(self.gates, sizes, strict=True)]

    def step(self, colour: int, memory: Tensor, new_memory: Tensor, state: Tensor) -> Tensor:
        """From the gates of a colour before their nonlinearity to the new memory and state, which are put in place."""
        self.sigmoids[colour].sigmoid_()
        o, f, i, g = self.parts[colour]
        g.tanh_()
        torch.mul(f, memory, out=new_memory).addcmul_(i, g)
        return torch.mul(o, torch.tanh(new_memory), out=state)

    def split(self, gates: Tensor) -> tuple[Tensor, ...]:
        """The four gates of all colours, `[..., h]` each, from `[..., 4h]` in `order`."""
        return gates.index_select(-1, self.back).chunk(4, dim=-1)
