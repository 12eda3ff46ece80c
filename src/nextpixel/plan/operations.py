"""The operations of which programs consist, and what they do with integers.

A *map* is what an operation makes: for each pixel some channels, each of a colour or of none. Operations stand in an
order in which each reads only maps of operations before it, or of itself at earlier pixels. The activations of the
codec are integers in units of 2^-8 (see `nextpixel.plan.integers`), those of a program for sampling floats, which have
no bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.integers import NARROW_LIMIT

Doubles = NDArray[np.float64]


class Tap(NamedTuple):
    """What a sum reads at one place beside a pixel.

    Attributes:
        row: of the place beside the pixel's, 0 or negative.
        column: of the place beside the pixel's.
        weight: `[outputs, channels]`, integers; connections that a mask hides are 0.
    """

    row: int
    column: int
    weight: Doubles


class Part(NamedTuple):
    """One of the maps that a sum reads.

    Attributes:
        source: name of the map.
        taps: where it is read.
    """

    source: str
    taps: tuple[Tap, ...]


@dataclass(frozen=True, eq=False)
class Operation:
    """What makes a map.

    Attributes:
        name: of the map.
        groups: the colours of its channels.
    """

    name: str
    groups: ChannelGroups

    @property
    def sources(self) -> tuple[str, ...]:
        """The maps that it reads at the pixel or beside it."""
        return ()


@dataclass(frozen=True, eq=False)
class Image(Operation):
    """The maps of the image: for each level of a sub-pixel some integers. They are 0 beyond the image.

    Attributes:
        table: `[levels, maps of a colour]`.
    """

    table: Doubles


@dataclass(frozen=True, eq=False)
class Given(Operation):
    """Maps that are known before the image is: of conditions, or of a smaller image. They are 0 beyond the image."""


@dataclass(frozen=True, eq=False)
class Summing(Operation):
    """What begins with a sum of weighted maps, which are 0 beyond the image.

    Attributes:
        parts: what is summed.
        bias: `[conditions, outputs]`; in floats a row for the bias itself and one for each number of the conditions'
            vector, which multiplies it.
        scale: `[outputs]`, powers of two.
        largest: bound of the result, or of the memory of cells in units of 2^-MEMORY_BITS.
        limit: below which every possible partial sum stays.
    """

    parts: tuple[Part, ...]
    bias: Doubles
    scale: Doubles
    largest: int
    limit: float = field(default=NARROW_LIMIT, kw_only=True)

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Operation`."""
        return tuple(part.source for part in self.parts)

    @property
    def wide(self) -> bool:
        """Whether only float64 holds the sums."""
        return self.limit > NARROW_LIMIT


@dataclass(frozen=True, eq=False)
class Sum(Summing):
    """A convolution, or several at once: round((sum + bias) * scale), within a bound."""


@dataclass(frozen=True, eq=False)
class Pointwise(Operation):
    """An operation on the channels of one map at the pixel itself.

    Attributes:
        source: name of the map.
    """

    source: str

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Operation`."""
        return (self.source,)


@dataclass(frozen=True, eq=False)
class Rectify(Pointwise):
    """max(0, x)."""


@dataclass(frozen=True, eq=False)
class ExponentialUnit(Pointwise):
    """ELU, by a table.

    Attributes:
        largest: bound of its source.
    """

    largest: int


@dataclass(frozen=True, eq=False)
class Gate(Pointwise):
    """tanh of the first half of the channels times sigmoid of the second, by tables."""


@dataclass(frozen=True, eq=False)
class Shift(Pointwise):
    """The row above; 0 in the first one."""


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """The sum of two maps, within a bound.

    Attributes:
        left: name of the one.
        right: name of the other.
        largest: bound of the result.
    """

    left: str
    right: str
    largest: int

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Operation`."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class Cell(Summing):
    """The cells of an LSTM, which make the state h of gates o, f, i, g.

        gates  sum of the source at the pixel, and of the states beside it
        c      f c' + i g,   c' being the memory of the neighbour that hands it on
        h      o tanh(c)

    The parts, the bias `[conditions, 4h]`, the scale `[4h]` and the limit are those of the gates.

    Attributes:
        taps: the states that the gates read; a tap to the right means that a row is gone through from its right end.
        memory: which of the taps hands its memory on.
        first_state: `[h]`, what stands beyond the image.
        first_memory: `[h]`, likewise, in units of 2^-MEMORY_BITS.
    """

    taps: tuple[Tap, ...]
    memory: int
    first_state: Doubles
    first_memory: Doubles


@dataclass(frozen=True, eq=False)
class Enlarging:
    """A layer of what makes large maps of a small image, and ELU after it. The image is known as a whole.

    Each place is spread over those around it: that of row i and column j is read with the taps of the kernel at the
    rows from i * down - above and the columns from j * across - left on.

    Attributes:
        name: of the layer in the model.
        weight: `[outputs, channels, rows, columns]`, integers that float64 sums exactly.
        bias: `[outputs]`.
        scale: `[outputs]`, powers of two.
        largest: bound of the result, before the ELU.
        stride: `(down, across)`.
        padding: `(above, left)`; as much is cut off below and on the right.
    """

    name: str
    weight: Doubles
    bias: Doubles
    scale: Doubles
    largest: int
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Smaller:
    """A smaller image that is coded before an image, whose every so many rows and columns it is.

    Attributes:
        program: of it.
        layers: they make of its pixels what `Given` is of the larger image's program.
    """

    program: Program
    layers: tuple[Enlarging, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """The arithmetic of a model; of one of several scales, that of the image given the next smaller one.

    Attributes:
        operations: in an order in which they can be computed; the first is the image, the last the logits.
        levels: values that a sub-pixel can take.
        colours: of a pixel.
        least_bits: the smallest number of fraction bits that any weight has.
        beyond: columns right of the image of which the maps are computed as well, the image being 0 there.
        side: of the images, at which it begins; see `nextpixel.plan.turning`.
        stride: every so many rows and columns of an image are what the program sees of it.
        smaller: what is coded before.
    """

    operations: tuple[Operation, ...]
    levels: int
    colours: int
    least_bits: int
    beyond: int = 0
    side: str = "top"
    stride: int = 1
    smaller: Smaller | None = None
    by_name: dict[str, Operation] = field(init=False)

    def __post_init__(self) -> None:
        """Find operations by name."""
        object.__setattr__(self, "by_name", {operation.name: operation for operation in self.operations})

    @property
    def scales(self) -> tuple[Program, ...]:
        """The programs from that of the smallest image to this one."""
        return (self,) if self.smaller is None else (*self.smaller.program.scales, self)

    def known(self, height: int, width: int) -> NDArray[np.bool_]:
        """Which pixels of an image the smaller one holds, `[height, width]`."""
        known = np.zeros((height, width), np.bool_)
        if self.smaller is not None:
            factor = self.smaller.program.stride // self.stride
            known[::factor, ::factor] = True
        return known
