"""Programs in the compiled engine: the memory of a batch, and the work of a row at a time. No PyTorch here."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import LaneDecoder
from nextpixel.engines import columns as at
from nextpixel.engines.layout import Layout
from nextpixel.engines.tables import Stage, cells_of, stages_of, tables_of
from nextpixel.plan.operations import Cell, Given
from nextpixel.runtime.compilation import LateCompiled

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Float = TypeVar("Float", np.float32, np.float64)


class Drawing(NamedTuple):
    """Where draws go.

    Attributes:
        images: uint8 `[B, C, H, W]`.
        known: bool, likewise: what is not drawn.
        uniforms: float64, likewise; see `nextpixel.generation.canvas`, as of the next one.
        nats: float32, likewise.
        temperature: of the draws.
    """

    images: NDArray[np.uint8]
    known: NDArray[np.bool_]
    uniforms: Doubles
    nats: Singles
    temperature: float = 1.0


class Decoding(NamedTuple):
    """Where values are decoded from: the lanes of a `LaneDecoder`.

    Attributes:
        lanes: which of them each image is in.
        state: of the decoder, as are the others.
        words: see there.
        next: see there.
        ends: see there.
        spare: see there.
    """

    lanes: Integers
    state: Integers
    words: Integers
    next: Integers
    ends: Integers
    spare: Doubles

    @classmethod
    def of(cls, decoder: LaneDecoder, lanes: Integers) -> Decoding:
        """The lanes of images in a decoder."""
        state, words = decoder.state.view(np.int64), decoder.words.view(np.int64)
        return cls(lanes, state, words, decoder.next, decoder.ends, decoder.spare)


_NUMBER = np.zeros(1, np.int64)
NO_DECODING = Decoding(_NUMBER, _NUMBER, _NUMBER, _NUMBER, _NUMBER, np.zeros(1))


class CompiledEngine:
    """A program in the middle of a batch of images.

    Args:
        kernel: see `nextpixel.engines.native`.
        layout: the program, laid out.
        batch: B.
        width: of the images.
        labels: int64 `[B]`: the class of each image, of a program in integers that has classes.
        vector: float32 `[B, h]`: the conditions' vector of each image, of a program in floats that has one.
        exact: whether the program is in integers.
        whole_rows: whether rows of known values are gone through at once, and their outputs are asked for; such an
            engine takes no steps.
    """

    def __init__(
        self,
        kernel: LateCompiled,
        layout: Layout,
        batch: int,
        width: int,
        *,
        labels: Integers | None = None,
        vector: Singles | None = None,
        exact: bool,
        whole_rows: bool = False,
    ) -> None:
        self.kernel, self.layout, self.batch, self.width = kernel, layout, batch, width
        self.tables = tables = tables_of(layout, exact=exact)
        self.stages = stages_of(layout, tables, batch, width, whole_rows=whole_rows)
        self.columns = width + layout.program.beyond
        places = list(layout.places.values())
        cells = [layout.places[name] for name in cells_of(layout)]
        rings: list[list[int]] = []
        start = 0
        for place in [*places, *cells]:
            apart = whole_rows or place.operation.name not in tables.own_pixel
            size = (place.left + (self.columns if apart else 1) + place.right) * batch * place.channels
            rings.append([start, place.channels, place.left, place.depth + 1, size, apart])
            start += (place.depth + 1) * size
        self.rings = np.array(rings, np.int64)
        self.numbers = np.empty(start, np.float32)
        self.given = next((n for n, place in enumerate(places) if isinstance(place.operation, Given)), None)
        self.biases = _biases(tables.biases, labels, vector)
        self.wide_biases: Doubles = _biases(tables.wide_biases, labels, None)
        points = batch * self.columns
        self.sums = np.empty(tables.biases.shape[1] * points, np.float32)
        self.wide_sums = np.empty(tables.wide_biases.shape[1] * points, np.float64)
        colours = layout.program.colours
        blank = (batch, colours, 1, 1)
        self.no_drawing = Drawing(
            np.zeros(blank, np.uint8), np.zeros(blank, np.bool_), np.zeros(blank), np.zeros(blank, np.float32)
        )
        self.shares = np.zeros(layout.program.levels)
        self.integer_shares = np.zeros(layout.program.levels, np.int64)

    def begin_row(self, row: int, places: NDArray[np.float32 | np.float64] | None = None) -> None:
        """Do the work of a row, all values of the rows above being known; row 0 begins new images.

        Args:
            row: which.
            places: what is known of the places of the row before the image is, `[W, B, channels]`.
        """
        if row == 0:
            self._clear()
        if self.given is not None and places is not None:
            self._row(self.given, row)[: len(places)] = places
        self._run(self.stages.begin, row)

    def end_row(self, row: int) -> None:
        """Do what remains when all values of a row are known by steps, before the next row begins."""
        self._run(self.stages.beyond, row)
        self._run(self.stages.late, row)

    def known_row(self, values: NDArray[np.integer], row: int) -> None:
        """Go through a row of known values, integers `[B, C, W]`, and end it."""
        image = self._row(0, row)
        image[: self.width] = self.tables.levels[values.transpose(2, 0, 1)].reshape(self.width, self.batch, -1)
        image[self.width :] = 0
        self._run(self.stages.known, row)
        self._run(self.stages.late, row)

    def draw_row(self, drawing: Drawing, row: int) -> None:
        """Draw what is unknown in a row."""
        self._run(self.stages.step, row, 0, self.width, at.DRAW, drawing)

    def decode_row(self, images: NDArray[np.uint8], known: NDArray[np.bool_], decoding: Decoding, row: int) -> None:
        """Decode what is unknown in a row into the images, uint8 `[B, C, H, W]`."""
        drawing = self.no_drawing._replace(images=images, known=known)
        self._run(self.stages.step, row, 0, self.width, at.DECODE, drawing, decoding)

    def predict(self, row: int, column: int, colour: int) -> Singles:
        """Go on to a sub-pixel; what the last operation makes there, `[B, outputs]`, valid until the next step."""
        stage = self.stages.step
        self._run(Stage(stage.jobs, stage.starts[:, colour:]), row, column, column + 1)
        number = len(self.layout.places) - 1
        made = self._row(number, row)[column * int(self.rings[number, at.COLUMNS_APART])]
        of_colours: Singles = made.reshape(self.batch, self.layout.program.colours, -1)
        return of_colours[:, colour]

    def tell(self, row: int, column: int, colour: int, values: NDArray[np.integer]) -> None:
        """Give the value of a sub-pixel, integers `[B]`."""
        maps = self.tables.levels.shape[1]
        self._row(0, row)[column, :, colour * maps : (colour + 1) * maps] = self.tables.levels[values]

    def outputs(self, row: int) -> Singles:
        """What the last operation has made in a row that was gone through at once, `[W, B, C, outputs of a colour]`."""
        made = self._row(len(self.layout.places) - 1, row)[: self.width]
        return made.reshape(self.width, self.batch, self.layout.program.colours, -1)

    def map_row(self, name: str, row: int) -> Singles:
        """What a map has in a row that was gone through at once, `[W, B, channels]`."""
        return self._row(list(self.layout.places).index(name), row)[: self.width]

    def _row(self, number: int, row: int) -> Singles:
        """A row of a map, `[columns, B, channels]`."""
        place, channels, left, rows, size, _ = self.rings[number].tolist()
        start = place + row % rows * size
        numbers = self.numbers[start : start + size].reshape(-1, self.batch, channels)
        return numbers[left : left + self.columns]

    def _clear(self) -> None:
        """Begin with new images: zeros, and around cells their first states and memories."""
        self.numbers[...] = 0
        places = list(self.layout.places.values())
        cells = [self.layout.places[name] for name in cells_of(self.layout)]
        for number, place in enumerate([*places, *cells]):
            if isinstance(place.operation, Cell):
                first = place.operation.first_state if number < len(places) else place.operation.first_memory
                start, channels, _, rows, size, _ = self.rings[number].tolist()
                self.numbers[start : start + rows * size].reshape(-1, channels)[...] = first[list(place.order)]

    def _run(
        self,
        stage: Stage,
        row: int,
        first: int = 0,
        end: int = 1,
        then: int = at.PLAIN,
        drawing: Drawing | None = None,
        decoding: Decoding = NO_DECODING,
    ) -> None:
        if not len(stage.jobs):
            return
        tables, drawing = self.tables, drawing or self.no_drawing
        self.kernel(
            stage.jobs,
            stage.starts,
            tables.readings,
            self.rings,
            self.numbers,
            self.sums,
            self.wide_sums,
            tables.weights,
            tables.wide_weights,
            self.biases,
            self.wide_biases,
            tables.scales,
            tables.elus,
            tables.gates,
            tables.cells,
            tables.exact,
            self.batch * self.columns,
            row,
            first,
            end,
            then,
            len(self.layout.places) - 1,
            tables.levels,
            drawing.images,
            drawing.known,
            drawing.uniforms,
            drawing.nats,
            drawing.temperature,
            self.shares,
            tables.exponentials,
            self.integer_shares,
            *decoding,
        )


def _biases(biases: NDArray[Float], labels: Integers | None, vector: Singles | None) -> NDArray[Float]:
    """The biases of each image, or one row for all, `[1 or B, padded outputs]`."""
    if vector is not None and len(biases) > 1:
        return np.ascontiguousarray((biases[:1] + vector @ biases[1:]).astype(biases.dtype))
    return np.ascontiguousarray(biases[labels] if labels is not None and len(biases) > 1 else biases[:1])
