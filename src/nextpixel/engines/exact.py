"""The engines of integers for the codec: compiled where numba is installed, else NumPy alone; the bits are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import LaneDecoder
from nextpixel.engines.compiled import CompiledEngine, Decoding
from nextpixel.engines.engine import Engine
from nextpixel.engines.layout import Layout
from nextpixel.engines.native import kernel
from nextpixel.runtime.compilation import LateCompiled

Floats = NDArray[np.float32 | np.float64]
Integers = NDArray[np.int64]


class ExactEngine(Protocol):
    """A program in integers in the middle of a batch of images.

    Attributes:
        batch: number of images.
    """

    batch: int

    def start_row(self, row: int, places: Floats | None = None) -> None:
        """Do the work of a row, all values of the rows above being known; row 0 begins new images.

        Args:
            row: which.
            places: what is known of the places of the row before the image is, `[W, B, channels]`.
        """

    def whole_row(self, values: NDArray[np.integer]) -> Floats:
        """Go through a row of known values, integers `[B, C, W]`; the logits, integers `[W, B, C, levels]`."""

    def largest(self, names: Sequence[str]) -> list[float]:
        """The largest absolute numbers that maps have in the row, which was gone through at once."""

    def decode_row(
        self, images: NDArray[np.uint8], known: NDArray[np.bool_], decoder: LaneDecoder, lanes: Integers
    ) -> None:
        """Decode the row.

        Args:
            images: `[B, C, H, W]`, whose row is filled.
            known: likewise: what stands there already, and is not decoded.
            decoder: of the lanes.
            lanes: `[B]`, which lane each image is in.
        """


def exact_engine(layout: Layout, batch: int, width: int, labels: Integers | None, *, whole_rows: bool) -> ExactEngine:
    """An engine at the beginning of a batch.

    Args:
        layout: the program.
        batch: B.
        width: of the images.
        labels: `[B]`, for a conditional model.
        whole_rows: whether rows are known, or else decoded.
    """
    compiled = kernel()
    if compiled is None:
        return Engine(layout, batch, width, labels)
    return _CompiledIntegers(compiled, layout, batch, width, labels, whole_rows=whole_rows)


class _CompiledIntegers:
    """The compiled engine."""

    def __init__(
        self,
        compiled: LateCompiled,
        layout: Layout,
        batch: int,
        width: int,
        labels: Integers | None,
        *,
        whole_rows: bool,
    ) -> None:
        self.engine = CompiledEngine(compiled, layout, batch, width, labels=labels, exact=True, whole_rows=whole_rows)
        self.batch, self.whole_rows, self.row = batch, whole_rows, 0

    def start_row(self, row: int, places: Floats | None = None) -> None:
        """See `ExactEngine`."""
        if row and not self.whole_rows:
            self.engine.end_row(self.row)
        self.row = row
        self.engine.begin_row(row, places)

    def whole_row(self, values: NDArray[np.integer]) -> Floats:
        """See `ExactEngine`."""
        self.engine.known_row(values, self.row)
        return self.engine.outputs(self.row)

    def largest(self, names: Sequence[str]) -> list[float]:
        """See `ExactEngine`."""
        return [float(np.abs(self.engine.map_row(name, self.row)).max(initial=0)) for name in names]

    def decode_row(
        self, images: NDArray[np.uint8], known: NDArray[np.bool_], decoder: LaneDecoder, lanes: Integers
    ) -> None:
        """See `ExactEngine`."""
        self.engine.decode_row(images, known, Decoding.of(decoder, lanes), self.row)
