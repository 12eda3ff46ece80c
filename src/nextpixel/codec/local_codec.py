"""Whole pictures of any size, by a local PixelCNN: files of version 4 and, with pictures on lattices of colours, 5.

A picture is divided into sheets, which the model takes as images (`nextpixel.codec.sheets`). Each picture that other
formats hold in less is stored in the shortest of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec.adaptation import adapted, to_bytes
from nextpixel.codec.container import DEFLATE, LATTICE_PICTURES, PICTURES, Contents, Shape
from nextpixel.codec.fitting import Pixels, fit, nats, walk
from nextpixel.codec.lattice_choice import choose_lattice
from nextpixel.codec.local_ranges import check_local, measure, raised
from nextpixel.codec.local_twin import LocalTwin
from nextpixel.codec.sheets import Sheet, can_lie_on_lattice, sheets_of, too_short
from nextpixel.codec.stored_pictures import WORTH_A_CLOSER_LOOK, quick_size, shorter
from nextpixel.codec.wavefront import Canvas, stripes_of
from nextpixel.coding.colour_lattices import OnLattice
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.model_files.stored import stored_model
from nextpixel.plan.stored_model import StoredModel
from nextpixel.runtime.batching import scaled
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance

Picture = NDArray[np.uint8]

LOOKED_AT = 2**15
"""Pixels that ranges are measured on."""

LOOKED_AT_IN_A_PICTURE = 2**12
"""Pixels of a picture that tell whether the model suits it, if it has as many."""

LOOKED_AT_FOR_LATTICE = 2**11
"""Pixels of a picture that tell whether its colours lie on a lattice."""


def pack(
    model: LocalPixelCNN,
    pictures: Sequence[Picture],
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
    channels, total = model.image_shape[0], sum(picture.size for picture in pictures)
    sheets = [sheets_of(channels, number, _shape(picture)) for number, picture in enumerate(pictures)]
    quick_sizes = [quick_size(picture, model.levels) for picture in pictures]
    with evaluating(model):
        suits = [_suits(model, picture, sheets[number], quick_sizes[number]) for number, picture in enumerate(pictures)]
    source = _Source(
        model, pictures, [sheet for number, of_picture in enumerate(sheets) if suits[number] for sheet in of_picture]
    )
    steps = walk(effort, source.count).steps
    fitting = total // 2 if steps and source.count else 0
    adaptation = fit(model, source.pixels(), effort, advance=scaled(advance, fitting, steps) if fitting else None)
    coding = scaled(advance, total - fitting, total)
    plain = stored_model(model)
    changed = StoredModel(plain.description, adapted(plain.weights, adaptation))
    contents.adaptation = to_bytes(plain.weights, adaptation)
    contents.ranges = raised(changed, measure(model, changed, source.some(LOOKED_AT)))
    contents.version = PICTURES
    # Its windows take some memory.
    del source
    twin = LocalTwin(changed, contents.ranges)
    for number, picture in enumerate(pictures):
        on = _lattice_of(model, twin, picture, sheets[number])
        streams: list[list[bytes]] = []
        readable = True
        for sheet in sheets[number]:
            pixels = sheet.pixels(picture, channels)
            coded = len(sheet.channels)
            for stripe in stripes_of(twin, pixels, coded, on=on if coded > 1 else None, advance=coding):
                block = stripe.encoded(lanes)
                if block is None or too_short(block, stripe.sub_pixels, model.levels):
                    readable = False
                else:
                    streams.append(block)
        size = sum(len(lane) + 2 for stripe in streams for lane in stripe) if readable else math.inf
        original = None if originals is None else originals[number]
        other = shorter(picture, model.levels, size, original, quick=quick_sizes[number])
        if other is None:
            contents.blocks += streams
            if on is not None:
                contents.lattices[number] = on
        else:
            kind, contents.stored[number] = other
            if kind != DEFLATE:
                contents.kinds[number] = kind
    if len(contents.stored) == len(pictures):
        contents.adaptation = b""
    if contents.lattices:
        contents.version = LATTICE_PICTURES
    return contents


def crop_bits(model: LocalPixelCNN, crops: Sequence[Picture]) -> Iterator[tuple[float, float]]:
    """The bits of small pictures, uint8 `[C, H, W]` each, by a model and by its integer twin."""
    channels = model.image_shape[0]
    sheets = [sheets_of(channels, number, _shape(crop)) for number, crop in enumerate(crops)]
    everything = _Source(model, crops, [sheet for sheets_of_crop in sheets for sheet in sheets_of_crop])
    plain = stored_model(model)
    twin = LocalTwin(plain, raised(plain, measure(model, plain, everything.some(LOOKED_AT))))
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


def _shape(picture: Picture) -> Shape:
    channels, height, width = picture.shape
    return channels, height, width


def _suits(model: LocalPixelCNN, picture: Picture, sheets: Sequence[Sheet], quick: int | None) -> bool:
    """Whether a model seems to be better than other formats for a picture, by some of its pixels and `quick_size`."""
    if quick is None:
        return True
    source = _Source(model, {sheets[0].picture: picture}, sheets)
    pixels = source.pixels()
    numbers = torch.arange(source.count)
    if source.count > LOOKED_AT_IN_A_PICTURE:
        numbers = torch.from_numpy(np.random.default_rng(0).integers(0, source.count, LOOKED_AT_IN_A_PICTURE))
    with torch.no_grad():
        bits = float(nats(model, pixels, numbers).sum()) / (len(numbers) * math.log(2)) * source.count
    return bits < 8 * WORTH_A_CLOSER_LOOK * quick


def _lattice_of(model: LocalPixelCNN, twin: LocalTwin, picture: Picture, sheets: Sequence[Sheet]) -> OnLattice | None:
    """The lattice on which a picture's colours lie, by some of its pixels."""
    if not can_lie_on_lattice(twin, _shape(picture)):
        return None
    source = _Source(model, {sheets[0].picture: picture}, sheets[:1])
    numbers = torch.from_numpy(np.random.default_rng(2).permutation(source.count)[:LOOKED_AT_FOR_LATTICE])
    pixels = source.pixels()
    windows = pixels.windows(numbers).numpy()
    return choose_lattice(twin, windows, pixels.values(numbers).numpy(), source.count)


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
        self, model: LocalPixelCNN, pictures: Sequence[Picture] | dict[int, Picture], sheets: Sequence[Sheet]
    ) -> None:
        channels = model.image_shape[0]
        self.canvas = Canvas(model.window, model.beyond, channels, [(sheet.height, sheet.width) for sheet in sheets])
        for start, sheet in zip(self.canvas.first.tolist(), sheets, strict=False):
            pixels = sheet.pixels(pictures[sheet.picture], channels).reshape(channels, -1).T
            self.canvas.pixels[start : start + sheet.pixel_count] = pixels
        self.canvas.complete()
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
            lambda numbers: torch.from_numpy(self.canvas.windows(*self._places(numbers))),
            lambda numbers: torch.from_numpy(self.canvas.pixels[numbers.numpy()]),
            lambda numbers: self.coded[self._places(numbers)[1]],
            self.count,
            self.sub_pixels,
        )

    def some(self, count: int) -> Tensor:
        """The windows of so many random pixels at most; of one of zeros where there are none."""
        if not self.count:
            return torch.zeros(1, len(self.canvas.down), self.canvas.pixels.shape[1])
        numbers = torch.from_numpy(np.random.default_rng(1).integers(0, self.count, min(count, self.count)))
        return torch.from_numpy(self.canvas.windows(*self._places(numbers)))
