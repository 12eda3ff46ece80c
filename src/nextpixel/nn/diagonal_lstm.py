"""The Diagonal BiLSTM (arXiv 1601.06759, section 3.2).

Two LSTMs cross the map along its diagonals, one from the upper left corner and one, on the mirrored map, from the
upper right. A cell's previous states are its neighbour to the left (to the right, mirrored), which also hands its
memory on, and the one above. The mirrored output is **shifted down by one row** before the two are added: without the
shift a pixel would see its future, the pixels to its right.

The paper skews the map so that diagonals become columns. Here the cells are sorted by diagonal instead, which computes
the same without the empty corners, for any height and width:

    cell (r, c) is in front r + c        (r, c) of a 2 x 3 map:   fronts  0 1 2
                                                                          1 2 3
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.lstm_scan import Front, Fronts, Recurrence, forget_slowly
from nextpixel.nn.masked_conv import MaskedConv2d, shift_down
from nextpixel.nn.masks import ChannelGroups


class DiagonalBiLSTM(nn.Module):
    """One layer: `[B, inputs.channels, H, W]` to `[B, hidden.channels, H, W]`, for any H and W from 1.

    Each direction has an input-to-state 1x1 convolution, mask B, and an unmasked state-to-state 2x1 convolution.

    The output at a pixel sees its input at the pixel (as the colours allow), at all pixels to the left, and everywhere
    in the rows above.

    Args:
        inputs: colour groups of the input maps.
        hidden: colour groups of the h output maps.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {"input_to_state": MaskedConv2d, "condition": ConditionBias, "recurrence": Recurrence}

    def __init__(self, inputs: ChannelGroups, hidden: ChannelGroups, context: ContextSizes | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        self.input_to_state = MaskedConv2d(inputs, hidden.repeat(4 * 2), "B")
        forget_slowly(self.input_to_state.bias, hidden.channels)
        self.condition = ConditionBias(context, 2 * 4 * hidden.channels) if context else None
        self.recurrence = Recurrence(hidden.channels, taps=2, directions=2, order=diagonals_of)

    def forward(self, maps: Tensor, context: Context | None = None) -> Tensor:
        """Run both directions over the whole map."""
        weight = self.input_to_state.visible_weight.flatten(1)
        bias = self.input_to_state.bias[:, None]
        if self.condition is not None and context is not None:
            maps, weight, bias = self.condition.join(maps, weight, bias, context)
        forward, mirrored = self.recurrence(maps, *(tensor.view(2, -1, tensor.shape[1]) for tensor in (weight, bias)))
        result: Tensor = forward + shift_down(mirrored)
        return result


@lru_cache(maxsize=16)
def diagonals_of(height: int, width: int, device: torch.device) -> Fronts:
    """The diagonals of a map from its upper left corner, and for the second direction from its upper right one."""
    # The states have a row above the map and a column left of it, which hold the initial state.
    states = _ranks_by_diagonal(height + 1, width + 1)
    places = _ranks_by_diagonal(height, width)

    def run(table: Tensor, first_row: int, column: int, rows: int) -> slice:
        """The places of `rows` entries downwards along a diagonal, which lie beside each other."""
        start = int(table[first_row, column])
        return slice(start, start + rows)

    fronts = []
    for diagonal in range(height + width - 1):
        top, bottom = max(0, diagonal - width + 1), min(diagonal, height - 1)
        column, rows = diagonal - top, bottom - top + 1
        left, above = run(states, top + 1, column, rows), run(states, top, column + 1, rows)
        fronts.append(
            Front(
                run(places, top, column, rows),
                run(states, top + 1, column + 1, rows),
                neighbours=(left, above),
            )
        )
    outside = torch.cat([states[0], states[1:, 0]])
    cells, inside = (
        torch.stack([numbers.flatten(), numbers.flip(1).flatten()]) for numbers in (places, states[1:, 1:])
    )
    return Fronts(
        fronts,
        memory=0,
        places=cells.argsort(dim=1).to(device),
        cells=cells.to(device),
        states=inside.to(device),
        outside=outside.to(device),
    )


def _ranks_by_diagonal(height: int, width: int) -> Tensor:
    """Rank of each place, int64 `[height, width]`, sorted by diagonal and then from the top down."""
    row, column = torch.meshgrid(torch.arange(height, device="cpu"), torch.arange(width, device="cpu"), indexing="ij")
    return ((row + column) * height + row).flatten().argsort().argsort().view(height, width)
