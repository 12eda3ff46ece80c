"""From integer logits to integer frequencies.

    frequency = 1 + floor(E[max - logit] * (TOTAL - levels) / sum of E)        and what is left over goes to the maximum

E is a table of exp(-d / 2^f) in integers. Every level has a frequency of at least 1, and they sum to `TOTAL` exactly.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import TOTAL

EXP_BITS = 20
MARGIN = 1e-6
"""How far a table's entries stay away from where rounding turns, in units of the last place: libraries of mathematical
functions differ by some 1e-10 of that."""


@lru_cache(maxsize=8)
def exp_table(fraction_bits: int) -> NDArray[np.int64]:
    """`2^EXP_BITS * exp(-d / 2^fraction_bits)`, rounded, for d = 0, 1, ... until it is 0."""
    longest = int((EXP_BITS + 2) * math.log(2) * 2**fraction_bits)
    values = [2**EXP_BITS * math.exp(-d / 2**fraction_bits) for d in range(longest)]
    return np.array([rounded(value) for value in values], np.int64)


def rounded(value: float) -> int:
    """The nearest integer, of a value that is not near the middle between two.

    Raises:
        ArithmeticError: it is so near that another machine might round it the other way.
    """
    floor = math.floor(value)
    part = value - floor
    if abs(part - 0.5) < MARGIN:
        raise ArithmeticError(f"{value!r} lies where rounding turns")
    return floor + (part > 0.5)


def frequencies(logits: NDArray[np.float32 | np.float64 | np.int64], fraction_bits: int) -> NDArray[np.int64]:
    """Frequencies of the levels.

    Args:
        logits: integers `[N, levels]` in units of `2^-fraction_bits`, in any dtype that holds them exactly.
        fraction_bits: see `exp_table`.

    Returns:
        int64 `[N, levels]`, each at least 1, each row summing to `TOTAL`.
    """
    table = exp_table(fraction_bits)
    integers = logits.astype(np.int64)
    top = integers.max(axis=1, keepdims=True)
    shares = table[np.minimum(top - integers, len(table) - 1)]
    # Integers of 64 bits throughout: at most 2^20 * 2^22 before the division.
    lengths: NDArray[np.int64] = 1 + shares * (TOTAL - integers.shape[1]) // shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(integers))
    lengths[rows, integers.argmax(axis=1)] += TOTAL - lengths.sum(axis=1)
    return lengths
