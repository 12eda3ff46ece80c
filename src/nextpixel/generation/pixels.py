"""The walk over images pixel by pixel, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from nextpixel.generation.canvas import Canvas
from nextpixel.nn.distributions import Distribution, draw
from nextpixel.nn.steps.stepper import ReadoutStep


class PixelSteps(Protocol):
    """A model in the middle of a batch of images, whose pixels come in any order.

    Attributes:
        readout: the head.
    """

    @property
    def readout(self) -> ReadoutStep:
        """The head."""

    def step(self, pixel: int) -> Tensor:
        """Go on to a pixel, all pixels before it being known; what the head reads of it."""

    def tell(self, pixel: int, colour: int, values: Tensor) -> None:
        """Give the value of a colour of the pixel, `[B]` floats in [-1, 1]."""


def walk_by_pixels(steps: PixelSteps, distribution: Distribution, canvas: Canvas, pixels: Sequence[int]) -> None:
    """Fill the canvas.

    Args:
        steps: the model at the beginning of the canvas' images.
        distribution: the model's.
        canvas: what is known, and where the draws go.
        pixels: `row * W + column` of each pixel, in order.
    """
    _, colours, _, width = canvas.images.shape
    images, nats, uniforms, known = (
        values.flatten(2) for values in (canvas.images, canvas.nats, canvas.uniforms, canvas.known)
    )
    # Looked at once, on the CPU: a step that asked the device would wait for it.
    by_all, by_some = known.all(dim=0).cpu().tolist(), known.any(dim=0).cpu().tolist()
    last = max((place for place, pixel in enumerate(pixels) if not all(row[pixel] for row in by_all)), default=-1)
    for place, pixel in enumerate(pixels[: last + 1]):
        features = steps.step(pixel)
        earlier: list[Tensor] = []
        for colour in range(colours):
            values = images[:, colour, pixel].long()
            if by_all[colour][pixel]:
                steps.readout.prepare(colour, features)
            else:
                parameters = distribution.coupled(steps.readout.read(colour, features), earlier, colour)
                logits = distribution.logits(parameters)
                drawn = draw(logits, uniforms[:, colour, pixel], canvas.sampling)
                is_known = known[:, colour, pixel]
                values = torch.where(is_known, values, drawn) if by_some[colour][pixel] else drawn
                # What was drawn from logits that are not numbers is no level; the result is then no number either.
                chosen = values.clamp(max=logits.shape[1] - 1)[:, None]
                shares = logits.log_softmax(dim=1).gather(1, chosen)[:, 0].masked_fill(is_known, 0)
                images[:, colour, pixel] = values.to(torch.uint8)
                nats[:, colour, pixel] = shares.to(nats.dtype)
            earlier.append(canvas.normalised(values))
            steps.tell(pixel, colour, earlier[-1])
        canvas.done(colours)
        if (place + 1) % width == 0:
            _put_back(canvas, images, nats)
            canvas.row_done()
    canvas.done((len(pixels) - last - 1) * colours)
    _put_back(canvas, images, nats)
    canvas.row_done()


def _put_back(canvas: Canvas, images: Tensor, nats: Tensor) -> None:
    """Copy what was drawn to the canvas, of which `flatten` made copies where its memory is not in one piece."""
    canvas.images.copy_(images.view_as(canvas.images))
    canvas.nats.copy_(nats.view_as(canvas.nats))
