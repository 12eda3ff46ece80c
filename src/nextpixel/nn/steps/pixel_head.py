"""The head of pixels' features (`nextpixel.nn.pixel_head`) step by step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.pixel_head import PixelHead
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.rows_above import RowOffset


class PixelHeadStep:
    """The head at one pixel, colour by colour.

    Args:
        readout: the module.
        batch: B.
    """

    def __init__(self, readout: PixelHead, batch: int) -> None:
        like, bias = readout.hidden.weight, readout.hidden.bias
        assert bias is not None
        self.weight, self.bias = like[:, :, 0, 0].T.contiguous(), bias
        self.spans = readout.groups.spans
        self.pixel = FeatureRow(like, batch, 1, readout.image, 0)
        self.hidden = FeatureRow(like, batch, 1, readout.groups, 0)
        self.colours = None
        if readout.colours is not None:
            offset = RowOffset(readout.colours.bias)
            self.colours = MaskedConvStep(readout.colours.visible_weight, "A", self.pixel, readout.groups, offset)
            self.colours.start_row(0)
        outputs = ChannelGroups.split(readout.channels * readout.numbers, readout.channels)
        self.output = MaskedConvStep(
            readout.output.visible_weight, "B", self.hidden, outputs, RowOffset(readout.output.bias)
        )
        self.output.start_row(0)
        self.all = self.hidden.flat

    def read(self, colour: int, maps: Tensor) -> Tensor:
        """The parameters of a sub-pixel, `[B, parameters]`, from the features of its pixel, `[B, p]`.

        The colours of a pixel are to be read in order, none left out, and told (`tell`) in between.
        """
        self.prepare(colour, maps)
        return self.output.step(0, colour)

    def prepare(self, colour: int, maps: Tensor) -> None:
        """Go on to a colour whose distribution is not asked for."""
        if colour == 0:
            torch.addmm(self.bias, F.elu(maps), self.weight, out=self.all)
        hidden = self.hidden.own[0][colour]
        if self.colours is not None:
            hidden += self.colours.step(0, colour)
        F.elu_(hidden)

    def tell(self, colour: int, values: Tensor) -> None:
        """Give what the network sees of a colour, `[B, maps of a colour]`."""
        self.pixel.own[0][colour].copy_(values)
