"""What the lowering of all families has in common: weights become integers, and operations stand one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.nn.masks import ChannelGroups, MaskKind, visible_channels
from nextpixel.plan.integers import ONE, integer_sum
from nextpixel.plan.integers import Part as Inputs
from nextpixel.plan.operations import Image, Operation, Part, Program, Sum, Tap
from nextpixel.plan.stored_model import StoredModel

Doubles = NDArray[np.float64]

LEAST_STEPS = 256
"""Of what makes 1 in the maps of an image with learned features."""


class Kernel(NamedTuple):
    """A convolution of one map.

    Attributes:
        source: name of the map.
        weight: `[outputs, channels, rows, columns]`; what a mask hides is 0.
        row: of the first tap, beside the pixel's.
        column: likewise.
        largest: the largest absolute integer of the map.
        steps: how many integer steps of it make 1.
        hidden_right: whether the taps right of the pixel in its own row are none.
    """

    source: str
    weight: Doubles
    row: int
    column: int
    largest: int
    steps: int = ONE
    hidden_right: bool = True


class Builder:
    """A program that grows.

    Args:
        model: the model.
        ranges: bits of the integer parts of its activations.
        limit: below which every possible sum stays.
        head_limit: likewise, for the sums of the head.

    Attributes:
        image: colours of the image's maps.
        image_largest: the largest absolute integer of them.
        image_steps: how many integer steps of them make 1.
        bounds: of the activations, in the order of `ranges`.
    """

    def __init__(self, model: StoredModel, ranges: Sequence[int], limit: float, head_limit: float) -> None:
        self.model, self.limit, self.head_limit = model, limit, head_limit
        self.colours = model.image_shape[0]
        self.classes = model.classes
        self.bounds = [ONE << bits for bits in ranges]
        self.operations: list[Operation] = []
        self.least_bits = 64
        table, self.image_steps = _image_table(model)
        self.image = ChannelGroups.split(self.colours * table.shape[1], self.colours)
        self.image_largest = int(np.abs(table).max())
        self.operations.append(Image("image", self.image, table))

    def add(self, operation: Operation) -> str:
        """Put an operation at the end; its name."""
        self.operations.append(operation)
        return operation.name

    def masked(self, name: str, inputs: ChannelGroups, outputs: ChannelGroups, kind: MaskKind) -> Doubles:
        """The weight of a masked convolution, 0 where the mask hides it at the pixel itself; `[o, i, rows, columns]`.

        The kernel has as many columns left of the pixel as above it to the left.
        """
        weight = self.model.doubles(f"{name}.weight")
        rows, columns = weight.shape[2:]
        centre = columns - 1 if rows == 1 else columns // 2
        weight[:, :, -1, centre] *= visible_channels(inputs, outputs, kind)
        weight[:, :, -1, centre + 1 :] = 0
        return weight

    def conditions(self, bias: Doubles, condition: str | None = None) -> Doubles:
        """A bias for each condition, `[conditions, outputs]`.

        Args:
            bias: `[outputs]`.
            condition: name of the weights of the labels; None where nothing depends on them here.
        """
        biases = np.broadcast_to(bias[None], (max(1, self.classes), len(bias)))
        if condition is not None and self.classes:
            biases = biases + self.model.doubles(f"{condition}.vector").T
        return biases

    def sum(
        self,
        name: str,
        groups: ChannelGroups,
        kernels: Sequence[Kernel],
        bias: Doubles,
        largest: int,
        *,
        head: bool = False,
    ) -> str:
        """Put a sum at the end; its name.

        Args:
            name: of the map.
            groups: the colours of its channels.
            kernels: what is summed.
            bias: `[conditions, outputs]`.
            largest: bound of the result.
            head: whether the limit of the head holds.
        """
        limit = self.head_limit if head else self.limit
        parts, integers, scale = self.integers(kernels, bias, limit)
        return self.add(Sum(name, groups, parts, integers, scale, largest, limit=limit))

    def integers(
        self, kernels: Sequence[Kernel], bias: Doubles, limit: float
    ) -> tuple[tuple[Part, ...], Doubles, Doubles]:
        """Parts, bias and scale of a sum, in integers."""
        total = integer_sum([Inputs(kernel.weight, kernel.largest, kernel.steps) for kernel in kernels], bias, limit)
        self.least_bits = min(self.least_bits, int(total.bits.min()))
        parts = tuple(
            Part(kernel.source, _taps(kernel, weight)) for kernel, weight in zip(kernels, total.weights, strict=True)
        )
        return parts, total.bias, total.scale

    def program(self, beyond: int = 0) -> Program:
        """The program."""
        return Program(tuple(self.operations), self.model.levels, self.colours, self.least_bits, beyond)


def _taps(kernel: Kernel, weight: Doubles) -> tuple[Tap, ...]:
    rows, columns = weight.shape[2:]
    return tuple(
        Tap(kernel.row + row, kernel.column + column, np.ascontiguousarray(weight[:, :, row, column]))
        for row in range(rows)
        for column in range(columns)
        if not (kernel.hidden_right and kernel.row + row == 0 and kernel.column + column > 0)
    )


def _image_table(model: StoredModel) -> tuple[Doubles, int]:
    """What stands for each level of a sub-pixel, `[levels, maps of a colour]`, and how many of its steps make 1."""
    levels = model.levels
    numbers: Doubles = 2.0 * np.arange(levels, dtype=np.float64) - (levels - 1)
    steps = levels - 1
    if "image_maps.features" not in model.weights:
        return numbers[:, None], steps
    while steps < LEAST_STEPS:
        steps *= 2
    features = np.rint(model.doubles("image_maps.features") * steps)
    return np.concatenate([(numbers * (steps // (levels - 1)))[:, None], features], axis=1), steps
