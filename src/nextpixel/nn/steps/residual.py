"""The residual block (`nextpixel.nn.residual`) step by step, around any core."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from nextpixel.nn.residual import Core, ResidualBlock
from nextpixel.nn.steps.feature_row import FeatureRow, with_bias_row


class CoreStep(Protocol):
    """A core step by step."""

    def start_row(self, row: int) -> None:
        """Do the work of a row, the rows above being finished."""

    def step(self, column: int, colour: int, out: Tensor) -> None:
        """Put the h features of a colour at a place into `[B, group]`."""

    def whole_row(self, maps: Tensor) -> Tensor:
        """The h features at all places of a row of known maps `[B, W, 2h]`, as `[W, B, h]`."""


class ResidualStep:
    """A block: its core, the convolution that widens the core's maps, and the connections around it.

    Args:
        block: the module.
        core: its core's step, which reads `inputs`.
        inputs: the row of the block's inputs.
        outputs: the row of its outputs, which it writes; None if only skips leave the block.
        skips: the sum of all blocks' skips at the current pixel, `[B, group]` a colour; None without.
    """

    def __init__(
        self,
        block: ResidualBlock[Core],
        core: CoreStep,
        inputs: FeatureRow,
        outputs: FeatureRow | None,
        skips: list[Tensor] | None,
    ) -> None:
        self.core, self.inputs, self.outputs, self.skips = core, inputs, outputs, skips
        hidden, maps = block.hidden, block.maps
        batch = inputs.places.shape[0]
        weight, bias = block.out.visible_weight[:, :, 0, 0].T, block.out.bias
        self.residual = block.residual
        # After a one, by which the products take the bias.
        features = weight.new_ones(batch, 1 + hidden.channels)
        self.own = hidden.pieces(features[None, :, 1:])[0]
        self.so_far = [features[:, : 1 + end] for end in hidden.ends]
        self.whole = weight[:, : maps.channels], bias[: maps.channels]
        pieces = torch.split_with_sizes(block.out.visible_weight, [maps.channels] * (len(bias) // maps.channels))
        biases = torch.split_with_sizes(bias, [maps.channels] * len(pieces))
        both = [with_bias_row(piece, bias, hidden, maps) for piece, bias in zip(pieces, biases, strict=True)]
        self.out, self.skip = both[0], both[-1]

    def start_row(self, row: int) -> None:
        """Do the work of a row."""
        self.core.start_row(row)

    def step(self, column: int, colour: int) -> None:
        """Run the block at a sub-pixel."""
        self.core.step(column, colour, self.own[colour])
        features = self.so_far[colour]
        if self.outputs is not None:
            out = self.outputs.own[column][colour]
            if self.residual:
                torch.addmm(self.inputs.own[column][colour], features, self.out[colour], out=out)
            else:
                torch.mm(features, self.out[colour], out=out)
        if self.skips is not None:
            self.skips[colour].addmm_(features, self.skip[colour])

    def whole_row(self) -> None:
        """Run the block over a row of which all inputs are known; it writes its outputs, and no skips."""
        features = self.core.whole_row(self.inputs.places)
        if self.outputs is not None:
            maps = (features @ self.whole[0] + self.whole[1]).transpose(0, 1)
            self.outputs.places.copy_(maps + self.inputs.places if self.residual else maps)
