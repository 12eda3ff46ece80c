"""What a stepper is: the second way to compute a model, which sampling, completing and decoding use.

A parallel pass computes all sub-pixels at once, from an image that is there already. A stepper computes one after the
other, in raster order, and is told each value before it goes on. What depends on finished rows only is computed once a
row, for the whole row at once; the rest once a sub-pixel, and only for the features of its own colour.

Memory is allocated once, as are the views of it that a step uses: making a view costs as much as a small product. A row
of features is `[B, (reach + W) * channels]`, so that a pixel and its left neighbours are columns beside each other, and
one matrix product takes them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from nextpixel.nn.masks import ChannelGroups


class Stepper(ABC):
    """A model in the middle of a batch of images."""

    @abstractmethod
    def start_row(self, row: int) -> None:
        """Do the work of a row, all values of the rows above being known."""

    @abstractmethod
    def predict(self, column: int, colour: int, *, read: bool) -> Tensor | None:
        """Go on to a sub-pixel of the row, all values before it being known.

        Args:
            column: of the sub-pixel.
            colour: of the sub-pixel.
            read: whether its distribution is needed.

        Returns:
            Its parameters, `[B, parameters]`, valid until the next step; None if they are not needed.
        """

    @abstractmethod
    def tell(self, column: int, colour: int, values: Tensor) -> None:
        """Give the value of the sub-pixel, `[B]` floats in [-1, 1] as the network takes them."""

    def end_row(self) -> None:  # noqa: B027 - most models have nothing to do here
        """Do what remains when all values of the row are known."""

    def known_row(self, values: Tensor) -> None:
        """Go through a row of known values, `[B, C, W]` in [-1, 1]; equal to telling them one after the other."""
        _, colours, width = values.shape
        for column in range(width):
            for colour in range(colours):
                self.predict(column, colour, read=False)
                self.tell(column, colour, values[:, colour, column])
        self.end_row()


class FeatureRow:
    """A row of features of a batch, with room for zeros on its left.

    Args:
        like: of the dtype and on the device of the features.
        batch: B.
        width: W.
        groups: colour groups of the features, contiguous and in order.
        reach: places to the left of a pixel that are looked at.

    Attributes:
        groups: as given.
        reach: as given.
        buffer: the features with the zeros on their left, `[B, reach + W, channels]`.
        places: the features of all places, `[B, W, channels]`.
    """

    def __init__(self, like: Tensor, batch: int, width: int, groups: ChannelGroups, reach: int) -> None:
        self.groups = groups
        size = groups.channels
        self.reach = reach
        buffer = like.new_zeros(batch, (reach + width) * size)
        self.buffer = buffer.view(batch, reach + width, size)
        self.places = self.buffer[:, reach:]
        self.flat = buffer
        self.here = [(reach + column) * size for column in range(width)]

    @cached_property
    def own(self) -> list[list[Tensor]]:
        """For each column and colour the features of the colour at that place, `[B, group]`."""
        spans = list(zip((0, *self.groups.ends[:-1]), self.groups.ends, strict=True))
        return [[self.flat[:, at + a : at + b] for a, b in spans] for at in self.here]

    @cached_property
    def seen(self) -> list[list[Tensor]]:
        """For each column and colour what mask B lets through.

        The features at the `reach` places left of the column, and at it those of colours up to this one:
        `[B, reach * channels + groups so far]`.
        """
        left = self.reach * self.groups.channels
        return [[self.flat[:, at - left : at + end] for end in self.groups.ends] for at in self.here]

    @cached_property
    def before(self) -> list[list[Tensor]]:
        """The same without those of the colour itself: what mask A lets through."""
        left = self.reach * self.groups.channels
        return [[self.flat[:, at - left : at + start] for start in (0, *self.groups.ends[:-1])] for at in self.here]


def products(weight: Tensor, inputs: ChannelGroups, outputs: ChannelGroups, *, own: bool) -> list[Tensor]:
    """The matrices by which a masked convolution takes its centre row, one a colour.

    Args:
        weight: with zeros where the mask hides it, `[outputs, inputs, rows, taps]`; the last row is the centre row, and
            its last visible tap the centre.
        inputs: colour groups of the inputs, contiguous and in order.
        outputs: colour groups of the outputs, in any order.
        own: whether a colour's inputs at the centre are used (mask B) or not (mask A).

    Returns:
        For each colour the matrix from `FeatureRow.seen` (or `before`) to its outputs, in their order.
    """
    reach = weight.shape[3] // 2 if weight.shape[2] > 1 else weight.shape[3] - 1
    centre = weight[:, :, -1, : reach + 1].permute(2, 1, 0).flatten(0, 1)
    left = reach * inputs.channels
    starts = (0, *inputs.ends[:-1])
    matrices = []
    for colour, (start, end) in enumerate(zip(starts, inputs.ends, strict=True)):
        columns = torch.tensor(outputs.of(colour), device=weight.device)
        matrices.append(centre[: left + (end if own else start), columns].contiguous())
    return matrices


def with_bias_row(weight: Tensor, bias: Tensor, inputs: ChannelGroups, outputs: ChannelGroups) -> list[Tensor]:
    """The matrices of a masked 1x1 convolution whose inputs stand after a one, which the bias meets.

    Args:
        weight: with zeros where the mask hides it, `[outputs, inputs, 1, 1]`.
        bias: `[outputs]`.
        inputs: colour groups of the inputs, contiguous and in order.
        outputs: colour groups of the outputs.

    Returns:
        For each colour `[1 + inputs so far, outputs of the colour]`.
    """
    matrix = torch.cat([bias[None], weight[:, :, 0, 0].T])
    return [
        matrix[: 1 + end, torch.tensor(outputs.of(colour), device=bias.device)].contiguous()
        for colour, end in enumerate(inputs.ends)
    ]
