"""Colours that a picture can have which was converted from another colour space, in integers, before it was stored.

A decoder of JPEG, of WebP or of Photo CD computes red, green and blue from a luma and two chromas of 8 bits each, and
rounds. Of the 2^24 colours only those of a *lattice* come out, a quarter or fewer, and a picture that was saved without
loss afterwards still has no others. Each lattice here is what one exact formula reaches; who decodes a file computes it
again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Formula = Callable[[int, Integers, Integers], tuple[Integers, Integers, Integers]]
SIDE = 256

MOST_EXPONENT = 15
"""With more, products of the codec would not fit into 64 bits."""


class Lattice(NamedTuple):
    """What a decoder makes of luma and chromas.

    Attributes:
        name: of the conversion, for people.
        formula: red, green and blue before they are clamped to 0..255, of a luma and of all first and second chromas.
    """

    name: str
    formula: Formula


class OnLattice(NamedTuple):
    """How a picture lies on a lattice.

    Attributes:
        lattice: its number.
        exponent: a colour of the lattice is 1 + 2^exponent times as probable as a model says; 0 to `MOST_EXPONENT`.
    """

    lattice: int
    exponent: int


def _jpeg(luma: int, blue: Integers, red: Integers) -> tuple[Integers, Integers, Integers]:
    """ITU-T T.871 with 16 fraction bits, as the decoder of the Independent JPEG Group computes it."""
    half = 1 << 15
    return (
        luma + ((91881 * (red - 128) + half) >> 16),
        luma + ((-22554 * (blue - 128) - 46802 * (red - 128) + half) >> 16),
        luma + ((116130 * (blue - 128) + half) >> 16),
    )


def _photo_cd(luma: int, blue: Integers, red: Integers) -> tuple[Integers, Integers, Integers]:
    """Photo CD's YCC, with green from the whole parts of what red and blue get, as in Kodak's test pictures."""
    light, more_red, more_blue = 13584 * luma, 18215 * (red - 137), 22179 * (blue - 156)
    green = 587 * light - 10_000 * (299 * (more_red // 10_000) + 114 * (more_blue // 10_000))
    return (light + more_red) // 10_000, green // 5_870_000, (light + more_blue) // 10_000


def _webp(luma: int, blue: Integers, red: Integers) -> tuple[Integers, Integers, Integers]:
    """BT.601 of video levels, as libwebp computes it."""
    light = (19077 * luma) >> 8
    return (
        (light + ((26149 * red) >> 8) - 14234) >> 6,
        (light - ((6419 * blue) >> 8) - ((13320 * red) >> 8) + 8708) >> 6,
        (light + ((33050 * blue) >> 8) - 17685) >> 6,
    )


LATTICES = {1: Lattice("JPEG", _jpeg), 2: Lattice("Photo CD", _photo_cd), 3: Lattice("WebP", _webp)}
"""By their numbers in files."""


@lru_cache(maxsize=len(LATTICES))
def reachable(number: int) -> NDArray[np.uint8]:
    """The colours of a lattice.

    Args:
        number: of `LATTICES`.

    Returns:
        uint8 `[256 * 256, 32]`: for each 256 * red + green a bit for each blue, from the lowest of the first byte on.
    """
    # NumPy's own integers have 32 bits on some systems, too few for the formula of Photo CD.
    first, second = np.indices((SIDE, SIDE), np.int64).reshape(2, -1)
    colours = np.zeros(SIDE**3, np.bool_)
    for luma in range(SIDE):
        red, green, blue = (values.clip(0, 255) for values in LATTICES[number].formula(luma, first, second))
        colours[(red * SIDE + green) * SIDE + blue] = True
    packed = np.packbits(colours.reshape(-1, SIDE), axis=1, bitorder="little")
    packed.flags.writeable = False
    return packed


def on_lattice(number: int, red: Integers, green: Integers, blue: Integers) -> NDArray[np.bool_]:
    """Whether colours, integers of one shape each, are of a lattice."""
    bits: NDArray[np.bool_] = (reachable(number)[red * SIDE + green, blue >> 3] >> (blue & 7) & 1).astype(np.bool_)
    return bits
