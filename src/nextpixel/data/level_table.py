"""How levels are shown in picture files of 256 values. No PyTorch here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def level_table(levels: int) -> NDArray[np.uint8]:
    """The values by which levels are shown, `[levels]`.

    They are spread as evenly as can be such that reading the picture with `levels` gives the same integers back.
    """
    level = np.arange(levels)
    # Reading takes p for floor(p * levels / 256).
    first, last = -(-256 * level // levels), -(-256 * (level + 1) // levels) - 1
    table: NDArray[np.uint8] = np.clip(np.rint(level * (255 / (levels - 1))), first, last).astype(np.uint8)
    return table


def highest_eight_bits(levels: int) -> NDArray[np.uint8]:
    """The values 0..255 that levels of more than eight bits are reduced to, `[levels]`."""
    table: NDArray[np.uint8] = (np.arange(levels) * 256 // levels).astype(np.uint8)
    return table
