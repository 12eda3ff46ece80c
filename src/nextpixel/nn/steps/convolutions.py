"""PixelCNN's core (`nextpixel.nn.convolutions`) and first convolution step by step."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.convolutions import Convolutions
from nextpixel.nn.masks import ChannelGroups, MaskKind
from nextpixel.nn.steps.feature_row import FeatureRow, products
from nextpixel.nn.steps.rows_above import RowOffset, RowsAbove


class MaskedConvStep:
    """A masked convolution: what the rows above give it once a row, the rest at each sub-pixel.

    Args:
        weight: with zeros where the mask hides it, `[outputs, inputs, rows, taps]`.
        kind: of the mask.
        inputs: the row of its inputs, which reaches as far to the left as its kernel.
        outputs: colour groups of its outputs, contiguous and in order.
        offset: its bias, with what the conditions add.
    """

    def __init__(
        self, weight: Tensor, kind: MaskKind, inputs: FeatureRow, outputs: ChannelGroups, offset: RowOffset
    ) -> None:
        self.inputs, self.offset = inputs, offset
        batch, width = inputs.places.shape[:2]
        self.now = products(weight, inputs.groups, outputs, includes_itself=kind == "B")
        self.seen = inputs.seen if kind == "B" else inputs.before
        self.above = RowsAbove(weight[:, :, :-1], batch, width) if weight.shape[2] > 1 else None
        self.base = weight.new_zeros(width, batch, outputs.channels)
        self.bases = outputs.pieces(self.base)
        self.weight = weight

    @cached_property
    def taps(self) -> Tensor:
        """The matrix of each place that the centre row looks at, `[reach + 1, inputs, outputs]`."""
        return self.weight[:, :, -1, : self.inputs.reach + 1].permute(2, 1, 0).contiguous()

    def start_row(self, row: int) -> None:
        """Take the finished row of inputs, and what the rows above give to this one. Row 0 begins new images."""
        self.offset.put_into(self.base, row)
        if self.above is None:
            return
        if row:
            self.above.add_row().copy_(self.inputs.places.transpose(0, 1))
            self.above.add_to(self.base)
        else:
            self.above.clear()

    def step(self, column: int, colour: int, out: Tensor | None = None) -> Tensor:
        """The outputs of a colour at a place, `[B, group]`."""
        return torch.addmm(self.bases[column][colour], self.seen[column][colour], self.now[colour], out=out)

    def whole_row(self) -> Tensor:
        """The outputs at all places of a row of which all inputs are known, `[W, B, outputs]`."""
        width = len(self.base)
        for tap, matrix in enumerate(self.taps):
            self.base.add_(self.inputs.buffer[:, tap : tap + width].transpose(0, 1) @ matrix)
        return self.base


class ConvolutionsStep:
    """The core of a residual block.

    Args:
        core: the module.
        maps: the row of its inputs.
        context: of the conditions, or None.
    """

    def __init__(self, core: Convolutions, maps: FeatureRow, context: Context | None) -> None:
        batch, width = maps.places.shape[:2]
        hidden = core.hidden
        like = core.narrow.bias
        self.own = maps.own
        # The inputs after their ReLU are needed at one place only.
        self.active = FeatureRow(like, batch, 1, maps.groups, reach=0)
        self.narrow = MaskedConvStep(core.narrow.visible_weight, "B", self.active, hidden, RowOffset(core.narrow.bias))
        self.narrow.start_row(0)
        self.middle = FeatureRow(like, batch, width, hidden, core.reach)
        self.wide = MaskedConvStep(
            core.wide.visible_weight, "B", self.middle, hidden, RowOffset(core.wide.bias, core.condition, context)
        )
        self.narrow_whole = core.narrow.visible_weight[:, :, 0, 0].T.contiguous(), core.narrow.bias

    def start_row(self, row: int) -> None:
        """Do the work of a row."""
        self.wide.start_row(row)

    def step(self, column: int, colour: int, out: Tensor) -> None:
        """Put the h features of a colour at a place into `[B, group]`."""
        torch.clamp_min(self.own[column][colour], 0, out=self.active.own[0][colour])
        self.narrow.step(0, colour, out=self.middle.own[column][colour]).clamp_min_(0)
        torch.clamp_min(self.wide.step(column, colour), 0, out=out)

    def whole_row(self, maps: Tensor) -> Tensor:
        """The h features at all places of a row of known maps `[B, W, 2h]`, as `[W, B, h]`."""
        weight, bias = self.narrow_whole
        self.middle.places.copy_((maps.clamp_min(0) @ weight + bias).clamp_min(0))
        return self.wide.whole_row().clamp_min(0)
