"""Orders of pixels: curves through an image, and orders that begin with what is known.

An order is an int64 map `[H, W]` of ranks, 0 for the pixel that comes first. Colours of a pixel follow each other.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.nn.order_names import RASTER, S_CURVE

Ranks = NDArray[np.int64]


def curve(name: str, height: int, width: int) -> Ranks:
    """The ranks of a curve that begins at the top left.

    Args:
        name: one of `CURVES`: row by row; the same with every second row backwards, so that successive pixels are
            neighbours; or Hilbert's curve through the square that holds the image, without what lies outside.
        height: H.
        width: W.
    """
    row, column = np.indices((height, width))
    if name == RASTER:
        place = row * width + column
    elif name == S_CURVE:
        place = row * width + np.where(row % 2, width - 1 - column, column)
    else:
        place = _along_hilbert(row, column)
    return place.ravel().argsort(kind="stable").argsort(kind="stable").reshape(height, width)


def orders_of(name: str, count: int, height: int, width: int) -> list[Tensor]:
    """A curve and its mirror images, int64 `[H, W]` each; the first few begin at corners far from each other."""
    symmetries = [
        (transposed, down, across)
        for down, across in ((False, False), (True, True), (False, True), (True, False))
        for transposed in (False, True)
    ]
    orders = []
    for transposed, down, across in symmetries[:count]:
        ranks = curve(name, width, height).T if transposed else curve(name, height, width)
        ranks = ranks[:: -1 if down else 1, :: -1 if across else 1]
        orders.append(torch.from_numpy(ranks.copy()))
    return orders


def beginning_with(known: Tensor, order: Tensor) -> Tensor:
    """The order in which the known pixels, bool `[H, W]`, come first; known and unknown ones each keep their order."""
    return order.add((~known) * order.numel()).flatten().argsort().argsort().view(order.shape)


def random_part(height: int, width: int, random: np.random.Generator) -> Tensor:
    """Some pixels, as people know them who want the others: scattered ones, a rectangle, or all around one.

    Args:
        height: H.
        width: W.
        random: draws which.

    Returns:
        bool `[H, W]`.
    """
    if random.random() < 0.5:
        return torch.from_numpy(random.random((height, width)) < random.random())
    (top, bottom), (left, right) = (sorted(random.integers(0, side + 1, 2)) for side in (height, width))
    part = np.full((height, width), random.random() < 0.5)
    part[top:bottom, left:right] ^= True
    return torch.from_numpy(part)


def _along_hilbert(row: Ranks, column: Ranks) -> Ranks:
    """How far along Hilbert's curve pixels lie."""
    side = 1
    while side <= max(int(row.max()), int(column.max())):
        side *= 2
    x, y, distance = column.copy(), row.copy(), np.zeros_like(row)
    while side > 1:
        side //= 2
        right, down = (x & side) > 0, (y & side) > 0
        distance += side * side * ((3 * right) ^ down)
        # A quarter is turned so that the curve through it begins where the one before it ended.
        flip = ~down & right
        x, y = (
            np.where(flip, side - 1 - (x & (side - 1)), x & (side - 1)),
            np.where(flip, side - 1 - (y & (side - 1)), y & (side - 1)),
        )
        x, y = np.where(down, x, y), np.where(down, y, x)
    return distance
