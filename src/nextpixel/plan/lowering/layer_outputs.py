"""The lowering of the last convolutions of layers: what goes on to the next layer, and skip connections to the head."""

from __future__ import annotations

import numpy as np

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.lowering.builder import Builder, Doubles, Kernel, Map


class LayerOutputs:
    """What the layers of a network give.

    The last convolution of a layer, a masked one of 1x1, makes the maps of the next layer, and after these as many for
    the skip connection, if there are any; the last layer then makes those alone.

    Args:
        builder: the program.
        groups: the colours of the maps.
        skips: whether there are skip connections.
    """

    def __init__(self, builder: Builder, groups: ChannelGroups, *, skips: bool) -> None:
        self.builder, self.groups, self.skips = builder, groups, skips
        self.skip_kernels: list[Kernel] = []
        self.skip_bias: Doubles = np.zeros(groups.channels)

    def convolution(self, name: str, source: Map, largest: int, *, goes_on: bool) -> Map | None:
        """Add the last convolution of a layer.

        Args:
            name: of the module in the model.
            source: what it reads.
            largest: bound of the result.
            goes_on: whether it makes maps of a next layer.

        Returns:
            The maps of the next layer; None if it makes none.
        """
        channels = self.groups.channels
        outputs = self.groups.repeat(2) if self.skips and goes_on else self.groups
        weight = self.builder.masked(name, source.groups, outputs, "B")
        bias = self.builder.model.doubles(f"{name}.bias")
        if self.skips:
            # One after the other: a reduction adds in an order of its own on every machine.
            self.skip_bias = self.skip_bias + bias[-channels:] if self.skip_kernels else bias[-channels:]
            self.skip_kernels.append(Kernel(source, weight[-channels:]))
        if not goes_on:
            return None
        return self.builder.sum(name, self.groups, [Kernel(source, weight[:channels])], bias[:channels], largest)

    def read_by_head(self, last: Map) -> Map:
        """What the head reads: the sum of the skip connections; without any, the maps of the last layer."""
        bound = self.builder.bound("skips" if self.skips else last.name)
        if not self.skips:
            return last
        return self.builder.sum("skips", self.groups, self.skip_kernels, self.skip_bias, bound)
