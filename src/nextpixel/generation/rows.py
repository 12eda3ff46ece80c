"""Drawing a row of sub-pixels by the steps of a model, one operation after the other or, on a GPU, all at once.

A GPU is done with most operations of a step before the next one is started, so that starting them takes the time. Where
every row takes the same operations on the same memory (`Stepper.repeats`), those of a row are captured once, in a CUDA
graph, and then started together for each row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from nextpixel.generation.canvas import Canvas
from nextpixel.generation.engine_choice import prefers_captured
from nextpixel.nn.distributions import Distribution, draw
from nextpixel.nn.steps.stepper import Stepper

MOST_CAPTURED = 1024
"""Sub-pixels of a row: a graph takes some megabytes for a hundred."""

_one_at_a_time = Lock()


class RowInputs(NamedTuple):
    """What the steps of a row take of a canvas, column by column with the colours innermost.

    Attributes:
        levels: int64 `[places, B]`; values at unknown places are ignored.
        known: bool, likewise.
        uniforms: float64, likewise.
    """

    levels: Tensor
    known: Tensor
    uniforms: Tensor

    @classmethod
    def of(cls, canvas: Canvas, row: int) -> RowInputs:
        """Those of a row."""
        parts = canvas.images[:, :, row].long(), canvas.known[:, :, row], canvas.uniforms[:, :, row]
        return cls(*(part.permute(2, 1, 0).flatten(0, 1).contiguous() for part in parts))


class Drawn(NamedTuple):
    """What was drawn.

    Attributes:
        values: int64 `[B, places]`.
        nats: log-probabilities of the values, likewise.
    """

    values: Tensor
    nats: Tensor


def draw_row(
    stepper: Stepper,
    distribution: Distribution,
    canvas: Canvas,
    row: int,
    by_all: Sequence[bool],
    by_some: Sequence[bool],
) -> None:
    """Draw what is unknown in a row.

    Args:
        stepper: the model at the beginning of the row.
        distribution: the model's.
        canvas: what is known, and where the draws go.
        row: which.
        by_all: of each place, whether all images know it.
        by_some: likewise, whether some do.
    """
    inputs = RowInputs.of(canvas, row)
    drawn = steps_of_row(stepper, distribution, canvas, inputs, by_all, by_some, done=canvas.done)
    _put(canvas, row, drawn, [place for place, known in enumerate(by_all) if not known])


def steps_of_row(
    stepper: Stepper,
    distribution: Distribution,
    canvas: Canvas,
    inputs: RowInputs,
    by_all: Sequence[bool],
    by_some: Sequence[bool],
    *,
    done: Callable[[int], None] | None = None,
) -> Drawn:
    """Go through a row; what was drawn at those places that not all images know.

    Args:
        stepper: see `draw_row`, as of the next ones.
        distribution: see there.
        canvas: see there; nothing is put on it.
        inputs: of the row.
        by_all: see there.
        by_some: see there.
        done: called with the sub-pixels of each column when it is done.
    """
    colours = canvas.images.shape[1]
    drawn, logits = [], []
    told: list[Tensor] = []
    for place, (levels, known, uniforms) in enumerate(zip(*(part.unbind() for part in inputs), strict=True)):
        column, colour = divmod(place, colours)
        parameters = stepper.predict(column, colour, read=not by_all[place])
        values = levels
        if parameters is not None:
            if distribution.couples:
                parameters = distribution.coupled(parameters, told[column * colours :], colour)
            logits.append(distribution.logits(parameters))
            values = draw(logits[-1], uniforms, canvas.sampling)
            if by_some[place]:
                values = torch.where(known, levels, values)
            drawn.append(values)
        told.append(canvas.normalised(values))
        stepper.tell(column, colour, told[-1])
        if done is not None and colour == colours - 1:
            done(colours)
    together = torch.stack(drawn, dim=1)
    return Drawn(together, nats_of(torch.stack(logits, dim=2), together))


def nats_of(logits: Tensor, values: Tensor) -> Tensor:
    """Log-probabilities of values `[B, places]`, from logits `[B, levels, places]`."""
    # What was drawn from logits that are not numbers is no level; the result is then no number either.
    chosen = values.clamp(max=logits.shape[1] - 1)[:, None]
    return logits.log_softmax(dim=1).gather(1, chosen)[:, 0]


def _put(canvas: Canvas, row: int, drawn: Drawn, places: Sequence[int]) -> None:
    """Put what was drawn at some places of a row on the canvas; nats of what is known stay."""
    at = torch.tensor(places, device=canvas.images.device)
    colours = canvas.images.shape[1]
    here = (slice(None), at % colours, row, at // colours)
    canvas.images[here] = drawn.values.to(torch.uint8)
    canvas.nats[here] = torch.where(canvas.known[here], canvas.nats[here], drawn.nats.to(canvas.nats.dtype))


def captures_rows(stepper: Stepper, canvas: Canvas) -> bool:
    """Whether the rows of a canvas are drawn by a graph."""
    _, colours, _, width = canvas.images.shape
    repeats = stepper.repeats and colours * width <= MOST_CAPTURED
    return repeats and canvas.images.device.type == "cuda" and prefers_captured()


class RowGraph:
    """The steps of a row, captured once.

    The first row is drawn operation by operation, by which all that they need is loaded; with the second one they are
    captured.

    Args:
        stepper: the model at the beginning of the canvas' images, whose rows repeat.
        distribution: the model's.
        canvas: what is known, and where the draws go.
    """

    def __init__(self, stepper: Stepper, distribution: Distribution, canvas: Canvas) -> None:
        self.stepper, self.distribution, self.canvas = stepper, distribution, canvas
        # What graphs read and write stays where it is.
        self.inputs = RowInputs.of(canvas, 0)
        self.places = range(len(self.inputs.levels))
        shape = (len(canvas.images), len(self.places))
        self.drawn = Drawn(self.inputs.levels.new_empty(shape), canvas.nats.new_empty(shape))
        self.rows_drawn = 0
        self.replay: Callable[[], None] | None = None

    def draw_row(self, row: int) -> None:
        """Draw what is unknown in a row."""
        for mine, part in zip(self.inputs, RowInputs.of(self.canvas, row), strict=True):
            mine.copy_(part)
        if self.rows_drawn == 1:
            self._capture()
        if self.replay is None:
            self._steps()
        else:
            self.replay()
        self.rows_drawn += 1
        self.canvas.done(len(self.places))
        _put(self.canvas, row, self.drawn, self.places)

    def _capture(self) -> None:
        """Capture the steps, if this GPU and its driver can; drawing does not depend on it."""
        try:
            self.replay = captured(self._steps, self.canvas.images.device)
        except RuntimeError as error:
            warnings.warn(f"steps are not captured in a CUDA graph, so drawing is slower: {error}", stacklevel=2)

    def _steps(self) -> None:
        """Go through the row in which every place may be known or not."""
        none, every = [False] * len(self.places), [True] * len(self.places)
        drawn = steps_of_row(self.stepper, self.distribution, self.canvas, self.inputs, none, every)
        self.drawn.values.copy_(drawn.values)
        self.drawn.nats.copy_(drawn.nats)


def captured(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A CUDA graph of some work on a GPU, which is not done by capturing it; calling the result does it."""
    graph = torch.cuda.CUDAGraph()
    capture = torch.cuda.graph(graph, stream=torch.cuda.Stream(device), capture_error_mode="thread_local")
    # Other threads may use the GPU meanwhile, but not capture. Where capturing fails, PyTorch stays on its stream, and
    # the outer context leaves it.
    with _one_at_a_time, torch.cuda.stream(torch.cuda.current_stream(device)), capture:
        work()
    return graph.replay
