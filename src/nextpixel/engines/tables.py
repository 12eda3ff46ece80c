"""A program as the tables that compiled code reads; see `nextpixel.engines.columns`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.tables import exp_table
from nextpixel.engines import columns as at
from nextpixel.engines.layout import Layout, Place
from nextpixel.plan.cells import cell_tables
from nextpixel.plan.integers import FRACTION_BITS, elu_table, gate_tables
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

LANES = 8
"""Sums are padded to a multiple of it; see `nextpixel.engines.products`."""

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Span = tuple[int, int]


class Stage(NamedTuple):
    """Jobs that are done together.

    Attributes:
        jobs: see `nextpixel.engines.columns`; all that belongs to rows is done with those of the first colour.
        starts: where the jobs of each colour begin, and where those of the last one end, `[2, C + 1]`: first of those
            of a sub-pixel, then of one that is known in all images.
    """

    jobs: Integers
    starts: Integers


class Tables(NamedTuple):
    """What does not change from batch to batch.

    Attributes:
        exact: whether the numbers are integers.
        operations: a row of jobs for each colour of each operation, by its name.
        before: of each, its readings of what is known before the row; first and end.
        now: likewise, of what the row itself gives.
        chained: likewise, of the states that a cell itself has in the row.
        readings: see `nextpixel.engines.columns`.
        weights: of sums in float32, for each reading `[channels that it sees, padded outputs]`.
        wide_weights: of sums in float64.
        biases: of sums in float32, `[conditions, all padded outputs]`; see `Summing`.
        wide_biases: of sums in float64.
        scales: of all sums.
        elus: the tables of all ELUs of integers.
        gates: the tables of `gate_tables`, one a row.
        cells: the tables of `cell_tables`.
        levels: what stands for each level of a sub-pixel, `[levels, maps of a colour]`.
        exponentials: see `exp_table`.
        below: names of the operations that the rows below need.
        beside: likewise of those that pixels to the right or the rows below need.
        own_pixel: likewise of those that only operations at the pixel itself read.
    """

    exact: bool
    operations: dict[str, list[Integers]]
    before: dict[str, list[Span]]
    now: dict[str, list[Span]]
    chained: dict[str, list[Span]]
    readings: Integers
    weights: Singles
    wide_weights: Doubles
    biases: Singles
    wide_biases: Doubles
    scales: Doubles
    elus: Singles
    gates: Doubles
    cells: Doubles
    levels: Singles
    exponentials: Integers
    below: set[str]
    beside: set[str]
    own_pixel: set[str]


KINDS: dict[type[Operation], int] = {
    Sum: at.SUM,
    Rectify: at.RECTIFY,
    ExponentialUnit: at.ELU,
    Gate: at.GATE,
    Add: at.ADD,
    Cell: at.CELL,
    Shift: at.SHIFT,
}


class _Numbers:
    """Arrays that grow one after another."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[np.float32 | np.float64]] = []
        self.size = 0

    def add(self, array: NDArray[np.float32 | np.float64]) -> int:
        """Put an array at the end; where it begins."""
        start = self.size
        self.arrays.append(array.reshape(-1))
        self.size += array.size
        return start

    def all(self) -> NDArray[np.float32 | np.float64]:
        """All of them."""
        return np.concatenate([np.zeros(0, np.float32), *self.arrays])


class _Biases:
    """The biases of sums beside each other, padded."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[np.float32 | np.float64]] = []
        self.width = 0

    def add(self, bias: NDArray[np.float32 | np.float64], width: int) -> int:
        """Put biases `[conditions, outputs]` at the end; how many padded outputs stand before them."""
        prefix = self.width
        self.arrays.append(np.pad(bias, ((0, 0), (0, width - bias.shape[1]))))
        self.width += width
        return prefix

    def all(self) -> NDArray[np.float32 | np.float64]:
        """All of them, with as many rows as the most have: a sum in floats that no vector changes has one row."""
        rows = max((len(bias) for bias in self.arrays), default=1)
        same = [np.pad(bias, ((0, rows - len(bias)), (0, 0))) for bias in self.arrays]
        return np.concatenate([np.zeros((rows, 0), np.float32), *same], axis=1)


@lru_cache(maxsize=4)
def tables_of(layout: Layout, *, exact: bool) -> Tables:
    """The tables of a program in integers or in floats."""
    numbers = {name: number for number, name in enumerate(layout.places)}
    memories = {name: len(numbers) + number for number, name in enumerate(cells_of(layout))}
    weights = {False: _Numbers(), True: _Numbers()}
    biases = {False: _Biases(), True: _Biases()}
    scales, elus = _Numbers(), _Numbers()
    operations: dict[str, list[Integers]] = {}
    before_spans: dict[str, list[Span]] = {}
    now_spans: dict[str, list[Span]] = {}
    chained_spans: dict[str, list[Span]] = {}
    spans = (before_spans, now_spans, chained_spans)
    readings: list[tuple[int, ...]] = []
    for name, place in layout.places.items():
        operation = place.operation
        if isinstance(operation, Image | Given):
            continue
        rows = operations[name] = [np.zeros(at.JOB_COLUMNS, np.int64) for _ in place.spans]
        for row, channels in zip(rows, place.spans, strict=True):
            row[at.KIND], row[at.OUT] = KINDS[type(operation)], numbers[name]
            row[at.FIRST], row[at.SIZE] = channels.start, channels.stop - channels.start
            _describe(row, operation, numbers)
            if isinstance(operation, ExponentialUnit) and exact:
                row[at.TABLE] = elus.add(elu_table(operation.largest)) + operation.largest
            if isinstance(operation, Cell):
                row[at.MEMORY] = memories[name]
        for run_spans in spans:
            run_spans[name] = [(0, 0)] * len(rows)
        if isinstance(operation, Summing):
            total = layout.sums[name]
            wide = total.dtype == np.float64
            chained = [reading for reading in total.now if reading.source == name]
            now = [reading for reading in total.now if reading.source != name]
            for colour, (row, outputs) in enumerate(zip(rows, total.spans, strict=True)):
                size = outputs.stop - outputs.start
                width = -(-size // LANES) * LANES
                row[at.WIDE], row[at.WIDTH] = wide, width
                row[at.PREFIX] = biases[wide].add(total.bias[:, outputs], width)
                row[at.SCALE] = scales.add(total.scale[outputs])
                for run_spans, run in zip(spans, (total.before, now, chained), strict=True):
                    first = len(readings)
                    for reading in run:
                        seen = len(reading.weight) if run is total.before else reading.seen[colour]
                        matrix = np.zeros((seen, width), total.dtype)
                        matrix[:, :size] = reading.weight[:seen, outputs]
                        start = weights[wide].add(matrix)
                        readings.append((numbers[reading.source], reading.row, reading.column, seen, start))
                    run_spans[name][colour] = (first, len(readings))
    image = next(operation for operation in layout.program.operations if isinstance(operation, Image))
    return Tables(
        exact,
        operations,
        before_spans,
        now_spans,
        chained_spans,
        np.array(readings, np.int64).reshape(-1, at.READING_COLUMNS),
        weights[False].all().astype(np.float32),
        weights[True].all().astype(np.float64),
        biases[False].all().astype(np.float32),
        biases[True].all().astype(np.float64),
        scales.all().astype(np.float64),
        elus.all().astype(np.float32),
        np.stack(gate_tables()),
        np.stack(cell_tables()),
        image.table.astype(np.float32),
        exp_table(FRACTION_BITS),
        *_needed(layout),
        _own_pixel(layout),
    )


def cells_of(layout: Layout) -> list[str]:
    """The names of the cells, whose memories are further maps."""
    return [name for name, place in layout.places.items() if isinstance(place.operation, Cell)]


def _describe(row: Integers, operation: Operation, numbers: dict[str, int]) -> None:
    """Say what an operation reads, and its bound."""
    if isinstance(operation, Add):
        row[at.READ], row[at.SECOND] = numbers[operation.left], numbers[operation.right]
    elif isinstance(operation, Pointwise):
        row[at.READ] = numbers[operation.source]
    if isinstance(operation, Add | Summing):
        row[at.LARGEST] = operation.largest
    if isinstance(operation, Cell):
        tap = operation.taps[operation.memory]
        row[at.MEMORY_ROW], row[at.MEMORY_COLUMN] = tap.row, tap.column


def _needed(layout: Layout) -> tuple[set[str], set[str]]:
    """The operations that the rows below need, and those that pixels to the right or the rows below need."""
    below: set[str] = set()
    beside: set[str] = set()
    for place in layout.places.values():
        operation = place.operation
        if isinstance(operation, Shift):
            below.add(operation.source)
        elif isinstance(operation, Summing):
            total = layout.sums[operation.name]
            for reading in (*total.before, *total.now):
                if reading.row < 0:
                    below.add(reading.source)
                elif reading.column < 0:
                    beside.add(reading.source)
    for needed in (below, beside):
        for operation in reversed(layout.program.operations):
            if operation.name in needed:
                needed |= set(operation.sources)
    return below, beside | below


def _own_pixel(layout: Layout) -> set[str]:
    """The operations whose maps are read at the pixel itself alone, while the row is gone through."""
    steps = [place.operation for place in layout.places.values() if place.phase == Phase.STEP]
    own_pixel = {operation.name for operation in steps if not isinstance(operation, Image | Cell)}
    for place in layout.places.values():
        operation = place.operation
        if place.phase != Phase.STEP:
            own_pixel -= set(operation.sources)
        elif isinstance(operation, Summing):
            total = layout.sums[operation.name]
            own_pixel -= {read.source for read in (*total.before, *total.now) if (read.row, read.column) != (0, 0)}
    return own_pixel


class Stages(NamedTuple):
    """The jobs of a batch.

    Attributes:
        begin: before the first pixel of a row.
        step: of a sub-pixel; of one that is known, what other pixels need.
        known: of a row whose values are known: all of it, or, without whole rows, what the rows below need.
        beyond: after the last pixel of a row that was gone through step by step.
        late: after the last pixel of any row.
    """

    begin: Stage
    step: Stage
    known: Stage
    beyond: Stage
    late: Stage


def stages_of(layout: Layout, tables: Tables, batch: int, width: int, *, whole_rows: bool) -> Stages:
    """The jobs of a batch of images; with `whole_rows` every map has room for a row."""
    columns = width + layout.program.beyond
    jobs = _Jobs(tables, batch, columns)
    begin: list[Integers] = []
    late: list[Integers] = []
    steps: list[Place] = []
    for place in layout.places.values():
        name = place.operation.name
        if isinstance(place.operation, Image | Given):
            continue
        if place.phase == Phase.STEP:
            steps.append(place)
        else:
            (begin if place.phase == Phase.ABOVE else late).extend([*jobs.begun(name), *jobs.whole(place)])
    for place in steps:
        begin += jobs.begun(place.operation.name, early=not whole_rows)
    colours = range(layout.program.colours)

    def steps_at(colour: int, column: int, needed: set[str] | None = None) -> list[Integers]:
        """The steps of a sub-pixel, all or those that are needed."""
        names = [place.operation.name for place in steps]
        late_start = not whole_rows
        return [
            jobs.step(name, colour, column, begins=late_start) for name in names if needed is None or name in needed
        ]

    def steps_of(first: int) -> list[Integers]:
        """What the rows below need of the columns from one on."""
        return [job for column in range(first, columns) for c in colours for job in steps_at(c, column, tables.below)]

    known = [job for place in steps for job in jobs.whole(place)] if whole_rows else steps_of(0)
    return Stages(
        _stage([begin]),
        _stage([steps_at(colour, 0) for colour in colours], [steps_at(colour, 0, tables.beside) for colour in colours]),
        _stage([known]),
        _stage([steps_of(width)]),
        _stage([late]),
    )


class _Jobs:
    """Makes jobs.

    Args:
        tables: of the program.
        batch: B.
        columns: of a row, with those beyond the image.
    """

    def __init__(self, tables: Tables, batch: int, columns: int) -> None:
        self.tables, self.batch, self.columns = tables, batch, columns

    def begun(self, name: str, *, early: bool = False) -> list[Integers]:
        """Begin a sum in the whole row, if it is one: with its bias and what is known before the row.

        Args:
            name: of the operation.
            early: only if something is known before the row; see `step`.
        """
        return [
            self._job(row, 0, self.columns, before, begins=True, finishes=False)
            for row, before in zip(self.tables.operations[name], self.tables.before[name], strict=True)
            if row[at.KIND] in (at.SUM, at.CELL) and not (early and _is_empty(before))
        ]

    def whole(self, place: Place) -> list[Integers]:
        """The rest of an operation in the whole row; cells that depend on each other one after the other."""
        name = place.operation.name
        rows, now, states = self.tables.operations[name], self.tables.now[name], self.tables.chained[name]
        chained = any(first < end for first, end in states)
        made = [
            self._job(row, 0, self.columns, span, finishes=not chained) for row, span in zip(rows, now, strict=True)
        ]
        if chained:
            leftwards = self.tables.readings[states[0][0], at.PLACE] > 0
            order = range(self.columns)
            for column in reversed(order) if leftwards else order:
                made += [self._job(row, column, 1, span) for row, span in zip(rows, states, strict=True)]
        return made

    def step(self, name: str, colour: int, column: int, *, begins: bool) -> Integers:
        """An operation at a sub-pixel.

        Args:
            name: of the operation.
            colour: of the sub-pixel.
            column: likewise, or 0.
            begins: whether a sum to which nothing is known before the row begins here, in a place that serves all
                columns.
        """
        first, _ = self.tables.now[name][colour]
        _, end = self.tables.chained[name][colour]
        row = self.tables.operations[name][colour]
        begins = begins and row[at.KIND] in (at.SUM, at.CELL) and _is_empty(self.tables.before[name][colour])
        job = self._job(row, column, 1, (first, end), begins=begins)
        job[at.SPREAD] = not begins
        return job

    def _job(
        self, row: Integers, column: int, columns: int, span: Span, *, begins: bool = False, finishes: bool = True
    ) -> Integers:
        job = row.copy()
        job[at.COLUMN], job[at.POINTS] = column, columns * self.batch
        job[at.READINGS], job[at.READINGS_END] = span
        job[at.BEGINS], job[at.FINISHES], job[at.SPREAD] = begins, finishes, True
        return job


def _is_empty(span: Span) -> bool:
    return span[0] == span[1]


def _stage(jobs: Sequence[Sequence[Integers]], known: Sequence[Sequence[Integers]] | None = None) -> Stage:
    """Jobs of each colour, and those of sub-pixels that are known."""
    parts = [*jobs, *(known if known is not None else jobs)]
    ends = np.cumsum([0, *map(len, parts)])
    count = len(jobs)
    table = [job for part in parts for job in part]
    return Stage(
        np.array(table, np.int64).reshape(-1, at.JOB_COLUMNS),
        np.stack([ends[: count + 1], ends[count:]]).astype(np.int64),
    )
