"""Programs in integers, for the codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError
from nextpixel.nn.enlargement import STRIDE_OF_KERNEL, padding
from nextpixel.plan.cells import LARGEST_MEMORY, MEMORY_BITS
from nextpixel.plan.integers import MOST_RANGE_BITS, ONE, WIDE_LIMIT, Part, integer_sum
from nextpixel.plan.lowering.builder import Builder, Kernel, Numbers
from nextpixel.plan.operations import Enlarging
from nextpixel.plan.stored_model import StoredModel

Doubles = NDArray[np.float64]

OTHER_RANGES = "the ranges of the activations do not fit the model"

MOST_NUMBERS_OF_PLACES = 2**26
"""Of one image, which are all kept while it is coded."""

LEAST_STEPS = 256
"""Of what makes 1 in the maps of an image with learned features."""


class IntegerBuilder(Builder):
    """A program in integers that grows.

    Args:
        model: the model, without a condition or conditioned on labels.
        ranges: bits of the integer parts of its activations, and perhaps of others after them; None for the most.
        limit: below which every possible sum stays.
        head_limit: likewise, for the sums of the head.
    """

    def __init__(self, model: StoredModel, ranges: Sequence[int] | None, limit: float, head_limit: float) -> None:
        table, steps = _image_table(model)
        super().__init__(model, table, int(np.abs(table).max()), steps)
        self.ranges, self.limit, self.head_limit = ranges, limit, head_limit
        self.classes = model.classes
        self.bits = 64

    def _bound(self, number: int) -> int:
        if self.ranges is None:
            return ONE << MOST_RANGE_BITS
        if number >= len(self.ranges):
            raise ModelError(OTHER_RANGES)
        return ONE << self.ranges[number]

    def _with_condition(self, bias: Doubles, condition: str | None) -> Doubles:
        biases = np.broadcast_to(bias[None], (max(1, self.classes), len(bias)))
        if condition is not None and self.classes:
            biases = biases + self.model.doubles(f"{condition}.vector").T
        return biases

    def enlarge(self, module: str) -> tuple[Enlarging, ...]:
        """Give the maps that a network makes of a smaller image.

        Args:
            module: the network (`nextpixel.nn.conditioning.Upsampling`).

        Raises:
            ModelError: it is no such network, or its maps are too large.
        """
        layers: list[Enlarging] = []
        largest, steps = self.model.levels - 1, self.model.levels - 1
        for name in [*_counted(self.model, f"{module}.coarse"), *_counted(self.model, f"{module}.fine")]:
            weight = self.model.doubles(f"{name}.weight")
            # A convolution looks at the places around it; turned around, its kernel says to which a place gives.
            weight = weight[:, :, ::-1, ::-1] if ".coarse." in name else weight.swapaxes(0, 1)
            bias = self.model.doubles(f"{name}.bias")
            total = integer_sum([Part(weight, largest, steps)], bias[None], WIDE_LIMIT)
            self.bits = min(self.bits, int(total.bits.min()))
            down, across = (_stride(name, side) for side in weight.shape[2:])
            bound = self.bound(name)
            layers.append(
                Enlarging(
                    name,
                    total.weights[0],
                    total.bias[0],
                    total.scale,
                    bound,
                    (down, across),
                    (padding(down), padding(across)),
                )
            )
            largest, steps = max(bound, ONE), ONE
        _, height, width = self.model.image_shape
        if max(len(layer.bias) for layer in layers) * height * width > MOST_NUMBERS_OF_PLACES:
            raise ModelError(
                f"maps of {height} x {width} places take too much memory to compress: train a model of smaller images, "
                "or of fewer features; larger pictures are cut into tiles"
            )
        self.give_places(len(layers[-1].bias), largest)
        return tuple(layers)

    def _numbers(self, kernels: Sequence[Kernel], bias: Doubles, *, head: bool) -> Numbers:
        inputs = [Part(kernel.weight, kernel.source.largest, kernel.source.steps) for kernel in kernels]
        total = integer_sum(inputs, bias, self._limit(head=head))
        self.bits = min(self.bits, int(total.bits.min()))
        return Numbers(total.weights, total.bias, total.scale)

    def _limit(self, *, head: bool) -> float:
        return self.head_limit if head else self.limit

    def _first(self, state: Doubles, memory: Doubles) -> tuple[Doubles, Doubles, int, int]:
        state = np.rint(state * ONE)
        memory = np.clip(np.rint(memory * 2.0**MEMORY_BITS), -LARGEST_MEMORY, LARGEST_MEMORY)
        return state, memory, max(ONE, int(np.abs(state).max())), LARGEST_MEMORY

    def _least_bits(self) -> int:
        return self.bits


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


def _counted(model: StoredModel, module: str) -> Iterator[str]:
    """The names of the layers of a list, in order; there is one at least."""
    for number in count():
        if number and f"{module}.{number}.weight" not in model.weights:
            return
        yield f"{module}.{number}"


def _stride(name: str, side: int) -> int:
    """The stride that belongs to a side of a kernel.

    Raises:
        ModelError: there is none.
    """
    try:
        return STRIDE_OF_KERNEL[side]
    except KeyError as error:
        raise ModelError(
            f"{name} has a kernel of {side}, which no enlargement has; copy the model's folder again"
        ) from error
