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

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nextpixel.codec.lattice_shares import sums_below, weighted_starts
from nextpixel.codec.local_twin import LocalTwin, Prediction
from nextpixel.codec.native import kernel, weighted_kernel
from nextpixel.coding.colour_lattices import OnLattice
from nextpixel.coding.logistic_shares import Mixture, logistic_table, search, starts
from nextpixel.coding.rans import TOTAL, LaneDecoder, encode_lanes, overdrawn, random_streams
from nextpixel.engines.compiled import Decoding
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
    """The shares of the values of a stripe.

    Attributes:
        shares: uint32 `[2, coded, pixels]`, in raster order: where the share of each value starts, and its length.
        order: int64 `[pixels]`: the pixels in the order in which they are decoded.
        sizes: int64 `[wavefronts]`: pixels of each wavefront.
    """

    shares: NDArray[np.uint32]
    order: Integers
    sizes: Integers

    @property
    def sub_pixels(self) -> int:
        """How many values it has."""
        return math.prod(self.shares.shape[1:])

    @property
    def bits(self) -> float:
        """What coding the stripe costs."""
        lengths = self.shares[1].reshape(-1)
        parts = np.array_split(lengths, 1 + len(lengths) // 2**20)
        return float(-sum(np.log2(part / TOTAL).sum() for part in parts))

    def encoded(self, lanes: int | None = None) -> list[bytes] | None:
        """The streams of its lanes; None where a decoder might refuse them, see `nextpixel.coding.rans`.

        Args:
            lanes: how many; None takes one for every `BYTES_A_LANE` bytes. A wavefront's longest is the most.
        """
        coded, most = self.shares.shape[1], int(self.sizes.max())
        count = min(most, 1 + int(self.bits) // (8 * BYTES_A_LANE) if lanes is None else lanes)
        # Of sub-pixel number p of a wavefront and a colour: its lane, and how many before it have the same.
        turn, lane = np.divmod(np.arange(most), count)
        of_sizes = np.bincount(self.sizes, minlength=most + 1)
        reached = of_sizes[::-1].cumsum()[::-1][1:]
        lengths = coded * np.bincount(lane, weights=reached, minlength=count).astype(np.int64)
        tables = np.zeros((2, int(lengths.max()), count), np.uint32)
        tables[1] = 1
        done = np.zeros(count, np.int64)
        first = 0
        for size in self.sizes.tolist():
            pixels = self.order[first : first + size]
            first += size
            here, more = lane[:size], np.bincount(lane[:size], minlength=count)
            for colour in range(coded):
                tables[:, done[here] + turn[:size], here] = self.shares[:, colour, pixels]
                done += more
        streams = encode_lanes(tables[0], tables[1], lengths.tolist())
        return None if overdrawn(streams, tables[0], tables[1], lengths.tolist()).any() else streams


def shares_of(
    twin: LocalTwin, prediction: Prediction, values: Sequence[Integers], on: OnLattice | None = None
) -> Integers:
    """Where the shares of values of a colour start and end.

    Args:
        twin: of the model.
        prediction: of N pixels.
        values: of the colour, after those of the earlier ones, `[N]` each.
        on: the lattice on which the colours lie, if they do.

    Returns:
        `[N, 2]`.
    """
    *earlier, here = values
    ends = np.stack([here, here + 1], axis=1)
    if on is not None and earlier:
        return weighted_starts(sums_below(prediction, earlier, on), ends)
    return starts(prediction.mixture(len(earlier), earlier), ends, twin.levels)


def stripe_rows(height: int, width: int) -> list[range]:
    """The rows of each stripe of a sheet."""
    rows = max(1, STRIPE_PIXELS // width)
    return [range(top, min(top + rows, height)) for top in range(0, height, rows)]


def longest_front(window: LocalWindow, rows: int, width: int) -> int:
    """The most pixels that a wavefront of a stripe has."""
    return min(rows, -(-width // (window.lag + 1)))


def stripes_of(
    twin: LocalTwin,
    sheet: NDArray[np.uint8],
    coded: int,
    *,
    on: OnLattice | None = None,
    advance: Advance | None = None,
) -> Iterator[Stripe]:
    """The shares of all values of a sheet, a stripe at a time.

    Args:
        twin: of the model.
        sheet: uint8 `[C, H, W]`, of the model's channels.
        coded: how many of its colours are coded, the first ones.
        on: the lattice on which they lie, if they do.
        advance: called with numbers of sub-pixels done.
    """
    _, height, width = sheet.shape
    values = sheet[:coded].reshape(coded, -1)
    canvas = Canvas(twin.window, twin.beyond, twin.channels, [(height, width)])
    canvas.pixels[:-1] = sheet.reshape(twin.channels, -1).T
    canvas.complete()
    for rows in stripe_rows(height, width):
        top, count = rows.start * width, len(rows) * width
        shares = np.empty((2, coded, count), np.uint32)
        check_exact_products([np.float32, np.float64])
        for first in range(0, count, PIXELS_AT_ONCE):
            pixels = np.arange(top + first, top + min(first + PIXELS_AT_ONCE, count))
            prediction = twin.predict(canvas.windows(pixels))
            here = values[:, pixels].astype(np.int64)
            for colour in range(coded):
                ends = shares_of(twin, prediction, list(here[: colour + 1]), on)
                shares[0, colour, pixels - top] = ends[:, 0]
                shares[1, colour, pixels - top] = ends[:, 1] - ends[:, 0]
            if advance is not None:
                advance(len(pixels) * coded)
        fronts = twin.window.front(len(rows), width).flatten()
        yield Stripe(shares, np.argsort(fronts, kind="stable"), np.bincount(fronts))


def sheets_from(
    twin: LocalTwin,
    streams: Sequence[Sequence[Sequence[bytes]]],
    sizes: Sequence[tuple[int, int]],
    coded: int,
    *,
    on: OnLattice | None = None,
    trusted: bool = False,
    advance: Advance | None = None,
) -> list[NDArray[np.uint8]]:
    """Decode sheets, all of them together.

    Args:
        twin: of the model.
        streams: of each sheet, of each of its stripes, the bytes of its lanes.
        sizes: height and width of each sheet.
        coded: how many colours are coded.
        on: the lattice on which they lie, if they do.
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
        check_exact_products([np.float32, np.float64])
        parts = [
            _Part(twin.window, sheet, stripes[sheet][number], sizes[sheet][1], len(streams[sheet][number]))
            for sheet in sheets
        ]
        for pixels, sheet_of, turns, lane in _wavefronts(parts):
            if decoder.finished:
                canvas.set(pixels, sheet_of, np.zeros((coded, len(pixels)), np.int64))
            else:
                _decode_front(twin, canvas, decoder, pixels, sheet_of, turns, lane, coded, on)
                decoder.check()
            if advance is not None:
                advance(len(pixels) * coded)
        decoder.finish()
    flat = canvas.pixels[:, :coded].T
    return [
        np.ascontiguousarray(flat[:, start : start + height * width]).reshape(coded, height, width)
        for start, (height, width) in zip(canvas.first.tolist(), sizes, strict=False)
    ]


def decoding_seconds(
    twin: LocalTwin, lanes: Sequence[int], sizes: Sequence[tuple[int, int]], coded: int, on: OnLattice | None = None
) -> float:
    """About what `sheets_from` takes, from the measured time of a wavefront of middling size.

    Args:
        twin: of the model.
        lanes: how many each sheet has in its first stripe.
        sizes: height and width of each sheet.
        coded: how many colours are coded.
        on: the lattice on which they lie, if they do.
    """
    stripes = [stripe_rows(*size) for size in sizes]
    seconds = 0.0
    for number in range(max(map(len, stripes))):
        parts = [
            (len(rows[number]), width) for rows, (_, width) in zip(stripes, sizes, strict=True) if number < len(rows)
        ]
        fronts = max(width + (twin.window.lag + 1) * (height - 1) for height, width in parts)
        pixels = -(-sum(height * width for height, width in parts) // fronts)
        if number == 0 or len(parts) < len(sizes):
            a_front = _seconds_a_front(twin, coded, pixels, min(pixels, sum(lanes)), on)
        seconds += fronts * a_front
    return seconds


def _seconds_a_front(twin: LocalTwin, coded: int, pixels: int, lanes: int, on: OnLattice | None) -> float:
    """What decoding a wavefront takes, measured on random streams."""
    canvas = Canvas(twin.window, twin.beyond, twin.channels, [(2, pixels)])
    decoder = LaneDecoder(random_streams(lanes, symbols=3 * coded * -(-pixels // lanes)), trusted=True)
    numbers = np.arange(pixels)
    turns, lane = np.divmod(numbers, lanes)
    seconds = []
    # What is compiled is compiled at the first.
    for _ in range(3):
        start = time.perf_counter()
        _decode_front(twin, canvas, decoder, pixels + numbers, np.zeros(pixels, np.int64), turns, lane, coded, on)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


class _Part:
    """A stripe of a sheet, while it is decoded beside others.

    Args:
        window: what a pixel sees.
        sheet: its number.
        rows: of the stripe.
        width: of the sheet.
        lanes: how many the stripe has.

    Attributes:
        sizes: pixels of each wavefront.
    """

    def __init__(self, window: LocalWindow, sheet: int, rows: range, width: int, lanes: int) -> None:
        fronts = window.front(len(rows), width).flatten()
        self.sheet, self.lanes, self.top = sheet, lanes, rows.start * width
        self.order: Integers = np.argsort(fronts, kind="stable")
        self.sizes: list[int] = np.bincount(fronts).tolist()
        self.first = 0

    def next(self, front: int, first_lane: int) -> tuple[Integers, Integers, Integers, Integers]:
        """The next wavefront; see `_wavefronts`."""
        size = self.sizes[front]
        pixels = self.top + self.order[self.first : self.first + size]
        self.first += size
        turns, lanes = np.divmod(np.arange(size), self.lanes)
        return pixels, np.full(size, self.sheet), turns, first_lane + lanes


def _wavefronts(parts: Sequence[_Part]) -> Iterator[tuple[Integers, Integers, Integers, Integers]]:
    """The pixels that are decoded together, in ascending order of their turns.

    Yields:
        int64 `[N]` each: their numbers within their sheets; the sheets; how many of the wavefront and the lane came
        before; the lanes, counted through all parts.
    """
    first_lanes = np.cumsum([0, *(part.lanes for part in parts)]).tolist()
    for front in range(max(len(part.sizes) for part in parts)):
        columns = [
            part.next(front, first) for part, first in zip(parts, first_lanes, strict=False) if front < len(part.sizes)
        ]
        if len(columns) == 1:
            yield columns[0]
            continue
        pixels, sheets, turns, lanes = (np.concatenate(column) for column in zip(*columns, strict=True))
        order = np.argsort(turns, kind="stable")
        yield pixels[order], sheets[order], turns[order], lanes[order]


def _decode_front(
    twin: LocalTwin,
    canvas: Canvas,
    decoder: LaneDecoder,
    pixels: Integers,
    sheets: Integers,
    turns: Integers,
    lanes: Integers,
    coded: int,
    on: OnLattice | None,
) -> None:
    """The pixels of a wavefront, in ascending order of their turns in their lanes."""
    prediction = twin.predict(canvas.windows(pixels, sheets))
    rounds = np.bincount(turns).cumsum().tolist()
    values = np.empty((coded, len(pixels)), np.int64)
    if on is None:
        _decode_plain(prediction, twin.levels, decoder, lanes, rounds, values)
    else:
        # Of colours on a lattice only the first has shares that do not depend on it.
        _decode_plain(prediction, twin.levels, decoder, lanes, rounds, values[:1])
        for colour in range(1, coded):
            for first in range(0, len(pixels), PIXELS_AT_ONCE):
                part = np.arange(first, min(first + PIXELS_AT_ONCE, len(pixels)))
                sums = sums_below(prediction.of(part), list(values[:colour, part]), on)
                rounds = np.bincount(turns[part] - turns[first]).cumsum().tolist()
                _decode_weighted(sums, decoder, lanes[part], rounds, values[colour, first : first + len(part)])
    canvas.set(pixels, sheets, values)


def _decode_plain(
    prediction: Prediction, levels: int, decoder: LaneDecoder, lanes: Integers, rounds: Sequence[int], values: Integers
) -> None:
    """Decode the first colours `[colours, N]` of pixels, of whose lanes the turns end at the numbers `rounds`."""
    compiled = kernel()
    if compiled is not None:
        compiled(*prediction, logistic_table(), levels, *Decoding.of(decoder, lanes), values)
        return
    for colour in range(len(values)):
        mixture = prediction.mixture(colour, list(values[:colour]))
        for start, end in zip([0, *rounds[:-1]], rounds, strict=True):
            part = Mixture(*(table[start:end] for table in mixture))
            turn = lanes[start:end]
            decoded = search(part, decoder.slots(turn), levels)
            limits = starts(part, np.stack([decoded, decoded + 1], axis=1), levels)
            decoder.advance(turn, limits[:, 0], limits[:, 1] - limits[:, 0])
            values[colour, start:end] = decoded


def _decode_weighted(
    sums: Integers, decoder: LaneDecoder, lanes: Integers, rounds: Sequence[int], values: Integers
) -> None:
    """Decode a colour `[N]` of pixels on a lattice from its `sums_below`."""
    compiled = weighted_kernel()
    if compiled is not None:
        compiled(sums, *Decoding.of(decoder, lanes), values)
        return
    for start, end in zip([0, *rounds[:-1]], rounds, strict=True):
        turn, part = lanes[start:end], sums[start:end]
        every = np.tile(np.arange(part.shape[1]), (len(part), 1))
        decoded = (weighted_starts(part, every) <= decoder.slots(turn)[:, None]).sum(axis=1) - 1
        limits = weighted_starts(part, np.stack([decoded, decoded + 1], axis=1))
        decoder.advance(turn, limits[:, 0], limits[:, 1] - limits[:, 0])
        values[start:end] = decoded


class _WindowRow(NamedTuple):
    """A row of all windows of complete sheets, which lies in one piece.

    Attributes:
        values: uint8 `[places, n * C]`: the colours of so many pixels from each place of the canvas on.
        down: where the row begins, in rows from the pixel of the window.
        right: likewise, in columns.
        part: which pixels of a window these are.
        turned: whether a window has them from right to left.
    """

    values: NDArray[np.uint8]
    down: int
    right: int
    part: slice
    turned: bool


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
        self.rows: list[_WindowRow] = []

    def complete(self) -> None:
        """Say that all pixels are set: windows are read a row at a time then, and what decoding needs is given back."""
        whole = self.pixels[self.sources].reshape(-1)
        self.sources = self.sources[:0].copy()
        channels = self.pixels.shape[1]
        for down in np.unique(self.down).tolist() if len(whole) else []:
            (parts,) = np.nonzero(self.down == down)
            right = self.right[parts]
            values = sliding_window_view(whole, len(parts) * channels)[::channels]
            part = slice(int(parts[0]), int(parts[-1]) + 1)
            # The row of the pixel itself goes from right to left.
            self.rows.append(_WindowRow(values, down, int(right.min()), part, bool(right[0] > right[-1])))

    def windows(self, pixels: Integers, sheets: Integers | int = 0) -> NDArray[np.float32]:
        """The windows of pixels, numbered within their sheets: float32 `[N, n, C]`."""
        stride = self.strides[sheets]
        row, column = np.divmod(pixels, self.widths[sheets])
        place = self.first_place[sheets] + (row + self.reach) * stride + column + self.reach
        windows: NDArray[np.float32]
        if not self.rows:
            around = place[:, None] + self.down * np.reshape(stride, (-1, 1)) + self.right
            windows = self.pixels[self.sources[around]].astype(np.float32)
            return windows
        channels = self.pixels.shape[1]
        windows = np.empty((len(place), len(self.down), channels), np.float32)
        for line in self.rows:
            cells = line.values[place + (line.down * stride + line.right)]
            values = cells.reshape(len(place), cells.shape[1] // channels, channels)
            windows[:, line.part] = values[:, ::-1] if line.turned else values
        return windows

    def set(self, pixels: Integers, sheets: Integers, values: Integers) -> None:
        """Give pixels their values `[coded, N]`; colours that are not coded have that of the first."""
        self.pixels[self.first[sheets] + pixels] = values.astype(np.uint8).T
