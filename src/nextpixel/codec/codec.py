"""Lossless compression of images by a model: `nextpixel.compress` and `nextpixel.decompress`.

Images of any size are cut into tiles of the size of the model's images; tiles at the edges are smaller. Tiles of one
size are coded beside each other. A model of one channel takes the channels of an image one by one. Where the model
costs more than a PNG or a WebP, or than deflating the pixels, and where it has no place for an image, the shortest of
these is stored.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec import local_codec, unpacking
from nextpixel.codec.container import (
    DEFLATE,
    FILE,
    FINGERPRINT_BYTES,
    MOST_NAME_BYTES,
    TILES,
    Contents,
    Shape,
    read,
    write,
)
from nextpixel.codec.fitting import DEFAULT_EFFORT, MOST_EFFORT
from nextpixel.codec.fixed_point import check_lowers, fixed_point, ranges_of
from nextpixel.codec.images import Shares, encode, shares_of
from nextpixel.codec.kept_files import restored_file
from nextpixel.codec.local_ranges import check_local
from nextpixel.codec.stored_pictures import shorter, stored
from nextpixel.codec.tiles import Tile, groups_of, labels_of, stacked, tiles_of
from nextpixel.data import ImageSet
from nextpixel.engines.layout import lay_out
from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel, check_model
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.families.set_condition import conditioned
from nextpixel.model_files.stored import stored_model
from nextpixel.nn.conditions import Values, checked_values
from nextpixel.nn.tensors import as_tensor
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.validation import MOST_SIDE, integer

BYTES_A_LANE, FREE_LANES = 5120, 4
"""A lane costs some 5 bytes; so a file has a few, and one more for every so many bytes."""


class Original(NamedTuple):
    """A file that an image was read from.

    Attributes:
        name: of the file.
        data: its bytes.
    """

    name: str
    data: bytes


def compress(
    model: ImageModel,
    images: ImageSet | Tensor | NDArray[np.generic] | Sequence[Tensor],
    condition: Values | None = None,
    *,
    names: Sequence[str] | None = None,
    originals: Sequence[Original] | None = None,
    embed: dict[str, bytes] | None = None,
    lanes: int | None = None,
    effort: int | None = None,
    advance: Advance | None = None,
) -> bytes:
    """Compress images without loss.

    Args:
        model: a Gated PixelCNN, a PixelCNN, a Row LSTM, a Diagonal BiLSTM, one that is made of these (`turned`,
            `multiscale`), or one of a family of your own with `lower`, without a condition or conditioned on labels;
            or a local PixelCNN.
        images: one image, integers `[C, H, W]` in 0..levels-1; many, `[B, C, H, W]`; a list of images of any sizes; or
            a set.
        condition: for a conditional model a label for each image, or one for all; None takes those of a set.
        names: of the images, kept with them.
        originals: with names, the files that the images were read from: their bytes are kept, with their own names, of
            those that are shorter so.
        embed: files of the model's folder, to come along in the result.
        lanes: how many tiles are decoded beside each other: decoding many at once is faster, and each lane costs some 5
            bytes. None takes a few, and more for larger files.
        effort: of a local PixelCNN, from 1 to 9: from 2 on the model is fitted to the images first, and what changes
            comes along in the file; the higher, the longer and the smaller. Decompressing takes the same time.
            None takes 5.
        advance: called with numbers of sub-pixels done; they add up to those of all images.

    Returns:
        The bytes of an .npx file.

    Raises:
        InputError: the images do not fit the model.
        ModelError: the model cannot compress.
    """
    model = _plain(model)
    if lanes is not None:
        lanes = integer("lanes", lanes, 1, error=InputError)
    if isinstance(images, ImageSet):
        if condition is None and model.needs_condition:
            condition = conditioned(images, model.condition).condition
        images = images[:]
    if not isinstance(images, Tensor | np.ndarray | Sequence) or getattr(images, "ndim", 1) == 0:
        raise InputError(f"images must be a tensor, an array, or a list of them, not {type(images).__name__}")
    one_image = isinstance(images, Tensor | np.ndarray) and images.ndim == 3
    if names is not None and len(names) != (1 if one_image else len(images)):
        raise InputError(
            f"{len(names)} names were given for {1 if one_image else len(images)} images; give one for each"
        )
    if names is not None and not all(_is_text(name) for name in names):
        raise InputError(
            f"a name holds a character that no text file can hold, or more than {MOST_NAME_BYTES} bytes; "
            "rename the picture"
        )
    if originals is not None and (names is None or len(originals) != len(names)):
        raise InputError("originals need as many names; give both for every image")
    pictures = _checked(model, [images] if one_image else list(images))
    shapes = [_shape(picture) for picture in pictures]
    if isinstance(model, LocalPixelCNN):
        effort = DEFAULT_EFFORT if effort is None else integer("effort", effort, 1, MOST_EFFORT, error=InputError)
        contents = Contents(_fingerprint(model), model.levels, [], 0, shapes, [])
        contents.names = None if names is None else list(names)
        contents.one_image, contents.model = one_image, embed or {}
        files = None if originals is None else [original.data for original in originals]
        local_codec.pack(model, pictures, contents, effort=effort, originals=files, lanes=lanes, advance=advance)
        return write(_finished(contents, pictures, originals))
    if effort is not None:
        raise InputError(f"effort is for a local-pixelcnn, and this model is a {model.family}; leave it out")
    labels = _labels(model, condition, len(pictures))
    tiles, unplaced = tiles_of(model.image_shape, shapes, plain=set())
    ranges = ranges_of(model, pictures, tiles, labels)
    layout = lay_out(fixed_point(model, ranges))
    shares: dict[Tile, tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}
    bits = [0.0] * len(pictures)
    for group in groups_of(model.image_shape, tiles):
        shares_of_group = shares_of(layout, stacked(pictures, group), labels_of(labels, group), advance=advance)
        shares |= zip(group, zip(*shares_of_group, strict=True), strict=True)
        for tile, cost in zip(group, shares_of_group.bits.tolist(), strict=True):
            bits[tile.image] += cost
    # Where another way is shorter, it is taken; the other tiles stay as they were coded.
    ways = {
        i: shorter(
            picture,
            model.levels,
            math.inf if i in unplaced else bits[i] / 8,
            None if originals is None else originals[i].data,
        )
        for i, picture in enumerate(pictures)
    }
    plain = {i: way for i, way in ways.items() if way is not None}
    if advance is not None:
        advance(sum(pictures[i].size for i in unplaced))
    while True:
        kept = groups_of(model.image_shape, [tile for tile in tiles if tile.image not in plain])
        blocks, refused = _blocks(kept, shares, lanes)
        if not refused:
            break
        plain |= {i: stored(pictures[i], model.levels) for i in refused}
    contents = Contents(
        _fingerprint(model),
        model.levels,
        ranges,
        0,
        shapes,
        blocks,
        {i: data for i, (_, data) in plain.items()},
        None if names is None else list(names),
        None if labels is None else labels.tolist(),
        one_image,
        embed or {},
        TILES,
        {i: kind for i, (kind, _) in plain.items() if kind != DEFLATE},
    )
    return write(_finished(contents, pictures, originals))


def decompress(
    model: ImageModel,
    data: bytes,
    *,
    only: int | None = None,
    most_sub_pixels: int | None = None,
    advance: Advance | None = None,
) -> Tensor | list[Tensor]:
    """Decompress what `compress` made, with the same model, on any machine.

    Args:
        model: the model that compressed.
        data: the bytes.
        only: decode only the image of this number, and the lanes that hold it.
        most_sub_pixels: refuse files whose images have more together; None for what is usual for their size.
        advance: called with numbers of sub-pixels done.

    Returns:
        uint8 `[C, H, W]` or `[B, C, H, W]`, as it was given; a list of images where their shapes differ; with `only`
        that image, `[C, H, W]`.

    Raises:
        DataError: the bytes are damaged, or made by another model.
        InputError: there is no image of that number.
        ModelError: the model cannot decompress.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"the data must be bytes, not {type(data).__name__}")
    if most_sub_pixels is not None:
        most_sub_pixels = integer("most_sub_pixels", most_sub_pixels, 1, error=InputError)
    contents = read(bytes(data), most_sub_pixels)
    if only is not None:
        only = integer("only, the number of an image,", only, 0, error=InputError)
        if only >= len(contents.shapes):
            raise InputError(f"the file has no image {only}; it has {len(contents.shapes)}, counted from 0")
    pictures = unpack(model, contents, only=only, most_sub_pixels=most_sub_pixels, advance=advance)
    if only is not None:
        return pictures[only]
    if contents.one_image:
        return pictures[0]
    if len(set(contents.shapes)) > 1 or not pictures:
        return pictures
    return torch.stack(pictures)


def unpack(
    model: ImageModel,
    contents: Contents,
    *,
    only: int | None = None,
    most_sub_pixels: int | None = None,
    with_files: bool = True,
    advance: Advance | None = None,
) -> list[Tensor]:
    """The images of a file, uint8 `[C, H, W]` each; where `only` one is asked for, the others are blank.

    See `decompress`. Without `with_files`, those that are kept as their files are blank as well. Whoever allows more
    sub-pixels trusts the file.
    """
    pictures = unpacking.unpack(
        stored_model(_plain(model)),
        contents,
        only=only,
        most_sub_pixels=most_sub_pixels,
        restored_file=restored_file if with_files else None,
        advance=advance,
    )
    return [torch.from_numpy(np.require(picture, requirements="W")) for picture in pictures]


def _is_text(name: str) -> bool:
    """Whether a name can be stored and found again."""
    return (
        isinstance(name, str)
        and "\0" not in name
        and not any("\ud800" <= character <= "\udfff" for character in name)
        and len(name.encode()) <= MOST_NAME_BYTES
    )


def _plain(model: ImageModel) -> ImageModel:
    """The model where the integers are computed, a copy if it is elsewhere; without what `torch.compile` wraps it in.

    Raises:
        ModelError: it cannot compress.
    """
    check_model(model)
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, LocalPixelCNN):
        check_local(model)
    else:
        check_lowers(model)
    return model if model.device.type == "cpu" else copy.deepcopy(model).cpu()


def check_compresses(model: ImageModel) -> None:
    """Refuse a model that cannot compress.

    Raises:
        ModelError: with those that can.
    """
    _plain(model)


def _checked(model: ImageModel, images: Sequence[object]) -> list[NDArray[np.uint8]]:
    """The images, `[C, H, W]` each."""
    checked = []
    for image in images:
        tensor = as_tensor(image, "images")
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or tensor.ndim != 3:
            raise InputError(f"images must be integers [C, H, W] or [B, C, H, W], not {tensor.dtype} {tensor.ndim}-d")
        # NumPy finds the extremes of every integer type, PyTorch does not.
        pixels = tensor.detach().cpu().numpy()
        channels, height, width = pixels.shape
        if not (1 <= channels <= 4 and 1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE):
            raise InputError(
                f"an image must have 1 to 4 channels and sides from 1 to {MOST_SIDE}, not {list(pixels.shape)}"
            )
        low, high = int(pixels.min()), int(pixels.max())
        if low < 0 or high >= model.levels:
            raise InputError(f"images hold values from {low} to {high}, this model has levels 0..{model.levels - 1}")
        checked.append(np.array(pixels, np.uint8, order="C"))
    return checked


def _shape(picture: NDArray[np.uint8]) -> Shape:
    channels, height, width = picture.shape
    return channels, height, width


def _labels(model: ImageModel, condition: Values | None, count: int) -> NDArray[np.int64] | None:
    values = checked_values(model.condition, condition, count)
    return next(iter(values.values())).cpu().numpy() if values else None


def _fingerprint(model: ImageModel) -> bytes:
    return stored_model(model).fingerprint[:FINGERPRINT_BYTES]


def _finished(
    contents: Contents, pictures: Sequence[NDArray[np.uint8]], originals: Sequence[Original] | None
) -> Contents:
    """The contents with their checksum, and with the names of those files that are kept."""
    if contents.names is not None and originals is not None:
        for i in contents.kinds:
            if contents.kinds[i] == FILE:
                contents.names[i] = originals[i].name
    contents.checksum = unpacking.checksum(pictures, contents)
    return contents


def _blocks(
    groups: Sequence[list[Tile]],
    shares: dict[Tile, tuple[NDArray[np.uint32], NDArray[np.uint32]]],
    lanes: int | None,
) -> tuple[list[list[bytes]], set[int]]:
    """The streams of blocks of tiles, and which images are better stored, as a decoder might refuse the streams."""
    blocks: list[list[bytes]] = []
    refused: set[int] = set()
    for group in groups:
        shares_of_group = Shares(*map(np.stack, zip(*(shares[tile] for tile in group), strict=True)))
        few = FREE_LANES + int(shares_of_group.bits.sum()) // (8 * BYTES_A_LANE)
        streams, tiles = encode(shares_of_group, min(len(group), few if lanes is None else lanes))
        blocks.append(streams)
        refused |= {group[tile].image for tile in tiles}
    return blocks, refused
