"""The head of a network: a nonlinearity and a 1x1 masked convolution, twice (arXiv 1601.06759, table 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups


class Head(nn.Module):
    """From the last feature maps to the parameters of every sub-pixel's distribution.

    Args:
        features: colour groups of the feature maps.
        hidden: maps between the two convolutions.
        channels: colours C of the image.
        parameters: numbers that a sub-pixel's distribution needs.
        activation: the nonlinearity before each convolution.

    Shapes:
        `[B, features.channels, H, W]` to `[B, parameters, C, H, W]`.
    """

    PARTS: ClassVar = {"hidden": MaskedConv2d, "output": MaskedConv2d}

    def __init__(
        self,
        features: ChannelGroups,
        hidden: int,
        channels: int,
        parameters: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.channels, self.numbers, self.activation = channels, parameters, activation
        self.features, self.groups = features, ChannelGroups.split(hidden, channels)
        self.hidden = MaskedConv2d(features, self.groups, "B")
        self.output = MaskedConv2d(self.groups, ChannelGroups.split(channels * parameters, channels), "B")

    def forward(self, maps: Tensor) -> Tensor:
        """Read the whole map out."""
        parameters: Tensor = self.output(self.activation(self.hidden(self.activation(maps))))
        batch, _, height, width = parameters.shape
        return parameters.view(batch, self.channels, self.numbers, height, width).transpose(1, 2)
