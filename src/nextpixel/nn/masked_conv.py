"""Convolutions that see only what comes earlier in raster order (arXiv 1601.06759, figure 4).

A `k x k` kernel masked to the past has nothing below its centre row, so `MaskedConv2d` stores the centre row and
the rows above, and of a one-row kernel only the taps up to the centre. The colour mask applies at the centre tap;
on the centre row everything to the right of it is masked.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.initialisation import has_values
from nextpixel.nn.masks import ChannelGroups, MaskKind, visible_channels


class MaskedConv2d(nn.Module):
    """A convolution with the mask A or B, which keeps the size of the map.

    Args:
        inputs: colour groups of the input maps.
        outputs: colour groups of the output maps.
        kind: `"A"` for the first layer, whose inputs are the colours themselves, else `"B"`.
        rows_above: rows of the kernel above the centre row.
        reach: taps to the left of the centre, and, in the rows above, also to the right.
        gain: factor on the initial weights, beyond what keeps the variance.

    Shapes:
        `[B, inputs.channels, H, W]` to `[B, outputs.channels, H, W]`, for any H and W from 1.
    """

    mask: Tensor

    def __init__(
        self,
        inputs: ChannelGroups,
        outputs: ChannelGroups,
        kind: MaskKind,
        *,
        rows_above: int = 0,
        reach: int = 0,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.gain, self.kind, self.reach = gain, kind, reach
        taps_right = reach if rows_above else 0
        self.padding = (reach, taps_right, rows_above, 0)
        mask = torch.ones(outputs.channels, inputs.channels, rows_above + 1, reach + 1 + taps_right)
        mask[:, :, -1, reach] = torch.from_numpy(visible_channels(inputs, outputs, kind)).float()
        mask[:, :, -1, reach + 1 :] = 0
        self.register_buffer("mask", mask, persistent=False)
        self.weight = nn.Parameter(torch.empty(mask.shape))
        self.bias = nn.Parameter(torch.empty(outputs.channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that an output has `gain` times the deviation of an input, counting visible ones."""
        if not has_values(self.weight):
            return
        visible = self.mask.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
        with torch.no_grad():
            self.weight.normal_().mul_(self.gain / visible.sqrt())
            self.bias.zero_()

    @property
    def visible_weight(self) -> Tensor:
        """The weight with zeros where the mask hides it."""
        return self.weight * self.mask

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve the whole map."""
        if any(self.padding):
            maps = F.pad(maps, self.padding)
        return F.conv2d(maps, self.visible_weight, self.bias)


class RowsAboveConv2d(nn.Conv2d):
    """An unmasked convolution over the current row and the rows above it, which keeps the size of the map.

    It serves the vertical stack, whose output is shifted down one row before anything of the current row uses it:
    then all that it sees is in the past, whatever the colour and the column.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel_size: odd side k of the square kernel of which the lower half is left out: `(k//2 + 1) x k` taps.
        gain: factor on the initial weights, beyond what keeps the variance.
    """

    bias: nn.Parameter

    def __init__(self, inputs: int, outputs: int, kernel_size: int, *, gain: float = 1.0) -> None:
        reach = kernel_size // 2
        self.gain, self.rows_above = gain, reach
        super().__init__(inputs, outputs, (reach + 1, kernel_size), padding=(0, reach))

    def reset_parameters(self) -> None:
        """Draw the weights so that an output has `gain` times the deviation of an input."""
        if not has_values(self.weight):
            return
        with torch.no_grad():
            self.weight.normal_().mul_(self.gain / math.sqrt(self.weight[0].numel()))
            self.bias.zero_()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """Convolve the whole map."""
        return super().forward(F.pad(input, (0, 0, self.rows_above, 0)))


def shift_down(maps: Tensor) -> Tensor:
    """Move every row down by one: row r of the result is row r-1, and row 0 is zero."""
    return F.pad(maps, (0, 0, 1, -1))
