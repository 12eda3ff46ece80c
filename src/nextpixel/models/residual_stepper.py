"""The models of arXiv 1601.06759 step by step: the frame of `nextpixel.models.residual_network` around any core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from nextpixel.models.residual_network import ResidualNetwork
from nextpixel.nn.conditioning import Context
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.residual import ResidualBlock
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.readout import ReadoutStep
from nextpixel.nn.steps.residual import CoreStep, ResidualStep
from nextpixel.nn.steps.rows_above import RowOffset
from nextpixel.nn.steps.stepper import FeatureRow, Stepper


class ResidualStepper(Stepper):
    """A residual network in the middle of a batch.

    Args:
        model: the model.
        batch: B.
        context: of the conditions, or None.
        core_step: makes the step of a block's core, given the core, the row of its inputs and the context.
        beyond: columns beyond the image on its right, of which the features are computed as well.
    """

    def __init__(
        self,
        model: ResidualNetwork,
        batch: int,
        context: Context | None,
        core_step: Callable[[Any, FeatureRow, Context | None], CoreStep],
        beyond: int = 0,
    ) -> None:
        like, width = model.readout.hidden.weight, model.image_shape[2] + beyond
        blocks = [block for block in model.blocks if isinstance(block, ResidualBlock)]
        maps, reach = blocks[0].maps, model.reach_in_row
        channels = model.image_shape[0]
        first = model.first
        self.image = FeatureRow(like, batch, width, ChannelGroups.split(channels, channels), first.reach)
        self.values = [[own[:, 0] for own in place] for place in self.image.own]
        self.rows = [FeatureRow(like, batch, width, maps, reach) for _ in range(len(blocks) + 1)]
        self.first = MaskedConvStep(first.visible_weight, "A", self.image, maps, RowOffset(first.bias))
        skips = like.new_zeros(batch, maps.channels)
        self.skips = list(maps.pieces(skips[None])[0]) if blocks[0].skip else None
        self.blocks = [
            ResidualStep(
                block,
                core_step(block.core, self.rows[index], context),
                self.rows[index],
                self.rows[index + 1] if block.goes_on else None,
                self.skips,
            )
            for index, block in enumerate(blocks)
        ]
        self.readout = ReadoutStep(model.readout, batch)

    def start_row(self, row: int) -> None:
        """See `Stepper`."""
        self.first.start_row(row)
        for block in self.blocks:
            block.start_row(row)

    def compute(self, column: int, colour: int) -> None:
        """Compute the features of a sub-pixel."""
        self.first.step(column, colour, out=self.rows[0].own[column][colour])
        if self.skips is not None:
            self.skips[colour].zero_()
        for block in self.blocks:
            block.step(column, colour)

    def predict(self, column: int, colour: int, *, read: bool) -> Tensor | None:
        """See `Stepper`."""
        self.compute(column, colour)
        maps = self.rows[-1].own[column][colour] if self.skips is None else self.skips[colour]
        if read:
            return self.readout.read(colour, maps)
        self.readout.prepare(colour, maps)
        return None

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        """See `Stepper`."""
        self.values[column][colour].copy_(values)

    def known_row(self, values: Tensor) -> None:
        """See `Stepper`."""
        self.image.places.copy_(values.transpose(1, 2))
        self.rows[0].places.copy_(self.first.whole_row().transpose(0, 1))
        for block in self.blocks:
            block.whole_row()
