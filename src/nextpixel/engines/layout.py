"""A program laid out for an engine: channels colour by colour, weights as the products want them.

In a program the channels of a map stand as the model has them. Here those of a colour stand beside each other, so that
a sub-pixel's are one run; of a gate's two halves, or an LSTM's four gates, those of a colour as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextpixel.plan.operations import Cell, Operation, Part, Program, Shift, Sum, Summing, Tap
from nextpixel.plan.schedule import Phase, phases

Floats = NDArray[np.float32 | np.float64]


@dataclass(frozen=True)
class Reading:
    """What a sum reads of one map at one place.

    Attributes:
        source: name of the map.
        row: of the place beside the pixel's.
        column: likewise.
        weight: `[channels, outputs]`.
        seen: at the pixel itself, for each colour how many of the channels its outputs see; else all.
    """

    source: str
    row: int
    column: int
    weight: Floats
    seen: tuple[int, ...]

    @property
    def reads_pixel(self) -> bool:
        """Whether the place is the pixel itself."""
        return self.row == 0 and self.column == 0


@dataclass(frozen=True)
class LaidOutSum:
    """A sum, or the gates of a cell.

    Attributes:
        before: what is read of maps that are known before the first pixel of a row.
        now: the rest.
        bias: `[conditions, outputs]`.
        scale: `[outputs]`.
        spans: of the outputs, for each colour.
        largest: bound of the result.
        dtype: of weights, bias and scale.
    """

    before: tuple[Reading, ...]
    now: tuple[Reading, ...]
    bias: Floats
    scale: Floats
    spans: tuple[slice, ...]
    largest: int
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Place:
    """A map.

    Attributes:
        operation: what makes it.
        phase: when.
        spans: of its channels, for each colour.
        order: the program's channels in the order in which they stand here.
        depth: how many rows above are read.
        left: how many columns left of a row are read.
        right: likewise, right of it.
    """

    operation: Operation
    phase: Phase
    spans: tuple[slice, ...]
    order: tuple[int, ...]
    depth: int
    left: int
    right: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.order)


@dataclass(frozen=True, eq=False)
class Layout:
    """A program, laid out.

    Attributes:
        program: the program.
        places: its maps by name, in the order of the operations.
        sums: by the name of the map.
        narrow: the type in which sums are computed, but for wide ones.
        smaller: the program of the next smaller image, laid out.
    """

    program: Program
    places: dict[str, Place]
    sums: dict[str, LaidOutSum]
    narrow: np.dtype[Any]
    smaller: Layout | None = None

    @property
    def scales(self) -> tuple[Layout, ...]:
        """The programs from that of the smallest image to this one."""
        return (self,) if self.smaller is None else (*self.smaller.scales, self)

    @property
    def dtypes(self) -> set[np.dtype[Any]]:
        """The types in which sums are computed."""
        enlarging: set[np.dtype[Any]] = set() if self.smaller is None else {np.dtype(np.float64)}
        return {total.dtype for layout in self.scales for total in layout.sums.values()} | enlarging


def lay_out(program: Program, narrow: DTypeLike = np.float32) -> Layout:
    """Lay a program out.

    Args:
        program: the program.
        narrow: the type in which sums are computed, but for wide ones, which float64 carries.
    """
    dtype: np.dtype[Any] = np.dtype(narrow)
    when = phases(program)
    reaches = {operation.name: [0, 0, 0] for operation in program.operations}
    for operation in program.operations:
        for source, row, column in _places_read(operation):
            reach = reaches[source]
            reach[0], reach[1], reach[2] = max(reach[0], -row), max(reach[1], -column), max(reach[2], column)
    places = {
        operation.name: Place(
            operation,
            when[operation.name],
            operation.groups.in_order.spans,
            tuple(operation.groups.by_colour),
            *reaches[operation.name],
        )
        for operation in program.operations
    }
    sums = {
        operation.name: _lay_out_sum(operation, places, dtype)
        for operation in program.operations
        if isinstance(operation, Summing)
    }
    smaller = None if program.smaller is None else lay_out(program.smaller.program, narrow)
    return Layout(program, places, sums, dtype, smaller)


def _parts(operation: Summing) -> tuple[Part, ...]:
    """All parts, those of a cell's own states as well."""
    if isinstance(operation, Cell):
        return (*operation.parts, Part(operation.name, operation.taps))
    return operation.parts


def _places_read(operation: Operation) -> list[tuple[str, int, int]]:
    """The maps that an operation reads, and where."""
    if isinstance(operation, Summing):
        return [(part.source, tap.row, tap.column) for part in _parts(operation) for tap in part.taps]
    return [(source, -1 if isinstance(operation, Shift) else 0, 0) for source in operation.sources]


def _lay_out_sum(operation: Summing, places: dict[str, Place], narrow: np.dtype[Any]) -> LaidOutSum:
    dtype = np.dtype(np.float64) if operation.wide else narrow
    groups = operation.groups.repeat(4) if isinstance(operation, Cell) else operation.groups
    order, spans = groups.by_colour, groups.in_order.spans
    before: list[Reading] = []
    now: list[Reading] = []
    for part in _parts(operation):
        source = places[part.source]
        for tap in part.taps:
            reading = _reading(part.source, tap, source, order, spans, dtype)
            (before if tap.row < 0 or source.phase == Phase.ABOVE else now).append(reading)
    return LaidOutSum(
        tuple(before),
        tuple(now),
        operation.bias[:, order].astype(dtype),
        operation.scale[order].astype(dtype),
        spans,
        operation.largest if isinstance(operation, Sum) else 0,
        dtype,
    )


def _reading(
    name: str,
    tap: Tap,
    source: Place,
    order: list[int],
    spans: tuple[slice, ...],
    dtype: np.dtype[Any],
) -> Reading:
    weight = tap.weight[order][:, list(source.order)]
    # Of what stands at the pixel itself, only the channels of colours up to the sub-pixel's are there.
    counts = [int(np.flatnonzero(weight[span].any(axis=0)).max(initial=-1)) + 1 for span in spans]
    seen = tuple(counts) if tap.row == tap.column == 0 else (weight.shape[1],) * len(spans)
    return Reading(name, tap.row, tap.column, np.ascontiguousarray(weight.T).astype(dtype), seen)
