"""The engine of NumPy alone: rows whose values are known at once, others sub-pixel by sub-pixel.

Everything is an integer that floats hold exactly, so both give the same bits, and so does every other engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextpixel.coding.rans import LaneDecoder
from nextpixel.coding.tables import frequencies
from nextpixel.engines.layout import Layout, Place, Reading
from nextpixel.plan.cells import cell
from nextpixel.plan.integers import FRACTION_BITS, GATE_REACH, ONE, elu_table, gate_tables
from nextpixel.plan.operations import (
    Add,
    Cell,
    ExponentialUnit,
    Gate,
    Given,
    Image,
    Operation,
    Pointwise,
    Rectify,
    Shift,
    Sum,
    Summing,
)
from nextpixel.plan.schedule import Phase

Floats = NDArray[np.float32 | np.float64]

MOST_AT_ONCE, NUMBERS_AT_ONCE = 256, 2**26
NUMBERS_OF_A_PLACE = 8
"""How many numbers of float32 an enlargement keeps for each number that it makes."""


class MapRows:
    """The current row of a map and those above it, with what stands beside them.

    Args:
        place: the map.
        width: of the rows.
        batch: number of images.
        outside: what stands beyond the image, `[channels]`.

    Attributes:
        rows: from the current one upwards, each `[columns, B, channels]`.
        left: columns before the first one of the image.
    """

    def __init__(self, place: Place, width: int, batch: int, outside: Floats, dtype: DTypeLike) -> None:
        self.left, self.width, self.outside = place.left, width, outside
        shape = (place.left + width + place.right, batch, place.channels)
        self.rows: list[Floats] = [np.empty(shape, dtype) for _ in range(place.depth + 1)]
        self.clear()

    def clear(self) -> None:
        """Begin with new images."""
        for row in self.rows:
            row[...] = self.outside

    def go_on(self) -> None:
        """Go on to the next row."""
        self.rows.insert(0, self.rows.pop())

    def seen(self, row: int, column: int) -> Floats:
        """What a tap sees at each place of the current row, `[W, B, channels]`."""
        first = self.left + column
        return self.rows[-row][first : first + self.width]

    @property
    def here(self) -> Floats:
        """The current row, `[W, B, channels]`."""
        return self.seen(0, 0)


class Engine:
    """A program in the middle of a batch of images.

    Args:
        layout: the program, laid out.
        batch: B.
        width: of the images.
        labels: int64 `[B]`, for a conditional model.
    """

    def __init__(self, layout: Layout, batch: int, width: int, labels: NDArray[np.int64] | None) -> None:
        self.layout, self.batch, self.width = layout, batch, width
        program = layout.program
        self.columns = width + program.beyond
        self.maps: dict[str, MapRows] = {}
        self.memories: dict[str, MapRows] = {}
        for name, place in layout.places.items():
            operation, order = place.operation, list(place.order)
            outside = operation.first_state[order] if isinstance(operation, Cell) else np.zeros(place.channels)
            self.maps[name] = MapRows(place, self.columns, batch, outside, np.float32)
            if isinstance(operation, Cell):
                first = operation.first_memory[order]
                self.memories[name] = MapRows(place, self.columns, batch, first, np.float64)
        self.biases = {
            name: total.bias[0] if labels is None or len(total.bias) == 1 else total.bias[labels]
            for name, total in layout.sums.items()
        }
        self.bases: dict[str, Floats] = {
            name: np.empty((self.columns, batch, len(total.scale)), total.dtype) for name, total in layout.sums.items()
        }
        places = layout.places.values()
        self.above, self.steps, self.late = (
            [place.operation for place in places if place.phase == phase]
            for phase in (Phase.ABOVE, Phase.STEP, Phase.LATE)
        )
        # Beyond the image nobody reads the logits.
        needed: set[str] = set()
        for operation in reversed(program.operations):
            if layout.places[operation.name].phase == Phase.LATE or operation.name in needed:
                needed |= set(operation.sources)
        self.steps_beyond = [operation for operation in self.steps if operation.name in needed]
        self.table = next(operation for operation in program.operations if isinstance(operation, Image)).table.astype(
            np.float32
        )
        self.row = 0
        self.row_known = False

    # Rows

    def start_row(self, row: int, places: Floats | None = None) -> None:
        """See `nextpixel.engines.exact.ExactEngine`."""
        every = [*self.maps.values(), *self.memories.values()]
        if row == 0:
            for rows in every:
                rows.clear()
        else:
            self._end_row()
            for rows in every:
                rows.go_on()
        self.row, self.row_known = row, False
        for operation in self.above:
            if isinstance(operation, Given) and places is not None:
                self.maps[operation.name].here[: self.width] = places
            self._whole(operation)
        for operation in self.steps:
            if operation.name in self.bases:
                self._add_up(operation.name, self.layout.sums[operation.name].before, first=True)

    def _end_row(self) -> None:
        """What remains when all values of the row are known."""
        if not self.late:
            return
        if not self.row_known:
            for column in range(self.width, self.columns):
                for colour in range(self.layout.program.colours):
                    for operation in self.steps_beyond:
                        self._step(operation, column, colour)
        for operation in self.late:
            if operation.name in self.bases:
                self._add_up(operation.name, self.layout.sums[operation.name].before, first=True)
            self._whole(operation)

    def whole_row(self, values: NDArray[np.integer]) -> Floats:
        """Go through a row of known values, integers `[B, C, W]`; the logits, integers `[W, B, C, levels]`."""
        image = self.maps["image"].here
        image[: self.width] = self.table[values.transpose(2, 0, 1)].reshape(self.width, self.batch, -1)
        for operation in self.steps:
            self._whole(operation)
        self.row_known = True
        program = self.layout.program
        logits: Floats = self.maps[program.operations[-1].name].here[: self.width]
        return logits.reshape(self.width, self.batch, program.colours, program.levels)

    def largest(self, names: Sequence[str]) -> list[float]:
        """See `nextpixel.engines.exact.ExactEngine`."""
        return [float(np.abs(self.maps[name].here[: self.width]).max(initial=0)) for name in names]

    def _whole(self, operation: Operation) -> None:
        """Compute an operation for the whole row."""
        out = self.maps[operation.name].here
        if isinstance(operation, Sum):
            total = self.layout.sums[operation.name]
            base = self.bases[operation.name]
            if self.layout.places[operation.name].phase == Phase.ABOVE:
                self._add_up(operation.name, (*total.before, *total.now), first=True)
            else:
                self._add_up(operation.name, total.now, first=False)
            base *= total.scale
            np.rint(base, out=base)
            np.clip(base, -total.largest, total.largest, out=out, casting="same_kind")
        elif isinstance(operation, Cell):
            self._whole_cell(operation)
        elif isinstance(operation, Shift):
            # Beyond the image stands 0, whatever the map itself has there.
            out[...] = self.maps[operation.source].seen(-1, 0) if self.row else 0
        elif isinstance(operation, Add):
            np.add(self.maps[operation.left].here, self.maps[operation.right].here, out=out)
            np.clip(out, -operation.largest, operation.largest, out=out)
        elif isinstance(operation, Pointwise):
            source = self.maps[operation.source].here
            for seen, channels in self._spans_of(operation):
                self._pointwise(operation, source[..., seen], out[..., channels])

    def _add_up(self, name: str, readings: Sequence[Reading], *, first: bool) -> None:
        """Add what is read to a sum, at all places of the row.

        Args:
            name: of the map.
            readings: what is read.
            first: whether the sum begins here, with the bias.
        """
        base = self.bases[name]
        if first:
            base[...] = self.biases[name]
        flat = base.reshape(-1, base.shape[2])
        for source in dict.fromkeys(reading.source for reading in readings):
            taps = [reading for reading in readings if reading.source == source]
            seen = [self.maps[source].seen(tap.row, tap.column) for tap in taps]
            inputs: Floats = seen[0] if len(seen) == 1 else np.concatenate(seen, axis=2)
            weight = taps[0].weight if len(taps) == 1 else np.concatenate([tap.weight for tap in taps])
            flat += _in(base.dtype, inputs.reshape(len(flat), -1)) @ weight

    def _whole_cell(self, operation: Cell) -> None:
        """The cells of a row: at once, or, where they depend on each other, one after the other."""
        total, name = self.layout.sums[operation.name], operation.name
        recurrent = [reading for reading in total.now if reading.source == name]
        self._add_up(name, [reading for reading in total.now if reading.source != name], first=False)
        columns = range(self.columns)
        if not recurrent:
            self._cells(operation, slice(0, self.columns), self.bases[name])
            return
        for column in reversed(columns) if recurrent[0].column > 0 else columns:
            gates = self.bases[name][column]
            for reading in recurrent:
                gates = gates + _in(total.dtype, self._at(name, column + reading.column)) @ reading.weight
            self._cells(operation, slice(column, column + 1), gates[None])

    def _cells(self, operation: Cell, columns: slice, sums: Floats) -> None:
        """The cells at some places, of the sums of their gates `[columns, B, 4h]`."""
        total, tap = self.layout.sums[operation.name], operation.taps[operation.memory]
        gates = np.clip(np.rint(sums * total.scale), -GATE_REACH, GATE_REACH).astype(np.int64)
        memories, states = self.memories[operation.name], self.maps[operation.name].here[columns]
        before = memories.seen(tap.row, tap.column)[columns]
        for span, channels in zip(total.spans, self.layout.places[operation.name].spans, strict=True):
            parts = np.split(gates[..., span], 4, axis=-1)
            memory, states[..., channels] = cell(parts, before[..., channels], operation.largest)
            memories.here[columns][..., channels] = memory

    def _at(self, name: str, column: int) -> Floats:
        """What a map has at a place of the row or beside it, `[B, channels]`."""
        rows = self.maps[name]
        numbers: Floats = rows.rows[0][rows.left + column]
        return numbers

    def _spans_of(self, operation: Pointwise) -> list[tuple[slice, slice]]:
        """For each colour what an operation reads and what it makes; of all colours at once, where that is the same."""
        places = self.layout.places
        spans = list(zip(places[operation.source].spans, places[operation.name].spans, strict=True))
        return spans if isinstance(operation, Gate) else [(slice(None), slice(None))]

    def _pointwise(self, operation: Pointwise, source: Floats, out: Floats) -> None:
        """An operation at the pixel itself, on `[..., channels]` of a colour; of a gate both halves."""
        if isinstance(operation, Rectify):
            np.maximum(source, 0, out=out)
        elif isinstance(operation, ExponentialUnit):
            out[...] = elu_table(operation.largest)[source.astype(np.int64) + operation.largest]
        elif isinstance(operation, Gate):
            places = np.clip(source, -GATE_REACH, GATE_REACH).astype(np.int64) + GATE_REACH
            tanh, sigmoid = gate_tables()
            half = out.shape[-1]
            out[...] = np.rint(tanh[places[..., :half]] * sigmoid[places[..., half:]] * (1 / ONE))

    # Sub-pixels

    def predict(self, column: int, colour: int) -> Floats:
        """Go on to a sub-pixel; its logits, integers `[B, levels]`."""
        for operation in self.steps:
            self._step(operation, column, colour)
        program = self.layout.program
        return self._at(program.operations[-1].name, column)[:, colour * program.levels : (colour + 1) * program.levels]

    def tell(self, column: int, colour: int, values: NDArray[np.integer]) -> None:
        """Give the value of the sub-pixel, integers `[B]`."""
        span = self.layout.places["image"].spans[colour]
        self._at("image", column)[:, span] = self.table[values]

    def _step(self, operation: Operation, column: int, colour: int) -> None:
        """Compute an operation at a sub-pixel."""
        place = self.layout.places[operation.name]
        span = place.spans[colour]
        if isinstance(operation, Image) or span.start == span.stop:
            return
        out = self._at(operation.name, column)[:, span]
        if isinstance(operation, Sum):
            total = self.layout.sums[operation.name]
            sums = self._sum_at(operation, column, colour)
            sums *= total.scale[span]
            np.rint(sums, out=sums)
            np.clip(sums, -total.largest, total.largest, out=out, casting="same_kind")
        elif isinstance(operation, Cell):
            self._step_cell(operation, column, colour, out)
        elif isinstance(operation, Add):
            np.add(self._at(operation.left, column)[:, span], self._at(operation.right, column)[:, span], out=out)
            np.clip(out, -operation.largest, operation.largest, out=out)
        elif isinstance(operation, Pointwise):
            source = self.layout.places[operation.source].spans[colour]
            self._pointwise(operation, self._at(operation.source, column)[:, source], out)

    def _sum_at(self, operation: Summing, column: int, colour: int) -> Floats:
        """A sum at a sub-pixel before it is rounded, `[B, group]`."""
        total = self.layout.sums[operation.name]
        span = total.spans[colour]
        sums: Floats = self.bases[operation.name][column][:, span].copy()
        for reading in total.now:
            seen = reading.seen[colour]
            if seen:
                inputs = self._at(reading.source, column + reading.column)[:, :seen]
                sums += _in(total.dtype, inputs) @ reading.weight[:seen, span]
        return sums

    def _step_cell(self, operation: Cell, column: int, colour: int, out: Floats) -> None:
        total, tap = self.layout.sums[operation.name], operation.taps[operation.memory]
        span = self.layout.places[operation.name].spans[colour]
        sums = self._sum_at(operation, column, colour) * total.scale[total.spans[colour]]
        gates = np.clip(np.rint(sums), -GATE_REACH, GATE_REACH).astype(np.int64)
        memories = self.memories[operation.name]
        before = memories.seen(tap.row, tap.column)[column][:, span]
        memories.here[column][:, span], out[...] = cell(np.split(gates, 4, axis=1), before, operation.largest)

    def decode_row(
        self,
        images: NDArray[np.uint8],
        known: NDArray[np.bool_],
        decoder: LaneDecoder,
        lanes: NDArray[np.int64],
    ) -> None:
        """See `nextpixel.engines.exact.ExactEngine`."""
        for column in range(self.width):
            for colour in range(self.layout.program.colours):
                logits = self.predict(column, colour)
                place = (slice(None), colour, self.row, column)
                unknown = np.flatnonzero(~known[place])
                if len(unknown):
                    images[place][unknown] = self._decoded(logits[unknown], decoder, lanes[unknown])
                self.tell(column, colour, images[place])

    def _decoded(self, logits: Floats, decoder: LaneDecoder, lanes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next symbols of some lanes, by their logits `[lanes, levels]`."""
        shares = frequencies(logits, FRACTION_BITS)
        ends = shares.cumsum(axis=1)
        # The level in whose share the slot lies: as many shares end at or before it.
        values: NDArray[np.int64] = (ends <= decoder.slots(lanes)[:, None]).sum(axis=1)
        places = np.arange(len(lanes))
        lengths = shares[places, values]
        decoder.advance(lanes, ends[places, values] - lengths, lengths)
        return values


def _in(dtype: np.dtype[Any], values: Floats) -> Floats:
    """Values in another type, or themselves."""
    result: Floats = values.astype(dtype, copy=False)
    return result


def images_at_once(layout: Layout, height: int, width: int) -> int:
    """How many images of a size go through an engine together, by the memory that a row of their maps takes.

    What is known of places before an image is takes memory for all its rows.
    """
    numbers = 0
    for scale in layout.scales:
        columns = -(-width // scale.program.stride) + scale.program.beyond
        row = sum((place.depth + 1) * place.channels for place in scale.places.values())
        row += sum(len(total.scale) for total in scale.sums.values())
        numbers += columns * row
        if scale.program.smaller is not None:
            widest = max(len(layer.bias) for layer in scale.program.smaller.layers)
            numbers += NUMBERS_OF_A_PLACE * widest * height * width // scale.program.stride**2
    return max(1, min(MOST_AT_ONCE, NUMBERS_AT_ONCE // numbers))
