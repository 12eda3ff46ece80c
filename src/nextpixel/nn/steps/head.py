"""The head (`nextpixel.nn.head`) step by step."""

from __future__ import annotations

from torch import Tensor

from nextpixel.nn.head import Head
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.rows_above import RowOffset


class HeadStep:
    """The two convolutions of the head at one pixel, colour by colour.

    Args:
        readout: the module.
        batch: B.
    """

    def __init__(self, readout: Head, batch: int) -> None:
        self.activation = readout.activation
        like = readout.hidden.weight
        self.maps, self.hidden = (
            FeatureRow(like, batch, 1, groups, 0) for groups in (readout.features, readout.groups)
        )
        outputs = ChannelGroups.split(readout.channels * readout.numbers, readout.channels)
        self.first = _at_one_pixel(readout.hidden, self.maps, readout.groups)
        self.second = _at_one_pixel(readout.output, self.hidden, outputs)

    def read(self, colour: int, maps: Tensor) -> Tensor:
        """The parameters of a sub-pixel, `[B, parameters]`, from the features of its colour, `[B, group]`.

        The colours of a pixel are to be read in order, none left out.
        """
        self.prepare(colour, maps)
        return self.second.step(0, colour)

    def prepare(self, colour: int, maps: Tensor) -> None:
        """Take the features of a colour whose distribution is not asked for; later colours see them."""
        self.maps.own[0][colour].copy_(self.activation(maps))
        self.hidden.own[0][colour].copy_(self.activation(self.first.step(0, colour)))


def _at_one_pixel(conv: MaskedConv2d, inputs: FeatureRow, outputs: ChannelGroups) -> MaskedConvStep:
    """A 1x1 convolution whose inputs are kept for the current pixel only."""
    step = MaskedConvStep(conv.visible_weight, "B", inputs, outputs, RowOffset(conv.bias))
    step.start_row(0)
    return step
