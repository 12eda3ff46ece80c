"""The Row LSTM (arXiv 1601.06759, section 3.1).

The LSTM goes down the map row by row, a whole row at once. A cell's previous states are the k nearest ones in the row
above (state-to-state convolution k x 1 along the row, unmasked); the one straight above hands its memory on. The
input-to-state convolution, k x 1 along the row, is masked, and gives a cell its left neighbours in its own row.

So the context in the rows above is a triangle, which grows by k//2 columns a row to either side.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.lstm_scan import Front, Fronts, Recurrence, forget_slowly
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups


class RowLSTM(nn.Module):
    """One layer: `[B, inputs.channels, H, W]` to `[B, hidden.channels, H, W]`, for any H and W from 1.

    Args:
        inputs: colour groups of the input maps.
        hidden: colour groups of the h output maps.
        kernel_size: odd side k of both convolutions.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {"input_to_state": MaskedConv2d, "condition": ConditionBias, "recurrence": Recurrence}

    def __init__(
        self, inputs: ChannelGroups, hidden: ChannelGroups, kernel_size: int, context: ContextSizes | None = None
    ) -> None:
        super().__init__()
        self.hidden, self.reach = hidden, kernel_size // 2
        self.input_to_state = MaskedConv2d(inputs, hidden.repeat(4), "B", reach=self.reach)
        forget_slowly(self.input_to_state.bias, hidden.channels)
        self.condition = ConditionBias(context, 4 * hidden.channels) if context else None
        order = partial(rows_of, reach=self.reach)
        self.recurrence = Recurrence(hidden.channels, taps=kernel_size, directions=1, order=order)

    def forward(self, maps: Tensor, context: Context | None = None) -> Tensor:
        """Run over the whole map."""
        # Laid out as the recurrence wants its inputs, so that it need not copy them: rows and columns outermost.
        pixels = maps.permute(2, 3, 0, 1)
        # Not by padding, which old versions of PyTorch refuse to a batch of no images.
        seen = torch.cat([pixels.new_zeros(pixels.shape[0], self.reach, *pixels.shape[2:]), pixels], dim=1)
        taps = torch.cat([seen[:, tap : tap + maps.shape[3]] for tap in range(self.reach + 1)], dim=3)
        taps = taps.permute(2, 3, 0, 1)
        weight = self.input_to_state.visible_weight[:, :, 0].transpose(1, 2).flatten(1)
        bias = self.input_to_state.bias[:, None]
        if self.condition is not None and context is not None:
            taps, weight, bias = self.condition.join(taps, weight, bias, context)
        (states,) = self.recurrence(taps, weight[None], bias[None])
        result: Tensor = states
        return result


@lru_cache(maxsize=16)
def rows_of(height: int, width: int, device: torch.device, reach: int) -> Fronts:
    """The rows of a map, from the top down."""
    # The states have a row above the map and `reach` columns on either side, which hold the initial state.
    states = torch.arange((height + 1) * (width + 2 * reach), device="cpu").view(height + 1, width + 2 * reach)
    inside = states[1:, reach : reach + width].flatten()

    def run(row: int, column: int) -> slice:
        start = int(states[row, column])
        return slice(start, start + width)

    fronts = [
        Front(
            slice(row * width, (row + 1) * width),
            run(row + 1, reach),
            neighbours=tuple(run(row, column) for column in range(2 * reach + 1)),
        )
        for row in range(height)
    ]
    is_outside = torch.ones(states.numel(), dtype=torch.bool, device="cpu")
    is_outside[inside] = False
    return Fronts(
        fronts,
        memory=reach,
        places=None,
        cells=None,
        states=inside[None].to(device),
        outside=is_outside.nonzero()[:, 0].to(device),
    )
