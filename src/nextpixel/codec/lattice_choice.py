"""Which pictures lie on a lattice of colours, and how surely: what the encoder finds out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.local_twin import LocalTwin
from nextpixel.codec.wavefront import shares_of
from nextpixel.coding.colour_lattices import LATTICES, MOST_EXPONENT, OnLattice, on_lattice

LEAST_PART = 0.5
"""Of the pixels that are looked at, which must be of a lattice for it to be tried."""

EXPONENTS = range(1, MOST_EXPONENT + 1, 2)

CERTAIN = 4.0
"""Standard errors by which a lattice must save bits: more than usual, as it is the best of several."""

LEAST_SAVING = 64
"""Bits that it must save in the whole picture, as naming it takes some."""


def choose_lattice(
    twin: LocalTwin, windows: NDArray[np.float32], values: NDArray[np.uint8], pixels: int
) -> OnLattice | None:
    """Find the lattice on which the shares of a picture are largest; None if there is none that saves bits.

    Args:
        twin: of the model as it will code the picture.
        windows: of N different ones of its pixels, `[N, n, 3]`.
        values: of these, uint8 `[N, 3]`.
        pixels: how many it has.
    """
    known = list(values.T.astype(np.int64))
    tried = [number for number in LATTICES if on_lattice(number, *known).mean() >= LEAST_PART]
    if not tried:
        return None
    prediction = twin.predict(windows)

    def bits(on: OnLattice | None) -> NDArray[np.float64]:
        """What green and blue of each pixel cost."""
        ends = [shares_of(twin, prediction, known[: colour + 1], on) for colour in (1, 2)]
        cost: NDArray[np.float64] = -sum(np.log2(end[:, 1] - end[:, 0]) for end in ends)
        return cost

    plain = bits(None)
    ways = [OnLattice(number, exponent) for number in tried for exponent in EXPONENTS]
    savings = [plain - bits(way) for way in ways]
    best = max(range(len(ways)), key=lambda place: float(savings[place].mean()))
    saving = savings[best]
    least = max(CERTAIN * saving.std() / math.sqrt(len(saving)), LEAST_SAVING / pixels)
    return ways[best] if saving.mean() > least else None
