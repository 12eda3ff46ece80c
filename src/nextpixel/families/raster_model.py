"""The base class of models in raster order, which have a second way to be computed: step by step."""

from __future__ import annotations

from abc import abstractmethod

from nextpixel.families.base import ImageModel
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.walk import walk_by_steps
from nextpixel.nn.conditioning import Context
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.stepper import Stepper


class RasterModel(ImageModel):
    """A model in raster order, colours innermost, with a stepper.

    Attributes:
        image_maps: how an image enters the network.
    """

    image_maps: LevelEmbedding

    @abstractmethod
    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        """The model at the beginning of a batch of images, to be computed step by step.

        Args:
            batch: number of images.
            context: what the layers see of the conditions of these images; None without.
            width: of the images.
        """

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas in raster order, by steps."""
        self.check_arithmetic()
        walk_by_steps(self._stepper(len(canvas.images), context, canvas.images.shape[3]), self.distribution, canvas)
