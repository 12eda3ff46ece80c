"""Shares of the green and the blue of pixels whose colours are, nearly all, of a lattice.

The model's share of each value is multiplied by 1 + 2^exponent s and all are made to fill `TOTAL` again. For blue, s is
1 where red, green and blue are of the lattice, and 0 elsewhere. For green, s is the part of the model's blues, once it
were known, that would be of the lattice; it is computed of the likely greens, from the blues about their mean, and the
other greens have the mean s of these. So the model's mixture times 1 + 2^exponent on the lattice is nearly what pixels
have together, and no value is impossible. See `nextpixel.coding.colour_lattices`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.local_twin import Prediction
from nextpixel.codec.native import (
    ABOUT_MEAN,
    LATTICE_COLOURS,
    LATTICE_LEVELS,
    LIKELY,
    PART_BITS,
    WHOLE_PART,
    lattice_kernel,
)
from nextpixel.coding.colour_lattices import OnLattice, on_lattice, reachable
from nextpixel.coding.logistic_shares import LEVEL_BITS, Mixture, logistic_table, starts
from nextpixel.coding.rans import PRECISION, TOTAL

PIXELS_AT_ONCE = 2**7
"""That NumPy does together: of a flat mixture, a thousand blues each."""

Integers = NDArray[np.int64]


def sums_below(prediction: Prediction, earlier: Sequence[Integers], on: OnLattice) -> Integers:
    """The weighted shares of all values of green or blue below each one, of which `weighted_starts` makes shares.

    Args:
        prediction: of N pixels of three colours, by a model of 256 levels.
        earlier: `[N]` each: the values of red or, for blue, of red and green.
        on: the lattice.

    Returns:
        `[N, 257]`.
    """
    count = prediction.sums.shape[1]
    sums = np.empty((count, LATTICE_LEVELS + 1), np.int64)
    compiled = lattice_kernel()
    if compiled is not None:
        compiled(
            *prediction,
            logistic_table(),
            reachable(on.lattice),
            on.exponent,
            np.stack(earlier),
            sums,
        )
        return sums
    for first in range(0, count, PIXELS_AT_ONCE):
        pixels = np.arange(first, min(first + PIXELS_AT_ONCE, count))
        before = [values[pixels] for values in earlier]
        sums[pixels] = _sums_of_some(prediction.of(pixels), before, on)
    return sums


def weighted_starts(sums: Integers, levels: Integers) -> Integers:
    """Where the shares of levels start.

    Args:
        sums: `[N, 257]`, of `sums_below`.
        levels: `[N, M]`, from 0 to 256.

    Returns:
        `[N, M]`, from 0 to `TOTAL`.
    """
    below: Integers = np.take_along_axis(sums, levels, axis=1)
    return levels + below * (TOTAL - LATTICE_LEVELS) // sums[:, -1:]


def _sums_of_some(prediction: Prediction, earlier: Sequence[Integers], on: OnLattice) -> Integers:
    """`sums_below` of few pixels, in NumPy."""
    levels = np.arange(LATTICE_LEVELS)
    count = len(earlier[0])
    plain = starts(
        prediction.mixture(len(earlier), earlier), np.tile(np.arange(LATTICE_LEVELS + 1), (count, 1)), LATTICE_LEVELS
    )
    shares = np.diff(plain, axis=1)
    if len(earlier) == LATTICE_COLOURS - 1:
        red, green = (values[:, None] for values in earlier)
        parts = WHOLE_PART * on_lattice(on.lattice, red, green, levels)
    else:
        likely = shares >= LIKELY
        parts = np.zeros_like(shares)
        parts[likely] = _blues_on(prediction, earlier[0], likely, on.lattice)
        mean = (shares * parts).sum(axis=1) // (shares * likely).sum(axis=1)
        parts = np.where(likely, parts, mean[:, None])
    sums = np.zeros_like(plain)
    sums[:, 1:] = (shares * (WHOLE_PART + (parts << on.exponent))).cumsum(axis=1) >> PART_BITS
    return sums


def _blues_on(prediction: Prediction, red: Integers, likely: NDArray[np.bool_], lattice: int) -> Integers:
    """The part of the blues that is of the lattice, of each likely green, in `WHOLE_PART`s."""
    pixels, greens = np.nonzero(likely)
    mixture = prediction.of(pixels).mixture(2, [red[pixels], greens])
    mean = ((mixture.weights * mixture.means).sum(axis=1) >> PRECISION) + (1 << (LEVEL_BITS - 1)) >> LEVEL_BITS
    blues = mean[:, None] + np.arange(-ABOUT_MEAN, ABOUT_MEAN + 1)
    inside = (blues >= 0) & (blues < LATTICE_LEVELS)
    blues = blues.clip(0, LATTICE_LEVELS - 1)
    pairs, places = np.nonzero(inside & on_lattice(lattice, red[pixels][:, None], greens[:, None], blues))
    blue = blues[pairs, places]
    ends = starts(Mixture(*(values[pairs] for values in mixture)), np.stack([blue, blue + 1], axis=1), LATTICE_LEVELS)
    parts: Integers = np.zeros(len(pixels), np.int64)
    np.add.at(parts, pairs, ends[:, 1] - ends[:, 0])
    return parts >> (PRECISION - PART_BITS)
