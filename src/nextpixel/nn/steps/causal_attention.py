"""Causal attention (`nextpixel.nn.causal_attention`) step by step, with the keys and values of all pixels so far."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nextpixel.nn.causal_attention import PLACES, CausalAttention
from nextpixel.nn.conditioning import Context
from nextpixel.nn.steps.gated_residual import GatedResidualStep


class CausalAttentionStep:
    """The attention of one block.

    Args:
        attention: the module.
        places: as `causal_attention.places_of` gives them, `[1, 2, H, W]`.
        batch: B.
        context: of the conditions, or None.
    """

    def __init__(self, attention: CausalAttention, places: Tensor, batch: int, context: Context | None) -> None:
        self.heads, self.key_features = attention.heads, attention.key_features
        like = attention.memory.bias
        _, _, height, self.width = places.shape
        shape = (batch * self.heads, height * self.width)
        # The first place is the start, whose key and value are zero; nothing looks at the last pixel.
        self.keys = like.new_zeros(*shape, attention.key_features)
        self.values = like.new_zeros(*shape, attention.value_features)
        self.places = places[0].flatten(1).T.to(like)
        self.remember, self.ask, self.out = (
            GatedResidualStep(layer, batch, self.width, context)
            for layer in (attention.remember, attention.ask, attention.out)
        )
        self.memory, self.query = (
            (conv.bias, conv.visible_weight[:, :, 0, 0].T.contiguous()) for conv in (attention.memory, attention.query)
        )
        self.scale = 1 / math.sqrt(self.key_features)
        self.row = 0
        self.here = like.new_zeros(batch, PLACES)

    def start_row(self, row: int) -> None:
        """Go on to a row."""
        self.row = row
        for layer in (self.remember, self.ask, self.out):
            layer.start_row(row)

    def step(self, column: int, maps: Tensor) -> Tensor:
        """Run the attention at a pixel, all pixels before it having been remembered: `[B, p]` to `[B, p]`."""
        place = self.row * self.width + column
        self.here.copy_(self.places[place])
        bias, weight = self.query
        query = torch.addmm(bias, self.ask.step(column, torch.cat([maps, self.here], dim=1)), weight)
        query = query.view(-1, 1, self.key_features) * self.scale
        shares = torch.bmm(query, self.keys[:, : place + 1].transpose(1, 2)).softmax(dim=2)
        seen = torch.bmm(shares, self.values[:, : place + 1]).view(len(maps), -1)
        return self.out.step(column, maps, seen)

    def keep(self, column: int, maps: Tensor, image: Tensor) -> None:
        """Remember a pixel whose value is known: its features `[B, p]`, as `step` was given them, and its maps."""
        place = self.row * self.width + column
        if place + 1 == self.keys.shape[1]:
            return
        self.here.copy_(self.places[place])
        bias, weight = self.memory
        memory = torch.addmm(bias, self.remember.step(column, torch.cat([image, maps, self.here], dim=1)), weight)
        keys, values = memory.split(
            [self.heads * self.key_features, memory.shape[1] - self.heads * self.key_features], 1
        )
        self.keys[:, place + 1] = keys.reshape(-1, self.keys.shape[2])
        self.values[:, place + 1] = values.reshape(-1, self.values.shape[2])
