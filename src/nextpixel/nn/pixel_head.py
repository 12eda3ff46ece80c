"""The head of networks whose features belong to pixels and not to colours.

A network that knows at each pixel the pixels before it, and nothing of the pixel itself, need not divide its features
among the colours, nor run once for each. What a colour knows of the earlier colours of its own pixel enters here:

    hidden = ELU(W ELU(features) + masked 1x1 (colours of the pixel))       the maps of a colour see the earlier ones
    parameters = masked 1x1 (hidden)

So a softmax has the colours depend on each other too, and a logistic mixture has more than its linear coupling.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from nextpixel.nn.initialisation import keep_deviation
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups


class PixelHead(nn.Module):
    """From the features of each pixel, and its colours, to the parameters of every sub-pixel's distribution.

    Args:
        features: feature maps, p.
        image: colour groups of the maps by which the image enters a network.
        hidden: maps between the two layers.
        channels: colours C of the image.
        parameters: numbers that a sub-pixel's distribution needs.

    Shapes:
        `[B, p, H, W]` and `[B, image.channels, H, W]` to `[B, parameters, C, H, W]`.
    """

    PARTS: ClassVar = {"activation": nn.ELU, "hidden": nn.Conv2d, "colours": MaskedConv2d, "output": MaskedConv2d}

    def __init__(self, features: int, image: ChannelGroups, hidden: int, channels: int, parameters: int) -> None:
        super().__init__()
        self.channels, self.numbers = channels, parameters
        self.image, self.groups = image, ChannelGroups.split(hidden, channels)
        self.activation = nn.ELU()
        self.hidden = nn.Conv2d(features, hidden, 1)
        keep_deviation(self.hidden)
        self.colours = MaskedConv2d(image, self.groups, "A") if channels > 1 else None
        self.output = MaskedConv2d(self.groups, ChannelGroups.split(channels * parameters, channels), "B")

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Read the whole map out."""
        hidden = self.hidden(self.activation(features))
        if self.colours is not None:
            hidden = hidden + self.colours(image)
        parameters: Tensor = self.output(self.activation(hidden))
        batch, _, height, width = parameters.shape
        return parameters.view(batch, self.channels, self.numbers, height, width).transpose(1, 2)
