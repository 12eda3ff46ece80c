"""What compressing pictures by a model promises, from a few small parts of them, before anything is compressed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec.fixed_point import fixed_point, ranges_of
from nextpixel.codec.images import shares_of
from nextpixel.codec.local_codec import crop_bits
from nextpixel.codec.stored_pictures import quick_size, stored
from nextpixel.codec.tiles import Pixels, groups_of, labels_of, stacked, tiles_of
from nextpixel.engines.layout import lay_out
from nextpixel.families.base import ImageModel
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating

PICTURES_LOOKED_AT, SIDE_LOOKED_AT = 8, 64

MOST_TWIN_COST = 0.005
"""The part by which an integer twin may need more bits than its model."""

MUCH_WORSE = 1.1
"""A model that takes so many times the bytes of WebP, or of the deflated pixels, does not suit a picture."""


@dataclass(frozen=True)
class Outlook:
    """What some pictures take, in bits.

    Attributes:
        model: by the model in floating point; of a model for images of one size, tiles of that size alone are counted.
        twin: of the same tiles by its integer twin, which codes them.
        unsuited: how many of the pictures take much more by the model than without it.
        looked_at: number of the pictures.
    """

    model: float
    twin: float
    unsuited: int
    looked_at: int

    @property
    def twin_cost(self) -> float:
        """The part by which the twin needs more bits than the model."""
        return self.twin / self.model - 1 if self.model else 0.0


@torch.no_grad()
def outlook(model: ImageModel, pictures: Sequence[Tensor], labels: Tensor | None = None) -> Outlook:
    """Look at the middles of some pictures.

    Args:
        model: one that compresses, on the CPU.
        pictures: uint8 `[C, H, W]` each, in 0..levels-1.
        labels: `[N]`, for a conditional model.
    """
    step = -(-len(pictures) // PICTURES_LOOKED_AT)
    model_bits = twin_bits = 0.0
    unsuited = looked_at = 0
    crops = [_middle(picture.numpy(), model) for picture in pictures[::step]]
    chosen = None if labels is None else labels[::step].numpy()
    with evaluating(model):
        for crop, bits in zip(crops, _bits(model, crops, chosen), strict=True):
            if bits is None:
                unsuited += 1
            else:
                model_bits, twin_bits = model_bits + bits.model, twin_bits + bits.twin
                other = quick_size(crop, model.levels) if model.levels == 256 else len(stored(crop, model.levels)[1])
                unsuited += other is not None and bits.coded > 8 * MUCH_WORSE * other
            looked_at += 1
    return Outlook(model_bits, twin_bits, unsuited, looked_at)


class _Bits(NamedTuple):
    """The bits of a picture.

    Attributes:
        model: see `Outlook`.
        twin: see there.
        coded: by the twin, of all tiles.
    """

    model: float
    twin: float
    coded: float


def _middle(picture: Pixels, model: ImageModel) -> Pixels:
    """The middle of a picture, of whole tiles where it has them."""
    _, height, width = picture.shape
    sides = [max(SIDE_LOOKED_AT, 1 if isinstance(model, LocalPixelCNN) else side) for side in model.image_shape[1:]]
    top, left = ((whole - min(whole, side)) // 2 for whole, side in zip((height, width), sides, strict=True))
    return np.ascontiguousarray(picture[:, top : top + sides[0], left : left + sides[1]])


def _bits(model: ImageModel, crops: Sequence[Pixels], labels: NDArray[np.int64] | None) -> Iterator[_Bits | None]:
    """The bits of crops; None where the model has no place for one."""
    if isinstance(model, LocalPixelCNN):
        yield from (_Bits(floats, integers, integers) for floats, integers in crop_bits(model, crops))
        return
    shapes = [(crop.shape[0], crop.shape[1], crop.shape[2]) for crop in crops]
    tiles, unplaced = tiles_of(model.image_shape, shapes, plain=set())
    layout = lay_out(fixed_point(model, ranges_of(model, crops, tiles, labels)))
    total = np.zeros((len(crops), 3))
    for group in groups_of(model.image_shape, tiles):
        classes = labels_of(labels, group)
        images = torch.from_numpy(stacked(crops, group))
        coded = shares_of(layout, images.numpy(), classes).bits
        columns = [np.zeros(len(coded)), np.zeros(len(coded)), coded]
        if not model.knows_positions or images.shape[1:] == model.image_shape:
            labels_here = None if classes is None else torch.from_numpy(classes)
            nats = torch.cat(
                [
                    -model.log_prob(images[part], None if labels_here is None else labels_here[part]).double()
                    for part in batches(len(images), model.images_at_once)
                ]
            )
            columns[:2] = nats.numpy() / math.log(2), coded
        np.add.at(total, [tile.image for tile in group], np.stack(columns, axis=1))
    for number, bits in enumerate(total.tolist()):
        yield None if number in unplaced else _Bits(*bits)
