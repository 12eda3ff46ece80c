"""From integer logits to integer frequencies.

    frequency = 1 + floor(E[max - logit] * (TOTAL - levels) / sum of E)        and what is left over goes to the maximum

E is a table of exp(-d / 2^f) in integers. Every level has a frequency of at least 1, and they sum to `TOTAL` exactly.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from nextpixel.codec.rans import TOTAL

EXP_BITS = 20
MARGIN = 1e-6
"""How far a table's entries stay away from where rounding turns, in units of the last place: libraries of mathematical
functions differ by some 1e-10 of that."""


@lru_cache(maxsize=8)
def exp_table(fraction_bits: int) -> Tensor:
    """`2^EXP_BITS * exp(-d / 2^fraction_bits)`, rounded, for d = 0, 1, ... until it is 0; int64."""
    longest = int((EXP_BITS + 2) * math.log(2) * 2**fraction_bits)
    values = [2**EXP_BITS * math.exp(-d / 2**fraction_bits) for d in range(longest)]
    return torch.tensor([rounded(value) for value in values])


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


def frequencies(logits: Tensor, fraction_bits: int) -> Tensor:
    """Frequencies of the levels.

    Args:
        logits: integers `[N, levels]` in units of `2^-fraction_bits`, in any dtype that holds them exactly.
        fraction_bits: see `exp_table`.

    Returns:
        int64 `[N, levels]`, each at least 1, each row summing to `TOTAL`.
    """
    table = exp_table(fraction_bits).to(logits.device)
    logits = logits.long()
    top = logits.amax(dim=1, keepdim=True)
    shares = table[(top - logits).clamp(max=len(table) - 1)]
    free = TOTAL - logits.shape[1]
    # Integers of 64 bits throughout: at most 2^20 * 2^22 before the division.
    frequencies = 1 + torch.div(shares * free, shares.sum(dim=1, keepdim=True), rounding_mode="floor")
    left = TOTAL - frequencies.sum(dim=1)
    # The first of the maxima, which argmax does not promise on every device.
    is_top = logits == top
    first = is_top & (is_top.cumsum(dim=1) == 1)
    return frequencies + first * left[:, None]
