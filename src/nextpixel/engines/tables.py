"""A program as the tables of integers that the compiled steps read (`nextpixel.engines.native`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.tables import exp_table
from nextpixel.engines import native
from nextpixel.engines.layout import Layout, Place
from nextpixel.plan.cells import cell_tables
from nextpixel.plan.integers import FRACTION_BITS, elu_table, gate_tables
from nextpixel.plan.operations import (
    Add,
    Cell,
    ExponentialUnit,
    Gate,
    Image,
    Operation,
    Pointwise,
    Rectify,
    Sum,
    Summing,
)
from nextpixel.plan.schedule import Phase

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """What does not change from row to row.

    Attributes:
        steps: the operations of the table, in order.
        operations: one row each, without the places of maps.
        reads: the names of the maps that the readings read.
        readings: one row each, without the places of maps.
        spans: first and end of the channels of each colour.
        seen: of each reading, for each colour how many channels it sees.
        narrow_weights: of sums in float32.
        wide_weights: of sums in float64.
        scales: of sums.
        elu_tables: of all ELUs.
        constants: the tables of functions, in the order in which the steps take them.
        levels: what stands for each level of a sub-pixel, float32 `[levels, maps of a colour]`.
        exponentials: see `exp_table`.
    """

    steps: tuple[Operation, ...]
    operations: Integers
    reads: tuple[str, ...]
    readings: Integers
    spans: Integers
    seen: Integers
    narrow_weights: NDArray[np.float32]
    wide_weights: NDArray[np.float64]
    scales: NDArray[np.float64]
    elu_tables: NDArray[np.float32]
    constants: tuple[NDArray[np.float64], ...]
    levels: NDArray[np.float32]
    exponentials: Integers


KINDS: dict[type[Operation], int] = {
    Sum: native.SUM,
    Rectify: native.RECTIFY,
    ExponentialUnit: native.ELU,
    Gate: native.GATE,
    Add: native.ADD,
    Cell: native.CELL,
}


@lru_cache(maxsize=2)
def tables_of(layout: Layout) -> Tables:
    """The tables of a program."""
    places = [place for place in layout.places.values() if place.phase == Phase.STEP]
    steps = tuple(place.operation for place in places if not isinstance(place.operation, Image))
    operations = np.zeros((len(steps), native.OPERATION_FIELDS), np.int64)
    reads: list[str] = []
    readings: list[list[int]] = []
    spans: list[int] = []
    seen: list[int] = []
    weights: dict[bool, list[NDArray[np.float32 | np.float64]]] = {False: [], True: []}
    sizes = {False: 0, True: 0}
    scales: list[NDArray[np.float32 | np.float64]] = []
    elus: list[NDArray[np.float64]] = []
    for row, operation in zip(operations, steps, strict=True):
        place = layout.places[operation.name]
        row[native.KIND] = KINDS[type(operation)]
        row[native.OUT_CHANNELS], row[native.OUT_LEFT] = place.channels, place.left
        row[native.SPANS] = len(spans)
        spans += [edge for span in place.spans for edge in (span.start, span.stop)]
        if isinstance(operation, Summing):
            total = layout.sums[operation.name]
            wide = total.dtype == np.float64
            row[native.WIDE], row[native.OUTPUTS] = wide, len(total.scale)
            row[native.SCALE] = sum(map(len, scales))
            scales.append(total.scale)
            row[native.LARGEST] = operation.largest
            row[native.FIRST_READING] = len(readings)
            for reading in total.now:
                source = layout.places[reading.source]
                reads.append(reading.source)
                readings.append([0, source.channels, source.left, reading.column, sizes[wide], len(seen)])
                seen += reading.seen
                weights[wide].append(reading.weight.ravel())
                sizes[wide] += reading.weight.size
            row[native.END_READING] = len(readings)
        elif isinstance(operation, Add):
            row[native.LARGEST] = operation.largest
            for name, first in ((operation.left, native.OTHER), (operation.right, native.SECOND)):
                _describe(row, first, layout.places[name])
        elif isinstance(operation, Pointwise):
            _describe(row, native.OTHER, layout.places[operation.source])
            if isinstance(operation, ExponentialUnit):
                row[native.TABLE], row[native.LARGEST] = sum(map(len, elus)), operation.largest
                elus.append(elu_table(operation.largest))
    image = next(operation for operation in layout.program.operations if isinstance(operation, Image))
    return Tables(
        steps,
        operations,
        tuple(reads),
        np.array(readings, np.int64).reshape(-1, native.READING_FIELDS),
        np.array(spans, np.int64),
        np.array(seen, np.int64),
        np.concatenate([np.zeros(0), *weights[False]]).astype(np.float32),
        np.concatenate([np.zeros(0), *weights[True]]).astype(np.float64),
        np.concatenate(scales).astype(np.float64),
        np.concatenate([np.zeros(0), *elus]).astype(np.float32),
        (*gate_tables(), *cell_tables()),
        image.table.astype(np.float32),
        exp_table(FRACTION_BITS),
    )


def _describe(row: Integers, first: int, place: Place) -> None:
    """Say how a map that an operation reads is laid out."""
    row[first + 1], row[first + 2] = place.channels, place.left
