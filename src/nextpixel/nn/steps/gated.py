"""The gated layer (`nextpixel.nn.gated`) step by step.

Once a row, for the whole row: the vertical stack on the finished rows, and what its link gives to the horizontal stack.
Once a sub-pixel: the horizontal stack, for the features of its colour, with few operations, as each costs microseconds
however small its operands are:

    a = base + W_now (h to the left and here)        one product; base is all that the row gives
    s = sigmoid(a)                                   the rows of W for tanh are doubled: tanh(x) = 2 sigmoid(2x) - 1
    y = s_g - 2 s_f s_g                              minus the gated features; the products after it take the minus
    h' = h + W_out [1, y]                            one product with the bias as its first row
"""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.gate import gate
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow, with_bias_row
from nextpixel.nn.steps.rows_above import RowOffset, RowsAbove


class GatedStep:
    """One layer of the two stacks.

    Args:
        layer: the layer.
        inputs: the row of the layer's horizontal inputs; the layer reads it.
        outputs: the row of its horizontal outputs, which it writes; None if only skips leave the layer.
        gated: where its gated features go, `[B, 1 + p]`, after a column of ones.
        context: of the conditions, or None.
    """

    def __init__(
        self, layer: GatedLayer, inputs: FeatureRow, outputs: FeatureRow | None, gated: Tensor, context: Context | None
    ) -> None:
        self.layer, self.inputs, self.outputs = layer, inputs, outputs
        batch, width = inputs.places.shape[:2]
        features = layer.features
        pair = features.repeat(2)
        # Colour by colour, features before gates, those of tanh doubled.
        order = pair.by_colour
        scale = torch.ones_like(layer.horizontal.bias)
        scale[: features.channels] = 2
        horizontal = (layer.horizontal.visible_weight * scale[:, None, None, None])[order]
        link_bias = layer.link.bias
        assert link_bias is not None
        offset = RowOffset(
            link_bias + layer.horizontal.bias, layer.horizontal_condition, context, scale=scale, order=order
        )
        self.horizontal = MaskedConvStep(horizontal, layer.horizontal.kind, inputs, pair.in_order, offset)
        self.link = (layer.link.weight[:, :, 0, 0] * scale[:, None])[order].T.contiguous()
        self.vertical = RowsAbove(layer.vertical.weight, batch, width)
        self.vertical_offset = RowOffset(layer.vertical.bias, layer.vertical_condition, context)
        self.vertical_maps = horizontal.new_zeros(width, batch, pair.channels)
        self.activations = [horizontal.new_empty(batch, len(members)) for members in pair.members]
        self.halves = [activation.chunk(2, dim=1) for activation in self.activations]
        self.own = features.pieces(gated[None, :, 1:])[0]
        self.so_far = [gated[:, : 1 + end] for end in features.ends]
        weight, bias = layer.out.visible_weight[: features.channels], layer.out.bias[: features.channels]
        self.out = with_bias_row(-weight, bias, features, features) if outputs is not None else []

    def start_row(self, row: int, finished: Tensor | None) -> Tensor | None:
        """Run the vertical stack on the row above.

        Args:
            row: which row is to come.
            finished: what the vertical stack sees of the row above, `[W, B, inputs]`; None before the first row.

        Returns:
            The same of the next layer.
        """
        self.horizontal.start_row(row)
        if finished is None:
            return None
        self.vertical.add_row().copy_(finished)
        maps = self.vertical_maps
        self.vertical_offset.put_into(maps, row - 1)
        self.vertical.add_to(maps)
        self.horizontal.base.view(-1, maps.shape[2]).addmm_(maps.view(-1, maps.shape[2]), self.link)
        return gate(maps.view(-1, maps.shape[2])).view(*maps.shape[:2], -1) if self.outputs is not None else maps

    def step(self, column: int, colour: int) -> None:
        """Run the horizontal stack at a sub-pixel."""
        self.horizontal.step(column, colour, out=self.activations[colour]).sigmoid_()
        features, gates = self.halves[colour]
        torch.addcmul(gates, features, gates, value=-2, out=self.own[colour])
        if self.outputs is not None:
            out = self.outputs.own[column][colour]
            if self.layer.first:
                torch.mm(self.so_far[colour], self.out[colour], out=out)
            else:
                torch.addmm(self.inputs.own[column][colour], self.so_far[colour], self.out[colour], out=out)
