"""From the levels that are stored to the levels that are served: quantising, binarising and mutating.

All are done when a batch is read, so that one cache serves every choice of levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data.level_table import level_table
from nextpixel.data.source import Pixels
from nextpixel.errors import DataError

Binarize = Literal["threshold", "stochastic", "dynamic"]
KINDS: dict[str, Binarize] = {"threshold": "threshold", "stochastic": "stochastic", "dynamic": "dynamic"}
WORD = 1 << 64


@dataclass(frozen=True)
class LevelTransform:
    """How stored integers become served ones.

    Attributes:
        stored: levels of the stored integers, 2..256.
        served: levels of the integers that batches hold, 2..`stored`.
        binarize: how two levels are made, or None where they are not, or by quantising.
        seed: chooses among the stochastic binarisations.
        notes: sentences for the user.
        mutation: probability with which a served sub-pixel is replaced by any level, anew at every draw.
    """

    stored: int
    served: int
    binarize: Binarize | None
    seed: int
    notes: tuple[str, ...]
    mutation: float = 0.0

    def apply(self, pixels: Pixels, indices: NDArray[np.int64], draw: int) -> Pixels:
        """Turn stored images into served ones.

        Args:
            pixels: uint8 `[B, C, H, W]` below `stored`.
            indices: int64 `[B]`: the place of each image in its whole source, which its noise depends on.
            draw: which redraw; matters only for dynamic binarisation and mutation.

        Returns:
            uint8 `[B, C, H, W]` below `served`.
        """
        served = self._served(pixels, indices, draw)
        return self._mutated(served, indices, draw) if self.mutation else served

    def _served(self, pixels: Pixels, indices: NDArray[np.int64], draw: int) -> Pixels:
        if self.binarize in ("stochastic", "dynamic"):
            return self._sample(pixels, indices, draw if self.binarize == "dynamic" else 0)
        if self.served == self.stored:
            return pixels
        # Thresholding at half is quantising to two levels: floor(x * 2 / old) = [2 x >= old].
        table = (np.arange(256) * self.served // self.stored).astype(np.uint8)
        return table[pixels]

    def _sample(self, pixels: Pixels, indices: NDArray[np.int64], draw: int) -> Pixels:
        bits = np.empty_like(pixels)
        for bit, image, index in zip(bits, pixels, indices, strict=True):
            uniform = self._random(index, draw, 0).random(image.shape)
            # Compared without dividing, so that black is never and white always drawn as 1.
            bit[...] = uniform * (self.stored - 1) < image
        return bits

    def _mutated(self, pixels: Pixels, indices: NDArray[np.int64], draw: int) -> Pixels:
        mutated = pixels.copy()
        for image, index in zip(mutated, indices, strict=True):
            random = self._random(index, draw, 1)
            replaced = random.random(image.shape) < self.mutation
            image[replaced] = random.integers(0, self.served, image.shape, dtype=np.uint8)[replaced]
        return mutated

    def _random(self, index: np.int64, draw: int, purpose: int) -> np.random.Generator:
        """Random numbers of an image at a draw."""
        key = np.array([self.seed, index], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, purpose, draw], dtype=np.uint64)))


def at_full_range(images: torch.Tensor, levels: int) -> torch.Tensor:
    """Integers in 0..levels-1 of any shape as the uint8 by which they are shown; see `level_table`."""
    return torch.from_numpy(level_table(levels)[images.cpu().numpy()])


def plan(stored: int, levels: int | None, binarize: str | None, seed: int, where: str) -> LevelTransform:
    """Decide how images of `stored` levels become what was asked for.

    Args:
        stored: levels of the source.
        levels: levels asked for, or None for those of the source.
        binarize: "threshold", "stochastic", "dynamic" or None.
        seed: for the two random binarisations, 0..2**64 - 1.
        where: what to call the source in errors.

    Returns:
        The plan.

    Raises:
        DataError: if the wishes are out of range or contradict each other.
    """
    check_word("seed", seed)
    if levels is not None:
        check_levels(levels, "levels")
    if binarize is not None:
        return _plan_binary(stored, levels, binarize, seed)
    if levels is None or levels == stored:
        return LevelTransform(stored, stored, None, seed, ())
    if levels > stored:
        raise DataError(
            f"{where} has {stored} levels, fewer than the {levels} asked for:"
            f" leave out --levels (levels=None) or ask for at most {stored}"
        )
    return LevelTransform(stored, levels, None, seed, (f"quantised from {stored} to {levels} levels",))


def _plan_binary(stored: int, levels: int | None, binarize: str, seed: int) -> LevelTransform:
    kind = KINDS.get(binarize)
    if kind is None:
        raise DataError(f"binarize={binarize!r} is not known: use 'threshold', 'stochastic' or 'dynamic'")
    if levels not in (None, 2):
        raise DataError(
            f"binarize={binarize!r} makes 2 levels and levels={levels} was asked for: leave one of them out"
        )
    if stored == 2:
        return LevelTransform(2, 2, None, seed, (f"already of 2 levels, so {binarize} binarisation changed nothing",))
    chance = f"1 with probability value/{stored - 1}, seed {seed}"
    how = {
        "threshold": f"binarised from {stored} levels: 1 where twice the value is at least {stored}",
        "stochastic": f"binarised once from {stored} levels, {chance}",
        "dynamic": f"binarised anew at every draw from {stored} levels, {chance}",
    }
    return LevelTransform(stored, 2, kind, seed, (how[kind],))


def check_levels(levels: object, what: str) -> int:
    """Return `levels` if it is an integer from 2 to 256, else raise `DataError` naming `what`."""
    if not isinstance(levels, int) or isinstance(levels, bool) or not 2 <= levels <= 256:
        raise DataError(f"{what} is {levels!r} and must be a whole number from 2 to 256")
    return levels


def check_word(what: str, value: object) -> None:
    """Raise `DataError` unless `value` is an integer the random generator can take as it is."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not 0 <= value < WORD:
        raise DataError(f"{what} is {value!r} and must be a whole number from 0 to 2**64 - 1")
