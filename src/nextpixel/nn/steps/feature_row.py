"""A row of features, and the matrices that take a place of it.

A row is `[B, (reach + W) * channels]`, so that a pixel and its left neighbours are columns beside each other, and one
matrix product takes them all. The views that a step uses are made once: making one costs as much as a small product.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from nextpixel.nn.masks import ChannelGroups


class FeatureRow:
    """A row of features of a batch, with room for zeros on its left.

    Args:
        like: of the dtype and on the device of the features.
        batch: B.
        width: W.
        groups: colour groups of the features, contiguous and in order.
        reach: places to the left of a pixel that are looked at.
        memory: where another row of the same size has its features, to share it; None for memory of its own.

    Attributes:
        groups: as given.
        reach: as given.
        buffer: the features with the zeros on their left, `[B, reach + W, channels]`.
        places: the features of all places, `[B, W, channels]`.
    """

    def __init__(
        self,
        like: Tensor,
        batch: int,
        width: int,
        groups: ChannelGroups,
        reach: int,
        memory: Tensor | None = None,
    ) -> None:
        self.groups = groups
        size = groups.channels
        self.reach = reach
        buffer = like.new_zeros(batch, (reach + width) * size) if memory is None else memory
        self.buffer = buffer.view(batch, reach + width, size)
        self.places = self.buffer[:, reach:]
        self.flat = buffer
        self.here = [(reach + column) * size for column in range(width)]

    def of_one_colour(self) -> FeatureRow:
        """The same row in the same memory, for a layer to which all its features belong alike."""
        groups = ChannelGroups.split(self.groups.channels, 1)
        return FeatureRow(self.flat, len(self.flat), len(self.here), groups, self.reach, self.flat)

    @cached_property
    def own(self) -> list[list[Tensor]]:
        """For each column and colour the features of the colour at that place, `[B, group]`."""
        return [[self.flat[:, at + span.start : at + span.stop] for span in self.groups.spans] for at in self.here]

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
        return [[self.flat[:, at - left : at + span.start] for span in self.groups.spans] for at in self.here]


def products(weight: Tensor, inputs: ChannelGroups, outputs: ChannelGroups, *, includes_itself: bool) -> list[Tensor]:
    """The matrices by which a masked convolution takes its centre row, one a colour.

    Args:
        weight: with zeros where the mask hides it, `[outputs, inputs, rows, taps]`; the last row is the centre row, and
            its last visible tap the centre.
        inputs: colour groups of the inputs, contiguous and in order.
        outputs: colour groups of the outputs, in any order.
        includes_itself: whether a colour's inputs at the centre are used (mask B) or not (mask A).

    Returns:
        For each colour the matrix from `FeatureRow.seen` (or `before`) to its outputs, in their order.
    """
    reach = weight.shape[3] // 2 if weight.shape[2] > 1 else weight.shape[3] - 1
    centre = weight[:, :, -1, : reach + 1].permute(2, 1, 0).flatten(0, 1)
    left = reach * inputs.channels
    return [
        centre[: left + (span.stop if includes_itself else span.start), members].contiguous()
        for span, members in zip(inputs.spans, outputs.members, strict=True)
    ]


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
    return [matrix[: 1 + end, members].contiguous() for end, members in zip(inputs.ends, outputs.members, strict=True)]
