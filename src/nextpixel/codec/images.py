"""From images of one size to streams of symbols and back, by the integer twin of a model.

Encoding goes through whole rows of many images at once, as all values are known. Decoding is a walk from sub-pixel to
sub-pixel, of as many images as there are lanes. Both compute the same integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec.integers import FRACTION_BITS, exact_products
from nextpixel.codec.rans import TOTAL, LaneDecoder, encode_lanes, overdrawn
from nextpixel.codec.tables import frequencies
from nextpixel.codec.twin import IntegerStepper, Twin
from nextpixel.families.raster_model import RasterModel
from nextpixel.runtime.batching import batches, divided, scaled
from nextpixel.runtime.distributed import current
from nextpixel.runtime.progress import Advance

FREQUENCIES_AT_ONCE = 2**21


class Shares(NamedTuple):
    """What a twin says of the values of images: each one's share of `TOTAL`.

    Attributes:
        starts: uint32 `[N, H * W * C]`, in raster order with the colours innermost.
        frequencies: likewise.
    """

    starts: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]

    @property
    def bits(self) -> NDArray[np.float64]:
        """What coding each image costs, `[N]`."""
        bits: NDArray[np.float64] = -np.log2(self.frequencies / TOTAL).sum(axis=1)
        return bits


@torch.no_grad()
def shares_of(
    twin: Twin[RasterModel],
    images: Tensor,
    labels: Tensor | None = None,
    *,
    dtype: torch.dtype | None = None,
    batch_size: int | None = None,
    advance: Advance | None = None,
) -> Shares:
    """The shares of all values of images, row by row.

    Args:
        twin: of the model.
        images: integers `[N, C, H, W]`.
        labels: `[N]`, for a conditional model.
        dtype: the carrier; None for the twin's own.
        batch_size: images at once; None chooses by memory.
        advance: called with numbers of sub-pixels done.
    """
    count, colours, _, width = images.shape
    size = batch_size or max(1, min(twin.images_at_once, FREQUENCIES_AT_ONCE // (width * colours * twin.levels)))

    def shares(number: int) -> Shares:
        part, beside = parts[number], processes.beside(parts, number)
        part_labels = None if labels is None else labels[part]
        told = scaled(advance, beside[-1].stop - beside[0].start, part.stop - part.start)
        return _shares_of_batch(twin, images[part].long(), part_labels, dtype, told)

    processes = current()
    parts = divided(count, size, processes.count)
    shares_of_parts = processes.each(range(len(parts)), shares)
    return Shares(*map(np.concatenate, zip(*shares_of_parts, strict=True)))


def _shares_of_batch(
    twin: Twin[RasterModel],
    images: Tensor,
    labels: Tensor | None,
    dtype: torch.dtype | None,
    advance: Advance | None,
) -> Shares:
    """The shares of the values of images that go through the twin together."""
    count, colours, height, width = images.shape
    coded = Shares(*(np.empty((count, height * width * colours), np.uint32) for _ in range(2)))
    with exact_products(dtype or twin.carrier, twin.head_carrier) as check:
        stepper = twin.stepper(count, width, labels, dtype)
        for row in range(height):
            stepper.start_row(row)
            values = images[:, :, row]
            logits = stepper.whole_row(values).permute(1, 0, 2, 3).reshape(-1, twin.levels)
            shares = frequencies(logits, FRACTION_BITS)
            chosen = values.permute(0, 2, 1).reshape(-1, 1)
            lengths = shares.gather(1, chosen)
            starts = shares.cumsum(dim=1).gather(1, chosen) - lengths
            place = slice(row * width * colours, (row + 1) * width * colours)
            coded.starts[:, place] = starts.view(count, -1).numpy()
            coded.frequencies[:, place] = lengths.view(count, -1).numpy()
            check()
            if advance is not None:
                advance(count * width * colours)
    return coded


def encode(shares: Shares, lanes: int) -> tuple[list[bytes], set[int]]:
    """Encode images in lanes: image i follows image i - lanes in lane i % lanes.

    Args:
        shares: of the images, at least one.
        lanes: how many, at most as many as images.

    Returns:
        The streams, and the numbers of the images in streams that a decoder might refuse; see `nextpixel.codec.rans`.
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


@torch.no_grad()
def decode(
    twin: Twin[RasterModel],
    streams: Sequence[bytes],
    shape: tuple[int, int, int, int],
    labels: Tensor | None = None,
    *,
    dtype: torch.dtype | None = None,
    batch_size: int | None = None,
    trusted: bool = False,
    advance: Advance | None = None,
) -> Tensor:
    """Decode images.

    Args:
        twin: of the model.
        streams: the bytes of each lane.
        shape: `(N, C, H, W)` of the images.
        labels: `[N]`, for a conditional model.
        dtype: the carrier; None for the twin's own.
        batch_size: lanes at once; None for all, up to a limit.
        trusted: see `LaneDecoder`.
        advance: called with numbers of sub-pixels done.

    Returns:
        uint8 `[N, C, H, W]`.

    Raises:
        DataError: the streams are damaged, or were encoded with another model.
    """
    with exact_products(dtype or twin.carrier, twin.head_carrier) as check:
        count, lanes = shape[0], len(streams)
        images = torch.zeros(shape, dtype=torch.uint8)
        decoder = LaneDecoder(streams, trusted=trusted)
        for part in batches(lanes, batch_size or twin.images_at_once):
            stepper: IntegerStepper | None = None
            for first in range(0, count, lanes):
                index = torch.tensor(range(first + part.start, min(first + part.stop, count)), dtype=torch.int64)
                if not len(index):
                    continue
                if decoder.finished:
                    if advance is not None:
                        advance(len(index) * math.prod(shape[1:]))
                    continue
                # Row 0 begins new images, so a stepper serves again unless its images are fewer or of other classes.
                if stepper is None or labels is not None or len(index) != len(stepper.image.places):
                    lane_labels = None if labels is None else labels[index]
                    stepper = twin.stepper(len(index), shape[3], lane_labels, dtype)
                images[index] = _decode_batch(stepper, decoder, (index % lanes).numpy(), shape, advance)
                check()
        decoder.finish()
        return images


def _decode_batch(
    stepper: IntegerStepper,
    decoder: LaneDecoder,
    lanes: NDArray[np.int64],
    shape: tuple[int, int, int, int],
    advance: Advance | None,
) -> Tensor:
    """The next image of some lanes."""
    _, colours, height, width = shape
    images = torch.zeros(len(lanes), colours, height, width, dtype=torch.uint8)
    for row in range(height):
        if decoder.finished:
            if advance is not None:
                advance(len(lanes) * (height - row) * width * colours)
            break
        stepper.start_row(row)
        for column in range(width):
            for colour in range(colours):
                shares = frequencies(stepper.predict(column, colour), FRACTION_BITS)
                ends = shares.cumsum(dim=1)
                slots = torch.from_numpy(decoder.slots(lanes))[:, None]
                values = torch.searchsorted(ends, slots, right=True)
                lengths = shares.gather(1, values)
                starts = ends.gather(1, values) - lengths
                decoder.advance(lanes, starts[:, 0].numpy(), lengths[:, 0].numpy())
                images[:, colour, row, column] = values[:, 0]
                stepper.tell(column, colour, values[:, 0])
        decoder.check()
        if advance is not None:
            advance(len(lanes) * width * colours)
    return images
