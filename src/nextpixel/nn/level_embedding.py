"""The maps by which an image enters a network.

Each sub-pixel is a number, its levels spread evenly over [-1, 1], as in both papers. Neighbouring levels of 256 are
then 0.008 apart: a network tells 253 from 254 only once some weights have grown to hundreds. Where single levels mean
something (the saturated pixels of a scan, the index of a code) it learns that late or never. So a model may be given
learned features of each level besides (`level_features`), as language models have them of words:

    x = 253 of 256 levels:    0.984, e_1(253), ..., e_k(253)

The features belong to the colour of their sub-pixel, and the masks treat them as they treat the number.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nextpixel.nn.initialisation import has_values
from nextpixel.nn.masks import ChannelGroups

LEAST_STEPS = 256


class LevelEmbedding(nn.Module):
    """What the first layer sees of an image.

    Args:
        colours: C.
        levels: values that a sub-pixel can take.
        level_features: learned features of each level.

    Attributes:
        groups: the colour of each map; those of a colour stand together, the number first.
    """

    def __init__(self, colours: int, levels: int, level_features: int = 0) -> None:
        super().__init__()
        self.levels = levels
        self.groups = ChannelGroups.split(colours * (1 + level_features), colours)
        self.features = nn.Parameter(torch.empty(levels, level_features)) if level_features else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the features of the levels with a deviation of 1."""
        if self.features is not None and has_values(self.features):
            nn.init.normal_(self.features)

    def forward(self, inputs: Tensor) -> Tensor:
        """The maps of images, `[B, C, H, W]` in [-1, 1] to `[B, groups.channels, H, W]`."""
        return inputs if self.features is None else self.of(inputs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def of(self, values: Tensor) -> Tensor:
        """The maps at some pixels, `[..., C]` in [-1, 1] to `[..., groups.channels]`."""
        if self.features is None:
            return values
        numbers = values.detach().float()
        # What was drawn from logits that are no numbers is no level; the walk reports it later.
        level = numbers.add(1).mul((self.levels - 1) / 2).round().long().clamp(0, self.levels - 1)
        if torch.is_grad_enabled():
            # As a product of matrices, whose gradient, unlike that of a look-up, is the same sum on any threads.
            chosen = level[..., None] == torch.arange(self.levels, device=level.device)
            features = chosen.to(self.features) @ self.features
        else:
            features = self.features[level]
        if values.requires_grad:
            # A level has no derivative. With that of the number, a proof by gradients sees where the features go too.
            features = features + (values - values.detach())[..., None]
        return torch.cat([values[..., None], features], dim=-1).flatten(-2)

    @property
    def steps(self) -> int:
        """How many of the steps of `integers` make 1."""
        steps = self.levels - 1
        while self.features is not None and steps < LEAST_STEPS:
            steps *= 2
        return steps

    def integers(self) -> Tensor:
        """What stands for each level, in whole steps: float64 `[levels, maps of a colour]`."""
        every = torch.arange(self.levels, dtype=torch.float64)
        numbers = (2 * every - (self.levels - 1)) * (self.steps // (self.levels - 1))
        if self.features is None:
            return numbers[:, None]
        features = self.features.detach().double().cpu() * self.steps
        return torch.cat([numbers[:, None], features.round()], dim=1)
