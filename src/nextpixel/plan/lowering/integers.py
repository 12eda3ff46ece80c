"""Programs in integers, for the codec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError
from nextpixel.plan.cells import LARGEST_MEMORY, MEMORY_BITS
from nextpixel.plan.integers import ONE, Part, integer_sum
from nextpixel.plan.lowering.builder import Builder, Kernel, Numbers
from nextpixel.plan.stored_model import StoredModel

Doubles = NDArray[np.float64]

LEAST_STEPS = 256
"""Of what makes 1 in the maps of an image with learned features."""


class IntegerBuilder(Builder):
    """A program in integers that grows.

    Args:
        model: the model, without a condition or conditioned on labels.
        ranges: bits of the integer parts of its activations.
        limit: below which every possible sum stays.
        head_limit: likewise, for the sums of the head.
    """

    def __init__(self, model: StoredModel, ranges: Sequence[int], limit: float, head_limit: float) -> None:
        table, steps = _image_table(model)
        super().__init__(model, table, int(np.abs(table).max()), steps)
        self.ranges, self.limit, self.head_limit = ranges, limit, head_limit
        self.classes = model.classes
        self.bits = 64

    def _bound(self, number: int) -> int:
        if number >= len(self.ranges):
            raise ModelError("the ranges of the activations do not fit the model")
        return ONE << self.ranges[number]

    def _with_condition(self, bias: Doubles, condition: str | None) -> Doubles:
        biases = np.broadcast_to(bias[None], (max(1, self.classes), len(bias)))
        if condition is not None and self.classes:
            biases = biases + self.model.doubles(f"{condition}.vector").T
        return biases

    def _of_places(self, condition: str | None, outputs: slice = slice(None)) -> list[Kernel]:  # noqa: ARG002
        return []

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
