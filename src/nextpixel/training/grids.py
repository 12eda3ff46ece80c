"""Sample grids in the course of a training."""

from __future__ import annotations

import math

import torch

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import NextpixelError
from nextpixel.families.base import ImageModel
from nextpixel.nn.conditions import Values
from nextpixel.rendering.grid import grid, save_picture
from nextpixel.runtime.compilation import working_time
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.settings import TrainingSettings

MOST_SECONDS, MOST_PART, PATIENCE = 60.0, 0.05, 2.0


class TooSlowError(NextpixelError):
    """A sample grid would take longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class SampleGrids:
    """Draws the sample grids of a run into its folder.

    Args:
        folder: the folder of the run.
        settings: how many images a grid has, and the seed of their draws.
        valid: the validation images, whose first conditions a conditional model draws from.

    Attributes:
        seconds: how long the last grid took, without what was compiled for it.
    """

    def __init__(self, folder: RunFolder, settings: TrainingSettings, valid: ImageSet | Pictures) -> None:
        self._folder, self._settings, self._valid = folder, settings, valid
        self.seconds = 0.0

    def draw(self, model: ImageModel, step: int, seconds: float) -> str | None:
        """Draw a grid, unless that would take a good part of the run.

        Args:
            model: the model to draw from.
            step: the steps done, after which the grid is called.
            seconds: how long the run has taken so far.

        Returns:
            Why there is no grid, or None.
        """
        start, done, total = working_time(), 0, self._settings.grid_images * math.prod(model.image_shape)
        allowed = max(MOST_SECONDS, MOST_PART * seconds)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            taken = working_time() - start
            if taken > PATIENCE and taken * total > allowed * done:
                raise TooSlowError(taken * total / done)

        generator = torch.Generator().manual_seed(self._settings.seed)
        try:
            condition = self._condition(model)
            samples = model.sample(self._settings.grid_images, condition, generator=generator, advance=advance)
        except TooSlowError as error:
            return (
                f"step {step:,}: no sample grid, as it would take some {error.seconds / 60:.0f} minutes; "
                f"for one: nextpixel sample {self._folder.path} --out grid.png"
            )
        finally:
            self.seconds = working_time() - start
        save_picture(grid(samples, model.levels), self._folder.grid(step))
        return None

    @torch.no_grad()
    def _condition(self, model: ImageModel) -> Values | None:
        """The conditions of the first validation images."""
        if model.condition is None or isinstance(self._valid, Pictures):
            return None
        first = torch.arange(self._settings.grid_images) % len(self._valid)
        images = model.checked_images(self._valid.batch(first))
        return model.conditions_for(images, self._valid.condition_of(first))
