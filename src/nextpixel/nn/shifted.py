"""Shifted convolutions and the gated residual layers of PixelCNN++ (arXiv 1701.05517, section 2.4 and 2.5).

A shifted convolution has no mask: its kernel has no taps below its pixel, and either none to the right of it (the
stream of pixels) or, where the maps know finished rows only (the stream of rows), as many as to the left. Weights are
normalised (arXiv 1602.07868): each output has a direction, and a length that is a parameter of its own.

The convolutions that halve a map take every second row and column, at the first of each two; those that double it lay
each place over the two rows and columns from there on. So a coarse place knows what its first fine place knows, which
is past for the other three as well; a kernel that is centred on the four would look at pixels that are to come.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, ContextSizes
from nextpixel.nn.gated_residual import RESIDUAL_GAIN, GatedResidualLayer
from nextpixel.nn.initialisation import drawn


class ShiftedConv2d(nn.Module):
    """A convolution with normalised weights over some rows above and some columns.

    Args:
        inputs: input maps.
        outputs: output maps.
        above: rows of the kernel above the pixel's own.
        left: columns to the left of the pixel's own.
        right: columns to the right of it.
        stride: 2 to halve the map, at the first of each two rows and columns.
        gain: initial length of the weights, beyond what keeps the deviation.

    Shapes:
        `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        above: int = 0,
        left: int = 0,
        right: int = 0,
        stride: int = 1,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.above, self.left, self.right, self.stride = above, left, right, stride
        self.direction = nn.Parameter(drawn(outputs, inputs, above + 1, left + 1 + right))
        self.length = nn.Parameter(torch.full((outputs,), gain))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @property
    def weight(self) -> Tensor:
        """The weights, `[outputs, inputs, above + 1, left + 1 + right]`."""
        return F.normalize(self.direction.flatten(1)).view_as(self.direction) * self.length[:, None, None, None]

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve the whole map."""
        if self.above or self.left or self.right:
            maps = F.pad(maps, (self.left, self.right, self.above, 0))
        return F.conv2d(maps, self.weight, self.bias, stride=self.stride)


class GrowingConv2d(nn.Module):
    """The transposed convolution that doubles a map, with normalised weights.

    Args:
        maps: input and output maps.
        right: whether odd columns also see the coarse place to their right: in the stream of rows.

    Shapes:
        `[B, maps, h, w]` to `[B, maps, H, W]`, where h and w are half of H and W, rounded up.
    """

    def __init__(self, maps: int, *, right: bool) -> None:
        super().__init__()
        self.right = right
        self.direction = nn.Parameter(drawn(maps, maps, 2, 3 if right else 2))
        self.length = nn.Parameter(torch.full((maps,), 1.0))
        self.bias = nn.Parameter(torch.zeros(maps))

    @property
    def weight(self) -> Tensor:
        """The weights, `[inputs, outputs, 2, taps]`; a tap left of the first is that of the place to the right."""
        outputs_first = self.direction.transpose(0, 1).flatten(1)
        normed = F.normalize(outputs_first).view_as(self.direction) * self.length[:, None, None, None]
        # Of an output each row and column meets one tap in four (or, of six, two and one).
        return normed.transpose(0, 1) * 2

    def forward(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Double the whole map, and cut it to a size."""
        side = 1 if self.right else 0
        grown = F.conv_transpose2d(maps, self.weight, self.bias, stride=2, padding=(0, side), output_padding=(0, side))
        # Not by a slice, whose gradient would have another layout in memory than all others.
        return F.pad(grown, (0, size[1] - grown.shape[3], 0, size[0] - grown.shape[2]))


class ConcatELU(nn.Module):
    """ELU of the maps and of their negatives: twice as many."""

    def forward(self, maps: Tensor) -> Tensor:
        """From `[B, p, ...]` to `[B, 2p, ...]`."""
        return F.elu(torch.cat([maps, -maps], dim=1))


class ShiftedResidual(GatedResidualLayer):
    """A gated residual layer of shifted convolutions: `[B, maps, H, W]` to the same shape.

    Args:
        maps: how many there are.
        kernel_size: odd side of the kernels, of which only the part that may be seen is there.
        right: whether to look to the right: in the stream of rows.
        beside: maps of the other stream and of the shortcut, together; 0 for none.
        dropout: probability of zeroing one of the maps between the convolutions in training.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {
        "activation": ConcatELU,
        "first": ShiftedConv2d,
        "beside": ShiftedConv2d,
        "dropout": nn.Dropout,
        "second": ShiftedConv2d,
        "condition": ConditionBias,
    }
    first: ShiftedConv2d
    beside: ShiftedConv2d | None
    second: ShiftedConv2d

    def __init__(
        self,
        maps: int,
        kernel_size: int,
        *,
        right: bool,
        beside: int,
        dropout: float,
        context: ContextSizes | None,
    ) -> None:
        super().__init__()
        self.maps = maps
        reach = kernel_size // 2
        kernel = {"above": reach, "left": reach, "right": reach if right else 0}
        self.activation = ConcatELU()
        # The mean square of a normal variable's ELU and of that of its negative is about 0.7 of its own.
        gain = 1 / math.sqrt(0.7)
        self.first = ShiftedConv2d(2 * maps, maps, **kernel, gain=gain)
        self.beside = ShiftedConv2d(2 * beside, maps, gain=gain) if beside else None
        self.dropout = nn.Dropout(dropout)
        self.second = ShiftedConv2d(2 * maps, 2 * maps, **kernel, gain=RESIDUAL_GAIN)
        self.condition = ConditionBias(context, 2 * maps) if context else None
