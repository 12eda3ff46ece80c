"""The gated residual layer of PixelCNN++ and PixelSNAIL (arXiv 1701.05517, section 2.5; 1712.09763, figure 5a).

    c  = conv(act(x)) + W act(b)                   b: maps of another stream or an attention, if there are any
    x' = x + f . sigmoid(g),     f, g = conv(act(c)) + V h        h: the conditions, if any

Nothing in it belongs to a colour: its maps at a pixel know the pixels before it, all of them alike.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.initialisation import keep_deviation
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups

RESIDUAL_GAIN = 0.1
"""Initial share of what a layer adds, as published: a new network is nearly its first layer, however deep it is."""


class GatedResidualLayer(nn.Module):
    """The layer around any two convolutions that keep the height and width; `PARTS` of a kind has their classes.

    Attributes:
        activation: act.
        first: from `act(x)` to the maps between.
        beside: W; None for a layer without maps beside.
        dropout: of the maps between, after act.
        second: from these to f and g.
        condition: V; None for a layer that does not see the conditions.
    """

    activation: nn.Module
    first: nn.Module
    beside: nn.Module | None
    dropout: nn.Dropout
    second: nn.Module
    condition: ConditionBias | None

    def forward(self, maps: Tensor, beside: Tensor | None = None, context: Context | None = None) -> Tensor:
        """Run over the whole map: `[B, maps, H, W]` to the same shape."""
        between = self.first(self.activation(maps))
        if self.beside is not None and beside is not None:
            between = between + self.beside(self.activation(beside))
        gates = self.second(self.dropout(self.activation(between)))
        if self.condition is not None and context is not None:
            gates = self.condition(gates, context)
        return maps + F.glu(gates, dim=1)


class GatedResidual(GatedResidualLayer):
    """A layer of masked convolutions: `[B, maps, H, W]` to the same shape.

    Args:
        maps: how many there are.
        kernel_size: odd side of the kernels, of which the part below and to the right of the pixel is left out; 1 for
            a layer of single pixels.
        beside: maps of the other stream; 0 for none.
        dropout: probability of zeroing one of the maps between the convolutions in training.
        context: channels of the conditions' context; None for a layer that does not see them.
    """

    PARTS: ClassVar = {
        "activation": nn.ELU,
        "first": MaskedConv2d,
        "beside": nn.Conv2d,
        "dropout": nn.Dropout,
        "second": MaskedConv2d,
        "condition": ConditionBias,
    }
    first: MaskedConv2d
    beside: nn.Conv2d | None
    second: MaskedConv2d

    def __init__(
        self, maps: int, kernel_size: int, *, beside: int = 0, dropout: float, context: ContextSizes | None = None
    ) -> None:
        super().__init__()
        reach = kernel_size // 2
        # All belong to one colour, so that the mask B lets everything at the pixel itself through.
        self.maps = ChannelGroups.split(maps, 1)
        self.activation = nn.ELU()
        self.first = MaskedConv2d(self.maps, self.maps, "B", rows_above=reach, reach=reach)
        self.beside = nn.Conv2d(beside, maps, 1, bias=False) if beside else None
        if self.beside is not None:
            keep_deviation(self.beside)
        self.dropout = nn.Dropout(dropout)
        self.second = MaskedConv2d(
            self.maps, self.maps.repeat(2), "B", rows_above=reach, reach=reach, gain=RESIDUAL_GAIN
        )
        self.condition = ConditionBias(context, 2 * maps) if context else None
