"""Whole pictures through the integer twin of a local model, a wavefront at a time.

A *sheet* is what the model takes as one image: the colours of a picture, or a single channel of it, which stands in all
colours of the model and of which the first colour's shares are used. A sheet is coded in *stripes* of rows, one after
the other, so that memory does not grow with its height; the windows of a stripe reach into those above. Within a stripe
the pixels are coded wavefront by wavefront (`nextpixel.nn.local_window`), in raster order within one; of the pixels of
a wavefront first all first colours, then all second ones. Sub-pixel number p of a wavefront and a colour is in lane p
mod L.

Encoding goes through rows, as everything is known. Decoding goes from wavefront to wavefront, of all sheets together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.local_twin import COUNT, COUPLING_DIVISOR, LocalTwin
from nextpixel.codec.native import kernel
from nextpixel.coding.logistic_shares import Mixture, logistic_table, search, starts
from nextpixel.coding.rans import TOTAL, LaneDecoder, encode_lanes, overdrawn
from nextpixel.nn.local_window import LocalWindow
from nextpixel.plan.integers import check_exact_products
from nextpixel.runtime.progress import Advance

PIXELS_AT_ONCE = 2**13
"""That go through the twin together."""

STRIPE_PIXELS = 2**22
GROUP_PIXELS = 2**22
"""Of the sheets that are decoded together, unless one alone has more."""

BYTES_A_LANE = 6144
"""A lane costs some 5 bytes, and makes decoding faster; so there is one for every so many bytes."""

Integers = NDArray[np.int64]


class Stripe(NamedTuple):
    """The shares of the values of a stripe, in the order in which they are decoded.

    Attributes:
        starts: uint32 `[sub-pixels]`.
        frequencies: uint32 `[sub-pixels]`.
        places: uint32 `[sub-pixels]`: numbers p within a wavefront and a colour.
    """

    starts: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]
    places: NDArray[np.uint32]

    @property
    def bits(self) -> float:
        """What coding the stripe costs."""
        return float(-np.log2(self.frequencies / TOTAL).sum())

    def encoded(self, lanes: int | None = None) -> list[bytes] | None:
        """The streams of its lanes; None where a decoder might refuse them, see `nextpixel.coding.rans`.

        Args:
            lanes: how many; None takes one for every `BYTES_A_LANE` bytes. A wavefront's longest is the most.
        """
        most = int(self.places.max()) + 1
        count = min(most, 1 + int(self.bits) // (8 * BYTES_A_LANE) if lanes is None else lanes)
        lane = self.places % count
        order = np.argsort(lane, kind="stable")
        lengths = np.bincount(lane, minlength=count)
        row = np.arange(len(order)) - np.repeat(lengths.cumsum() - lengths, lengths)
        tables = np.zeros((2, int(lengths.max()), count), np.uint32)
        tables[1] = 1
        for table, values in zip(tables, (self.starts, self.frequencies), strict=True):
            table[row, lane[order]] = values[order]
        streams = encode_lanes(tables[0], tables[1], lengths.tolist())
        return None if overdrawn(streams, tables[0], tables[1], lengths.tolist()).any() else streams


def stripe_rows(height: int, width: int) -> list[range]:
    """The rows of each stripe of a sheet."""
    rows = max(1, STRIPE_PIXELS // width)
    return [range(top, min(top + rows, height)) for top in range(0, height, rows)]


def longest_front(window: LocalWindow, rows: int, width: int) -> int:
    """The most pixels that a wavefront of a stripe has."""
    return min(rows, -(-width // (window.lag + 1)))


class _Places(NamedTuple):
    """The pixels of a stripe in the order of decoding.

    Attributes:
        pixels: int64 `[N]`: row * width + column in the sheet.
        fronts: int64 `[N]`: their wavefronts, from 0 upwards.
        numbers: int64 `[N]`: their numbers within the wavefront.
        sizes: int64 `[wavefronts]`: pixels of each.
    """

    pixels: Integers
    fronts: Integers
    numbers: Integers
    sizes: Integers


def _places(window: LocalWindow, rows: range, width: int) -> _Places:
    fronts = window.front(len(rows), width).flatten()
    order = np.argsort(fronts, kind="stable")
    fronts = fronts[order]
    sizes = np.bincount(fronts)
    numbers = np.arange(len(order)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return _Places(order + rows.start * width, fronts, numbers, sizes)


def stripes_of(
    twin: LocalTwin, sheet: NDArray[np.uint8], coded: int, *, advance: Advance | None = None
) -> Iterator[Stripe]:
    """The shares of all values of a sheet, a stripe at a time.

    Args:
        twin: of the model.
        sheet: uint8 `[C, H, W]`, of the model's channels.
        coded: how many of its colours are coded, the first ones.
        advance: called with numbers of sub-pixels done.
    """
    _, height, width = sheet.shape
    values = sheet[:coded].reshape(coded, -1)
    canvas = Canvas(twin.window, twin.beyond, twin.channels, [(height, width)])
    canvas.pixels[:-1] = sheet.reshape(twin.channels, -1).T
    for rows in stripe_rows(height, width):
        top, count = rows.start * width, len(rows) * width
        shares = np.empty((2, coded, count), np.uint32)
        check_exact_products([np.float32, np.float64])
        for first in range(0, count, PIXELS_AT_ONCE):
            pixels = np.arange(top + first, top + min(first + PIXELS_AT_ONCE, count))
            prediction = twin.predict(canvas.windows(pixels))
            here = values[:, pixels].astype(np.int64)
            for colour in range(coded):
                mixture = prediction.mixture(colour, list(here[:colour]))
                ends = starts(mixture, np.stack([here[colour], here[colour] + 1], axis=1), twin.levels)
                shares[0, colour, pixels - top] = ends[:, 0]
                shares[1, colour, pixels - top] = ends[:, 1] - ends[:, 0]
            if advance is not None:
                advance(len(pixels) * coded)
        places = _places(twin.window, rows, width)
        before = places.sizes.cumsum() - places.sizes
        in_order = np.empty((3, count * coded), np.uint32)
        for colour in range(coded):
            # All first colours of a wavefront stand before its second ones.
            slot = (coded * before + colour * places.sizes)[places.fronts] + places.numbers
            in_order[:2, slot] = shares[:, colour, places.pixels - top]
            in_order[2, slot] = places.numbers
        yield Stripe(*in_order)


def sheets_from(
    twin: LocalTwin,
    streams: Sequence[Sequence[Sequence[bytes]]],
    sizes: Sequence[tuple[int, int]],
    coded: int,
    *,
    trusted: bool = False,
    advance: Advance | None = None,
) -> list[NDArray[np.uint8]]:
    """Decode sheets, all of them together.

    Args:
        twin: of the model.
        streams: of each sheet, of each of its stripes, the bytes of its lanes.
        sizes: height and width of each sheet.
        coded: how many colours are coded.
        trusted: see `LaneDecoder`.
        advance: called with numbers of sub-pixels done.

    Returns:
        uint8 `[coded, H, W]` each.

    Raises:
        DataError: the streams are damaged, or were encoded with another model.
    """
    canvas = Canvas(twin.window, twin.beyond, twin.channels, sizes)
    stripes = [stripe_rows(*size) for size in sizes]
    for number in range(max(map(len, stripes))):
        sheets = [sheet for sheet, rows in enumerate(stripes) if number < len(rows)]
        lanes = [streams[sheet][number] for sheet in sheets]
        decoder = LaneDecoder([lane for group in lanes for lane in group], trusted=trusted)
        places = [_places(twin.window, stripes[sheet][number], sizes[sheet][1]) for sheet in sheets]
        counts = np.array([len(group) for group in lanes])
        first_lane = counts.cumsum() - counts
        pixels, fronts, numbers = (
            np.concatenate([getattr(part, name) for part in places]) for name in ("pixels", "fronts", "numbers")
        )
        sheet_of = np.repeat(sheets, [len(part.pixels) for part in places])
        beside = np.repeat(np.arange(len(sheets)), [len(part.pixels) for part in places])
        turns, lane = np.divmod(numbers, counts[beside])
        lane += first_lane[beside]
        order = np.lexsort((turns, fronts)) if len(sheets) > 1 else np.arange(len(fronts))
        ends = np.bincount(fronts).cumsum().tolist()
        check_exact_products([np.float32, np.float64])
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            if decoder.finished:
                here = order[start:]
                canvas.set(pixels[here], sheet_of[here], np.zeros((coded, len(here)), np.int64))
                if advance is not None:
                    advance(len(here) * coded)
                break
            here = order[start:end]
            _decode_front(twin, canvas, decoder, pixels[here], sheet_of[here], turns[here], lane[here], coded)
            decoder.check()
            if advance is not None:
                advance(len(here) * coded)
        decoder.finish()
    flat = canvas.pixels[:, :coded].T
    return [
        np.ascontiguousarray(flat[:, start : start + height * width]).reshape(coded, height, width)
        for start, (height, width) in zip(canvas.first.tolist(), sizes, strict=False)
    ]


def _decode_front(
    twin: LocalTwin,
    canvas: Canvas,
    decoder: LaneDecoder,
    pixels: Integers,
    sheets: Integers,
    turns: Integers,
    lanes: Integers,
    coded: int,
) -> None:
    """The pixels of a wavefront, in ascending order of their turns in their lanes."""
    prediction = twin.predict(canvas.windows(pixels, sheets))
    compiled = kernel()
    if compiled is not None:
        values = np.empty((coded, len(pixels)), np.int64)
        compiled(
            *prediction,
            COUPLING_DIVISOR,
            COUNT,
            logistic_table(),
            twin.levels,
            lanes,
            decoder.state.view(np.int64),
            decoder.words.view(np.int64),
            decoder.next,
            decoder.ends,
            decoder.spare,
            values,
        )
        canvas.set(pixels, sheets, values)
        return
    rounds = np.bincount(turns).cumsum().tolist()
    values = np.empty((coded, len(pixels)), np.int64)
    for colour in range(coded):
        mixture = prediction.mixture(colour, list(values[:colour]))
        for start, end in zip([0, *rounds[:-1]], rounds, strict=True):
            part = Mixture(*(table[start:end] for table in mixture))
            turn = lanes[start:end]
            levels = search(part, decoder.slots(turn), twin.levels)
            limits = starts(part, np.stack([levels, levels + 1], axis=1), twin.levels)
            decoder.advance(turn, limits[:, 0], limits[:, 1] - limits[:, 0])
            values[colour, start:end] = levels
    canvas.set(pixels, sheets, values)


class Canvas:
    """Sheets beside each other, with what stands beyond their edges.

    Args:
        window: what a pixel sees.
        beyond: the value where nothing is known.
        channels: of the model.
        sizes: height and width of each sheet.

    Attributes:
        pixels: uint8 `[all pixels + 1, C]`, the constant last.
        first: the first pixel of each sheet among them.
    """

    def __init__(self, window: LocalWindow, beyond: int, channels: int, sizes: Sequence[tuple[int, int]]) -> None:
        reach = window.reach
        pixels = [height * width for height, width in sizes]
        self.first = np.cumsum([0, *pixels])
        strides = np.array([width + 2 * reach for _, width in sizes])
        places = [(height + reach) * (width + 2 * reach) for height, width in sizes]
        first_place = np.cumsum([0, *places])
        constant = int(self.first[-1])
        sources = []
        for (height, width), start in zip(sizes, self.first.tolist(), strict=False):
            cells = window.sources(height, width).flatten()
            sources.append(np.where(cells == height * width, constant, cells + start))
        self.sources = np.concatenate([*sources, np.zeros(0, np.int64)])
        self.pixels = np.full((constant + 1, channels), beyond, np.uint8)
        self.widths, self.strides = np.array([width for _, width in sizes]), strides
        self.first_place, self.reach = first_place, reach
        self.down, self.right = (np.array(axis) for axis in zip(*window.offsets, strict=True))

    def windows(self, pixels: Integers, sheets: Integers | int = 0) -> NDArray[np.float32]:
        """The windows of pixels, numbered within their sheets: float32 `[N, n, C]`."""
        stride = self.strides[sheets]
        row, column = np.divmod(pixels, self.widths[sheets])
        place = self.first_place[sheets] + (row + self.reach) * stride + column + self.reach
        around = place[:, None] + self.down * np.reshape(stride, (-1, 1)) + self.right
        windows: NDArray[np.float32] = self.pixels[self.sources[around]].astype(np.float32)
        return windows

    def set(self, pixels: Integers, sheets: Integers, values: Integers) -> None:
        """Give pixels their values `[coded, N]`; colours that are not coded have that of the first."""
        self.pixels[self.first[sheets] + pixels] = values.astype(np.uint8).T
