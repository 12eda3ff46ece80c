"""The stepper of networks whose features belong to pixels: the network once a pixel, the head once a sub-pixel."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.pixel_head import PixelHeadStep
from nextpixel.nn.steps.stepper import Stepper


class PixelStepper(Stepper):
    """A model in the middle of a batch of images, whose features at a pixel know the pixels before it.

    Args:
        image: the current row of the images' maps.
        maps: which maps these are.
        readout: the head.
    """

    def __init__(self, image: FeatureRow, maps: LevelEmbedding, readout: PixelHeadStep) -> None:
        super().__init__(image, maps, readout)
        self.pixel_head = readout

    @abstractmethod
    def step(self, column: int) -> Tensor:
        """The features of a pixel of the row, `[B, p]`, all pixels before it being known."""

    def keep(self, column: int) -> None:
        """Take a pixel of the row whose colours are all known."""

    def compute(self, column: int, colour: int) -> Tensor:
        """See `Stepper`."""
        if colour == 0:
            self.features = self.step(column)
        return self.features

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        """See `Stepper`."""
        super().tell(column, colour, values)
        colours = self.image.own[column]
        self.pixel_head.tell(colour, colours[colour])
        if colour == len(colours) - 1:
            self.keep(column)
