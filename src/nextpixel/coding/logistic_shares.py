"""From an integer logistic mixture to shares of `TOTAL`, without a sum over the levels.

    F(v) = v + floor(sum_k w_k S((64 v - 32 - m_k) r_k))          F(0) = 0, F(levels) = TOTAL

is where the share of level v starts, with integers throughout: weights w that sum to TOTAL - levels, means m in 64ths
of a level, inverse scales r, and a table S of the logistic function that grows from 0 to 1 in units of 2^-22. F grows
by one at least from level to level, whatever the mixture is, so every level has a share, and nothing has to be
normalised. An encoder takes F twice a sub-pixel; a decoder searches.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import PRECISION, TOTAL
from nextpixel.coding.tables import rounded

LEVEL_BITS = 6
"""Fraction bits of means, in levels."""

LOGISTIC_BITS, LOGISTIC_REACH = 10, 12
"""The table has 2^10 steps to the unit, up to 12 on either side, where the logistic function is 6e-6."""

INVERSE_BITS = 12
"""Fraction bits of inverse scales, in steps of the table for a 64th of a level."""

SCALE_STEPS = 32
"""Scales come in steps of exp(1 / 32), a fiftieth of what would cost anything."""

SMALLEST_SCALE, LARGEST_SCALE = -89, 178
"""In those steps: scales from a 16th of a level to 256 levels."""

Integers = NDArray[np.int64]


class Mixture(NamedTuple):
    """Integer mixtures of N sub-pixels.

    Attributes:
        weights: `[N, K]`, which sum to `TOTAL - levels`.
        means: `[N, K]`, in units of 2^-LEVEL_BITS levels.
        inverses: `[N, K]`, entries of `inverse_scales`.
    """

    weights: Integers
    means: Integers
    inverses: Integers

    def of(self, places: NDArray[np.int64]) -> Mixture:
        """Those of some sub-pixels."""
        return Mixture(*(values[places] for values in self))


@lru_cache(maxsize=1)
def logistic_table() -> Integers:
    """`TOTAL * S(i / 2^LOGISTIC_BITS)`, rounded, for i from -reach to reach; 0 and `TOTAL` at the ends."""
    reach = LOGISTIC_REACH << LOGISTIC_BITS
    lower = [rounded(TOTAL / (1 + math.exp(-i / (1 << LOGISTIC_BITS)))) for i in range(-reach + 1, 0)]
    upper = [TOTAL - value for value in reversed(lower)]
    return np.array([0, *lower, TOTAL // 2, *upper, TOTAL], np.int64)


@lru_cache(maxsize=1)
def inverse_scales() -> Integers:
    """Inverse scales by their step, from `SMALLEST_SCALE` to `LARGEST_SCALE`."""
    power = 1 << (INVERSE_BITS + LOGISTIC_BITS - LEVEL_BITS)
    steps = range(SMALLEST_SCALE, LARGEST_SCALE + 1)
    return np.array([rounded(power * math.exp(-step / SCALE_STEPS)) for step in steps], np.int64)


def starts(mixture: Mixture, levels: Integers, count: int) -> Integers:
    """Where the shares of levels start.

    Args:
        mixture: `[N, K]`.
        levels: `[N]` or, several of each sub-pixel, `[N, M]`, from 0 to `count`.
        count: values that a sub-pixel can take.

    Returns:
        As many, from 0 to `TOTAL`.
    """
    extra = (1,) * (levels.ndim - 1)
    weights, means, inverses = (values.reshape(len(values), *extra, values.shape[1]) for values in mixture)
    distance = ((levels << LEVEL_BITS) - (1 << (LEVEL_BITS - 1)))[..., None] - means
    reach = LOGISTIC_REACH << LOGISTIC_BITS
    places = np.clip((distance * inverses) >> INVERSE_BITS, -reach, reach) + reach
    share = levels + ((weights * logistic_table()[places]).sum(axis=-1) >> PRECISION)
    share = np.where(levels <= 0, 0, share)
    return np.where(levels >= count, TOTAL, share)


def search(mixture: Mixture, slots: Integers, count: int) -> Integers:
    """The levels in whose shares slots lie.

    Args:
        mixture: `[N, K]`.
        slots: `[N]`, from 0 to `TOTAL - 1`.
        count: values that a sub-pixel can take.

    Returns:
        `[N]`, from 0 to `count - 1`.
    """
    low, high = np.zeros_like(slots), np.full_like(slots, count)
    # The share of `low` starts at or before the slot, that of `high` after it.
    while (high - low).max(initial=0) > 1:
        middle = (low + high) >> 1
        before = starts(mixture, middle, count) <= slots
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return low
