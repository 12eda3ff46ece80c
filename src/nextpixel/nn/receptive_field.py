"""What an architecture lets a sub-pixel see, written as distances (for `receptive_field`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class RowReach(NamedTuple):
    """What is seen of a row above.

    Attributes:
        left: columns to the left of the current one.
        right: columns to the right of it of which the pixels are seen; negative where the nearest ones are not.
        features: columns to the right of it of which the first layer's features are seen. With mask A, the features
            at a pixel contain the pixels left of it and its own colours but the last. So what is seen by way of them
            alone ends one column earlier for the last colour, and lacks that of the row's last pixel.
    """

    left: int
    right: int
    features: int


def raster_context(image_shape: tuple[int, int, int], beside: int, above: Callable[[int], RowReach | None]) -> Tensor:
    """Which sub-pixels see which, for models in raster order with the colours innermost.

    At its own pixel a sub-pixel sees the earlier colours; in the rows above and to the left, what `above` and `beside`
    say.

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
    earlier = torch.ones(channels, channels, dtype=torch.bool).tril(-1)
    context = torch.zeros(channels, height, width, channels, height, width, dtype=torch.bool)
    for row in range(height):
        context[:, row, :, :, row] = ((left > 0) & (left <= beside))[None, :, None]
        context[:, row, column, :, row, column] |= earlier
        for up in range(1, row + 1):
            reach = above(up)
            if reach is not None:
                for source in range(channels):
                    last = source == channels - 1
                    by_features = torch.where(column == width - 1, -1, reach.features - 1) if last else reach.features
                    right = torch.as_tensor(by_features).clamp(min=reach.right)
                    context[:, row, :, source, row - up] = (left <= reach.left) & (-left <= right)
    return context.flatten(3).flatten(0, 2)
