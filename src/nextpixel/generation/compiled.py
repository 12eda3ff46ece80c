"""Drawing by the compiled engine: the program of a model in floats, a row at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from nextpixel.engines.compiled import CompiledEngine, Drawing
from nextpixel.engines.layout import Layout, lay_out
from nextpixel.generation.canvas import Canvas
from nextpixel.model_files.format import WritableModel
from nextpixel.model_files.stored import stored_model
from nextpixel.nn.conditioning import Context
from nextpixel.plan.lowering.families import Lowering, lower_floats
from nextpixel.plan.schedule import Phase
from nextpixel.runtime.batching import divided
from nextpixel.runtime.compilation import LateCompiled

LEAST_IMAGES = 4
"""That a thread takes: fewer are better taken together."""


class FloatProgram(NamedTuple):
    """A model's program in floats.

    Attributes:
        layout: the program, laid out.
        products: of numbers, in a step of one image.
        weights: those that it was made of.
    """

    layout: Layout
    products: int
    weights: dict[str, Tensor]


_programs: WeakKeyDictionary[nn.Module, FloatProgram] = WeakKeyDictionary()


def float_program(model: nn.Module, lowering: Lowering, described: WritableModel, places: int) -> FloatProgram:
    """The program of a model, made anew only if its weights have changed.

    Args:
        model: the model, on the CPU, in float32.
        lowering: of its family.
        described: the model again, for its description.
        places: channels of what its conditions give to places; 0 without.
    """
    known = _programs.get(model)
    weights = model.state_dict()
    if known is not None and weights.keys() == known.weights.keys():
        # Looked at as they are, and not by their versions, which changes through `data` leave alone.
        same = (
            a.shape == b.shape and torch.equal(a, b)
            for a, b in zip(weights.values(), known.weights.values(), strict=True)
        )
        if all(same):
            return known
    layout = lay_out(lower_floats(lowering, stored_model(described), places))
    steps = [name for name, place in layout.places.items() if place.phase == Phase.STEP and name in layout.sums]
    products = sum(reading.weight.size for name in steps for reading in layout.sums[name].now)
    made = FloatProgram(layout, products, {name: weight.clone() for name, weight in weights.items()})
    _programs[model] = made
    return made


def walk_compiled(kernel: LateCompiled, layout: Layout, canvas: Canvas, context: Context | None) -> None:
    """Fill the canvas in raster order; see `nextpixel.generation.walk.walk_by_steps`.

    The images are divided among as many threads as PyTorch has.

    Args:
        kernel: the compiled engine.
        layout: the model's program in floats.
        canvas: what is known, and where the draws go; on the CPU.
        context: what the layers see of the conditions; None without.
    """
    batch, colours, height, width = canvas.images.shape
    if not batch:
        return
    rows = canvas.known.all(dim=0).all(dim=2).all(dim=0).tolist()
    needed = max((row + 1 for row in range(height) if not rows[row]), default=0)
    threads = min(torch.get_num_threads(), max(1, batch // LEAST_IMAGES))
    parts = [
        _Part(kernel, layout, canvas.part(images), None if context is None else context.part(images))
        for images in divided(batch, -(-batch // threads), 1)
    ]
    with ThreadPoolExecutor(len(parts)) as pool:
        for row in range(needed):
            work = partial(_Part.go_through, row=row, known=rows[row], ends=row + 1 < needed)
            # Threads of a pool are waited for even after Ctrl-C, which compiling must not hold up.
            list(pool.map(work, parts) if len(parts) > 1 and kernel.ready else map(work, parts))
            canvas.done(colours * width)
            canvas.row_done()
    canvas.done((height - needed) * width * colours)


class _Part:
    """Some of the images, in an engine of their own."""

    def __init__(self, kernel: LateCompiled, layout: Layout, canvas: Canvas, context: Context | None) -> None:
        self.canvas = canvas
        batch, _, _, width = canvas.images.shape
        vector = None if context is None or context.vector is None else context.vector.numpy()
        self.places = None if context is None else context.places
        self.engine = CompiledEngine(kernel, layout, batch, width, vector=vector, exact=False)
        self.drawing = Drawing(
            np.ascontiguousarray(canvas.images.numpy()),
            np.ascontiguousarray(canvas.known.numpy()),
            np.ascontiguousarray(canvas.uniforms.numpy()),
            # What is known here may have been drawn before, by a smaller model.
            np.ascontiguousarray(canvas.nats.numpy()),
            float(canvas.sampling.temperature),
        )

    def go_through(self, *, row: int, known: bool, ends: bool) -> None:
        """Go through a row, and put it on the canvas."""
        places = None
        if self.places is not None:
            places = np.ascontiguousarray(self.places[:, :, row].permute(2, 0, 1).numpy())
        self.engine.begin_row(row, places)
        if known:
            self.engine.known_row(self.drawing.images[:, :, row], row)
            return
        self.engine.draw_row(self.drawing, row)
        if ends:
            self.engine.end_row(row)
        self.canvas.images[:, :, row] = torch.from_numpy(self.drawing.images[:, :, row])
        self.canvas.nats[:, :, row] = torch.from_numpy(self.drawing.nats[:, :, row])
