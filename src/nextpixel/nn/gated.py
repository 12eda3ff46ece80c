"""The gated layer of Conditional PixelCNN (arXiv 1606.05328, section 2.1 and figure 2).

    y = tanh(W_f * x) . sigmoid(W_g * x)

Two stacks run beside each other. The vertical stack sees whole rows; the horizontal stack sees the current row up to
the current pixel, and takes what the vertical stack knows of the rows above:

    v_pre = conv_{k x k, rows above}(v) + V h                    2p maps, unmasked
    h_pre = conv_{1 x k, masked}(h) + conv_{1x1}(shift_down(v_pre)) + V' h
    v'    = gate(v_pre)
    h'    = conv_{1x1, mask B}(gate(h_pre)) + h

where h are the conditions, if any (see `nextpixel.nn.conditioning`).

Feature row r of the vertical stack contains image rows up to and including r; the shift is what makes it causal.
Nothing flows from the horizontal to the vertical stack, which has no colour order of its own: all its inputs are in
the past for every colour.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.gate import gate
from nextpixel.nn.masked_conv import MaskedConv2d, RowsAboveConv2d, shift_down
from nextpixel.nn.masks import ChannelGroups

# A gated unit of a normal variable has 0.34 of its deviation. Without a gain to undo that, the vertical stack, which
# has no residual connections, fades away with depth, and the network first has to grow its weights.
GATE_GAIN = 2.9


class Stacks(NamedTuple):
    """What a gated layer hands to the next one and to the head.

    Attributes:
        vertical: `[B, p, H, W]`, row r knows image rows up to and including r.
        horizontal: `[B, p, H, W]`, knows the pixels before the current one, and its earlier colours.
        skip: `[B, p, H, W]` for the head, with the knowledge of `horizontal`; None in a layer without skip.
    """

    vertical: Tensor
    horizontal: Tensor
    skip: Tensor | None


class GatedLayer(nn.Module):
    """One layer of the two stacks.

    Args:
        inputs: colour groups of the horizontal input.
        features: colour groups of the p maps of each stack.
        kernel_size: odd side k of the kernels.
        first: the layer whose inputs are the image: mask A, and no residual connection.
        last: the layer that only the head follows; with `skip` it gives nothing but its skip.
        skip: whether to give maps for the head.
        dropout: probability of zeroing a gated feature of the horizontal stack in training.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {
        "vertical": RowsAboveConv2d,
        "horizontal": MaskedConv2d,
        "link": nn.Conv2d,
        "vertical_condition": ConditionBias,
        "horizontal_condition": ConditionBias,
        "dropout": nn.Dropout,
        "out": MaskedConv2d,
    }

    def __init__(
        self,
        inputs: ChannelGroups,
        features: ChannelGroups,
        kernel_size: int,
        *,
        first: bool = False,
        last: bool = False,
        skip: bool = True,
        dropout: float = 0.0,
        context: ContextSizes | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.features = inputs, features
        self.first = first
        self.skip = skip
        p = features.channels
        pair = features.repeat(2)
        self.vertical = RowsAboveConv2d(inputs.channels, 2 * p, kernel_size, gain=1 if first else GATE_GAIN)
        self.horizontal = MaskedConv2d(inputs, pair, "A" if first else "B", reach=kernel_size // 2)
        self.link = nn.Conv2d(2 * p, 2 * p, 1)
        self.vertical_condition = ConditionBias(context, 2 * p) if context else None
        self.horizontal_condition = ConditionBias(context, 2 * p) if context else None
        self.dropout = nn.Dropout(dropout)
        self.goes_on = not (last and skip)
        out = pair if skip and self.goes_on else features
        self.out = MaskedConv2d(features, out, "B", gain=GATE_GAIN if first else 1)

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Context | None = None) -> Stacks:
        """Run both stacks over the whole map.

        Args:
            vertical: `[B, inputs, H, W]`.
            horizontal: `[B, inputs, H, W]`.
            context: of the conditions; None without.
        """
        vertical_pre = self.vertical(vertical)
        if self.vertical_condition is not None and context is not None:
            vertical_pre = self.vertical_condition(vertical_pre, context)
        horizontal_pre = self.horizontal(horizontal) + self.link(shift_down(vertical_pre))
        if self.horizontal_condition is not None and context is not None:
            horizontal_pre = self.horizontal_condition(horizontal_pre, context)
        out = self.out(self.dropout(gate(horizontal_pre)))
        if not self.goes_on:
            return Stacks(vertical, horizontal, skip=out)
        skip = None
        if self.skip:
            out, skip = out.chunk(2, dim=1)
        return Stacks(gate(vertical_pre), out if self.first else out + horizontal, skip)
