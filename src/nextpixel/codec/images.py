"""From images of one size to streams of symbols and back, by the integers of a model.

Encoding goes through whole rows of many images at once, as all values are known. Decoding is a walk from sub-pixel to
sub-pixel, of as many images as there are lanes. Both compute the same integers. Where a model has several scales, the
smallest images come first, and then at each scale the pixels that are not among them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import TOTAL, LaneDecoder, encode_lanes, overdrawn, random_streams
from nextpixel.coding.tables import frequencies
from nextpixel.engines.engine import images_at_once
from nextpixel.engines.enlargement import enlarged
from nextpixel.engines.exact import ExactEngine, exact_engine
from nextpixel.engines.layout import Layout
from nextpixel.plan.integers import FRACTION_BITS, check_exact_products
from nextpixel.plan.turning import turned, turned_back
from nextpixel.runtime.batching import batches, divided, scaled
from nextpixel.runtime.distributed import current
from nextpixel.runtime.progress import Advance

FREQUENCIES_AT_ONCE = 2**21
MEASURED_ROWS, MEASURED_WIDTH = 3, 4

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Shares(NamedTuple):
    """What a model's integers say of the values of images: each one's share of `TOTAL`.

    Attributes:
        starts: uint32 `[N, H * W * C]`, in raster order with the colours innermost; of several scales one by one.
        frequencies: likewise.
    """

    starts: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]

    @property
    def bits(self) -> NDArray[np.float64]:
        """What coding each image costs, `[N]`."""
        bits: NDArray[np.float64] = -np.log2(self.frequencies / TOTAL).sum(axis=1)
        return bits


def shares_of(
    layout: Layout,
    images: Pixels,
    labels: Labels | None = None,
    *,
    batch_size: int | None = None,
    advance: Advance | None = None,
) -> Shares:
    """The shares of all values of images, row by row, from the side at which the program begins.

    Args:
        layout: the model's integers.
        images: integers `[N, C, H, W]`.
        labels: `[N]`, for a conditional model.
        batch_size: images at once; None chooses by memory.
        advance: called with numbers of sub-pixels done.
    """
    images = turned(images, layout.program.side)
    count, colours, height, width = images.shape
    most = FREQUENCIES_AT_ONCE // (width * colours * layout.program.levels)
    size = batch_size or max(1, min(images_at_once(layout, height, width), most))

    def shares(number: int) -> Shares:
        part, beside = parts[number], processes.beside(parts, number)
        classes = None if labels is None else labels[part]
        told = scaled(advance, beside[-1].stop - beside[0].start, part.stop - part.start)
        return _shares_of_batch(layout, images[part], classes, told)

    processes = current()
    parts = divided(count, size, processes.count)
    tables = processes.each(range(len(parts)), shares)
    return Shares(*map(np.concatenate, zip(*tables, strict=True)))


def _shares_of_batch(layout: Layout, images: Pixels, labels: Labels | None, advance: Advance | None) -> Shares:
    """The shares of the values of images that go through the model together."""
    check_exact_products(layout.dtypes)
    tables = []
    smaller: Pixels | None = None
    for scale in layout.scales:
        stride = scale.program.stride
        seen = images[:, :, ::stride, ::stride]
        tables.append(_shares_of_scale(scale, seen, smaller, labels, advance))
        smaller = seen
    return Shares(*(np.concatenate(parts, axis=1) for parts in zip(*tables, strict=True)))


def _shares_of_scale(
    layout: Layout, images: Pixels, smaller: Pixels | None, labels: Labels | None, advance: Advance | None
) -> Shares:
    """The shares of those values of images that the smaller ones do not hold."""
    count, colours, height, width = images.shape
    result = Shares(*(np.empty((count, height * width * colours), np.uint32) for _ in range(2)))
    engine = exact_engine(layout, count, width, labels, whole_rows=True)
    places = places_of(layout, smaller, (height, width))
    unknown = ~layout.program.known(height, width)
    for row in range(height):
        engine.start_row(row, None if places is None else places[row])
        values = images[:, :, row]
        shares = frequencies(engine.whole_row(values).reshape(-1, layout.program.levels), FRACTION_BITS)
        chosen = values.transpose(2, 0, 1).reshape(-1, 1).astype(np.int64)
        lengths = np.take_along_axis(shares, chosen, axis=1)
        starts = np.take_along_axis(shares.cumsum(axis=1), chosen, axis=1) - lengths
        place = slice(row * width * colours, (row + 1) * width * colours)
        for table, part in ((result.starts, starts), (result.frequencies, lengths)):
            table[:, place] = part.reshape(width, count, colours).transpose(1, 0, 2).reshape(count, -1)
        if advance is not None:
            advance(count * int(unknown[row].sum()) * colours)
    coded = unknown.repeat(colours)
    return result if coded.all() else Shares(result.starts[:, coded], result.frequencies[:, coded])


def places_of(layout: Layout, smaller: Pixels | None, size: tuple[int, int]) -> NDArray[np.float32] | None:
    """What is known of the places of images before they are, `[H, W, B, channels]`; None without smaller images.

    Args:
        layout: of the images.
        smaller: the images of the next smaller scale, integers `[B, C, h, w]`.
        size: height and width of the images.
    """
    if smaller is None or layout.program.smaller is None:
        return None
    return enlarged(layout.program.smaller, smaller, size).places


def encode(shares: Shares, lanes: int) -> tuple[list[bytes], set[int]]:
    """Encode images in lanes: image i follows image i - lanes in lane i % lanes.

    Args:
        shares: of the images, at least one.
        lanes: how many, at most as many as images.

    Returns:
        The streams, and the numbers of the images in streams that a decoder might refuse; see `nextpixel.coding.rans`.
    """
    count, size = shares.starts.shape
    rounds = -(-count // lanes)
    lengths = [len(range(lane, count, lanes)) * size for lane in range(lanes)]

    def by_lane(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
        padded = np.zeros((rounds * lanes, size), np.uint32)
        padded[:count] = values
        return padded.reshape(rounds, lanes, size).transpose(0, 2, 1).reshape(rounds * size, lanes)

    starts, frequencies = by_lane(shares.starts), by_lane(shares.frequencies)
    streams = encode_lanes(starts, frequencies, lengths)
    refused = overdrawn(streams, starts, frequencies, lengths)
    return streams, {image for image in range(count) if refused[image % lanes]}


def decode(
    layout: Layout,
    streams: Sequence[bytes],
    shape: tuple[int, int, int, int],
    labels: Labels | None = None,
    *,
    batch_size: int | None = None,
    trusted: bool = False,
    advance: Advance | None = None,
) -> Pixels:
    """Decode images.

    Args:
        layout: the model's integers.
        streams: the bytes of each lane.
        shape: `(N, C, H, W)` of the images.
        labels: `[N]`, for a conditional model.
        batch_size: lanes at once; None for all, up to a limit.
        trusted: see `LaneDecoder`.
        advance: called with numbers of sub-pixels done.

    Returns:
        uint8 `[N, C, H, W]`.

    Raises:
        DataError: the streams are damaged, or were encoded with another model.
    """
    check_exact_products(layout.dtypes)
    side = layout.program.side
    count, lanes = shape[0], len(streams)
    images = turned(np.zeros(shape, np.uint8), side)
    shape = (shape[0], shape[1], images.shape[2], images.shape[3])
    decoder = LaneDecoder(streams, trusted=trusted)
    for part in batches(lanes, batch_size or images_at_once(layout, *shape[2:])):
        engines: list[ExactEngine] = []
        for first in range(0, count, lanes):
            index = np.arange(first + part.start, min(first + part.stop, count))
            if not len(index):
                continue
            if decoder.finished:
                if advance is not None:
                    advance(len(index) * math.prod(shape[1:]))
                continue
            # Row 0 begins new images, so engines serve again unless their images are fewer or of other classes.
            if not engines or labels is not None or len(index) != engines[0].batch:
                classes = None if labels is None else labels[index]
                engines = [
                    exact_engine(scale, len(index), -(-shape[3] // scale.program.stride), classes, whole_rows=False)
                    for scale in layout.scales
                ]
            images[index] = _decode_batch(layout, engines, decoder, index % lanes, shape, advance)
    decoder.finish()
    return turned_back(images, side)


def _decode_batch(
    layout: Layout,
    engines: Sequence[ExactEngine],
    decoder: LaneDecoder,
    lanes: NDArray[np.int64],
    shape: tuple[int, int, int, int],
    advance: Advance | None,
) -> Pixels:
    """The next image of some lanes, by an engine for each scale."""
    images = np.zeros((len(lanes), *shape[1:]), np.uint8)
    smaller: Pixels | None = None
    for scale, engine in zip(layout.scales, engines, strict=True):
        stride = scale.program.stride
        seen = images[:, :, ::stride, ::stride]
        smaller = _decode_scale(scale, engine, decoder, lanes, seen, smaller, advance)
        seen[...] = smaller
    return images


def _decode_scale(
    layout: Layout,
    engine: ExactEngine,
    decoder: LaneDecoder,
    lanes: NDArray[np.int64],
    begun: Pixels,
    smaller: Pixels | None,
    advance: Advance | None,
) -> Pixels:
    """The images of a scale, on which what the smaller ones hold stands already."""
    images = np.ascontiguousarray(begun)
    _, colours, height, width = images.shape
    places = None if decoder.finished else places_of(layout, smaller, (height, width))
    known = layout.program.known(height, width)
    alike = np.ascontiguousarray(np.broadcast_to(known, images.shape))
    left = (~known).sum(axis=1)
    for row in range(height):
        if decoder.finished:
            if advance is not None:
                advance(len(lanes) * int(left[row:].sum()) * colours)
            break
        engine.start_row(row, None if places is None else places[row])
        engine.decode_row(images, alike, decoder, lanes)
        decoder.check()
        if advance is not None:
            advance(len(lanes) * int(left[row]) * colours)
    return images


def seconds_a_pixel(layout: Layout, lanes: int, labels: Labels | None = None) -> float:
    """What decoding a pixel takes in so many lanes beside each other, measured on random streams.

    Pixels of smaller scales are counted as parts of those of the image, and what is known of places is left out.

    Args:
        layout: the model's integers.
        lanes: how many.
        labels: `[lanes]`, for a conditional model.
    """
    return sum(_seconds_a_pixel(scale, lanes, labels) / scale.program.stride**2 for scale in layout.scales)


def _seconds_a_pixel(layout: Layout, lanes: int, labels: Labels | None) -> float:
    streams = random_streams(lanes, symbols=MEASURED_ROWS * MEASURED_WIDTH * layout.program.colours)
    decoder = LaneDecoder(streams, trusted=True)
    engine = exact_engine(layout, lanes, MEASURED_WIDTH, labels, whole_rows=False)
    images = np.zeros((lanes, layout.program.colours, MEASURED_ROWS, MEASURED_WIDTH), np.uint8)
    known = np.zeros(images.shape, np.bool_)
    seconds = []
    # The first rows are special: nothing is above them, and what is compiled is compiled then.
    for row in range(MEASURED_ROWS):
        start = time.perf_counter()
        engine.start_row(row)
        engine.decode_row(images, known, decoder, np.arange(lanes))
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) / MEASURED_WIDTH
