"""Crops of large pictures, drawn anew in every step: functions of the seed, the step and the place in its batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data.image_set import ImageSet
from nextpixel.data.memory import as_image_set
from nextpixel.data.pictures import Pictures
from nextpixel.data.reading import Reading
from nextpixel.data.source import Pixels
from nextpixel.errors import TrainingError
from nextpixel.training.augmentation import add_noise, downscale, downscaling, flip

MOST_PIECES = 4096


class Crops:
    """Crops of pictures as the images of a training; see `nextpixel.training.images.TrainingImages`.

    A picture counts as many images as crops cover it, so that all parts of all pictures are drawn equally often.

    Args:
        pictures: the pictures; those smaller than a crop are left out.
        size: height and width of a crop.
        seed: chooses the draws.
        augment: what is changed at random: "flips", "downscale", "noise".

    Raises:
        TrainingError: no picture is as large as a crop, or the changes need 256 levels.
    """

    def __init__(self, pictures: Pictures, size: tuple[int, int], seed: int, augment: Sequence[str]) -> None:
        self._size, self._seed, self._augment = size, seed, frozenset(augment)
        height, width = size
        large = np.flatnonzero((pictures.sizes >= size).all(axis=1))
        if len(large) == 0:
            most = " x ".join(map(str, pictures.sizes.max(axis=0)))
            raise TrainingError(
                f"no picture of {pictures.name} is as large as the crop of {height}x{width} (the largest sides are "
                f"{most}); choose a smaller --crop"
            )
        if pictures.levels < 256 and self._augment & {"downscale", "noise"}:
            raise TrainingError(
                f"--augment {','.join(augment)} changes brightnesses and needs 256 levels, not {pictures.levels}; only "
                "flips are possible here"
            )
        self.left_out = len(pictures) - len(large)
        self._pictures = pictures.subset(large) if self.left_out else pictures
        self._ends = np.cumsum(-(-self._pictures.sizes.prod(axis=1) // (height * width)))
        self._fingerprint = pictures.fingerprint

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of a crop."""
        return self._pictures.channels, *self._size

    @property
    def levels(self) -> int:
        """How many levels the integers have, 2 to 256."""
        return self._pictures.levels

    @property
    def name(self) -> str:
        """Short name of the pictures, and what is drawn from them."""
        changes = f" with {', '.join(sorted(self._augment))}" if self._augment else ""
        return f"{self._pictures.name}: crops of {self._size[0]}x{self._size[1]}{changes}"

    @property
    def fingerprint(self) -> str:
        """Hex digest that tells these pictures from others."""
        return self._fingerprint

    @property
    def reading(self) -> Reading:
        """How the pictures were read."""
        return self._pictures.reading

    def batch(self, indices: NDArray[np.int64] | Sequence[int], *, draw: int = 0, place: int = 0) -> torch.Tensor:
        """Draw a crop for each index; see `TrainingImages.batch`."""
        chosen = np.searchsorted(self._ends, np.asarray(indices), side="right")
        crops = [
            self._crop(int(picture), np.random.default_rng([self._seed, draw, place + number]))
            for number, picture in enumerate(chosen)
        ]
        return torch.from_numpy(np.stack(crops))

    def condition_of(self, indices: NDArray[np.int64] | Sequence[int]) -> None:
        """There are no conditions."""

    def _crop(self, picture: int, generator: np.random.Generator) -> Pixels:
        height, width = self._size
        rows, columns = (int(side) for side in self._pictures.sizes[picture])
        factor = 1.0
        if "downscale" in self._augment:
            factor = downscaling(generator, min(rows / height, columns / width))
        tall, wide = min(rows, math.ceil(height * factor)), min(columns, math.ceil(width * factor))
        top, left = generator.integers([rows - tall + 1, columns - wide + 1])
        pixels = self._pictures.region(picture, int(top), int(left), tall, wide)
        if "downscale" in self._augment:
            pixels = downscale(generator, pixels, height, width)
        if "noise" in self._augment:
            pixels = add_noise(generator, pixels)
        return flip(generator, pixels) if "flips" in self._augment else pixels


def pieces_of(pictures: Pictures, size: tuple[int, int]) -> ImageSet:
    """Cut pictures into pieces beside each other, to validate a model on that takes images of one size only.

    Args:
        pictures: the pictures.
        size: height and width of a piece; what is left at the edges is dropped.

    Returns:
        The pieces, evenly spaced ones where there are more than `MOST_PIECES`.

    Raises:
        TrainingError: no picture is as large as a piece.
    """
    height, width = size
    places = [
        (picture, top, left)
        for picture, (rows, columns) in enumerate(pictures.sizes.tolist())
        for top in range(0, rows - height + 1, height)
        for left in range(0, columns - width + 1, width)
    ]
    if not places:
        raise TrainingError(
            f"no validation picture of {pictures.name} is as large as the crop of {height}x{width}; choose a smaller "
            "--crop, or other pictures with --valid"
        )
    chosen = places[:: -(-len(places) // MOST_PIECES)]
    pieces = np.stack([pictures.region(picture, top, left, height, width) for picture, top, left in chosen])
    return as_image_set(pieces, pictures.levels, f"{pictures.name}: pieces of {height}x{width}")
