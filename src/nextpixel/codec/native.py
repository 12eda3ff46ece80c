"""The decoder's inner loop, compiled: the same integers as those of `logistic_shares.search` and `rans.LaneDecoder`.

numba compiles it when it is first used, which takes some seconds, and keeps the result where a folder for it can be
written. Where numba is missing (extra `fast`), NumPy does the same work, some ten times slower.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.logistic_shares import INVERSE_BITS, LEVEL_BITS, LOGISTIC_BITS, LOGISTIC_REACH
from nextpixel.coding.rans import FIRST, PRECISION, TOTAL, WORD
from nextpixel.runtime.compilation import LateCompiled

Integers = NDArray[np.int64]

REACH = LOGISTIC_REACH << LOGISTIC_BITS
HALF_LEVEL = 1 << (LEVEL_BITS - 1)


def decode_pixels(
    weights: Integers,
    means: Integers,
    inverses: Integers,
    coefficients: Integers,
    sums: Integers,
    divisor: int,
    nearest: int,
    table: Integers,
    levels: int,
    lanes: Integers,
    state: Integers,
    words: Integers,
    following: Integers,
    ends: Integers,
    spare: NDArray[np.float64],
    values: Integers,
) -> None:
    """Decode the colours of N pixels: first all first colours, then all second ones.

    Args:
        weights: `[C, N, K]`; this and the next four as in `local_twin.Prediction`.
        means: `[C, N, K]`.
        inverses: `[C, N, K]`.
        coefficients: `[pairs, N, K]`.
        sums: `[C, N]`.
        divisor: of what coefficients add.
        nearest: how many values `sums` are of.
        table: `logistic_shares.logistic_table()`.
        levels: values that a sub-pixel can take.
        lanes: `[N]`: the lane of each pixel.
        state: of each lane; is changed, and so is `following`. See `rans.LaneDecoder`.
        words: of all lanes.
        following: where each lane goes on in `words`.
        ends: where each lane ends there.
        spare: of each lane; is changed.
        values: `[colours, N]`, to be filled.
    """
    colours, count = values.shape
    components = weights.shape[2]
    shifted = np.empty(components, np.int64)
    for colour in range(colours):
        first = colour * (colour - 1) // 2
        for pixel in range(count):
            for k in range(components):
                mean = means[colour, pixel, k]
                for before in range(colour):
                    above = nearest * values[before, pixel] - sums[before, pixel]
                    mean += (coefficients[first + before, pixel, k] * above + divisor // 2) // divisor
                shifted[k] = mean
            lane = lanes[pixel]
            x = state[lane]
            slot = x & (TOTAL - 1)
            low, high = 0, levels
            start, end = 0, TOTAL
            while high - low > 1:
                middle = (low + high) >> 1
                at = (middle << LEVEL_BITS) - HALF_LEVEL
                share = 0
                for k in range(components):
                    place = ((at - shifted[k]) * inverses[colour, pixel, k]) >> INVERSE_BITS
                    place = min(max(place, -REACH), REACH) + REACH
                    share += weights[colour, pixel, k] * table[place]
                share = middle + (share >> PRECISION)
                if share <= slot:
                    low, start = middle, share
                else:
                    high, end = middle, share
            values[colour, pixel] = low
            if 0 < x < TOTAL and following[lane] == ends[lane]:
                spare[lane] += math.log2((end - start) / TOTAL)
            x = (end - start) * (x >> PRECISION) + slot - start
            while x < FIRST and following[lane] < ends[lane]:
                x = (x << WORD) | words[following[lane]]
                following[lane] += 1
            state[lane] = x


@lru_cache(maxsize=1)
def kernel() -> LateCompiled | None:
    """The compiled `decode_pixels`; None without numba."""
    try:
        from numba import njit
    except ImportError:
        return None
    kept = True
    try:
        compiled = njit(cache=True, nogil=True)(decode_pixels)
    except RuntimeError:  # neither the package nor the user's cache can be written, as in many containers
        compiled, kept = njit(nogil=True)(decode_pixels), False
    return LateCompiled(compiled, "the decoder of pictures", seconds=5, kept=kept)
