"""The gated residual layer (`nextpixel.nn.gated_residual`) step by step, a pixel at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated_residual import GatedResidual
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.rows_above import RowOffset


class GatedResidualStep:
    """One layer.

    Args:
        layer: the module.
        batch: B.
        width: W.
        context: of the conditions, or None.
    """

    def __init__(self, layer: GatedResidual, batch: int, width: int, context: Context | None) -> None:
        like, maps, reach = layer.first.bias, layer.maps, layer.first.reach
        self.active, self.between = (FeatureRow(like, batch, width, maps, reach) for _ in range(2))
        self.first = MaskedConvStep(layer.first.visible_weight, "B", self.active, maps, RowOffset(layer.first.bias))
        self.beside = None if layer.beside is None else layer.beside.weight[:, :, 0, 0].T.contiguous()
        offset = RowOffset(layer.second.bias, layer.condition, context)
        self.second = MaskedConvStep(layer.second.visible_weight, "B", self.between, maps.repeat(2), offset)

    def start_row(self, row: int) -> None:
        """Do the work of a row, the rows above being finished."""
        self.first.start_row(row)
        self.second.start_row(row)

    def step(self, column: int, maps: Tensor, beside: Tensor | None = None) -> Tensor:
        """Run the layer at a pixel: `[B, maps]`, and those of the other stream, to `[B, maps]`."""
        self.active.own[column][0].copy_(F.elu(maps))
        between = self.first.step(column, 0)
        if self.beside is not None and beside is not None:
            between = torch.addmm(between, F.elu(beside), self.beside)
        self.between.own[column][0].copy_(F.elu(between))
        return maps + F.glu(self.second.step(column, 0), dim=1)
