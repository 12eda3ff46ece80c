"""Images of any size as tiles of the size of a model's own images.

Tiles at the right and lower edges are smaller. A model of one channel takes the channels of an image one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.container import Shape

Pixels = NDArray[np.uint8]

SUB_PIXELS_IN_A_BLOCK = 2**22


class Tile(NamedTuple):
    """A rectangle of an image, in all channels or in one of them.

    Attributes:
        image: number of the image.
        plane: the channel; None for all.
        top: its first row.
        left: its first column.
        height: of the rectangle.
        width: of the rectangle.
    """

    image: int
    plane: int | None
    top: int
    left: int
    height: int
    width: int

    def of(self, images: Sequence[Pixels]) -> Pixels:
        """Its pixels, `[C, h, w]`."""
        image = images[self.image]
        planes = image if self.plane is None else image[self.plane, None]
        return planes[:, self.top : self.top + self.height, self.left : self.left + self.width]


def tiles_of(model_shape: Shape, shapes: Sequence[Shape], plain: set[int]) -> tuple[list[Tile], set[int]]:
    """The tiles of all images but the plain ones, in order; and which images the model has no place for."""
    colours, high, wide = model_shape
    tiles, unplaced = [], set()
    for i, (channels, height, width) in enumerate(shapes):
        if channels != colours and colours != 1:
            unplaced.add(i)
        elif i not in plain:
            tiles += [
                Tile(i, plane, top, left, min(high, height - top), min(wide, width - left))
                for plane in ([None] if channels == colours else range(channels))
                for top in range(0, height, high)
                for left in range(0, width, wide)
            ]
    return tiles, unplaced


def tile_count(model_shape: Shape, shape: Shape) -> int:
    """How many tiles an image has."""
    colours, high, wide = model_shape
    planes = 1 if shape[0] == colours else shape[0]
    return planes * -(-shape[1] // high) * -(-shape[2] // wide)


def groups_of(model_shape: Shape, tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Tiles of one size, in blocks that are coded together, the largest tiles first."""
    by_size: dict[tuple[int, int], list[Tile]] = {}
    for tile in tiles:
        by_size.setdefault((tile.height, tile.width), []).append(tile)
    groups = []
    for (height, width), same in sorted(by_size.items(), reverse=True):
        most = max(1, SUB_PIXELS_IN_A_BLOCK // (height * width * model_shape[0]))
        groups += [same[start : start + most] for start in range(0, len(same), most)]
    return groups


def stacked(pictures: Sequence[Pixels], tiles: Sequence[Tile]) -> Pixels:
    """The pixels of tiles of one size, `[N, C, h, w]`."""
    return np.stack([tile.of(pictures) for tile in tiles])


def labels_of(labels: NDArray[np.int64] | None, tiles: Sequence[Tile]) -> NDArray[np.int64] | None:
    """The labels of the images of tiles, `[N]`."""
    return None if labels is None else labels[[tile.image for tile in tiles]]
