"""Programs in floats, for sampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextpixel.plan.integers import NARROW_LIMIT
from nextpixel.plan.lowering.builder import Builder, Kernel, Numbers
from nextpixel.plan.stored_model import StoredModel

Doubles = NDArray[np.float64]


class FloatBuilder(Builder):
    """A program in floats that grows. Nothing has a bound; what is said of bounds is left aside.

    A bias has a row of its own, and one for each number of the conditions' vector, which multiplies it.

    Args:
        model: the model.
        places: channels of what conditions give to places; 0 without.
    """

    def __init__(self, model: StoredModel, places: int = 0) -> None:
        numbers = np.linspace(-1, 1, model.levels)[:, None]
        if "image_maps.features" in model.weights:
            numbers = np.concatenate([numbers, model.doubles("image_maps.features")], axis=1)
        super().__init__(model, numbers, 1, 1)
        if places:
            self.give_places(places, 1)

    def _bound(self, number: int) -> int:  # noqa: ARG002 - there is none
        return 1

    def _with_condition(self, bias: Doubles, condition: str | None) -> Doubles:
        vector = f"{condition}.vector"
        if vector not in self.model.weights:
            return bias[None]
        return np.concatenate([bias[None], self.model.doubles(vector).T])

    def _numbers(self, kernels: Sequence[Kernel], bias: Doubles, *, head: bool) -> Numbers:  # noqa: ARG002
        return Numbers([kernel.weight for kernel in kernels], bias, np.ones(bias.shape[1]))

    def _limit(self, *, head: bool) -> float:  # noqa: ARG002 - float32 carries all sums
        return NARROW_LIMIT

    def _first(self, state: Doubles, memory: Doubles) -> tuple[Doubles, Doubles, int, int]:
        return state, memory, 1, 1

    def _least_bits(self) -> int:
        return 0
