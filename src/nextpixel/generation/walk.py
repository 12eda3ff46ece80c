"""The walk over images in the order of generation, which sampling and completing share.

At each sub-pixel, in the order of ranks, the value is taken from the image where it is known, else drawn from the
model's distribution given everything before. Families in raster order compute that distribution by a stepper
(`nextpixel.nn.steps`), which touches only what is new; `walk_by_passes` does it by a parallel pass of the network for
each sub-pixel, for models of any order, and as the reference of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from nextpixel.errors import ModelError
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.model import GenerativeModel
from nextpixel.generation.rows import RowGraph, captures_rows, draw_row, nats_of
from nextpixel.nn.conditioning import Context
from nextpixel.nn.distributions import AS_IT_IS, Distribution, SamplingParams, draw
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.runtime.batching import divided
from nextpixel.runtime.distributed import ALONE, current
from nextpixel.runtime.precision import evaluating, in_full_float32
from nextpixel.runtime.progress import Advance

MOST_AT_ONCE, FLOATS_AT_ONCE = 256, 2**27
MOST_ON_A_GPU = 4096
"""A GPU takes the same time for a step of one image as for hundreds."""

NO_PROBABILITIES = "the model gives probabilities that are not numbers; its weights have diverged: train it anew"


class Walk(NamedTuple):
    """The result of a walk.

    Attributes:
        images: uint8 `[B, C, H, W]`.
        log_prob_map: nats of the drawn sub-pixels under the model (at temperature 1), `[B, C, H, W]`; 0 where known.
    """

    images: Tensor
    log_prob_map: Tensor


@in_full_float32
@torch.no_grad()
def walk(
    model: GenerativeModel,
    images: Tensor,
    known: Tensor,
    condition: dict[str, Tensor],
    *,
    sampling: SamplingParams = AS_IT_IS,
    generator: torch.Generator | None = None,
    uniforms: Tensor | None = None,
    advance: Advance | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Walk:
    """Draw the unknown sub-pixels of `images`, in evaluation mode.

    Args:
        model: the model.
        images: integers `[B, C, H, W]` on the model's device.
        known: bool `[B, C, H, W]`.
        condition: values of the model's conditions by name, each `[B, ...]` on the model's device.
        sampling: how levels are drawn.
        generator: CPU generator of the draws.
        uniforms: the numbers to draw with, float64 `[B, C, H, W]` on [0, 1), instead of new ones.
        advance: called with a number of sub-pixels done, which add up to B*C*H*W.
        watch: called after each row with those images, as far as they are drawn, that are drawn together.

    Raises:
        ModelError: the model's probabilities are not numbers.
    """
    # All numbers are drawn beforehand, image by image, so that an image does not depend on how many are drawn with it.
    if uniforms is None:
        uniforms = torch.rand(images.shape, generator=generator, dtype=torch.float64)
    uniforms = uniforms.to(images.device)
    images = images.to(torch.uint8, copy=True)
    nats = torch.zeros(images.shape, device=images.device, dtype=next(model.parameters()).dtype)
    canvas = Canvas(images, nats, known, uniforms, sampling, model.levels, advance)

    def draw_part(number: int) -> Walk:
        part, beside = parts[number], processes.beside(parts, number)
        context = model.context_of({name: values[part] for name, values in condition.items()})
        part_canvas = canvas.part(part)
        part_canvas = part_canvas.counting(beside[-1].stop - beside[0].start, part.stop - part.start)
        if watch is not None:
            part_canvas = replace(part_canvas, watch=partial(watch, part_canvas.images))
        model.fill(part_canvas, context)
        return Walk(part_canvas.images, part_canvas.nats)

    # Who watches wants to see all images at once.
    processes = ALONE if watch is not None else current()
    parts = divided(len(images), model.images_at_once, processes.count)
    with evaluating(model):
        for part, drawn in zip(parts, processes.each(range(len(parts)), draw_part), strict=True):
            images[part], nats[part] = drawn.images.to(images.device), drawn.log_prob_map.to(nats.device)
    if not nats.isfinite().all():
        raise ModelError(NO_PROBABILITIES)
    return Walk(images, nats)


def walk_by_steps(stepper: Stepper, distribution: Distribution, canvas: Canvas) -> None:
    """Fill the canvas in raster order.

    Args:
        stepper: the model at the beginning of the canvas' images.
        distribution: the model's.
        canvas: what is known, and where the draws go.
    """
    batch, colours, height, width = canvas.images.shape
    if not batch:
        return
    # Looked at once, on the CPU: a step that asked the device would wait for it.
    by_all, by_some = (known.cpu().tolist() for known in (canvas.known.all(dim=0), canvas.known.any(dim=0)))
    rows = [all(all(by_all[colour][row]) for colour in range(colours)) for row in range(height)]
    needed = max((row + 1 for row in range(height) if not rows[row]), default=0)
    graph = RowGraph(stepper, distribution, canvas) if captures_rows(stepper, canvas) else None
    for row in range(needed):
        stepper.start_row(row)
        if rows[row]:
            stepper.known_row(canvas.normalised(canvas.images[:, :, row]))
            canvas.done(colours * width)
            canvas.row_done()
            continue
        if graph is not None:
            graph.draw_row(row)
        else:
            all_know, some_know = (
                [places[colour][row][column] for column in range(width) for colour in range(colours)]
                for places in (by_all, by_some)
            )
            draw_row(stepper, distribution, canvas, row, all_know, some_know)
        if row + 1 < needed:
            stepper.end_row()
        canvas.row_done()
    canvas.done((height - needed) * width * colours)


def walk_by_passes(model: GenerativeModel, canvas: Canvas, context: Context | None) -> None:
    """Fill the canvas in the model's order, by a parallel pass for each sub-pixel."""
    _, height, width = model.image_shape
    for step, site in enumerate(model.order.flatten().argsort().tolist(), 1):
        colour, row, column = site // (height * width), site // width % height, site % width
        known = canvas.known[:, colour, row, column]
        if not known.all():
            logits = model.distribution.logits(model.predict(canvas.images, context))[:, :, colour, row, column]
            drawn = draw(logits, canvas.uniforms[:, colour, row, column], canvas.sampling)
            values = torch.where(known, canvas.images[:, colour, row, column].long(), drawn)
            canvas.images[:, colour, row, column] = values.to(torch.uint8)
            nats = nats_of(logits[:, :, None], values[:, None])[:, 0].masked_fill(known, 0)
            canvas.nats[:, colour, row, column] = nats.to(canvas.nats.dtype)
        canvas.done(1)
        if step % (width * len(model.order)) == 0:
            canvas.row_done()
