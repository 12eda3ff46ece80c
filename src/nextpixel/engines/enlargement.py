"""What an engine is given of a smaller image: maps that a network makes of it, all places at once, in integers.

Every sum is one of integers that float64 holds exactly, so that the order in which it is added up makes no difference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.plan.integers import elu_table
from nextpixel.plan.operations import Enlarging, Smaller

Doubles = NDArray[np.float64]


class Enlarged(NamedTuple):
    """What was made of smaller images.

    Attributes:
        places: float32 `[H, W, B, channels]`, integers.
        largest: for each layer the largest absolute integer before its ELU.
    """

    places: NDArray[np.float32]
    largest: list[float]


def enlarged(smaller: Smaller, images: NDArray[np.uint8], size: tuple[int, int]) -> Enlarged:
    """The maps of larger images that a network makes of smaller ones.

    Args:
        smaller: what the larger images' program says of them.
        images: `[B, C, h, w]`, all of them known.
        size: height and width of the larger images; what reaches further is cut off, and what is not reached is 0.
    """
    maps = 2 * images.transpose(2, 3, 0, 1).astype(np.float64) - (smaller.program.levels - 1)
    largest = []
    for layer in smaller.layers:
        sums = _spread(layer, maps)
        sums *= layer.scale
        np.rint(sums, out=sums)
        np.clip(sums, -layer.largest, layer.largest, out=sums)
        largest.append(float(np.abs(sums).max(initial=0)))
        maps = elu_table(layer.largest)[sums.astype(np.int64) + layer.largest]
    height, width = (min(sides) for sides in zip(size, maps.shape, strict=False))
    places = np.zeros((*size, *maps.shape[2:]), np.float32)
    places[:height, :width] = maps[:height, :width]
    return Enlarged(places, largest)


def _spread(layer: Enlarging, maps: Doubles) -> Doubles:
    """The sums of a layer, `[h * down, w * across, B, outputs]`, from maps `[h, w, B, channels]`."""
    rows, columns, batch, channels = maps.shape
    (down, across), (above, left) = layer.stride, layer.padding
    outputs, _, high, wide = layer.weight.shape
    sums = np.zeros(((rows - 1) * down + high, (columns - 1) * across + wide, batch, outputs))
    flat = maps.reshape(-1, channels)
    for row in range(high):
        for column in range(wide):
            places = (
                slice(row, row + (rows - 1) * down + 1, down),
                slice(column, column + (columns - 1) * across + 1, across),
            )
            sums[places] += (flat @ layer.weight[:, :, row, column].T).reshape(rows, columns, batch, outputs)
    sums += layer.bias
    return sums[above : above + rows * down, left : left + columns * across]
