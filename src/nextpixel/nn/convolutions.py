"""The core of PixelCNN's residual blocks (arXiv 1601.06759, figure 5): masked convolutions between ReLUs."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups

# A ReLU halves the mean square of a variable that is symmetrical about zero.
RELU_GAIN = math.sqrt(2)


class Convolutions(nn.Module):
    """ReLU, 1x1 to h maps, ReLU, k x k, ReLU: `[B, inputs.channels, H, W]` to `[B, hidden.channels, H, W]`.

    Args:
        inputs: colour groups of the input maps.
        hidden: colour groups of the h output maps.
        kernel_size: odd side k of the second convolution.
        context: channels of the conditions' context; None without conditions. They enter at the second convolution.
    """

    PARTS: ClassVar = {
        "narrow": MaskedConv2d,
        "wide": MaskedConv2d,
        "condition": ConditionBias,
        "activation": nn.ReLU,
    }

    def __init__(
        self, inputs: ChannelGroups, hidden: ChannelGroups, kernel_size: int, context: ContextSizes | None = None
    ) -> None:
        super().__init__()
        self.hidden, self.reach = hidden, kernel_size // 2
        reach = self.reach
        self.narrow = MaskedConv2d(inputs, hidden, "B", gain=RELU_GAIN)
        self.wide = MaskedConv2d(hidden, hidden, "B", rows_above=reach, reach=reach, gain=RELU_GAIN)
        self.condition = ConditionBias(context, hidden.channels) if context else None
        self.activation = nn.ReLU()

    def forward(self, maps: Tensor, context: Context | None = None) -> Tensor:
        """Run over the whole map."""
        maps = self.wide(self.activation(self.narrow(self.activation(maps))))
        if self.condition is not None and context is not None:
            maps = self.condition(maps, context)
        result: Tensor = self.activation(maps)
        return result
