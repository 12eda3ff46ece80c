"""A family of models outside the package: a stack of plain masked convolutions.

    NEXTPIXEL_FAMILIES=examples/my_family.py nextpixel train digits --model masked-stack --out runs/stack --minutes 1
    NEXTPIXEL_FAMILIES=examples/my_family.py nextpixel sample runs/stack --count 64 --out grid.png
    NEXTPIXEL_FAMILIES=examples/my_family.py nextpixel check runs/stack

A family is three things: its options, the parallel pass, and what it promises to see. This one has no steps, so it
draws by a pass for each sub-pixel, which is slow, and cannot compress. A package can name such a module by an entry
point instead of the environment variable:

    [project.entry-points."nextpixel.families"]
    masked-stack = "my_package.my_family"
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

import nextpixel as nx


@dataclass(frozen=True, kw_only=True)
class MaskedStackConfig(nx.Config):
    """The name of the family and its options; flags of `nextpixel train` are made of them."""

    family = "masked-stack"
    summary = "an example of a family of one's own: masked convolutions on top of each other"

    features: int = nx.option(32, "Feature maps of a layer.", least=1, most=4096)
    layers: int = nx.option(4, "Number of layers.", least=1, most=100)
    reach: int = nx.option(2, "Pixels that a kernel sees to each side, and above.", least=1, most=20)


@nx.register
class MaskedStack(nx.ImageModel):
    """Masked convolutions with ELUs between them."""

    config_class = MaskedStackConfig
    config: MaskedStackConfig

    def _make_layers(self) -> None:
        if self.condition is not None:
            raise nx.ModelError("masked-stack takes no condition; leave it out")
        colours, reach = self.image_shape[0], self.config.reach
        maps = nx.ChannelGroups.split(self.config.features, colours)
        groups = [nx.ChannelGroups.split(colours, colours), *[maps] * self.config.layers]
        self.layers = nn.ModuleList(
            nx.MaskedConv2d(before, after, "B" if index else "A", rows_above=reach, reach=reach)
            for index, (before, after) in enumerate(pairwise(groups))
        )
        outputs = nx.ChannelGroups.split(colours * self.distribution.parameters, colours)
        self.out = nx.MaskedConv2d(maps, outputs, "B")

    def _network(self, inputs: Tensor, context: nx.Context | None) -> Tensor:  # noqa: ARG002 - without conditions
        for layer in self.layers:
            inputs = nn.functional.elu(layer(inputs))
        return self.out(inputs).unflatten(1, (self.image_shape[0], -1)).transpose(1, 2)

    def receptive_field(self) -> Tensor:
        """What each sub-pixel sees, by going through the layers one by one on a grid of places."""
        colours, height, width = self.image_shape
        row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        row, column = row.flatten().repeat(colours), column.flatten().repeat(colours)
        colour = torch.arange(colours).repeat_interleave(height * width)
        up, left = row[:, None] - row, column[:, None] - column
        reach = self.config.reach
        is_here = (up == 0) & (left == 0)
        beside = ((up == 0) & (left > 0) & (left <= reach)) | ((up > 0) & (up <= reach) & (left.abs() <= reach))
        first = beside | (is_here & (colour < colour[:, None]))
        later = (beside | (is_here & (colour <= colour[:, None]))).float()
        seen = first.float()
        for _ in range(self.config.layers - 1):
            seen = (later @ seen).clamp(max=1)
        return seen > 0
