"""What a stepper is: the second way to compute a model, which sampling, completing and decoding use.

A parallel pass computes all sub-pixels at once, from an image that is there already. A stepper computes one after the
other, in raster order, and is told each value before it goes on. What depends on finished rows only is computed once a
row, for the whole row at once; the rest once a sub-pixel, and only for the features of its own colour. Memory is
allocated once, for a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor

from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.feature_row import FeatureRow


class ReadoutStep(Protocol):
    """A head at one pixel, colour by colour."""

    def read(self, colour: int, maps: Tensor) -> Tensor:
        """The parameters of a sub-pixel, `[B, parameters]`; the colours of a pixel in order, none left out."""

    def prepare(self, colour: int, maps: Tensor) -> None:
        """Go on to a colour whose distribution is not asked for."""


class Stepper(ABC):
    """A model in the middle of a batch of images.

    Args:
        image: the current row of the images' maps.
        maps: which maps these are.
        readout: the head.

    Attributes:
        repeats: whether the steps of every row are the same operations on the same memory.
    """

    repeats: ClassVar[bool] = False

    def __init__(self, image: FeatureRow, maps: LevelEmbedding, readout: ReadoutStep) -> None:
        self.image, self.maps, self.readout = image, maps, readout

    @abstractmethod
    def start_row(self, row: int) -> None:
        """Do the work of a row, all values of the rows above being known."""

    @abstractmethod
    def compute(self, column: int, colour: int) -> Tensor:
        """Go on to a sub-pixel of the row, all values before it being known; what the head reads, `[B, group]`."""

    def predict(self, column: int, colour: int, *, read: bool) -> Tensor | None:
        """Go on to a sub-pixel of the row, all values before it being known.

        Args:
            column: of the sub-pixel.
            colour: of the sub-pixel.
            read: whether its distribution is needed.

        Returns:
            Its parameters, `[B, parameters]`, valid until the next step; None if they are not needed.
        """
        maps = self.compute(column, colour)
        if read:
            return self.readout.read(colour, maps)
        self.readout.prepare(colour, maps)
        return None

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        """Give the value of the sub-pixel, `[B]` floats in [-1, 1] as the network takes them."""
        self.image.own[column][colour].copy_(self.maps.of(values[:, None]))

    def fill(self, values: Tensor) -> None:
        """Give all values of the row, `[B, C, W]` in [-1, 1]."""
        self.image.places.copy_(self.maps.of(values.transpose(1, 2)))

    def end_row(self) -> None:  # noqa: B027 - most models have nothing to do here
        """Do what remains when all values of the row are known."""

    def known_row(self, values: Tensor) -> None:
        """Go through a row of known values, `[B, C, W]` in [-1, 1]; equal to telling them one after the other."""
        _, colours, width = values.shape
        for column in range(width):
            for colour in range(colours):
                self.predict(column, colour, read=False)
                self.tell(column, colour, values[:, colour, column])
        self.end_row()
