"""Whole pictures of any size, by a local PixelCNN: files of version 2.

A picture is divided into sheets, which the model takes as images: of as many channels as the model has, one sheet;
else, if it has more, the first ones as a sheet and each other channel, such as a transparency, as one of its own; else
each channel. Each picture that other formats hold in less is stored in the shortest of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec.adaptation import adapted, from_bytes, to_bytes
from nextpixel.codec.container import DEFLATE, PICTURES, Contents, Shape
from nextpixel.codec.fitting import EFFORTS, Pixels, fit, nats
from nextpixel.codec.local_twin import LocalTwin, check_local, measure
from nextpixel.codec.rans import TOTAL
from nextpixel.codec.stored_pictures import WORTH_A_CLOSER_LOOK, quick_size, shorter
from nextpixel.codec.wavefront import GROUP_PIXELS, Canvas, longest_front, sheets_from, stripe_rows, stripes_of
from nextpixel.errors import DataError, ModelError
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.runtime.batching import scaled
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance

LOOKED_AT = 2**15
"""Pixels that ranges are measured on, and so many of each picture that tell whether the model suits it."""

LOOKED_AT_IN_A_PICTURE = 2**12


class Sheet(NamedTuple):
    """What the model takes as one image.

    Attributes:
        picture: number of the picture.
        channels: those of the picture's that the sheet has.
        height: of the picture.
        width: of the picture.
    """

    picture: int
    channels: tuple[int, ...]
    height: int
    width: int

    def pixels(self, picture: Tensor, model_channels: int) -> Tensor:
        """Its pixels, uint8 `[C, H, W]` of the model's channels, all of them equal where there is one channel only."""
        return picture[list(self.channels)].expand(model_channels, -1, -1)

    @property
    def pixel_count(self) -> int:
        """Number of pixels."""
        return self.height * self.width


def sheets_of(model_channels: int, picture: int, shape: Shape) -> list[Sheet]:
    """The sheets of a picture."""
    channels, height, width = shape
    together = model_channels if channels >= model_channels else 0
    groups = [tuple(range(together))] if together else []
    groups += [(channel,) for channel in range(together, channels)]
    return [Sheet(picture, group, height, width) for group in groups]


def pack(
    model: LocalPixelCNN,
    pictures: Sequence[Tensor],
    contents: Contents,
    *,
    effort: int,
    originals: Sequence[bytes] | None = None,
    lanes: int | None = None,
    advance: Advance | None = None,
) -> Contents:
    """Fill in a file's pictures.

    Args:
        model: a local PixelCNN with a logistic mixture, without a condition, on the CPU.
        pictures: uint8 `[C, H, W]` each, in 0..levels-1.
        contents: the file, with all but the pictures.
        effort: how much is done to make it short; see `nextpixel.codec.fitting.EFFORTS`.
        originals: the files that the pictures were read from, if their bytes may be kept where they are shorter.
        lanes: of a stripe; None takes as many as its size is worth.
        advance: called with numbers of sub-pixels done.

    Raises:
        ModelError: the model cannot compress.
    """
    check_local(model)
    channels, total = model.image_shape[0], sum(picture.numel() for picture in pictures)
    sheets = [sheets_of(channels, number, _shape(picture)) for number, picture in enumerate(pictures)]
    with evaluating(model):
        suits = [_suits(model, picture, sheets[number]) for number, picture in enumerate(pictures)]
    source = _Source(
        model, pictures, [sheet for number, of_picture in enumerate(sheets) if suits[number] for sheet in of_picture]
    )
    steps = EFFORTS[effort].steps
    fitting = total // 2 if steps and source.count else 0
    adaptation = fit(model, source.pixels(), effort, advance=scaled(advance, fitting, steps) if fitting else None)
    coding = scaled(advance, total - fitting, total)
    changed = adapted(model, adaptation)
    contents.adaptation = to_bytes(model, adaptation)
    contents.ranges = measure(changed, source.some(LOOKED_AT))
    contents.version = PICTURES
    twin = LocalTwin(changed, contents.ranges)
    for number, picture in enumerate(pictures):
        streams: list[list[bytes]] = []
        readable = True
        for sheet in sheets[number]:
            pixels = sheet.pixels(picture, channels)
            coded = len(sheet.channels)
            for stripe in stripes_of(twin, pixels, coded, advance=coding):
                block = stripe.encoded(lanes)
                if block is None or _too_short(block, len(stripe.starts), model.levels):
                    readable = False
                else:
                    streams.append(block)
        size = sum(len(lane) + 2 for stripe in streams for lane in stripe) if readable else math.inf
        other = shorter(picture, model.levels, size, None if originals is None else originals[number])
        if other is None:
            contents.blocks += streams
        else:
            kind, contents.stored[number] = other
            if kind != DEFLATE:
                contents.kinds[number] = kind
    if len(contents.stored) == len(pictures):
        contents.adaptation = b""
    return contents


def unpack(
    model: LocalPixelCNN,
    contents: Contents,
    *,
    only: int | None = None,
    trusted: bool = False,
    advance: Advance | None = None,
) -> list[Tensor]:
    """The coded pictures of a file, uint8 `[C, H, W]` each; those that are stored, or not asked for, are blank.

    Args:
        model: the model that made it.
        contents: the file.
        only: decode only the picture of this number.
        trusted: whether streams may stand for any work; see `nextpixel.codec.rans`.
        advance: called with numbers of sub-pixels done.

    Raises:
        DataError: the file is damaged.
        ModelError: the model cannot decompress.
    """
    check_local(model)
    try:
        twin = LocalTwin(adapted(model, from_bytes(model, contents.adaptation)), contents.ranges)
    except ModelError as error:
        raise DataError(f"the file does not fit the model ({error}): it is damaged") from error
    coded = _coded(twin, contents)
    wanted = [sheet for sheet in coded if only in (None, sheet.picture)]
    pictures = [
        torch.zeros(shape if only in (None, number) else (1, 1, 1), dtype=torch.uint8)
        for number, shape in enumerate(contents.shapes)
    ]
    for group in _groups(wanted):
        sizes = [(sheet.height, sheet.width) for sheet in group]
        streams = [coded[sheet] for sheet in group]
        for sheet, pixels in zip(
            group,
            sheets_from(twin, streams, sizes, len(group[0].channels), trusted=trusted, advance=advance),
            strict=True,
        ):
            pictures[sheet.picture][list(sheet.channels)] = pixels
    return pictures


def crop_bits(model: LocalPixelCNN, crops: Sequence[Tensor]) -> Iterator[tuple[float, float]]:
    """The bits of small pictures, uint8 `[C, H, W]` each, by a model and by its integer twin."""
    channels = model.image_shape[0]
    sheets = [sheets_of(channels, number, _shape(crop)) for number, crop in enumerate(crops)]
    everything = _Source(model, crops, [sheet for sheets_of_crop in sheets for sheet in sheets_of_crop])
    twin = LocalTwin(model, measure(model, everything.some(LOOKED_AT)))
    for number, crop in enumerate(crops):
        source = _Source(model, {number: crop}, sheets[number])
        with torch.no_grad():
            total = float(nats(model, source.pixels(), torch.arange(source.count)).double().sum())
        stripes = [
            stripe
            for sheet in sheets[number]
            for stripe in stripes_of(twin, sheet.pixels(crop, channels), len(sheet.channels))
        ]
        yield total / math.log(2), sum(stripe.bits for stripe in stripes)


def _coded(twin: LocalTwin, contents: Contents) -> dict[Sheet, list[list[bytes]]]:
    """The sheets of a file and the streams of their stripes.

    Raises:
        DataError: there are more or fewer than the pictures need, or they are shorter than they can be.
    """
    coded: dict[Sheet, list[list[bytes]]] = {}
    first = 0
    for number, shape in enumerate(contents.shapes):
        if number in contents.stored:
            continue
        for sheet in sheets_of(twin.channels, number, shape):
            rows = stripe_rows(sheet.height, sheet.width)
            stripes = contents.blocks[first : first + len(rows)]
            first += len(rows)
            if len(stripes) != len(rows):
                raise DataError("the file has fewer blocks than its pictures need: it is damaged")
            for stripe, lanes in zip(rows, stripes, strict=True):
                if not 1 <= len(lanes) <= longest_front(twin.window, len(stripe), sheet.width):
                    raise DataError("a block of the file has more lanes than pixels at once, or none: it is damaged")
                if _too_short(lanes, len(stripe) * sheet.width * len(sheet.channels), twin.levels):
                    raise DataError("a block of the file is shorter than its pixels can be: it is damaged")
            coded[sheet] = stripes
    if first != len(contents.blocks):
        raise DataError("the file has more blocks than its pictures need: it is damaged")
    return coded


def _too_short(lanes: Sequence[bytes], sub_pixels: int, levels: int) -> bool:
    """Whether a block has fewer bytes than its sub-pixels cost at least, as no level has all shares.

    So short streams cannot stand for much work. The coder itself can do with less: a level whose share begins at 0
    leaves a state of 0 as it is, so a black picture takes no byte. Pictures of such blocks are stored.
    """
    least = -math.log2((TOTAL - levels + 1) / TOTAL)
    return 8 * sum(map(len, lanes)) < least * sub_pixels - 8


def _groups(sheets: Sequence[Sheet]) -> Iterator[list[Sheet]]:
    """Sheets that are decoded together: as many coded colours each, and not too many pixels."""
    for colours in sorted({len(sheet.channels) for sheet in sheets}):
        group: list[Sheet] = []
        for sheet in (sheet for sheet in sheets if len(sheet.channels) == colours):
            if group and sum(other.pixel_count for other in group) + sheet.pixel_count > GROUP_PIXELS:
                yield group
                group = []
            group.append(sheet)
        if group:
            yield group


def _shape(picture: Tensor) -> Shape:
    channels, height, width = picture.shape
    return channels, height, width


def _suits(model: LocalPixelCNN, picture: Tensor, sheets: Sequence[Sheet]) -> bool:
    """Whether a model seems to be better than other formats for a picture, by some of its pixels."""
    quick = quick_size(picture) if model.levels == 256 else None
    if quick is None:
        return True
    source = _Source(model, {sheets[0].picture: picture}, sheets)
    pixels = source.pixels()
    numbers = torch.from_numpy(np.random.default_rng(0).integers(0, source.count, LOOKED_AT_IN_A_PICTURE))
    with torch.no_grad():
        bits = float(nats(model, pixels, numbers).sum()) / (LOOKED_AT_IN_A_PICTURE * math.log(2)) * source.count
    return bits < 8 * WORTH_A_CLOSER_LOOK * quick


class _Source:
    """Random pixels of sheets.

    Args:
        model: what they are for.
        pictures: by their numbers.
        sheets: of these pictures.

    Attributes:
        count: number of pixels.
    """

    def __init__(
        self, model: LocalPixelCNN, pictures: Sequence[Tensor] | dict[int, Tensor], sheets: Sequence[Sheet]
    ) -> None:
        channels = model.image_shape[0]
        self.canvas = Canvas(model.window, model.beyond, channels, [(sheet.height, sheet.width) for sheet in sheets])
        for start, sheet in zip(self.canvas.first.tolist(), sheets, strict=False):
            pixels = sheet.pixels(pictures[sheet.picture], channels).flatten(1).T
            self.canvas.pixels[start : start + sheet.pixel_count] = pixels
        self.coded = torch.tensor([len(sheet.channels) for sheet in sheets], dtype=torch.int64)
        self.count = int(self.canvas.first[-1])
        self.sub_pixels = sum(sheet.pixel_count * len(sheet.channels) for sheet in sheets)

    def _places(self, numbers: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sheets of pixels, and their numbers there."""
        flat = numbers.numpy()
        sheets = np.searchsorted(self.canvas.first, flat, side="right") - 1
        return flat - self.canvas.first[sheets], sheets

    def pixels(self) -> Pixels:
        """What `fit` takes random pixels from."""
        return Pixels(
            lambda numbers: self.canvas.windows(*self._places(numbers)),
            lambda numbers: self.canvas.pixels[numbers],
            lambda numbers: self.coded[self._places(numbers)[1]],
            self.count,
            self.sub_pixels,
        )

    def some(self, count: int) -> Tensor:
        """The windows of so many random pixels at most; of one of zeros where there are none."""
        if not self.count:
            return torch.zeros(1, len(self.canvas.down), self.canvas.pixels.shape[1])
        numbers = torch.from_numpy(np.random.default_rng(1).integers(0, self.count, min(count, self.count)))
        return self.canvas.windows(*self._places(numbers))
