"""Masked convolutions in integers, whole rows or single sub-pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.codec.integers import Rounded, Sum
from nextpixel.nn.masks import ChannelGroups, MaskKind
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.rows_above import RowOffset


class ConvolutionTwinStep:
    """A masked convolution: the sums of `MaskedConvStep`, in integers, and rounded to activations.

    Args:
        own: its integers; the first part is the convolution.
        kind: of the mask.
        inputs: the row of its inputs.
        outputs: colour groups of its outputs.
        largest: the largest integer of its outputs.
        labels: `[B]`, which bias each image has.
        like: of the carrier's dtype and device.
    """

    def __init__(
        self,
        layer: Sum,
        kind: MaskKind,
        inputs: FeatureRow,
        outputs: ChannelGroups,
        largest: int,
        labels: Tensor,
        like: Tensor,
    ) -> None:
        order, groups = outputs.by_colour, outputs.in_order
        bias = layer.bias_of(labels)[:, order].to(like)
        self.sums = MaskedConvStep(layer.weights[0][order].to(like), kind, inputs, groups, RowOffset(bias))
        scale = layer.scale[order]
        self.round = Rounded(scale, largest, like)
        self.rounds = [Rounded(scale[span], largest, like) for span in groups.spans]

    def start_row(self, row: int) -> None:
        """See `MaskedConvStep`."""
        self.sums.start_row(row)

    def whole_row(self) -> Tensor:
        """The outputs, colour by colour, at all places of a row of which all inputs are known, `[W, B, outputs]`."""
        return self.round(self.sums.whole_row())

    def step(self, column: int, colour: int) -> Tensor:
        """The outputs of a colour at a place, `[B, group]`."""
        return self.rounds[colour](self.sums.step(column, colour))


class Product:
    """A masked 1x1 convolution, of all colours or of one.

    Args:
        own: its integers; its parts stand beside each other.
        inputs: colour groups of its inputs, in order; None if every colour is given the inputs of all, where the zeros
            of the mask hide those that it must not see.
        outputs: colour groups of its outputs.
        largest: the largest integer of its outputs.
        like: of the carrier's dtype and device.
    """

    def __init__(
        self, layer: Sum, inputs: ChannelGroups | None, outputs: ChannelGroups, largest: int, like: Tensor
    ) -> None:
        weight = torch.cat(layer.weights, dim=1).T.to(like)
        self.weight, self.bias = weight.contiguous(), layer.bias[0].to(like)
        self.round = Rounded(layer.scale, largest, like)
        members = outputs.members
        ends = [len(weight)] * len(members) if inputs is None else inputs.ends
        self.weights = [weight[:end, channels].contiguous() for end, channels in zip(ends, members, strict=True)]
        self.biases = [self.bias[channels] for channels in members]
        self.rounds = [Rounded(layer.scale[channels], largest, like) for channels in members]

    def whole(self, maps: Tensor) -> Tensor:
        """Of all colours at once, `[..., outputs]`."""
        return self.round(torch.matmul(maps, self.weight).add_(self.bias))

    def of(self, colour: int, maps: Tensor) -> Tensor:
        """Of one colour, `[B, group]`, from the inputs of colours up to it."""
        return self.rounds[colour](torch.addmm(self.biases[colour], maps, self.weights[colour]))
