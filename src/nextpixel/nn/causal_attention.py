"""Causal self-attention over the pixels of an image (PixelSNAIL, arXiv 1712.09763, section 2.2 and figure 5b).

    k_s, v_s = W [x_s, h_s, place of s]        what is kept of a pixel: itself, its features, its place
    q_t      = W [h_t, place of t]             what a pixel asks: its features know the pixels before it
    a_t      = sum over s < t of v_s softmax_s(k_s . q_t)

Pixels are counted in raster order, and the sum is over pixels strictly before t, since a key contains its own pixel.
The first pixel then has nothing to look at. Implementations that mask by a large negative number, and take the softmax
over a row that is masked as a whole, give it the mean of all pixels, which are all in its future; the one published
with the paper multiplies by the mask once more. Here a start stands before the first pixel, whose key and value are
zero: keys and values move on by one place, and an ordinary causal attention sees what it should and no more.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.conditioning import Context, ContextSizes
from nextpixel.nn.gated_residual import GatedResidual
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups

PLACES = 2
"""Maps that tell a place: its row and its column."""


def after_a_start(sequence: Tensor) -> Tensor:
    """Move `[..., L, d]` on by one place: place 0 is zero, and the last one drops out."""
    return F.pad(sequence, (0, 0, 1, -1))


def places_of(height: int, width: int) -> Tensor:
    """Rows and columns from -1 to 1, `[1, 2, height, width]`."""
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    return torch.from_numpy(np.stack(np.meshgrid(rows, columns, indexing="ij"))[None])


class CausalAttention(nn.Module):
    """Attention of every pixel to those before it: `[B, p, H, W]` to the same shape.

    Args:
        maps: features p of a pixel, which know the pixels before it.
        image: maps of the pixels themselves.
        heads: attentions beside each other.
        key_features: numbers of a key, for each head.
        value_features: numbers of a value, for each head.
        dropout: see `GatedResidual`.
        context: channels of the conditions' context; None without conditions. They enter where its result does.
    """

    PARTS: ClassVar = {
        "remember": GatedResidual,
        "memory": MaskedConv2d,
        "ask": GatedResidual,
        "query": MaskedConv2d,
        "out": GatedResidual,
    }

    def __init__(
        self,
        maps: int,
        image: int,
        *,
        heads: int,
        key_features: int,
        value_features: int,
        dropout: float,
        context: ContextSizes | None,
    ) -> None:
        super().__init__()
        self.heads, self.key_features, self.value_features = heads, key_features, value_features
        known, asking = image + maps + PLACES, maps + PLACES
        self.remember = GatedResidual(known, 1, dropout=dropout)
        self.memory = _pointwise(known, heads * (key_features + value_features))
        self.ask = GatedResidual(asking, 1, dropout=dropout)
        self.query = _pointwise(asking, heads * key_features)
        self.out = GatedResidual(maps, 1, beside=heads * value_features, dropout=dropout, context=context)

    def forward(self, maps: Tensor, image: Tensor, places: Tensor, context: Context | None = None) -> Tensor:
        """Run over the whole map.

        Args:
            maps: `[B, p, H, W]`.
            image: the maps of the pixels themselves, `[B, m, H, W]`.
            places: as `places_of` gives them.
            context: of the conditions; None without.
        """
        batch, _, height, width = maps.shape
        places = places.to(maps.dtype).expand(batch, -1, -1, -1)
        memory = self.memory(self.remember(torch.cat([image, maps, places], dim=1)))
        keys, values = memory.split([self.heads * self.key_features, self.heads * self.value_features], dim=1)
        queries = self._sequence(self.query(self.ask(torch.cat([maps, places], dim=1))))
        keys, values = (after_a_start(self._sequence(maps)) for maps in (keys, values))
        # PyTorch's fast kernels want keys as long as values, and the numbers of each beside each other in memory.
        most = max(self.key_features, self.value_features)
        queries, keys, values = (
            F.pad(part, (0, most - part.shape[-1])).contiguous() for part in (queries, keys, values)
        )
        scale = 1 / math.sqrt(self.key_features)
        seen = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scale)
        seen = seen[..., : self.value_features].transpose(1, 2)
        seen = seen.reshape(batch, height, width, self.heads * self.value_features)
        result: Tensor = self.out(maps, seen.permute(0, 3, 1, 2), context)
        return result

    def _sequence(self, maps: Tensor) -> Tensor:
        """`[B, heads * d, H, W]` as `[B, heads, H*W, d]`."""
        batch, channels, height, width = maps.shape
        sequence = maps.permute(0, 2, 3, 1).reshape(batch, height * width, self.heads, channels // self.heads)
        return sequence.transpose(1, 2)


def _pointwise(inputs: int, outputs: int) -> MaskedConv2d:
    return MaskedConv2d(ChannelGroups.split(inputs, 1), ChannelGroups.split(outputs, 1), "B")
