"""The images of a file, from the file and what is stored of its model alone: no PyTorch here."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.container import (
    DEFLATE,
    FILE,
    FIRST_TILES,
    LEAST_COUNTED,
    MOST_SUB_PIXELS,
    OF_PICTURES,
    Contents,
    Shape,
)
from nextpixel.codec.images import decode
from nextpixel.codec.sheets import pictures_from
from nextpixel.codec.stored_pictures import restored
from nextpixel.codec.tiles import Tile, groups_of, labels_of, tile_count, tiles_of
from nextpixel.engines.layout import Layout, lay_out
from nextpixel.errors import DataError, ModelError
from nextpixel.plan.lowering.families import has_program, lower
from nextpixel.plan.stored_model import StoredModel
from nextpixel.runtime.progress import Advance

LOCAL = "local-pixelcnn"
"""The family whose files are of whole pictures."""

Pixels = NDArray[np.uint8]


def unpack(
    model: StoredModel,
    contents: Contents,
    *,
    only: int | None = None,
    most_sub_pixels: int | None = None,
    restored_file: Callable[[bytes, Shape, int], Pixels] | None = None,
    advance: Advance | None = None,
) -> list[Pixels]:
    """The images of a file.

    Args:
        model: the model that compressed them.
        contents: the file.
        only: decode only the image of this number, and the lanes that hold it; the others are blank.
        most_sub_pixels: the most that are decoded; whoever allows so many trusts the file.
        restored_file: gives the pixels of a kept file of a shape and levels; None leaves such pictures blank.
        advance: called with numbers of sub-pixels done.

    Returns:
        `[C, H, W]` each.

    Raises:
        DataError: the file is damaged, or made by another model.
        ModelError: the model cannot decompress.
    """
    check_fits(model, contents)
    if model.family == LOCAL:
        trusted = most_sub_pixels is not None
        pictures = pictures_from(model, contents, only=only, trusted=trusted, advance=advance)
    else:
        pictures = _from_tiles(model, contents, only, most_sub_pixels, advance)
    for number, data in contents.stored.items():
        if only not in (None, number):
            continue
        kind, shape = contents.kinds.get(number, DEFLATE), contents.shapes[number]
        if kind != FILE:
            pictures[number] = restored(kind, data, shape, model.levels)
        elif restored_file is not None:
            pictures[number] = restored_file(data, shape, model.levels)
        if advance is not None:
            advance(math.prod(shape))
    if only is None and checksum(pictures, contents) != contents.checksum:
        raise DataError("the decoded pixels do not have the checksum of the file: it is damaged")
    return pictures


def check_fits(model: StoredModel, contents: Contents) -> None:
    """Check that a model made a file.

    Raises:
        DataError: another one did.
    """
    if not model.fingerprint.startswith(contents.fingerprint):
        raise DataError("the file was compressed with another model: name the run or model folder it was made with")
    if contents.levels != model.levels:
        raise DataError(f"the file has {contents.levels} levels and its model {model.levels}: it is damaged")
    if (contents.version in OF_PICTURES) != (model.family == LOCAL):
        raise DataError(f"a {model.family} does not make files of version {contents.version}: the file is damaged")


def checksum(pictures: Sequence[Pixels], contents: Contents) -> int:
    """The checksum of pixels; of the bytes of a kept file, as its pixels may differ between versions of a library."""
    crc = 0
    for number, picture in enumerate(pictures):
        kept = contents.kinds.get(number) == FILE
        crc = zlib.crc32(contents.stored[number] if kept else picture.tobytes(), crc)
    return crc


class CodedTiles(NamedTuple):
    """What a file of tiles holds that its model codes.

    Attributes:
        layout: the model's integers.
        labels: int64 `[N]` of the images, for a conditional model.
        groups: tiles of one size each, in the order of the file's blocks.
    """

    layout: Layout
    labels: NDArray[np.int64] | None
    groups: list[list[Tile]]


def coded_tiles(model: StoredModel, contents: Contents, most_sub_pixels: int | None = None) -> CodedTiles:
    """What a file of tiles holds, checked against its model.

    Raises:
        DataError: they do not fit each other, or it is more than so many sub-pixels.
        ModelError: the model cannot decompress.
    """
    if not has_program(model):
        raise ModelError(f"models of the family {model.family} cannot decompress: name the model of the file")
    most_tiles = (MOST_SUB_PIXELS if most_sub_pixels is None else most_sub_pixels) // LEAST_COUNTED
    labels = _labels(model, contents)
    try:
        layout = lay_out(lower(model, contents.ranges, wide_head=contents.version != FIRST_TILES))
    except ModelError as error:
        raise DataError(f"the file does not fit the model ({error}): it is damaged") from error
    coded = [shape for number, shape in enumerate(contents.shapes) if number not in contents.stored]
    if sum(tile_count(model.image_shape, shape) for shape in coded) > most_tiles:
        raise DataError(
            f"the file declares more than {most_tiles * LEAST_COUNTED} sub-pixels ({LEAST_COUNTED} at least for each "
            "tile of the model's size), the most that are decoded"
        )
    tiles, unplaced = tiles_of(model.image_shape, contents.shapes, set(contents.stored))
    groups = groups_of(model.image_shape, tiles)
    if len(groups) != len(contents.blocks) or not unplaced <= set(contents.stored):
        raise DataError("the file has more or fewer blocks than its images need: it is damaged")
    if any(not 1 <= len(lanes) <= len(group) for group, lanes in zip(groups, contents.blocks, strict=True)):
        raise DataError("a block of the file has more lanes than tiles, or none: it is damaged")
    return CodedTiles(layout, labels, groups)


def _from_tiles(
    model: StoredModel, contents: Contents, only: int | None, most_sub_pixels: int | None, advance: Advance | None
) -> list[Pixels]:
    """The coded images of a file of tiles; those that are stored, or not asked for, are blank."""
    coded = coded_tiles(model, contents, most_sub_pixels)
    pictures = [np.zeros(shape, np.uint8) for shape in contents.shapes]
    for group, lanes in zip(coded.groups, contents.blocks, strict=True):
        needed, streams = _needed(group, lanes, only)
        if not needed:
            continue
        channels, height, width = needed[0].of(pictures).shape
        shape = (len(needed), channels, height, width)
        trusted = most_sub_pixels is not None
        labels = labels_of(coded.labels, needed)
        decoded = decode(coded.layout, streams, shape, labels, trusted=trusted, advance=advance)
        for tile, pixels in zip(needed, decoded, strict=True):
            tile.of(pictures)[...] = pixels
    return pictures


def _labels(model: StoredModel, contents: Contents) -> NDArray[np.int64] | None:
    """The labels of the images.

    Raises:
        DataError: they do not fit the model.
    """
    classes = model.classes
    if contents.labels is None:
        if classes:
            raise DataError("the file has no labels, and its model is conditioned on them: it is damaged")
        return None
    if not classes:
        raise DataError("the file has labels, and its model is not conditioned on any: it is damaged")
    if any(label >= classes for label in contents.labels):
        raise DataError(f"the labels of the file do not fit the model, which has {classes} classes: it is damaged")
    return np.array(contents.labels, np.int64)


def _needed(group: list[Tile], lanes: list[bytes], only: int | None) -> tuple[list[Tile], list[bytes]]:
    """The lanes that hold tiles of an image, with all their tiles, in order."""
    if only is None:
        return group, lanes
    count = len(lanes)
    chosen = {place % count for place, tile in enumerate(group) if tile.image == only}
    tiles = [tile for place, tile in enumerate(group) if place % count in chosen]
    return tiles, [lane for number, lane in enumerate(lanes) if number in chosen]
