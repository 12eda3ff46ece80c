"""The base class of models in raster order, which have a second way to be computed: step by step."""

from __future__ import annotations

import torch

from nextpixel.engines.native import kernel
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.compiled import float_program, walk_compiled
from nextpixel.generation.engine_choice import prefers_compiled
from nextpixel.generation.walk import walk_by_passes, walk_by_steps
from nextpixel.nn.conditioning import Context
from nextpixel.nn.distributions import Categorical
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.plan.lowering.builder import Builder
from nextpixel.plan.operations import Program


class RasterModel(ImageModel):
    """A model in raster order, colours innermost, with steps: a stepper, a program, or both.

    Attributes:
        image_maps: how an image enters the network.
    """

    image_maps: LevelEmbedding

    @staticmethod
    def lower(builder: Builder) -> Program:
        """Add the operations of the model to a program, from the image to the outputs of the head, and give it.

        The same description serves the codec, in integers, and drawing, in floats.

        Args:
            builder: what the operations are added to; it knows the description and the weights.
        """
        raise ModelError(f"models of the family {builder.model.family} have no program")

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        """The model at the beginning of a batch of images, to be computed step by step.

        Args:
            batch: number of images.
            context: what the layers see of the conditions of these images; None without.
            width: of the images.
        """
        raise NotImplementedError

    def check_layers(self, computation: str) -> None:
        """Refuse layers that another computation than the parallel pass does not know: others than the family makes.

        Args:
            computation: a plural noun for the error.

        Raises:
            ModelError: there is one.
        """
        with torch.device("meta"):
            made = type(self)(self.image_shape, self.levels, self.condition, **self.options)
        kinds = {name: type(module) for name, module in made.named_modules()}
        for name, module in self.named_modules():
            if kinds.get(name) is not type(module) or (name and "forward" in vars(module)):
                raise ModelError(
                    f"{name} is a {type(module).__name__} of its own, which the {computation} do not know; "
                    "put the layer back, or write a family of your own for it"
                )

    def lowers_head(self) -> bool:
        """Whether the program knows the nonlinearity of the head; asked after `check_layers`."""
        return True

    @property
    def lowers(self) -> bool:
        """Whether `lower` tells all that the parallel pass computes: no subclass has changed one of them alone."""
        depth = self.depth
        others = (*self.arithmetic, "_stepper")
        has_program = type(self).lower is not RasterModel.lower
        return has_program and all(depth("lower") <= depth(name) for name in others)

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas in raster order, by steps; by passes where there are none for it."""
        self.check_arithmetic()
        if self._fill_compiled(canvas, context):
            return
        if not self._has_stepper:
            walk_by_passes(self, canvas, context)
        else:
            stepper = self._stepper(len(canvas.images), context, canvas.images.shape[3])
            walk_by_steps(stepper, self.distribution, canvas)

    @property
    def _has_stepper(self) -> bool:
        return type(self)._stepper is not RasterModel._stepper

    def _fill_compiled(self, canvas: Canvas, context: Context | None) -> bool:
        """Draw by the compiled engine, where it can and is the faster one; whether it did."""
        plain = canvas.sampling.top_k is None and canvas.sampling.top_p is None
        fits = type(self.distribution) is Categorical and canvas.nats.dtype == torch.float32
        if not (plain and fits and canvas.nats.device.type == "cpu" and self.lowers):
            return False
        compiled = kernel()
        if compiled is None:
            return False
        self.check_layers("steps")
        if not self.lowers_head():
            return False
        places = 0 if context is None or context.places is None else context.places.shape[1]
        program = float_program(self, type(self).lower, self, places)
        if self._has_stepper and not prefers_compiled(program.products * len(canvas.images), torch.get_num_threads()):
            return False
        walk_compiled(compiled, program.layout, canvas, context)
        return True
