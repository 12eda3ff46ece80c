"""The window of known pixels around a pixel, and what stands beyond the edges of an image.

A model of any image size sees a pixel's neighbourhood only: the pixels before it in raster order within a few rows and
columns. The window leans to the left: of the row u rows above it reaches no more than `lag * u` columns to the right.
So pixel (i, j) can be computed as soon as the pixels of the *wavefront* before it are known, those with a smaller

    column + (lag + 1) * row

and all pixels of a wavefront can be computed at once, which is what makes decoding and drawing of large images fast.

Beyond an edge stands a pixel that is known by then: right of a row its last pixel; left of it the first pixel of the
row above; above the image, shifted to the right so that it is known, the first row; and where nothing is known yet, a
constant. The rule depends on the place alone, so one canvas serves every pixel, in parallel and step by step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError
from nextpixel.runtime.validation import LONGEST_SIDE

NEAREST = ((0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-2, 0))
"""The six known pixels nearest to a pixel, as (rows down, columns right)."""

STEPS_AN_OCTAVE = 8
LARGEST = 16.0
"""Values further than so many deviations from the mean are taken to be there."""

FURTHEST = LONGEST_SIDE // 2
"""The most rows upwards, or columns to either side, in a window as long as kernels are at most."""

MIDDLE_STEP, STEPS_A_UNIT = 16, 12
"""What brings the step near to 0 and 1, as an input of a network."""


def floor_of(levels: int) -> float:
    """The deviation of a neighbourhood without any, in levels: of 256 levels 4."""
    return max(levels / 64, 0.5)


@dataclass(frozen=True)
class LocalWindow:
    """A causal window.

    Attributes:
        reach: rows upwards, and columns to either side, at least 2.
        distance: the largest |rows| + |columns|, at least 2.
        lag: columns to the right for each row upwards, at least 1.
        offsets: the pixels of the window, as (rows down, columns right), none of them below or at the pixel itself.
        nearest: where in `offsets` the six nearest pixels stand.

    Raises:
        ModelError: a window has no such sizes.
    """

    reach: int
    distance: int
    lag: int
    offsets: tuple[tuple[int, int], ...] = field(init=False)
    nearest: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find the offsets here, as a compiled graph cannot wait for the lock of a property that is computed late.

        Raises:
            ModelError: see above.
        """
        sizes = self.reach, self.distance, self.lag
        if not (2 <= sizes[0] <= FURTHEST and 2 <= sizes[1] <= 2 * FURTHEST and 1 <= sizes[2] <= FURTHEST):
            raise ModelError("no window has a reach of {}, a distance of {} and a lag of {}".format(*sizes))
        beside = [(0, -left) for left in range(1, min(self.reach, self.distance) + 1)]
        above = [
            (-up, right)
            for up in range(1, self.reach + 1)
            for right in range(-self.reach, min(self.reach, self.lag * up) + 1)
            if up + abs(right) <= self.distance
        ]
        object.__setattr__(self, "offsets", tuple(beside + above))
        object.__setattr__(self, "nearest", tuple(self.offsets.index(offset) for offset in NEAREST))

    def sources(self, height: int, width: int) -> NDArray[np.int64]:
        """Which pixel of an image stands at each place of its canvas.

        Returns:
            int64 `[reach + height, reach + width + reach]`: the number of the pixel, row * width + column, and
            `height * width` for the constant. The image begins in row `reach` and column `reach`.
        """
        constant = height * width
        column = np.arange(-self.reach, width + self.reach)
        row = np.arange(height)[:, None]
        inside = row * width + column.clip(0, width - 1)
        before = np.where(row > 0, (row - 1) * width, constant)
        below = np.where(column < 0, before, inside)
        up = np.arange(self.reach, 0, -1)[:, None]
        shifted = column - (self.lag * up + 1)
        above = np.where(shifted < 0, constant, shifted.clip(max=width - 1))
        return np.concatenate([above, below])

    def front(self, height: int, width: int) -> NDArray[np.int64]:
        """The wavefront of each pixel of an image: int64 `[height, width]`, from 0 upwards."""
        return np.arange(width) + (self.lag + 1) * np.arange(height)[:, None]
