"""What an architecture lets a sub-pixel see, written as distances (for `promised_context`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class RowReach(NamedTuple):
    """What is seen of a row above.

    Attributes:
        left: columns to the left of the current one.
        right: columns to the right of it; negative where the nearest ones are not seen.
        inner: the same for pixels other than the row's last. With mask A first, the feature at a place contains the
            pixels left of it, so what is seen by way of a feature to the right ends one before the last column.
    """

    left: int
    right: int
    inner: int


def raster_context(image_shape: tuple[int, int, int], beside: int, above: Callable[[int], RowReach | None]) -> Tensor:
    """Which sub-pixels see which, for models in raster order with the colours innermost.

    At its own pixel a sub-pixel sees the earlier colours; elsewhere it sees all colours of the pixels in reach.

    Args:
        image_shape: `(C, H, W)`.
        beside: columns to the left that are seen in the current row.
        above: what is seen of the row u >= 1 rows up; None for nothing.

    Returns:
        Bool `[C*H*W, C*H*W]`: entry (t, s) is True where t sees s.
    """
    channels, height, width = image_shape
    column = torch.arange(width)
    left = column[:, None] - column
    pixels = torch.zeros(height, width, height, width, dtype=torch.bool)
    for up in range(height):
        reach = RowReach(beside, -1, -1) if up == 0 else above(up)
        if reach is not None:
            right = torch.where(column == width - 1, reach.right, max(reach.right, reach.inner))
            pixels[torch.arange(up, height), :, torch.arange(height - up)] = (left <= reach.left) & (-left <= right)
    at_once = pixels.view(height * width, height * width)
    earlier_colour = torch.ones(channels, channels, dtype=torch.bool).tril(-1)
    same_pixel = torch.eye(height * width, dtype=torch.bool)
    context = at_once[None, :, None, :] | (earlier_colour[:, None, :, None] & same_pixel[None, :, None, :])
    return context.flatten(2).flatten(0, 1)
