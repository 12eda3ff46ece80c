"""The models of arXiv 1601.06759 step by step: the frame of `nextpixel.families.residual_network` around any core."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from nextpixel.families.residual_network import ResidualNetwork, check_frame
from nextpixel.nn.residual import Core
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.head import HeadStep
from nextpixel.nn.steps.residual import CoreStep, ResidualStep
from nextpixel.nn.steps.rows_above import RowOffset
from nextpixel.nn.steps.stepper import Stepper


class ResidualStepper(Stepper):
    """A residual network in the middle of a batch.

    Args:
        model: the model.
        batch: B.
        width: of the images.
        kind: class of the blocks' cores.
        core_steps: makes the steps of the cores, given the rows of their inputs.
        beyond: columns beyond the image on its right, of which the features are computed as well.
    """

    repeats = True

    def __init__(
        self,
        model: ResidualNetwork[Core],
        batch: int,
        width: int,
        kind: type[Core],
        core_steps: Callable[[Sequence[Core], Sequence[FeatureRow]], Sequence[CoreStep]],
        beyond: int = 0,
    ) -> None:
        blocks = check_frame(model, kind, "steps")
        like, width = model.readout.hidden.weight, width + beyond
        maps, reach = blocks[0].maps, model.reach_in_row
        first = model.first
        image = FeatureRow(like, batch, width, model.image_maps.groups, first.reach)
        super().__init__(image, model.image_maps, HeadStep(model.readout, batch))
        self.rows = [FeatureRow(like, batch, width, maps, reach) for _ in range(len(blocks) + 1)]
        self.first = MaskedConvStep(first.visible_weight, "A", self.image, maps, RowOffset(first.bias))
        skips = like.new_zeros(batch, maps.channels)
        self.skips = maps.pieces(skips[None])[0] if blocks[0].skip else None
        self.blocks = [
            ResidualStep(block, core, self.rows[index], self.rows[index + 1] if block.goes_on else None, self.skips)
            for index, (block, core) in enumerate(
                zip(blocks, core_steps([block.core for block in blocks], self.rows[:-1]), strict=True)
            )
        ]

    def start_row(self, row: int) -> None:
        """See `Stepper`."""
        self.first.start_row(row)
        for block in self.blocks:
            block.start_row(row)

    def compute(self, column: int, colour: int) -> Tensor:
        """See `Stepper`."""
        self.first.step(column, colour, out=self.rows[0].own[column][colour])
        if self.skips is not None:
            self.skips[colour].zero_()
        for block in self.blocks:
            block.step(column, colour)
        return self.rows[-1].own[column][colour] if self.skips is None else self.skips[colour]

    def known_row(self, values: Tensor) -> None:
        """See `Stepper`."""
        self.fill(values)
        self.rows[0].places.copy_(self.first.whole_row().transpose(0, 1))
        for block in self.blocks:
            block.whole_row()
