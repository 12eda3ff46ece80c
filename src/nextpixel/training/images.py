"""The images that a run trains on: whole images of a set, each as often as any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data import ImageSet
from nextpixel.data.reading import Reading
from nextpixel.nn.conditions import Values


class TrainingImages(Protocol):
    """What a run needs of its training images, whatever they are made from."""

    def __len__(self) -> int:
        """Number of images, each of which is drawn once an epoch."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of every image."""

    @property
    def levels(self) -> int:
        """How many levels the integers have, 2 to 256."""

    @property
    def name(self) -> str:
        """Short name of the source."""

    @property
    def fingerprint(self) -> str:
        """Hex digest that tells these images from others."""

    @property
    def reading(self) -> Reading:
        """How the images were read."""

    def batch(self, indices: NDArray[np.int64] | Sequence[int], *, draw: int = 0, place: int = 0) -> torch.Tensor:
        """Read images.

        Args:
            indices: whole numbers `[B]` from 0 to `len` - 1.
            draw: the step that they are for, on which random changes depend.
            place: the place of the first of them in the batch of that step, likewise.

        Returns:
            uint8 `[B, C, H, W]`, each value below `levels`.
        """

    def condition_of(self, indices: NDArray[np.int64] | Sequence[int]) -> Values | None:
        """The conditions of images, in the form that a model takes; None without."""


class WholeImages:
    """The images of a set, as they are or mirrored.

    Args:
        images: the set, with the conditions of the model, if it has any.
        seed: chooses the draws.
        flips: whether left and right are mirrored, for one image in two.
    """

    def __init__(self, images: ImageSet, seed: int = 0, *, flips: bool = False) -> None:
        self._images, self._seed, self._flips = images, seed, flips

    def __len__(self) -> int:
        return len(self._images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of every image."""
        return self._images.image_shape

    @property
    def levels(self) -> int:
        """How many levels the integers have, 2 to 256."""
        return self._images.levels

    @property
    def name(self) -> str:
        """Short name of the source, and how it is changed."""
        return f"{self._images.name} with flips" if self._flips else self._images.name

    @property
    def fingerprint(self) -> str:
        """Hex digest that tells these images from others."""
        return self._images.fingerprint

    @property
    def reading(self) -> Reading:
        """How the images were read."""
        return self._images.reading

    def batch(self, indices: NDArray[np.int64] | Sequence[int], *, draw: int = 0, place: int = 0) -> torch.Tensor:
        """Read images; see `TrainingImages.batch`."""
        batch = self._images.batch(indices, draw=draw)
        if not self._flips:
            return batch
        mirrored = [
            np.random.default_rng([self._seed, draw, place + number]).random() < 0.5 for number in range(len(batch))
        ]
        return torch.where(torch.tensor(mirrored)[:, None, None, None], batch.flip(3), batch)

    def condition_of(self, indices: NDArray[np.int64] | Sequence[int]) -> Values | None:
        """The conditions of images, in the form that a model takes; None without."""
        return self._images.condition_of(indices)
