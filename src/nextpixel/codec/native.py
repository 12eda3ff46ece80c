"""Inner loops of the codec of pictures, compiled.

They give the same integers as NumPy in `logistic_shares`, `lattice_shares` and `rans`. numba compiles each when it is
first used, which takes some seconds, and keeps the result where a folder for it can be written. Where numba is missing
(extra `fast`), NumPy does the same work, some ten times slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.local_twin import COUNT, COUPLING_DIVISOR
from nextpixel.coding.logistic_shares import INVERSE_BITS, LEVEL_BITS, LOGISTIC_BITS, LOGISTIC_REACH
from nextpixel.coding.rans import FIRST, PRECISION, TOTAL, WORD
from nextpixel.runtime.compilation import LateCompiled

Integers = NDArray[np.int64]

REACH = LOGISTIC_REACH << LOGISTIC_BITS
HALF_LEVEL = 1 << (LEVEL_BITS - 1)
HALF_DIVISOR = COUPLING_DIVISOR // 2

LATTICE_COLOURS, LATTICE_LEVELS = 3, 256
"""Of models whose pictures can lie on a lattice of colours."""

LIKELY = 1 << (PRECISION - 10)
"""The share of a green of which it is computed how many of its blues are of the lattice."""

ABOUT_MEAN = 16
"""So many levels on either side of their mean."""

PART_BITS = 12
WHOLE_PART = 1 << PART_BITS


def decode_pixels(
    weights: Integers,
    means: Integers,
    inverses: Integers,
    coefficients: Integers,
    sums: Integers,
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
                    above = COUNT * values[before, pixel] - sums[before, pixel]
                    mean += (coefficients[first + before, pixel, k] * above + HALF_DIVISOR) // COUPLING_DIVISOR
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


def weigh_lattice(
    weights: Integers,
    means: Integers,
    inverses: Integers,
    coefficients: Integers,
    sums: Integers,
    table: Integers,
    reachable: NDArray[np.uint8],
    exponent: int,
    earlier: Integers,
    sums_below: Integers,
) -> None:
    """The weighted shares of the greens, or the blues, below each one, of N pixels; see `lattice_shares.sums_below`.

    Args:
        weights: `[3, N, K]`; this and the next four as in `local_twin.Prediction`.
        means: `[3, N, K]`.
        inverses: `[3, N, K]`.
        coefficients: `[3, N, K]`.
        sums: `[3, N]`.
        table: `logistic_shares.logistic_table()`.
        reachable: `colour_lattices.reachable` of the lattice.
        exponent: see `lattice_shares.OnLattice`.
        earlier: `[1, N]` or `[2, N]`: the red, and for blue also the green.
        sums_below: `[N, 257]`, to be filled.
    """
    colour, count = earlier.shape
    components = weights.shape[2]
    shifted = np.empty(components, np.int64)
    by_red = np.empty(components, np.int64)
    starts = np.empty(LATTICE_LEVELS + 1, np.int64)
    parts = np.empty(LATTICE_LEVELS, np.int64)
    for pixel in range(count):
        red = earlier[0, pixel]
        for k in range(components):
            shifted[k] = means[colour, pixel, k]
            for before in range(colour):
                above = COUNT * earlier[before, pixel] - sums[before, pixel]
                product = coefficients[colour * (colour - 1) // 2 + before, pixel, k] * above
                shifted[k] += (product + HALF_DIVISOR) // COUPLING_DIVISOR
        starts[:] = 0
        for k in range(components):
            weight, inverse = weights[colour, pixel, k], inverses[colour, pixel, k]
            # Below `low` the component has no mass, and from `high` on all of its own.
            span = (REACH << INVERSE_BITS) // inverse + 2 * HALF_LEVEL
            low = min(max((shifted[k] - span) >> LEVEL_BITS, 0), LATTICE_LEVELS)
            high = min(max(((shifted[k] + span) >> LEVEL_BITS) + 1, low), LATTICE_LEVELS)
            along = ((low << LEVEL_BITS) - HALF_LEVEL - shifted[k]) * inverse
            for level in range(low, high):
                place = min(max(along >> INVERSE_BITS, -REACH), REACH) + REACH
                starts[level] += weight * table[place]
                along += inverse << LEVEL_BITS
            for level in range(high, LATTICE_LEVELS):
                starts[level] += weight << PRECISION
        for level in range(1, LATTICE_LEVELS):
            starts[level] = level + (starts[level] >> PRECISION)
        starts[0], starts[LATTICE_LEVELS] = 0, TOTAL
        if colour == LATTICE_COLOURS - 1:
            row = (red << 8) + earlier[1, pixel]
            for blue in range(LATTICE_LEVELS):
                parts[blue] = ((reachable[row, blue >> 3] >> (blue & 7)) & 1) * WHOLE_PART
        else:
            for k in range(components):
                product = coefficients[1, pixel, k] * (COUNT * red - sums[0, pixel])
                by_red[k] = means[2, pixel, k] + (product + HALF_DIVISOR) // COUPLING_DIVISOR
            likely, together = 0, 0
            for green in range(LATTICE_LEVELS):
                parts[green] = -1
                share = starts[green + 1] - starts[green]
                if share < LIKELY:
                    continue
                mean = 0
                for k in range(components):
                    product = coefficients[2, pixel, k] * (COUNT * green - sums[1, pixel])
                    shifted[k] = by_red[k] + (product + HALF_DIVISOR) // COUPLING_DIVISOR
                    mean += weights[2, pixel, k] * shifted[k]
                mean = ((mean >> PRECISION) + HALF_LEVEL) >> LEVEL_BITS
                row = (red << 8) + green
                part = 0
                for blue in range(max(mean - ABOUT_MEAN, 0), min(mean + ABOUT_MEAN + 1, LATTICE_LEVELS)):
                    if not (reachable[row, blue >> 3] >> (blue & 7)) & 1:
                        continue
                    start, end = 0, TOTAL
                    for level in (blue, blue + 1):
                        if 0 < level < LATTICE_LEVELS:
                            at = (level << LEVEL_BITS) - HALF_LEVEL
                            blues = 0
                            for k in range(components):
                                place = ((at - shifted[k]) * inverses[2, pixel, k]) >> INVERSE_BITS
                                blues += weights[2, pixel, k] * table[min(max(place, -REACH), REACH) + REACH]
                            blues = level + (blues >> PRECISION)
                            if level == blue:
                                start = blues
                            else:
                                end = blues
                    part += end - start
                parts[green] = part >> (PRECISION - PART_BITS)
                likely += share
                together += share * parts[green]
            for green in range(LATTICE_LEVELS):
                if parts[green] < 0:
                    parts[green] = together // likely
        weighted = 0
        sums_below[pixel, 0] = 0
        for level in range(LATTICE_LEVELS):
            weighted += (starts[level + 1] - starts[level]) * (WHOLE_PART + (parts[level] << exponent))
            sums_below[pixel, level + 1] = weighted >> PART_BITS


def decode_weighted(
    sums_below: Integers,
    lanes: Integers,
    state: Integers,
    words: Integers,
    following: Integers,
    ends: Integers,
    spare: NDArray[np.float64],
    values: Integers,
) -> None:
    """Decode one colour of N pixels on a lattice.

    Args:
        sums_below: `[N, 257]`, as `weigh_lattice` fills them in.
        lanes: `[N]`; this and the next five as in `decode_pixels`.
        state: of each lane; is changed, and so is `following`.
        words: of all lanes.
        following: where each lane goes on in `words`.
        ends: where each lane ends there.
        spare: of each lane; is changed.
        values: `[N]`, to be filled.
    """
    for pixel in range(len(values)):
        lane = lanes[pixel]
        x = state[lane]
        slot = x & (TOTAL - 1)
        whole = sums_below[pixel, LATTICE_LEVELS]
        low, high = 0, LATTICE_LEVELS
        start, end = 0, TOTAL
        while high - low > 1:
            middle = (low + high) >> 1
            share = middle + sums_below[pixel, middle] * (TOTAL - LATTICE_LEVELS) // whole
            if share <= slot:
                low, start = middle, share
            else:
                high, end = middle, share
        frequency = end - start
        values[pixel] = low
        if 0 < x < TOTAL and following[lane] == ends[lane]:
            spare[lane] += math.log2(frequency / TOTAL)
        x = frequency * (x >> PRECISION) + slot - start
        while x < FIRST and following[lane] < ends[lane]:
            x = (x << WORD) | words[following[lane]]
            following[lane] += 1
        state[lane] = x


@lru_cache(maxsize=1)
def kernel() -> LateCompiled | None:
    """The compiled `decode_pixels`; None without numba."""
    return _compiled(decode_pixels, "the decoder of pictures")


@lru_cache(maxsize=1)
def lattice_kernel() -> LateCompiled | None:
    """The compiled `weigh_lattice`; None without numba."""
    return _compiled(weigh_lattice, "the shares of colours on a lattice")


@lru_cache(maxsize=1)
def weighted_kernel() -> LateCompiled | None:
    """The compiled `decode_weighted`; None without numba."""
    return _compiled(decode_weighted, "the decoder of colours on a lattice")


def _compiled(function: Callable[..., None], name: str) -> LateCompiled | None:
    try:
        from numba import njit
    except ImportError:
        return None
    kept = True
    try:
        compiled = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package nor the user's cache can be written, as in many containers
        compiled, kept = njit(nogil=True)(function), False
    return LateCompiled(compiled, name, seconds=5, kept=kept)
